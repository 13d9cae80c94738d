#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The console's page on a terminal: its keys, the password that a manifest sets, and the shell behind it. The real program, in
a world of its own (agent.py). TAP.
"""
import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import agent as world  # noqa: E402
import tap  # noqa: E402
from agent import IN_FORCE, MANOR, manifest, manor, put, wait_for  # noqa: E402
from tap import CRASHES, expect  # noqa: E402

# agent.py's own stories are told by agent.py.
tap.stories.clear()
story = tap.story

PASSWORD = "lösung 7"
HASH = "$y$j75$saltsaltsalt$WqHx9f1t13sK6.EcoBD6opZIMoLtfnNKiETVFoB5dMA"
ATTEMPTS = Path("/run/manor/console.attempts")
NO_PASSWORD = "no shell: the manifest sets no password (host.console.password_hash)"


class Console:
    """`manor screen` on a terminal of so many rows."""

    def __init__(self, rows=50, columns=132):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # The page must have its size before it is drawn.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.environ["SECRET_OF_THE_PAGE"] = "1"
            os.execv(MANOR, ["manor", "screen"])
        os.set_blocking(self.fd, False)
        self.said, self.seen = "", 0

    def read(self):
        with contextlib.suppress(BlockingIOError, OSError):
            while piece := os.read(self.fd, 65536):
                self.said += piece.decode(errors="replace")
        return self.said

    def await_(self, text, seconds=60):
        """The text, and what was said since the last one that was awaited."""
        def there():
            at = self.read().find(text, self.seen)
            return at + 1
        try:
            at = wait_for(f"'{text}'", there, seconds) - 1
        except tap.Failed as e:
            raise tap.Failed(f"{e}\n--- the console said\n{self.said[self.seen:]}") from None
        part, self.seen = self.said[self.seen:at + len(text)], at + len(text)
        return part

    def keys(self, text):
        os.write(self.fd, text.encode())

    def try_password(self, text):
        self.await_("Password of host.console")
        self.keys(text + "\n")

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def close(self):
        os.close(self.fd)
        self.fd = -1
        os.waitpid(self.pid, 0)


@contextlib.contextmanager
def console(**size):
    c = Console(**size)
    try:
        yield c
    finally:
        if c.fd >= 0:
            c.close()
    expect(not any(x in c.said for x in CRASHES), "it crashed", c.said)


@contextlib.contextmanager
def journal():
    """What goes to the host's journal, line by line."""
    Path("/dev/log").unlink(missing_ok=True)  # of dev_of_its_own()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind("/dev/log")
    s.setblocking(False)
    lines = []

    def read():
        with contextlib.suppress(BlockingIOError):
            while True:
                lines.append(s.recv(4096).decode())
        return lines
    try:
        yield read
    finally:
        s.close()
        os.unlink("/dev/log")


def in_force(**console_):
    put("/etc/manor/console.yaml", manifest(host={"name": "hv1", **console_}))
    manor("apply", "--yes", "-f", "/etc/manor/console.yaml")


def with_password(value=HASH):
    in_force(console={"password_hash": value})


@story
def without_a_password_there_is_no_shell_and_it_says_why():
    with console() as c:
        c.await_("no shell: no manifest is in force that could set a password")
        c.keys("s")
        c.await_("no shell: no manifest is in force")
    in_force()
    with console() as c:
        c.await_(NO_PASSWORD)
        c.keys("s")
        part = c.await_(NO_PASSWORD)
        expect("Password" not in part and "Root" not in part, "it asks for one", part)


