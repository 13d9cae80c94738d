# SPDX-License-Identifier: GPL-2.0-or-later
"""What the stories beside this file stand on: the host in the lab, its guests, manifests, assertions.

A story is a file; a test in it is a function that takes the host, marked with @test, whose name reads as a
sentence. ci/run-system runs them in the order in which they stand. Waiting has limits that are meant for
a machine with other things to do; what is waited for comes much earlier as a rule.
"""
import contextlib
import copy
import json
import os
import re
import struct
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
TINY = os.path.join(TOP, "images/tiny/out")
STORIES = os.path.join(TOP, "agent/tests/system/stories")
MANIFEST = "/etc/manor/lab.yaml"  # beside the watched one, so that a change is applied by us alone
WATCHED = "/etc/manor/appliance.yaml"
IMAGES = "/etc/manor/images/tiny/out"
CONSOLES = "/var/log/xen/console"
# How much slower than two idle processors the machine may be: what is waited for has that many times as long.
PATIENCE = float(os.environ.get("PATIENCE", "1"))


class Failed(AssertionError):
    """What a test found wrong, in words for whoever reads the log."""


class LabError(Exception):
    """The lab itself doesn't work: no test is to blame."""


tests = []


def test(function=None, *, soak=False):
    """soak: for `make soak`, not for `make test`."""
    if function is None:
        return lambda f: test(f, soak=soak)
    function.soak = soak
    tests.append(function)
    return function


def note(text):
    """A line of TAP that is no result."""
    for line in str(text).splitlines() or [""]:
        print(f"# {line}", flush=True)


def expect(true, text, *more):
    if not true:
        raise Failed("\n".join([text, *(str(m) for m in more)]))


def same(was, now, what):
    if was == now:
        return
    before, after = was.splitlines(), now.splitlines()
    gone = [f"-{line}" for line in before if line not in after]
    new = [f"+{line}" for line in after if line not in before]
    raise Failed("\n".join([f"{what} changed:", *gone, *new]))


# --- manifests ------------------------------------------------------------------------------------

PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9 ./=,_%-]*")
RESERVED = {"true", "false", "null", "yes", "no", "on", "off"}


def _scalar(value):
    if isinstance(value, str) and PLAIN.fullmatch(value) and value not in RESERVED and \
            not re.fullmatch(r"[0-9.]+", value) and not value.endswith(" "):
        return value
    return json.dumps(value)


def yaml(value, depth=0):
    """Block style, a key a line, so that a test can say which line an error has to cite."""
    lines = []
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            lines += [f"{'  ' * depth}{key}:", yaml(inner, depth + 1).rstrip("\n")]
        else:
            lines.append(f"{'  ' * depth}{key}: {_scalar(inner)}")
    return "\n".join(lines) + "\n"


def line_of(text, *path):
    """The number of the line where the key stands: line_of(text, "domains", "web", "memory")."""
    at = 0
    lines = text.splitlines()
    for depth, key in enumerate(path):
        while not lines[at].startswith(f"{'  ' * depth}{key}:"):
            at += 1
        at += 1
    return at


NAMESPACE = "test.example.org"


def nothing_much():
    """What is left when all that a story made has gone."""
    return {"manor": 1, "namespace": NAMESPACE, "host": {"name": "hv1"}, "max_removals": 100,
            "bridges": {"xenbr0": {"addresses": ["10.155.200.1/24"]}}}


def tiny_template():
    sums = {"file": f"{IMAGES}/SHA256SUMS"}
    return {"files": {"root": {"url": f"file://{IMAGES}/root.img.zst", "sha256": sums},
                      "kernel": {"url": f"file://{IMAGES}/vmlinuz", "sha256": sums},
                      "initrd": {"url": f"file://{IMAGES}/initrd.img", "sha256": sums}},
            "storage": "vg0",
            "domain": {"kernel": "kernel", "initrd": "initrd", "memory": "128MiB",
                       "disks": {"root": {"vdev": "xvda", "from": "root"}}}}


def guest(name, number, kind="pv", **more):
    """A domain of the tiny template."""
    domain = {"template": "tiny", "type": kind,
              "cmdline": f"console=hvc0 hostname={name} ip=10.155.200.{number}/24",
              "nics": {"lan": {"bridge": "xenbr0"}}}
    domain.update(more)
    return domain


