# SPDX-License-Identifier: GPL-2.0-or-later
"""A template goes on: what was made of it stays as it is until it is rebuilt, by name."""
from lab import IMAGES, MANIFEST, expect, standard, test, wait_for

NEWER = "/root/newer"


def newer():
    """The same files but for their digests: an empty frame behind the disk, padding behind the initrd."""
    m = standard()
    sums = {"file": f"{NEWER}/SHA256SUMS"}
    for name, file in (("root", "root.img.zst"), ("kernel", "vmlinuz"), ("initrd", "initrd.img")):
        m["templates"]["tiny"]["files"][name] = {"url": f"file://{NEWER}/{file}", "sha256": sums}
    return m


def boot_files(host, name):
    about = host.sh(f"xenstore-read /local/domain/{host.domid(name)}/manor/about")
    # xenstore-read prints a line's end as \n.
    lines = about.replace("\\n", "\n").splitlines()
    found = {line.split("=", 1)[0]: line.split("=", 1)[1] for line in lines if line.startswith(("kernel=", "initrd="))}
    expect(len(found) == 2, "its marks don't say what it booted", about)
    return found


@test(soak=True)
def a_newer_template_leaves_its_clones_alone(host):
    host.start_from(standard())
    host.write_serial("web", "iota")
    host.sh(f"mkdir -p {NEWER}; cp {IMAGES}/vmlinuz {IMAGES}/initrd.img {IMAGES}/root.img.zst {NEWER}; "
            f"printf '\\050\\265\\057\\375\\040\\000\\001\\000\\000' >> {NEWER}/root.img.zst; "
            f"printf '\\0\\0\\0\\0' >> {NEWER}/initrd.img; cd {NEWER}; sha256sum * > sums; mv sums SHA256SUMS")
    web, files = host.domid("web"), boot_files(host, "web")
    host.apply(newer())
    expect(host.domid("web") == web, "web was restarted")
    expect("behind" in host.manor("status").out, "status doesn't say that it is behind", host.manor("status"))
    host.settled()
    host.said("web", "reboot", 10)
    wait_for("web comes back", lambda: host.domains().get("web", (web,))[0] != web, 120)
    host.guest_up("web")
    expect(host.serial("web") == "iota", "it isn't on its own disk")
    expect(boot_files(host, "web") == files, "it got boot files that aren't its disk's", boot_files(host, "web"))
    host.settled()


@test(soak=True)
def rebuild_wants_to_be_told_and_gives_it_the_newer_files(host):
    files, lists = boot_files(host, "web"), host.domid("lists")
    done = host.manor("rebuild", "-f", MANIFEST, "web", code=1)
    expect("--yes" in done.err and host.serial("web") == "iota", "it isn't said how, or it was done", done)
    host.manor("rebuild", "-f", MANIFEST, "web", "--yes")
    host.guest_up("web")
    expect(host.serial("web") == "none", "it still is on the old clone", host.serial("web"))
    expect(boot_files(host, "web")["initrd"] != files["initrd"], "its initrd is the old one", boot_files(host, "web"))
    expect(host.domid("lists") == lists, "lists was disturbed")
    expect("web.root" in host.manor("undelete").out, "the old clone isn't kept", host.manor("undelete"))
    host.settled()
    domid = host.domid("web")
    host.manor("rebuild", "-f", MANIFEST, "web", "--yes")
    expect(host.domid("web") == domid, "it was made anew though it isn't behind")
