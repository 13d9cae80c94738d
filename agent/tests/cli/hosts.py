#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A manifest for many hosts, on a machine that is what the story says: the real program, with SMBIOS' numbers of its own.
The world is that of agent.py. TAP.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import agent as world  # noqa: E402
from agent import WATCHED, expect, links, manor, put, settled, story  # noqa: E402

world.stories.clear()
DMI = Path("/sys/class/dmi/id")
SERIAL, UUID = "CZJ3040ABC", "4c4c4544-0042-3510-8051-b7c04f4d3732"


def machine(serial=None, uuid=None):
    for name, text in (("product_serial", serial), ("product_uuid", uuid)):
        (DMI / name).unlink(missing_ok=True)
        if text is not None:
            (DMI / name).write_text(text + "\n")


def many(*bridges, **hosts):
    """In JSON, which is YAML too: bridges that all have, and hosts as they are given."""
    return world.manifest(*bridges, hosts=hosts)


HV1 = {"match": {"serial": SERIAL}, "bridges": {"mine": {}}}
HV2 = {"match": {"uuid": "11111111-2222-4333-8444-555555555555", "serial": SERIAL}, "bridges": {"other": {}}}
HV3 = {"match": {"mac": "52:54:00:12:34:03"}, "bridges": {"third": {}}}


@story
def a_machine_gets_what_all_have_and_its_own_part():
    machine(SERIAL)
    put(WATCHED, many("both", hv1=HV1, hv3=HV3))
    done = manor("plan", code=3)
    expect("manor: hv1: 2 of 2" in done.stdout, "it isn't called by its name", done.all)
    manor("apply", "--yes")
    expect(links() == {"lo", "both", "mine"}, "other bridges are there", links())
    manor("plan")
    expect("third" in world.in_force(), "not the whole file is in force", world.in_force())
    manor("apply", "--yes")


@story
def one_that_none_matches_is_told_who_it_is_and_changes_nothing():
    machine("To Be Filled By O.E.M.", UUID)
    put(WATCHED, many("both", hv1=HV1, hv3=HV3))
    for verb in ("plan", "apply"):
        done = manor(verb, *(["--yes"] if verb == "apply" else []), code=2)
        expect(f"UUID {UUID}" in done.stderr and "no network card" in done.stderr and
               "no serial ('To Be Filled By O.E.M.' is what makers leave there)" in done.stderr,
               "it isn't said which machine this is", done.all)
        expect("hosts" in done.stderr and ":1:" in done.stderr and "there are: hv1, hv3" in done.stderr,
               "nor at which place", done.all)
    with world.agent() as child:
        world.wait_for("the agent complains", lambda: "this machine is none of them" in child.said())
        settled()
    expect(links() == {"lo"}, "something was made", links())
    expect(not world.IN_FORCE.exists(), "it is in force")


@story
def the_agent_stays_with_what_is_in_force_where_a_new_file_knows_it_no_more():
    machine(SERIAL)
    put(WATCHED, many("both", hv1=HV1))
    with world.agent():
        world.wait_for("the bridges are there", lambda: links() == {"lo", "both", "mine"})
        settled()
        put(WATCHED, many("new", hv3=HV3))
        world.wait_for("status says so", lambda: "none of them" in
                       (world.status()["agent"].get("not_in_force") or {}).get("text", ""))
        settled()
        expect(links() == {"lo", "both", "mine"}, "something changed", links())
        put(WATCHED, many("both", "new", hv1=HV1))
        world.wait_for("it goes on with one that does", lambda: "new" in links())
        settled()


@story
def what_is_in_force_is_read_as_the_machine_is_now():
    machine(SERIAL)
    put(WATCHED, many("both", hv1=HV1, hv4={**HV3, "match": {"serial": "CZJ4"}}))
    manor("apply", "--yes")
    machine("CZJ9")
    with world.agent() as child:
        world.wait_for("the agent complains", lambda: "this machine is none of them" in child.said())
        settled()
        expect(links() == {"lo", "both", "mine"}, "something changed", links())
    done = manor("status", code=(0, 1, 2))
    expect("doesn't hold here any more" in done.all and "serial CZJ9" in done.all,
           "status doesn't say why", done.all)
    machine("CZJ4")
    with world.agent():
        world.wait_for("it is the other one now", lambda: "third" in links())
        settled()


