#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent and its clients, the real program in a world of its own: a network and folders that are no
host's. Bridges are made there and files fetched into the cache; Xen is absent. TAP.
"""
import contextlib
import fcntl
import hashlib
import http.server
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tap  # noqa: E402
from tap import CRASHES, Failed, expect, stories, story  # noqa: E402,F401

MANOR = os.path.abspath(os.environ.get("MANOR", "build/manor"))
WATCHED = Path("/etc/manor/appliance.yaml")
IN_FORCE = Path("/var/lib/manor/manifest-in-force.json")


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


def on_terminal(*words, keys, code, before=lambda: None):
    """With a terminal to ask on: answers its question with those keys, `before` which; what it said."""
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
            before()
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
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    new = Path(f"{path}.new")
    new.write_text(text)
    new.rename(path)


def in_force():
    return json.loads(IN_FORCE.read_text())["text"]


class Slow(http.server.ThreadingHTTPServer):
    """Serves one file, of which it gives only the beginning until it is let go."""
    CONTENT = b"kernel" * 1000

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.go, self.asked = threading.Event(), 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(Slow.CONTENT)))
            self.end_headers()
            self.wfile.write(Slow.CONTENT[:1000])
            self.server.go.wait(100)
            with contextlib.suppress(OSError):
                self.wfile.write(Slow.CONTENT[1000:])

        def log_message(self, *_):
            pass

    def guest(self, path="vmlinuz"):
        """The sections of a manifest whose one guest can't be made here, but its kernel fetched."""
        files = {"kernel": {"url": f"http://127.0.0.1:{self.server_port}/{path}",
                            "sha256": hashlib.sha256(self.CONTENT).hexdigest()}}
        return {"templates": {"t": {"files": files, "domain": {"kernel": "kernel", "memory": "64MiB"}}},
                "domains": {"g": {"template": "t", "type": "pv"}}}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.go.set()
        self.shutdown()
        self.server_close()


def cached():
    return Path("/var/lib/manor/cache", hashlib.sha256(Slow.CONTENT).hexdigest()).exists()


def under_way():
    return [s["id"] for s in (status()["agent"] or {}).get("under_way", [])]


