# SPDX-License-Identifier: GPL-2.0-or-later
"""Golden images on a host: listed, imported before anybody needs them, verified, freed when nobody does."""
import json

from lab import IMAGES, MANIFEST, changed, expect, guest, standard, test, tiny_template, wait_for

SPARE = "/root/spare"
MADE = "/root/made"


def images(host):
    return json.loads(host.manor("image", "ls", "--format", "json").out)


def named(host, name):
    found = [i for i in images(host) if name in i.get("named", "").split(", ")]
    expect(len(found) == 1, f"there isn't one image of {name}", images(host))
    return found[0]


def with_spare():
    """One template more, whose image nobody has been cloned from."""
    sums = {"file": f"{SPARE}/SHA256SUMS"}
    return changed(standard(), "templates", "spare", to={
        "files": {"root": {"url": f"file://{SPARE}/root.img.zst", "sha256": sums}}, "storage": "vg0"})


@test(soak=True)
def they_are_listed_with_who_needs_them(host):
    host.start_from(standard())
    # Earlier stories may have left its guests behind their template: those clones are of another base.
    base = [i for i in images(host) if "vg0/web.root" in i["clones"] and i.get("storage") == "vg0"]
    expect(len(base) == 1 and base[0]["read_only"] and not base[0]["filling"], "web's disk has no base", images(host))
    root, kernel = base[0], named(host, "tiny/kernel")
    expect(kernel["unpacked"] and "storage" not in kernel, "the kernel isn't told", kernel)
    expect(named(host, "tiny/root")["storage"] == "vg0", "the template's base isn't told", images(host))
    expect(0 < root["mapped"] < root["size"], "it isn't told how much of its base holds data", root)
    done = host.manor("image", "ls", "--noheadings")
    expect(root["digest"][:12] in done.out and "DIGEST" not in done.out, "the table is another", done)
    done = host.manor("image", "rm", root["digest"][:12], "--yes", code=1)
    expect("cloned from it" in done.err, "it isn't said why it stays", done)
    expect(root in images(host), "it is gone from under its clones", images(host))


@test(soak=True)
def one_is_pulled_and_freed_when_no_template_names_it_any_more(host):
    # An empty frame behind the image makes it another file.
    host.sh(f"mkdir -p {SPARE}; cp {IMAGES}/root.img.zst {SPARE}; "
            f"printf '\\050\\265\\057\\375\\040\\000\\001\\000\\000' >> {SPARE}/root.img.zst; "
            f"cd {SPARE}; sha256sum root.img.zst > SHA256SUMS")
    host.write(with_spare())
    domids = {name: d[0] for name, d in host.domains().items()}
    host.manor("image", "pull", "spare", "-f", MANIFEST)
    spare = named(host, "spare/root")
    expect(spare["storage"] == "vg0" and not spare["clones"], "it isn't an unused base", spare)
    host.manor("image", "verify", spare["digest"])
    host.manor("image", "gc", "--yes")
    expect(named(host, "spare/root"), "it went though a template names it")
    host.apply(standard())
    done = host.manor("image", "gc", "-n")
    expect(spare["digest"][:12] in done.out, "it isn't among what would go", done)
    done = host.manor("image", "gc", code=2)
    expect("--yes" in done.err, "it isn't said what to do", done)
    expect(spare["digest"] in [i["digest"] for i in images(host)], "it is gone without a yes")
    host.manor("image", "gc", "--yes")
    expect(spare["digest"] not in [i["digest"] for i in images(host)], "it is still there")
    expect(spare["digest"] in host.sh("grep destroyed /var/lib/manor/journal.jsonl"), "the journal doesn't say it")
    expect({name: d[0] for name, d in host.domains().items()} == domids, "guests were disturbed")
    host.settled()


@test(soak=True)
def a_damaged_kernel_is_found_and_fetched_again(host):
    kernel = named(host, "tiny/kernel")["digest"]
    host.manor("image", "verify", kernel)
    host.sh(f"printf x | dd of=/var/lib/manor/cache/{kernel} bs=1 seek=100000 conv=notrunc")
    done = host.manor("image", "verify", kernel, code=1)
    expect("sha256" in done.out, "it isn't said what is wrong", done)
    host.manor("image", "rm", kernel, "--yes")
    done = host.manor("image", "verify", code=1)
    expect("missing" in done.out, "it isn't said that it is missing", done)
    host.apply(standard())
    host.manor("image", "verify", kernel)
    host.settled()


def made(host, *words, code=0):
    """What `manor image export` and the like say they made."""
    done = host.manor("image", *words, "-f", MANIFEST, "--format", "json", code=code)
    return json.loads(done.out) if code == 0 else done


def snapshots(host):
    return [name for name in host.volumes() if name.startswith("copy.")]


def with_golden(captured):
    """A template of what was captured, and a guest of it."""
    template = tiny_template()
    template["files"]["root"] = captured["files"]["root"]
    m = changed(standard(), "templates", "golden", to=template)
    return changed(m, "domains", "gold", to=guest("gold", 9, template="golden"))