@story
def two_that_match_one_machine_are_an_error_that_names_both():
    machine(SERIAL, UUID)
    text = "\n".join([
        "manor: 1", "namespace: cli.example.org", "hosts:", f"  by-serial: {{match: {{serial: {SERIAL}}}}}",
        f"  by-uuid: {{match: {{uuid: {UUID}}}}}", ""])
    put(WATCHED, text)
    manor("check")  # there may be machines for each
    done = manor("plan", code=2)
    for part in ("appliance.yaml:5:13: error: this machine is both 'by-serial' and 'by-uuid'",
                 "matches too", f"serial {SERIAL}"):
        expect(part in done.stderr, f"it lacks '{part}'", done.all)
    put(WATCHED, text.replace(f"uuid: {UUID}", f"uuid: {UUID}, serial: CZJ9"))
    manor("plan")


@story
def all_conditions_of_a_match_must_hold():
    machine(SERIAL, UUID)
    put(WATCHED, many(hv2=HV2, hv3=HV3))
    done = manor("plan", code=2)
    expect("none of them" in done.stderr, "one was enough", done.all)
    machine(SERIAL, HV2["match"]["uuid"].upper())
    done = manor("plan", code=3)
    expect("bridge/other" in done.stdout, "both are not enough", done.all)


@story
def one_host_is_looked_at_by_name_wherever_one_is():
    machine("CZJ9")
    put("/etc/manor/many.yaml", many("both", hv1=HV1, hv3=HV3))
    f = ["-f", "/etc/manor/many.yaml"]
    done = manor("check", *f)
    expect("2 hosts\n  hv1: 2 bridges\n  hv3: 2 bridges\n" in done.stdout, "not each is told", done.all)
    done = manor("check", "--host", "hv1", *f)
    expect("sound: 2 bridges\n" in done.stdout, "not that one is told", done.all)
    done = manor("check", "--host", "hv2", *f, code=2)
    expect("there is no host 'hv2'" in done.stderr and "hv1, hv3" in done.stderr, "it isn't said", done.all)
    done = manor("plan", "--host", "hv3", *f, code=3)
    expect("bridge/third" in done.stdout and "manor: hv3" in done.stdout, "another's plan", done.all)
    with world.agent():
        done = manor("plan", "--host", "hv3", *f, code=3)
        expect("bridge/third" in done.stdout, "the agent makes another's plan", done.all)
    done = manor("apply", "--yes", "--host", "hv3", *f, code=2)
    expect("unrecognized option" in done.stderr and links() == {"lo"}, "it can be applied", done.all)
    done = manor("check", "--host", "hv1", "-f", "/etc/empty.yaml", code=2)
    expect("for one host" in done.stderr, "it isn't said", done.all)
    put("/etc/manor/guests.yaml", world.manifest(hosts={
        name: {"match": {"serial": serial}, "domains": {"g": {"kernel": "/k", "memory": memory}}}
        for name, serial, memory in (("hv1", "A1", "64MiB"), ("hv2", "A2", "65MiB"))}))
    done = manor("render", "-f", "/etc/manor/guests.yaml", "--host", "hv2", "g")
    expect("memory = 65" in done.stdout, "another's guest", done.all)
    manor("render", "-f", "/etc/manor/guests.yaml", "g", code=2)


@story
def guests_of_one_name_on_two_hosts_are_warned_of_but_for_namespaces_of_their_own():
    guest = {"kernel": "/k", "memory": "64MiB", "nics": {"lan": {"bridge": "both"}}}
    one, two = ({"match": {"serial": serial}} for serial in ("A1", "A2"))
    for shared, own in (({"g": guest}, {}), ({}, {"g": guest})):
        text = json.loads(many("both", hv1={**one, "domains": own}, hv2={**two, "domains": own}))
        put("/etc/manor/many.yaml", json.dumps({**text, "domains": shared}))
        done = manor("check", "-f", "/etc/manor/many.yaml")
        expect(done.stderr.count("warning: ") == 1 and "so has one of host 'hv1'" in done.stderr, "no warning", done.all)
        text["hosts"]["hv2"]["namespace"] = "hv2.example.org"
        put("/etc/manor/many.yaml", json.dumps({**text, "domains": shared}))
        expect("warning" not in manor("check", "-f", "/etc/manor/many.yaml").stderr, "a warning all the same")
    put("/etc/manor/guest.yaml", json.dumps({"domains": {"g": guest}}))
    text = json.loads(many("both", hv1=one, hv2=two))
    put("/etc/manor/many.yaml", json.dumps({**text, "include": "guest.yaml"}))
    done = manor("check", "-f", "/etc/manor/many.yaml")
    expect("/etc/manor/guest.yaml:1:" in done.stderr and "warning" in done.stderr, "not of an included one", done.all)


