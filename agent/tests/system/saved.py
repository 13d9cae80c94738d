# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that stand still: paused, saved, kept off by the manifest; guests that are waited for until they are ready."""
import time

from lab import CONSOLES, changed, expect, note, standard, test, wait_for

SAVES = "/var/lib/manor/save"


def status_of(host, name):
    return "\n".join(line for line in host.manor("status").out.splitlines() if name in line)


def paused(host, name):
    return "p" in host.domains()[name][3]


def remember(host, name, word):
    """In its memory alone (its /run is on its disk): a restarted guest knows nothing of it."""
    host.in_guest(name, f" echo {word} > /dev/kept; echo kept")
    return float(host.in_guest(name, "cut -d' ' -f1 /proc/uptime"))


def forget_ready(host, name):
    """As right after its start: once ready it is, whatever is asked for later."""
    host.sh(f"xenstore-rm /local/domain/{host.domid(name)}/manor/ready 2>/dev/null || true")


def went_on(host, name, word, uptime):
    expect(host.in_guest(name, "cat /dev/kept") == word, f"{name} has forgotten what was in its memory",
           host.last_words(name))
    now = float(host.in_guest(name, "cut -d' ' -f1 /proc/uptime"))
    expect(now >= uptime, f"{name} was started anew: up {now} s, and {uptime} s before")


@test
def paused_by_hand_it_stays_so_and_is_told(host):
    host.start_from(standard())
    uptime = remember(host, "web", "alpha")
    host.manor("pause", "web")
    expect(paused(host, "web"), "it runs on", host.domains())
    expect("paused by hand" in status_of(host, "web"), "status doesn't say so", host.manor("status"))
    expect("manor unpause web" in host.plan(code=0).out, "plan doesn't say how it goes on")
    host.apply()
    expect(paused(host, "web"), "apply let it go on against a person's word")
    done = host.manor("unpause", "web")
    expect(done.out == "web: running again\n", "it isn't said in a line", done)
    expect(not paused(host, "web"), "it is paused still")
    went_on(host, "web", "alpha", uptime)
    host.settled()


@test(soak=True)
def paused_by_xl_it_is_a_persons_still(host):
    domid = host.domid("web")
    host.sh(f"xl pause {domid}")
    expect("paused by hand" in status_of(host, "web"), "status doesn't say so", host.manor("status"))
    host.apply()
    expect(paused(host, "web"), "apply let it go on")
    host.manor("unpause", "web")
    expect(not paused(host, "web"), "it is paused still")
    # And a pause of later is left alone again.
    host.sh(f"xl pause {domid}")
    host.apply()
    expect(paused(host, "web"), "the word of before let it go on")
    host.sh(f"xl unpause {domid}")
    host.settled()


@test(soak=True)
def the_manifest_pauses_stops_and_starts(host):
    m = standard()
    uptime = remember(host, "web", "beta")
    host.apply(changed(m, "domains", "web", "state", to="paused"))
    expect(paused(host, "web"), "it runs on", host.domains())
    host.settled()
    host.manor("unpause", "web", code=1)
    host.apply(m)
    went_on(host, "web", "beta", uptime)
    volumes = sorted(host.volumes())
    host.apply(changed(m, "domains", "web", "state", to="stopped"))
    expect("web" not in host.domains(), "it runs on")
    expect(sorted(host.volumes()) == volumes, "it lost a disk", volumes, host.volumes())
    expect("stopped" in status_of(host, "web"), "status doesn't say so", host.manor("status"))
    host.settled()
    host.manor("start", "web", code=1)
    host.apply(changed(m, "domains", "web", "state", to="paused"))
    expect(paused(host, "web"), "made, it runs")
    host.settled()
    host.apply(m)
    host.guest_up("web")
    host.settled()


