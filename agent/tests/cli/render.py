#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `manor render` says of each guest of good/machines.yaml is what stands in render/NAME.cfg, and never a
password. UPDATE=1 writes these anew. TAP."""
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MANOR = os.path.abspath(os.environ.get("MANOR", "build/manor"))
MANIFEST = HERE / "good/machines.yaml"
DOMAINS = ("windows", "uefi", "netboot", "direct", "pbx", "own", "small")


def render(*words):
    return subprocess.run([MANOR, "render", *words, "-f", MANIFEST], capture_output=True, text=True, timeout=60)


def main():
    failed = 0
    print(f"1..{len(DOMAINS) + 1}")
    for number, name in enumerate(DOMAINS, 1):
        said, path = render(name), HERE / "render" / f"{name}.cfg"
        if os.environ.get("UPDATE"):
            path.write_text(said.stdout)
        good = said.returncode == 0 and said.stdout == path.read_text() and "secret" not in said.stdout + said.stderr
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name} in xl's words")
        if not good:
            print(f"# {said.returncode}\n# " + (said.stdout + said.stderr).replace("\n", "\n# "))
    said = render("nobody")
    good = said.returncode == 2 and "declares no domain 'nobody'" in said.stderr
    failed += not good
    print(f"{'ok' if good else 'not ok'} {len(DOMAINS) + 1} - one that there isn't is said")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