def standard(second="pv"):
    """A bridge, a pool, two guests from clones of one image. Both PV: under emulation about one PVH boot in six
    dies of a fault of the emulated processor, and a PVH guest may hang of one."""
    m = nothing_much()
    m["storage"] = {"vg0": {"devices": [{"serial": "MANORDISK1"}], "pool": {"size": "90%VG"}}}
    m["volumes"] = {"web-data": {"storage": "vg0", "size": "64MiB"}}
    m["templates"] = {"tiny": tiny_template()}
    m["domains"] = {
        "web": guest("web", 2, "pv", maxmem="256MiB", vcpus=1, maxvcpus=2,
                     disks={"root": {"size": "256MiB"},
                            "data": {"vdev": "xvdb", "volume": "web-data"}}),
        "lists": guest("lists", 3, second),
    }
    return m


def both_types():
    """Like the repository's own manifest: one PV and one PVH guest."""
    return standard("pvh")


def changed(manifest, *path, to=None):
    """A copy with one field set, or with to=None taken out."""
    m = copy.deepcopy(manifest)
    at = m
    for key in path[:-1]:
        at = at.setdefault(key, {})
    if to is None:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return m


# --- manifests that are files, as their operators write them ---------------------------------------

def written(story):
    """What the host of that story is told: stories/STORY/appliance.yaml."""
    with open(os.path.join(STORIES, story, "appliance.yaml"), encoding="utf-8") as f:
        return f.read()


def edited(text, *changes):
    """As in an editor: each (was, is) is one place of the text."""
    for was, now in changes:
        expect(text.count(was) == 1, f"'{was}' stands in {text.count(was)} places of the manifest, not in one")
        text = text.replace(was, now)
    return text


# --- the host -------------------------------------------------------------------------------------

class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def all(self):
        return self.out + self.err

    def __str__(self):
        return f"exit code {self.code}\n{self.out}{self.err}"


