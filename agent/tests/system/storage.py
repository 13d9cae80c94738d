# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage over time: what a full pool does is changed live, removed volumes are kept, listed and destroyed."""
import json

from lab import changed, expect, standard, test


def mapped(host):
    """Percent of the pool's data in use."""
    return float(host.sh("lvs --noheadings -o data_percent vg0/pool"))


def trash(host, *words):
    return json.loads(host.manor("trash", "ls", "--format", "json", *words).out)


@test
def what_a_full_pool_does_is_changed_live(host):
    host.start_from(standard())
    web = host.domid("web")
    queue = changed(standard(), "storage", "vg0", "pool", to={"size": "90%VG", "when_full": "queue"})
    done = host.apply(queue)
    expect("when_full: error" in done.out and "queue" in done.out, "the step doesn't say it", done)
    expect(host.sh("lvs --noheadings -o lv_when_full vg0/pool").strip() == "queue", "LVM says otherwise")
    expect("queue_if_no_space" in host.sh("dmsetup status vg0-pool-tpool"), "the kernel says otherwise")
    host.settled()
    host.apply(standard())
    expect("error_if_no_space" in host.sh("dmsetup status vg0-pool-tpool"), "it isn't back")
    expect(host.domid("web") == web, "web was disturbed")


@test
def a_removed_volume_is_kept_as_long_as_its_storage_says(host):
    long = changed(standard(), "storage", "vg0", "tombstones", to="90d")
    long = changed(long, "volumes", "scrap", to={"storage": "vg0", "size": "64MiB"})
    host.apply(long)
    host.sh("dd if=/dev/urandom of=/dev/vg0/scrap bs=1M count=8 oflag=direct")
    host.apply(changed(long, "volumes", "scrap"))
    there = [t for t in trash(host) if t["volume"] == "scrap"]
    expect(len(there) == 1, "there isn't one tombstone of it", there)
    expect(there[0]["expires"] - there[0]["removed"] == 90 * 86400, "it isn't kept for 90 days", there)
    expect(7 << 20 <= there[0]["held"] <= 9 << 20, "it doesn't say that it holds 8 MiB", there)


@test
def the_trash_is_emptied_by_name_and_only_when_told(host):
    before = mapped(host)
    done = host.manor("trash", "empty", "volume/scrap", code=2)
    expect("--yes" in done.err, "it isn't said what to do", done)
    expect([t for t in trash(host) if t["volume"] == "scrap"], "it is gone without a yes")
    host.manor("trash", "empty", "volume/scrap", "--older-than", "1d", "--yes")
    expect([t for t in trash(host) if t["volume"] == "scrap"], "it is gone though it is young")
    host.manor("trash", "empty", "volume/scrap", "--yes")
    expect(not [t for t in trash(host) if t["volume"] == "scrap"], "it is still there")
    expect(mapped(host) < before, "its room didn't come back")
    expect("scrap" in host.sh("grep destroyed /var/lib/manor/journal.jsonl"), "the journal doesn't say it")
    host.settled()


@test
def a_disk_is_named_by_its_pci_path(host):
    disks = json.loads(host.manor("facts").out)["disks"]["disks"]
    disk = next(d for d in disks if d.get("serial") == "MANORDISK1")
    expect(disk.get("pci", "").startswith("pci-0000:"), "its PCI path isn't known", disk)
    by_path = changed(standard(), "storage", "vg0", "devices", to=[{"pci": disk["pci"], "min_size": "1GiB"}])
    host.plan(by_path, code=0)
    none = changed(standard(), "storage", "vg0", "devices", to=[{"pci": disk["pci"], "min_size": "1TiB"}])
    done = host.plan(none, code=1)
    expect("smaller than min_size" in done.out + done.err, "it isn't said why the disk isn't the one", done)
    host.plan(standard(), code=0)
