# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that xl made: told as a manifest, left alone, and taken over as they run."""
import json
import time

from lab import IMAGES, MANIFEST, edited, expect, note, standard, test, wait_for

UUID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
LOOKS_AFTER = ("for p in /proc/[0-9]*; do [ \"$(readlink $p/fd/1)\" = /var/log/xen/xl-{}.log ] && "
               "case $(readlink $p/exe) in */xl) echo ${{p#/proc/}};; esac; done; true")


def config(name, number, kind="pv", *, vdev="xvda", memory=96, drive=None, **more):
    words = {"name": name, "type": kind, "kernel": f"{IMAGES}/vmlinuz", "ramdisk": f"{IMAGES}/initrd.img",
             "extra": f"console=hvc0 hostname={name} ip=10.155.200.{number}/24", "on_crash": "restart", **more}
    disks = [f"phy:/dev/vg0/byhand-{name},{vdev},w"] + ([f"{drive},raw,hdc,ro,cdrom"] if drive else [])
    return f"memory = {memory}\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in words.items()) + \
        f'disk = {json.dumps(disks)}\nvif = ["bridge=xenbr0,mac=00:16:3e:aa:bb:{number:02x}"]\n'


def as_an_operator_would(host, name, number, kind="pv", **more):
    """A disk made by hand, a file in /etc/xen, xl create."""
    host.sh(f"lvs vg0/byhand-{name} >/dev/null 2>&1 || lvcreate -q -q -y -V 64M -T vg0/pool -n byhand-{name}; "
            f"zstd -dcq {IMAGES}/root.img.zst | dd of=/dev/vg0/byhand-{name} bs=64k conv=sparse,fsync status=none")
    host.put(f"/etc/xen/{name}.cfg", config(name, number, kind, **more))
    host.sh(f"xl create -q /etc/xen/{name}.cfg")


def monitors(host, name):
    return host.sh(LOOKS_AFTER.format(name)).split()


def stays(host, name, domid, seconds=8):
    """Nobody starts it a second time."""
    time.sleep(seconds)
    listed = [line.split() for line in host.sh("xl list").splitlines() if line.split()[0] == name]
    expect(len(listed) == 1 and int(listed[0][1]) == domid, f"{name} was started twice", listed)


def crashes(host, name):
    domid = host.domid(name)
    host.said(name, "crash", 10)
    wait_for(f"{name} comes back", lambda: host.domains().get(name, (domid,))[0] != domid, 150)
    return host.domid(name)


@test
def what_xl_made_is_told_as_a_manifest_that_has_nothing_to_do(host):
    host.start_from(standard())
    as_an_operator_would(host, "old", 40, uuid=UUID)
    told = host.manor("export", "-f", MANIFEST).out
    for words in ("old:", UUID, "path: /dev/vg0/byhand-old", "00:16:3e:aa:bb:28", "adopt domain/old"):
        expect(words in told, f"'{words}' isn't told", told)
    host.put(MANIFEST, told)
    plan = host.plan(code=0)
    expect("manor adopt domain/old" in plan.out, "it isn't said how it becomes Manor's", plan)
    domid = host.domid("old")
    host.apply()
    host.guest_up("old", restart=False)
    expect(host.domid("old") == domid and monitors(host, "old"), "something was done to it", host.domains())
    expect("adopt domain/old" in host.manor("status").out, "status doesn't tell", host.manor("status"))


@test(soak=True)
def it_is_not_taken_over_as_long_as_it_may_be_another_processes(host):
    domid = host.domid("old")
    host.put("/etc/xen/front.cfg", f'name = "front"\ntype = "pv"\nkernel = "{IMAGES}/vmlinuz"\nmemory = 96\n')
    host.sh("setsid xl create -q -p -F /etc/xen/front.cfg </dev/null >/run/front.log 2>&1 &")
    wait_for("front is there", lambda: host.run(
        "d=$(xl domid front) && xenstore-read /local/domain/$d/console/tty").code == 0, 90)
    done = host.manor("adopt", "domain/old", code=1)
    expect("may be looking after it" in done.all and "front.cfg" in done.all, "it isn't said why", done)
    expect(host.domid("old") == domid and monitors(host, "old"), "something was done to it", done)
    host.sh("for p in /proc/[0-9]*; do case $(readlink $p/exe) in */xl) "
            "grep -q front.cfg $p/cmdline && kill ${p#/proc/};; esac; done; true")
    host.sh("xl destroy front")
    host.plan(code=0)


