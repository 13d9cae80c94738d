#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Manifests against `manor check`. Bad ones: exit 2, the right codes at the right places, in both
formats. Good ones: exit 0, and nothing to complain of.

bad/NAME.yaml begins with "# expect: LINE:COLUMN CODE[, ...]": all that is to be said, no more; of a file
that it includes, FILE:LINE:COLUMN. Lines "# says: TEXT" below give parts of the text that a person sees.
TAP.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MANOR = os.environ.get("MANOR", "build/manor")
CRASHES = ("AddressSanitizer", "runtime error", "LeakSanitizer")
KEYS = {"file", "line", "column", "end_line", "end_column", "severity", "code", "message"}


def run(path, *options):
    return subprocess.run([MANOR, "check", "-f", path, *options], capture_output=True, cwd=HERE,
                          timeout=60)


def complaint(path):
    """What is wrong, or None."""
    name = str(path.relative_to(HERE))
    first = path.read_text(errors="replace").split("\n", 1)[0]
    expected = [e.strip().split(" ") for e in first.removeprefix("# expect:").split(",")]
    found = run(name, "--format", "json")
    if found.returncode != 2 or any(c in found.stderr.decode(errors="replace") for c in CRASHES):
        return f"ended with {found.returncode}: {found.stderr.decode(errors='replace')[-2000:]}"
    diags = json.loads(found.stdout)
    for d in diags:
        if not KEYS <= d.keys() or min(d["line"], d["column"], d["end_line"], d["end_column"]) < 1:
            return f"not a whole diagnostic: {d}"
        if (d["end_line"], d["end_column"]) < (d["line"], d["column"]):
            return f"ends before it begins: {d}"
    files = list(dict.fromkeys([name] + [d["file"] for d in diags]))
    places = [(files.index(d["file"]), d["line"], d["column"]) for d in diags]
    if places != sorted(places):
        return f"not in the order of the files: {places}"
    for d in diags:
        if (d["file"] == name) != ("included_from" not in d):
            return f"it isn't said how it came in: {d}"
    said = [f"{d['file']}:{d['line']}:{d['column']} {d['code']}" for d in diags]
    expected = [(f"{path.parent.name}/{place}" if place.count(":") > 1 else f"{name}:{place}", code)
                for place, code in expected]
    if sorted(said) != sorted(f"{place} {code}" for place, code in expected):
        return f"expected {expected}, got {said}"
    text = run(name)
    out = text.stderr.decode()
    if text.returncode != 2 or text.stdout:
        return f"as text it ended with {text.returncode} and said {text.stdout[:200]}"
    for line in path.read_text(errors="replace").split("\n"):
        if line.startswith("# says: ") and line.removeprefix("# says: ") not in out:
            return f"as text it lacks '{line}': {out}"
    for d in diags:
        if f"{d['file']}:{d['line']}:{d['column']}: {d['severity']}: " not in out:
            return f"as text it says {out}"
    if b"\x1b" in text.stderr:
        return "colour where there is no terminal"
    return None


def objection(path):
    """What is said against a manifest that is good, or None."""
    name = str(path.relative_to(HERE))
    found, text = run(name, "--format", "json"), run(name)
    if found.returncode or json.loads(found.stdout) != [] or found.stderr:
        return f"ended with {found.returncode}: {found.stdout.decode()}{found.stderr.decode()}"
    if text.returncode or text.stderr or not text.stdout.startswith(f"{name}: sound".encode()):
        return f"ended with {text.returncode}: {text.stdout.decode()}{text.stderr.decode()}"
    return None


def main():
    files = sorted((HERE / "bad").glob("*.yaml")) + sorted((HERE / "good").glob("*.yaml"))
    print(f"1..{len(files)}")
    failed = 0
    for n, path in enumerate(files, 1):
        try:
            wrong = complaint(path) if path.parent.name == "bad" else objection(path)
        except (ValueError, OSError, subprocess.TimeoutExpired) as e:
            wrong = str(e)
        print(f"{'not ok' if wrong else 'ok'} {n} - {path.parent.name}/{path.stem}")
        if wrong:
            failed += 1
            print("# " + wrong.replace("\n", "\n# "))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
