#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the appliance's manifest comes from: `manor fetch` against servers of every sort, and the part of its initrd that
looks for one (hv/appliance/manifest), run over folders of the test's. All on the loopback. TAP.
"""
import base64
import contextlib
import hashlib
import http.server
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tap  # noqa: E402
from tap import CRASHES, expect, story  # noqa: E402

TOP = Path(__file__).resolve().parents[3]
MANOR = os.path.abspath(os.environ.get("MANOR", "build/manor"))
GOOD = b"manor: 1\nnamespace: lab.example.org\n"
PAGE = b"\n<!-- hotel --><!DOCTYPE html><html><head><title>Log in</title></head></html>\n"


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, **more)
    done.all = done.stdout + done.stderr
    expect(not any(c in done.all for c in CRASHES), "it crashed", done.all)
    return done


def fetch(*words, code=0, says=None):
    """One that gets what is good, or says in one line what is wrong and gives nothing."""
    done = run(MANOR, "fetch", "--timeout", "4s", *words)
    expect(done.returncode == code, f"manor fetch {' '.join(map(str, words))} ended with {done.returncode}, not {code}", done.all)
    if code == 0:
        expect(done.stdout.encode() == GOOD and not done.stderr, "it isn't the file", done.all)
    else:
        expect(done.stdout == "", "it gives something all the same", done.all)
    if code == 1:
        expect(len(done.stderr.splitlines()) == 1, "that's not one line", done.all)
    for part in says or ():
        expect(part in done.stderr, f"it doesn't say '{part}'", done.all)


class Web(http.server.ThreadingHTTPServer):
    """Path → (status, type, body), or what makes it."""
    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.files, self.asked = {}, []
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            status, kind, body = self.server.files.get(self.path, (404, "text/html", PAGE))
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", body.decode())
                body = b""
            if kind:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Tftp:
    """As much of RFC 1350 as it takes to give files."""
    def __init__(self, files):
        self.files = files
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.url = f"tftp://127.0.0.1:{self.socket.getsockname()[1]}/"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                request, peer = self.socket.recvfrom(2048)
                self.answer(request[2:].split(b"\0")[0].decode(), peer)

    def answer(self, name, peer):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.bind(("127.0.0.1", 0))
            body = self.files.get(name.lstrip("/"))
            if body is None:
                s.sendto(b"\0\5\0\1not here\0", peer)
                return
            for n in range(len(body) // 512 + 1):
                s.sendto(b"\0\3" + (n + 1).to_bytes(2, "big") + body[n * 512:(n + 1) * 512], peer)
                if s.recvfrom(512)[0][:2] != b"\0\4":
                    return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def text(body, status=200, kind="application/yaml"):
    return status, kind, body


@story
def a_manifest_is_had_by_http():
    with Web() as web:
        web.files = {"/a.yaml": text(GOOD), "/plain": text(GOOD, kind=None), "/bom": text(GOOD, kind="text/plain"),
                     "/moved": (302, None, b"/a.yaml")}
        for path in ("a.yaml", "plain", "bom", "moved"):
            fetch(web.url + path)


@story
def a_page_in_its_place_is_told_and_not_taken():
    with Web() as web:
        web.files = {"/page": text(PAGE, kind="text/html"), "/typed": text(GOOD, kind="text/html; charset=utf-8"),
                     "/untyped": text(PAGE, kind=None), "/as-yaml": text(b"\xef\xbb\xbf  <HTML>hotel", kind="text/yaml"),
                     "/login": (302, None, b"/page")}
        for path in ("page", "typed", "untyped", "as-yaml", "login"):
            fetch(web.url + path, code=1, says=["is a web page (HTML), not a manifest", "with a browser"])


@story
def what_is_not_there_too_large_or_empty_is_told():
    with Web() as web:
        web.files = {"/empty": text(b""), "/blank": text(b" \n\n"), "/big": text(b"#" * (4 << 20) + b"\n"),
                     "/broken": text(b"", 500), "/secret": text(b"", 403), "/nul": text(b"manor: 1\0")}
        fetch(web.url + "none", code=1, says=["not found (status 404)", "moved or renamed"])
        fetch(web.url + "empty", code=1, says=["is empty"])
        fetch(web.url + "blank", code=1, says=["is empty"])
        fetch(web.url + "big", code=1, says=["larger than it may be"])
        fetch(web.url + "secret", code=1, says=["status 403"])
        fetch(web.url + "broken", code=1)
        fetch(web.url + "nul", code=1, says=["is no text"])
    fetch("http://no-such-host.invalid/a.yaml", code=1)
    fetch("gopher://127.0.0.1/a", code=1, says=["neither http, https"])
    fetch(code=2)
    fetch("--key", "AAAA", web.url + "a", code=1, says=["'AAAA' is no key", "openssl pkey"])
    fetch("--sha256", "12ab", web.url + "a", code=1, says=["is no sha256: 64 hex digits"])


@story
def a_server_that_comes_up_later_is_waited_for():
    with Web() as web:
        web.files = {"/a.yaml": text(b"", 503)}

        def mend():
            time.sleep(1.5)
            web.files = {"/a.yaml": text(GOOD)}
        threading.Thread(target=mend, daemon=True).start()
        fetch("--timeout", "20s", web.url + "a.yaml")
        expect(len(web.asked) > 1, "it wasn't asked again")


@story
def the_digest_must_be_that_one():
    digest = hashlib.sha256(GOOD).hexdigest()
    with Web() as web:
        web.files = {"/a.yaml": text(GOOD), "/b.yaml": text(GOOD + b"# more\n")}
        fetch("--sha256", digest, web.url + "a.yaml")
        fetch("--sha256", digest.upper(), web.url + "a.yaml")
        fetch("--sha256", digest, web.url + "b.yaml", code=1, says=["is another file: its sha256 is", digest])


class Key:
    """As the manual says to make one."""
    def __init__(self, folder, name):
        self.path = Path(folder, name)
        run("openssl", "genpkey", "-algorithm", "ed25519", "-out", self.path)
        der = subprocess.run(["openssl", "pkey", "-in", self.path, "-pubout", "-outform", "DER"], check=True,
                             capture_output=True).stdout
        self.public = base64.b64encode(der[-32:]).decode()

    def sign(self, data):
        for name, body in (("in", data), ("out", b"")):
            self.path.with_suffix(f".{name}").write_bytes(body)
        done = run("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", self.path.with_suffix(".in"),
                   "-out", self.path.with_suffix(".out"))
        expect(done.returncode == 0, "openssl", done.all)
        return self.path.with_suffix(".out").read_bytes()


@story
def one_of_the_keys_must_have_signed_it():
    with Web() as web, tempfile.TemporaryDirectory() as folder:
        mine, next_, other = (Key(folder, n) for n in ("mine", "next", "other"))
        signature = mine.sign(GOOD)
        web.files = {"/a.yaml": text(GOOD), "/a.yaml.sig": text(signature, kind="application/octet-stream"),
                     "/b.yaml": text(GOOD), "/b.yaml.sig": text(base64.encodebytes(signature)),
                     "/changed.yaml": text(GOOD + b"#\n"), "/changed.yaml.sig": text(signature),
                     "/short.yaml": text(GOOD), "/short.yaml.sig": text(signature[:63]),
                     "/page.yaml": text(GOOD), "/page.yaml.sig": text(PAGE, kind="text/html"),
                     "/alone.yaml": text(GOOD), "/q.yaml?v=1": text(GOOD), "/q.yaml.sig?v=1": text(signature)}
        fetch("--key", mine.public, web.url + "a.yaml")
        fetch("--key", mine.public, web.url + "b.yaml")
        fetch("--key", mine.public, web.url + "q.yaml?v=1")
        fetch("--key", f"{next_.public},{mine.public}", web.url + "a.yaml")
        fetch("--key", other.public, web.url + "a.yaml", code=1,
              says=["the signature is of another file, or by another key", "openssl pkeyutl -sign"])
        for path in ("changed.yaml", "short.yaml", "page.yaml", "alone.yaml"):
            fetch("--key", mine.public, web.url + path, code=1, says=["signature"])
        fetch("--key", f"{mine.public},", web.url + "a.yaml", code=1, says=["'' is no key"])
        fetch("--key", "A" * 44, web.url + "a.yaml", code=1, says=["is no key"])


def authority(folder):
    """A CA, and a server's certificate by it."""
    folder = Path(folder)

    def openssl(*words):
        done = run("openssl", *words, cwd=folder)
        expect(done.returncode == 0, f"openssl {words[0]}", done.all)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out",
            "ca.pem", "-subj", "/CN=an authority", "-days", "2")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "s.key", "-out", "s.csr",
            "-subj", "/CN=127.0.0.1")
    (folder / "s.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "s.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
            "s.ext", "-out", "s.crt")
    (folder / "s.pem").write_text((folder / "s.key").read_text() + (folder / "s.crt").read_text())
    return folder / "ca.pem", folder / "s.pem"


