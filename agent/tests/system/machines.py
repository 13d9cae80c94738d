# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines (hvm): born of a CD-ROM, started from their own disk, seen through VNC, and what all guests have of
processors and their time."""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import rfb
from lab import CONSOLES, MANIFEST, TOP, changed, expect, guest, held, note, standard, test, wait_for
from saved import remember, went_on

ISO = os.path.join(TOP, "images/installer/out/installer.iso")
FOLDER = "/srv/machines"
UEFI = os.path.join(TOP, os.environ.get("BUILD", "build"), "uefi/ovmf-xen.fd")
PICTURE = os.path.join(TOP, os.environ.get("BUILD", "build"), "lab/machine.png")


def machine(disc="none", **more):
    """Started by its firmware with a kernel that QEMU hands over: to read one from a disk takes minutes here, for a BIOS
    asks QEMU for each piece, and each question is a long way under emulation."""
    m = standard()
    m["domains"] = {"whole": guest("whole", 6, "hvm", vnc={"display": 7}, usb=["tablet"], rng=True,
                                   memory="192MiB", clock={"base": "localtime"},
                                   nics={"lan": {"bridge": "xenbr0", "model": "rtl8139"}}, **more)}
    m["domains"]["whole"].setdefault("disks", {})["cd"] = {"vdev": "hdc", "cdrom": disc}
    return m


def born(boot, disc=f"{FOLDER}/installer.iso", **more):
    m = standard()
    m["domains"] = {"born": {
        "type": "hvm", "boot": [boot], "memory": "192MiB", "vnc": {"display": 7}, **more,
        "disks": {"root": {"vdev": "hda", "file": f"{FOLDER}/born.img", "size": "20GiB"},
                  "cd": {"vdev": "hdc", "cdrom": disc}},
        "nics": {"lan": {"bridge": "xenbr0", "model": "rtl8139"}}}}
    return m


def shown(host):
    """How much of its screen is lit; the picture is kept for people to look at."""
    width, height, rows = rfb.screen(host, 5907)
    with open(PICTURE, "wb") as f:
        f.write(rfb.png(width, height, rows))
    return width, height, sum(1 for row in rows for value in row if value)


def model_pid(host, name):
    return host.sh(f"xenstore-read /local/domain/{host.domid(name)}/image/device-model-pid").strip()


@test
def a_machine_starts_beside_others_and_is_as_asked(host):
    host.start_from(changed(standard(), "domains", "lists"))
    m = machine()
    m["domains"]["web"] = standard()["domains"]["web"]
    host.apply(m)
    host.guest_up("whole", 240)
    expect(host.in_guest("whole", "cat /sys/hypervisor/guest_type") == "HVM", "it is no machine")
    host.write_serial("whole", "echo")
    expect(host.serial("whole") == "echo", "its disk reads differently")
    expect("enp" not in host.in_guest("whole", "ls /sys/class/net"), "it drives the emulated card")
    expect(host.in_guest("whole", "ping -c1 -W5 10.155.200.1 >/dev/null && echo yes", 90) == "yes", "it reaches nobody")
    command = host.sh(f"tr '\\0' ' ' </proc/{model_pid(host, 'whole')}/cmdline")
    expect("rtl8139" in command, "its card is another", command)
    expect("virtio-rng" in command and "tablet" in command, "it lacks some", command)
    host.settled()


def lacking(would, there, path=""):
    """What xl would set and the domain hasn't, but for the serial port, whose log is Manor's own: its words come before others."""
    if path.endswith(".extra_hvm"):
        there = (there or [])[-len(would):]
    if isinstance(would, dict):
        return [lack for key, value in would.items() if key != "serial"
                for lack in lacking(value, (there or {}).get(key), f"{path}.{key}")]
    if isinstance(would, list) and any(isinstance(item, dict) for item in would):
        return [lack for number, item in enumerate(would)
                for lack in lacking(item, dict(enumerate(there or [])).get(number), f"{path}.{number}")]
    return [] if would == there else [f"{path}: xl would say {would}, it has {there}"]


@test
def what_is_rendered_is_what_xl_would_make(host):
    for name in ("whole", "web"):
        host.put(f"/root/{name}.cfg", host.manor("render", name).out)
        would = json.loads(re.sub(r"^[^{]*", "", host.sh(f"xl create -n /root/{name}.cfg")))
        there = json.loads(host.sh(f"xl list -l {name}"))[0]["config"]
        expect({"c_info", "b_info", "disks", "nics"} <= set(would), "xl says too little", would)
        ends = [key for key in would if key.startswith("on_")]  # which xl keeps to itself
        for key in ends:
            del would[key]
        expect(not lacking(would, there), f"{name} is another", "\n".join(lacking(would, there)))


@test
def its_screen_is_seen_by_a_viewer(host):
    where = host.manor("vnc", "whole")
    expect(where.out.strip() == "127.0.0.1:5907" and "ssh -L" in where.err, "it isn't said where", where)
    expect(rfb.security(host, 5907) == [1], "it asks for what nobody set", rfb.security(host, 5907))
    # What a server says that has no screen to show yet is 640 x 480: the machine's own, of text, isn't.
    width, height, before = shown(host)
    expect((width, height) == (720, 400), "it isn't the machine's screen", width, height)
    # Each letter is a question to the device model, of which the emulation of SVM here gets one wrong now and then, and that
    # ends the guest: as few of them as are seen well, and once more where that has happened.
    domid, row = host.domid("whole"), "M" * 60
    command = f"sh echo {row} >/dev/tty1; echo {row} >/dev/tty1; echo MANOR-REPLY sh"
    if not host.said("whole", command, 60) and host.domains().get("whole", (0,))[0] != domid:
        note("the emulated processor has ended the machine; once more")
        host.guest_up("whole", 240)
        width, height, before = shown(host)
        host.said("whole", command, 60)
    _, _, lit = shown(host)
    expect(lit > before + 3000, "what it writes isn't seen", before, lit)


def in_the_drive(host):
    """What QEMU has open of the discs."""
    files = host.sh(f"ls -l /proc/{model_pid(host, 'whole')}/fd")
    return [disc for disc in ("one", "two") if f"{FOLDER}/{disc}.iso" in files]


@test
def discs_come_and_go_while_it_runs(host):
    host.sh(f"mkdir -p {FOLDER}; for i in one two; do echo $i > {FOLDER}/$i.iso; truncate -s 1M {FOLDER}/$i.iso; done")
    domid = host.domid("whole")
    for disc, found in ((f"{FOLDER}/one.iso", ["one"]), (f"{FOLDER}/two.iso", ["two"]), ("none", [])):
        m = machine(disc)
        m["domains"]["web"] = standard()["domains"]["web"]
        host.apply(m)
        expect(in_the_drive(host) == found, "another disc is in it", disc, in_the_drive(host))
        host.settled()
    expect(host.domid("whole") == domid, "it was restarted")
    missing = host.plan(machine(f"{FOLDER}/three.iso"), code=1)
    expect("three.iso isn't there" in missing.all, "a disc that isn't there is taken", missing)


@test(soak=True)
def a_usb_device_is_handed_over_and_comes_back(host):
    """The host's keyboard, to a machine that doesn't run: a guest that looks for what was plugged in asks its PCI bus time
    and again, and of a few hundred such questions the emulation of SVM here gets one wrong, which ends the guest. What
    guests see of it is usb.py's story."""
    def driver():
        return host.sh(f"basename $(readlink /sys/bus/usb/devices/{port}:1.0/driver || echo none)").strip()

    keys = host.sh("cd /sys/bus/usb/devices; for d in *; do echo $d $(cat $d/idVendor $d/idProduct); done 2>/dev/null")
    port = next(line.split()[0] for line in keys.splitlines() if line.endswith(" 0627 0001"))
    m = machine()
    m["domains"]["web"] = standard()["domains"]["web"]
    still = changed(m, "domains", "still", to=guest("still", 9, "hvm", memory="128MiB", state="paused"))
    host.apply(still)
    domid, pid = host.domid("still"), model_pid(host, "still")
    expect(driver() == "usbhid", "dom0 doesn't have it", driver())
    host.apply(changed(still, "domains", "still", "usb_devices", to={"keys": {"vendor": "0627", "product": "0001"}}))
    expect(driver() != "usbhid", "dom0 has it still")
    expect("/dev/bus/usb/" in host.sh(f"ls -l /proc/{pid}/fd"), "its QEMU hasn't got it")
    host.settled()
    host.apply(still)
    expect(driver() == "usbhid", "dom0 hasn't got it back", driver())
    expect(host.domid("still") == domid, "it was restarted")
    host.settled()
    host.apply(m)


