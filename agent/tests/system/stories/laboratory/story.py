# SPDX-License-Identifier: GPL-2.0-or-later
"""The laboratory: machines of two widths beside a PV guest, two networks, a partition as a second disk, a guest that is ported,
and one that is born of its ISO and becomes the base of another."""
import os
import re

import rfb
from lab import MANIFEST, TOP, edited, expect, partitioned, test, wait_for, written
from machines import ISO

FILES = "/srv/vm"
TINY32 = os.path.join(TOP, "images/tiny32/out")
BORN = f"""\
  born:
    type: hvm
    uuid: 0a1b2c3d-4d5a-4d3a-9d2b-6d1c6b1a2f21
    boot: [cdrom, disk]
    vnc: {{display: 12}}
    serial: pty
    memory: 192MiB
    disks:
      root: {{vdev: hda, file: {FILES}/born.img, size: 20GiB}}
      install: {{vdev: hdc, cdrom: {FILES}/installer.iso}}
    nics: {{eth0: {{bridge: xenbr0, mac: "00:16:3e:00:00:61", model: rtl8139}}}}
"""
# It starts with a kernel of dom0's, as the others do.
BRED = f"""\
  bred:
    template: born
    type: hvm
    kernel: kernel
    initrd: initrd
    cmdline: root=/dev/xvda1 console=hvc0 hostname=bred ip=10.155.200.62/24
    memory: 192MiB
    disks: {{root: {{vdev: hda, from: root, file: {FILES}/bred.img}}}}
    nics: {{eth0: {{bridge: xenbr0, mac: "00:16:3e:00:00:62", model: rtl8139}}}}
"""


def without_machine():
    """The machines declared and off: they take minutes to start here, and not all that follows is about them."""
    return edited(written("laboratory"), ("    type: hvm\n    vnc: true\n", "    type: hvm\n    state: stopped\n    vnc: true\n"),
                  ("    template: linux32\n", "    template: linux32\n    state: stopped\n"))


def begins(host):
    """Its folders, its partitions, the image that the lab's dom0 doesn't bring."""
    host.clear()
    host.by_serial.add("sarge")
    host.sh(f"mkdir -p {FILES}")
    partitioned(host, "/dev/vdc", (2048, 100 << 11), (2048 + (100 << 11), 200 << 11))
    pushed = host.lab("push", TINY32, "/etc/manor/images/tiny32/out")
    expect(pushed.code == 0, "the 32-bit image didn't get there: make images-tiny32", pushed)


def occupied(host, name):
    return int(host.sh(f"stat -c %b {FILES}/{name}")) * 512


@test(soak=True)
def two_networks_and_what_stands_still(host):
    begins(host)
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
    """And what ends on purpose stays off: on_reboot, on_crash; on_shutdown, which is on_poweroff now."""
    for verb in ("reboot", "crash"):
        domid = host.domid("wiki")
        host.said("wiki", verb, 5)
        wait_for(f"it is back after its {verb}", lambda old=domid: host.domains().get("wiki", (old,))[0] != old, 200, 1)
        host.guest_up("wiki")
    host.said("wiki", "poweroff", 10)
    wait_for("it goes", lambda: "wiki" not in host.domains(), 120)
    wait_for("it is said why", lambda: "from inside" in host.manor("status").out, 60, 2)
    host.apply()
    expect("wiki" not in host.domains(), "what was shut down from inside was started again")
    host.manor("start", "-f", MANIFEST, "wiki")
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
def a_machine_of_32_bits_runs_beside_it(host):
    """Its kernel knows nothing of Xen: what it has is what QEMU emulates."""
    host.guest_up("sarge", 300)
    for name, width, disk in (("etch", "x86_64", "xvda"), ("sarge", "i686", "sda")):
        expect(host.in_guest(name, "uname -m") == width, f"{name} has another width", host.in_guest(name, "uname -a"))
        expect(f"{disk}=" in host.say(name, "disks"), f"{name} has another disk", host.say(name, "disks"))
    expect("ok" in host.say("sarge", "ping 10.155.200.41", 90), "it doesn't reach the other one")
    host.write_serial("sarge", "narrow")
    expect(host.serial("sarge") == "narrow", "its disk reads differently")
    host.settled()


