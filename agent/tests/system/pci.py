# SPDX-License-Identifier: GPL-2.0-or-later
"""PCI devices handed to guests: one of three identical line cards to one guest alone, a network card that dom0 drives,
and back. On a machine of its own, which has an IOMMU, and a disk for the telephone exchange's story; the cards are QEMU's
"edu", which no driver of dom0's wants."""
import atexit

from lab import Failed, Host, LabError, changed, expect, guest, nothing_much, standard, test, tiny_template

CARDS = ("0x9", "0xa", "0xc")
CARD, OTHER, NIC, DISK = "0000:00:0a.0", "0000:00:0c.0", "0000:00:10.0", "0000:00:01.0"
MACHINE = ["--disk", "8G", "--memory", "1664M", *(word for option in [
    "-M", "q35", "-device", "amd-iommu", *(word for slot in CARDS for word in ("-device", f"edu,addr={slot}")),
    "-netdev", "user,id=spare", "-device", "e1000,netdev=spare,addr=0x10,romfile="] for word in (f"--qemu={option}",))]
machine = []


def passthrough():
    """The machine, booted at first use."""
    if not machine:
        host = Host("system-pci")
        atexit.register(lambda: host.lab("down"))
        try:
            host.up(*MACHINE)
        except LabError as e:
            raise Failed(f"the machine with an IOMMU doesn't boot: {e}") from None
        machine.append(host)
    return machine[0]


def with_guest(**pci):
    m = nothing_much()
    m["templates"] = {"tiny": tiny_template()}
    del m["templates"]["tiny"]["storage"]
    del m["templates"]["tiny"]["domain"]["disks"]
    m["domains"] = {"pbx": guest("pbx", 2, disks={"root": {"vdev": "xvda", "from": "root", "file": "/srv/pbx.img"}})}
    if pci:
        m["domains"]["pbx"]["pci"] = pci
    return m


def seen(host):
    """What the guest sees on its PCI bus, as vendor and device."""
    return sorted(host.in_guest("pbx", "cat /sys/bus/pci/devices/*/device").split())


def driver(host, address):
    return host.sh(f"basename $(readlink /sys/bus/pci/devices/{address}/driver || echo none)").strip()


def may_write(host):
    return NIC in host.sh("cat /sys/bus/pci/drivers/pciback/permissive")


def given(host, name):
    return host.sh(f"xl pci-list {name} | awk 'NR > 1 {{print $2}}'").split()


@test
def without_an_iommu_it_is_said(host):
    m = changed(standard(), "domains", "web", "pci", to={"card": "00:02.0"})
    plan = host.plan(m, code=(1, 3))
    expect("uses no IOMMU" in plan.all, "it isn't said", plan)


@test
def one_of_three_line_cards_goes_to_one_guest_alone(_):
    host = passthrough()
    m = with_guest(card="00:0a.0")
    plan = host.plan(m)
    expect("pci/0000:00:0a.0" in plan.out, "the plan doesn't show it", plan)
    host.apply(m)
    host.guest_up("pbx")
    expect(given(host, "pbx") == [CARD], "it has others", given(host, "pbx"))
    expect(seen(host) == ["0x11e8"], "it sees others", seen(host))
    # Its first register says what it is: the guest reaches the card, and not only its configuration.
    register = host.in_guest("pbx", "echo 1 >/sys/bus/pci/devices/0000:00:00.0/enable; "
                             "devmem $(cut -d' ' -f1 /sys/bus/pci/devices/0000:00:00.0/resource | head -n1)")
    expect(register.lower() == "0x010000ed", "it doesn't reach it", register)
    expect(driver(host, OTHER) == "none", "another was taken from dom0", driver(host, OTHER))
    host.settled()


@test
def what_dom0_uses_stays_its_own(_):
    host = passthrough()
    plan = host.plan(with_guest(card=CARD, nic=NIC), code=(1, 3))
    expect("driver e1000, link eth1" in plan.all and "seize" in plan.all, "it isn't said who uses it", plan)
    plan = host.plan(with_guest(card=CARD, disk={"address": DISK, "seize": True}), code=(1, 3))
    expect("the root file system is on it" in plan.all, "the root's disk is given away", plan)
    plan = host.plan(with_guest(card=CARD, more="00:1a.0"), code=(1, 3))
    expect("no PCI device 0000:00:1a.0" in plan.all and CARD in plan.all, "it isn't said what there is", plan)
    save = host.manor("save", "-f", "/etc/manor/lab.yaml", "pbx", code=1)
    expect("PCI device" in save.err, "it isn't said why it can't be saved", save)


@test
def it_goes_back_with_the_guest_that_had_it(_):
    host = passthrough()
    host.apply(nothing_much())
    expect(driver(host, CARD) == "none", "the card isn't back", driver(host, CARD))
    expect("0000" not in host.run("xenstore-ls /local/domain/0/manor/pci").out, "marks are left")
    host.settled()


@test(soak=True)
def a_card_that_dom0_drives_is_seized_but_not_before_its_guest_may_restart(_):
    host = passthrough()
    host.apply(with_guest(card=CARD))
    host.guest_up("pbx")
    host.sh(f"xl pci-assignable-add {OTHER}")
    m = with_guest(card=CARD, other=OTHER, nic={"address": NIC, "seize": True, "permissive": True})
    plan = host.plan(m)
    expect("LOSES DOM0'S LINK ETH1" in plan.out, "it isn't said what dom0 loses", plan)
    host.apply(m, code=3)
    expect("eth1" in host.links(), "it was taken before the guest may be restarted")
    host.apply(m, "--allow", "guest-restart")
    host.guest_up("pbx")
    expect(seen(host) == ["0x100e", "0x11e8", "0x11e8"], "it sees others", seen(host))
    expect(driver(host, NIC) == "pciback" and "eth1" not in host.links(), "dom0 has it still")
    expect(may_write(host), "it may not write")
    host.settled()


@test(soak=True)
def what_one_had_leave_for_the_next_has_not(_):
    host = passthrough()
    host.apply(with_guest(card=CARD, nic={"address": NIC, "seize": True, "permissive": True}), "--allow", "guest-restart")
    expect(may_write(host), "it may not write")
    host.apply(with_guest(card=CARD, nic={"address": NIC, "seize": True}), "--allow", "guest-restart")
    expect(not may_write(host), "it may write still")
    host.apply(with_guest(card=CARD), "--allow", "guest-restart")
    host.guest_up("pbx")
    expect(seen(host) == ["0x11e8"], "it sees others", seen(host))
    expect(driver(host, NIC) == "e1000" and "eth1" in host.links(), "dom0 didn't get it back")
    host.settled()


@test(soak=True)
def a_guest_that_goes_gives_all_back_but_a_persons(_):
    host = passthrough()
    host.apply(nothing_much())
    expect(driver(host, NIC) == "e1000" and "eth1" in host.links(), "dom0 didn't get it back")
    expect(driver(host, CARD) == "none", "the card isn't back", driver(host, CARD))
    expect(driver(host, OTHER) == "pciback", "what a person made assignable is so no more", driver(host, OTHER))
    left = host.run("xenstore-ls /local/domain/0/manor/pci").out
    expect("0000" not in left, "marks are left", left)
    host.settled()


@test(soak=True)
def a_machine_gets_one_as_well(_):
    host = passthrough()
    m = with_guest(card=CARD)
    m["domains"]["pbx"].update(type="hvm", memory="192MiB")
    host.apply(m, "--allow", "guest-restart")
    host.guest_up("pbx", 240)
    expect("0x11e8" in seen(host), "it doesn't see it", seen(host))
    host.settled()
    host.apply(nothing_much())
