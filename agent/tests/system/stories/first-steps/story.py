# SPDX-License-Identifier: GPL-2.0-or-later
"""The first steps: memory and processors change while a guest runs, its console is attached to, a desktop is looked at."""
import os
import re

import rfb
from adopted import monitors
from lab import IMAGES, MANIFEST, STORIES, edited, expect, test, wait_for, written

SERVER = "/root/first-steps"


def memory_of(host, name):
    return int(re.search(r"MemTotal=(\d+)kB", host.say(name, "mem")).group(1)) >> 10


@test(soak=True)
def a_guest_with_two_processors_and_a_desktop(host):
    host.clear()
    host.apply(written("first-steps"))
    host.guest_up("iscsi1")
    host.guest_up("desktop")
    expect("online=0-1" in host.say("iscsi1", "cpus"), "it hasn't two processors", host.say("iscsi1", "cpus"))
    expect(list(host.vifs("iscsi1")) == ["aa:cc:10:00:00:a1"], "its MAC is another", host.vifs("iscsi1"))
    expect("xvda=268435456" in host.say("desktop", "disks"), "it has no whole disk", host.say("desktop", "disks"))
    host.settled()


@test(soak=True)
def memory_and_processors_go_up_and_down_while_it_runs(host):
    domid, before = host.domid("iscsi1"), memory_of(host, "iscsi1")
    host.apply(edited(written("first-steps"), ("memory: 128MiB", "memory: 224MiB"), ("vcpus: 2\n", "vcpus: 4\n")))
    expect(host.domains()["iscsi1"][:3] == (domid, 224, 4), "not the same guest with more", host.domains())
    expect("online=0-3" in host.say("iscsi1", "cpus"), "it doesn't use four", host.say("iscsi1", "cpus"))
    expect(80 < memory_of(host, "iscsi1") - before < 112, "it doesn't see 96 MiB more", before, memory_of(host, "iscsi1"))
    host.apply(edited(written("first-steps"), ("vcpus: 2\n", "vcpus: 1\n")))
    expect(host.domains()["iscsi1"][:3] == (domid, 128, 1), "not the same guest with less", host.domains())
    wait_for("it uses one", lambda: "online=0 " in host.say("iscsi1", "cpus") + " ", 30)
    host.apply(written("first-steps"))
    wait_for("it uses two again", lambda: "online=0-1" in host.say("iscsi1", "cpus"), 30)
    host.settled()


@test(soak=True)
def its_console_is_attached_and_left_and_attached_again(host):
    for word in ("first", "again"):
        # As at a terminal: a line for the guest, then Ctrl-].
        said = host.sh(f"(sleep 2; printf 'sh echo MANOR-REPLY {word}-$((6 * 7))\\n'; sleep 4; printf '\\035') | "
                       "script -qec 'manor console iscsi1' /dev/null", 60)
        expect(f"MANOR-REPLY {word}-42" in said, "what the guest says isn't seen", said)


@test(soak=True)
def the_desktop_is_looked_at_with_a_viewer(host):
    expect(host.manor("vnc", "desktop").out.strip() == "127.0.0.1:5902", "it isn't said where", host.manor("vnc", "desktop"))
    width, height, _ = rfb.screen(host, 5902)
    expect(width >= 640 and height >= 400, "there is no screen", width, height)


@test(soak=True)
def nobody_else_may_write_what_it_writes(host):
    second = written("first-steps") + """\
  thief:
    template: tiny
    cmdline: console=hvc0
    memory: 128MiB
    disks:
      root: {vdev: xvda, device: {path: /dev/vg0/iscsi1.root}}
"""
    done = host.plan(second, code=(1, 2))
    line = second.splitlines().index("  thief:") + 6
    expect(f"lab.yaml:{line}:" in done.all and "iscsi1" in done.all, "it isn't refused there", done)
    # Nor by way of the network, where the file system is the same whoever serves it.
    remote = 'nbd: "nbd://10.155.200.1:20001/"}'
    second = edited(second, ("root: {vdev: xvda1, from: root}", "root: {vdev: xvda1, " + remote),
                    ("device: {path: /dev/vg0/iscsi1.root}}", remote))
    done = host.plan(second, code=2)
    expect(f"lab.yaml:{line}:" in done.err and "one of them may write" in done.err, "it isn't refused there", done)
    expect("thief" not in host.domains(), "it runs", host.domains())
    host.write(written("first-steps"))


