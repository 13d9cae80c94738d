# SPDX-License-Identifier: GPL-2.0-or-later
"""USB devices handed to guests, plugged in and out by hand. On a machine of its own, with two sticks, a hub between, and a
keyboard; its guest has the drivers that the tiny one lacks."""
import atexit
import json
import os
import socket
import subprocess
import tempfile

from lab import IMAGES, TOP, Failed, Host, LabError, expect, guest, nothing_much, test, tiny_template, wait_for

LABS = os.path.join(TOP, os.environ.get("BUILD", "build"), "lab")
STICK = {"vendor": "46f4", "product": "0001", "serial": "STICK1"}
OTHER = {"vendor": "46f4", "product": "0001", "serial": "STICK2"}
KEYS = {"vendor": "0627", "product": "0001"}
machine = []


class Sockets:
    """QEMU's monitor: the hand that plugs in and out."""

    def __init__(self, host):
        self.socket = socket.socket(socket.AF_UNIX)
        folder = os.open(os.path.join(LABS, host.name), os.O_PATH)
        # An address of a socket has room for 107 bytes.
        self.socket.connect(f"/proc/self/fd/{folder}/qmp.sock")
        os.close(folder)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.tell("qmp_capabilities")

    def tell(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            expect("error" not in answer, f"{command} failed", answer)
            if "return" in answer:
                return

    def plug(self, port, number):
        self.tell("device_add", driver="usb-storage", id=f"stick{number}", bus="usb.0", port=port, drive=f"stick{number}",
                  serial=f"STICK{number}")

    def unplug(self, number):
        self.tell("device_del", id=f"stick{number}")


def plugged():
    """The machine, booted at first use."""
    if not machine:
        host = Host("system-usb")
        atexit.register(lambda: host.lab("down"))
        options = ["-qmp", "unix:qmp.sock,server=on,wait=off", "-device", "qemu-xhci,id=usb",
                   "-device", "usb-kbd,bus=usb.0,port=2", "-device", "usb-hub,bus=usb.0,port=3"]
        os.makedirs(LABS, exist_ok=True)
        for number, port in ((1, "1"), (2, "3.2")):
            path = os.path.join(LABS, f"system-usb-stick{number}.raw")
            with open(path, "wb") as f:
                f.write(f"stick {number}\n".encode())
                f.truncate(8 << 20)
            options += ["-blockdev", f"raw,node-name=stick{number},file.driver=file,file.filename={path}",
                        "-device", f"usb-storage,id=stick{number},bus=usb.0,port={port},drive=stick{number},"
                                   f"serial=STICK{number}"]
        try:
            host.up("--no-disk", "--memory", "1792M", *(f"--qemu={option}" for option in options))
        except LabError as e:
            raise Failed(f"the machine with sticks doesn't boot: {e}") from None
        with_drivers(host)
        machine.append((host, Sockets(host)))
    return machine[0]


def with_drivers(host):
    """The tiny guest's initrd, and what a stick takes."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(TOP, "images/tiny/modules"), encoding="ascii") as f:
            modules = f.read()
        path = os.path.join(folder, "modules")
        with open(path, "w", encoding="ascii") as f:
            f.write(modules + "xhci_pci\nusb_storage\nsd_mod\n")
        initrd = os.path.join(folder, "initrd.img")
        subprocess.run([os.path.join(TOP, "hv/mkinitrd"), initrd, "images/tiny/init", path],
                       env={**os.environ, "STRIP": "1"}, check=True)
        done = host.lab("push", initrd, "/srv/usb-initrd.img")
        expect(done.code == 0, "the initrd can't be pushed", done)


def with_guest(usb=None, name="till", **more):
    m = nothing_much()
    m["templates"] = {"tiny": tiny_template()}
    del m["templates"]["tiny"]["storage"]
    del m["templates"]["tiny"]["domain"]["disks"]
    m["domains"] = {name: guest(name, 2, "hvm", memory="192MiB", kernel=f"{IMAGES}/vmlinuz", initrd="/srv/usb-initrd.img",
                                disks={"root": {"vdev": "xvda", "from": "root", "file": f"/srv/{name}.img"}}, **more)}
    if usb:
        m["domains"][name]["usb_devices"] = usb
    return m


def drivers(host, port):
    return host.sh(f"for i in /sys/bus/usb/devices/{port}:*; do basename $(readlink $i/driver || echo none); done").split()


def port_of(host, serial):
    """Where it is plugged in, as facts tell it; None: nowhere."""
    for device in json.loads(host.manor("facts").out)["usb"]["devices"]:
        if device.get("serial") == serial:
            return device["port"]
    return None


def seen(host, name="till"):
    """What the guest reads from the sticks that it sees; "" for none."""
    return host.in_guest(name, "for d in /dev/sd?; do head -c 8 $d; done 2>/dev/null")


@test(soak=True)
def a_guest_gets_the_stick_that_is_meant_and_none_else(_):
    host, _hand = plugged()
    plan = host.plan(with_guest({"stick": {"vendor": "46f4", "product": "0001"}}), code=(1, 3))
    expect("2 are meant" in plan.all and "STICK1" in plan.all and "STICK2" in plan.all, "it isn't said which", plan)
    host.apply(with_guest({"stick": STICK}))
    host.guest_up("till", 300)
    wait_for("the guest sees no stick", lambda: "stick 1" in seen(host), 60)
    expect(drivers(host, port_of(host, "STICK1")) == ["usbfs"], "dom0 has it still", drivers(host, port_of(host, "STICK1")))
    expect(drivers(host, port_of(host, "STICK2")) == ["usb-storage"], "another was taken from dom0")
    save = host.manor("save", "-f", "/etc/manor/lab.yaml", "till", code=1)
    expect("USB" in save.err, "it isn't said why it can't be saved", save)
    host.settled()


@test(soak=True)
def what_dom0_uses_stays_its_own(_):
    host, _hand = plugged()
    port = port_of(host, "STICK2")
    disk = host.sh("basename $(readlink -f /dev/disk/by-id/usb-*STICK2*)").strip()
    host.sh(f"mkfs.ext4 -q -F /dev/{disk}; mkdir -p /mnt; mount /dev/{disk} /mnt")
    plan = host.plan(with_guest({"stick": STICK, "other": OTHER}), code=(1, 3))
    expect("mounted on /mnt" in plan.all, "a disk that is mounted is given away", plan)
    plan = host.plan(with_guest({"stick": STICK, "hub": {"port": port.rpartition(".")[0]}}), code=(1, 3))
    expect("is a hub" in plan.all, "a hub is given away", plan)
    # mkfs takes the words away that it is known by.
    host.sh(f"umount /mnt; echo stick 2 | dd of=/dev/{disk} conv=notrunc,fsync status=none")


@test(soak=True)
def one_that_is_pulled_out_is_said_and_comes_back_by_itself(_):
    host, hand = plugged()
    domid = host.domid("till")
    host.sh("cp /etc/manor/lab.yaml /etc/manor/appliance.yaml; systemctl restart manor; sleep 3")
    hand.unplug(1)
    wait_for("it is there still", lambda: port_of(host, "STICK1") is None, 30)
    plan = host.plan(with_guest({"stick": STICK}), code=0)
    expect("isn't plugged in" in plan.all, "it isn't said", plan)
    expect("without USB device" in host.manor("status", code=None).all, "status doesn't say it")
    wait_for("the guest sees it still", lambda: "stick" not in seen(host), 30)
    hand.plug("4", 1)
    wait_for("it isn't handed over by itself", lambda: "stick 1" in seen(host), 90)
    expect(host.domid("till") == domid, "the guest was restarted")
    host.settled()


@test(soak=True)
def what_was_unplugged_is_in_nobodys_way(_):
    """libxl's books hold it still, and libxl gives nobody anything meanwhile."""
    host, hand = plugged()
    hand.unplug(1)
    wait_for("it is there still", lambda: port_of(host, "STICK1") is None, 30)
    host.apply(with_guest({"stick": STICK, "other": OTHER, "keys": KEYS}))
    wait_for("it hasn't got it", lambda: "stick 2" in seen(host), 60)
    expect(drivers(host, port_of(host, "STICK2")) == ["usbfs"], "dom0 has it still")
    hand.plug("1", 1)
    host.apply()
    host.settled()
    host.apply(with_guest({"keys": KEYS}))
    for serial in ("STICK1", "STICK2"):
        wait_for("dom0 hasn't got it back", lambda one=serial: drivers(host, port_of(host, one)) == ["usb-storage"], 20)
    host.settled()


@test(soak=True)
def it_goes_back_with_the_guest_that_had_it(_):
    host, _hand = plugged()
    host.apply(with_guest({"stick": STICK}))
    port = port_of(host, "STICK1")
    host.sh("rm -f /etc/manor/appliance.yaml; systemctl restart manor")
    host.apply(nothing_much())
    wait_for("dom0 hasn't got it back", lambda: drivers(host, port) == ["usb-storage"], 20)
    host.settled()


@test(soak=True)
def who_needs_one_does_not_start_without(_):
    host, hand = plugged()
    hand.unplug(1)
    wait_for("it is there still", lambda: port_of(host, "STICK1") is None, 30)
    m = with_guest({"stick": {**STICK, "required": True}})
    plan = host.apply(m, code=1)
    expect("doesn't start without it" in plan.all and "STICK2" in plan.all, "it isn't said what there is", plan)
    hand.plug("1", 1)
    wait_for("it doesn't come", lambda: port_of(host, "STICK1"), 30)
    host.apply(m)
    host.guest_up("till", 300)
    wait_for("the guest sees no stick", lambda: "stick 1" in seen(host), 60)
    host.apply(nothing_much())
