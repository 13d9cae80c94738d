# SPDX-License-Identifier: GPL-2.0-or-later
"""The quiet server: five guests that the boot itself starts, in order, and one volume that all of them read."""
import os
import re

from adopted import monitors
from lab import IMAGES, MANIFEST, STORIES, WATCHED, expect, line_of, note, test, wait_for, written

ORDER = (("dns", "db"), ("dns", "mail"), ("db", "www"), ("db", "cvs"))  # who is needed, and by whom
GUESTS = {"dns": ("02", 112), "db": ("04", 255), "mail": ("01", 255), "www": ("03", 127), "cvs": ("05", 127)}


def all_up(host):
    wait_for("all five are there", lambda: set(host.domains()) == set(GUESTS), 400, 2)
    for name in GUESTS:
        host.guest_up(name, restart=False)


def as_asked(host):
    """Memory, MACs, disks; and who others need was there before them."""
    domains = host.domains()
    for name, (end, memory) in GUESTS.items():
        expect(domains[name][1] == memory, f"{name} has another memory", domains)
        expect({mac: bridge for mac, (_, bridge) in host.vifs(name).items()} == {f"aa:00:00:4f:12:{end}": "xen-cust"},
               f"{name}'s NIC is another", host.vifs(name))
        expect(sorted(host.disks(name)) == ["xvda1", "xvda2", "xvda3"], f"{name}'s disks are others", host.disks(name))
    for first, later in ORDER:
        expect(domains[first][0] < domains[later][0], f"{first} came after {later}", domains)


def goes_down(host):
    """As systemd does on the way down: the agent first, then the guests, and who needs others before these."""
    host.sh("systemctl stop manor; systemctl stop manor-guests", timeout=400)
    expect(not host.domains(), "guests are left", host.domains())
    ended = re.findall(r"domain/(\w+):\w+ done", host.sh("journalctl -b --no-pager -o cat -u manor-guests"))
    expect(sorted(ended) == sorted(GUESTS), "it isn't said who ended", ended)
    for needed, other in ORDER:
        expect(ended.index(other) < ended.index(needed), f"{needed} ended before {other}", ended)


def at_rest(host):
    host.write(written("quiet-server"))
    wait_for("nothing is left to do", lambda: host.manor("plan", "-f", MANIFEST, code=None).code == 0, 200, 2)


@test(soak=True)
def the_modules_are_put_on_their_volume_and_all_five_start(host):
    host.clear()
    text = written("quiet-server")
    host.apply(text.partition("domains:\n")[0])
    host.sh("mkfs.ext4 -q /dev/vg0/modules && mkdir -p /mnt/modules && mount /dev/vg0/modules /mnt/modules && "
            "echo kept-quiet >/mnt/modules/modules.dep && head -c 1M /dev/urandom >/mnt/modules/modules.img && "
            "umount /mnt/modules")
    host.sh("systemctl start manor")
    host.put(WATCHED, text)
    all_up(host)
    as_asked(host)


@test(soak=True)
def a_reboot_brings_all_five_back_in_order(host):
    at_rest(host)
    host.write_serial("mail", "delivered")
    goes_down(host)
    host.cut_power()
    all_up(host)
    as_asked(host)
    expect(host.serial("mail") == "delivered", "its disk has lost what was synced")
    at_rest(host)


@test(soak=True)
def all_read_the_modules_at_once_and_nobody_writes_them(host):
    """From the disk itself, past their caches: two of them on and on, the others once meanwhile; all have it mounted."""
    before = host.sh("md5sum </dev/vg0/modules").split()[0]
    read = "dd if=/tmp/modules.img bs=64k iflag=direct 2>/dev/null | md5sum"
    for name in GUESTS:
        expect(host.in_guest(name, "mount -t ext4 -o ro,noload /dev/xvda3 /tmp && cat /tmp/modules.dep") == "kept-quiet",
               f"{name} reads other modules")
    for name in ("dns", "mail"):
        host.in_guest(name, f"while [ ! -e /run/enough ]; do {read} >>/run/sums; sleep 1; done >/dev/null 2>&1 & echo reads")
    sums = {name: host.in_guest(name, read, 180).split()[0] for name in ("db", "www", "cvs")}
    times = {}
    for name in ("dns", "mail"):
        wait_for(f"{name} has read it, and again", lambda name=name: int(host.in_guest(name, "wc -l </run/sums", 180)) > 1, 180)
        host.in_guest(name, "touch /run/enough; sleep 2; echo enough", 180)
        times[name] = host.in_guest(name, "wc -l </run/sums")
        sums[name] = host.in_guest(name, "cut -c1-32 /run/sums | sort -u")
    note(f"read over and over: {times}")
    expect(len(set(sums.values())) == 1 and re.fullmatch("[0-9a-f]{32}", sums["dns"]), "they read different things", sums)
    for name in GUESTS:
        expect("readonly" in host.in_guest(name, "echo x 2>/dev/null >/dev/xvda3 || echo readonly"), f"{name} wrote them")
        mode = host.sh(f"xenstore-read /local/domain/0/backend/vbd/{host.domid(name)}/51715/mode").strip()
        expect(mode == "r", f"to Xen {name} may write them", mode)
        host.in_guest(name, "umount /tmp; echo gone")
    expect(host.sh("md5sum </dev/vg0/modules").split()[0] == before, "somebody wrote them")
    host.in_guest("dns", "swapon /dev/xvda2 && echo on")
    # A sixth that would write them, as a template's line forgotten.
    text = written("quiet-server") + """\
  sixth:
    template: server
    memory: 96MiB
    disks:
      modules:
        read_only: false
"""
    done = host.apply(text, code=2)
    line = line_of(text, "domains", "sixth", "disks", "modules", "read_only")
    expect(f"lab.yaml:{line}:" in done.err and "'sixth' may write the volume" in done.err, "it isn't refused there", done)
    expect(set(host.domains()) == set(GUESTS), "something was started or stopped", host.domains())


