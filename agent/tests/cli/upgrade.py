#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrades, the real program and the real RAUC, with files for a disk, in folders of their own: which bundles are taken,
what is written, what is kept of it. What decides at a boot is unit/test_upgrade.c's. TAP.
"""
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tap  # noqa: E402
from tap import CRASHES, expect, story  # noqa: E402

TOP = Path(__file__).resolve().parents[3]
MANOR = os.path.abspath(os.environ.get("MANOR", "build/manor"))
RECORD = Path("/var/lib/manor/intent/upgrade.json")
MENU = Path("/run/esp/grub/grubenv")
IN_FORCE = Path("/var/lib/manor/manifest-in-force.json")
FIRST = {"ORDER": "A B", "A_OK": "1", "A_TRY": "0", "B_OK": "1", "B_TRY": "0"}
BUNDLES = Path("/run/bundles")
RUNS, NEWER, OLDER = (f"0.1.{n}-gtest" for n in (20261002120000, 20261101120000, 20260901120000))


def run(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)


def manor(*words, code=0):
    done = subprocess.run([MANOR, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          check=False)
    done.all = done.stdout + done.stderr
    expect(done.returncode == code and not any(c in done.all for c in CRASHES),
           f"manor {' '.join(map(str, words))} ended with {done.returncode}, not {code}", done.all)
    return done


def record():
    return json.loads(RECORD.read_text()) if RECORD.exists() else None


def menu():
    """What the boot menu reads."""
    return dict(line.split("=", 1) for line in MENU.read_text().split("\n") if "=" in line)


def slot_b():
    return Path(os.environ["LOOP_B"]).read_bytes()


def refused(bundle, *texts, words=(), code=1):
    """Nothing is written, nothing kept, and one error says why."""
    before = slot_b()
    done = manor("upgrade", str(bundle), "--yes", *words, code=code)
    expect(all(t in done.stderr for t in texts), f"it doesn't say {texts}", done.all)
    expect(done.stderr.count("manor upgrade:") == 1, "not one error", done.all)
    expect(slot_b() == before and record() is None and menu() == FIRST, "something was changed", record(), menu())
    return done


def bundle(name, version=NEWER, content=b"new", key="ours", **more):
    """Of a slot that is no more than a few files."""
    path = BUNDLES / f"{name}.raucb"
    if path.exists():
        return path
    slot = BUNDLES / f"{name}.slot"
    slot.mkdir()
    for file in ("xen", "vmlinuz", "initrd"):
        (slot / file).write_bytes(content * 100)
    (slot / "root").write_bytes(os.urandom(100_000) + content)
    (slot / "id").write_text(f"{name:0<64}\n")
    (slot / "version").write_text(version + "\n")
    keys = BUNDLES / key
    if not keys.with_suffix(".pem").exists():
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/O=Test/CN={key}",
            "-keyout", keys.with_suffix(".key"), "-out", keys.with_suffix(".pem"))
    run(TOP / "hv/appliance/bundle", slot, path,
        env=dict(os.environ, BUILD=str(BUNDLES), MANOR_CERT=str(keys.with_suffix(".pem")),
                 MANOR_KEY=str(keys.with_suffix(".key")), **more))
    return path


@story
def a_host_that_has_no_slot_says_what_it_is():
    run("umount", "/run/slot")
    refused(bundle("new"), "runs in memory", "there is no slot to upgrade", "manor.iso")
    expect(json.loads(manor("upgrade", "--format", "json").stdout) == {"version": RUNS, "installed": False},
           "as JSON it is something else")
    os.rename("/usr/share/manor/version", "/usr/share/manor/version.away")
    refused(bundle("new"), "isn't Manor's appliance")
    expect(manor("upgrade").stdout == "", "it has a version")


@story
def what_is_no_bundle_is_told_apart():
    whole = bundle("new").read_bytes()
    for name, content, *texts in (
            ("page", b"\n <!DOCTYPE html><html>moved</html>", "it is a web page"),
            ("text", b"hello, world" * 100, "it is no upgrade bundle", "manor.raucb"),
            ("empty", b"", "it is no upgrade bundle"),
            ("short", whole[:len(whole) // 2], "it was cut off", "bytes are there"),
            ("unsigned", whole[:-(int.from_bytes(whole[-8:], "big") + 8)], "it isn't signed"),
            ("tailless", whole[:-9], "cut off within its signature"),
            ("damaged", whole[:5000] + b"XXXX" + whole[5004:], "it isn't as it was signed")):
        path = BUNDLES / name
        path.write_bytes(content)
        refused(path, *texts)
    refused(BUNDLES / "nowhere", "No such file")
    refused(BUNDLES, "is no plain file")


@story
def only_a_trusted_key_signs():
    refused(bundle("foreign", key="theirs"), "signed by nobody whom this appliance trusts", "keyring.pem")


@story
def another_machines_and_another_order_of_versions_are_refused():
    refused(bundle("arm", BUNDLE_COMPATIBLE="manor-arm64"), "it is for manor-arm64, and this is manor-amd64")
    refused(bundle("running", version=RUNS), f"{RUNS} is what runs here")
    refused(bundle("old", version=OLDER), f"{OLDER} is older than {RUNS}", "--downgrade")
    refused(bundle("odd", version="fresh"), "can't be told", "--downgrade")
    done = manor("upgrade", str(bundle("new")), code=2)
    expect("say --yes" in done.all and record() is None, "nobody was asked, and it went on", done.all)


@story
def a_good_one_is_written_and_is_the_next_boots():
    done = manor("upgrade", str(bundle("new")), "--yes", "--no-reboot", "--within", "5m")
    expect(f"{NEWER} is in slot B, and the next boot's" in done.all, "it doesn't say so", done.all)
    expect(menu() == {**FIRST, "ORDER": "B A", "TRIAL": "B"}, "RAUC told the menu something else", menu())
    trial = record()["trial"]
    expect((trial["slot"], trial["version"], trial["from"], trial["within"], trial["written"]) ==
           ("B", NEWER, RUNS, 300, True), "that isn't noted", trial)
    run("e2fsck", "-fn", os.environ["LOOP_B"])
    run("debugfs", "-R", "dump version /run/written", os.environ["LOOP_B"])
    expect(Path("/run/written").read_text() == NEWER + "\n", "another version was written")
    expect("for the next boot" in manor("upgrade").stdout, "status doesn't say it")
    expect(json.loads(manor("upgrade", "--format", "json").stdout)["upgrade"]["state"] == "written", "nor its JSON")
    # RAUC's own books have it, too.
    expect(f"bundle.version={NEWER}" in Path("/var/lib/manor/rauc.status").read_text(), "RAUC doesn't know it")


@story
def how_long_it_may_take_is_the_manifests_to_say():
    Path("/run/slow.yaml").write_text("manor: 1\nnamespace: cli.example.org\nhost: {upgrade: {within: 20m}}\n")
    manor("apply", "--yes", "-f", "/run/slow.yaml")
    done = manor("upgrade", str(bundle("new")), "--yes", "--no-reboot")
    expect(record()["trial"]["within"] == 1200, "it isn't kept to", done.all, record())
    manor("upgrade", str(bundle("new")), "--yes", "--no-reboot", "--within", "5m")
    expect(record()["trial"]["within"] == 300, "who asks for something else doesn't get it", record())


@story
def an_older_one_is_taken_when_it_is_asked_for():
    done = manor("upgrade", str(bundle("old", version=OLDER)), "--yes", "--no-reboot", "--downgrade", "--format", "json")
    expect(json.loads(done.stdout) == {"version": OLDER, "from": RUNS, "slot": "B", "reboots": False}, "not so",
           done.all)
    manor("upgrade", str(bundle("odd", version="fresh")), "--yes", "--no-reboot", "--downgrade")


@story
def one_that_failed_is_not_tried_again_unasked():
    RECORD.parent.mkdir(parents=True)
    RECORD.write_text(json.dumps({"failed": [{"version": NEWER, "why": "domain/web ran before", "when": 1}]}))
    done = manor("upgrade", str(bundle("new")), "--yes", code=1)
    expect("was tried before and failed: domain/web ran before" in done.all and "--retry" in done.all, "not so", done.all)
    expect("FAILED: the upgrade to" in manor("upgrade").stdout, "status doesn't tell")
    manor("upgrade", str(bundle("new")), "--yes", "--retry", "--no-reboot")
    expect(record()["failed"] == [] and record()["trial"]["version"] == NEWER, "it is a failure still", record())


@story
def a_version_on_trial_is_no_place_to_start_from():
    RECORD.parent.mkdir(parents=True)
    RECORD.write_text(json.dumps({"trial": {"slot": "A", "version": RUNS, "from": OLDER, "within": 600}}))
    done = manor("upgrade", str(bundle("new")), "--yes", code=1)
    expect("is on trial itself" in done.all, "it is", done.all)
    expect("ON TRIAL" in manor("upgrade").stdout, "status doesn't tell")


@story
def one_that_is_too_large_is_not_begun():
    with open("/run/disk.b", "r+b") as f:
        f.truncate(4 << 20)
    run("losetup", "-c", os.environ["LOOP_B"])
    try:
        refused(bundle("new"), "its image has", "slot B")
    finally:
        with open("/run/disk.b", "r+b") as f:
            f.truncate(64 << 20)
        run("losetup", "-c", os.environ["LOOP_B"])


@story
def what_raucs_menu_refuses_is_over():
    shutil.rmtree("/run/esp")
    done = manor("upgrade", str(bundle("new")), "--yes", code=1)
    expect("RAUC couldn't write it" in done.all, "not so", done.all)
    expect(record() is None, "it is noted as begun", record())


def write():
    manor("upgrade", str(bundle("new")), "--yes", "--no-reboot")


def booted(slot, menus, noted=None):
    """Another boot, of that slot, as the menu does it; what comes of it is in the menu and in what is kept."""
    lines = MENU.read_text().rstrip("#")
    MENU.write_text(lines.replace(f"{slot}_TRY=0", f"{slot}_TRY=1").ljust(1024, "#"))
    if RECORD.exists():
        RECORD.write_text(RECORD.read_text().replace(Path("/proc/sys/kernel/random/boot_id").read_text().strip(), "before"))
    if slot == "B":
        run("umount", "/run/slot")
        run("mount", "-o", "ro", os.environ["LOOP_B"], "/run/slot")
    done = manor("worker", "booted")
    expect(menu() == {**FIRST, **menus}, "the menu says something else", menu(), done.all)
    expect(record() == noted or noted is any, "something else is kept", record(), done.all)
    return done.stderr


@story
def an_ordinary_boot_is_good_when_it_has_come_up():
    booted("A", {})


@story
def a_new_version_is_on_trial_until_it_is_called_good():
    write()
    said = booted("B", {"ORDER": "B A", "TRIAL": "B", "B_TRY": "1"}, any)
    expect("is on trial" in said and record()["trial"]["written"], "it isn't", said)
    booted("B", {"ORDER": "B A", "TRIAL": "B", "B_TRY": "1"}, any)
    done = subprocess.run([MANOR, "worker", "upgrade-good"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    expect(json.loads(done.stdout)["result"] == 0, "it can't be made good", done)
    expect(menu() == {**FIRST, "ORDER": "B A", "TRIAL": ""} and record() is None, "it isn't good", menu(), record())
    booted("B", {"ORDER": "B A", "TRIAL": ""})


@story
def one_that_was_good_and_comes_up_no_more_is_told():
    write()
    booted("B", {"ORDER": "B A", "TRIAL": "B", "B_TRY": "1"}, any)
    subprocess.run([MANOR, "worker", "upgrade-good"], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    run("umount", "/run/slot")
    run("mount", "-o", "ro", os.environ["LOOP_A"], "/run/slot")
    # By hand, from the menu: nothing is said of the other.
    booted("A", {"ORDER": "B A", "TRIAL": ""})
    MENU.write_text(MENU.read_text().replace("B_TRY=0", "B_TRY=3"))
    said = booted("A", {"B_OK": "0", "TRIAL": ""}, any)
    expect("slot B was to be started" in said, "it isn't told", said)
    failed = record()["failed"]
    expect(len(failed) == 1 and failed[0]["version"] == NEWER and "didn't come up" in failed[0]["why"], "nor kept", record())
    expect(f"FAILED: the upgrade to {NEWER}" in manor("upgrade").stdout, "status doesn't tell")
    booted("A", {"B_OK": "0", "TRIAL": ""}, any)
    expect(len(record()["failed"]) == 1, "it is told twice", record())


@story
def the_old_one_tells_why_the_new_one_failed():
    write()
    trial = record()["trial"]
    RECORD.write_text(json.dumps({"trial": {**trial, "gave_up": "domain/web: await"}}))
    said = booted("A", {"B_OK": "0", "TRIAL": ""}, any)
    expect("failed" in said and "domain/web: await" in said, "it doesn't say so", said)
    expect("trial" not in record() and record()["failed"][0]["why"] == "domain/web: await", "nor is it kept", record())
    expect("FAILED" in manor("upgrade").stdout, "status doesn't tell")
    refused_again = manor("upgrade", str(bundle("new")), "--yes", code=1)
    expect("was tried before" in refused_again.all, "it is tried again", refused_again.all)
    # The next boot has no more to say.
    booted("A", {"B_OK": "0", "TRIAL": ""}, any)


@story
def one_that_was_cut_off_is_no_failure():
    write()
    trial = record()["trial"]
    RECORD.write_text(json.dumps({"trial": {**trial, "written": False}}))
    said = booted("A", {"B_OK": "0", "TRIAL": ""})
    expect("was cut off" in said, "it doesn't say so", said)
    write()


@story
def what_boots_is_asked_once_a_boot():
    write()
    before = menu(), record()
    manor("worker", "booted")
    expect((menu(), record()) == before, "what waits for the next boot was taken for a failure", menu(), record())


def in_force(host):
    text = f"manor: 1\nnamespace: lab.example.org\nhost: {host}\n"
    IN_FORCE.write_text(json.dumps({"name": "appliance.yaml", "dir": "/etc/manor", "text": text, "files": {}}))
    os.chmod(IN_FORCE, 0o600)


TRIED = "dom0_mem=1048576K,max:1048576K dom0_max_vcpus=2 loglvl=all"
SAYS = "{dom0: {memory: 1GiB, vcpus: 2}, xen: {cmdline: loglvl=all}}"


def restarted(*words, menus=None, noted=any):
    """Another boot of slot A, with those of the kernel's arguments."""
    RECORD.write_text(RECORD.read_text().replace(Path("/proc/sys/kernel/random/boot_id").read_text().strip(), "before"))
    Path("/run/cmdline").write_text(" ".join(["console=hvc0 rauc.slot=A", *words]) + "\n")
    done = subprocess.run(["unshare", "-m", "sh", "-c",
                           f"mount --bind /run/cmdline /proc/cmdline && exec {MANOR} worker booted"],
                          capture_output=True, text=True, check=True)
    expect(menu() == {**FIRST, **menus}, "the menu says something else", menu(), done.stderr)
    expect(record() == noted or noted is any, "something else is kept", record())
    return done.stderr