class Host:
    """The dom0, reached as an operator would reach it: commands, files, consoles, the power switch."""

    def __init__(self, name):
        self.name = name
        self.by_serial = set()  # machines without Xen's console: they are spoken to by their serial port

    # the machine

    def lab(self, verb, *args, stdin=None, timeout=600):
        command = [os.path.join(TOP, "ci/lab"), verb, "--name", self.name, *args]
        try:
            done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  stdin=None if stdin is not None else subprocess.DEVNULL,
                                  timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            raise LabError(f"ci/lab {verb} did not come back within {timeout} s") from None
        return Result(done.returncode, done.stdout.decode("utf-8", "replace"),
                      done.stderr.decode("utf-8", "replace"))

    def _boot(self, verb, *args):
        """A boot under emulation may die of itself: it is tried again, which is said."""
        for attempt in range(1, 4):
            done = self.lab(verb, *args, "--timeout", "400", timeout=500)
            if done.code == 0:
                took = re.search(r"answers after ([0-9.]+ s)", done.err)
                note(f"the host is up after {took.group(1) if took else '?'}")
                return
            note(f"booting the host failed, try {attempt} of 3:\n{done.err}")
        raise LabError("the host doesn't boot")

    def up(self, *args):
        self._boot("up", "--replace", *args)

    def cut_power(self):
        """Off, unless it is, and on again; disks kept."""
        self._boot("reset")

    def power_off(self, seconds=400):
        """As an operator does, who then waits for its lamp to go out."""
        self.sh("systemctl --no-block poweroff")
        wait_for("the host is off", lambda: re.search(rf"^{self.name} +off", self.lab("list").out, re.M), seconds, 2)

    # commands

    def run(self, command, timeout=180, check=False, stdin=None):
        """A text is the shell's, a list a program's words."""
        words = ["sh", "-c", command] if isinstance(command, str) else list(command)
        timeout = int(timeout * PATIENCE)
        args = ["--timeout", str(timeout)] + (["-n"] if stdin is None else [])
        done = self.lab("exec", *args, "--", *words,
                        stdin=stdin.encode() if stdin is not None else None, timeout=timeout + 120)
        if done.code == 124 and "took longer than" in done.err:
            raise Failed(f"'{command}' took longer than {timeout} s")
        if done.code == 125 and "ci/lab: error" in done.err:
            raise LabError(done.err.strip())
        if check:
            expect(done.code == 0, f"'{command}' failed", done)
        return done

    def sh(self, command, timeout=180, stdin=None):
        """What it prints; it must not fail."""
        return self.run(command, timeout, check=True, stdin=stdin).out

    def put(self, path, text):
        """As an editor does: beside it first, then in its place."""
        self.sh(f"cat > {path}.new && sync {path}.new && mv {path}.new {path}", stdin=text)

    # manor

    def manor(self, *words, code=0, timeout=400):
        """code: what it must exit with; None: whatever; or several."""
        done = self.run(["manor", *words], timeout)
        codes = code if isinstance(code, (tuple, list)) else [code]
        if code is not None:
            expect(done.code in codes,
                   f"'manor {' '.join(words)}' exited with {done.code}, not "
                   f"{' or '.join(str(c) for c in codes)}", done)
        return done

    def write(self, manifest):
        text = manifest if isinstance(manifest, str) else yaml(manifest)
        self.put(MANIFEST, text)
        return text

    def plan(self, manifest=None, *options, code=3):
        if manifest is not None:
            self.write(manifest)
        return self.manor("plan", "-f", MANIFEST, *options, code=code)

    def apply(self, manifest=None, *options, code=0, timeout=600):
        if manifest is not None:
            self.write(manifest)
        return self.manor("apply", "--yes", "-f", MANIFEST, *options, code=code, timeout=timeout)

    def settled(self):
        """Nothing is left to do."""
        done = self.manor("plan", "-f", MANIFEST, code=None)
        expect(done.code == 0, "the host isn't as the manifest says", done)

    def long_log(self, log):
        """Made longer than one is kept, and looked at. A look that the timer began is joined by who asks for one, and
        may have come too early: the second asking is a look of its own."""
        self.sh(f"head -c 5000000 /dev/zero | tr '\\0' '\\n' >>{log}; "
                "systemctl start manor-consoles && systemctl start manor-consoles")
        expect(int(self.sh(f"stat -c %s {log}.1")) > 4 << 20, "the long one wasn't put aside")

    def start_from(self, manifest):
        """Where a story begins: the manifest applied, no tombstones, all guests up."""
        if self.apply(manifest, "--allow", "guest-restart", code=None).code != 0:
            # A volume that an earlier story grew is never shrunk: it is made anew.
            bare = {key: value for key, value in manifest.items() if key not in ("domains", "volumes")}
            self.apply({**bare, "max_removals": 100})
            self.bury()
            self.apply(manifest)
        self.bury()
        for name in manifest.get("domains", {}):
            self.guest_up(name)

    def clear(self):
        """No guest, no volume, no golden image but those of the suite: a pool on a disk, as a new host's."""
        self.apply({key: value for key, value in standard().items() if key not in ("domains", "volumes", "templates")})
        self.bury()

    def bury(self):
        """Tombstones go for good."""
        self.sh("lvs --noheadings -o vg_name,lv_name | awk '$2 ~ /^trash\\./ {print $1 \"/\" $2}' | "
                "xargs -r lvremove -q -q -f")

    def journal(self, lines=40):
        return self.run(f"journalctl -b --no-pager -u manor -o short-monotonic -n {lines}").out

    # what there is

    def domains(self):
        """{name: (domid, memory in MiB, vcpus, state)} without dom0. Whether one has a processor just then is no other state
        than that it waits for something."""
        found = {}
        for line in self.sh("xl list").splitlines()[1:]:
            m = re.match(r"(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S+)", line)
            if m and m.group(2) != "0":
                idle = "-b----" if m.group(5) in ("r-----", "------") else m.group(5)
                found[m.group(1)] = (int(m.group(2)), int(m.group(3)), int(m.group(4)), idle)
        return found

    def domid(self, name):
        found = self.domains()
        expect(name in found, f"there is no domain {name}", found)
        return found[name][0]

    def uuid(self, name):
        for line in self.sh("xl vm-list").splitlines():
            words = line.split()
            if words[-1:] == [name]:
                return words[0]
        raise Failed(f"there is no domain {name}")

    def vifs(self, name):
        """{MAC: (interface, bridge)} of a running guest."""
        domid = self.domid(name)
        found = {}
        listing = self.sh(f"for d in $(xenstore-list /local/domain/0/backend/vif/{domid}); do "
                          f"m=$(xenstore-read /local/domain/0/backend/vif/{domid}/$d/mac); "
                          f"echo $m vif{domid}.$d $(basename $(readlink /sys/class/net/vif{domid}.$d/master)); done")
        for line in listing.splitlines():
            mac, interface, bridge = (line.split() + [""])[:3]
            found[mac.lower()] = (interface, bridge)
        return found

    def disks(self, name):
        """{vdev: device} of a running guest."""
        domid = self.domid(name)
        listing = self.sh(f"for d in $(xenstore-list /local/domain/0/backend/vbd/{domid}); do "
                          f"echo $(xenstore-read /local/domain/0/backend/vbd/{domid}/$d/dev "
                          f"/local/domain/0/backend/vbd/{domid}/$d/params); done")
        return dict(line.split()[:2] for line in listing.splitlines())

    def volumes(self, vg="vg0"):
        """{name: {field: value}} of all volumes that aren't LVM's own."""
        report = json.loads(self.sh("lvs --reportformat json --units b --nosuffix "
                                    "-o vg_name,lv_name,lv_uuid,lv_size,lv_attr,lv_active,origin,lv_tags"))
        return {lv["lv_name"]: lv for lv in report["report"][0]["lv"] if lv["vg_name"] == vg}

    def links(self):
        return {link["ifname"]: link for link in json.loads(self.sh("ip -j -d link"))}

    def picture(self):
        """All that an apply with nothing to do must leave as it is, as lines to compare."""
        return self.sh(
            "xl list | awk 'NR > 1 {print \"domain\", $1, $2, $3, $4}'; "
            "lvs -a --noheadings -o vg_name,lv_name,lv_uuid,lv_size,lv_attr,lv_tags | sed 's/^ */volume /'; "
            "pvs --noheadings -o pv_name,pv_uuid,vg_name | sed 's/^ */pv /'; "
            "ip -o link | sed 's/^\\([0-9]*\\): \\([^:@]*\\).*master \\([^ ]*\\).*/port \\1 \\2 \\3/;t;"
            "s/^\\([0-9]*\\): \\([^:@]*\\).*/link \\1 \\2/'; "
            "ip -o addr | awk '{print \"address\", $2, $4}'")

    # guests

    def said(self, name, verb, seconds):
        """Sends a line to the guest's console; the reply that fits, or None. The marker answers `mark`."""
        seconds = int(seconds * PATIENCE)
        awaited = "MANOR-GUEST " if verb == "mark" else f"MANOR-REPLY {verb.split()[0]}"
        return self.run([
            "sh", "-c",
            'd=$(xl domid "$1" 2>/dev/null) || exit 1\n'
            f'log={CONSOLES}/guest-$1.log; tty=console\n'
            f'if [ $5 = 1 ]; then log={CONSOLES}/serial-$1.log; tty=serial/0; fi\n'
            'tty=$(xenstore-read /local/domain/$d/$tty/tty) || exit 1\n'
            'size=$(stat -c %s $log 2>/dev/null || echo 0)\n'
            # Of a serial port QEMU looks once a second whether anybody is there, and waits for who is there to read.
            'exec 3<>$tty\n'
            'if [ $5 = 1 ]; then cat <&3 >/dev/null & reader=$!; trap "kill $reader" EXIT; sleep 1.5; fi\n'
            'printf "%s\\n" "$2" >&3\n'
            'i=0; while [ $i -lt $((4 * $4)) ]; do\n'
            '  tail -c +$((size + 1)) $log | tr -d "\\r" | grep -am1 "^$3" && exit 0\n'
            '  sleep 0.25; i=$((i + 1))\n'
            'done; exit 1', "sh", name, verb, awaited, str(seconds), str(int(name in self.by_serial))],
            timeout=seconds + 120).out.strip() or None

    def say(self, name, verb, seconds=60):
        """What the guest replies, without the reply's first word."""
        answer = self.said(name, verb, seconds)
        expect(answer, f"guest {name} did not answer '{verb}' within {seconds} s", self.last_words(name))
        return answer.split(" ", 1)[1]

    def last_words(self, name):
        return self.run(f"tail -c 1500 {CONSOLES}/{'serial' if name in self.by_serial else 'guest'}-{name}.log | tr -d '\\r'").out

    def guest_up(self, name, seconds=150, restart=True):
        """Until the guest answers; its marker. The emulated processor kills a boot now and then: such a
        boot is tried again, and that is said."""
        for attempt in range(3):
            end = time.monotonic() + seconds * PATIENCE
            while time.monotonic() < end:
                answer = self.said(name, "mark", 8)
                if answer:
                    return dict(word.split("=", 1) for word in answer.split()[1:])
                time.sleep(0.5)
            if not restart or attempt == 2:
                break
            note(f"guest {name} did not come up within {seconds} s; its boot is tried again")
            note(self.last_words(name)[-600:])
            self.manor("restart", "-f", MANIFEST, name, "--timeout", "1s", code=None)
        raise Failed(f"guest {name} did not come up\n{self.last_words(name)}\n{self.journal()}")

    def serial(self, name):
        return self.say(name, "read").rpartition("serial=")[2]

    def write_serial(self, name, text):
        expect("write ok" in self.say(name, f"write {text}"), f"guest {name} could not write")

    def in_guest(self, name, command, seconds=60):
        """A command's one line of output, within the guest."""
        return self.say(name, f"sh echo MANOR-REPLY sh $({command})", seconds).partition(" ")[2]