@test(soak=True)
def a_card_moves_to_another_bridge_with_both_its_ends(host):
    """Of a machine that doesn't run yet, for a guest with Xen's drivers unplugs the emulated card."""
    def ends():
        vif = next(iter(host.vifs("still").values()))[0]
        return [host.sh(f"basename $(readlink /sys/class/net/{end}/master)").strip() for end in (vif, f"{vif}-emu")]

    m = machine()
    m["domains"]["web"] = standard()["domains"]["web"]
    still = changed(m, "domains", "still", to=guest("still", 9, "hvm", memory="128MiB", state="paused"))
    host.apply(still)
    domid = host.domid("still")
    expect(ends() == ["xenbr0", "xenbr0"], "it isn't where it should be", ends())
    other = changed(still, "bridges", "xenbr1", to={"addresses": ["10.155.201.1/24"]})
    other["domains"]["still"]["nics"]["lan"]["bridge"] = "xenbr1"
    host.apply(other)
    expect(ends() == ["xenbr1", "xenbr1"], "one end stayed behind", ends())
    # Half of it, as a cut leaves it: seen, and finished.
    vif = next(iter(host.vifs("still").values()))[0]
    host.sh(f"ip link set {vif}-emu master xenbr0")
    host.apply()
    expect(ends() == ["xenbr1", "xenbr1"] and host.domid("still") == domid, "the other end wasn't seen", ends())
    done = host.apply(m)
    expect("never ran" in done.out and "still" not in host.domains(), "what never ran was booted to be shut down", done)
    host.settled()