@story
def what_the_manifest_says_of_xen_is_tried_as_a_version_is():
    in_force(SAYS)
    done = manor("upgrade", "--settings", code=2)
    expect("say --yes" in done.all and record() is None and menu() == FIRST, "nobody was asked, and it went on", done.all)
    done = manor("upgrade", "--settings", "--yes", "--no-reboot", "--within", "5m")
    expect("next boot's" in done.all, "it doesn't say so", done.all)
    expect(menu() == {**FIRST, "XEN_TRIAL": TRIED, "XEN_TRY": "0"}, "the menu has something else", menu())
    trial = record()["trial"]
    expect((trial["slot"], trial["version"], trial["settings"], trial["within"], trial["written"]) ==
           ("A", RUNS, TRIED, 300, True), "that isn't noted", trial)
    expect(TRIED in manor("upgrade").stdout, "status doesn't say it")
    done = manor("upgrade", "--settings", "--yes", code=1)
    expect("was begun" in done.all, "a second is begun", done.all)
    said = restarted("manor.settings=trial", menus={"XEN_TRIAL": TRIED, "XEN_TRY": "0"})
    expect("on trial" in said, "it isn't", said)
    run("unshare", "-m", "sh", "-c", f"mount --bind /run/cmdline /proc/cmdline && exec {MANOR} worker upgrade-good </dev/null")
    expect(menu() == {**FIRST, "XEN": TRIED, "XEN_TRIAL": "", "XEN_TRY": ""} and record() is None, "it isn't good", menu(),
           record())
    done = manor("upgrade", "--settings", "--yes")
    expect("nothing to do" in done.all and record() is None, "it is done again", done.all)
    # What the manifest says no more goes as it came.
    in_force("{name: hv1}")
    manor("upgrade", "--settings", "--yes", "--no-reboot")
    restarted("manor.settings=trial", menus={"XEN": TRIED, "XEN_TRIAL": "", "XEN_TRY": "0"})


