#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `manor import` makes of configurations that people had, and have: import/NAME.cfg becomes import/NAME.yaml,
which is a sound manifest, and says NAME.err; import/bad/*.cfg are refused at their place. UPDATE=1 writes the manifests anew. TAP.

bad/NAME.cfg has a line "# expect: LINE:COLUMN", and lines "# says: TEXT" give parts of what a person sees.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
IMPORT = HERE / "import"
HOSTS = Path("../../system/stories")  # of people; stories.py tells of them
CLOCK = HOSTS / "clock/old/pbx.cfg"
MANOR = os.path.abspath(os.environ.get("MANOR", "build/manor"))
CRASHES = ("AddressSanitizer", "runtime error", "LeakSanitizer")
SECRETS = ("hush",)
STORIES = {
    "pygrub": "a guest that boots its own kernel",
    "pv-grub": "one that did so by Xen's old GRUB",
    "dhcp": "a diskless guest",
    "modern": "all that xl has words for",
    "pvh": "what can't be taken over is told",
    "pv-screen": "a machine's words where there is no machine",
    "sparse": "what isn't said at all",
    "cards": "guests that shared a line card, for they never ran at once",
    "nbd": "disks of another machine",
    "lost": "texts where lists belong, and a memory that is no number",
    "ends": "line ends of other systems, and a byte order mark",
}
SEVERAL = {"cards": ["cards-now.cfg", "cards-next.cfg"]}


def run(*words, cwd=IMPORT):
    return subprocess.run([MANOR, *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=60)


def manifest_of(files, folder, *words):
    """The text; its password files are made, as it asks for."""
    done = run("import", *files, "--namespace", "lab.example.org", *words)
    for name in re.findall(r"file: ([a-z0-9-]+\.vncpasswd)", done.stdout):
        (folder / name).write_text("secret\n")
    return done


def story(name, folder):
    """What is wrong with it, or None."""
    done = manifest_of(SEVERAL.get(name, [f"{name}.cfg"]), folder)
    asks = ".vncpasswd" in done.stdout
    golden = IMPORT / f"{name}.yaml"
    if os.environ.get("UPDATE"):
        golden.write_text(done.stdout)
    if any(secret in done.stdout + done.stderr for secret in SECRETS):
        return f"it tells the password: {done.stdout}{done.stderr}"
    # What a guest loses by it is told on the terminal as well.
    told = IMPORT / f"{name}.err"
    if os.environ.get("UPDATE") and done.stderr and not asks:
        told.write_text(done.stderr)
    if done.returncode != (1 if asks else 0) or (not asks and done.stderr != (told.read_text() if told.exists() else "")):
        return f"ended with {done.returncode}: {done.stderr}"
    if done.stdout != golden.read_text():
        return f"not as in {golden.name}:\n{done.stdout}"
    path = folder / golden.name
    path.write_text(done.stdout)
    checked = run("check", "-f", path)
    # What it warns of, the import has warned of already.
    if checked.returncode or re.findall(r": (?:warning|error): (.*)", checked.stderr) != \
            re.findall(r"^\(the manifest\):.*?: warning: (.*)", done.stderr, re.M):
        return f"not sound: {checked.stdout}{checked.stderr}"
    return None


def refusal(path):
    text = path.read_text(errors="replace")
    place = re.search(r"^# expect: (\d+:\d+)$", text, re.M).group(1)
    done = run("import", path.relative_to(IMPORT))
    said = done.stderr
    if done.returncode != 2 or done.stdout or any(word in said for word in CRASHES):
        return f"ended with {done.returncode}: {done.stdout}{said}"
    if not said.startswith(f"bad/{path.name}:{place}: error: "):
        return f"expected {place}: {said}"
    for part in re.findall(r"^# says: (.*)$", text, re.M):
        if part not in said:
            return f"it lacks '{part}': {said}"
    if "hush" in said.split("help:")[0]:
        return f"it tells the password: {said}"
    return None


def nothing(folder):
    """Files in which no setting stands are no domains of their files' names."""
    for name, text in (("empty", ""), ("lines", "\n\n"), ("mark", "\ufeff"), ("comments", "# memory = 64\n")):
        path = folder / f"{name}.cfg"
        path.write_text(text)
        done = run("import", path, IMPORT / "pvh.cfg")
        if done.returncode != 2 or done.stdout or "no setting stands in it" not in done.stderr or f"{path}:1:1: error: " not in done.stderr:
            return f"{name} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return None


def rendered(folder):
    """What `manor render` prints comes back as a sound manifest."""
    for path in sorted((HERE / "render").glob("*.cfg")):
        done = run("import", path, "-o", folder / f"{path.stem}.yaml", "--namespace", "lab.example.org")
        if done.returncode or done.stderr:
            return f"{path.name} ended with {done.returncode}: {done.stderr}"
        text = (folder / f"{path.stem}.yaml").read_text()
        for line in re.findall(r"^(?:memory|vcpus) = (\d+)$", path.read_text(), re.M):
            if line not in text:
                return f"{path.name} lacks {line}: {text}"
    return None


def duplicates(_folder):
    """Two of one name are an error; of one MAC the second gets one of its own."""
    first, later = (HOSTS / "first-steps" / when / "iSCSI1.cfg" for when in ("old", "later"))
    done = run("import", first, later)
    if done.returncode != 2 or done.stdout or f"{later}:6:1: error: " not in done.stderr or \
            f"in {first}:" not in done.stderr:
        return f"two of one name: {done.returncode}: {done.stdout}{done.stderr}"
    done = run("import", HOSTS / "exchange/old/asterisk12.cfg", "pvh.cfg", "--namespace", "lab.example.org")
    if done.returncode or "pvh.cfg:11:48: warning: domain 'small' has the MAC address" not in done.stderr or \
            done.stdout.count('mac: "00:16:3e:10:01:02"') != 1:
        return f"two of one MAC: {done.returncode}: {done.stdout}{done.stderr}"
    return None


def unsound(folder):
    """What a manifest can't hold together is told at once: two that write one disk."""
    (folder / "a.cfg").write_text("kernel='/k'\nmemory=64\ndisk=['file:/d,xvda,w']\n")
    (folder / "b.cfg").write_text("kernel='/k'\nmemory=64\ndisk=['file:/d,xvda,w']\n")
    done = run("import", "a.cfg", "b.cfg", "-o", "both.yaml", "--namespace", "x.org", cwd=folder)
    if done.returncode != 1 or "both.yaml:" not in done.stderr or "one of them may write it" not in done.stderr or \
            "not sound yet" not in done.stderr or not (folder / "both.yaml").exists():
        return f"{done.returncode}: {done.stdout}{done.stderr}"
    return None


def output(folder):
    """-o writes once, --force again, and a refusal leaves the file alone."""
    target = folder / "out.yaml"
    first = run("import", CLOCK, "-o", target, "--namespace", "lab.example.org")
    text = target.read_text()
    again = run("import", "dhcp.cfg", "-o", target)
    bad = run("import", "bad/quote.cfg", "-o", target, "--force")
    if first.returncode or first.stdout or again.returncode != 1 or "--force" not in again.stderr or \
            bad.returncode != 2 or target.read_text() != text or \
            text != run("import", CLOCK, "--namespace", "lab.example.org").stdout:
        return f"{first}\n{again}\n{bad}"
    forced = run("import", "dhcp.cfg", "-o", target, "--force")
    if forced.returncode or target.read_text() == text:
        return f"{forced}"
    return None


def usage(_folder):
    for words, code, part in ((["import"], 2, "which configurations?"),
                              (["import", "nobody.cfg"], 1, "nobody.cfg"),
                              (["import", CLOCK, "--namespace", "Lab!"], 2, "is not a namespace"),
                              (["import", "."], 1, "manor import: ")):
        done = run(*words)
        if done.returncode != code or part not in done.stderr or done.stdout:
            return f"{words}: {done}"
    done = run("import", CLOCK)
    if done.returncode or not re.search(r"^namespace: .*\S", done.stdout, re.M):
        return f"without a namespace: {done}"
    return None


def main():
    bad = sorted((IMPORT / "bad").glob("*.cfg"))
    tests = [(f"{n}: {what}", lambda d, n=n: story(n, d)) for n, what in STORIES.items()]
    tests += [(f"bad/{p.stem}", lambda _, p=p: refusal(p)) for p in bad]
    tests += [(f.__doc__ or f.__name__, f) for f in (nothing, rendered, duplicates, unsound, output, usage)]
    failed = 0
    print(f"1..{len(tests)}")
    for number, (name, test) in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            try:
                wrong = test(Path(folder))
            except (OSError, AttributeError, subprocess.TimeoutExpired) as e:
                wrong = repr(e)
        failed += wrong is not None
        print(f"{'not ok' if wrong else 'ok'} {number} - {name.splitlines()[0]}")
        if wrong:
            print("# " + wrong.replace("\n", "\n# "))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
