# SPDX-License-Identifier: GPL-2.0-or-later
"""The appliance's media in QEMU: machines that are on as long as somebody looks at them, disks, and sticks with a manifest."""
import os
import re
import subprocess
import time

from lablib import machine
from lablib.common import BUILD

MEDIA = os.path.join(BUILD, "appliance")
WORK = os.path.join(MEDIA, "boot")
OVMF = "/usr/share/ovmf/OVMF.fd"
PATIENCE = 300 * int(os.environ.get("PATIENCE", "1"))
MANIFEST = """manor: 1
namespace: lab.example.org
bridges:
  xenbr0: {addresses: [10.155.200.1/24]}
"""
# What the initrd says when it has found its root: the menu's work is done then.
STARTED = r"manor: root: /root of"
# What the page says in the end.
CONVERGED = r"\nmanor  as the manifest says: /etc/manor/appliance.yaml"


def stick(manifest=MANIFEST):
    """A USB stick with it."""
    path = os.path.join(WORK, "stick.img")
    with open(os.path.join(WORK, "appliance.yaml"), "w", encoding="ascii") as f:
        f.write(manifest)
    with open(path, "wb") as f:
        f.truncate(8 << 20)
    subprocess.run(["mkfs.vfat", "-n", "MANOR", path], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["mcopy", "-i", path, os.path.join(WORK, "appliance.yaml"), "::"], check=True)
    return path


def usb(number, path, boot):
    return ["-drive", f"file={path},if=none,id=stick{number},format=raw,readonly=on",
            "-device", f"usb-storage,drive=stick{number}" + (",bootindex=0" if boot else "")]


class Machine:
    """Is on as long as its context; NAME.log has what its serial port said."""

    def __init__(self, name, how, inside=(), options=("-no-reboot",)):
        self.log, self.picture = os.path.join(WORK, name + ".log"), os.path.join(WORK, name + ".ppm")
        self.monitor = os.path.join(WORK, name + ".mon")
        self.text, self.qemu, self.begin = "", None, 0
        self.command = [*inside, "qemu-system-x86_64", *(machine.KVM if machine.accelerator() == "kvm" else machine.TCG),
                        "-nodefaults", "-display", "none", "-vga", "std", "-m", "2048", "-smp", "2", "-name", "appliance",
                        "-serial", f"file:{self.log}", "-device", "virtio-rng-pci", "-monitor", f"pipe:{self.monitor}", *options, *how]

    def __enter__(self):
        for end in ("in", "out"):
            if os.path.exists(f"{self.monitor}.{end}"):
                os.unlink(f"{self.monitor}.{end}")
            os.mkfifo(f"{self.monitor}.{end}")
        if os.path.exists(self.log):
            os.unlink(self.log)
        self.begin = time.monotonic()
        self.qemu = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.qemu.kill()
        self.qemu.wait()

    def said(self, expect):
        """Seconds since it was switched on, if it has said that."""
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8", errors="replace") as f:
                self.text = f.read()
        return time.monotonic() - self.begin if re.search(expect, self.text, re.S) else None

    def until(self, expect, patience=PATIENCE):
        """The same, when it has; None where it doesn't in time, or ends."""
        end = time.monotonic() + patience
        while time.monotonic() < end and self.qemu.poll() is None:
            time.sleep(0.2)
            taken = self.said(expect)
            if taken is not None:
                return taken
        if self.qemu.poll() is not None:
            self.text += f"\nQEMU ended by itself, with {self.qemu.returncode}\n"
        return None

    def screen(self):
        """A picture of it."""
        time.sleep(3)
        with open(f"{self.monitor}.in", "w", encoding="ascii") as f:
            f.write(f"screendump {self.picture}\n")
        time.sleep(2)


def boot(name, how, expect):
    """(seconds or None, what the serial port said)"""
    with Machine(name, how) as host:
        taken = host.until(expect)
        if taken is not None and expect != STARTED:
            host.screen()
        return taken, host.text


class Disk:
    """A disk of 6 GiB, to which manor.img was written unless it is to be empty."""

    ESP = 2 << 20
    SLOTS = {"A": 66 << 20, "B": 450 << 20}
    SLOT = 384 << 20
    STATE = 834 << 20

    def __init__(self, name, empty=False):
        self.path = os.path.join(WORK, name + ".disk")
        if empty:
            with open(self.path, "wb") as f:
                f.truncate(6 << 30)
            return
        subprocess.run(["cp", "--sparse=always", os.path.join(MEDIA, "manor.img"), self.path], check=True)
        os.truncate(self.path, 6 << 30)

    def devices(self, *more, efi=False):
        return [*(["-bios", OVMF] if efi else []),
                "-drive", f"file={self.path},if=none,id=disk,format=raw,cache=unsafe",
                "-device", "virtio-blk-pci,drive=disk,serial=MANORDISK1,bootindex=0", *more]

    def mtools(self, *words, **options):
        return subprocess.run([words[0], "-i", f"{self.path}@@{self.ESP}", *words[1:]], check=True, **options)

    def grubenv(self, content=None):
        """What the menu and RAUC tell each other; with content: from now on."""
        if content is None:
            return self.mtools("mtype", "::/grub/grubenv", stdout=subprocess.PIPE).stdout
        path = os.path.join(WORK, "grubenv")
        with open(path, "wb") as f:
            f.write(content)
        self.mtools("mcopy", "-o", path, "::/grub/grubenv")
        return content

    def copy_slot(self):
        """What runs, into the other slot."""
        with open(self.path, "r+b") as f:
            for at in range(0, self.SLOT, 1 << 20):
                f.seek(self.SLOTS["A"] + at)
                block = f.read(1 << 20)
                f.seek(self.SLOTS["B"] + at)
                f.write(block)

    def write(self, at, data):
        with open(self.path, "r+b") as f:
            f.seek(at)
            f.write(data)

    def state(self, tree, size):
        """Another state partition, with what is in a folder; false: it doesn't fit."""
        self.write(self.STATE, bytes(1 << 20))
        return subprocess.run(["mke2fs", "-q", "-F", "-F", "-t", "ext4", "-L", "MANOR_STATE", "-m", "0", "-N", "64",
                               "-E", f"offset={self.STATE},nodiscard", "-d", tree, self.path, f"{size >> 10}k"],
                              check=False, stderr=subprocess.DEVNULL).returncode == 0

    def remove(self):
        os.unlink(self.path)