@test
def saved_it_is_away_and_restored_it_goes_on(host):
    host.write_serial("web", "saved-once")
    uptime, domid, macs = remember(host, "web", "gamma"), host.domid("web"), set(host.vifs("web"))
    host.manor("save", "web")
    expect("web" not in host.domains(), "it is there still", host.domains())
    size = int(host.sh(f"stat -c %s {SAVES}/web.save"))
    expect(size > 64 << 20, f"{size} bytes are less than it had in memory")
    expect("saved by hand" in status_of(host, "web"), "status doesn't say so", host.manor("status"))
    host.apply()
    expect("web" not in host.domains(), "apply restored it against a person's word")
    host.manor("save", "web")  # said twice it is the same
    begun = time.monotonic()
    host.manor("restore", "web")
    note(f"restored within {time.monotonic() - begun:.1f} s")
    expect(host.domid("web") != domid, "it was never away")
    expect(set(host.vifs("web")) == macs, "its MACs are others")
    went_on(host, "web", "gamma", uptime)
    expect(host.serial("web") == "saved-once", "its disk is another's")
    host.write_serial("web", "saved-twice")
    expect(host.serial("web") == "saved-twice", "it can't write any more")
    expect(host.sh(f"ls {SAVES}").strip() == "", "what was used up is left", host.sh(f"ls -l {SAVES}"))
    host.manor("restore", "web", code=1)
    host.settled()


@test(soak=True)
def what_does_not_fit_any_more_is_refused_and_can_be_given_up(host):
    m = standard()
    remember(host, "web", "delta")
    host.manor("save", "web")
    less = changed(m, "domains", "web", "disks", "data")
    host.apply(less)
    done = host.manor("restore", "web", code=1)
    expect("changed since it was saved" in done.all and "disks.data" in done.all, "it isn't said what differs", done)
    expect("web" not in host.domains(), "it was started from its disks")
    host.manor("start", "web", code=1)
    taker = changed(less, "domains", "lists", "disks", to={"more": {"vdev": "xvdb", "volume": "web-data"}})
    done = host.apply(taker, code=1)
    expect("saved while it had" in done.all, "another got a disk of a guest that goes on with it", done)
    host.apply(m)
    expect(host.in_guest("web", "cat /dev/kept") == "delta", "it was started anew")
    host.manor("save", "web")
    host.manor("start", "web", "--discard-saved", code=1)  # nobody is there to be asked
    host.manor("start", "web", "--discard-saved", "--yes")
    host.guest_up("web")
    expect(host.in_guest("web", "cat /dev/kept 2>/dev/null || echo nothing") == "nothing", "it went on")
    expect(host.sh(f"ls {SAVES}").strip() == "", "what was given up is left")
    host.settled()


@test(soak=True)
def a_disk_that_is_another_by_now_is_not_taken_for_the_old_one(host):
    m = standard()
    host.manor("save", "web")
    host.sh("lvremove -q -q -f vg0/web-data")
    host.apply(m)
    done = host.manor("restore", "web", code=1)
    expect("not the disk that it was saved with" in done.all, "it woke up to another disk", done)
    expect("web" not in host.domains(), "it runs")
    host.manor("start", "web", "--discard-saved", "--yes")
    host.guest_up("web")
    host.settled()


@test(soak=True)
def without_room_nothing_is_done(host):
    uptime = remember(host, "web", "epsilon")
    host.sh(f"mkdir -p {SAVES} && mount -t tmpfs -o size=80m none {SAVES}")
    try:
        done = host.manor("save", "web", code=1)
        expect("are free" in done.all, "it isn't said why", done)
        host.apply()
        went_on(host, "web", "epsilon", uptime)
    finally:
        host.sh(f"umount {SAVES}")
    host.settled()