@test(soak=True)
def a_captured_disk_is_what_new_guests_are_made_of(host):
    host.start_from(standard())
    host.sh(f"rm -rf {MADE}; mkdir -p {MADE}")
    host.write_serial("web", "kappa")
    done = made(host, "capture", "web", "-o", f"{MADE}/web.img.zst", code=1)
    expect("manor stop web" in done.err, "it isn't said what to do with a guest that runs", done)
    host.manor("stop", "-f", MANIFEST, "web")
    was = host.volumes()["web.root"]
    captured = made(host, "capture", "web", "-o", f"{MADE}/web.img.zst")
    base = host.volumes()[captured["lv"]]
    expect(captured["sha256"] in host.sh(f"sha256sum {MADE}/web.img.zst; zstd -qt {MADE}/web.img.zst 2>&1"),
           "the digest isn't the file's", captured)
    expect(host.volumes()["web.root"] == was and not snapshots(host), "the guest's disk was touched", host.volumes())
    host.manor("image", "verify", captured["digest"], "-f", MANIFEST)
    host.apply(with_golden(captured))
    expect(host.volumes()[captured["lv"]]["lv_uuid"] == base["lv_uuid"], "the base was imported, not found")
    expect(host.volumes()["gold.root"]["origin"] == captured["lv"], "the new guest is no clone of it", host.volumes())
    host.guest_up("gold")
    expect(host.serial("gold") == "kappa", "what was written before isn't on its disk", host.serial("gold"))


@test(soak=True)
def an_exported_volume_is_imported_as_it_was(host):
    host.sh("dd if=/dev/urandom of=/dev/vg0/web-data bs=64k count=8 seek=100 oflag=direct status=none")
    tar = made(host, "export", "web-data", "-o", f"{MADE}/data.tar.zst")
    zst = made(host, "export", "volume/web-data", "-o", f"{MADE}/data.img.zst")
    host.sh(f"cd {MADE} && tar -xSf data.tar.zst && cmp web-data.img /dev/vg0/web-data")
    done = made(host, "export", "web-data", "-o", f"{MADE}/data.img.zst", code=1)
    expect("--force" in done.err, "a file that is there was replaced, or it isn't said how", done)
    base = made(host, "import", f"{MADE}/data.tar.zst", "--member", "web-data.img", "--sha256", tar["sha256"])
    again = made(host, "export", f"vg0/{base['lv']}", "-o", f"{MADE}/again.img.zst")
    expect(again["sha256"] == zst["sha256"], "what was imported is another disk", zst, again)
    done = made(host, "export", "lists.root", "-o", f"{MADE}/lists.img.zst", code=1)
    expect("--live" in done.err and "domain/lists" in done.err, "a guest that writes to it isn't named", done)
    made(host, "export", "lists.root", "-o", f"{MADE}/lists.img.zst", "--live")
    expect(not snapshots(host), "a snapshot is left", host.volumes())
    host.manor("start", "-f", MANIFEST, "web")
    host.apply(standard())
    host.bury()
    host.manor("image", "gc", "--yes", "-f", MANIFEST)
    expect(base["lv"] not in host.volumes(), "nobody needs it, and it stays", host.volumes())
    host.sh(f"rm -rf {MADE}")
    host.settled()


@test(soak=True)
def what_is_cut_off_is_told_and_cleared_away(host):
    host.start_from(standard())
    host.sh(f"rm -rf {MADE}; mkdir -p {MADE}")
    slow = f"manor image capture web -o {MADE}/big.img.zst -f {MANIFEST}"
    begun = "until lvs --noheadings -o lv_name vg0 | grep -q copy; do sleep 0.2; done; sleep 1"
    host.manor("stop", "-f", MANIFEST, "web")
    host.sh("dd if=/dev/urandom of=/dev/vg0/web.root bs=1M seek=64 count=190 oflag=direct status=none")
    # Ctrl-C, and the same from afar: nothing is left.
    for signal in ("INT", "TERM"):
        # In the foreground, for a shell has what is behind ignore Ctrl-C.
        done = host.run(f"pid=$$; ({begun}; kill -{signal} $pid) & exec {slow}")
        expect(done.code == 130, "it wasn't interrupted", done)
        expect(not snapshots(host) and not host.sh(f"ls -A {MADE}"), "something is left", host.volumes())
    # Killed: the snapshot is named as what it is, and cleared away; no half a file.
    host.run(f"{slow} & pid=$!; {begun}; kill -9 $pid; wait $pid")
    expect(len(snapshots(host)) == 1 and not host.sh(f"ls -A {MADE}"), "another thing is left", host.volumes())
    left = snapshots(host)[0]
    expect("half-made" in host.manor("image", "ls", "-f", MANIFEST).out, "it isn't told")
    expect(left not in host.manor("status", "-f", MANIFEST).out, "it is taken for a volume")
    host.plan(code=None)
    # Not from under somebody who is about it.
    host.run(f"{slow} >/dev/null 2>&1 & sleep 1; {begun}; manor image gc --yes -f {MANIFEST}; wait")
    expect(not snapshots(host), "the first is still there, or the second was taken away", host.volumes())
    expect(host.run(f"zstd -qt {MADE}/big.img.zst").code == 0, "the second was disturbed")
    # No room for the file.
    host.sh(f"mount -t tmpfs -o size=4m none {MADE}")
    done = host.manor("image", "export", "web.root", "-o", f"{MADE}/x.img.zst", "-f", MANIFEST, code=1)
    expect("No space" in done.err and not host.sh(f"ls -A {MADE}"), "half a file is left, or it isn't told", done)
    host.sh(f"umount {MADE}")
    expect(not snapshots(host), "a snapshot is left", host.volumes())
    # The power fails.
    host.run(f"{slow} --force >/dev/null 2>&1 & {begun}")
    host.cut_power()
    wait_for("LVM answers", lambda: host.run("lvs vg0").code == 0, 60)
    expect(len(snapshots(host)) == 1, "no snapshot was left: cut too late, or too early", host.volumes())
    host.manor("image", "gc", "--yes", "-f", MANIFEST)
    expect(not snapshots(host), "it can't be cleared away", host.volumes())
    host.apply(standard())
    host.guest_up("web")
    host.sh(f"rm -rf {MADE}")
    host.settled()
