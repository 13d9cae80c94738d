# SPDX-License-Identifier: GPL-2.0-or-later
"""The dom0 from outside: commands through QEMU's guest agent, files by way of a disk."""
import base64
import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import time
import uuid

from lablib.common import Failure, Gone, Late

class Agent:
    """JSON over a socket that one client at a time may hold: hence a lock, and short sessions."""

    def __init__(self, lab):
        self.lab = lab
        self.sock = None
        self.buffer = b""

    @contextlib.contextmanager
    def session(self, timeout):
        with self.lab.lock("agent.lock", max(timeout, 30)):
            try:
                self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.sock.settimeout(timeout)
                connect(self.sock, self.lab.path("agent.sock"))
                self.sync()
                yield self
            except OSError as e:
                raise Gone(f"the dom0's agent: {e}") from None
            finally:
                self.sock.close()
                self.buffer = b""

    def line(self):
        while b"\n" not in self.buffer:
            data = self.sock.recv(1 << 20)
            if not data:
                raise Gone("the dom0's agent hung up")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def sync(self):
        """An earlier client may have left half a question, or answers nobody read: 0xff ends the one,
        and the token tells ours from the others."""
        token = int.from_bytes(os.urandom(6), "little")
        request = {"execute": "guest-sync-delimited", "arguments": {"id": token}}
        self.sock.sendall(b"\xff" + json.dumps(request).encode() + b"\n")
        while True:
            line = self.line().split(b"\xff")[-1]
            with contextlib.suppress(ValueError):
                answer = json.loads(line)
                if isinstance(answer, dict) and answer.get("return") == token:
                    return

    def send(self, command, arguments=None):
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        self.sock.sendall(json.dumps(request).encode() + b"\n")

    def receive(self, command):
        answer = json.loads(self.line())
        if "error" in answer:
            raise Failure(f"the dom0 refuses {command}: {answer['error'].get('desc', answer['error'])}")
        return answer["return"]

    def call(self, command, **arguments):
        self.send(command, {k.replace("_", "-"): v for k, v in arguments.items()})
        return self.receive(command)


def connect(sock, path):
    """A path may be longer than sockaddr_un holds: go through the folder's descriptor then."""
    if len(os.fsencode(path)) < 100:
        sock.connect(path)
        return
    fd = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        sock.connect(f"/proc/self/fd/{fd}/{os.path.basename(path)}")
    finally:
        os.close(fd)


# What a program in the dom0 finds in its environment: an administrator's, not the agent's.
ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME=/root", "LANG=C.UTF-8",
               "TERM=dumb", "SHELL=/bin/bash", "USER=root"]


class Result:
    def __init__(self, code, out, err, truncated):
        self.code, self.out, self.err, self.truncated = code, out, err, truncated


def run(lab, argv, stdin=None, timeout=None):
    """Runs argv in the dom0. A session is held only to start it and to ask how it stands, so several
    can run at a time. Raises Late after having ended it, with all its children."""
    agent = Agent(lab)
    if stdin is not None and len(stdin) > 16384:
        # Through the agent it would crawl.
        path = f"/tmp/.lab-stdin-{uuid.uuid4()}"
        Transfer(lab).push(io.BytesIO(stdin), path, 0o600)
        argv = ["sh", "-c", 'exec <"$1"; rm -f "$1"; shift; exec "$@"', "sh", path, *argv]
        stdin = None
    # setsid makes a group of its own of it, and says so where the program can't be run.
    request = {"path": "/usr/bin/setsid", "arg": list(argv), "env": ENVIRONMENT, "capture_output": True}
    if stdin is not None:
        request["input_data"] = base64.b64encode(stdin).decode()
    start, pid, status = time.monotonic(), None, {"exited": False}

    def ask(pause):
        time.sleep(pause)
        if timeout is not None and time.monotonic() - start > timeout:
            raise Late
        return agent.call("guest-exec-status", pid=pid)

    try:
        # A short command ends within the session that starts it. Each new session costs the dom0 a
        # tenth of a second, and each question a line in its log: later they come a tenth of the time
        # apart that has passed.
        with agent.session(60):
            pid = agent.call("guest-exec", **request)["pid"]
            while not status["exited"] and time.monotonic() - start < 1.5:
                status = ask(0.03)
        while not status["exited"]:
            time.sleep(min((time.monotonic() - start) / 10, 2))
            with agent.session(60):
                status = ask(0)
    except (KeyboardInterrupt, Late):
        if pid is not None:
            with contextlib.suppress(Gone, Failure), agent.session(30):
                agent.call("guest-exec", path="/bin/kill", arg=["-KILL", "--", f"-{pid}"])
        raise
    code = status["exitcode"] if "exitcode" in status else 128 + status.get("signal", 0)
    return Result(code, base64.b64decode(status.get("out-data", "")),
                  base64.b64decode(status.get("err-data", "")),
                  status.get("out-truncated") or status.get("err-truncated"))


def need(lab, argv, what, **options):
    result = run(lab, argv, **options)
    if result.code:
        raise Failure(f"{what}: {(result.err or result.out).decode('utf-8', 'replace').strip()}")
    return result.out


class Transfer:
    """Bytes by way of a disk that both sides see: some 100 times as fast as through the agent's JSON.
    The dom0 bypasses its page cache; this side and QEMU share one. The first MiB stays empty, so that
    whatever is carried looks like no disk's content to anybody."""

    BASE = 1 << 20
    SIZE = 4 << 30
    FIND = 'for d in /sys/block/vd*; do read -r s <$d/serial && [ "$s" = MANORLAB ] && break; done; d=/dev/${d##*/}; '

    def __init__(self, lab):
        self.lab = lab

    @contextlib.contextmanager
    def disk(self):
        with self.lab.lock("transfer.lock"), open(self.lab.path("transfer.raw"), "r+b") as f:
            f.seek(self.BASE)
            try:
                yield f
            finally:
                f.flush()
                subprocess.run(["fallocate", "-p", "-o", "0", "-l", str(self.SIZE), f.name], check=False)

    def push(self, source, target, mode):
        """Into a file beside the target, which then takes its place."""
        script = ('dd if=$d of="$1.lab" bs=1M skip=1 count="$4" iflag=direct status=none && '
                  'truncate -s "$3" "$1.lab" && chmod "$2" "$1.lab" && mv -f "$1.lab" "$1"')
        with self.disk() as f:
            shutil.copyfileobj(source, f, 1 << 20)
            size = f.tell() - self.BASE
            f.flush()
            need(self.lab, ["sh", "-c", self.FIND + script, "sh", target, f"{mode:o}", str(size),
                            str(-(-size // self.BASE))], f"push to {target}")

    def pull(self, source, sink):
        """source is a file, or a command (a list) whose output is wanted."""
        command = ["cat", source] if isinstance(source, str) else source
        # Past the page cache only whole blocks are written, hence the padding; the true size goes aside.
        script = ('t=$(mktemp) && "$@" >"$t" && stat -c %s "$t" && '
                  'dd if="$t" of=$d bs=1M seek=1 oflag=direct conv=sync,notrunc iflag=fullblock status=none; '
                  'rc=$?; rm -f "$t"; exit $rc')
        with self.disk() as f:
            size = int(need(self.lab, ["sh", "-c", self.FIND + script, "sh", *command],
                            f"pull {source if isinstance(source, str) else ''}".strip()))
            while size:
                data = f.read(min(size, 1 << 20))
                if not data:
                    raise Failure("pull: the transfer disk is too small")
                sink.write(data)
                size -= len(data)
