# SPDX-License-Identifier: GPL-2.0-or-later
"""Random manifests, random kills and power cuts, over and over; SOAK_SEED=N does the same again."""
import os
import random
import time

from kills import AGENT, begin, converges, foreign_picture, foreign_things, without_guests
from lab import changed, guest, note, standard, test, wait_for

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "25"))


def manifests():
    three = standard()
    three["domains"]["third"] = guest("third", 4, "pv", memory="112MiB")
    three["bridges"]["xenbr1"] = {}
    three["domains"]["third"]["nics"]["back"] = {"bridge": "xenbr1"}
    more = standard()
    more["domains"]["web"]["memory"] = "160MiB"
    more["volumes"]["second"] = {"storage": "vg0", "size": "32MiB"}
    return [standard(), without_guests(), three, more, changed(standard(), "domains", "web")]


@test(soak=True)
def whatever_is_killed_whenever_it_converges(host):
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(1 << 32))
    note(f"seed {seed}, {ROUNDS} rounds")
    dice = random.Random(seed)
    host.start_from(without_guests())
    for number in range(1, ROUNDS + 1):
        foreign = foreign_things(host)
        manifest = dice.choice(manifests())
        what = dice.choice(["apply", "agent", "workers", "one worker", "power"])
        pause = dice.uniform(0, 12)
        note(f"round {number}: {', '.join(manifest.get('domains', {})) or 'no guest'}; {what} after {pause:.1f} s")
        begin(host, manifest)
        time.sleep(pause)
        if what == "apply":
            host.run("kill -9 $(cat /run/apply.pid)")
        elif what == "agent":
            host.run(f"kill -9 $({AGENT})")
        elif what == "workers":
            host.run("pkill -9 -f 'worker step'")
        elif what == "one worker":
            host.run("kill -9 $(pgrep -f 'worker step' | shuf -n1)")
        else:
            host.cut_power()
            foreign = None
        if what != "power":
            wait_for("no apply is under way", lambda: host.run("kill -0 $(cat /run/apply.pid)").code != 0, 400, 1)
        converges(host, manifest, foreign)
        if foreign is not None:
            assert foreign == foreign_picture(host)
        host.bury()
