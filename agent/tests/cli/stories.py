#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Five hosts that people ran, each a folder of system/stories: what it was told then (old/*.cfg, imported.yaml is what
`manor import` makes of them), and what it is told now (appliance.yaml). Here without a host: the one is what it was, the
other is sound and plans on a bare machine as plan.txt says, asks libxl for what libxl.txt says, comes to rest there whatever
call fails, and both speak of the same guests. UPDATE=1 writes imported.yaml, plan.txt and libxl.txt anew. TAP.
"""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
STORIES = TOP / "agent/tests/system/stories"
MANOR = os.path.abspath(os.environ.get("MANOR", TOP / "build/manor"))
HARNESS = os.path.abspath(os.environ.get("GOLDEN", TOP / "build/obj/tests/golden/harness"))
HOSTS = ("exchange", "first-steps", "quiet-server", "clock", "laboratory")
GOLDEN = ("plan.txt", "libxl.txt")
TINY = ("root.img.zst", "vmlinuz", "initrd.img")
# What the lab has less of, and what became of 63 MB: (then, now).
SHRUNK = {"quiet-server": {"dns": {"memory": (63, 112)}},
          "clock": {"pbx": {"memory": (512, 256), "vcpus": (2, 1)}},
          "laboratory": {"etch": {"memory": (512, 192)}}}
# Disks that are no more: an ISO that was in its drive has a name of its own now, a second disk was another's converted copy.
OTHER_DISKS = {"xp": {"xvdb", "xvdc", "xvdd"}}

# What is warned of in what it was told then, and nothing else.
WARNS = {"later": "warning: whoever reaches 0.0.0.0 has the screen and keyboard of domain 'iscsi1'"}


def run(*words, cwd):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, cwd=cwd, timeout=200)


def quiet(old, said):
    """Nothing is warned of but what is expected."""
    return said.count("warning: ") == said.count(WARNS[old]) == 1 if old in WARNS else not said


def imported(name, folder, old="old", into="imported.yaml"):
    """What is wrong with the manifest of its old configurations, or None."""
    here = STORIES / name
    files = sorted(str(p.relative_to(here)) for p in (here / old).glob("*.cfg"))
    done = run(MANOR, "import", *files, "--namespace", "test.example.org", cwd=here)
    asks = re.findall(r"file: ([a-z0-9-]+\.vncpasswd)", done.stdout)
    golden = here / into
    if os.environ.get("UPDATE"):
        golden.write_text(done.stdout)
    if done.returncode != (1 if asks else 0) or not (asks or quiet(old, done.stderr)) or "hush" in done.stdout + done.stderr:
        return f"ended with {done.returncode}: {done.stdout}{done.stderr}"
    if done.stdout != golden.read_text():
        return f"not as in {golden}:\n{done.stdout}"
    for password in asks:
        (folder / password).write_text("secret\n")
    (folder / "imported.yaml").write_text(done.stdout)
    checked = run(MANOR, "check", "-f", "imported.yaml", cwd=folder)
    if checked.returncode or not quiet(old, checked.stderr):
        return f"not sound: {checked.stdout}{checked.stderr}"
    return None


def placed(name, folder):
    """The new manifest where it finds what it names: templates as installed, digests of images that nobody fetches."""
    text = (STORIES / name / "appliance.yaml").read_text()
    (folder / "manifest.yaml").write_text(text.replace("/usr/share/manor/", ""))
    shutil.copytree(TOP / "templates", folder / "templates")
    for image, files in (("tiny/out", TINY), ("tiny32/out", TINY), ("pbx", ("pbx.tar.zst",))):
        (folder / "images" / image).mkdir(parents=True)
        (folder / "images" / image / "SHA256SUMS").write_text(
            "".join(f"{hashlib.sha256(file.encode()).hexdigest()}  {file}\n" for file in files))
    shutil.copy(STORIES / "facts.json", folder)
    for golden in GOLDEN:
        if (STORIES / name / golden).exists():
            shutil.copy(STORIES / name / golden, folder)


def anew(name, folder):
    """What is wrong with the new manifest, or None."""
    placed(name, folder)
    checked = run(MANOR, "check", "-f", "manifest.yaml", cwd=folder)
    if checked.returncode or checked.stderr:
        return f"not sound: {checked.stdout}{checked.stderr}"
    planned = run(MANOR, "plan", "-f", "manifest.yaml", "--facts", "facts.json", cwd=folder)
    if planned.returncode != 3 or planned.stderr:
        return f"plan ended with {planned.returncode}: {planned.stdout}{planned.stderr}"
    done = subprocess.run([HARNESS, str(folder)], capture_output=True, text=True, timeout=250, check=False,
                          env={**os.environ, **({"GOLDEN_UPDATE": "1"} if os.environ.get("UPDATE") else {})})
    if os.environ.get("UPDATE"):
        for golden in GOLDEN:
            shutil.copy(folder / golden, STORIES / name)
    if done.returncode:
        return f"ended with {done.returncode}: {done.stdout}{done.stderr}"
    return None


def words_of(manifest, name, folder):
    """A guest in xl's words, which are the same whoever wrote the manifest: {word: value}."""
    done = run(MANOR, "render", name, "-f", manifest, cwd=folder)
    if done.returncode:
        raise ValueError(f"render {name} of {manifest}: {done.stderr}")
    found = dict(re.findall(r'^(\w+) = "?([^"\n\[]+)"?$', done.stdout, re.M))
    found["mac"] = re.findall(r"mac=([0-9a-f:]+)", done.stdout)
    found["pci"] = re.findall(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", done.stdout)
    # The first IDE and the first SCSI disk are Xen's first, to a kernel of today.
    found["vdevs"] = {"xvd" + re.sub(r"^(xvd|hd|sd)", "", vdev) for vdev in re.findall(r"vdev=(\w+)", done.stdout)}
    found["read-only"] = {"xvd" + re.sub(r"^(xvd|hd|sd)", "", vdev)
                          for vdev in re.findall(r"vdev=(\w+), access=ro", done.stdout)}
    return found


def same_guests(name, folder):
    """Who is told of then is there now, as what matters says."""
    wrong = imported(name, folder)
    if wrong:
        return wrong
    placed(name, folder)
    guests = [re.sub(r"[^a-z0-9-]", "-", re.search(r'^name *= *"(.*)"', p.read_text(), re.M).group(1).lower())
              for p in sorted((STORIES / name / "old").glob("*.cfg"))]
    for guest in guests:
        then, now = words_of("imported.yaml", guest, folder), words_of("manifest.yaml", guest, folder)
        shrunk = SHRUNK.get(name, {}).get(guest, {})
        for word in ("type", "memory", "vcpus", "mac", "pci", "vdevs", "read-only"):
            was, is_ = then.get(word), now.get(word)
            if word in shrunk:
                was, is_ = (int(was), int(is_)), shrunk[word]
            elif word in ("vdevs", "read-only"):
                was, is_ = was - OTHER_DISKS.get(guest, set()), is_ - OTHER_DISKS.get(guest, set())
            if was != is_:
                return f"{guest}: {word} was {was}, and is {is_}"
    return None


def main():
    json.loads((STORIES / "facts.json").read_text())
    tests = []
    for name in HOSTS:
        tests += [(f"{name}: what it was told then is a manifest", lambda d, n=name: imported(n, d)),
                  (f"{name}: what it is told now is sound, and comes to rest", lambda d, n=name: anew(n, d)),
                  (f"{name}: they speak of the same guests", lambda d, n=name: same_guests(n, d))]
    tests.append(("first-steps: later, with its disk on the network",
                  lambda d: imported("first-steps", d, "later", "later/imported.yaml")))
    failed = 0
    print(f"1..{len(tests)}")
    for number, (name, test) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                wrong = test(Path(folder))
            except (OSError, ValueError, AttributeError, subprocess.TimeoutExpired) as e:
                wrong = repr(e)
        failed += wrong is not None
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}", flush=True)
        if wrong:
            print("# " + wrong.replace("\n", "\n# "))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
