# SPDX-License-Identifier: GPL-2.0-or-later
"""The resident agent: what wakes it, what it goes by, and that no guest feels what happens to it."""
from lab import CONSOLES, WATCHED, changed, expect, guest, held, standard, test, wait_for, yaml


def with_bridge(name):
    return changed(standard(), "bridges", name, to={})


@test
def a_changed_file_is_applied_without_being_told(host):
    host.start_from(standard())
    host.put(WATCHED, yaml(with_bridge("byfile")))
    wait_for("the bridge comes", lambda: "byfile" in host.links(), 120, 1)


@test
def a_bad_file_never_displaces_the_manifest_in_force(host):
    host.put(WATCHED, yaml(with_bridge("byfile")).replace("bridges:", "bridgets:"))
    wait_for("the journal names what is wrong", lambda: "bridgets" in host.journal(80), 60, 1)
    before = host.domains()
    host.sh("ip link del byfile")
    host.sh("systemctl reload manor")
    wait_for("what was in force is restored", lambda: "byfile" in host.links(), 120, 1)
    expect(host.domains() == before, "guests were touched", before, host.domains())
    done = host.manor("plan", "-f", WATCHED, code=2)
    expect("bridgets" in done.err and "appliance.yaml:" in done.err, "plan doesn't point at the key", done)


@test
def sighup_applies_again_what_was_changed_by_hand(host):
    host.put(WATCHED, yaml(with_bridge("byfile")))
    host.sh("ip link del byfile")
    host.sh("kill -HUP $(systemctl show -p MainPID --value manor)")
    wait_for("the bridge comes back", lambda: "byfile" in host.links(), 120, 1)


@test
def restarting_or_killing_the_agent_never_touches_a_guest(host):
    before = host.domains()
    host.sh("systemctl restart manor")
    host.sh("kill -9 $(systemctl show -p MainPID --value manor)")
    wait_for("systemd starts it again", lambda: host.run("systemctl is-active -q manor").code == 0, 60, 1)
    host.apply(with_bridge("byfile"))
    expect(host.domains() == before, "guests were touched", before, host.domains())
    for name in before:
        host.say(name, "read")


@test
def without_an_agent_the_same_is_done_by_apply_itself(host):
    before = host.domains()
    host.sh("systemctl stop manor")
    try:
        done = host.apply(standard())
        expect("byfile" not in host.links(), "apply did nothing", done)
        host.plan(code=0)
        expect("not running" in host.manor("status", "-f", "/etc/manor/lab.yaml").out,
               "status doesn't say that no agent runs")
    finally:
        host.sh("systemctl start manor")
    expect(host.domains() == before, "guests were touched", before, host.domains())


@test
def the_watched_file_goes_and_all_stays(host):
    before = host.domains()
    host.sh(f"rm {WATCHED}; kill -HUP $(systemctl show -p MainPID --value manor); sleep 5")
    host.apply()
    expect(host.domains() == before, "guests were touched", before, host.domains())


@test
def what_a_guest_prints_is_kept_to_two_files(host):
    host.start_from(standard())
    log = f"{CONSOLES}/guest-web.log"
    host.long_log(log)
    wait_for("a new one is begun", lambda: host.run(f"test -e {log}").code == 0, 30)
    host.say("web", "read")
    expect(int(host.sh(f"stat -c %s {log}")) < 1 << 20, "it goes on in the old one")


@test
def the_host_going_down_ends_its_guests_in_order_and_the_next_boot_has_them(host):
    host.start_from(changed(standard(), "domains", "lists", "depends_on", to=["web"]))
    ends = {name: host.sh(f"grep -c 'MANOR-GUEST-END poweroff' {CONSOLES}/guest-{name}.log || :")
            for name in ("web", "lists")}
    host.power_off()
    host.cut_power()  # it is off: this switches it on
    for name, was in ends.items():
        host.guest_up(name, 300)
        now = host.sh(f"grep -c 'MANOR-GUEST-END poweroff' {CONSOLES}/guest-{name}.log || :")
        expect(int(now) == int(was) + 1, f"{name} had no orderly end", host.last_words(name))
    said = host.run("journalctl -b -1 --no-pager -u manor-guests").out
    expect(said.index("domain/lists:stop done") < said.index("domain/web:stop done"),
           "web ended before what depends on it", said)
    host.settled()


@test(soak=True)
def a_guest_that_cannot_be_made_is_tried_more_and_more_seldom(host):
    """Each try makes a domain that goes again: that is no reason to try at once."""
    host.start_from(standard())
    since = host.sh("date '+%Y-%m-%d %H:%M:%S'").strip()
    with held(host, "mv /usr/lib/manor/hotplug /usr/lib/manor/hotplug.away && "
                    "printf '#!/bin/sh\\nexit 1\\n' >/usr/lib/manor/hotplug && chmod 755 /usr/lib/manor/hotplug",
              "mv -f /usr/lib/manor/hotplug.away /usr/lib/manor/hotplug"):
        host.put(WATCHED, yaml(changed(standard(), "domains", "third", to=guest("third", 4))))
        wait_for("it fails", lambda: "domain/third:create failed" in host.journal(30), 120, 2)
        host.sh("sleep 100", timeout=200)
        tries = host.sh(f"journalctl -b --no-pager -u manor --since '{since}' | "
                        "grep -c 'domain/third:create failed'")
        expect(2 <= int(tries) <= 6, f"{tries} tries in 100 s", host.journal(60))
    host.sh("systemctl reload manor")
    host.guest_up("third")


@test(soak=True)
def a_host_whose_xenstored_has_died_says_so(host):
    host.start_from(standard())
    host.sh("kill -9 $(pidof oxenstored)")
    try:
        done = host.manor("status", code=None)
        expect("DEGRADED: xenstored has died" in done.out and "reboot" in done.out, "status doesn't say so", done)
        # Who needs it and is started again doesn't bring an empty one.
        host.sh("systemctl restart manor xenconsoled")
        done = host.manor("status", code=None)
        expect("DEGRADED: xenstored has died" in done.out, "another was started in its place", done)
        host.apply(with_bridge("byfile"), code=1)
        expect("byfile" in host.links(), "what has nothing to do with Xen isn't done")
    finally:
        host.cut_power()
    host.start_from(standard())


@test(soak=True)
def a_watchdog_restarts_an_agent_that_hangs(host):
    before = host.domains()
    host.sh("kill -STOP $(systemctl show -p MainPID --value manor)")
    pid = host.sh("systemctl show -p MainPID --value manor")
    wait_for("systemd starts another",
             lambda: host.sh("systemctl show -p MainPID --value manor") not in (pid, "0\n"), 240, 5)
    host.apply()
    expect(host.domains() == before, "guests were touched", before, host.domains())
