# SPDX-License-Identifier: GPL-2.0-or-later
"""Images and storages when something fails under them in the middle: one error at the manifest's line, nothing half-made is
trusted, and once the cause is mended the next apply goes on. What servers and files do wrong is shown without a host around it
(cli/faults.py, the unit tests)."""
import time

from lab import begin, cites, expect, standard, test, wait_for, with_bridge

SPARE = "/root/faults"


def bases(host, vg):
    return {name: lv for name, lv in host.volumes(vg).items() if name.startswith("base.")}


def finished(host, name):
    lv = bases(host, "vg0").get(name)
    return lv and "filling" not in lv["lv_tags"]


def blank(host):
    """The two small disks, whatever an earlier test has left on them."""
    host.sh("for vg in small twin; do vgremove -q -f -y $vg >/dev/null 2>&1; done; "
            "pvremove -q -f -y /dev/vdc /dev/vdd >/dev/null 2>&1; wipefs -qa /dev/vdc /dev/vdd")


def with_pair(size):
    """A small storage, and an archive of two images that go there in one pass."""
    m = with_bridge(standard(), "besides")
    m["storage"]["small"] = {"devices": [{"serial": "MANORDISK3"}], "pool": {"size": size, "metadata": "8MiB"}}
    sums = {"file": f"{SPARE}/SHA256SUMS"}
    m["templates"]["pair"] = {"storage": "small", "files": {
        name: {"url": f"file://{SPARE}/pair.tar", "sha256": sums, "member": f"{name}.img"} for name in ("a", "b")}}
    return m


@test(soak=True)
def a_pool_that_fills_in_the_middle_of_an_import_is_one_error_and_room_is_all_it_takes(host):
    host.start_from(standard())
    blank(host)
    host.sh(f"mkdir -p {SPARE}; cd {SPARE}; head -c 40M /dev/urandom >a.img; cp a.img b.img; "
            "tar -cf pair.tar a.img b.img; sha256sum pair.tar >SHA256SUMS; rm b.img")
    # Each of the two has room by itself.
    wrong = with_pair("64MiB")
    text = host.write(wrong)
    done = host.apply(code=1)
    cites(done, text, ("templates", "pair", "files", "a", "url"), "pool small/pool became full")
    expect("besides" in host.links(), "the rest didn't go on", done)
    expect(not bases(host, "small"), "something half-made was left", host.volumes("small"))
    expect("error_if_no_space" in host.sh("dmsetup status small-pool-tpool || dmsetup status small-pool"),
           "the pool isn't well")
    host.apply(with_pair("160MiB"))
    made = bases(host, "small")
    expect(len(made) == 2 and not any("filling" in lv["lv_tags"] for lv in made.values()), "they didn't come", made)
    for name in made:
        host.sh(f"lvchange -ay -K small/{name} && cmp -n {40 << 20} {SPARE}/a.img /dev/small/{name}; r=$?; "
                f"lvchange -an small/{name}; exit $r")
    host.settled()
    host.apply(standard())
    blank(host)
    host.sh(f"rm -r {SPARE}")


@test(soak=True)
def the_power_fails_in_the_middle_of_an_import(host):
    host.sh(f"mkdir -p {SPARE}; cd {SPARE}; head -c 150M /dev/urandom >big.img; sha256sum big.img >SHA256SUMS; sync")
    more = standard()
    more["templates"]["big"] = {"storage": "vg0", "files": {
        "root": {"url": f"file://{SPARE}/big.img", "sha256": {"file": f"{SPARE}/SHA256SUMS"}}}}
    before = set(bases(host, "vg0"))
    begin(host, more)
    fresh = wait_for("it begins", lambda: set(bases(host, "vg0")) - before, 100, 0.2)
    time.sleep(1)
    host.cut_power()
    name = fresh.pop()
    # The manifest was in force before anything was begun: the host makes it anew by itself.
    wait_for("the base is there", lambda: finished(host, name), 300, 1)
    host.apply(more)
    host.settled()
    made = bases(host, "vg0")
    expect(set(made) == before | {name}, "there isn't one base more", made)
    expect("filling" not in made[name]["lv_tags"] and made[name]["lv_attr"][1] == "r", "it isn't whole", made[name])
    host.sh(f"lvchange -ay -K vg0/{name} && cmp -n {150 << 20} {SPARE}/big.img /dev/vg0/{name}; r=$?; "
            f"lvchange -an vg0/{name}; exit $r")
    host.apply(standard())
    host.manor("image", "rm", f"vg0/{name}", "--yes")
    host.sh(f"rm -r {SPARE}")


def with_twin(*volumes):
    m = standard()
    m["storage"]["twin"] = {"devices": [{"serial": "MANORDISK2"}, {"serial": "MANORDISK3"}], "pool": {"size": "50%VG"}}
    for name in volumes:
        m["volumes"][name] = {"storage": "twin", "size": "16MiB"}
    return m


def refused(host, manifest, *words):
    """One error at the storage's devices; the rest goes on, and guests don't notice."""
    before = host.domains()
    text = host.write(with_bridge(manifest, "besides"))
    done = host.apply(code=1)
    cites(done, text, ("storage", "twin", "devices"), *words)
    expect("besides" in host.links(), "the rest didn't go on", done)
    expect(host.domains() == before, "guests were touched", before, host.domains())


@test
def two_groups_of_one_name_are_one_error_until_there_is_one(host):
    host.start_from(standard())
    blank(host)
    host.apply(with_twin())
    # LVM makes none whose folder in /dev is there.
    host.sh("vgchange -q -an twin; rmdir /dev/twin 2>/dev/null; truncate -s 64M /root/other.img; "
            "losetup /dev/loop7 /root/other.img; vgcreate -q --devices /dev/loop7 twin /dev/loop7")
    refused(host, with_twin("first"), "2 volume groups are called twin")
    host.sh("vgremove -q -f -y --devices /dev/loop7 twin; losetup -d /dev/loop7; rm /root/other.img")
    host.apply(with_twin("first"))
    expect("first" in host.volumes("twin"), "it didn't go on")
    host.settled()


@test
def a_device_that_is_read_only_is_one_error_until_it_isnt(host):
    host.sh("blockdev --setro /dev/vdd")
    refused(host, with_twin("first", "second"), "/dev/vdd", "is read-only")
    host.sh("blockdev --setrw /dev/vdd")
    host.apply(with_twin("first", "second"))
    expect("second" in host.volumes("twin"), "it didn't go on")
    host.settled()


@test
def a_device_that_is_missing_is_one_error_until_it_is_back(host):
    # Out of use first, for the kernel would go on with the one that is gone.
    pci = host.sh("vgchange -q -an twin >/dev/null; basename $(readlink -f /sys/block/vdd/device/..)").strip()
    host.sh(f"echo 1 >/sys/bus/pci/devices/{pci}/remove; udevadm settle")
    refused(host, with_twin("first", "second", "third"), "is missing", "MANORDISK3")
    expect("third" not in host.volumes("twin"), "the volume was made")
    host.sh("echo 1 >/sys/bus/pci/rescan; udevadm settle")
    host.apply(with_twin("first", "second", "third"))
    expect("third" in host.volumes("twin"), "it didn't go on")
    host.settled()
    host.apply(standard())
    host.bury()
    blank(host)
