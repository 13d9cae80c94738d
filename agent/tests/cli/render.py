#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `manor render` says of each guest of good/machines.yaml is what stands in render/NAME.cfg, and never a
password; and what `manor import` reads of that is the same guest, whatever words it has. UPDATE=1 writes these anew. TAP."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MANOR = os.path.abspath(os.environ.get("MANOR", "build/manor"))
MANIFEST = HERE / "good/machines.yaml"
WORDS = HERE / "good/words.yaml"
DOMAINS = ("windows", "uefi", "netboot", "direct", "pbx", "own", "small", "words")
# Words of QEMU's own, which import doesn't take for what they do; a serial port, which machines have here unless they
# say otherwise; and the port for USB devices, which who has some has.
ONE_WAY = ("device_model_args_hvm", "serial", "usbctrl")


def run(*words):
    return subprocess.run([MANOR, *map(str, words)], capture_output=True, text=True, timeout=60)


def render(*words):
    return run("render", *words, "-f", WORDS if words == ("words",) else MANIFEST)


def settings(text):
    return [line for line in text.splitlines() if not line.lstrip().startswith(("#", *ONE_WAY))]


def there_and_back(name, text, folder):
    """What is another guest by then, or None."""
    there, manifest = folder / f"{name}.cfg", folder / f"{name}.yaml"
    there.write_text(text)
    read = run("import", there, "--namespace", "lab.example.org")
    manifest.write_text(read.stdout)
    back = run("render", name, "-f", manifest)
    if read.returncode or back.returncode or settings(back.stdout) != settings(text):
        return f"{text}{read.stdout}{read.stderr}{back.stdout}{back.stderr}"
    return None


def main():
    failed = 0
    print(f"1..{2 * len(DOMAINS) + 1}")
    for number, name in enumerate(DOMAINS, 1):
        said, path = render(name), HERE / "render" / f"{name}.cfg"
        if os.environ.get("UPDATE"):
            path.write_text(said.stdout)
        good = said.returncode == 0 and said.stdout == path.read_text() and "secret" not in said.stdout + said.stderr
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name} in xl's words")
        if not good:
            print(f"# {said.returncode}\n# " + (said.stdout + said.stderr).replace("\n", "\n# "))
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(DOMAINS, len(DOMAINS) + 1):
            wrong = there_and_back(name, render(name).stdout, Path(folder))
            failed += wrong is not None
            print(f"{'not ok' if wrong else 'ok'} {number} - {name} is the same guest when it is read back")
            if wrong:
                print("# " + wrong.replace("\n", "\n# "))
    said = render("nobody")
    good = said.returncode == 2 and "declares no domain 'nobody'" in said.stderr
    failed += not good
    print(f"{'ok' if good else 'not ok'} {2 * len(DOMAINS) + 1} - one that there isn't is said")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
