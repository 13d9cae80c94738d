#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""manor netboot: the folder that it makes, and real dnsmasq serving it in a network of the test's own, where machines that are
named ask for their addresses and files, and one that isn't does. TAP."""
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MANOR = os.path.abspath(os.environ.get("MANOR", "build/manor"))
HERE = tempfile.mkdtemp(prefix="manor-netboot-")
SLOT, DIR = os.path.join(HERE, "slot"), os.path.join(HERE, "srv")
ONE, TWO, OTHER = "52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03"
FLEET = f"""manor: 1
namespace: lab.example.org
bridges:
  xenbr0: {{addresses: [10.155.200.1/24]}}
hosts:
  hv1: {{match: {{mac: "{ONE}"}}}}
  hv2: {{match: {{mac: ["{TWO}", "52:54:00:00:01:02"]}}}}
"""
SCRIPT = """#!ipxe
set manor quiet manor.boot=net manor.root=${cwduri}root
iseq ${platform} efi && goto efi ||
kernel xen dom0_mem=1024M
module vmlinuz ${manor}
module initrd
boot
:efi
kernel xen.efi -- dom0_mem=1024M -- ${manor}
module xen.cfg
module vmlinuz
module initrd
boot
"""
count = 0


def ok(good, title, *seen):
    global count  # pylint: disable=global-statement
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {title}", flush=True)
    if not good:
        for each in seen:
            print("".join(f"# {line}\n" for line in str(each).splitlines()[:30]), end="")