@test(soak=True)
def dom0_is_quiet_beside_them(host):
    """Nothing of Manor's turns while nothing is to do: a second of processor time in half a minute is more than enough.
    Of dom0's memory everything together takes what then was all of it, and somewhat more."""
    used = int(host.sh("awk '/^MemTotal/ {t = $2} /^MemAvailable/ {print int((t - $2) / 1024)}' /proc/meminfo"))
    kept = int(host.sh("cat /sys/fs/cgroup/system.slice/manor.service/memory.current")) >> 20
    note(f"dom0 uses {used} MiB beside five guests; the agent and its cache {kept} MiB")
    expect(used < 256, f"dom0 uses {used} MiB")
    spent = "cat /sys/fs/cgroup/system.slice/manor.service/cpu.stat | awk '/^usage_usec/ {print $2}'"
    before = int(host.sh(spent))
    host.sh("sleep 30")
    now = int(host.sh(spent))
    note(f"the agent used {(now - before) / 1e6:.2f} s of 30")
    expect(now - before < 1000000, f"the agent used {(now - before) / 1e6:.2f} s of 30")
    host.clear()
    host.sh(f"rm -f {WATCHED}")


def by_hand(host, name):
    """As it was: volumes by lvcreate, a file in /etc/xen, xl create; with a kernel of today and its names for disks, and with xl,
    which unlike xm takes volumes by whole paths only."""
    with open(os.path.join(STORIES, f"quiet-server/old/{name}.cfg"), encoding="utf-8") as f:
        old = f.read()
    number = int(GUESTS[name][0])
    text = re.sub(r'^kernel = .*', f'kernel = "{IMAGES}/vmlinuz"\nramdisk = "{IMAGES}/initrd.img"', old, flags=re.M)
    text = re.sub(r'^extra = .*', f'extra = "console=hvc0 hostname={name} ip=10.18.1.{number}/24"', text, flags=re.M)
    text = text.replace("sda", "xvda").replace("phy:", "phy:/dev/").replace("memory = 63", "memory = 128")
    for disk in ("root", "swap"):
        host.sh(f"lvcreate -q -q -y -V 32M -T vg0/pool -n {name}-{disk}")
    host.sh(f"zstd -dcq {IMAGES}/root.img.zst | dd of=/dev/vg0/{name}-root bs=64k conv=sparse,fsync status=none; "
            f"mkswap -q /dev/vg0/{name}-swap")
    host.put(f"/etc/xen/{name}.cfg", text)
    host.sh(f"xl create -q /etc/xen/{name}.cfg")


@test(soak=True)
def five_that_xl_started_are_taken_over_as_they_run(host):
    """The server before Manor came: what runs is told as a manifest, and becomes Manor's without anybody's noticing."""
    host.clear()
    host.apply(written("quiet-server").partition("volumes:\n")[0])
    host.sh("lvcreate -q -q -y -V 32M -T vg0/pool -n modules && mkfs.ext4 -q /dev/vg0/modules")
    for name in GUESTS:
        by_hand(host, name)
    for name in GUESTS:
        host.guest_up(name, restart=False)
    before = {name: domain[0] for name, domain in host.domains().items()}
    host.put(MANIFEST, host.manor("export", "-f", MANIFEST).out)
    plan = host.plan(code=0)
    for name in GUESTS:
        expect(f"manor adopt domain/{name}" in plan.out, f"it isn't said how {name} becomes Manor's", plan)
    host.apply()
    host.manor("adopt", *GUESTS)
    host.settled()
    expect({name: domain[0] for name, domain in host.domains().items()} == before, "one was started anew", host.domains())
    for name in GUESTS:
        expect(not monitors(host, name), f"xl looks after {name} still", monitors(host, name))
        expect("readonly" in host.in_guest(name, "echo x 2>/dev/null >/dev/xvda3 || echo readonly"), f"{name} may write them")
    # A crash keeps it off: that is what xl does where nothing is said, and so it was exported.
    host.said("dns", "reboot", 5)
    wait_for("dns is back", lambda: host.domains().get("dns", (before["dns"],))[0] != before["dns"], 150)
    host.guest_up("dns", restart=False)
    host.settled()
    host.clear()
    host.sh("rm -f /etc/xen/*.cfg; lvremove -q -q -f vg0/modules " +
            " ".join(f"vg0/{name}-{disk}" for name in GUESTS for disk in ("root", "swap")))