# A boot sector that says a line on the serial port, and waits for ever: where there is none the firmware halts, and
# Xen ends the machine for it.
SAYS = b"the button is up\r\n"
SECTOR = bytes.fromhex("baf803 be177c 31c0 8ed8 fc  ac 84c0 7403 ee ebf8  fb f4 ebfd") + SAYS + b"\0"


def padded(code):
    """As printf writes it: a boot sector, and as well what a card's ROM takes for a program from the network."""
    return "".join(f"\\{byte:03o}" for byte in code.ljust(510, b"\0") + b"\x55\xaa")


def button(**more):
    return {"type": "hvm", "boot": ["disk"], "memory": "64MiB",
            "disks": {"root": {"vdev": "hda", "file": f"{FOLDER}/button.img"}}, **more}


@test
def what_its_serial_port_says_is_kept_and_tells_that_it_is_ready(host):
    m = machine()
    m["domains"]["web"] = standard()["domains"]["web"]
    host.sh(f"mkdir -p {FOLDER}; printf '{padded(SECTOR)}' > {FOLDER}/button.img; truncate -s 8M {FOLDER}/button.img; "
            f"echo 'the button is up' > {CONSOLES}/serial-button.log")
    done = host.apply(changed(m, "domains", "button", to=button(
        ready={"console": "^the button is up$", "timeout": "100s"})))
    said = host.sh(f"cat {CONSOLES}/serial-button.log").splitlines()
    expect(said == ["the button is up"] * 2, "it was called ready for what an earlier one said", done, said)
    host.settled()
    # Whoever looks at its console sees it too, and what is long is put aside while it goes on.
    def seen(word, where):
        host.in_guest("whole", f"echo {word} > /dev/ttyS0; echo said")
        return word in host.sh(f"cat {where}")

    log = f"{CONSOLES}/serial-whole.log"
    with held(host, "timeout 100 manor console whole >/run/console.txt 2>&1 </dev/null & echo $! >/run/console.pid",
              "kill $(cat /run/console.pid)"):
        wait_for("somebody at its console sees it", lambda: seen("once", "/run/console.txt"), 90, 1)
    host.long_log(log)
    expect(seen("twice", log) and int(host.sh(f"stat -c %s {log}")) < 1 << 20, "it goes on in the old one")


