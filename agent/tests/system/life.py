# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that are stopped, started and restarted, and guests that do so by themselves."""
import re

from lab import MANIFEST, changed, expect, standard, test, wait_for

CORE = "/var/lib/xen/dump/web.core"


def status_of(host, name):
    return "\n".join(line for line in host.manor("status").out.splitlines() if name in line)


@test
def stop_keeps_a_guest_stopped_until_start(host):
    host.start_from(standard())
    host.manor("pause", "web")  # it must go on to end in order
    done = host.manor("stop", "web")
    expect("web" not in host.domains(), "web still runs")
    expect("shut down" in done.out and "destroyed" not in done.out, "it didn't end in order", done)
    expect("by hand" in status_of(host, "web"), "status doesn't say so", host.manor("status"))
    host.apply()
    expect("web" not in host.domains(), "apply started it against a person's word")
    host.manor("start", "web")
    expect("web" in host.domains(), "web doesn't run")
    host.guest_up("web")
    host.settled()


@test
def restart_makes_it_anew_as_the_same_domain(host):
    domid, uuid, macs = host.domid("web"), host.uuid("web"), set(host.vifs("web"))
    host.manor("restart", "web")
    expect(host.domid("web") != domid, "web wasn't restarted")
    expect(host.uuid("web") == uuid and set(host.vifs("web")) == macs, "it came back as another")
    host.guest_up("web")


@test
def a_guest_that_reboots_from_inside_comes_back_as_the_same(host):
    host.write_serial("web", "delta")
    domid, uuid, macs, disks = host.domid("web"), host.uuid("web"), set(host.vifs("web")), host.disks("web")
    host.said("web", "reboot", 10)
    wait_for("web comes back", lambda: host.domains().get("web", (domid,))[0] != domid, 120)
    host.guest_up("web")
    expect(host.uuid("web") == uuid, "its UUID is another")
    expect(set(host.vifs("web")) == macs, "its MAC is another", macs, host.vifs("web"))
    expect(host.disks("web") == disks, "its disks are others", disks, host.disks("web"))
    expect(host.serial("web") == "delta", "its data is another's")
    host.settled()


@test
def a_guest_that_powers_itself_off_stays_off_until_it_is_started(host):
    host.said("web", "poweroff", 10)
    wait_for("web goes", lambda: "web" not in host.domains(), 120)
    wait_for("status says why", lambda: "from inside" in status_of(host, "web"), 60, 2)
    host.apply()
    expect("web" not in host.domains(), "apply started it again")
    host.manor("start", "web")
    expect(host.guest_up("web")["serial"] == "delta", "it isn't what it was")
    host.settled()


@test
def a_guest_that_crashes_is_started_again(host):
    domid, uuid = host.domid("web"), host.uuid("web")
    host.said("web", "crash", 10)
    wait_for("web comes back", lambda: host.domains().get("web", (domid,))[0] != domid, 150)
    expect(host.uuid("web") == uuid, "its UUID is another")
    expect(host.guest_up("web")["serial"] == "delta", "it isn't what it was")


@test(soak=True)
def what_it_had_in_memory_is_kept_where_that_is_wanted(host):
    host.apply(changed(standard(), "domains", "web", "on_crash", to="coredump-restart"))
    domid = host.domid("web")
    host.said("web", "crash", 10)
    wait_for("web comes back", lambda: host.domains().get("web", (domid,))[0] != domid, 150)
    size, mode, head = host.sh(f"stat -c '%s %a' {CORE}; head -c 4 {CORE} | od -An -tx1 | tr -d ' '").split()
    expect(int(size) > 100 << 20 and mode == "600" and head == "7f454c46", "that is no core of 128 MiB", size, mode, head)
    host.guest_up("web")
    # The new one is there before the step that made it has said so.
    wait_for("it is said where", lambda: CORE in host.journal(60), 60, 2)
    host.sh(f"rm {CORE}")


@test(soak=True)
def what_is_left_of_it_stays_where_that_is_wanted(host):
    host.apply(changed(standard(), "domains", "web", "on_crash", to="preserve"))
    domid = host.domid("web")
    host.said("web", "crash", 10)
    wait_for("it lies there", lambda: "is preserved" in host.plan(code=None).out, 60, 2)
    expect(host.domid("web") == domid, "it went")
    host.manor("restart", "-f", MANIFEST, "web")
    host.guest_up("web")
    host.apply(standard())
    host.settled()


@test(soak=True)
def one_that_crashes_again_and_again_has_its_crashes_counted(host):
    for _ in range(3):
        domid = host.domid("web")
        host.said("web", "crash", 10)
        wait_for("web comes back", lambda: host.domains().get("web", (domid,))[0] != domid, 400)
        host.guest_up("web", seconds=300)
    text = host.journal(400)
    counts = [int(n) for n in re.findall(r"crashed, (\d+) times in a row", text)]
    expect(counts and max(counts) >= 3, "nothing counts its crashes", text)
    host.settled()


@test(soak=True)
def one_that_powered_itself_off_is_started_when_its_manifest_changes(host):
    host.said("web", "poweroff", 10)
    wait_for("web goes", lambda: "web" not in host.domains(), 120)
    wait_for("status says why", lambda: "from inside" in status_of(host, "web"), 60, 2)
    more = standard()
    more["domains"]["web"]["memory"] = "192MiB"
    host.apply(more)
    host.guest_up("web")
    host.apply(standard())