@story
def https_is_trusted_by_its_authority_alone():
    with tempfile.TemporaryDirectory() as folder:
        ca, pem = authority(folder)
        with Web(pem) as web:
            web.files = {"/a.yaml": text(GOOD), "/down": (302, None, b"ftp://127.0.0.1/a.yaml")}
            fetch("--ca", ca, web.url + "a.yaml")
            fetch(web.url + "a.yaml", code=1, says=["certificate", "clock right"])
            fetch("--ca", ca, web.url + "down", code=1)
            fetch("--ca", "/dev/null", web.url + "a.yaml", code=1)


@story
def tftp_is_enough_for_a_manifest():
    big = GOOD + b"#" * 5000 + b"\n"
    with Tftp({"a.yaml": GOOD, "big": big, "page": PAGE, "even": GOOD.ljust(1024, b"#")}) as server:
        fetch(server.url + "a.yaml")
        fetch("--sha256", hashlib.sha256(GOOD).hexdigest(), server.url + "a.yaml")
        fetch(server.url + "page", code=1, says=["is a web page"])
        fetch(server.url + "none", code=1, says=["not found"])
        for name in ("big", "even"):
            done = run(MANOR, "fetch", server.url + name)
            expect(done.stdout.encode() == server.files[name], f"{name} isn't whole", done.all)
    with Web() as web:
        web.files = {"/over": (302, None, b"tftp://127.0.0.1/a.yaml")}
        fetch(web.url + "over", code=1)