@test(soak=True)
def they_go_in_order_with_the_host_and_come_back_with_it(host):
    host.sh("systemctl stop manor; systemctl stop manor-guests", timeout=600)
    ended = re.findall(r"domain/(\w+):\w+ done", host.sh("journalctl -b --no-pager -o cat -u manor-guests"))
    expect(ended == ["sarge", "etch", "wiki"], "they went in another order", ended)
    host.cut_power()
    wait_for("all three are back", lambda: set(host.domains()) == {"wiki", "etch", "sarge"}, 600, 3)
    domains = host.domains()
    expect(domains["wiki"][0] < domains["etch"][0] < domains["sarge"][0], "they came in another order", domains)
    for name in domains:
        host.guest_up(name, 300)
    expect(host.serial("sarge") == "narrow", "its disk has lost what was synced", host.serial("sarge"))
    wait_for("nothing is left to do", lambda: host.manor("plan", "-f", MANIFEST, code=None).code == 0, 100, 2)


@test(soak=True)
def one_is_born_of_its_iso(host):
    begins(host)
    pushed = host.lab("push", ISO, f"{FILES}/installer.iso")
    expect(pushed.code == 0, "the CD didn't get there", pushed)
    host.apply(without_machine().partition("domains:\n")[0] + "domains:\n" + BORN, "--allow", "guest-restart")
    expect(occupied(host, "born.img") == 0, "its disk occupies something before anything is written")
    expect(host.uuid("born") == "0a1b2c3d-4d5a-4d3a-9d2b-6d1c6b1a2f21", "its UUID is another", host.uuid("born"))
    width, height, _ = rfb.screen(host, 5912)
    expect(width >= 640 and height >= 400, "it has no screen", width, height)
    wait_for("it has installed itself and is off", lambda: "born" not in host.domains(), 1200, 5)
    wait_for("it is said that it stays off", lambda: "from inside" in host.manor("status").out, 60, 2)
    expect(1 << 20 < occupied(host, "born.img") <= 65 << 20, "its disk isn't sparse", occupied(host, "born.img"))


@test(soak=True)
def its_disk_is_the_base_of_another(host):
    """By way of an archive as tar -cSzf makes it, which is how it gets to another host; 20 GB of which little is carried."""
    host.sh(f"cd {FILES} && tar -cSzf born.tar.gz born.img && rm born.img && sha256sum born.tar.gz >SHA256SUMS")
    expect(occupied(host, "born.tar.gz") < 40 << 20, "it carries more than is written", occupied(host, "born.tar.gz"))
    text = written("laboratory").partition("domains:\n")[0]
    text = edited(text, ("templates:\n", f"""\
templates:
  born:
    files:
      root: {{url: {FILES}/born.tar.gz, sha256: {{file: {FILES}/SHA256SUMS}}, member: born.img}}
      kernel: {{url: images/tiny/out/vmlinuz, sha256: {{file: images/tiny/out/SHA256SUMS}}}}
      initrd: {{url: images/tiny/out/initrd.img, sha256: {{file: images/tiny/out/SHA256SUMS}}}}
"""))
    host.apply(text + "domains:\n" + BRED)
    host.guest_up("bred", 300)
    expect(host.in_guest("bred", "cat /sys/block/xvda/size") == str(20 << 21), "its disk has another size")
    expect(occupied(host, "bred.img") <= 80 << 20, "its disk isn't sparse", occupied(host, "bred.img"))
    host.write_serial("bred", "of-born")
    expect(host.serial("bred") == "of-born", "its disk reads differently")
    host.settled()


@test(soak=True)
def without_its_cdrom_the_disk_boots(host):
    """What was installed, by its own boot sectors and its own kernel."""
    host.apply(without_machine().partition("domains:\n")[0])
    host.sh(f"cd {FILES} && tar -xSzf born.tar.gz")
    text = edited(BORN, ("boot: [cdrom, disk]", "boot: [disk]"),
                  (f"      install: {{vdev: hdc, cdrom: {FILES}/installer.iso}}\n", ""))
    host.apply(without_machine().partition("domains:\n")[0] + "domains:\n" + text)
    up = host.guest_up("born", 1200)
    expect(up["name"] == "born", "it is another", up)
    host.settled()


@test(soak=True)
def the_laboratory_is_cleared_away(host):
    host.clear()
    expect(f"{FILES}/wiki.img" in host.sh(f"ls {FILES}/*.img"), "a disk that is a file went with its guest")
    host.sh(f"rm -r {FILES} /etc/manor/images/tiny32; wipefs -qa /dev/vdc1 /dev/vdc2 /dev/vdc; manor image gc --yes -f {MANIFEST}")
