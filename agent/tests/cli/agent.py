#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent and its clients, the real program in a world of its own: a network and folders that are no
host's. Bridges are made there and files fetched into the cache; Xen is absent. TAP.
"""
import contextlib
import http.server
import json
import os
import pty
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

MANOR = os.path.abspath(os.environ.get("MANOR", "build/manor"))
WATCHED = Path("/etc/manor/appliance.yaml")
IN_FORCE = Path("/var/lib/manor/manifest-in-force.json")
CRASHES = ("AddressSanitizer", "runtime error", "LeakSanitizer")
stories = []


class Failed(AssertionError):
    pass


def story(f):
    stories.append(f)
    return f


def expect(true, text, *more):
    if not true:
        raise Failed("\n".join([text, *(str(m) for m in more)]))


def wait_for(what, question, seconds=60):
    end = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.1)
    return answer


def manifest(*bridges, **more):
    """In JSON, which is YAML too."""
    return json.dumps({"manor": 1, "namespace": "cli.example.org", "max_removals": 100,
                       "bridges": {b: {} for b in bridges}, **more})


def links():
    return {link["ifname"] for link in
            json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout)}


def manor(*words, code=0, stdin=None, timeout=60):
    done = subprocess.run([MANOR, *words], input=stdin or "", capture_output=True, text=True,
                          timeout=timeout, check=False)
    done.all = done.stdout + done.stderr
    codes = code if isinstance(code, tuple) else (code,)
    expect(done.returncode in codes and not any(c in done.all for c in CRASHES),
           f"manor {' '.join(map(str, words))} ended with {done.returncode}, not {code}", done.all)
    return done


def on_terminal(*words, keys, code):
    """With a terminal to ask on: answers its question with those keys; what it said."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(MANOR, ["manor", *words])
    said = b""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            piece = os.read(fd, 4096)
        except OSError:  # the other end has closed it
            piece = b""
        said += piece
        if not piece:
            break
        if keys and b"[y/N]" in said:
            os.write(fd, keys)
            keys = b""
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    expect(os.waitstatus_to_exitcode(status) == code,
           f"manor {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}, not {code}",
           said.decode(errors="replace"))
    return said.decode(errors="replace")