@story
def who_knows_the_password_has_roots_shell_and_then_the_page_again():
    with_password()
    with journal() as said, console() as c:
        c.await_("s: root's shell")
        c.keys("s")
        c.await_("Password of host.console")
        expect(not c.echoes(), "what is typed is seen")
        c.keys(PASSWORD + "\n")
        part = c.await_("Root's shell.")
        expect(PASSWORD not in part, "the password was shown", part)
        c.keys("echo id=$(id -u) at=$PWD by=$0 page=${SECRET_OF_THE_PAGE-gone} $((6*7))\n")
        c.await_("id=0 at=/root by=-bash page=gone 42")
        # It governs the terminal: Ctrl-C ends what runs there, and neither the shell nor the page.
        c.keys("sleep 1000\n")
        c.await_("sleep 1000")
        time.sleep(0.5)
        c.keys("\x03")
        c.keys("echo still $((40+2))\n")
        c.await_("still 42")
        c.keys("exit\n")
        c.await_("s: root's shell")
        expect(any("the password was right on /dev/pts" in line for line in said()) and
               any("root's shell on /dev/pts" in line and "has ended" in line for line in said()),
               "the journal doesn't tell", *said())
        expect(not any(PASSWORD in line for line in said()), "the journal has the password", *said())


@story
def wrong_ones_take_longer_and_longer_on_any_terminal():
    with_password()
    with journal() as said, console() as c:
        c.await_("s: root's shell")
        c.keys("s")
        c.try_password("lösung 8")
        c.await_("That isn't it.")
        c.await_("the next try is in 2 s.")
        c.try_password(PASSWORD + " ")
        c.await_("That isn't it.")
        c.await_("the next try is in 4 s.")
        expect(sum("wrong password on /dev/pts" in line for line in said()) == 2 and
               any("2 in a row" in line for line in said()), "the journal doesn't tell", *said())
        expect(stat.S_IMODE(ATTEMPTS.stat().st_mode) == 0o600, "all may write it")
        # A line that hangs up, and another terminal, wait as well.
        c.close()
        wrong, following = ATTEMPTS.read_text().split()
        expect(wrong == "2" and int(following) > 0, "who hangs up is forgiven", wrong, following)
        with console() as other:
            other.await_("s: root's shell")
            # However long it took to get here.
            ATTEMPTS.write_text(f"2 {int(time.clock_gettime(time.CLOCK_BOOTTIME)) + 6}\n")
            other.keys("s")
            other.await_("the next try is in")
            other.try_password(PASSWORD)
            other.await_("Root's shell.")
            other.keys("exit\n")
            other.await_("s: root's shell")
            expect(ATTEMPTS.read_text() == "0 0\n", "a right one forgives nothing", ATTEMPTS.read_text())


@story
def nobody_has_to_answer():
    with_password()
    with console() as c:
        for leave in ("\n", "\x03", "\x04", "half a passwo\x03"):
            c.await_("s: root's shell")
            c.keys("s")
            c.await_("Password of host.console")
            time.sleep(0.2)
            c.keys(leave)
        part = c.await_("s: root's shell")
        expect("That isn't it" not in part and not ATTEMPTS.exists() or ATTEMPTS.read_text() == "", "it counts as wrong",
               part)
        # What the manifest has no more opens nothing.
        c.keys("s")
        c.await_("Password of host.console")
        in_force()
        c.keys(PASSWORD + "\n")
        part = c.await_(NO_PASSWORD)
        expect("Root's shell" not in part, "an old password is good", part)


@story
def the_hash_is_nowhere_but_in_the_manifest():
    put("/etc/manor/hash", HASH + "\n")
    with_password({"file": "hash"})
    expect(HASH in IN_FORCE.read_text() and stat.S_IMODE(IN_FORCE.stat().st_mode) == 0o600, "it isn't kept, or for all to read")
    with world.agent():
        for words in (("status",), ("status", "--format", "json"), ("facts",), ("plan", "-f", "/etc/manor/console.yaml"),
                      ("plan", "-f", "/etc/manor/console.yaml", "--format", "json"), ("screen", "--once"), ("export",)):
            done = manor(*words, code=(0, 1, 3))
            expect("saltsalt" not in done.all, f"manor {' '.join(words)} shows it", done.all)
    kept = [p for p in (*Path("/var/lib/manor").rglob("*"), *Path("/run").rglob("*"))
            if p.is_file() and HASH in p.read_text(errors="replace")]
    expect(kept == [IN_FORCE], "it is elsewhere, too", kept)


