# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a guest's disks may come from: files, ISOs, partitions, empty volumes, the network; and who may have them."""
import re

from lab import MANIFEST, changed, expect, guest, held, line_of, partitioned, standard, test, wait_for, yaml

FILES = "/srv/disks"
TARGET = "iqn.2024-01.org.example:disk"
NBD = "nbd://127.0.0.1/disk"
ISCSI = f"iscsi://127.0.0.1/{TARGET}/1"


def many():
    """One guest with a disk of every sort that needs no server."""
    m = standard()
    m["domains"] = {"box": guest("box", 4, disks={
        "root": {"file": f"{FILES}/box.img", "size": "64MiB"},
        "big": {"vdev": "xvdb", "file": f"{FILES}/big.img", "size": "20GiB"},
        "iso": {"vdev": "xvdc", "cdrom": f"{FILES}/boot.iso"},
        "own": {"vdev": "xvdd", "storage": "vg0", "size": "32MiB"},
        "swap": {"vdev": "xvde", "storage": "vg0", "size": "32MiB", "swap": True},
        "thick": {"vdev": "xvdf", "storage": "vg0", "size": "32MiB", "thin": False},
        "raw": {"vdev": "xvdg", "device": {"serial": "MANORDISK2", "partition": 1}},
    })}
    return m


def loops(host):
    """{file: loop device}"""
    found = re.findall(r"^(/dev/loop\d+): .*\((.*)\)", host.sh("losetup -a"), re.M)
    return {path: device for device, path in found}


def occupied(host, name):
    return int(host.sh(f"stat -c '%b' {FILES}/{name}")) * 512


@test
def what_is_missing_is_said_at_its_line_before_anything_starts(host):
    host.start_from(changed(standard(), "domains", "lists"))
    text = host.write(many())
    plan = host.plan(None, code=1)
    line = line_of(text, "domains", "box", "disks", "root", "file")
    expect(f"lab.yaml:{line}:" in plan.all and f"the folder of {FILES}/box.img isn't there" in plan.all,
           "the missing folder isn't said at its line", plan)
    host.sh(f"mkdir -p {FILES}; head -c 1M /dev/urandom > {FILES}/boot.iso.away")
    partitioned(host, "/dev/vdc", (2048, 204800))
    plan = host.plan(None, code=1)
    expect(f"lab.yaml:{line_of(text, 'domains', 'box', 'disks', 'iso', 'cdrom')}:" in plan.all and
           "boot.iso isn't there" in plan.all, "the missing ISO isn't said at its line", plan)
    host.sh(f"mv {FILES}/boot.iso.away {FILES}/boot.iso")


@test
def a_guest_has_disks_of_every_sort(host):
    host.apply(many())
    host.guest_up("box")
    sizes = host.in_guest("box", "for d in a b c d e f g; do cat /sys/block/xvd$d/size; done").split()
    expect(sizes == [str(n << 11) for n in (64, 20480, 1, 32, 32, 32, 100)], "the disks have other sizes", sizes)
    expect(host.in_guest("box", "tail -c +4087 /dev/xvde | head -c 10") == "SWAPSPACE2", "it is no swap space")
    iso = host.in_guest("box", "md5sum </dev/xvdc").split()[0]
    expect(iso in host.sh(f"md5sum {FILES}/boot.iso"), "the ISO reads differently")
    expect("readonly" in host.in_guest("box", "echo x 2>/dev/null >/dev/xvdc || echo readonly"), "the ISO was written")
    host.settled()


@test
def a_sparse_file_occupies_what_is_written(host):
    expect(occupied(host, "big.img") == 0, "it occupies something", occupied(host, "big.img"))
    host.in_guest("box", "dd if=/dev/zero bs=64k count=16 2>/dev/null | tr '\\0' x | dd of=/dev/xvdb bs=1M seek=9000 "
                         "2>/dev/null; sync; echo done")
    now = occupied(host, "big.img")
    expect(1 << 20 <= now <= 4 << 20, "it occupies more, or less, than was written", now)
    same = host.sh(f"dd if={FILES}/big.img bs=1M skip=9000 count=1 2>/dev/null | tr -d x | wc -c")
    expect(same.strip() == "0", "what the guest wrote isn't in the file")


@test
def a_file_grows_while_the_guest_runs_and_never_shrinks(host):
    domid = host.domid("box")
    host.apply(changed(many(), "domains", "box", "disks", "big", "size", to="21GiB"))
    wait_for("the guest sees the larger disk", lambda: host.in_guest(
        "box", "dd if=/dev/xvdb of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null; cat /sys/block/xvdb/size")
        == str(21 << 21), 30)
    expect(host.domid("box") == domid, "it was restarted")
    plan = host.plan(many(), code=3)
    expect("never shrunk" in plan.out, "it isn't said that it stays", plan)
    host.apply(None, "--allow", "data-loss", code=None)
    expect(host.sh(f"stat -c %s {FILES}/big.img").strip() == str(21 << 30), "it shrank")


