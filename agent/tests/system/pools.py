# SPDX-License-Identifier: GPL-2.0-or-later
"""A pool that fills up: who writes to it is paused before anything is lost, and goes on when there is room."""
from lab import changed, expect, guest, standard, test, wait_for

# Slow where it matters: under emulation the agent takes seconds to see and to act.
WRITE = ("i=0; while [ $i -lt 260 ]; do dd if=/dev/urandom of=/dev/xvdb bs=1M count=1 seek=$i conv=notrunc,fsync "
         "2>/dev/null || { echo failed > /run/wrote; break; }; i=$((i+1)); echo $i > /run/wrote; "
         "if [ $i -ge 180 ] && [ $i -lt 205 ]; then sleep 3; fi; done")


def small(size):
    m = standard()
    m["storage"]["small"] = {"devices": [{"serial": "MANORDISK3"}], "pool": {"size": size, "metadata": "8MiB"}}
    m["domains"] = {"web": guest("web", 2, disks={
        "root": {"size": "256MiB"}, "much": {"vdev": "xvdb", "storage": "small", "size": "300MiB"}})}
    return m


def state(host):
    return host.domains()["web"][3]


@test(soak=True)
def a_guest_is_paused_before_its_pool_is_full_and_goes_on_when_it_has_grown(host):
    host.sh("wipefs -qa /dev/vdd")
    host.start_from(small("200MiB"))
    domid = host.domid("web")
    host.in_guest("web", f" ({WRITE}) >/dev/null 2>&1 & echo begun")
    try:
        wait_for("it is paused", lambda: "p" in state(host), 200)
        full = float(host.sh("lvs --noheadings -o data_percent small/pool"))
        expect(97 <= full < 100, "it was paused too early, or too late", full)
        done = host.manor("status", code=None)
        expect("paused" in done.out and "pool" in done.out, "status doesn't say why it stands still", done)
        expect("p" in state(host), "it doesn't stay paused")
        host.apply(small("400MiB"), code=None)
        wait_for("it goes on", lambda: "p" not in state(host), 60)
        wait_for("it has written all", lambda: host.in_guest("web", "cat /run/wrote") in ("260", "failed"), 150)
        expect(host.in_guest("web", "cat /run/wrote") == "260", "a write failed")
        expect(host.domid("web") == domid, "it was restarted")
        host.settled()
    finally:
        # Whatever happened: the next story has that disk for itself.
        host.run("xl unpause web")
        host.apply(changed(standard(), "domains", "lists"), "--allow", "guest-restart", code=None)
        host.apply(None, code=None)
        host.bury()
        host.run("vgremove -q -f -y small; pvremove -q -f -y /dev/vdd; wipefs -qa /dev/vdd")