@story
def settings_with_which_it_does_not_come_up_are_taken_back():
    in_force(SAYS)
    manor("upgrade", "--settings", "--yes", "--no-reboot")
    MENU.write_text(MENU.read_text().replace("XEN_TRY=0", "XEN_TRY=1"))
    said = restarted(menus={"XEN_TRIAL": "", "XEN_TRY": ""})
    expect("failed" in said and "trial" not in record(), "it isn't told", said)
    expect(record()["failed"][0]["settings"] == TRIED, "nor kept", record())
    expect(f"FAILED: Xen with '{TRIED}'" in manor("upgrade").stdout, "status doesn't tell")
    done = manor("upgrade", "--settings", "--yes", code=1)
    expect("was tried before and failed" in done.all and "--retry" in done.all, "they are tried again", done.all)
    # Of a version nothing was said.
    manor("upgrade", str(bundle("new")), "--yes", "--no-reboot")
    clean()
    in_force(SAYS)
    manor("upgrade", "--settings", "--yes", "--no-reboot")
    trial = record()["trial"]
    RECORD.write_text(json.dumps({"trial": {**trial, "written": False}}))
    said = restarted(menus={"XEN_TRIAL": "", "XEN_TRY": ""}, noted=None)
    expect("were not tried" in said, "what was cut off before is a failure", said)