@test(soak=True)
def a_guest_is_waited_for_until_its_console_says_so(host):
    m = changed(standard(), "domains", "web", "ready", to={"console": "^MANOR-GUEST name=web ", "timeout": "5m"})
    m = changed(m, "domains", "lists", "depends_on", to=["web"])
    host.manor("stop", "web", "lists")
    host.write(m)
    begun = int(host.sh(f"stat -c %s {CONSOLES}/guest-web.log"))
    host.apply()
    host.manor("start", "web", "lists")
    said = host.sh(f"tail -c +{begun + 1} {CONSOLES}/guest-web.log | grep -c '^MANOR-GUEST name=web ' || :")
    expect(int(said) >= 1, "nobody waited for what it says", host.last_words("web"))
    expect(host.sh(f"xenstore-read /local/domain/{host.domid('web')}/manor/ready").strip() == "1", "it isn't noted")
    host.guest_up("lists")
    host.settled()


@test(soak=True)
def one_that_is_not_ready_is_told_and_left_and_who_needs_it_waits(host):
    forget_ready(host, "web")
    m = changed(standard(), "domains", "web", "ready", to={"xenstore": "data/ready", "timeout": "5s"})
    m = changed(m, "domains", "lists", "depends_on", to=["web"])
    host.apply(changed(m, "domains", "lists", "state", to="stopped"), code=(0, 1))
    domid = host.domid("web")
    host.apply(m, code=(1, 3))  # 3: the agent is waiting for it just now
    wait_for("it is said", lambda: "not ready within 5s: it has no key data/ready" in host.journal(60), 120, 2)
    expect(host.domid("web") == domid, "it was started anew for that")
    expect("lists" not in host.domains(), "it didn't wait")
    expect("until it is ready" in status_of(host, "web"), "status doesn't say so", host.manor("status"))
    host.sh(f"xenstore-write /local/domain/{domid}/data/ready 1")
    host.apply(m, code=(0, 1, 3))
    wait_for("the other is started", lambda: "lists" in host.domains(), 400, 2)
    host.guest_up("lists")
    host.settled()


@test(soak=True)
def a_port_that_answers_is_ready(host):
    """Whose address it is nobody knows: dom0's will do."""
    forget_ready(host, "web")
    m = changed(standard(), "domains", "web", "ready",
                to={"tcp": 9999, "address": "10.155.200.1", "timeout": "5s"})
    host.apply(m, code=(1, 3))
    wait_for("it is said", lambda: "10.155.200.1 port 9999" in host.journal(60), 120, 2)
    host.sh("systemd-run -q --unit=manor-test-port systemd-socket-activate -l 10.155.200.1:9999 /bin/cat")
    try:
        host.apply(m, code=(0, 1, 3))
        key = f"/local/domain/{host.domid('web')}/manor/ready"
        wait_for("it is noted", lambda: host.run(f"xenstore-read {key}").out.strip() == "1", 400, 2)
    finally:
        host.run("systemctl stop manor-test-port")
    host.settled()  # once is enough
    host.apply(standard())


@test(soak=True)
def while_one_is_waited_for_others_can_act(host):
    forget_ready(host, "web")
    m = changed(standard(), "domains", "web", "ready", to={"xenstore": "data/never", "timeout": "3m"})
    host.write(m)
    host.sh("(manor apply --yes -f /etc/manor/lab.yaml >/tmp/waiting 2>&1; echo over >>/tmp/waiting) >/dev/null 2>&1 &")
    wait_for("it is waited for", lambda: "waiting until it is ready" in host.manor("status").out, 120, 2)
    begun = time.monotonic()
    host.manor("restart", "lists", "--timeout", "5s", timeout=150)
    expect(time.monotonic() - begun < 120, "another guest had to wait as long")
    expect("over" not in host.sh("cat /tmp/waiting"), "it was not waited for", host.sh("cat /tmp/waiting"))
    host.apply(standard())
    wait_for("the wait is given up", lambda: "over" in host.sh("cat /tmp/waiting"), 120, 2)
    host.guest_up("lists")
    host.settled()