def put(name, text):
    path = os.path.join(HERE, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    return path


def get(name):
    with open(os.path.join(DIR, name), encoding="ascii") as f:
        return f.read()


def slot(root):
    for name in ("xen", "xen.efi", "xen.cfg", "vmlinuz", "initrd", "slot.cfg"):
        put(f"slot/{name}", f"{name} of {root}")
    put("slot/root", root)
    put("slot/id", hashlib.sha256(root.encode()).hexdigest() + "\n")
    put("slot/boot.ipxe", SCRIPT)


def netboot(*words, manifest="fleet.yaml"):
    done = subprocess.run([MANOR, "netboot", *words, "-f", os.path.join(HERE, manifest)], capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def refused(title, words, *said, manifest="fleet.yaml", code=2):
    before = sorted(os.listdir(DIR)) if os.path.isdir(DIR) else None
    done = netboot(*words, manifest=manifest)
    after = sorted(os.listdir(DIR)) if os.path.isdir(DIR) else None
    ok(done[0] == code and all(word in done[2] for word in said) and before == after, title, done, before, after)


def writes():
    slot("root of one")
    put("fleet.yaml", FLEET)
    net = ("--network", "10.9.0.0/24")
    refused("without the appliance's files there is nothing to boot", ("write", DIR, *net), "--from DIR", code=1)
    refused("nobody knows where", ("write", DIR, "--from", SLOT), "--interface or --network")
    refused("a range of another network", ("write", DIR, "--from", SLOT, *net, "--range", "10.8.0.1,10.8.0.9"), "--range")
    put("alone.yaml", FLEET.partition("hosts:")[0])
    refused("any machine would become this host", ("write", DIR, "--from", SLOT, *net), "--mac", manifest="alone.yaml")
    put("serial.yaml", FLEET.replace(f'mac: "{ONE}"', "serial: S1"))
    refused("a host that DHCP can't know", ("write", DIR, "--from", SLOT, *net), "hv1", "match.mac", manifest="serial.yaml")
    put("bad.yaml", FLEET.replace("10.155.200.1/24", "10.155.200.1/99"))
    refused("a bad manifest", ("write", DIR, "--from", SLOT, *net), "bad.yaml:4:", manifest="bad.yaml")
    put("more.yaml", "bridges: {xenbr1: {}}\n")
    put("several.yaml", FLEET.replace("namespace:", "include: more.yaml\nnamespace:"))
    refused("a manifest of several files", ("write", DIR, "--from", SLOT, *net), "several files", manifest="several.yaml")
    put("slot/root", "cut sho")
    refused("a root that was copied half", ("write", os.path.join(HERE, "half"), "--from", SLOT, *net), "isn't the one", code=1)
    ok(not os.path.exists(os.path.join(HERE, "half/boot.ipxe")), "nothing can be booted from there")
    slot("root of one")
    done = netboot("write", DIR, "--from", SLOT, *net)
    ok(done[0] == 0 and "3 machines" in done[1], "the folder is written", done)
    digest = hashlib.sha256(FLEET.encode()).hexdigest()
    name = re.search(r"manor\.manifest=\$\{cwduri\}(\S+) manor\.manifest\.sha256=(\S+)\n", get("boot.ipxe"))
    ok(name and name.group(2) == digest and get(name.group(1)) == FLEET, "the script names the manifest, by its digest",
       get("boot.ipxe"))
    ok(get("root") == "root of one" and get("vmlinuz") == "vmlinuz of root of one" and "of root" in get("slot.cfg"),
       "the appliance's files are there, and what an installation takes")
    ok("of root" in get("xen.efi") and "of root" in get("xen.cfg"), "and what UEFI's iPXE starts instead of xen")
    before = {entry.name: entry.stat().st_ino for entry in os.scandir(DIR)}
    done = netboot("write", DIR, *net)
    ok(done[0] == 0 and all(os.stat(os.path.join(DIR, n)).st_ino == before[n] for n in ("xen", "root", "id")),
       "said again, what is large stays as it is", done)
    put("fleet.yaml", FLEET.replace("200.1/24", "200.2/24"))
    netboot("write", DIR, *net)
    ok(digest not in get("boot.ipxe") and get(name.group(1)) == FLEET and get("boot.ipxe").count("manor.manifest=") == 1,
       "another manifest is another file: who booted just now finds the old one", get("boot.ipxe"))
    put(f"{DIR}/appliance-{'0' * 16}.yaml", "of last year")
    put(f"{DIR}/appliance-mine.yaml", "somebody's")
    netboot("write", DIR, *net)
    left = sorted(n for n in os.listdir(DIR) if n.startswith("appliance-"))
    ok(len(left) == 2 and left[1] == "appliance-mine.yaml" and name.group(1) not in left,
       "what no script names any more is served no more, and nothing else goes", left)
    slot("root of two")
    netboot("write", DIR, "--from", SLOT, *net)
    ok(get("root") == "root of two", "another version takes its place", get("root"))
    done = netboot("write", os.path.join(HERE, "copy"), "--from", DIR, *net)
    with open(os.path.join(HERE, "copy/boot.ipxe"), encoding="ascii") as f:
        ok(done[0] == 0 and f.read().count("manor.manifest=") == 1, "one folder is made of another", done)
    for more in ((), ("--range", "10.9.0.100,10.9.0.110")):
        netboot("write", DIR, *net, *more)
        test = subprocess.run(["dnsmasq", "--test", f"--conf-file={DIR}/dnsmasq.conf"], capture_output=True, text=True, check=False)
        ok(test.returncode == 0, f"dnsmasq takes it: {'all of DHCP' if more else 'beside another server'}", test.stderr)


def there(name, *words):
    return ["ip", "netns", "exec", name, *words]


class Network:
    """Two ends of a wire, each in a network of its own."""

    def __enter__(self):
        self.near, self.far = f"manor-nb-{os.getpid()}", f"manor-nf-{os.getpid()}"
        for name in (self.near, self.far):
            subprocess.run(["ip", "netns", "add", name], check=True)
        for words in (["ip", "-n", self.near, "link", "add", "lan", "type", "veth", "peer", "name", "card", "netns", self.far],
                      ["ip", "-n", self.near, "addr", "add", "10.9.0.1/24", "dev", "lan"],
                      ["ip", "-n", self.near, "link", "set", "lan", "up"], ["ip", "-n", self.near, "link", "set", "lo", "up"]):
            subprocess.run(words, check=True)
        return self

    def __exit__(self, *_):
        for name in (self.near, self.far):
            subprocess.run(["ip", "netns", "del", name], check=False)

    def ask(self, mac, *options):
        """What a DHCP server offers a card with that address: its answer's fields."""
        script = put("lease", "#!/bin/sh\n[ \"$1\" = bound ] && env\nexit 0\n")
        os.chmod(script, 0o755)
        for words in (["link", "set", "card", "down"], ["link", "set", "card", "address", mac], ["link", "set", "card", "up"]):
            subprocess.run(["ip", "-n", self.far, *words], check=True)
        done = subprocess.run(there(self.far, "busybox", "udhcpc", "-f", "-q", "-n", "-t", "4", "-T", "2", "-i", "card", "-s", script,
                                    *options), capture_output=True, text=True, timeout=60, check=False)
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    def fetch(self, name):
        for words in (["addr", "replace", "10.9.0.50/24", "dev", "card"], ["link", "set", "card", "up"]):
            subprocess.run(["ip", "-n", self.far, *words], check=True)
        return subprocess.run(there(self.far, "curl", "-s", "--max-time", "20", f"tftp://10.9.0.1/{name}"), capture_output=True,
                              text=True, check=False).stdout


def serves():
    words = [MANOR, "netboot", "serve", DIR, "--interface", "lan", "--range", "10.9.0.100,10.9.0.110", "-f",
             os.path.join(HERE, "fleet.yaml")]
    with Network() as net, open(os.path.join(HERE, "log"), "w+", encoding="ascii") as log:
        for folder, _, files in os.walk(HERE):
            os.chmod(folder, 0o755)
            for name in files:
                os.chmod(os.path.join(folder, name), 0o644)
        with subprocess.Popen(there(net.near, *words), stdout=log, stderr=log, start_new_session=True) as server:
            try:
                time.sleep(1)
                got = net.ask(ONE, "-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000")
                ok(got.get("ip", "").startswith("10.9.0.1") and got.get("boot_file") == "undionly.kpxe",
                   "a machine's BIOS has an address, and is told of iPXE", got, open(log.name, encoding="ascii").read())
                ok(got.get("hostname") in (None, "hv1"), "it is the host that the manifest says", got)
                got = net.ask(TWO, "-V", "PXEClient:Arch:00007:UNDI:003016", "-x", "0x5d:0007")
                ok(got.get("boot_file") == "snponly.efi", "another's UEFI is told of UEFI's", got)
                got = net.ask(TWO, "-x", "0xaf:01", "-x", "0x5d:0007")
                ok(got.get("boot_file") == "boot.ipxe", "iPXE is told of the script", got)
                got = net.ask(OTHER, "-V", "PXEClient:Arch:00000:UNDI:002001", "-x", "0x5d:0000")
                ok("ip" not in got, "a machine that nobody named gets no answer", got)
                ok(net.fetch("boot.ipxe") == get("boot.ipxe"), "the script comes by TFTP")
                name = re.search(r"cwduri\}(appliance-\S+)", get("boot.ipxe")).group(1)
                ok(net.fetch(name) == get(name), "and the manifest that it names")
            finally:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(20)
        ok(server.returncode in (0, -signal.SIGTERM, 15), "it ends when it is told to", server.returncode)


def main():
    try:
        writes()
        if os.geteuid() == 0 and shutil.which("dnsmasq"):
            serves()
    finally:
        shutil.rmtree(HERE)
    print(f"1..{count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