@story
def settings_need_a_slot_and_a_manifest():
    done = manor("upgrade", "--settings", "--yes", code=1)
    expect("no manifest is in force" in done.all, "it doesn't say so", done.all)
    manor("upgrade", "--settings", str(bundle("new")), code=2)
    run("umount", "/run/slot")
    done = manor("upgrade", "--settings", "--yes", code=1)
    expect("there is no slot to upgrade" in done.all, "it doesn't say so", done.all)


def over(slot, within, failed=(), **more):
    """What manor-trial.timer's script asks systemd for, on a host that runs from slot A."""
    Path("/run/cmdline").write_text("console=hvc0 rauc.slot=A panic=10\n")
    Path("/run/bin").mkdir(exist_ok=True)
    Path("/run/bin/systemctl").write_text('#!/bin/sh\necho "$*" >/run/asked\n')
    os.chmod("/run/bin/systemctl", 0o755)
    Path("/run/asked").unlink(missing_ok=True)
    RECORD.write_text(json.dumps({"trial": {"slot": slot, "version": NEWER, "within": within, **more}, "failed": list(failed)}, indent=2))
    subprocess.run(["unshare", "-m", "sh", "-c", "mount --bind /run/cmdline /proc/cmdline && exec /usr/lib/manor/trial-over"],
                   check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, PATH="/run/bin:" + os.environ["PATH"]))
    return Path("/run/asked").read_text().strip() if Path("/run/asked").exists() else None


