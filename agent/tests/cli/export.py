#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that others made guests on, as a manifest: what `manor export` says of the facts in export/host.json stands in
export/host.yaml, is sound, and leaves a plan nothing to do. What is in force comes along whole, and no password does.
UPDATE=1 writes the manifest anew. TAP."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent / "export"
MANOR = os.path.abspath(os.environ.get("MANOR", "build/manor"))
FACTS = HERE / "host.json"
CRASHES = ("AddressSanitizer", "runtime error", "LeakSanitizer")
results = []


def manor(*words, code=0, cwd=HERE):
    done = subprocess.run([MANOR, *words], capture_output=True, text=True, timeout=60, cwd=cwd)
    assert not any(c in done.stderr for c in CRASHES), done.stderr
    assert done.returncode == code, f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done


def export(*words, code=0):
    return manor("export", "--facts", FACTS, *words, code=code)


def plan(manifest, code=0):
    return json.loads(manor("plan", "-f", manifest, "--facts", FACTS, "--format", "json", code=code).stdout)


def test(story):
    try:
        story()
        why = None
    except AssertionError as e:
        why = str(e) or "no"
    results.append(why is None)
    print(f"{'ok' if why is None else 'not ok'} {len(results)} - {story.__name__.replace('_', ' ')}")
    if why:
        print("# " + why.replace("\n", "\n# "))


def what_others_made_is_told():
    said = export("--namespace", "lab.example.org").stdout
    if os.environ.get("UPDATE"):
        (HERE / "host.yaml").write_text(said)
    expected = (HERE / "host.yaml").read_text()
    assert said == expected, f"not as in host.yaml:\n{said}"
    assert '"*"' not in said, "a password's place is taken for one"


def a_plan_for_it_has_nothing_to_do():
    said = plan(HERE / "host.yaml")
    assert said["steps"] == [], said["steps"]
    notes = {n["subject"]: n["text"] for n in said["notes"]}
    for name in ("web", "h1", "m1", "pbx"):
        assert f"manor adopt domain/{name}" in notes[f"domain/{name}"], notes
    assert "used, and left as it is" in notes["bridge/xenbr0"], notes


def without_a_namespace_the_host_has_one():
    said = export().stdout
    assert "choose it now" in said, said


def what_is_in_force_comes_along_whole():
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.yaml"
        export("-f", "force/appliance.yaml", "-o", whole)
        text = whole.read_text()
        assert "hushhush" not in text and "vnc: {password" not in text and "include" not in text, text
        assert f"{HERE}/force/./vmlinuz" in text and f"{HERE}/force/images/root.img" in text, text
        before, after = plan(HERE / "force/appliance.yaml", code=1), plan(whole, code=1)
        # Without the password nothing else is another.
        assert [s["id"] for s in before["steps"]] == [s["id"] for s in after["steps"]][:len(before["steps"])], after
        assert len(after["steps"]) == len(before["steps"]), after["steps"]
        notes = [n["subject"] for n in after["notes"]]
        assert "domain/web" in notes and "bridge/xenbr0" in notes, notes
        # Told once, it is told no more; and a file that is there is kept.
        again = export("-f", whole).stdout
        assert again.count("uuid:") == text.count("uuid:"), again
        assert "--force replaces it" in export("-o", whole, code=1).stderr
        export("-o", whole, "--force")


def what_is_not_known_is_said():
    with tempfile.TemporaryDirectory() as folder:
        facts = json.loads(FACTS.read_text())
        facts["xen"] = {"unknown": "xenstored is gone"}
        path = Path(folder) / "facts.json"
        path.write_text(json.dumps(facts))
        done = manor("export", "--facts", path, code=1)
        assert "'xen' is not known" in done.stderr and "domains:" not in done.stdout, done.stdout + done.stderr


def a_record_that_makes_no_sense_is_survived():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "facts.json"
        for record in ("", "[]", "{", '{"b_info": [1], "vfbs": {}, "nics": [1, {"mac": 5}], "disks": 7}',
                       '{"b_info": {"type.hvm": {"boot": "zzz", "vnc": "x", "usbdevice_list": [1, "moon"]}}}'):
            facts = json.loads(FACTS.read_text())
            for d in facts["xen"]["domains"]:
                d["record"] = record
            path.write_text(json.dumps(facts))
            manor("export", "--facts", path)


def a_machine_with_a_card_and_less_memory_than_it_began_with_is_told_soundly():
    with tempfile.TemporaryDirectory() as folder:
        path, whole = Path(folder) / "facts.json", Path(folder) / "whole.yaml"
        facts = json.loads(FACTS.read_text())
        web, h1, m1, pbx = facts["xen"]["domains"]
        m1["pci"], pbx["pci"] = pbx["pci"], []
        m1["maxmem"] *= 2
        path.write_text(json.dumps(facts))
        manor("export", "--facts", path, "-o", whole)
        assert "it was started with 256 MiB" in whole.read_text(), whole.read_text()
        said = json.loads(manor("plan", "-f", whole, "--facts", path, "--format", "json").stdout)
        assert said["steps"] == [], said["steps"]


def names_are_made_fit_and_stay_apart():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "facts.json"
        facts = json.loads(FACTS.read_text())
        for d, name in zip(facts["xen"]["domains"], ("Web 1", "web.1", "web-1")):
            d["name"] = name
        path.write_text(json.dumps(facts))
        said = manor("export", "--facts", path).stdout
        assert "\n  web-1:" in said and "\n  web-1-2:" in said and "\n  web-1-3:" in said, said


def what_is_no_domain_is_not_adopted():
    said = manor("adopt", "bridge/xenbr0", code=2).stderr
    assert "only domains can be taken over" in said and "used as it is" in said, said
    assert "only domains" in manor("adopt", "storage/vg0", code=2).stderr
    assert "name a domain" in manor("adopt", code=2).stderr
    assert "declares no domain 'nobody'" in manor("adopt", "-f", "force/appliance.yaml", "domain/nobody", code=2).stderr


for story in (what_others_made_is_told, a_plan_for_it_has_nothing_to_do, without_a_namespace_the_host_has_one,
              what_is_in_force_comes_along_whole, what_is_not_known_is_said, a_record_that_makes_no_sense_is_survived,
              a_machine_with_a_card_and_less_memory_than_it_began_with_is_told_soundly, names_are_made_fit_and_stay_apart,
              what_is_no_domain_is_not_adopted):
    test(story)
print(f"1..{len(results)}")
sys.exit(not all(results))
