# SPDX-License-Identifier: GPL-2.0-or-later
"""A manifest like the repository's own, on a host that has nothing yet: planned, applied, applied again."""
import hashlib
import json
import os
import subprocess

from lab import TINY, both_types, expect, same, test


@test
def plan_says_what_would_be_made_and_makes_nothing(host):
    before = host.picture()
    done = host.plan(both_types(), code=3)
    for word in ("bridge/xenbr0", "storage/vg0", "template/tiny", "volume/web-data", "domain/web", "domain/lists"):
        expect(word in done.out, f"plan doesn't name {word}", done)
    same(before, host.picture(), "what the host is, by a mere plan,")


@test
def apply_makes_bridge_pool_and_clones_and_starts_both_guests(host):
    host.apply(code=0)
    for name, kind in (("web", "pv"), ("lists", "pvh")):
        marker = host.guest_up(name)
        expect(marker["name"] == name, f"{kind} guest {name} prints another's marker", marker)
    volumes = host.volumes()
    expect(volumes["web.root"]["lv_size"] == str(256 << 20), "web.root isn't of the size asked for", volumes)
    for name in ("web.root", "lists.root"):
        expect(volumes[name]["origin"].startswith("base."), f"{name} is no clone of the base", volumes)
    bases = [v for name, v in volumes.items() if name.startswith("base.")]
    expect(len(bases) == 1 and bases[0]["lv_attr"][1] == "r", "there isn't one read-only base", volumes)
    expect("pool" in volumes and volumes["pool"]["lv_attr"].startswith("t"), "there is no thin pool", volumes)
    links = host.links()
    for name in ("web", "lists"):
        for interface, bridge in host.vifs(name).values():
            expect(bridge == "xenbr0", f"{name}'s {interface} is no port of xenbr0", links)


@test
def the_guests_reach_each_other_over_the_bridge(host):
    expect("ok" in host.say("web", "ping 10.155.200.3"), "web can't reach lists")
    expect("ok" in host.say("lists", "ping 10.155.200.1"), "lists can't reach the host")


@test
def applying_again_finds_nothing_to_do_and_changes_nothing(host):
    before = host.picture()
    done = host.apply(code=0)
    expect("nothing to do" in done.out, "apply doesn't say that there is nothing to do", done)
    host.plan(code=0)
    same(before, host.picture(), "what an apply with nothing to do must leave alone")


@test
def each_guest_has_a_disk_of_its_own_and_the_base_stays_as_it_was(host):
    size = int(subprocess.run(f"zstd -dcq {TINY}/root.img.zst | wc -c", shell=True, check=True,
                              stdout=subprocess.PIPE, text=True).stdout)
    image = subprocess.run(["zstd", "-dcq", os.path.join(TINY, "root.img.zst")], check=True,
                           stdout=subprocess.PIPE).stdout
    host.write_serial("web", "alpha")
    host.write_serial("lists", "beta")
    expect(host.serial("web") == "alpha", "web doesn't read what it wrote")
    expect(host.serial("lists") == "beta", "lists doesn't read what it wrote")
    base = next(name for name in host.volumes() if name.startswith("base."))
    digest = host.sh(f"lvchange -ay -K vg0/{base} && head -c {size} /dev/vg0/{base} | sha256sum; "
                     f"lvchange -an vg0/{base}").split()[0]
    expect(digest == hashlib.sha256(image).hexdigest(), "the base isn't the image byte for byte")


@test
def plan_from_facts_says_the_same_offline(host):
    host.sh("manor facts > /run/facts.json")
    facts = json.loads(host.sh("cat /run/facts.json"))
    expect(facts, "facts are empty")
    host.manor("plan", "-f", "/etc/manor/lab.yaml", "--facts", "/run/facts.json", code=0)
    more = both_types()
    more["domains"]["web"]["memory"] = "192MiB"
    host.write(more)
    done = host.manor("plan", "-f", "/etc/manor/lab.yaml", "--facts", "/run/facts.json", code=3)
    expect("domain/web" in done.out and "live" in done.out, "the change isn't seen offline", done)
    host.write(both_types())


@test
def status_shows_both_guests_running_and_json_the_same(host):
    done = host.manor("status")
    for name in ("web", "lists"):
        line = [text for text in done.out.splitlines() if text.startswith(name)]
        expect(line and "running" in line[0], f"status doesn't show {name} running", done)
    status = json.loads(host.manor("status", "--format", "json").out)
    expect(status["converged"] is True, "status as JSON doesn't say converged", status.get("plan"))
    expect(status["domain"]["web"]["domid"] == host.domid("web"), "status' domid isn't Xen's", status["domain"])
