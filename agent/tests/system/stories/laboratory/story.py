# SPDX-License-Identifier: GPL-2.0-or-later
"""The laboratory: a machine beside a PV guest, two networks, a partition as a second disk, and a guest that is ported."""
from lab import MANIFEST, edited, expect, partitioned, test, wait_for, written

FILES = "/srv/vm"


def without_machine():
    """The machine declared and off: it takes minutes to start here, and not all that follows is about it."""
    return edited(written("laboratory"), ("    type: hvm\n    vnc: true\n", "    type: hvm\n    state: stopped\n    vnc: true\n"))


@test(soak=True)
def two_networks_and_what_stands_still(host):
    host.clear()
    host.sh(f"mkdir -p {FILES}")
    partitioned(host, "/dev/vdc", (2048, 100 << 11), (2048 + (100 << 11), 200 << 11))
    host.apply(without_machine())
    host.guest_up("wiki")
    links = host.links()
    expect(links["eth0"].get("master") == "xenbr0" and links["eth1"].get("master") == "xenbr1", "a NIC is no port", links)
    expect([bridge for _, bridge in host.vifs("wiki").values()] == ["xenbr1"], "it is on another network")
    expect("failed" in host.say("wiki", "ping 10.155.200.1"), "it reaches the network that it isn't on")
    expect(set(host.domains()) == {"wiki"}, "who is to be off runs", host.domains())
    for name, size in (("win2003", 20), ("xp", 100)):
        listed = host.sh(f"stat -c '%s %b' {FILES}/{name}.img").split()
        expect(listed[0] == str(size << 30) and int(listed[1]) < 64, f"{name}'s disk isn't sparse", listed)
    host.settled()


@test(soak=True)
def an_iso_that_is_not_there_is_said_before_anything_starts(host):
    installing = edited(without_machine(), ("    template: hvm-windows\n    state: stopped\n", "    template: hvm-windows\n"))
    done = host.plan(installing, code=1)
    expect("win2003.iso isn't there" in done.all, "it isn't said what is missing", done)
    expect("win2003" not in host.domains(), "it runs")
    host.write(without_machine())


@test(soak=True)
def what_ends_by_itself_starts_again(host):
    for verb in ("reboot", "crash"):
        domid = host.domid("wiki")
        host.said("wiki", verb, 5)
        wait_for(f"it is back after its {verb}", lambda old=domid: host.domains().get("wiki", (old,))[0] != old, 200, 1)
        host.guest_up("wiki")
    host.settled()


@test(soak=True)
def a_guest_is_ported_to_a_machine_and_its_disk_stays(host):
    """One word in the manifest. It is started in the soak's time; what is said is said at once."""
    host.write_serial("wiki", "page-one")
    plan = host.plan(edited(without_machine(), ("type: pv\n", "type: hvm\n")), code=3)
    expect("type: pv → hvm" in plan.out and "GUEST RESTART" in plan.out and "- " not in plan.out.split("\n\n")[1],
           "it is told otherwise", plan)
    done = host.plan(edited(without_machine(), ("type: pv\n", "type: hvm\n"), ("root: {vdev: xvda, from: root, file",
                                                                              "root: {vdev: xvda1, from: root, file")), code=2)
    expect("hvm guests have whole disks" in done.err and "help:" in done.err, "a partition isn't refused", done)
    host.write(without_machine())


@test(soak=True)
def ported_it_starts_with_its_pages(host):
    host.apply(edited(without_machine(), ("type: pv\n", "type: hvm\n")), "--allow", "guest-restart")
    host.guest_up("wiki", 300)
    expect(host.in_guest("wiki", "cat /sys/hypervisor/guest_type") == "HVM", "it is no machine")
    expect(host.serial("wiki") == "page-one", "its disk is another", host.serial("wiki"))
    host.settled()
    host.apply(without_machine(), "--allow", "guest-restart")
    host.guest_up("wiki")
    expect(host.serial("wiki") == "page-one", "its disk is another, on the way back", host.serial("wiki"))


@test(soak=True)
def a_machine_on_both_networks_writes_a_partition(host):
    host.apply(written("laboratory"))
    host.guest_up("etch", 300)
    expect({mac: bridge for mac, (_, bridge) in host.vifs("etch").items()} ==
           {"00:16:3e:00:00:41": "xenbr0", "00:16:3e:00:00:42": "xenbr1"}, "it isn't on both", host.vifs("etch"))
    expect("ok" in host.say("etch", "ping 10.155.200.1", 90), "it reaches nobody on the first")
    host.in_guest("etch", "ip addr add 10.155.201.41/24 dev eth1; echo done")
    expect("ok" in host.say("etch", "ping 10.155.201.31", 90), "it can't reach wiki on the second")
    host.in_guest("etch", "echo on-the-second >/dev/xvdb; sync; echo done", 90)
    expect("on-the-second" in host.sh("head -c 64 /dev/vdc1 | tr -d '\\0'"), "the partition has something else")
    host.settled()


@test(soak=True)
def the_laboratory_is_cleared_away(host):
    host.clear()
    expect(f"{FILES}/wiki.img" in host.sh(f"ls {FILES}/*.img"), "a disk that is a file went with its guest")
    host.sh(f"rm -r {FILES}; wipefs -qa /dev/vdc1 /dev/vdc2 /dev/vdc; manor image gc --yes -f {MANIFEST}")