@test
def it_is_taken_over_as_it_runs(host):
    domid = host.domid("old")
    host.write_serial("old", "by-hand")
    uptime = float(host.in_guest("old", "cut -d' ' -f1 /proc/uptime"))
    begun = time.monotonic()
    host.manor("adopt", "domain/old")
    note(f"taken over within {time.monotonic() - begun:.1f} s")
    expect(host.domid("old") == domid, "it was started anew", host.domains())
    expect(float(host.in_guest("old", "cut -d' ' -f1 /proc/uptime")) > uptime, "it was started anew")
    expect(not monitors(host, "old"), "xl looks after it still", monitors(host, "old"))
    host.settled()
    expect("adopt" not in host.plan(code=0).out, "it isn't Manor's", host.plan(code=0))
    expect("n0,r%d" % domid in host.sh(f"xenstore-ls -p /local/domain/{domid} | grep -A1 manor"),
           "the guest could write its marks", host.sh(f"xenstore-ls -p /local/domain/{domid}"))
    host.manor("adopt", "old")  # said twice it is the same
    expect(host.domid("old") == domid, "asked again, it was started anew", host.domains())


@test
def a_crash_brings_it_back_once_with_its_identity_and_its_disk(host):
    domid = crashes(host, "old")
    stays(host, "old", domid)
    expect(host.uuid("old") == UUID, "its UUID is another", host.uuid("old"))
    expect(host.guest_up("old", restart=False)["serial"] == "by-hand", "its disk is another's")
    host.settled()
    host.sh("rm -f /etc/xen/old.cfg /etc/xen/front.cfg")
    host.apply(standard())
    expect("old" not in host.domains(), "it was never Manor's", host.domains())
    host.sh("lvremove -q -q -f vg0/byhand-old")


@test(soak=True)
def a_pvh_guest_too_and_shut_down_it_ends_as_the_manifest_says(host):
    host.start_from(standard())
    as_an_operator_would(host, "young", 41, "pvh")
    host.guest_up("young", restart=False)
    host.put(MANIFEST, host.manor("export", "-f", MANIFEST).out)
    host.plan(code=0)
    domid = host.domid("young")
    host.apply()
    host.manor("adopt", "young")
    expect(host.domid("young") == domid, "it was started anew", host.domains())
    expect(not monitors(host, "young"), "xl looks after it still", monitors(host, "young"))
    host.manor("stop", "young")
    expect("young" not in host.domains(), "it runs still", host.domains())
    host.manor("start", "young")
    host.guest_up("young")
    host.settled()
    host.apply(standard())
    host.sh("lvremove -q -q -f vg0/byhand-young")


@test(soak=True)
def a_machine_too_with_its_screen_and_its_drive(host):
    host.start_from(standard())
    host.sh("mkdir -p /srv && truncate -s 1M /srv/adopted.iso")
    as_an_operator_would(host, "box", 43, "hvm", vdev="hda", memory=192, maxmem=256, serial="pty", boot="cd", vnc=1,
                         vncdisplay=6, vncunused=0, usbdevice="tablet", localtime=1, drive="/srv/adopted.iso")
    host.guest_up("box", 240, restart=False)
    told = host.manor("export", "-f", MANIFEST).out
    for words in ("type: hvm", "display: 6", "cdrom: /srv/adopted.iso", "base: localtime", "tablet"):
        expect(words in told, f"'{words}' isn't told", told)
    host.put(MANIFEST, told)
    plan = host.plan(code=0)
    expect("manor adopt domain/box" in plan.out, "it isn't said how it becomes Manor's", plan)
    domid, uptime = host.domid("box"), float(host.in_guest("box", "cut -d' ' -f1 /proc/uptime"))
    host.apply()
    host.manor("adopt", "domain/box")
    expect(host.domid("box") == domid and not monitors(host, "box"), "it was started anew, or is xl's still", host.domains())
    expect(float(host.in_guest("box", "cut -d' ' -f1 /proc/uptime")) > uptime, "it was started anew")
    host.settled()
    # What is live is changed while it runs: its memory, and a second disk.
    host.apply(edited(told, ("    memory: 192MiB\n", "    memory: 160MiB\n"), (
        "      hda: {", "      more: {vdev: xvdd, storage: vg0, size: 16MiB}\n      hda: {")))
    expect(host.domid("box") == domid, "it was started anew", host.domains())
    expect(host.in_guest("box", "cat /sys/block/xvdd/size") == str(16 << 11), "it has no further disk")
    host.settled()
    host.manor("stop", "box")
    expect("box" not in host.domains(), "it runs still", host.domains())
    host.manor("start", "box")
    host.guest_up("box", 240)
    host.settled()
    host.apply(standard())
    host.bury()
    host.sh("lvremove -q -q -f vg0/byhand-box; rm /srv/adopted.iso /etc/xen/box.cfg")


@test(soak=True)
def until_then_nothing_is_done_to_it(host):
    """It crashes, and xl, not Manor, brings it back; the agent is woken by it and leaves it."""
    host.start_from(standard())
    as_an_operator_would(host, "mine", 42)
    host.guest_up("mine", restart=False)
    host.put(MANIFEST, host.manor("export", "-f", MANIFEST).out)
    host.apply()
    domid = crashes(host, "mine")
    stays(host, "mine", domid, 20)
    expect(monitors(host, "mine"), "xl looks after it no more", host.sh("ps ax"))
    host.plan(code=0)
    host.sh("xl destroy mine")
    host.apply(standard())
    host.sh("rm -f /etc/xen/mine.cfg; lvremove -q -q -f vg0/byhand-mine")