@story
def a_file_is_written_whole_or_not_at_all():
    with Web() as web, tempfile.TemporaryDirectory() as folder:
        web.files = {"/a.yaml": text(GOOD), "/page": text(PAGE)}
        out = Path(folder, "appliance.yaml")
        run(MANOR, "fetch", "--timeout", "2s", "-o", out, web.url + "page")
        expect(not out.exists(), "it is there")
        expect(run(MANOR, "fetch", "-o", out, web.url + "a.yaml").returncode == 0 and out.read_bytes() == GOOD, "it isn't")
        expect("--force" in run(MANOR, "fetch", "-o", out, web.url + "a.yaml").stderr, "it was replaced")


BUSYBOX = """#!/bin/sh
# What would change this machine is written down instead.
case $1 in
ip) [ "$2" != -o ] || { echo "2: $6 inet 10.0.0.9/24 scope global"; exit; }; echo "$*" >>did ;;
ifconfig | sync) echo "$*" >>did ;;
udhcpc) echo "$*" >>did; grep -q "^$3$" leases ;;
*) exec busybox "$@" ;;
esac
"""


class Start:
    """A start of the appliance, as far as it looks for its manifest: by the product's own script, in a folder."""
    def __init__(self, folder, **words):
        self.folder = Path(folder)
        for name in ("run", "tree/etc/ssl", "tree/var/lib/manor", "net", "block"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "bb").write_text(BUSYBOX)
        (self.folder / "bb").chmod(0o755)
        self.leases, self.labelled, self.words = [], [], {"wait": "12", "dev": "", **words}

    def link(self, name, mac, wire=True, lease=True):
        link = self.folder / "net" / name
        (link / "device").mkdir(parents=True)
        (link / "address").write_text(mac + "\n")
        (link / "carrier").write_text(f"{int(wire)}\n")
        self.leases += [name] * lease
        return self

    def stick(self, name, bus="usb1/1-1", **files):
        """A file system that is labelled MANOR; where it is connected."""
        real = self.folder / "devices" / bus / "block" / name[:3] / name
        real.mkdir(parents=True)
        (self.folder / "block" / name).symlink_to(real)
        for file, body in files.items():
            path = self.folder / name / file.replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(body)
        (self.folder / name).mkdir(exist_ok=True)
        self.labelled.append(name)
        return self

    def kept(self, body):
        (self.folder / "tree/var/lib/manor/etc").mkdir()
        (self.folder / "tree/var/lib/manor/etc/appliance.yaml").write_bytes(body)
        self.words["dev"] = "/dev/vda5"
        return self

    def go(self):
        """What is told, line by line; what is in place then."""
        (self.folder / "leases").write_text("".join(f"{name}\n" for name in self.leases))
        (self.folder / "run/manifest.tried").unlink(missing_ok=True)
        given = "".join(f"{name}='{value}'\n" for name, value in self.words.items())
        script = f"""set -u
            bb=./bb manifest= digest= key= mac= ip= gateway= dns=
            say() {{ echo "$*"; }}
            seconds() {{ $bb cut -d. -f1 /proc/uptime; }}
            await_stick() {{ sticks=$(media); }}
            labelled() {{ echo {' '.join(self.labelled)}; }}
            . {TOP}/hv/appliance/manifest
            tree=tree run=run net=net block=block wire_s=1
            manor() {{ {MANOR} "$@"; }}
            mount_ro() {{ [ ! -e "$1/unreadable" ] && medium=$1; }}
            unmount() {{ :; }}
            {given}
            find_manifest"""
        done = run("busybox", "sh", "-c", script, cwd=self.folder)
        expect(done.returncode == 0 and not done.stderr, "the script failed", done.all)
        told = (self.folder / "run/manifest.tried").read_text().splitlines()
        expect(done.stdout.splitlines() == [f"manifest: {line.strip()}" for line in told], "not told alike", done.all)
        got = self.folder / "tree/var/lib/manor/etc/appliance.yaml"
        return [line.strip() for line in told], got.read_bytes() if got.exists() else None

    def did(self):
        path = self.folder / "did"
        return path.read_text() if path.exists() else ""