def answering(host):
    """Who tells machines on xenbr0 what to start, and hands it to them. The lab's dom0 is the appliance's, which has none."""
    host.sh(f"mkdir -p {FOLDER}/net {FOLDER}/lib")
    for path in (shutil.which("dnsmasq"), *glob.glob("/usr/lib/x86_64-linux-gnu/libnetfilter_conntrack.so.3"),
                 *glob.glob("/usr/lib/x86_64-linux-gnu/libnfnetlink.so.0")):
        pushed = host.lab("push", os.path.realpath(path), f"{FOLDER}/lib/{os.path.basename(path)}")
        expect(pushed.code == 0, "it didn't get there", path, pushed)
    return held(host, f"LD_LIBRARY_PATH={FOLDER}/lib {FOLDER}/lib/dnsmasq --conf-file=/dev/null --user=root --port=0 "
                f"--interface=xenbr0 --bind-interfaces --dhcp-range=10.155.200.100,10.155.200.120 --dhcp-boot=program "
                f"--enable-tftp --tftp-root={FOLDER}/net --pid-file=/run/answering.pid --dhcp-leasefile=/run/answering",
                "kill $(cat /run/answering.pid)")


@test(soak=True)
def a_machine_is_started_over_the_network(host):
    """Its card's ROM asks, and what it is told of runs; one word, and its disk starts instead."""
    m = machine()
    m["domains"]["web"] = standard()["domains"]["web"]
    program = padded(SECTOR.replace(b"button", b"server"))
    host.sh(f"mkdir -p {FOLDER}/net; printf '{padded(SECTOR)}' > {FOLDER}/button.img; truncate -s 8M {FOLDER}/button.img; "
            f"printf '{program}' > {FOLDER}/net/program; rm -f {CONSOLES}/serial-button.log")

    def started(boot):
        return changed(m, "domains", "button", to=button(boot=boot, shutdown_timeout="1s", nics={"lan": {"bridge": "xenbr0", "model": "e1000"}},
                                                         ready={"console": "is up$", "timeout": "200s"}))

    with answering(host):
        host.apply(started(["network", "disk"]))
    host.settled()
    host.apply(started(["disk", "network"]), "--allow", "guest-restart")
    said = host.sh(f"cat {CONSOLES}/serial-button.log").splitlines()
    expect(said == ["the server is up", "the button is up"], "another one started it", said)
    host.apply(m)
    host.settled()


@test(soak=True)
def a_machine_that_crashes_is_started_again(host):
    """As Linux tells Xen of it when asked to; in a machine it presses the reset button otherwise, which is a reboot."""
    m = machine(cmdline=guest("whole", 6)["cmdline"] + " xen_legacy_crash")
    m["domains"]["web"] = standard()["domains"]["web"]
    host.apply(m, "--allow", "guest-restart")
    host.guest_up("whole", 240)
    domid, pid = host.domid("whole"), model_pid(host, "whole")
    host.said("whole", "sh echo c >/proc/sysrq-trigger", 5)
    wait_for("it is there again", lambda: host.domains().get("whole", (domid,))[0] != domid, 120, 1)
    host.guest_up("whole", 240)
    told = host.sh("journalctl -b -u manor --no-pager | grep domain/whole:restart | tail -n1")
    expect("crashed" in told, "nobody says that it has crashed", told)
    expect(model_pid(host, "whole") != pid and host.run(f"kill -0 {pid}").code != 0, "the QEMU of before is left")
    m["domains"]["whole"] = machine()["domains"]["whole"]
    host.apply(m, "--allow", "guest-restart")
    host.guest_up("whole", 240)


