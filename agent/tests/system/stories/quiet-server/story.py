# SPDX-License-Identifier: GPL-2.0-or-later
"""The quiet server: five guests that the boot itself starts, in order, and one volume that all of them read."""
from lab import MANIFEST, WATCHED, expect, line_of, test, wait_for, written

GUESTS = {"dns": ("02", 96), "db": ("04", 255), "mail": ("01", 255), "www": ("03", 127), "cvs": ("05", 127)}


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
    for first, later in (("dns", "db"), ("dns", "mail"), ("db", "www"), ("db", "cvs")):
        expect(domains[first][0] < domains[later][0], f"{first} came after {later}", domains)


def goes_down(host):
    """As systemd does on the way down: the agent first, then the guests, and who needs others before these."""
    host.sh("systemctl stop manor; systemctl stop manor-guests", timeout=400)
    expect(not host.domains(), "guests are left", host.domains())


def at_rest(host):
    host.write(written("quiet-server"))
    wait_for("nothing is left to do", lambda: host.manor("plan", "-f", MANIFEST, code=None).code == 0, 200, 2)


@test(soak=True)
def the_modules_are_put_on_their_volume_and_all_five_start(host):
    host.clear()
    text = written("quiet-server")
    host.apply(text.partition("domains:\n")[0])
    host.sh("mkfs.ext4 -q /dev/vg0/modules && mkdir -p /mnt/modules && mount /dev/vg0/modules /mnt/modules && "
            "echo kept-quiet >/mnt/modules/modules.dep && umount /mnt/modules")
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
def all_read_the_modules_and_nobody_writes_them(host):
    for name in ("dns", "cvs"):
        expect(host.in_guest(name, "mount -t ext4 -o ro,noload /dev/xvda3 /tmp && cat /tmp/modules.dep") == "kept-quiet",
               f"{name} reads other modules")
        expect("readonly" in host.in_guest(name, "echo x 2>/dev/null >/dev/xvda3 || echo readonly"), f"{name} wrote them")
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
    """Nothing of Manor's turns while nothing is to do: a second of processor time in half a minute is more than enough."""
    spent = "cat /sys/fs/cgroup/system.slice/manor.service/cpu.stat | awk '/^usage_usec/ {print $2}'"
    before = int(host.sh(spent))
    host.sh("sleep 30")
    now = int(host.sh(spent))
    expect(now - before < 1000000, f"the agent used {(now - before) / 1e6:.2f} s of 30")
    host.clear()
    host.sh(f"rm -f {WATCHED}")