@test(soak=True)
def the_host_going_down_saves_who_says_so_and_the_next_boot_goes_on(host):
    m = changed(standard(), "domains", "web", "on_host_shutdown", to="save")
    m = changed(m, "domains", "lists", "depends_on", to=["web"])
    host.start_from(m)
    uptime = remember(host, "web", "zeta")
    remember(host, "lists", "zeta")
    # As systemd does on the way down: the agent first, then this.
    host.sh("systemctl stop manor")
    host.sh("systemctl stop manor-guests", timeout=900)
    expect(not host.domains(), "guests are left", host.domains())
    expect("web.save" in host.sh(f"ls {SAVES}"), "web was shut down", host.run("journalctl -b -u manor-guests").out)
    host.cut_power()
    wait_for("web is back", lambda: "web" in host.domains(), 400, 2)
    host.guest_up("web", 200, restart=False)
    went_on(host, "web", "zeta", uptime)
    host.guest_up("lists")
    expect(host.in_guest("lists", "cat /dev/kept 2>/dev/null || echo nothing") == "nothing", "lists went on, too")
    expect(host.sh(f"ls {SAVES}").strip() == "", "what was used up is left")
    host.settled()


@test(soak=True)
def saved_by_hand_it_goes_on_at_the_next_boot(host):
    host.start_from(standard())
    uptime = remember(host, "web", "eta")
    host.manor("save", "web")
    host.cut_power()
    wait_for("web is back", lambda: "web" in host.domains(), 400, 2)
    host.guest_up("web", 200, restart=False)
    went_on(host, "web", "eta", uptime)
    host.settled()


@test(soak=True)
def a_watchdog_that_is_not_fed_ends_a_guest_as_the_manifest_says(host):
    m = standard()
    host.start_from(m)
    for what in ("restart", "destroy"):
        host.apply(changed(m, "domains", "web", "on_watchdog", to=what))
        host.guest_up("web")
        domid = host.domid("web")
        # Opened and left alone: xen_wdt gives it a minute.
        host.in_guest("web", " : > /dev/watchdog; echo opened")
        wait_for("its watchdog runs out", lambda: host.domains().get("web", (0,))[0] != domid, 300, 2)
        if what == "restart":
            wait_for("it comes back", lambda: "web" in host.domains(), 200, 2)
            host.guest_up("web")
    wait_for("status says why", lambda: "its watchdog ran out" in status_of(host, "web"), 60, 2)
    host.apply()
    expect("web" not in host.domains(), "apply started it again")
    host.manor("start", "web")
    host.guest_up("web")
    host.apply(m)


@test(soak=True)
def a_save_that_is_killed_leaves_the_guest_or_the_file(host):
    host.start_from(standard())
    for tenths in (5, 15, 30, 60):
        uptime = remember(host, "web", f"kill{tenths}")
        host.sh("systemctl stop manor")
        host.sh(f"(timeout -s KILL {tenths / 10} manor save web >/dev/null 2>&1) || :")
        host.sh("pkill -KILL -f 'manor worker step' || :")
        host.sh("systemctl start manor")
        host.manor("start", "web", code=None)
        wait_for("it is there", lambda: "web" in host.domains(), 300, 2)
        went_on(host, "web", f"kill{tenths}", uptime)
        expect(host.sh(f"ls -A {SAVES}").strip() == "", "something is left", host.sh(f"ls -lA {SAVES}"))
        host.settled()


@test(soak=True)
def the_power_may_be_cut_while_it_is_saved_or_restored(host):
    host.start_from(standard())
    for verb in ("save", "restore"):
        for seconds in (1, 3):
            host.write_serial("web", f"{verb}-{seconds}")
            if verb == "restore":
                host.manor("save", "web")
            host.sh(f"(manor {verb} web >/dev/null 2>&1 &) ; sleep {seconds}")
            host.cut_power()
            wait_for("web is back", lambda: "web" in host.domains(), 400, 2)
            host.guest_up("web")  # where it was, or started anew: both are right
            expect(host.serial("web") == f"{verb}-{seconds}", "its disk has lost what was synced")
            host.settled()