def wait_for(what, question, seconds=120, pause=0.5):
    """Asks until the answer is true; returns it."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(pause)


def cites(done, text, path, *words):
    """One error at that line of the manifest with all the words."""
    line = line_of(text, *path)
    blocks = re.split(r"^(?=\S+:\d+:\d+: error:)", done.err, flags=re.M)
    here = [b for b in blocks if re.match(rf"\S*lab\.yaml:{line}:\d+: error:", b)]
    expect(len(here) == 1, f"{len(here)} errors cite line {line} ({'.'.join(path)}), not one", done)
    for word in words:
        expect(word in here[0], f"the error doesn't say '{word}'", here[0])


def with_bridge(manifest, name):
    """Something that depends on nothing else."""
    return changed(manifest, "bridges", name, to={})


def partitioned(host, device, *partitions):
    """A disk that bears nothing but a table of partitions, each (first sector, sectors); there is no fdisk in the dom0."""
    entries = b"".join(b"\0\0\2\0\x83\0\0\0" + struct.pack("<II", *p) for p in partitions)
    table = "".join(f"\\{byte:03o}" for byte in entries.ljust(64, b"\0") + b"\x55\xaa")
    host.sh(f"wipefs -qa {device}; dd if=/dev/zero of={device} bs=1M count=1 conv=fsync 2>/dev/null; "
            f"printf '{table}' | dd of={device} bs=1 seek=446 conv=notrunc,fsync 2>/dev/null; "
            f"blockdev --rereadpt {device}; udevadm settle")


def begin(host, manifest):
    """An apply that nobody waits for."""
    host.write(manifest)
    host.sh(f"setsid manor apply --yes -f {MANIFEST} >/run/apply.log 2>&1 </dev/null & echo $! >/run/apply.pid")


@contextlib.contextmanager
def held(host, start, stop):
    """Something that is there for a while, whatever happens."""
    host.sh(start)
    try:
        yield
    finally:
        host.run(stop)


def report(host):
    """What helps to understand a failure."""
    for title, command in (("xl list", "xl list"), ("manor", "timeout 100 manor status 2>&1 | tail -n 40"),
                           ("journal", "journalctl -b --no-pager -u manor -o short-monotonic -n 30")):
        try:
            note(f"--- {title}\n{host.run(command).all}")
        except (LabError, Failed) as e:
            note(f"--- {title}: {e}")
    sys.stdout.flush()