@story
def without_any_program_of_manors_time_is_up_all_the_same():
    RECORD.parent.mkdir(parents=True)
    up = int(float(Path("/proc/uptime").read_text().split()[0]))
    expect(over("A", up) is None, "before its time")
    expect(over("B", 60) is None, "of a version that doesn't run")
    expect(over("A", 60, settings="") is None, "of settings with which it doesn't run")
    expect(over("A", up - 200) == "--no-block reboot", "not in order first")
    before = [{"version": RUNS, "settings": "loglvl=all", "why": "it didn't come up", "when": 1}]
    expect(over("A", up - 200, failed=before) == "--no-block reboot", "settings that failed long ago keep it from that")
    if up > 800:
        expect(over("A", up - 760) == "--force --force reboot", "nor by force then")


class Server(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/login":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>who are you?</html>")
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@story
def from_afar_it_is_fetched_first_and_not_kept():
    served = bundle("new")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=str(BUNDLES)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_port}"
    refused(f"{at}/login", "the server answers with a web page")
    refused(f"{at}/nowhere.raucb", "404")
    manor("upgrade", f"{at}/{served.name}", "--yes", "--no-reboot")
    expect(record()["trial"]["version"] == NEWER, "it isn't noted", record())
    expect(not list(Path("/var/lib/manor/upgrade").iterdir()), "what was fetched is kept")
    server.shutdown()


@story
def there_is_one_at_a_time():
    done = subprocess.run(["flock", "/run/manor/upgrade.lock", MANOR, "upgrade", str(bundle("new")), "--yes"],
                          capture_output=True, text=True, check=False)
    expect(done.returncode == 1 and "another `manor upgrade`" in done.stderr, "there are two", done.stderr)