@test(soak=True)
def saved_with_its_qemu_it_goes_on_where_it_was(host):
    host.write_serial("whole", "foxtrot")
    uptime, domid = remember(host, "whole", "foxtrot"), host.domid("whole")
    host.manor("save", "whole")
    expect("whole" not in host.domains(), "it is there still", host.domains())
    host.manor("restore", "whole")
    expect(host.domid("whole") != domid, "it was never away")
    went_on(host, "whole", "foxtrot", uptime)
    expect(host.serial("whole") == "foxtrot", "its disk is another's")
    expect(host.in_guest("whole", "ping -c1 -W5 10.155.200.1 >/dev/null && echo yes", 90) == "yes", "it reaches nobody")
    width, height, _ = shown(host)
    expect((width, height) == (720, 400), "its screen isn't there any more", width, height)
    host.settled()


@test
def who_has_no_drivers_for_xen_has_the_power_button_pressed(host):
    m = machine()
    m["domains"]["web"] = standard()["domains"]["web"]
    host.apply(changed(m, "domains", "button", to=button()))
    done = host.manor("stop", "button", "--timeout", "5s", "--format", "json")
    expect("power button" in done.out, "it was ended unasked", done)
    expect("did not shut down within 5s" in done.out and "button" not in host.domains(), "it was not waited for", done)
    host.apply(m)
    host.settled()


@test(soak=True)
def it_outlives_the_agent_whatever_becomes_of_that(host):
    domid, pid = host.domid("whole"), model_pid(host, "whole")
    before = float(host.in_guest("whole", "cut -d' ' -f1 /proc/uptime"))
    host.sh("systemctl start manor; systemctl kill -s KILL --kill-whom=main manor; sleep 2; systemctl restart manor")
    agent = host.sh("systemctl show -p MainPID --value manor").strip()
    host.sh(f"kill -STOP {agent}")
    wait_for("its watchdog has ended the agent",
             lambda: host.sh("systemctl show -p MainPID --value manor").strip() not in (agent, "0"), 150, 2)
    expect(host.domid("whole") == domid and model_pid(host, "whole") == pid, "it was restarted")
    expect(float(host.in_guest("whole", "cut -d' ' -f1 /proc/uptime")) > before, "its clock went back")
    # Nobody waits for a lock that QEMU has from whoever started it.
    host.settled()


@test(soak=True)
def a_password_that_its_qemu_cant_ask_for_is_refused_before_anybody_is_stopped(host):
    host.put("/etc/manor/vnc-password", "s3cret\n")
    host.sh("chmod 600 /etc/manor/vnc-password")
    m = machine()
    m["domains"]["web"] = standard()["domains"]["web"]
    domid = host.domid("whole")
    secret = changed(m, "domains", "whole", "vnc", to={"display": 7, "password": {"file": "vnc-password"}})
    plan = host.plan(secret)
    expect("password_mark" in plan.out and "s3cret" not in plan.all, "the plan says another thing", plan)
    done = host.apply(None, "--allow", "guest-restart", code=1)
    expect("built without DES" in done.all and "ssh -L" in done.all, "it isn't said why", done)
    expect(host.domid("whole") == domid, "it was stopped all the same")
    told = host.manor("status", "--format", "json").out + host.sh("cat /var/lib/manor/journal.jsonl")
    expect("s3cret" not in told and "s3cret" not in done.all, "the password is told")
    host.apply(m)
    host.settled()
    host.sh("rm /etc/manor/vnc-password")


def installs_itself(host, **more):
    """From the CD onto its own sparse disk, and off."""
    host.apply(born("cdrom", **more), "--allow", "guest-restart")
    host.bury()
    wait_for("it has installed itself and is off", lambda: "born" not in host.domains(), 1200, 5)
    wait_for("it is said that it stays off", lambda: "from inside" in host.manor("status").out, 60, 2)
    occupied = int(host.sh(f"stat -c %b {FOLDER}/born.img")) * 512
    expect(1 << 20 < occupied <= 65 << 20, "its disk isn't sparse", occupied)


def starts_from_its_disk(host, **more):
    """One word was changed."""
    host.apply(born("disk", **more))
    up = host.guest_up("born", 1200)
    expect(up["name"] == "born", "it is another", up)
    expect(host.in_guest("born", "cat /sys/block/xvda/size") == str(20 << 21), "its disk has another size")
    host.settled()


