#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong with a file from afar, as whoever applies a manifest sees it: one error, at the line of the manifest
that it is about; nothing half-made is left in the cache; and once the cause is mended the same apply goes on. TAP.
"""
import contextlib
import hashlib
import http.server
import io
import os
import re
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
import agent  # noqa: E402
from agent import expect, manor, put  # noqa: E402

agent.stories.clear()
CONTENT = b"a kernel, more or less " * 50000
CACHE = Path("/var/lib/manor/cache")
MANIFEST = "/etc/manor/faults.yaml"


def story(*, mend=None, url="{server}/kernel", data=CONTENT, digest=None, says=(), at="url", **fields):
    """A fault by name: what the server does wrong (the decorated function answers), what the file says in the manifest,
    where the error is to stand and what it is to say, and how the cause is mended where that isn't the server's matter."""
    def add(answer):
        def run():
            case(answer, url, data, digest, fields, at, says, mend)
        run.__name__ = answer.__name__
        agent.stories.append(run)
        return answer
    return add


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, answer, data):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.answer, self.data = answer, data
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """Whoever asked may go when he has seen enough."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def head(self, status, length=None, **more):
            self.send_response(status)
            if length is not None:
                self.send_header("Content-Length", str(length))
            for name, value in more.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def whole(self, data=None):
            data = self.server.data if data is None else data
            self.head(200, len(data))
            self.wfile.write(data)

        def reset(self):
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        def do_GET(self):
            self.server.answer(self)

        def log_message(self, *_):
            pass


def write(url, digest, fields):
    """One guest, which can't be made here, but its kernel fetched; the text."""
    lines = ["manor: 1", "namespace: cli.example.org", "templates:", "  t:", "    files:", "      kernel:",
             f"        url: \"{url}\"", f"        sha256: {digest}"]
    lines += [f"        {key}: {value}" for key, value in fields.items()]
    lines += ["    domain: {kernel: kernel, memory: 64MiB}", "domains:", "  g: {template: t, type: pv}", ""]
    text = "\n".join(lines)
    put(MANIFEST, text)
    return text


def cites(done, text, key, says):
    number = next(n for n, line in enumerate(text.split("\n"), 1) if line.startswith(f"        {key}:"))
    errors = re.findall(r"^(\S+):(\d+):(\d+): error: (.*(?:\n(?!\S+:\d+:\d+: ).*)*)", done.all, re.M)
    errors = [e for e in errors if "domain 'g'" not in e[3]]  # that Xen isn't here
    expect(len(errors) == 1, f"there are {len(errors)} errors with a place, not one", done.all)
    path, line, column, words = errors[0]
    expect((path, int(line)) == (MANIFEST, number) and int(column) > 8,
           f"the error stands at {path}:{line}:{column}, not in line {number} ({key})", done.all)
    for word in says:
        expect(word in words, f"the error doesn't say '{word}'", words)


def in_cache():
    return sorted(p.name for p in CACHE.glob("*")) if CACHE.exists() else []


def case(answer, url, data, digest, fields, at, says, mend):
    name = hashlib.sha256(data).hexdigest()
    with Server(answer, data) as server:
        where = f"http://127.0.0.1:{server.server_port}"
        fields = {key: value for key, value in fields.items()}
        text = write(url.format(server=where, https=where.replace("http:", "https:")), digest or name, fields)
        start = time.monotonic()
        done = manor("apply", "--yes", "-f", MANIFEST, code=1, timeout=100)
        cites(done, text, at, says)
        expect(time.monotonic() - start < 60, "it took too long", done.all)
        expect(in_cache() == [], "something was left", in_cache())

        server.answer = Server.Handler.whole
        if mend:
            server.data, fields = mend(server.data, fields)
        name = hashlib.sha256(server.data).hexdigest()
        text = write(f"{where}/kernel", name, fields)
        done = manor("apply", "--yes", "-f", MANIFEST, code=(0, 1), timeout=100)
        wanted = hashlib.sha256(f"{name}/{fields['member']}".encode()).hexdigest() if "member" in fields else name
        expect(wanted in in_cache(), "it didn't come once the cause was mended", done.all, in_cache())
        expect(not [p for p in in_cache() if p.endswith(".part")], "something was left", in_cache())
        server.shutdown()


# --- the server -----------------------------------------------------------------------------------

@story(says=["not found", "404"])
def a_file_that_is_not_there(h):
    h.head(404, 0)


@story(says=["403"])
def a_file_that_nobody_may_have(h):
    h.head(403, 0)


@story(says=["redirects"])
def a_redirect_loop(h):
    h.head(302, 0, Location=h.path)


@story(says=["file"])
def a_redirect_to_a_file_of_this_host(h):
    h.head(302, 0, Location="file:///etc/passwd")


@story(at="time_limit", says=["not done within 1s"], time_limit="1s", mend=lambda data, fields: (data, {}))
def a_slow_drip(h):
    h.head(200, len(CONTENT))
    for i in range(100):
        h.wfile.write(CONTENT[i:i + 1])
        h.wfile.flush()
        time.sleep(0.1)


@story(at="time_limit", says=["not done within 1s"], time_limit="1s", mend=lambda data, fields: (data, {}))
def a_server_that_says_nothing(_):
    time.sleep(10)