def page_of(text):
    """What a terminal has after that: all since it was cleared last."""
    return text.rsplit("\x1b[2J", 1)[1].replace("\r", "").split("\n")


@story
def a_page_that_is_longer_than_the_terminal_is_turned():
    put("/run/manifest.tried", "".join(f"  place {n}: nothing there\n" for n in range(40)))
    with console(rows=24, columns=80) as c:
        c.await_("no shell: ")
        time.sleep(0.5)
        first = page_of(c.read())
        expect(len(first) <= 24 and first[0].startswith("Manor ") and
               re.search(r"lines 1 to \d+ of \d+, space: on", "\n".join(first)), "its head is gone", *first)
        c.keys(" ")
        c.await_("no shell: ")
        time.sleep(0.5)
        second = page_of(c.read())
        expect(len(second) <= 24 and not second[0].startswith("Manor ") and "place" in second[3], "it isn't turned", *second)
    with console(rows=80) as c:
        part = c.await_("no shell: ")
        expect("place 39" in part and "space: on" not in part, "all that there is room for isn't shown", part)


@contextlib.contextmanager
def answering(status):
    """In the agent's place somebody who answers that, whatever it is then."""
    at = Path("/run/manor/agent.sock")
    at.parent.mkdir(exist_ok=True)
    at.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(at))
    server.listen()

    def answer():
        with contextlib.suppress(OSError):
            while True:
                one, _ = server.accept()
                with one:
                    one.recv(4096)
                    one.sendall(json.dumps(status).encode() + b"\n")
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        at.unlink()


@story
def the_first_run_after_a_start_has_the_host_for_itself():
    in_force()
    status = {"running": True}
    with answering(status), console() as c:
        part = c.await_(NO_PASSWORD)
        expect("looks at this host for the first time" in part and "machine: " not in part and "agent:" not in part,
               "the host is read meanwhile", part)
        status.update(running=False, time=int(time.time()), result="converged", sha256="0" * 64, file="/etc/manor/console.yaml")
        c.await_("The agent's first run: converged.")
        c.await_(NO_PASSWORD)
        part = c.await_(NO_PASSWORD)
        expect("machine: " in part and "for the first time" not in part, "it isn't whole once that is over", part)
    # It begins in a moment; and one that takes long is looked at.
    with answering({"running": False}), console() as c:
        c.await_("for the first time")
        c.await_(NO_PASSWORD)
        c.await_("machine: ", 30)


@story
def the_page_goes_when_it_is_told_to():
    """A host that goes down has to wait for it otherwise."""
    in_force()
    with answering({"running": False, "time": 1, "result": "converged"}), console() as c:
        c.await_(NO_PASSWORD)
        time.sleep(0.5)
        os.kill(c.pid, signal.SIGTERM)
        ended = []
        wait_for("its end", lambda: ended.append(os.waitpid(c.pid, os.WNOHANG)) or ended[-1][0], 10)
        expect(os.WTERMSIG(ended[-1][1]) == signal.SIGTERM, "it ends otherwise", ended[-1])
        os.close(c.fd)
        c.fd = -1


def dev_of_its_own():
    """/dev once more, where a journal of one's own can be."""
    subprocess.run(["bash", "-ec", """
        mkdir /run/dev.{up,work,new}
        mount -t overlay -o lowerdir=/dev,upperdir=/run/dev.up,workdir=/run/dev.work dev /run/dev.new
        mount --rbind /dev/pts /run/dev.new/pts; mount --rbind /run/dev.new /dev"""], check=True)


if __name__ == "__main__":
    if world.world():
        dev_of_its_own()
        sys.exit(world.main())