@test(soak=True)
def a_machine_is_born_of_a_cdrom(host):
    host.sh(f"mkdir -p {FOLDER}")
    pushed = host.lab("push", ISO, f"{FOLDER}/installer.iso")
    expect(pushed.code == 0, "the CD didn't get there", pushed)
    installs_itself(host)


@test(soak=True)
def one_word_and_it_starts_from_its_own_disk(host):
    starts_from_its_disk(host)
    by = host.in_guest("born", "ls /sys/firmware")
    expect("efi" not in by.split(), "no BIOS started it", by)
    host.clear()
    host.sh(f"rm -f {FOLDER}/born.img")


UEFI_GUEST = {"firmware": "ovmf", "memory": "512MiB"}


@test(soak=True)
def by_uefi_it_is_born_as_well(host):
    host.sh(f"mkdir -p {FOLDER}")
    for path, there in ((ISO, f"{FOLDER}/installer.iso"), (UEFI, "/usr/lib/manor/ovmf-xen.fd")):
        pushed = host.lab("push", path, there)
        expect(pushed.code == 0, "it didn't get there ('make uefi' builds what starts it)", pushed)
    installs_itself(host, **UEFI_GUEST)


@test(soak=True)
def without_the_disc_uefi_starts_the_disk(host):
    """Which it does whatever 'boot' says: so a disc in the drive is warned of."""
    host.write(born("disk", **UEFI_GUEST))
    expect("before the disk" in host.manor("check", "-f", MANIFEST).err, "it isn't told that the CD comes first")
    starts_from_its_disk(host, disc="none", **UEFI_GUEST)
    by = host.in_guest("born", "ls /sys/firmware")
    expect("efi" in by.split(), "no UEFI started it", by)
    host.start_from(standard())
    host.sh(f"rm -rf {FOLDER}")


@test
def processors_and_shares_change_while_it_runs(host):
    m = standard()
    m["domains"] = {"web": guest("web", 2)}
    host.start_from(m)
    domid = host.domid("web")
    host.apply(changed(changed(m, "domains", "web", "cpus", to="1"), "domains", "web", "scheduler",
                       to={"weight": 512, "cap": 50}))
    listing = host.sh("xl vcpu-list web").splitlines()[1]
    expect(re.search(r"\s1 / ", listing), "it isn't pinned", listing)
    shares = host.sh("xl sched-credit2 -d web").splitlines()[-1].split()
    expect(shares[-2:] == ["512", "50"], "its share is another", shares)
    host.settled()
    # By hand, it is drift, and set right.
    host.sh("xl vcpu-pin web all all")
    plan = host.plan(None)
    expect("cpus: all → 1" in plan.out, "it isn't seen", plan)
    host.apply(m)
    expect(host.domid("web") == domid, "it was restarted")
    expect(re.search(r"\sall / ", host.sh("xl vcpu-list web")), "it is pinned still")


def memory_by_node(host, name):
    """MiB on each, as Xen counts them."""
    host.sh("xl dmesg -c >/dev/null; xl debug-keys u; sleep 1")
    told = host.sh("xl dmesg").replace("\r", "")
    of = re.search(rf"Domain {host.domid(name)} \(total: \d+\):\n((?:.*Node \d+: \d+\n)+)", told)
    expect(of, "Xen doesn't say where its memory is", told[-3000:])
    return {int(node): int(pages) >> 8 for node, pages in re.findall(r"Node (\d+): (\d+)", of.group(1))}


@test(soak=True)
def memory_and_processors_are_of_the_node_that_it_names(host):
    m = standard()
    m["domains"] = {"web": guest("web", 2, nodes="1")}
    host.apply(m, "--allow", "guest-restart")
    host.guest_up("web")
    there = memory_by_node(host, "web")
    expect(there[1] >= 127 and not there[0], "its memory is elsewhere", there)
    listing = host.sh("xl vcpu-list web").splitlines()[1]
    expect(re.search(r"\s1 / all", listing), "it runs elsewhere", listing)
    host.settled()
    done = host.plan(changed(m, "domains", "web", "nodes", to="0,7"), code=1)
    expect("this host has no NUMA node 7: they are 0 to 1" in done.all, "a node that isn't there is taken", done)