@story(says=["broken off after"])
def connections_that_are_reset_again_and_again(h):
    """Five in a row that bring next to nothing are enough; the waits between are shorter for 408 than they look."""
    h.head(200, len(CONTENT))
    h.wfile.write(CONTENT[:1000])
    h.reset()


@story(says=["changed while it was fetched"])
def a_file_that_becomes_shorter(h):
    if h.headers["Range"]:
        h.head(416, 0)
        return
    h.head(200, len(CONTENT))
    h.wfile.write(CONTENT[:100000])
    h.reset()


@story(says=["changed while it was fetched"])
def a_file_that_never_stays_the_same(h):
    h.head(200, len(CONTENT), ETag=f'"{time.monotonic_ns()}"')
    h.wfile.write(CONTENT[:100000])
    h.reset()


@story(says=["web page"])
def a_web_page(h):
    h.whole(b"<!DOCTYPE html><html><body>Please log in</body></html>")


@story(at="sha256", says=["is not the file asked for", "sha256 is"])
def another_file(h):
    h.whole(b"x" + CONTENT)


@story(at="sha256", says=["is not the file asked for"])
def a_file_cut_off_that_seems_whole(h):
    h.whole(CONTENT[:-1])


@story(at="size", size="1MiB", says=["larger than it may be"],
       mend=lambda data, fields: (data, {"size": "4MiB"}))
def more_than_it_may_be(h):
    h.whole()


@story(at="size", size="1MiB", says=["larger than it may be"],
       mend=lambda data, fields: (data, {"size": "4MiB"}))
def more_than_it_may_be_and_never_says_how_much(h):
    h.head(200, Connection="close")
    with contextlib.suppress(OSError):
        while True:
            h.wfile.write(CONTENT)


def the_proxy_of_the_environment_is_asked():
    """The worker that fetches has it, too."""
    asked = []

    def answer(h):
        asked.append(h.path)
        h.whole()

    with Server(answer, CONTENT) as server:
        name = hashlib.sha256(CONTENT).hexdigest()
        write("http://images.invalid/kernel", name, {})
        os.environ["http_proxy"] = f"http://127.0.0.1:{server.server_port}"
        try:
            manor("apply", "--yes", "-f", MANIFEST, code=(0, 1))
        finally:
            del os.environ["http_proxy"]
        server.shutdown()
    expect(asked == ["http://images.invalid/kernel"], "it was asked for something else", asked)
    expect(name in in_cache(), "it didn't come", in_cache())


agent.stories.append(the_proxy_of_the_environment_is_asked)


# --- TLS ------------------------------------------------------------------------------------------

@story(url="{https}/kernel", at="ca", ca="/nowhere/ca.pem", says=["/nowhere/ca.pem"],
       mend=lambda data, fields: (data, {}))
def certificates_that_are_not_there(h):
    h.whole()


@story(url="{https}/kernel", says=["fetch https://"])
def a_server_that_speaks_no_tls(h):
    h.whole()


# --- archives -------------------------------------------------------------------------------------

def archive(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for name, kind in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "../../etc/passwd" if kind != tarfile.REGTYPE else ""
            entry.size = len(CONTENT) if kind == tarfile.REGTYPE else 0
            tar.addfile(entry, io.BytesIO(CONTENT))
    return out.getvalue()


def right(_data, fields):
    return archive(("kernel", tarfile.REGTYPE)), fields


@story(data=archive(("other", tarfile.REGTYPE)), at="member", member="kernel", mend=right,
       says=["no member 'kernel'", "it has other"])
def a_member_that_is_not_there(h):
    h.whole()


@story(data=archive(("kernel", tarfile.REGTYPE), ("../x", tarfile.REGTYPE)), member="kernel", mend=right,
       says=["'../x', which leads out"])
def a_member_that_leads_out(h):
    h.whole()


@story(data=archive(("kernel", tarfile.SYMTYPE)), member="kernel", mend=right, says=["a symbolic link"])
def a_member_that_is_a_symbolic_link(h):
    h.whole()


@story(data=archive(("kernel", tarfile.LNKTYPE)), member="kernel", mend=right, says=["a hard link"])
def a_member_that_is_a_hard_link(h):
    h.whole()


@story(data=archive(("kernel", tarfile.BLKTYPE)), member="kernel", mend=right, says=["a device"])
def a_member_that_is_a_device(h):
    h.whole()


@story(data=archive(("kernel", tarfile.REGTYPE), ("./kernel", tarfile.REGTYPE)), member="kernel", mend=right,
       says=["two members"])
def two_members_of_one_name(h):
    h.whole()


@story(data=archive(("kernel", tarfile.REGTYPE))[:-10], member="kernel", mend=right, says=["truncated"])
def an_archive_cut_off(h):
    h.whole()


# --- the host -------------------------------------------------------------------------------------

def small_cache():
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", CACHE], check=True)


def larger_cache(data, fields):
    subprocess.run(["mount", "-o", "remount,size=16m", CACHE], check=True)
    return data, fields


@story(says=["No space left on device"], mend=larger_cache)
def a_file_system_that_is_full_in_the_middle(h):
    h.whole()


def in_small_cache(run):
    def wrapped():
        small_cache()
        try:
            run()
        finally:
            subprocess.run(["umount", CACHE], check=False)
    wrapped.__name__ = run.__name__
    return wrapped


agent.stories[-1] = in_small_cache(agent.stories[-1])

if __name__ == "__main__":
    os.environ["no_proxy"] = "127.0.0.1"
    sys.exit(agent.main())