@test(soak=True)
def its_disk_may_come_from_another_machine(host):
    """As the beginning of moving live: the disk of iscsi1, carried to a server whose one export has no name."""
    host.write_serial("iscsi1", "carried")
    host.manor("stop", "-f", "/etc/manor/lab.yaml", "iscsi1")
    # The kernel makes 64 devices of the module, each of which udev looks at: under emulation longer than a connection may take.
    host.sh("modprobe nbd && udevadm settle")
    host.sh(f"mkdir -p {SERVER} && cp --sparse=always /dev/vg0/iscsi1.root {SERVER}/root.img && "
            f"nbd-server 10.155.200.1@20001 {SERVER}/root.img -C /dev/null -p /run/first-steps.pid")
    try:
        host.apply(edited(written("first-steps"), ("root: {vdev: xvda1, from: root}",
                                                   'root: {vdev: xvda1, nbd: "nbd://10.155.200.1:20001/"}')),
                   "--allow", "guest-restart")
        host.manor("start", "-f", "/etc/manor/lab.yaml", "iscsi1")
        host.guest_up("iscsi1")
        expect(host.serial("iscsi1") == "carried", "its disk is another", host.serial("iscsi1"))
        host.settled()
    finally:
        host.clear()
        host.run(f"kill $(cat /run/first-steps.pid); rm -r {SERVER}")


@test(soak=True)
def what_xl_started_by_a_name_with_capitals_is_taken_over(host):
    """The guest of before, on a volume that was made by hand. Manor's name for it has small letters; Xen's stays until it is
    started anew."""
    with open(os.path.join(STORIES, "first-steps/old/iSCSI1.cfg"), encoding="utf-8") as f:
        old = f.read()
    old = edited(old, ("/boot/vmlinuz-2.6-xen", f"{IMAGES}/vmlinuz"), ("/boot/initrd-2.6-xen", f"{IMAGES}/initrd.img"),
                 ("VG_new", "/dev/vg0"), (",hda1,", ",xvda1,"), ("/dev/hda1 ro", "/dev/xvda1 ro console=hvc0"))
    host.apply(written("first-steps").partition("templates:\n")[0])
    host.sh("lvcreate -q -q -y -V 32M -T vg0/pool -n LV_iSCSI1; "
            f"zstd -dcq {IMAGES}/root.img.zst | dd of=/dev/vg0/LV_iSCSI1 bs=64k conv=sparse,fsync status=none")
    host.put("/etc/xen/iSCSI1.cfg", old)
    host.sh("xl create -q /etc/xen/iSCSI1.cfg")
    host.guest_up("iSCSI1", restart=False)
    host.write_serial("iSCSI1", "by-hand")
    domid, uuid = host.domid("iSCSI1"), host.uuid("iSCSI1")
    host.put(MANIFEST, host.manor("export", "-f", MANIFEST).out)
    plan = host.plan(code=0)
    expect("manor adopt domain/iscsi1" in plan.out, "it isn't said how it becomes Manor's", plan)
    host.apply()
    host.manor("adopt", "iscsi1")
    host.settled()
    expect(host.domid("iSCSI1") == domid and not monitors(host, "iSCSI1"), "it was started anew, or is xl's still")
    host.manor("restart", "iscsi1")
    up = host.guest_up("iscsi1")
    expect(up["serial"] == "by-hand" and host.uuid("iscsi1") == uuid, "it is another", up)
    expect(list(host.vifs("iscsi1")) == ["aa:cc:10:00:00:a1"], "its MAC is another", host.vifs("iscsi1"))
    host.settled()
    host.clear()
    host.sh("rm /etc/xen/iSCSI1.cfg; lvremove -q -q -f vg0/LV_iSCSI1")