def clean():
    subprocess.run(["umount", "/run/slot"], check=False, stderr=subprocess.DEVNULL)
    Path("/usr/share/manor/version.away").unlink(missing_ok=True)
    for folder in ("/var/lib/manor", "/run/manor", "/run/esp/grub"):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    MENU.write_text(("# GRUB Environment Block\n" + "".join(f"{k}={v}\n" for k, v in FIRST.items())).ljust(1024, "#"))
    Path("/usr/share/manor/version").write_text(RUNS + "\n")
    run("mount", "-o", "ro", os.environ["LOOP_A"], "/run/slot")
    with open(os.environ["LOOP_B"], "r+b") as f:
        f.write(bytes(64 << 10))


def prepare():
    """A disk of two slots, as the kernel would show it; of the programs what an appliance has."""
    BUNDLES.mkdir()
    for name in ("a", "b"):
        with open(f"/run/disk.{name}", "wb") as f:
            f.truncate(64 << 20)
    Path("/run/first").mkdir()
    Path("/run/first/id").write_text(f"{'running':0<64}\n")
    run("mke2fs", "-q", "-t", "ext4", "-d", "/run/first", "/run/disk.a")
    Path("/run/slot").mkdir()
    sysfs = Path("/run/sys")
    for name in ("a", "b"):
        loop = subprocess.run(["losetup", "-f", "--show", f"/run/disk.{name}"], check=True, capture_output=True,
                              text=True).stdout.strip()
        os.environ["LOOP_" + name.upper()] = loop
        part = sysfs / f"disk/part-{name}"
        part.mkdir(parents=True)
        (part / "uevent").write_text(f"MAJOR=7\nDEVNAME={loop.removeprefix('/dev/')}\nPARTNAME=manor-{name}\n")
        number = os.stat(loop).st_rdev
        (sysfs / f"{os.major(number)}:{os.minor(number)}").symlink_to(f"disk/part-{name}")
    os.environ["MANOR_SYS_BLOCK"] = str(sysfs)
    shutil.copytree(TOP / "hv/appliance/files/usr/lib/manor", "/usr/lib/manor", dirs_exist_ok=True)
    shutil.copy(MANOR, "/usr/bin/manor")
    os.environ["MANOR_ESP_DIR"] = "/run/esp"
    os.makedirs("/usr/share/manor", exist_ok=True)
    bundle("new")
    shutil.copy(BUNDLES / "ours.pem", "/usr/share/manor/keyring.pem")


def world():
    """Into it: nothing that is done here is seen outside."""
    if os.environ.get("MANOR_TEST_WORLD"):
        return True
    lacking = [p for p in ("rauc", "dbus-run-session", "openssl", "mksquashfs", "losetup") if not shutil.which(p)]
    if os.geteuid() or lacking or subprocess.run(["losetup", "-f"], capture_output=True, check=False).returncode:
        print(f"1..0 # SKIP needs root, loop devices and {', '.join(lacking) or 'nothing else'}")
        return False
    with tempfile.TemporaryDirectory() as folder:
        script = f"""set -e
            for d in usr etc; do
                mkdir -p {folder}/$d.up {folder}/$d.work
                mount -t overlay -o lowerdir=/$d,upperdir={folder}/$d.up,workdir={folder}/$d.work $d /$d
            done
            mount -t tmpfs -o size=400m tmpfs /run; truncate -s 100M {folder}/var; mke2fs -q -t ext4 {folder}/var
            mount -o loop {folder}/var /var; mkdir -p /var/lib/manor /var/tmp
            ip link set lo up; exec "$0" "$@" """
        sys.exit(subprocess.run(
            ["unshare", "-mn", "--propagation", "private", "bash", "-c", script, sys.executable,
             os.path.abspath(sys.argv[0]), *sys.argv[1:]],
            env=dict(os.environ, MANOR_TEST_WORLD="1"), check=False).returncode)


def main():
    if not world():
        return 0
    prepare()
    try:
        return tap.tell(clean)
    finally:
        subprocess.run(["umount", "/run/slot"], check=False)
        for name in ("LOOP_A", "LOOP_B"):
            subprocess.run(["losetup", "-d", os.environ[name]], check=False)


if __name__ == "__main__":
    sys.exit(main())
