# SPDX-License-Identifier: GPL-2.0-or-later
"""How steady a guest's clock ticks: with the preset for telephony and without, beside neighbours that are busy. What is
emulated is never punctual, so the figures of both are told and only what must hold anywhere is asked for."""
import re

from lab import CONSOLES, changed, expect, guest, note, standard, test, wait_for

SUM = re.compile(r"MANOR-TIMER passes=(\d+) best=([\d.]+) worst=([\d.]+) average=([\d.]+) lost=(\d+) latest_us=(\d+)")
PASS = re.compile(r"MANOR-TIMER pass=(\d+) accuracy=([\d.]+) lost=(\d+) latest_us=(\d+)")


def exchange(passes):
    """Two of a kind, one of them with a processor of its own; the third is what keeps the others' one busy."""
    m = standard()
    words = f"console=hvc0 manor.timertest={passes}"
    m["domains"] = {
        "noisy": guest("noisy", 4, cpus="0"),
        "plain": guest("plain", 2, cmdline=words, cpus="0", depends_on=["noisy"]),
        "steady": guest("steady", 3, cmdline=words, preset="timing-sensitive", cpus="1", depends_on=["noisy"]),
    }
    return m


def log_of(host, name):
    return host.sh(f"tr -d '\\r' <{CONSOLES}/guest-{name}.log")


def measured(host, name, passes):
    """Its figures: best, worst, average, lost ticks, latest of them."""
    found = SUM.search(log_of(host, name))
    expect(found, f"{name} says nothing of its clock", host.last_words(name))
    count, best, worst, average, lost, latest = (float(n) for n in found.groups())
    single = [tuple(float(n) for n in p) for p in PASS.findall(log_of(host, name))]
    note(f"{name}: best {best}, worst {worst}, average {average} %; {lost:.0f} ticks lost, the latest {latest / 1000} ms late")
    expect(count == passes == len(single), f"{name} made other passes than asked for", found.group(), single)
    expect(best == max(p[1] for p in single) and worst == min(p[1] for p in single), "a pass is missing in the sum", single)
    expect(abs(average - sum(p[1] for p in single) / passes) < 0.002, "the average is another", single)
    expect(lost == sum(p[2] for p in single) and latest == max(p[3] for p in single), "ticks are missing in the sum", single)
    # A lost tick is a millisecond of the pass; the rest is how late its first and its last were seen.
    for _, accuracy, gone, late in single:
        off = (100 - accuracy) / 100 * 1024
        expect(gone - late / 1000 - 0.1 <= off <= gone + late / 1000 + 0.1 or accuracy == 0, "a pass is impossible", single)
    return best, worst, average, lost, latest


def compare(host, passes):
    m = exchange(passes)
    host.start_from(changed(m, "domains", to={"noisy": m["domains"]["noisy"]}))
    host.guest_up("noisy")
    host.in_guest("noisy", "while :; do :; done >/dev/null 2>&1 & echo busy")
    host.apply(m, timeout=900)
    expect(re.search(r"\s1 / all", host.sh("xl vcpu-list steady")), "it has no processor of its own", host.sh("xl vcpu-list"))
    expect("512" in host.sh("xl sched-credit2 -d steady").splitlines()[-1].split(), "its share is another")
    for name in ("plain", "steady"):
        wait_for(f"{name} has measured its clock", lambda name=name: SUM.search(log_of(host, name)), 120 + 20 * passes, 2)
    return measured(host, "plain", passes), measured(host, "steady", passes)


@test(soak=True)
def a_guest_tells_how_steady_its_clock_ticks(host):
    compare(host, 3)
    # By hand too, and what is no number of passes is said to be none.
    reply = host.say("steady", "timer 1", 120)
    expect(reply.startswith("timer passes=1 best="), "it isn't measured by hand", reply)
    expect("usage" in host.say("steady", "timer many"), "many passes are accepted")


@test(soak=True)
def with_the_preset_it_is_steadier_over_32_passes(host):
    plain, steady = compare(host, 32)
    expect(steady[2] >= plain[2], "the guest with processors of its own is not the steadier one", plain, steady)