@story
def facts_tell_which_machine_they_are_of():
    machine(SERIAL, UUID.upper())
    facts = json.loads(manor("facts", code=(0, 1)).stdout)
    expect(facts["machine"] == {"macs": [], "serial": SERIAL, "uuid": UUID}, "they don't", facts["machine"])
    put("/etc/manor/facts.json", json.dumps(facts))
    put("/etc/manor/many.yaml", many("both", hv1=HV1, hv3=HV3))
    offline = ["plan", "--facts", "/etc/manor/facts.json", "-f", "/etc/manor/many.yaml"]
    machine("CZJ9")
    done = manor(*offline, code=3)
    expect("bridge/mine" in done.stdout, "the plan is for this machine", done.all)
    done = manor(*offline, "--host", "hv3", code=3)
    expect("bridge/third" in done.stdout, "--host doesn't choose", done.all)
    del facts["machine"]
    put("/etc/manor/facts.json", json.dumps(facts))
    done = manor(*offline, code=2)
    expect("these facts don't tell" in done.stderr and "--host" in done.stderr,
           "of older facts it isn't said", done.all)
    manor(*offline, "--host", "hv3", code=3)
    put("/etc/manor/many.yaml", world.manifest("one"))
    manor(*offline, code=3)


@story
def the_console_says_who_it_is_and_why_there_is_no_manifest():
    machine(SERIAL)
    put("/run/manifest.tried", "  over eth0: http://10.0.0.1/a.yaml is a web page (HTML), not a manifest\n  no state partition\n")
    page = manor("screen", "--once").stdout
    expect(f"machine: no network card, serial {SERIAL}, no UUID\n" in page, "it doesn't say who it is", page)
    expect("NO MANIFEST" in page and "a web page (HTML)" in page and "no state partition" in page, "nor why", page)
    put(WATCHED, many("both", hv3=HV3))
    with world.agent():
        settled()
        page = manor("screen", "--once").stdout
        expect("this machine is none of them" in page and f"serial {SERIAL}" in page and "no state partition" in page and
               "NO MANIFEST" not in page, "of another's manifest it says", page)
    WATCHED.unlink()
    put("/etc/manor/elsewhere.yaml", many("both", hv1=HV1))
    manor("apply", "--yes", "-f", "/etc/manor/elsewhere.yaml")
    page = manor("screen", "--once").stdout
    expect("NO MANIFEST" not in page and "no state partition" not in page and "elsewhere.yaml" in page,
           "of one that came from elsewhere it says", page)


def initiator_name():
    """What iscsid would find after a boot."""
    etc = Path("/etc/iscsi/initiatorname.iscsi")
    put(etc, "GenerateName=yes\n")
    script = Path(__file__).resolve().parents[3] / "hv/appliance/files/usr/lib/manor/initiator-name"
    done = subprocess.run([script], capture_output=True, text=True, check=True)
    return etc.read_text(), done.stdout + done.stderr


@story
def its_iscsi_name_is_the_machines_own_and_stays():
    kept = Path("/var/lib/manor/iscsi/initiatorname.iscsi")
    machine(SERIAL, UUID)
    name, said = initiator_name()
    expect(re.fullmatch(r"InitiatorName=iqn\.1993-08\.org\.debian:01:[0-9a-f]{12}\n", name) and said == "", "it is no name", name, said)
    # Without a disk nothing is kept, and the next boot makes the same; firmware writes the same number in two ways.
    kept.unlink()
    machine(SERIAL, UUID.upper())
    expect(initiator_name()[0] == name and kept.read_text() == name, "another boot's is another")
    # Kept, it is the machine's though its board was changed.
    machine(SERIAL, UUID.replace("4c", "5d"))
    expect(initiator_name()[0] == name, "what was kept isn't taken")
    kept.unlink()
    expect(initiator_name()[0] != name, "another machine has the same")
    kept.write_text("# ours\nInitiatorName=iqn.2026-01.org.example:hv1\n")
    expect(initiator_name()[0] == "InitiatorName=iqn.2026-01.org.example:hv1\n", "one's own isn't taken")
    # No number, and no card either: Debian's own start makes one up.
    kept.unlink()
    for none in (None, "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
                 "03000200-0400-0500-0006-000700080009"):
        machine(None, none)
        name, said = initiator_name()
        expect(name == "GenerateName=yes\n" and "another at each boot" in said and not kept.exists(), f"of {none}: {name}", said)


def machine_of_its_own():
    """sysfs once more, and over its classes a folder in which SMBIOS can be what one wants."""
    subprocess.run(["bash", "-ec", """
        [[ ! -e /run/sys ]] || exit 0
        mkdir /run/sys; mount -t sysfs sysfs /run/sys; mount -t tmpfs tmpfs /sys/class
        for d in /run/sys/class/*; do [[ $d == */dmi ]] || ln -s "$d" /sys/class/; done
        mkdir -p /sys/class/dmi/id"""], check=True)


if __name__ == "__main__":
    if world.world():
        machine_of_its_own()
        sys.exit(world.main())
