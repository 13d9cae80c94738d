#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The boot menu of an installed disk (hv/appliance/grub/disk.cfg), run by GRUB itself as a program: which slot it starts, what
it notes of that, and that it starts one whatever a power cut left of grubenv. What would start a machine is an echo here. TAP.
"""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
MANOR = os.environ.get("MANOR", str(TOP / "build/manor"))
os.environ["PATH"] += ":/usr/sbin:/sbin"
ESP, SLOTS, SLOT = 2 << 20, {"A": 66 << 20, "B": 450 << 20}, 384 << 20
PATIENCE = 30
FRESH = b"# GRUB Environment Block\nORDER=A B\nA_OK=1\nA_TRY=0\nB_OK=1\nB_TRY=0\n".ljust(1024, b"#")


def run(*words, **options):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, **options).stdout


def menu():
    """The menu, but that it starts nothing: a slot that holds a file called `bad` can't be loaded."""
    text = (TOP / "hv/appliance/grub/disk.cfg").read_text()
    text = re.sub(r"^(serial|terminal_).*\n", "", text, flags=re.M)
    text, n = re.subn(r'if multiboot2 "\$part/xen" \$slot_xen \$XEN; then', 'if [ -f "$part/bad" ]; then false; else echo XEN $slot_xen $XEN END', text)
    text, m = re.subn(r'if module2 ("[^;]*); then', r'if echo FILE \1; then', text)
    text, k = re.subn(r"^(\t+)boot$", r"\1echo STARTED $1\n\1halt", text, flags=re.M)
    text, j = re.subn(r"sleep --interruptible 30\n\treboot", "echo GAVE UP\n\thalt", text)
    assert (n, m, k, j) == (1, 2, 1, 1), "the menu is another one than this test knows"
    return text


class Disk:
    def __init__(self, work):
        self.work, self.path = work, work / "disk.img"
        source = work / "from"
        source.mkdir()
        (source / "boot.img").write_bytes(b"B" * 440)
        (source / "core.img").write_bytes(b"C" * 512)
        with open(source / "esp.img", "wb") as f:
            f.truncate(64 << 20)
        run("mkfs.vfat", "-F", "32", "-s", "1", source / "esp.img")
        run("mmd", "-i", source / "esp.img", "::/grub")
        (work / "grub.cfg").write_text(menu())
        run("mcopy", "-i", source / "esp.img", work / "grub.cfg", "::/grub/grub.cfg")
        self.slot("A").rename(source / "slot.img")
        run(MANOR, "install", "--image", self.path, "--from", source)
        self.put("B", self.slot("B"))
        (work / "device.map").write_text(f"(hd0) {self.path}\n")

    def slot(self, name, *more, without=None):
        """A slot's file system, as `make appliance` makes it, with little in it."""
        tree, image = self.work / "tree", self.work / f"slot{name}.img"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        for file in {"xen", "vmlinuz", "initrd", "root", *more} - {without}:
            (tree / file).write_text(name)
        (tree / "slot.cfg").write_text(f'set slot_version="v{name}"\nset slot_xen="dom0_mem={name}"\nset slot_linux="console={name}"\n')
        with open(image, "wb") as f:
            f.truncate(SLOT)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "^has_journal,^metadata_csum_seed,^orphan_file", "-d", tree, image)
        return image

    def put(self, name, image):
        run("dd", f"if={image}", f"of={self.path}", "bs=1M", f"seek={SLOTS[name] >> 20}", "conv=notrunc,sparse", "status=none")

    def clear(self, name):
        with open(self.path, "r+b") as f:
            f.seek(SLOTS[name])
            f.write(bytes(1 << 20))

    def grubenv(self, content):
        if content is None:
            subprocess.run(["mdel", "-i", f"{self.path}@@{ESP}", "::/grub/grubenv"], check=False, stderr=subprocess.DEVNULL)
            return
        (self.work / "grubenv").write_bytes(content)
        run("mcopy", "-o", "-i", f"{self.path}@@{ESP}", self.work / "grubenv", "::/grub/grubenv")

    def said(self):
        return run("mtype", "-i", f"{self.path}@@{ESP}", "::/grub/grubenv")

    def start(self, keys=b"\r"):
        """What GRUB shows, until it would start something."""
        pid, fd = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm"
            os.execvp("grub-emu", ["grub-emu", "-m", str(self.work / "device.map"), "-r", "hd0,gpt2", "-d", "/grub"])
        end, out, sent = time.monotonic() + PATIENCE, b"", False
        while time.monotonic() < end and not re.search(rb"STARTED [AB]|GAVE UP", out):
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    out += os.read(fd, 65536)
                except OSError:
                    break
            if not sent and b"automatically" in out:
                os.write(fd, keys)
                sent = True
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\r\n", "", out.decode(errors="replace"))


