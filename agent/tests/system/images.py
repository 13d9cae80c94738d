# SPDX-License-Identifier: GPL-2.0-or-later
"""Golden images on a host: listed, imported before anybody needs them, verified, freed when nobody does."""
import json

from lab import IMAGES, MANIFEST, changed, expect, standard, test

SPARE = "/root/spare"


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
