# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine, all of it: QEMU's command line, the accelerator, what the initrd brings along."""
import contextlib
import os
import stat
import subprocess
import tempfile
import uuid

from lablib.common import BUILD

XEN_CMDLINE = "console=com1 com1=115200,8n1 dom0_mem={dom0},max:{dom0} noreboot"
# What is blacklisted is of the emulated PC and used by nobody; loading it costs seconds.
LINUX_CMDLINE = ("console=hvc0 root=/dev/vda rw loglevel=4 mitigations=off audit=0 net.ifnames=0 "
                 "modprobe.blacklist=ata_piix,ata_generic,pata_acpi,floppy,pcspkr,i2c_piix4,psmouse,evdev")
DOM0_MEMORY = "1024M"
# What was synced must be on the disk after a power cut, so no cache=unsafe: for qcow2 that would keep
# its tables in QEMU's memory.
DISK_CACHE = "cache=writeback,discard=unmap,aio=threads"
# PV dom0s die early on "max" or "EPYC" under TCG. phenom with npt gives Xen an SVM that runs PV, PVH
# and HVM guests; with rdtscp seen, PVH and HVM guests crash in TCG's emulation of it.
TCG = ["-accel", "tcg,thread=multi", "-cpu", "phenom,+npt,-rdtscp"]
KVM = ["-accel", "kvm", "-cpu", "host"]


def qemu_command(conf):
    """Paths are relative to the lab's folder, where QEMU runs: short enough for a socket's address,
    and free of whatever its parents are called."""
    command = ["qemu-system-x86_64", "-name", f"manor-lab-{conf['name']}", "-nodefaults",
               "-no-user-config", "-display", "none", "-smp", str(conf["cpus"]),
               "-m", conf["memory"]]
    command += KVM if conf["accel"] == "kvm" else TCG
    # Multiboot modules are a list with commas; one inside an argument is doubled.
    linux = (LINUX_CMDLINE + conf["linux"]).replace(",", ",,")
    command += ["-kernel", "xen.elf", "-append", XEN_CMDLINE.format(dom0=conf["dom0"]) + conf["xen"],
                "-initrd", f"vmlinux {linux},initrd"]
    command += ["-drive", f"file=root.qcow2,if=none,id=root,format=qcow2,{DISK_CACHE}",
                "-device", "virtio-blk-pci,drive=root,serial=MANORROOT"]
    for number in range(1, len(conf["disks"]) + 1):
        command += ["-drive", f"file=disk{number}.raw,if=none,id=disk{number},format=raw,{DISK_CACHE}",
                    "-device", f"virtio-blk-pci,drive=disk{number},serial=MANORDISK{number}"]
    for number in range(1, conf["nics"] + 1):
        # A network for each: 10.0.2.0/24 with the QEMU host as 10.0.2.2, then 10.0.3.0/24, …
        command += ["-netdev", f"user,id=nic{number},ipv6=off,net=10.0.{number + 1}.0/24",
                    "-device", f"virtio-net-pci,netdev=nic{number},romfile=,"
                               f"mac=52:54:00:4d:00:{number:02x}"]
    command += ["-chardev", "socket,id=console,path=console.sock,server=on,wait=off,"
                            "logfile=console.log,logappend=on",
                "-serial", "chardev:console",
                "-chardev", "socket,id=agent,path=agent.sock,server=on,wait=off",
                "-device", "virtio-serial-pci",
                "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
                "-device", "virtio-rng-pci"]
    # How files come and go, see Transfer; last, so that no data disk changes its place for it.
    command += ["-drive", f"file=transfer.raw,if=none,id=transfer,format=raw,{DISK_CACHE}",
                "-device", "virtio-blk-pci,drive=transfer,serial=MANORLAB"]
    return command + conf["qemu"]


def accelerator():
    """KVM only if it runs code, and if a guest of it gets virtualisation of its own: /dev/kvm alone
    says neither."""
    asked = os.environ.get("MANOR_LAB_ACCEL")
    if asked in ("kvm", "tcg"):
        return asked
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    nested = [f"/sys/module/{module}/parameters/nested" for module in ("kvm_intel", "kvm_amd")]
    for path in nested:
        with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
            if f.read().strip() in ("Y", "1"):
                break
    else:
        return "tcg"
    # A BIOS of one deed: at the reset vector, write 0x10 to the port that ends QEMU, with (0x10 << 1) | 1.
    rom = bytearray(b"\xf4" * 65536)
    rom[0xFFF0:0xFFF5] = b"\xb0\x10\xe6\xf4\xf4"
    with tempfile.NamedTemporaryFile() as bios:
        bios.write(rom)
        bios.flush()
        try:
            probe = subprocess.run(
                ["qemu-system-x86_64", *KVM, "-nodefaults", "-display", "none", "-m", "64", "-bios", bios.name,
                 "-device", "isa-debug-exit,iobase=0xf4,iosize=1"], timeout=3, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return "tcg"
    return "kvm" if probe.returncode == 33 else "tcg"


# --- what the initrd brings -----------------------------------------------------------------------

def cpio(tree):
    """A newc archive of {path: (mode, bytes or None for a folder)}."""
    out = bytearray()

    def member(path, mode, data, number):
        name = path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        out.extend(b"070701" + b"".join(b"%08X" % field for field in fields) + name)
        out.extend(b"\0" * (-len(out) % 4))
        out.extend(data)
        out.extend(b"\0" * (-len(out) % 4))

    for number, path in enumerate(sorted(tree), 1):
        mode, data = tree[path]
        if data is None:
            member(path, stat.S_IFDIR | mode, b"", number)
        else:
            member(path, stat.S_IFREG | mode, data, number)
    member("TRAILER!!!", 0, b"", 0)
    out.extend(b"\0" * (-len(out) % 512))
    return bytes(out)


def programs():
    """The agent as built now, without its debug sections: {path in the dom0: bytes}."""
    found = {}
    for built, path in (("manor", "usr/bin/manor"), ("manor-hotplug", "usr/lib/manor/hotplug")):
        built = os.path.join(BUILD, built)
        if not os.path.exists(built):
            continue
        with tempfile.NamedTemporaryFile() as stripped:
            subprocess.run(["strip", "--strip-debug", "-o", stripped.name, built], check=True)
            with open(stripped.name, "rb") as f:
                found[path] = f.read()
    return found


def overlay(manifest):
    tree = {"overlay": (0o755, None), "overlay/.id": (0o644, f"{uuid.uuid4()}\n".encode())}
    files = {path: (0o755, data) for path, data in programs().items()}
    if manifest is not None:
        files["etc/manor/appliance.yaml"] = (0o644, manifest)
    for path, entry in files.items():
        parts = path.split("/")
        for depth in range(1, len(parts)):
            tree["overlay/" + "/".join(parts[:depth])] = (0o755, None)
        tree["overlay/" + path] = entry
    return cpio(tree)
