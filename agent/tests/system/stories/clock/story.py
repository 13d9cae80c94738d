# SPDX-License-Identifier: GPL-2.0-or-later
"""The clock: what a guest gets its time from is chosen, seen, and can be compared with another's."""
from clock import SUM, log_of, measured
from lab import MANIFEST, edited, expect, note, test, wait_for, written

PASSES = 32


@test(soak=True)
def one_with_a_clock_of_its_own_and_one_like_any_other(host):
    host.clear()
    host.apply(written("clock"))
    for name in ("pbx", "any"):
        host.guest_up(name)
    expect('"tsc_mode": "native"' in host.sh("xl list -l pbx"), "its counter isn't the processor's")
    expect('"tsc_mode": "always_emulate"' in host.sh("xl list -l any"), "the other's isn't emulated")
    expect("pc" not in host.domains(), "who is to be off runs", host.domains())
    host.settled()


@test(soak=True)
def what_it_gets_its_time_from_is_told(host):
    told = host.manor("render", "pbx", "-f", MANIFEST).out
    expect('tsc_mode = "native"' in told and 'cpus = "1"' in told and "cpu_weight = 512" in told, "it isn't told", told)
    told = host.manor("render", "pc", "-f", MANIFEST).out
    for words in ('timer_mode = "one_missed_tick_pending"', "hpet = 0", "localtime = 1", 'tsc_mode = "native"'):
        expect(words in told, f"a machine's {words} isn't told", told)


@test(soak=True)
def both_are_measured_for_32_passes_and_the_one_with_a_clock_of_its_own_is_the_steadier(host):
    """At the same time, for what else the machine does is the difference else."""
    for name in ("pbx", "any"):
        host.sh(f"echo 'timer {PASSES}' >$(xenstore-read /local/domain/{host.domid(name)}/console/tty)")
    for name in ("pbx", "any"):
        wait_for(f"{name} has measured its clock", lambda name=name: SUM.search(log_of(host, name)), 120 + 20 * PASSES, 2)
    own, other = measured(host, "pbx", PASSES), measured(host, "any", PASSES)
    note(f"of its own: worst {own[1]}, average {own[2]} %; like any other: worst {other[1]}, average {other[2]} %")
    # Where a machine is so busy that no pass is any good, ticks that were lost tell.
    expect((own[2], -own[3]) >= (other[2], -other[3]), "the guest with a clock of its own isn't the steadier one", own, other)


@test(soak=True)
def another_clock_waits_for_leave_and_nothing_else_changes(host):
    other = edited(written("clock"), ("clock: {tsc: always_emulate}", "clock: {tsc: native}"))
    domid = host.domid("any")
    host.write_serial("any", "kept")
    plan = host.plan(other, code=3)
    expect("clock.tsc: always_emulate → native" in plan.out and "GUEST RESTART" in plan.out, "it is told otherwise", plan)
    host.apply(None, code=3)
    expect(host.domid("any") == domid, "it was restarted without leave")
    host.apply(None, "--allow", "guest-restart")
    host.guest_up("any")
    expect('"tsc_mode": "native"' in host.sh("xl list -l any"), "its counter is as before")
    expect(host.serial("any") == "kept", "its disk is another", host.serial("any"))
    host.settled()