@contextlib.contextmanager
def client(*words):
    child = subprocess.Popen([MANOR, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def interrupted(child, sent=signal.SIGINT):
    began = time.monotonic()
    child.send_signal(sent)
    said, _ = child.communicate(timeout=60)
    expect(child.returncode == 130, f"it ended with {child.returncode}, not 130", said)
    expect(time.monotonic() - began < 15, "the import was waited for", said)
    expect("stopped" in said, "it doesn't say so", said)


@story
def ctrl_c_ends_an_import_at_once_with_an_agent_and_without():
    with Slow() as server:
        put("/etc/manor/a.yaml", manifest("one", **server.guest()))
        with client("apply", "--yes", "-f", "/etc/manor/a.yaml") as child:
            wait_for("the import has begun", lambda: server.asked == 1)
            interrupted(child)
        with agent():
            wait_for("the agent goes on with it", lambda: server.asked == 2)
            wait_for("status says so", lambda: under_way() == ["template/t:create"])
        with agent():
            wait_for("told to end, it cut it off: it begins anew", lambda: server.asked == 3)
            put("/etc/manor/b.yaml", manifest("one", **server.guest("other")))
            with client("apply", "--yes", "-f", "/etc/manor/b.yaml") as child:
                wait_for("what is fetched for nobody ends", lambda: under_way() == [])
                child.communicate(timeout=60)
            wait_for("the agent goes on", lambda: server.asked == 4)
            with client("apply", "--yes", "-f", "/etc/manor/b.yaml") as child:
                child.communicate(timeout=60)
            server.go.set()
            wait_for("it is there", cached)
            with client("apply", "--yes", "-f", "/etc/manor/b.yaml") as child:
                child.communicate(timeout=60)


@story
def while_an_import_goes_on_all_else_is_done():
    with Slow() as server:
        put("/etc/manor/a.yaml", manifest("one", **server.guest()))
        with agent(), client("apply", "--yes", "-f", "/etc/manor/a.yaml") as child:
            wait_for("the import has begun", lambda: server.asked == 1)
            wait_for("the rest is done", lambda: "one" in links())
            subprocess.run(["ip", "link", "del", "one"], check=True)
            manor("apply", "--yes", "--only", "bridge/one", "-f", "/etc/manor/a.yaml")
            expect("one" in links(), "the bridge isn't made anew")
            done = manor("plan", "-f", "/etc/manor/a.yaml", code=1)
            expect("another run is still about it" in done.all, "plan doesn't say what goes on", done.all)
            server.go.set()
            child.communicate(timeout=60)
            expect(cached() and server.asked == 1, "the import did not come to its end")


@story
def the_agent_acts_beside_its_own_import_and_drops_one_no_longer_wanted():
    with Slow() as server:
        with agent() as a:
            put(WATCHED, manifest("one", **server.guest()))
            wait_for("the import has begun", lambda: server.asked == 1)
            wait_for("the rest is done", lambda: "one" in links())
            subprocess.run(["ip", "link", "del", "one"], check=True)
            a.send_signal(signal.SIGHUP)
            wait_for("what was changed by hand is mended", lambda: "one" in links(), 20)
            expect(server.asked == 1 and under_way() == ["template/t:create"], "not beside the import")
            put(WATCHED, manifest("one", "two", **server.guest("other")))
            wait_for("a new file is applied", lambda: "two" in links(), 20)
            wait_for("the other file is fetched", lambda: server.asked == 2)
            server.go.set()
            wait_for("and comes", cached)


@story
def a_client_hears_the_end_of_its_run_when_the_agent_is_told_to_stop():
    with Slow() as server:
        put("/etc/manor/a.yaml", manifest("one", **server.guest()))
        with agent() as a, client("apply", "--yes", "-f", "/etc/manor/a.yaml") as child:
            wait_for("the import has begun", lambda: server.asked == 1)
            began = time.monotonic()
            a.terminate()
            a.wait(60)
            expect(time.monotonic() - began < 10, "the agent waited for the import")
            said, _ = child.communicate(timeout=60)
            expect("skipped: stopped" in said and "not converged" in said, "it wasn't told", said)
            a.poll = lambda: None


@story
def a_client_reads_its_own_files_and_the_agent_none():
    sums = hashlib.sha256(b"x").hexdigest()
    text = manifest("one", "two", templates={"t": {"files": {"f": {
        "url": "http://localhost/f", "sha256": {"file": "sums"}}}}})
    put("/etc/manor/sums", f"{sums}  f\n")
    with agent():
        manor("apply", "--yes", "-f", "-", stdin=manifest("two"))
        expect("two" in links(), "a manifest on standard input was not applied")
        done = subprocess.run(["bash", "-c", f"cd /etc/manor; {MANOR} apply --yes -f <(cat)"], input=text,
                              text=True, capture_output=True, timeout=60, check=False)
        expect(done.returncode == 0 and "one" in links(), "nor one through a pipe", done)
        expect(sums in json.dumps(json.loads(IN_FORCE.read_text())["files"]), "what it names is not kept")
        os.mkfifo("/etc/manor/fifo")
        with client("apply", "--yes", "-f", "/etc/manor/fifo") as child:
            time.sleep(1)
            manor("apply", "--yes", "-f", "-", stdin=manifest("one", "two"), timeout=20)
            child.kill()
        os.rename("/etc/manor/fifo", WATCHED)
        os.close(os.open(WATCHED, os.O_RDWR | os.O_NONBLOCK))
        manor("apply", "--yes", "-f", "-", stdin=manifest("one", "two", "three"), timeout=20)
        put("/etc/manor/a.yaml", text.replace("sums", "fifo"))
        os.mkfifo("/etc/manor/fifo")
        done = manor("check", "-f", "/etc/manor/a.yaml", code=2, timeout=20)
        expect("no regular file" in done.all, "a pipe is waited for", done.all)


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
def a_file_that_could_not_be_stored_is_tried_again():
    with agent():
        subprocess.run(["mount", "-o", "remount,ro", "/var/lib"], check=True)
        try:
            put(WATCHED, manifest("one"))
            wait_for("it failed", lambda: (status()["agent"] or {}).get("result") == "failed")
        finally:
            subprocess.run(["mount", "-o", "remount,rw", "/var/lib"], check=True)
        wait_for("it is applied", lambda: "one" in links(), 30)


@story
def status_says_that_the_file_is_bad_or_refused_until_it_is_in_force():
    def said():
        return (status()["agent"] or {}).get("not_in_force")
    with agent():
        put(WATCHED, manifest("one", "two"))
        wait_for("it is applied", lambda: "two" in links())
        settled()
        expect(said() is None, "something is wrong with a good file", said())
        text = manor("status").stdout
        expect("ago: all was done" in text or "ago: nothing was to be done" in text, "not how the agent fared", text)
        put(WATCHED, manifest("one").replace("bridges", "bridgets"))
        bad = wait_for("a bad one is told", said)
        time.sleep(1)
        expect(bad["result"] == "bad" and "bridgets" in bad["text"] and bad["since"], "not of it all", bad)
        text = manor("status").stdout
        expect(f"NOT IN FORCE: {WATCHED} is bad since" in text, "nor as text", text)
        expect(re.search(rf"as the manifest in force says: {WATCHED} \(sha256 .*…, in force for [1-9]\d*s\)", text),
               "nor which one is in force", text)
        text = manor("status", "-f", "/etc/empty.yaml").stdout
        expect(f"in force is {WATCHED} (sha256" in text and "in force says" not in text and "in force for" not in text, "of another", text)
        put(WATCHED, json.dumps({"manor": 1, "namespace": "cli.example.org"}))
        wait_for("a refused one is told", lambda: (said() or {}).get("result") == "refused")
        put(WATCHED, manifest("one", "two"))
        wait_for("a good one ends it", lambda: said() is None)


def named(text):
    """A manifest whose meaning stands in another file."""
    return manifest("one", templates={"t": {"files": {"f": {
        "url": "http://localhost/f", "sha256": {"file": text}}}}})


def seen_again(agent, times):
    wait_for("the change is seen", lambda: agent.said().count("the manifest changed") >= times, 20)
    settled()


@story
def a_change_is_seen_through_links_replaced_folders_and_named_files():
    sums = f"{hashlib.sha256(b'x').hexdigest()}  f\n"
    Path("/etc/real/v1").mkdir(parents=True)
    Path("/etc/real/v2").mkdir()
    try:
        put("/etc/real/v1/appliance.yaml", manifest("one"))
        put("/etc/real/v2/appliance.yaml", manifest("one", "two"))
        os.symlink("v1", "/etc/real/now")
        os.symlink("/etc/real/now/appliance.yaml", WATCHED)
        with agent() as a:
            wait_for("it is applied", lambda: "one" in links())
            settled()
            os.symlink("v2", "/etc/real/new")
            os.rename("/etc/real/new", "/etc/real/now")
            wait_for("a link that leads elsewhere is seen", lambda: "two" in links(), 20)
            put("/etc/real/v2/appliance.yaml", manifest("one", "two", "three"))
            wait_for("and a change there", lambda: "three" in links(), 20)
            Path("/etc/other").mkdir()
            put("/etc/other/appliance.yaml", manifest("one", "two", "three", "four"))
            os.rename("/etc/manor", "/etc/manor.old")
            os.rename("/etc/other", "/etc/manor")
            wait_for("a folder replaced is seen", lambda: "four" in links(), 20)
            settled()
            times = a.said().count("the manifest changed")
            put(WATCHED, named("sums"))
            seen_again(a, times + 1)
            expect(status()["agent"]["not_in_force"]["result"] == "bad", "a file that isn't there is fine")
            put("/etc/manor/sums", sums)
            seen_again(a, times + 2)
            expect("not_in_force" not in status()["agent"], "it is bad still", status()["agent"])
            put("/etc/manor/sums", sums + "\n")
            seen_again(a, times + 3)
        with agent() as a:
            settled()
            expect("the manifest is new" not in a.said(), "what was looked at is news", a.said())
        put("/etc/manor/sums", sums)
        with agent() as a:
            settled()
            expect("the manifest is new" in a.said(), "a change meanwhile is no news", a.said())
    finally:
        subprocess.run(["rm", "-rf", "/etc/real", "/etc/other", "/etc/manor.old"], check=True)


def part(*bridges, **more):
    """An included file."""
    return json.dumps({"bridges": {b: {} for b in bridges}, **more})


@story
def what_could_not_be_read_is_unknown_and_no_line_of_the_manifest_is_at_fault():
    put("/etc/manor/a.yaml", manifest("one", **guests("t")))
    f = ("-f", "/etc/manor/a.yaml")
    done = manor("plan", *f, code=1)
    expect("2 of 3 resources differ from /etc/manor/a.yaml, 1 unknown" in done.stdout, "it is said to differ", done.all)
    expect("? domain/t-1  unknown: cannot read xen: " in done.stdout, "not why it is unknown", done.all)
    expect("2 to add, 0 to change, 0 to remove, 1 unknown." in done.stdout, "it counts as a change", done.all)
    done = manor("apply", "--yes", *f, code=1)
    expect("one" in links(), "the rest isn't done", done.all)
    for world in (contextlib.nullcontext, agent):
        with world():
            for done in (manor("plan", *f, code=1), manor("apply", "--yes", *f, code=1)):
                expect("a.yaml:" not in done.all, "the manifest is blamed", done.all)
                expect("1 of 3 resources unknown, the others are as /etc/manor/a.yaml says" in done.stdout,
                       "something differs", done.all)
            text = manor("status").stdout
            expect("not known whether as the manifest says: /etc/manor/a.yaml" in text, "it is not so", text)
            expect("Unknown:\n  domain/t-1  cannot read xen: " in text, "not why", text)
            expect("Not as it should be" not in text and "NOT as" not in text, "something isn't as it should be", text)


@story
def an_included_file_that_is_saved_is_applied():
    def bad():
        return (status()["agent"] or {}).get("not_in_force")
    put("/etc/manor/parts/net.yaml", part("two", include="deeper/net.yaml"))
    put("/etc/manor/parts/deeper/net.yaml", part("three"))
    with agent() as a:
        put(WATCHED, manifest("one", include=["parts/net.yaml"]))
        wait_for("all of it is applied", lambda: links() >= {"one", "two", "three"})
        settled()
        put("/etc/manor/parts/deeper/net.yaml", part("three", "four"))
        wait_for("a change two files away is applied", lambda: "four" in links(), 20)
        settled()
        # What is wrong there displaces nothing, and the agent needs none of the files meanwhile.
        os.rename("/etc/manor/parts/deeper/net.yaml", "/etc/manor/parts/deeper/away.yaml")
        wrong = wait_for("that it is gone is told", bad, 20)["text"]
        expect(wrong.startswith("/etc/manor/parts/net.yaml:1:"), "not where it is asked for", wrong)
        expect(f"included from {WATCHED}:1" in a.said(), "nor by whom that is included", a.said())
        subprocess.run(["ip", "link", "del", "four"], check=True)
        a.send_signal(signal.SIGHUP)
        wait_for("the agent keeps what was in force", lambda: "four" in links(), 20)
        settled()
        put("/etc/manor/parts/deeper/net.yaml", part("three", "one"))
        wait_for("a second bridge of a name is told", lambda: "twice" in (bad() or {"text": ""})["text"], 20)
        put("/etc/manor/parts/deeper/net.yaml", part("three", "five"))
        wait_for("a good one ends it", lambda: "five" in links() and not bad(), 20)
        settled()
    with agent() as a:
        settled()
        expect("the manifest is new" not in a.said(), "what was looked at is news", a.said())
    put("/etc/manor/parts/deeper/net.yaml", part("three"))
    with agent() as a:
        settled()
        expect("the manifest is new" in a.said(), "a change meanwhile is no news", a.said())


@story
def a_client_includes_its_own_files():
    put("/etc/manor/mine/a.yaml", manifest("one", include="parts/net.yaml"))
    put("/etc/manor/mine/parts/net.yaml", part("two"))
    manor("apply", "--yes", "-f", "/etc/manor/mine/a.yaml")
    expect("two" in links(), "what is included isn't made")
    with agent():
        put("/etc/manor/mine/parts/net.yaml", part("two", "three", "four"))
        done = manor("apply", "--yes", "-f", "/etc/manor/mine/a.yaml", "--only", "bridge/three", code=1)
        expect("not the manifest in force" in done.all and "bridge/four" in done.all,
               "an included file is no part of what is in force", done.all)
        done = manor("plan", "-f", "/etc/manor/mine/a.yaml", "--format", "json", code=3)
        expect("/etc/manor/mine/parts/net.yaml" in done.stdout, "plan names another file", done.all)
        put("/etc/manor/mine/parts/net.yaml", part("two", "three"))
        manor("apply", "--yes", "-f", "/etc/manor/mine/a.yaml", "--only", "bridge/three")
        kept = json.loads(IN_FORCE.read_text())["files"]
        expect(kept == {"/etc/manor/mine/parts/net.yaml": part("two", "three")}, "not all is kept", kept)
        subprocess.run(["rm", "-r", "/etc/manor/mine"], check=True)
        manor("plan", "-f", "/etc/manor/mine/a.yaml", code=2)


@story
def what_nothing_tells_of_is_seen_all_the_same():
    os.environ["MANOR_LOOK_EVERY"] = "1500000"
    try:
        with agent() as a:
            put(WATCHED, manifest("one"))
            wait_for("it is applied", lambda: "one" in links())
            settled()
            subprocess.run(["ip", "link", "del", "one"], check=True)
            wait_for("what went is made again", lambda: "one" in links(), 20)
            settled()
            lines = len(a.said().splitlines())
            time.sleep(4)
            quiet = [line for line in a.said().splitlines()[lines:] if "watch over Xen" not in line]
            expect(not quiet, "to look is worth a line in the log", quiet)
    finally:
        del os.environ["MANOR_LOOK_EVERY"]


@story
def a_question_declined_changes_nothing():
    put("/etc/manor/a.yaml", manifest("one"))
    for keys in (b"n\n", b"\n", b"\x04"):
        said = on_terminal("apply", "-f", "/etc/manor/a.yaml", keys=keys, code=1)
        expect("Nothing was done" in said and "one" not in links(), "it was done", said)
    said = on_terminal("apply", "-f", "/etc/manor/a.yaml", keys=b"\x03", code=130)
    expect("Nothing was done" in said and "one" not in links(), "Ctrl-C did something", said)
    with agent():
        said = on_terminal("apply", "-f", "/etc/manor/a.yaml", keys=b"\x03", code=130)
        expect("Nothing was done" in said and "one" not in links(), "Ctrl-C did something", said)
        on_terminal("apply", "-f", "/etc/manor/a.yaml", keys=b"n\n", code=1)
    expect(not IN_FORCE.exists(), "what was declined is in force")
    on_terminal("apply", "-f", "/etc/manor/a.yaml", keys=b"y\n", code=0)
    expect("one" in links(), "what was confirmed isn't done")


def somebody_acts(seconds):
    """Has the executor's lock for so long."""
    Path("/run/manor").mkdir(exist_ok=True)
    lock = open("/run/manor/executor.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    threading.Timer(seconds, lock.close).start()


@story
def a_short_wait_for_somebody_else_is_no_news_though_another_was_long_ago():
    put("/etc/manor/a.yaml", manifest("one"))
    somebody_acts(0.7)

    def then():
        somebody_acts(3)
        time.sleep(2.5)
    said = on_terminal("apply", "-f", "/etc/manor/a.yaml", keys=b"y\n", code=0, before=then)
    expect("one" in links() and "waiting" not in said, "it is told", said)
    somebody_acts(3)
    done = manor("apply", "--yes", "-f", "/etc/manor/a.yaml")
    expect("waiting" in done.all, "a long one isn't", done.all)


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


@story
def what_goes_counts_among_what_differs():
    put("/etc/manor/a.yaml", manifest("one", "two"))
    manor("apply", "--yes", "-f", "/etc/manor/a.yaml")
    put("/etc/manor/a.yaml", manifest())
    done = manor("plan", "-f", "/etc/manor/a.yaml", code=1)
    expect("2 of 2 resources differ" in done.all or "refused" in done.all, "of none", done.all)
    put("/etc/manor/a.yaml", manifest("three"))
    done = manor("plan", "-f", "/etc/manor/a.yaml", code=1)
    expect("3 of 3 resources differ" in done.all, "of one", done.all)


def guests(*templates):
    """Sections of a manifest: a guest of each template, whose kernel is a file here."""
    sections = {"templates": {}, "domains": {}}
    for name in templates:
        file = Path(f"/run/{name}")
        file.write_text(name * 1000)
        sections["templates"][name] = {
            "files": {"kernel": {"url": f"file://{file}", "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}},
            "domain": {"kernel": "kernel", "memory": "64MiB"}}
        sections["domains"][f"{name}-1"] = {"template": name, "type": "pv"}
    return sections


def images(*words):
    return {i.get("named"): i for i in json.loads(manor("image", "ls", "--format", "json", *words).stdout)}


@story
def images_are_pulled_by_template_and_nothing_else_is_done():
    sections = guests("t", "u", "v")
    sections["templates"]["idle"] = {"files": {"f": sections["templates"]["t"]["files"]["kernel"]}}
    put("/etc/manor/a.yaml", manifest("one", **sections))
    f = ("-f", "/etc/manor/a.yaml")
    expect(not images(*f), "there are images before any was fetched")
    manor("image", "pull", "w", *f, code=2)
    done = manor("image", "pull", "idle", *f)
    expect("no domain wants" in done.all, "it isn't said that it is wanted nowhere", done.all)
    manor("image", "pull", "template/u", *f)
    expect(set(images(*f)) == {"u/kernel"}, "not just that one came", images(*f))
    manor("image", "pull", *f)
    expect(set(images(*f)) == {"t/kernel, idle/f", "u/kernel", "v/kernel"}, "not all came", images(*f))
    expect("one" not in links() and not IN_FORCE.exists(), "more was done", links())
    manor("image", "verify", *f)
    # A template leaves; of another the file is damaged.
    digest = {name: i["digest"] for name, i in images(*f).items()}
    del sections["templates"]["v"], sections["domains"]["v-1"]
    put("/etc/manor/a.yaml", manifest("one", **sections))
    done = manor("image", "gc", "-n", *f)
    expect(digest["v/kernel"][:12] in done.all and digest["u/kernel"][:12] not in done.all, "not that one goes", done.all)
    said = on_terminal("image", "gc", *f, keys=b"n\n", code=1)
    expect(digest["v/kernel"][:12] in said and len(images(*f)) == 3, "a no is a yes", said, images(*f))
    on_terminal("image", "gc", *f, keys=b"y\n", code=0)
    expect(len(images(*f)) == 2, "it isn't gone", images(*f))
    with open(f"/var/lib/manor/cache/{digest['u/kernel']}", "r+b") as file:
        file.write(b"x")
    done = manor("image", "verify", *f, code=1)
    expect("wrong" in done.all, "it isn't noticed", done.all)
    manor("image", "rm", "--yes", digest["u/kernel"][:12], *f)
    done = manor("image", "verify", *f, code=1)
    expect("missing" in done.all, "that it is gone isn't noticed", done.all)
    with agent():
        manor("image", "pull", "u", *f)
    manor("image", "verify", *f)


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
             os.path.abspath(sys.argv[0]), *sys.argv[1:]],
            env=dict(os.environ, MANOR_TEST_WORLD="1"), check=False).returncode)


def main():
    return tap.tell(clean) if world() else 0


if __name__ == "__main__":
    sys.exit(main())