@test(soak=True)
def one_disk_has_one_writer_whatever_it_is_called(host):
    other = changed(many(), "domains", "box", "disks", "big", "size", to="21GiB")
    second = changed(other, "domains", "web", to=guest("web", 2, disks={
        "root": {}, "more": {"vdev": "xvdb", "file": f"{FILES}/big.img"}}))
    done = host.apply(second, code=2)
    line = line_of(yaml(second), "domains", "web", "disks", "more", "file")
    expect(f"lab.yaml:{line}:" in done.err and "one of them may write" in done.err, "it isn't refused at its line", done)
    host.sh(f"ln {FILES}/big.img {FILES}/alias.img")
    second["domains"]["web"]["disks"]["more"]["file"] = f"{FILES}/alias.img"
    plan = host.plan(second, code=(1, 3))
    expect("domain/box has" in plan.all, "the same file by another name isn't seen", plan)
    done = host.apply(None, code=1)
    expect("web" not in host.domains(), "it started all the same", done)
    host.sh(f"rm {FILES}/alias.img")
    # A partition that a foreign domain has.
    host.apply(changed(other, "domains", "box", "disks", "raw"), "--allow", "guest-restart")
    kernel = host.sh("ls /var/lib/manor/cache/*.vmlinux").split()[0]
    host.put("/root/stranger.cfg", f'name = "stranger"\ntype = "pv"\nkernel = "{kernel}"\nmemory = 96\n'
                                   'disk = ["phy:/dev/vdc1,xvda,w"]\n')
    with held(host, "xl create -q -p /root/stranger.cfg", "xl destroy stranger"):
        plan = host.plan(other, code=(1, 3))
        expect("stranger" in plan.all and "foreign" in plan.all, "the foreign holder isn't named", plan)
    host.apply(other)
    host.guest_up("box")


@test(soak=True)
def a_partition_that_dom0_uses_is_no_guests(host):
    without = changed(many(), "domains", "box", "disks", "raw")
    without["domains"]["box"]["disks"]["big"]["size"] = "21GiB"
    host.apply(without, "--allow", "guest-restart")
    host.guest_up("box")
    wanted = changed(many(), "domains", "box", "disks", "big", "size", to="21GiB")
    host.sh("mkfs.ext4 -q /dev/vdc1 && mkdir -p /mnt/part")
    with held(host, "mount /dev/vdc1 /mnt/part", "umount /mnt/part"):
        plan = host.plan(wanted, code=(1, 3))
        expect("/dev/vdc1" in plan.all and "mounted on /mnt/part" in plan.all, "it isn't said who uses it", plan)
    host.apply(wanted)


@test(soak=True)
def disks_come_from_the_network(host):
    m = changed(many(), "domains", "box", "disks", "big", "size", to="21GiB")
    m["domains"]["box"]["disks"]["nbd"] = {"vdev": "xvdh", "nbd": NBD}
    m["domains"]["box"]["disks"]["iscsi"] = {"vdev": "xvdi", "iscsi": ISCSI}
    done = host.apply(m, code=1)
    expect("nbd://127.0.0.1" in done.all and "refused" in done.all.lower(), "a server that isn't there isn't said", done)
    host.put("/root/nbd.conf", "[generic]\nlistenaddr = 127.0.0.1\n[disk]\nexportname = /root/nbd.img\n")
    host.sh("truncate -s 16M /root/nbd.img /root/iscsi.img; nbd-server -C /root/nbd.conf -p /run/nbd.pid; "
            "tgtd --iscsi portal=127.0.0.1:3260; sleep 1; "
            f"tgtadm --lld iscsi --op new --mode target --tid 1 -T {TARGET}; "
            "tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b /root/iscsi.img; "
            "tgtadm --lld iscsi --op bind --mode target --tid 1 -I ALL")
    try:
        domid = host.domid("box")
        host.apply(None)
        expect(host.domid("box") == domid, "it was restarted for a disk more")
        for disk, image in (("h", "nbd"), ("i", "iscsi")):
            host.in_guest("box", f"echo from-{image} >/dev/xvd{disk}; sync; echo done")
            expect(host.in_guest("box", f"head -n1 /dev/xvd{disk}") == f"from-{image}", "it reads differently")
            wait_for("what was written is at the server", lambda image=image: f"from-{image}" in host.sh(
                f"head -n1 /root/{image}.img | tr -d '\\0'"), 20)
        host.settled()
        host.apply(changed(many(), "domains", "box", "disks", "big", "size", to="21GiB"), "--allow", "guest-restart")
        expect("No active sessions" in host.run("iscsiadm -m session").all, "it is still logged in")
        expect(host.run("ls /sys/block/nbd0/pid").code, "it is still connected")
    finally:
        host.run("kill $(cat /run/nbd.pid); tgtadm --op delete --mode target --tid 1 --force; "
                 "tgtadm --op delete --mode system; pkill -x tgtd; true")
    host.guest_up("box")


@test
def files_stay_when_their_domain_goes_and_nothing_holds_them(host):
    plan = host.plan(changed(standard(), "domains", "lists"), code=3)
    expect(f"{FILES}/box.img" in plan.out and "stay" in plan.out, "it isn't said that the files stay", plan)
    host.apply(None)
    expect(not [path for path in loops(host) if path.startswith(FILES)], "loop devices are left", loops(host))
    expect(occupied(host, "box.img") > 0 and occupied(host, "big.img") > 0, "a file is gone")
    host.sh(f"rm -r {FILES}; wipefs -qa /dev/vdc1 /dev/vdc")
    host.bury()