def stories(disk):
    def env(**values):
        text = FRESH
        for name, value in values.items():
            text = re.sub(rb"\n%s=[^\n]*" % name.encode(), b"\n%s=%s" % (name.encode(), value.encode()), text)
        return text[:1024].ljust(1024, b"#")

    def starts(slot, content, *more):
        disk.grubenv(content)
        out = disk.start()
        return out if f"STARTED {slot}" in out and all(word in out for word in more) else None

    out = starts("A", FRESH, "XEN dom0_mem=A", "console=A", "rauc.slot=A", "panic=10", "manor.boot=disk")
    yield "the first of the order is started, with its own arguments", out
    uuid = re.search(r"manor\.slot=PARTUUID=([0-9a-f-]{36})", re.sub(r"\s", "", out or ""))
    table = run("sfdisk", "-d", disk.path).decode().lower()
    yield "the initrd is told which partition of which disk that is", uuid and f'uuid={uuid[1]}, name="manor-a"' in table
    yield "it is noted before", b"A_TRY=1" in disk.said() and len(disk.said()) == 1024
    for tried in (b"A_TRY=2", b"A_TRY=3"):
        out = disk.start()
        yield "one that was good is started again where the power went", "STARTED A" in out and tried in disk.said()
    out = disk.start()
    yield "one that was tried in vain makes room for the next", "STARTED B" in out and b"B_TRY=1" in disk.said()
    on_trial = FRESH.replace(b"\nB_TRY=0\n", b"\nB_TRY=1\nTRIAL=B\n").replace(b"ORDER=A B", b"ORDER=B A")[:1024]
    yield "one that nobody has called good yet is tried once", starts("A", on_trial)
    yield "where both were tried, the first of the order is started", starts("A", env(A_TRY="3", B_TRY="3"))
    yield "an order of B and A means it", starts("B", env(ORDER="B A"), "XEN dom0_mem=B")
    yield "a slot that is bad is passed over", starts("B", env(A_OK="0"))
    yield "as a last resort a bad one is started", starts("A", env(A_OK="0", B_OK="0"))
    for name, content in (("empty", b""), ("torn", FRESH[:40] + bytes(472) + FRESH[512:]), ("full of zeros", bytes(1024)),
                          ("half as long", FRESH[:512]), ("twice as long", FRESH + FRESH), ("missing", None),
                          ("no words at all", os.urandom(1024)), ("an order of nothing", env(ORDER="X;halt Y"))):
        yield f"with a grubenv that is {name} a slot is started all the same", starts("A", content)
    yield "without settings a version's own arguments are all", "XEN dom0_mem=A END" in disk.start()
    had = b"XEN=dom0_mem=1G loglvl=all\nXEN_TRIAL=dom0_mem=2G,max:2G\nXEN_TRY=0\n"
    trial = (FRESH.rstrip(b"#") + had).ljust(1024, b"#")
    disk.grubenv(trial)
    out = disk.start(b"\x1b[B\r")
    yield "by hand those that were good are taken", "XEN dom0_mem=A dom0_mem=1G loglvl=all END" in out and b"XEN_TRY=0" in disk.said()
    out = disk.start()
    yield "settings that are tried stand behind the version's own", "XEN dom0_mem=A dom0_mem=2G,max:2G END" in out
    yield "it is noted, and told to what is started", b"XEN_TRY=1" in disk.said() and re.search(r"gpt\s*manor\.settings=trial", out)
    out = disk.start()
    yield "they are tried once", "XEN dom0_mem=A dom0_mem=1G loglvl=all END" in out and "manor.settings" not in out
    disk.grubenv(FRESH)
    out = disk.start(b"\x1b[B\r")
    yield "by hand, slot A", "STARTED A" in out and "manor.shell" not in out and b"A_TRY=0" in disk.said()
    yield "with a shell", re.search(r"manor\.shell.*STARTED A", disk.start(b"\x1b[B\x1b[B\r"), re.S)
    yield "slot B", re.search(r"STARTED B", disk.start(b"\x1b[B" * 3 + b"\r"))
    yield "and that with a shell", re.search(r"manor\.shell.*STARTED B", disk.start(b"\x1b[B" * 4 + b"\r"), re.S)

    disk.put("A", disk.slot("A", "bad"))
    yield "a slot that can't be loaded makes room at once", starts("B", FRESH, "Slot A can't be loaded.")
    for file in ("xen", "vmlinuz", "initrd", "root"):
        disk.clear("A")
        disk.put("A", disk.slot("A", without=file))
        yield f"one without {file} isn't tried", starts("B", FRESH) and b"A_TRY=0" in disk.said()
    disk.clear("A")
    yield "nor one without a file system", starts("B", FRESH)
    yield "even if it is the last that is called good", starts("B", env(B_OK="0"))
    disk.clear("B")
    disk.grubenv(FRESH)
    yield "with neither it says so, and tries again later", "Neither slot can be started" in disk.start()


def main():
    number = bad = 0
    with tempfile.TemporaryDirectory() as work:
        for number, (what, fine) in enumerate(stories(Disk(Path(work))), 1):
            print(f"{'ok' if fine else 'not ok'} {number} - {what}", flush=True)
            bad += not fine
    print(f"1..{number}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