@contextlib.contextmanager
def agent():
    """Running, with what it logs."""
    with tempfile.TemporaryFile("w+") as log:
        child = subprocess.Popen([MANOR, "agent"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        child.said = lambda: os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace")
        try:
            wait_for("the agent answers", lambda: status()["agent"], 30)
            yield child
            expect(child.poll() is None, "the agent ended", child.said())
        except Failed as e:
            raise Failed(f"{e}\n--- the agent said\n{child.said()}") from None
        finally:
            child.terminate()
            child.wait(60)
            said = child.said()
        expect(not any(c in said for c in CRASHES), "the agent crashed", said)


def status():
    """What the agent says of itself; None as "agent" where none runs."""
    WATCHED.parent.mkdir(exist_ok=True)
    done = subprocess.run([MANOR, "status", "--format", "json", "-f", "/etc/empty.yaml"], text=True,
                          capture_output=True, timeout=60, check=False)
    expect(done.returncode == 0, "no status", done.stdout + done.stderr)
    return json.loads(done.stdout)


def settled():
    """The agent's runs have ended."""
    def rests():
        return (s := status()["agent"]) and not s["running"] and "result" in s
    wait_for("the agent rests", rests)


def put(path, text):
    Path(path).parent.mkdir(exist_ok=True)
    new = Path(f"{path}.new")
    new.write_text(text)
    new.rename(path)


def in_force():
    return json.loads(IN_FORCE.read_text())["text"]


@story
def a_manifest_that_cannot_be_stored_is_not_applied():
    put("/etc/manor/a.yaml", manifest("one"))
    manor("apply", "--yes", "-f", "/etc/manor/a.yaml")
    put("/etc/manor/a.yaml", manifest("one", "two"))
    subprocess.run(["mount", "-o", "remount,ro", "/var/lib"], check=True)
    try:
        done = manor("apply", "--yes", "-f", "/etc/manor/a.yaml", code=1)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", "/var/lib"], check=True)
    expect("two" not in links(), "what is not in force was made", done.all)
    expect("nothing was changed" in done.all and "Read-only" in done.all, "it doesn't say why", done.all)
    manor("apply", "--yes", "-f", "/etc/manor/a.yaml")
    expect("two" in links(), "afterwards it isn't made")


@story
def a_question_declined_changes_nothing():
    put("/etc/manor/a.yaml", manifest("one"))
    for keys in (b"n\n", b"\n", b"\x04"):
        said = on_terminal("apply", "-f", "/etc/manor/a.yaml", keys=keys, code=1)
        expect("Nothing was done" in said and "one" not in links(), "it was done", said)
    expect(not IN_FORCE.exists(), "what was declined is in force")
    on_terminal("apply", "-f", "/etc/manor/a.yaml", keys=b"y\n", code=0)
    expect("one" in links(), "what was confirmed isn't done")


@story
def only_one_resource_of_a_new_file_is_not_undone_by_the_agent():
    put("/etc/manor/a.yaml", manifest("one"))
    with agent():
        manor("apply", "--yes", "-f", "/etc/manor/a.yaml")
        put("/etc/manor/b.yaml", manifest("one", "two", "three"))
        done = manor("apply", "--yes", "-f", "/etc/manor/b.yaml", "--only", "bridge/two", code=1)
        expect("refused" in done.all and "bridge/three" in done.all and "/etc/manor/a.yaml" in done.all,
               "it doesn't say what stands in the way", done.all)
        expect("two" not in links(), "part of what is not in force was made")
        manor("plan", "-f", "/etc/manor/b.yaml", "--only", "bridge/two", code=1)
        # Where it is the only change there is, the file comes into force.
        put("/etc/manor/b.yaml", manifest("one", "two"))
        manor("apply", "--yes", "-f", "/etc/manor/b.yaml", "--only", "bridge/two")
        expect("two" in links() and "two" in in_force(), "it isn't in force")
        settled()
        manor("apply", "--yes", "-f", "/etc/manor/b.yaml", "--only", "bridge/one")


@story
def only_one_resource_where_nothing_is_in_force_is_just_made():
    put("/etc/manor/a.yaml", manifest("one", "two"))
    manor("apply", "--yes", "-f", "/etc/manor/a.yaml", "--only", "bridge/two")
    expect(links() >= {"two"} and "one" not in links(), "not just that one is made", links())
    expect(not IN_FORCE.exists(), "the rest of it is in force")
    put("/etc/manor/a.yaml", manifest("one", "two", "three"))
    manor("apply", "--yes", "-f", "/etc/manor/a.yaml", "--only", "bridge/one")
    expect("one" in links() and "three" not in links(), "not just that one is made", links())


def clean():
    for link in links() - {"lo"}:
        subprocess.run(["ip", "link", "del", link], check=False)
    for folder in ("/var/lib/manor", "/etc/manor", "/run/manor"):
        subprocess.run(["rm", "-rf", folder], check=True)
    WATCHED.parent.mkdir()


def world():
    """Into it: nothing that is done here is seen outside."""
    if os.environ.get("MANOR_TEST_WORLD"):
        return True
    if os.geteuid() or subprocess.run(["unshare", "-mn", "true"], capture_output=True,
                                      check=False).returncode:
        print("1..0 # SKIP a world of its own needs root")
        return False
    with tempfile.TemporaryDirectory() as folder:
        script = f"""set -e
            cp -a /etc {folder}/etc; mount --bind {folder}/etc /etc
            for d in /run /var/lib; do mount -t tmpfs -o size=64m tmpfs $d; done
            mount -t sysfs sysfs /sys; ip link set lo up; rm -rf /etc/manor
            printf 'manor: 1\\nnamespace: cli.example.org\\n' >/etc/empty.yaml
            exec "$0" "$@" """
        sys.exit(subprocess.run(
            ["unshare", "-mn", "--propagation", "private", "bash", "-c", script, sys.executable,
             os.path.abspath(__file__), *sys.argv[1:]],
            env=dict(os.environ, MANOR_TEST_WORLD="1"), check=False).returncode)


def main():
    if not world():
        return 0
    chosen = [s for s in stories if not sys.argv[1:] or s.__name__ in sys.argv[1:]]
    print(f"1..{len(chosen)}", flush=True)
    bad = 0
    for n, s in enumerate(chosen, 1):
        words = s.__name__.replace("_", " ")
        try:
            clean()
            s()
            print(f"ok {n} - {words}", flush=True)
        except Exception as e:  # whatever it is, the others are told as well
            bad += 1
            print(f"not ok {n} - {words}")
            print("\n".join(f"# {line}" for line in f"{type(e).__name__}: {e}".split("\n")), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
