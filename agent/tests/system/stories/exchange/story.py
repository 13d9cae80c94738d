# SPDX-License-Identifier: GPL-2.0-or-later
"""The telephone exchange: guests of one golden pair of disks, a kernel of dom0's, an address on the command line, and a line
card that is one guest's alone. The lab's host has no such cards; what is about them is on the machine that has, with an IOMMU."""
import os
import re
import time

from lab import STORIES, edited, expect, line_of, note, test, written
from pci import CARD, OTHER, driver, given, passthrough

PAIR = "/etc/manor/images/pbx"
OLD = "/srv/xen/asterisk14"


def both():
    """All of it but the card."""
    text = written("exchange")
    return edited(text, (re.search("    pci: .*\n", text).group(), ""))


def first_alone():
    """Before anybody thought of the next version."""
    return both().partition("  # The next version")[0]


def a_golden_pair(host):
    host.clear()
    host.sh(f"mkdir -p {PAIR} && cd {PAIR} && zstd -dq ../tiny/out/root.img.zst -o root.img && truncate -s 32M swap.img && "
            "mkswap -q swap.img && tar -cS root.img swap.img | zstd -q -o pbx.tar.zst && rm root.img swap.img && "
            "sha256sum pbx.tar.zst >SHA256SUMS")


@test
def a_golden_pair_is_one_archive_and_the_first_guest_has_both(host):
    a_golden_pair(host)
    host.apply(first_alone())
    expect(host.guest_up("asterisk12")["name"] == "asterisk12", "the name on the command line isn't its own")
    expect("00:16:3e:10:01:02,up,10.155.200.2/16" in host.say("asterisk12", "nics"), "its address is another",
           host.say("asterisk12", "nics"))
    expect(host.in_guest("asterisk12", "tail -c +4087 /dev/xvda2 | head -c 10") == "SWAPSPACE2", "it has no swap space")
    expect(host.in_guest("asterisk12", "swapon /dev/xvda2 && tail -n1 /proc/swaps").startswith("/dev/xvda2 partition"),
           "it can't use it")
    host.settled()


@test
def its_clock_is_as_steady_as_xen_can_give_it(host):
    expect('"tsc_mode": "native"' in host.sh("xl list -l asterisk12"), "its time stamp counter isn't the processor's")
    expect(host.sh("xl vcpu-list asterisk12").splitlines()[1].split()[-3:] == ["1", "/", "all"], "it has no processor",
           host.sh("xl vcpu-list asterisk12"))
    expect(host.sh("xl sched-credit2 -d asterisk12").split()[-2] == "512", "its weight is another's")


@test
def a_guest_for_the_next_version_is_up_within_seconds(host):
    host.write_serial("asterisk12", "twelve")
    domid = host.domid("asterisk12")
    begun = time.monotonic()
    host.apply(both())
    applied = time.monotonic() - begun
    host.guest_up("asterisk14")
    note(f"applied within {applied:.1f} s, up after {time.monotonic() - begun:.1f} s")
    expect(applied < 60, f"applying took {applied:.0f} s")
    expect(host.serial("asterisk14") == "none", "it isn't made of the golden pair, but of another guest")
    expect(host.serial("asterisk12") == "twelve" and host.domid("asterisk12") == domid, "the first was touched")
    volumes = host.volumes()
    for disk in ("root", "swap"):
        expect(volumes[f"asterisk12.{disk}"]["origin"] == volumes[f"asterisk14.{disk}"]["origin"] != "",
               f"their {disk} disks aren't of one base", volumes)
    expect("ok" in host.say("asterisk14", "ping 10.155.200.2"), "it can't reach the first")
    host.settled()


@test(soak=True)
def what_xm_was_told_becomes_the_same_guest_of_its_old_files(host):
    """Its kernel is one of today, which needs an initrd, and sees no hda1 and hda2 as they were; the rest stays."""
    with open(os.path.join(STORIES, "exchange/old/asterisk14.cfg"), encoding="utf-8") as f:
        old = f.read()
    old = edited(old, ('"/boot/vmlinuz-2.6.18.8-xenU"', '"/etc/manor/images/tiny/out/vmlinuz"\n'
                       'ramdisk = "/etc/manor/images/tiny/out/initrd.img"'),
                 ('root    = "/dev/hda1"', 'root    = "/dev/xvda1"'))
    host.put("/etc/xen/asterisk14.cfg", old)
    host.sh(f"mkdir -p {OLD} && cd {OLD} && zstd -dcq {PAIR}/pbx.tar.zst | tar -xS")
    told = host.manor("import", "/etc/xen/asterisk14.cfg", "--namespace", "test.example.org").out
    expect("with a kernel of today say vdev: xvda1" in told, "nobody warns of what a kernel of today makes of hda1", told)
    # The operator does so, and pastes the domain in the place of the new one.
    told = edited(told, ("{vdev: hda1", "{vdev: xvda1"), ("{vdev: hda2", "{vdev: xvda2"))
    host.apply(first_alone() + told.partition("domains:\n")[2], "--allow", "guest-restart")
    host.guest_up("asterisk14")
    host.write_serial("asterisk14", "of-old")
    expect(host.run(f"grep -qa of-old {OLD}/root.img").code == 0, "it doesn't write to its old file")
    expect(list(host.vifs("asterisk14")) == ["00:16:3e:10:01:03"], "its MAC is another", host.vifs("asterisk14"))
    expect(sorted(host.disks("asterisk14")) == ["xvda1", "xvda2"], "its disks are called otherwise", host.disks("asterisk14"))
    host.settled()
    host.sh(f"rm -r {OLD} /etc/xen/asterisk14.cfg")


@test(soak=True)
def of_three_line_cards_the_first_guest_has_one_alone(_):
    """The manifest as it stands, on a bare machine."""
    host = passthrough()
    a_golden_pair(host)
    host.apply(written("exchange"))
    for name in ("asterisk12", "asterisk14"):
        host.guest_up(name, 300)
    expect(given(host, "asterisk12") == [CARD] and not given(host, "asterisk14"), "others have it, or more",
           host.sh("xl pci-list asterisk12; xl pci-list asterisk14"))
    expect(host.in_guest("asterisk12", "cat /sys/bus/pci/devices/*/device") == "0x11e8", "it doesn't see it")
    expect(driver(host, CARD) == "pciback" and driver(host, OTHER) == "none", "dom0 has it still, or another no more")
    host.settled()
    text = host.write(written("exchange") + '    pci:\n      card: "00:0a.0"\n')
    done = host.plan(code=2)
    line = line_of(text, "domains", "asterisk14", "pci", "card")
    expect(f"lab.yaml:{line}:" in done.err and "asterisk12" in done.err, "two may have one card", done)
    host.clear()
    expect(driver(host, CARD) == "none", "the card isn't back", driver(host, CARD))