def start(story_):
    """A story that has a folder for one."""
    def run_it():
        with tempfile.TemporaryDirectory() as folder:
            story_(folder)
    run_it.__name__ = story_.__name__
    story(run_it)


@start
def a_start_without_any_place_says_where_it_looked(folder):
    told, got = Start(folder).go()
    expect(told == ["no file system is labelled MANOR", "no state partition"] and got is None, "it says", told)


@start
def what_the_state_partition_has_is_taken_last(folder):
    told, got = Start(folder).kept(GOOD).go()
    expect(told == ["no file system is labelled MANOR", "taken: the one of /dev/vda5"] and got == GOOD, "it says", told)


@start
def a_stick_is_taken_with_what_stands_beside(folder):
    s = Start(folder).stick("sda1", unreadable=b"").stick("sdb1", other=b"x").stick("sdc1", appliance_yaml=b"")
    s.stick("sdd1", appliance_yaml=GOOD, SHA256SUMS=b"sums").stick("sde1", appliance_yaml=b"later").kept(b"old")
    told, got = s.go()
    expect(told == ["sda1 is labelled MANOR, but can't be read: it has to be FAT, exFAT, ext4 or ISO 9660", "no appliance.yaml on sdb1, which is labelled MANOR",
                    "appliance.yaml of sdc1 is empty", "taken: appliance.yaml of sdd1",
                    "the one before, which is another, is kept as /var/lib/manor/etc.before"], "it says", told)
    etc = Path(folder, "tree/var/lib/manor/etc")
    expect(got == GOOD and (etc / "SHA256SUMS").exists() and not etc.with_name("etc.old").exists(), "it isn't there")


@start
def what_was_written_on_the_host_is_kept_where_a_stick_was_left_in_it(folder):
    s = Start(folder).stick("sda1", appliance_yaml=GOOD).kept(b"old")
    etc = Path(folder, "tree/var/lib/manor/etc")
    s.go()
    expect((etc.with_name("etc.before") / "appliance.yaml").read_bytes() == b"old", "it is lost")
    told, got = s.go()
    expect(told[-1] == "taken: appliance.yaml of sda1" and got == GOOD, "told again", told)
    expect((etc.with_name("etc.before") / "appliance.yaml").read_bytes() == b"old", "the second start has lost it")
    # Not only the file itself counts, but what stands beside it, too.
    (etc / "more.yaml").write_bytes(b"edited")
    s.go()
    expect((etc.with_name("etc.before") / "more.yaml").read_bytes() == b"edited", "what was included is lost")
    etc.with_name("etc.before").rename(etc.with_name("etc.gone"))
    (etc / "appliance.yaml").write_bytes(b"old")
    s.go()
    # Cut off before the older one had its name.
    etc.with_name("etc.before").rename(etc.with_name("etc.old"))
    s.go()
    expect((etc.with_name("etc.before") / "appliance.yaml").read_bytes() == b"old", "the cut has lost it")


@start
def a_guest_that_labels_its_disk_is_not_asked_what_becomes_of_the_host(folder):
    s = Start(folder).stick("vdb1", bus="pci0000:00/virtio2", appliance_yaml=b"evil").kept(GOOD)
    told, got = s.go()
    expect(got == GOOD and "vdb1, labelled MANOR, isn't looked at" in told[0] and told[-1].startswith("taken: the one of"), "it says", told)
    told, got = s.stick("sdz1", appliance_yaml=b"new").go()
    expect(got == b"new" and "taken: appliance.yaml of sdz1" in told, "a stick isn't taken beside it", told)


