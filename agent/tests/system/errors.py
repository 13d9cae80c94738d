# SPDX-License-Identifier: GPL-2.0-or-later
"""What can't be done gives one clear error at the manifest's line, and the rest goes on."""
from lab import IMAGES, MANIFEST, changed, cites, expect, held, standard, test, wait_for, with_bridge


@test
def a_disk_with_a_file_system_is_refused_and_left_alone(host):
    host.start_from(standard())
    host.sh("wipefs -qa /dev/vdc; mkfs.ext4 -q -L precious /dev/vdc")
    before = host.sh("head -c 64M /dev/vdc | sha256sum")
    wrong = with_bridge(standard(), "besides")
    wrong["storage"]["vg1"] = {"devices": [{"serial": "MANORDISK2"}]}
    text = host.write(wrong)
    done = host.apply(code=1)
    cites(done, text, ("storage", "vg1", "devices"), "ext4")
    expect("besides" in host.links(), "the rest didn't go on", done)
    expect(host.sh("head -c 64M /dev/vdc | sha256sum") == before, "the disk was written to")
    host.apply(standard())


@test
def a_wrong_digest_leaves_nothing_that_is_trusted_later(host):
    wrong = with_bridge(standard(), "besides")
    wrong["templates"]["other"] = {
        "files": {"root": {"url": f"file://{IMAGES}/root.img.zst", "sha256": "0" * 64}}, "storage": "vg0"}
    wrong["domains"]["clone"] = {"template": "other", "kernel": f"{IMAGES}/vmlinuz", "memory": "128MiB",
                                 "disks": {"root": {"vdev": "xvda", "from": "root"}}}
    text = host.write(wrong)
    done = host.apply(code=1)
    cites(done, text, ("templates", "other", "files", "root", "sha256"), "sha256")
    expect("besides" in host.links(), "the rest didn't go on", done)
    expect("clone" not in host.domains(), "its clone was started", done)
    made = [n for n in host.volumes() if n.startswith("base." + "0" * 16) or n == "clone.root"]
    expect(not made, "something was left", made)
    host.apply(standard())


@test
def a_truncated_image_is_an_error_even_with_the_digest_it_has(host):
    host.sh(f"head -c 500000 {IMAGES}/root.img.zst > /etc/manor/short.img.zst")
    digest = host.sh("sha256sum /etc/manor/short.img.zst").split()[0]
    wrong = with_bridge(standard(), "besides")
    wrong["templates"]["short"] = {"files": {"root": {"url": "short.img.zst", "sha256": digest}},
                                   "storage": "vg0"}
    wrong["domains"]["clone"] = {"template": "short", "kernel": f"{IMAGES}/vmlinuz", "memory": "128MiB",
                                 "disks": {"root": {"vdev": "xvda", "from": "root"}}}
    text = host.write(wrong)
    done = host.apply(code=1)
    cites(done, text, ("templates", "short", "files", "root", "url"))
    expect("besides" in host.links(), "the rest didn't go on", done)
    expect("clone" not in host.domains() and "clone.root" not in host.volumes(), "a clone was made of it")
    host.apply(standard())


@test
def a_missing_kernel_and_memory_that_is_not_there_stop_only_their_domain(host):
    before = host.domains()
    wrong = with_bridge(standard(), "besides")
    wrong["domains"]["bare"] = {"kernel": "/nowhere/vmlinuz", "memory": "64MiB"}
    wrong["domains"]["huge"] = {"template": "tiny", "memory": "64GiB"}
    text = host.write(wrong)
    done = host.apply(code=1)
    cites(done, text, ("domains", "bare", "kernel"), "/nowhere/vmlinuz")
    cites(done, text, ("domains", "huge", "memory"), "does not fit")
    expect("besides" in host.links(), "the rest didn't go on", done)
    expect(host.domains() == before, "guests were touched, or half of one was left", before, host.domains())
    host.apply(standard())


@test(soak=True)
def a_full_pool_is_said_before_it_is_too_late(host):
    host.sh("wipefs -qa /dev/vdd")
    small = standard()
    small["storage"]["small"] = {"devices": [{"serial": "MANORDISK3"}], "pool": {"size": "64MiB", "metadata": "8MiB"}}
    small["volumes"]["filler"] = {"storage": "small", "size": "128MiB"}
    host.apply(small)
    host.run("dd if=/dev/urandom of=/dev/small/filler bs=1M count=72 oflag=direct 2>&1")
    more = with_bridge(small, "besides")
    more["volumes"]["late"] = {"storage": "small", "size": "16MiB"}
    text = host.write(more)
    done = host.apply(code=1)
    cites(done, text, ("volumes", "late"), "full")
    expect("besides" in host.links(), "the rest didn't go on", done)
    expect("late" not in host.volumes("small"), "the volume was made")
    host.apply(standard())
    host.sh("vgremove -q -f -y small; pvremove -q -f -y /dev/vdd; wipefs -qa /dev/vdd")


@test(soak=True)
def a_reader_that_hangs_is_unknown_in_time_and_nothing_is_done_about_what_it_hides(host):
    before = host.domains()
    fewer = with_bridge(changed(standard(), "domains", "lists"), "besides")
    host.write(fewer)
    # Xen's store stops answering; guests don't need it while they run.
    with held(host, "systemctl kill -s STOP xenstored", "systemctl kill -s CONT xenstored"):
        done = host.run(["manor", "apply", "--yes", "-f", MANIFEST], timeout=300)
        expect(done.code == 1 and "xen" in done.all, "it isn't said that Xen could not be read", done)
        expect("besides" in host.links(), "the rest didn't go on", done)
    expect(host.domains() == before, "guests were touched", before, host.domains())
    host.apply(standard())
    expect(host.domains() == before, "guests were touched afterwards", before, host.domains())


@test(soak=True)
def lvm_that_hangs_is_unknown_in_time(host):
    before = host.picture()
    buried = {n for n in host.volumes() if n.startswith("trash.")}
    fewer = with_bridge(changed(standard(), "domains", "lists"), "besides")
    host.write(fewer)
    with held(host, "flock -x /run/lock/lvm/V_vg0 sleep 200 >/dev/null 2>&1 & echo $! >/run/held.pid",
              "kill $(cat /run/held.pid); pkill -P $(cat /run/held.pid)"):
        done = host.run(["manor", "apply", "--yes", "-f", MANIFEST], timeout=400)
        expect(done.code == 1 and "lvm" in done.all, "it isn't said that LVM could not be read", done)
    host.run("pkill -x sleep")
    wait_for("the lock is free", lambda: host.run("lvs", 20).code == 0, 60)
    expect({n for n in host.volumes() if n.startswith("trash.")} == buried, "a volume was removed", before)
    host.apply(standard())