@test(soak=True)
def what_the_processor_shows_is_the_manifests(host):
    m = standard()
    m["domains"] = {"web": guest("web", 2, cpu={"baseline": "x86-64-v1"}, clock={"tsc": "native"})}
    host.apply(m, "--allow", "guest-restart")
    host.guest_up("web")
    flags = host.in_guest("web", "grep -m1 flags /proc/cpuinfo").split()
    expect("sse2" in flags and not {"pni", "popcnt", "cx16", "3dnow", "sse4a"} & set(flags), "it sees more", flags)
    host.settled()


@test(soak=True)
def a_screen_without_a_machine(host):
    m = standard()
    m["domains"] = {"web": guest("web", 2, vnc={"display": 8})}
    host.apply(m, "--allow", "guest-restart")
    host.guest_up("web")
    width, height, _ = rfb.screen(host, 5908)
    expect(width >= 640 and height >= 400, "there is no screen", width, height)
    host.settled()


def own_kernel(host, number):
    """The tiny guest's disk with its kernel in it, and what says by itself how to start that: nothing of it is dom0's."""
    out = os.path.join(TOP, "images/tiny/out")
    with tempfile.TemporaryDirectory() as d:
        with open(f"{d}/grub.cfg", "w", encoding="ascii") as f:
            f.write(f"linux /boot/vmlinuz console=hvc0 hostname=own ip=10.155.200.{number}/24\n"
                    "initrd /boot/initrd.img\nboot\n")
        write = "\n".join(["mkdir boot", "mkdir boot/grub", f"write {d}/grub.cfg boot/grub/grub.cfg",
                           *(f"write {out}/{name} boot/{name}" for name in ("vmlinuz", "initrd.img"))])
        for command, stdin in ((["zstd", "-q", "-d", f"{out}/root.img.zst", "-o", f"{d}/own.img"], None),
                               (["truncate", "-s", "64M", f"{d}/own.img"], None),
                               (["resize2fs", f"{d}/own.img"], None),
                               (["debugfs", "-w", "-f", "-", f"{d}/own.img"], write),
                               (["zstd", "-q", f"{d}/own.img"], None)):
            subprocess.run(command, check=True, input=stdin, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pushed = host.lab("push", f"{d}/own.img.zst", f"{FOLDER}/own.img.zst")
        expect(pushed.code == 0, "the disk didn't get there", pushed)
    host.sh(f"zstd -q -d -f --sparse --rm {FOLDER}/own.img.zst -o {FOLDER}/own.img")


@test(soak=True)
def a_guest_starts_the_kernel_in_its_own_disk(host):
    """By pvgrub, of which there is one for each type."""
    m = standard()
    del m["domains"]
    host.start_from(m)
    host.sh(f"mkdir -p {FOLDER}")
    own_kernel(host, 9)
    for kind, word in (("pv", "pvgrub64"), ("pvh", "pvgrub")):
        own = {"type": kind, "firmware": word, "memory": "160MiB", "nics": {"lan": {"bridge": "xenbr0"}},
               "disks": {"root": {"vdev": "xvda", "file": f"{FOLDER}/own.img"}}}
        done = host.apply({**m, "domains": {"own": own}}, "--allow", "guest-restart")
        up = host.guest_up("own", 240)
        expect(up["name"] == "own", "it is another", up, done)
        expect(host.in_guest("own", "cat /sys/hypervisor/guest_type") == kind.upper(), "it is of another type")
        # What its own grub.cfg says, and no manifest.
        expect("hostname=own" in host.in_guest("own", "cat /proc/cmdline"), "GRUB didn't start it")
        expect("Welcome to GRUB" in host.sh(f"cat {CONSOLES}/guest-own.log"), "GRUB never said a word")
        host.settled()
    host.clear()
    host.sh(f"rm -rf {FOLDER}")
