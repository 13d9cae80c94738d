#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A manifest of 2,000 domains: checked and planned, in a second or so.

The host is that of the golden case domain-settled, with as many domains as the manifest. What counts is
the processor's time, for the machine may have other work. TAP.
"""
import copy
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

MANOR = os.environ.get("MANOR", "build/manor")
LIMIT = 20 if MANOR.endswith(".san") else 2
CASE = Path(__file__).resolve().parent.parent / "golden" / "domain-settled"
MANY = 2000
SPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "lab.example.org")


def mac(domain):
    octets = uuid.uuid5(SPACE, f"nic/{domain}/lan").bytes
    return "00:16:3e:%02x:%02x:%02x" % tuple(octets[:3])


def names():
    """Of domains whose derived MACs differ: with 2,000 of 16 million, two are alike now and then."""
    found = {}
    for i in range(MANY + 10):
        for word in ("guest", "other"):
            found.setdefault(mac(f"{word}-{i}"), f"{word}-{i}")
    kept = set(found.values())
    return [i for i in range(MANY + 10) if {f"guest-{i}", f"other-{i}"} <= kept][:MANY]


def manifest(domains):
    head = (CASE / "manifest.yaml").read_text().split("domains:\n")[0]
    head = re.sub(r"volumes:\n.*\n", "max_removals: 100\n", head)
    return head + "domains:\n" + "".join(
        f"  {d}: {{template: tiny, type: pvh, nics: {{lan: {{bridge: xenbr0}}}}}}\n" for d in domains)


def facts(domains):
    """The case's own, with its domain "lists" and that one's volume once for each name."""
    f = json.loads((CASE / "facts.json").read_text())
    lvs, guests = f["lvm"]["lvs"], f["xen"]["domains"]
    volume = next(v for v in lvs if v["name"] == "lists.root")
    guest = next(g for g in guests if g["name"] == "lists")
    lvs[:] = [v for v in lvs if v["name"] == "pool" or v["name"].startswith("base.")]
    guests[:] = []
    for n, name in enumerate(domains, 1):
        v, g = copy.deepcopy(volume), copy.deepcopy(guest)
        v["name"] = f"{name}.root"
        v["uuid"] = f"FaKe00-0000-0000-0000-0000-0001-{n:06}"
        v["tags"][:2] = [f"manor.id={uuid.uuid5(SPACE, f'volume/{name}.root')}",
                         f"manor.name={name}.root"]
        v["thin_id"] = n + 1
        g["domid"], g["name"], g["mark_name"] = n, name, name
        g["uuid"] = g["mark_uuid"] = str(uuid.uuid5(SPACE, f"domain/{name}"))
        g["disks"][0]["target"] = f"/dev/vg0/{name}.root"
        g["nics"][0].update(mac=mac(name), vif=f"vif{n}.0")
        lvs.append(v)
        guests.append(g)
    return f


def run(*words):
    """What it said, and the processor's seconds that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([MANOR, *words], capture_output=True, text=True, timeout=250)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout + done.stderr, took


def main():
    numbers = names()
    guests = [f"guest-{i}" for i in numbers]
    swapped = [f"{'other' if i % 2 else 'guest'}-{i}" for i in numbers]
    new = sum(name.startswith("other") for name in swapped)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        all_, half, newer, none, full = (os.path.join(folder, n)
                                         for n in ("all", "half", "newer", "none", "full"))
        Path(all_).write_text(manifest(guests))
        Path(half).write_text(manifest(swapped))
        Path(newer).write_text(manifest(swapped).replace("a1a1a1a1", "b2b2b2b2"))
        Path(none).write_text(json.dumps(facts([])))
        Path(full).write_text(json.dumps(facts(guests)))
        stories = [
            ("they are checked", ["check", "-f", all_], f"{MANY} domains"),
            ("they are to be made", ["plan", "-f", all_, "--facts", none],
             f"{2 * MANY} to add, 0 to change, 0 to remove"),
            ("all is as it should be", ["plan", "-f", all_, "--facts", full], "nothing to do"),
            ("half of them are replaced", ["plan", "-f", half, "--facts", full],
             f"{2 * new} to add, 0 to change, {2 * new} to remove"),
            ("half of them are replaced, as JSON",
             ["plan", "-f", half, "--facts", full, "--format", "json"], '"domain/other-1:create"'),
            ("half of them are replaced, by clones of a newer file",
             ["plan", "-f", newer, "--facts", full], f"{2 * new} to remove"),
        ]
        print(f"1..{len(stories)}")
        for n, (story, words, says) in enumerate(stories, 1):
            said, took = run(*words)
            wrong = []
            if says not in said:
                wrong.append(f"it doesn't say '{says}' but {said[-1000:]}")
            if took > LIMIT:
                wrong.append(f"it took {took:.1f} s, more than {LIMIT} s")
            failed += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {n} - of many domains: {story}")
            for text in wrong + [f"{took:.2f} s"]:
                print("# " + text.replace("\n", "\n# "))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
