# SPDX-License-Identifier: GPL-2.0-or-later
"""One lab: its folder, its QEMU, its boot."""
import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import time

from lablib.common import LABS, Failure, Gone, Late, say
from lablib.guest import Agent, run
from lablib.machine import qemu_command


class Lab:
    def __init__(self, name):
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
            raise Failure(f"'{name}' is no name for a lab: letters a-z, digits and '-', at most 31", 2)
        self.name = name
        self.dir = os.path.join(LABS, name)
        self.started = None
        self.console_start = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def exists(self):
        return os.path.exists(self.path("lab.json"))

    def need(self, running=False):
        if not self.exists():
            raise Failure(f"there is no lab '{self.name}': start one with ci/lab up --name {self.name}", 2)
        if running and not self.pid():
            raise Failure(f"lab '{self.name}' is off: ci/lab reset --name {self.name} boots it again", 2)

    def load(self):
        with open(self.path("lab.json"), encoding="utf-8") as f:
            return json.load(f)

    def save(self, conf):
        with open(self.path("lab.json.new"), "w", encoding="utf-8") as f:
            json.dump(conf, f, indent=1)
        os.rename(self.path("lab.json.new"), self.path("lab.json"))

    def pid(self):
        """QEMU's process, if the number in the file still is one of this very lab."""
        try:
            with open(self.path("pid"), encoding="ascii") as f:
                pid = int(f.read())
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
            here = os.readlink(f"/proc/{pid}/cwd")
            with open(f"/proc/{pid}/stat", "rb") as f:
                state = f.read().rsplit(b")", 1)[1].split()[0]
        except (OSError, ValueError):
            return None
        ours = f"manor-lab-{self.name}".encode() in words and here == os.path.realpath(self.dir)
        return pid if ours and state != b"Z" else None

    @contextlib.contextmanager
    def lock(self, name, timeout=None):
        """One holder at a time; the file stays, since removing it would let two in."""
        with open(self.path(name), "w", encoding="ascii") as f:
            end = None if timeout is None else time.monotonic() + timeout
            while True:
                try:
                    fcntl.flock(f, fcntl.LOCK_EX if end is None else fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise Gone(f"{name} is held by another for too long") from None
                    time.sleep(0.01)
            yield

    def start(self, conf):
        for name in ("console.sock", "agent.sock", "pid"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(name))
        with open(self.path("qemu.log"), "ab") as log:
            process = subprocess.Popen(qemu_command(conf), stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, start_new_session=True, cwd=self.dir)
        with open(self.path("pid"), "w", encoding="ascii") as f:
            f.write(f"{process.pid}\n")
        self.started = process.pid
        # For an instant after exec the process has no command line to be known by.
        while not self.pid() and process.poll() is None:
            time.sleep(0.01)

    def cut(self):
        """A power cut: no goodbye to anybody."""
        pid = self.pid()
        if not pid:
            return False
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while self.pid():
            if time.monotonic() > end:
                raise Failure(f"QEMU (process {pid}) doesn't go away")
            # It may be this process' own child.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.02)
        # Its command line goes first, then its threads, and its disks are held until the last one has gone.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            while time.monotonic() < end:
                with open(f"/proc/{pid}/stat", "rb") as f:
                    state = f.read().rsplit(b")", 1)[1].split()[0]
                if state == b"Z" and len(os.listdir(f"/proc/{pid}/task")) == 1:
                    break
                time.sleep(0.02)
        return True

    def wait_ready(self, timeout):
        """Until a command runs in the dom0; says on failure how far the console came."""
        start = time.monotonic()
        milestones = [("Xen", r"\(XEN\) Xen version"), ("dom0's kernel", r"Linux version|initrd: |systemd\["),
                      ("systemd", r"Welcome to "), ("a login", r"root@manor")]
        reached, log = "nothing yet", self.path("console.log")
        begin = self.console_start
        while True:
            if self.pid() != self.started:
                raise Failure(f"QEMU ended while booting, after {reached}.\n"
                              f"  its own words: {self.path('qemu.log')}\n  the console:   {log}")
            with contextlib.suppress(Gone):
                agent = Agent(self)
                with agent.session(1.0):
                    agent.call("guest-ping")
                break
            with contextlib.suppress(OSError), open(log, "rb") as f:
                f.seek(begin)
                text = f.read().decode("utf-8", "replace")
                for name, pattern in milestones:
                    if re.search(pattern, text):
                        reached = name
                if re.search(r"Kernel panic|Panic on CPU|here is a shell", text):
                    raise Failure(f"the dom0 died while booting, after {reached}.\n  the console: {log}")
            if time.monotonic() - start > timeout:
                raise Failure(f"the dom0 doesn't answer after {timeout:.0f} s; it came as far as: {reached}.\n"
                              f"  the console: {log}")
            time.sleep(0.25)
        return time.monotonic() - start

    def boot(self, conf, timeout):
        log = self.path("console.log")
        self.console_start = os.path.getsize(log) if os.path.exists(log) else 0
        how = "KVM" if conf["accel"] == "kvm" else "TCG, software emulation"
        say(f"{self.name}: booting Xen and the dom0 ({how}, {conf['memory']}, {conf['cpus']} vCPUs, "
            f"disks {' '.join(conf['disks']) or 'none'}, NICs {conf['nics']})")
        self.start(conf)
        took = self.wait_ready(timeout)
        self.wait_nics(conf["nics"])
        say(f"{self.name}: up, the dom0 answers after {took:.1f} s")

    def wait_nics(self, count):
        """The dom0 answers while udev still loads drivers: until the NICs that QEMU gave it are there and
        named. Whoever came sooner would see them come. Theirs alone: a guest's interface has a device too."""
        script = ('for i in $(seq 150); do n=0; for d in /sys/class/net/*; do [ ! -e $d/device ] || '
                  '! grep -q ^52:54:00:4d:00: $d/address || n=$((n + 1)); done; '
                  '[ $n -lt "$1" ] || exec udevadm settle --timeout=60; sleep 0.2; done; exit 1')
        try:
            there = not count or run(self, ["sh", "-c", script, "sh", str(count)], timeout=120).code == 0
        except Late:
            there = False
        if not there:
            say(f"{self.name}: not all of the {count} NICs have appeared, or udev isn't done with them")