@start
def without_a_manifest_any_disk_may_have_one_and_a_stick_comes_first(folder):
    told, got = Start(folder).stick("vdb1", bus="pci0000:00/virtio2", appliance_yaml=GOOD).go()
    expect(got == GOOD and told == ["taken: appliance.yaml of vdb1"], "it says", told)
    with tempfile.TemporaryDirectory() as other:
        s = Start(other).stick("vdb1", bus="pci0000:00/virtio2", appliance_yaml=b"x").stick("sdb1", appliance_yaml=GOOD)
        told, got = s.go()
        expect(got == GOOD and told == ["taken: appliance.yaml of sdb1"], "it says", told)


@start
def what_was_cut_off_between_old_and_new_is_mended(folder):
    s = Start(folder).kept(GOOD)
    etc = Path(folder, "tree/var/lib/manor/etc")
    etc.rename(etc.with_name("etc.old"))
    told, got = s.go()
    expect(got == GOOD and told[-1] == "taken: the one of /dev/vda5", "it is lost", told)


@start
def the_url_comes_first_over_the_card_that_reaches_it(folder):
    with Web() as web:
        web.files = {"/a.yaml": text(GOOD)}
        s = Start(folder, manifest=web.url + "a.yaml").stick("sda1", appliance_yaml=b"other").kept(b"old")
        s.link("eth0", "52:54:00:00:00:01", wire=False).link("eth1", "52:54:00:00:00:02", lease=False)
        told, got = s.link("eth2", "52:54:00:00:00:03").link("eth3", "52:54:00:00:00:04").go()
        expect(told == [f"{web.url}a.yaml: no address by DHCP over eth1", f"taken: {web.url}a.yaml, over eth2",
                        "the one before, which is another, is kept as /var/lib/manor/etc.before"] and
               got == GOOD, "it says", told)
        did = s.did()
        expect("udhcpc -i eth0" not in did and "udhcpc -i eth3" not in did, "it asked on others", did)
        for name in ("eth0", "eth1", "eth2", "eth3"):
            expect(f"ip address flush dev {name}\nip link set {name} down\n" in did, f"{name} stays up", did)


@start
def the_card_and_the_address_that_ipxe_had_are_used(folder):
    with Web() as web:
        web.files = {"/a.yaml?mac=1": text(GOOD)}
        s = Start(folder, manifest=web.url + "a.yaml?mac=1", mac="52:54:00:00:00:02", ip="10.0.0.7/255.255.255.0",
                  gateway="10.0.0.1", dns="10.0.0.2", digest=hashlib.sha256(GOOD).hexdigest())
        told, got = s.link("eth0", "52:54:00:00:00:01").link("eth1", "52:54:00:00:00:02").go()
        expect(told == [f"taken: {web.url}a.yaml?mac=1, over eth1"] and got == GOOD, "it says", told)
        did = s.did()
        expect("udhcpc" not in did and "ifconfig eth1 10.0.0.7 netmask 255.255.255.0 up" in did and "eth0" not in did,
               "another address", did)
        expect(Path(folder, "tree/etc/resolv.conf").read_text() == "nameserver 10.0.0.2\n", "no name server")


@start
def what_is_wrong_with_a_url_is_told_and_the_next_place_is_tried(folder):
    with Web() as web:
        web.files = {"/page": text(PAGE, kind="text/html"), "/a.yaml": text(GOOD)}
        for words, says in (({"manifest": web.url + "page"}, "is a web page (HTML), not a manifest"),
                            ({"manifest": web.url + "none"}, "not found (status 404)"),
                            ({"manifest": web.url + "a.yaml", "digest": "0" * 64}, "is another file"),
                            ({"manifest": web.url + "a.yaml", "digest": "oops"}, "is no sha256"),
                            ({"manifest": web.url + "a.yaml", "key": "A" * 43}, "signature"),
                            ({"manifest": "ftp://127.0.0.1/a"}, "neither http, https")):
            with tempfile.TemporaryDirectory(dir=folder) as one:
                s = Start(one, **words).link("eth0", "52:54:00:00:00:01").kept(b"old")
                told, got = s.go()
                expect(len(told) == 3 and told[0].startswith("over eth0, as 10.0.0.9/24: ") and says in told[0] and got == b"old" and
                       told[-1] == "taken: the one of /dev/vda5", f"not {says}", told)
                expect(not Path(one, "run/manifest").exists(), "it stays there")


@start
def no_network_is_told_with_the_cards_that_there_are(folder):
    s = Start(folder, manifest="http://127.0.0.1:1/a.yaml").link("eth0", "52:54:00:00:00:01", wire=False)
    told, got = s.stick("sda1", appliance_yaml=GOOD).go()
    expect("no card with a wire in it (there are: eth0 )" in told[0] and told[1] == "taken: appliance.yaml of sda1" and
           got == GOOD, "it says", told)


if __name__ == "__main__":
    sys.exit(tap.tell())
