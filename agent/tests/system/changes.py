# SPDX-License-Identifier: GPL-2.0-or-later
"""A running guest is changed: what Xen can do live is done live, the rest waits for leave."""
from lab import changed, expect, standard, test


@test
def memory_is_raised_within_maxmem_while_the_guest_runs(host):
    host.start_from(standard())
    domid = host.domid("web")
    before = int(host.say("web", "mem").partition("MemTotal=")[2].partition("kB")[0])
    more = changed(standard(), "domains", "web", "memory", to="192MiB")
    plan = host.plan(more, code=3)
    expect("domain/web" in plan.out and "live" in plan.out, "plan doesn't call it live", plan)
    host.apply()
    expect(host.domains()["web"][:2] == (domid, 192), "not the same domain with 192 MiB", host.domains())
    after = int(host.say("web", "mem").partition("MemTotal=")[2].partition("kB")[0])
    expect(after - before > 48 << 10, f"the guest sees {after - before} kB more, not about 64 MiB")
    host.settled()


@test
def vcpus_are_raised_within_maxvcpus_while_the_guest_runs(host):
    domid = host.domid("web")
    more = changed(standard(), "domains", "web", "memory", to="192MiB")
    more["domains"]["web"]["vcpus"] = 2
    host.apply(more)
    expect(host.domains()["web"][0] == domid, "web isn't the same domain any more", host.domains())
    expect("online=0-1" in host.say("web", "cpus"), "the guest doesn't use two vcpus")
    host.settled()


@test
def both_go_down_again_while_the_guest_runs(host):
    domid = host.domid("web")
    host.apply(standard())
    expect(host.domains()["web"][:3] == (domid, 128, 1), "not the same domain with 128 MiB and one vcpu",
           host.domains())
    host.settled()


@test
def a_bridge_is_added_and_a_nic_moves_to_it_while_the_guest_runs(host):
    domid, (mac,) = host.domid("web"), host.vifs("web")
    more = changed(standard(), "bridges", "xenbr1", to={"addresses": ["10.155.201.1/24"]})
    more["domains"]["web"]["nics"]["lan"]["bridge"] = "xenbr1"
    host.apply(more)
    expect(host.domid("web") == domid, "web isn't the same domain any more")
    now = host.vifs("web")
    expect([bridge for _, bridge in now.values()] == ["xenbr1"], "web's NIC isn't on xenbr1", now)
    expect(list(now) == [mac], f"its MAC was {mac}", now)
    host.settled()
    host.apply(standard())
    expect([bridge for _, bridge in host.vifs("web").values()] == ["xenbr0"], "web's NIC didn't come back")
    expect("xenbr1" not in host.links(), "xenbr1 is still there")
    expect("ok" in host.say("web", "ping 10.155.200.1"), "web can't reach the host after its NIC moved twice")


@test(soak=True)
def a_nic_removed_from_the_middle_changes_no_other(host):
    three = standard()
    three["domains"]["web"]["nics"] = {name: {"bridge": "xenbr0"} for name in ("lan", "middle", "outer")}
    host.apply(three)
    domid, before = host.domid("web"), host.vifs("web")
    expect(len(before) == 3, "web hasn't three NICs", before)
    del three["domains"]["web"]["nics"]["middle"]
    host.apply(three)
    after = host.vifs("web")
    expect(host.domid("web") == domid, "web isn't the same domain any more")
    expect(len(after) == 2 and all(before[mac] == after[mac] for mac in after),
           "another NIC changed too", before, after)
    seen = host.say("web", "nics")
    expect(all(mac in seen for mac in after), "the guest doesn't see the other two", seen, after)
    host.settled()
    host.apply(standard())


@test
def a_disk_that_changes_its_vdev_waits_for_leave_and_keeps_its_data(host):
    domid = host.domid("web")
    host.in_guest("web", "echo kept-through-it-all >/dev/xvdb; sync; echo done")
    other = changed(standard(), "domains", "web", "disks", "data", "vdev", to="xvdc")
    plan = host.plan(other, code=3)
    expect("GUEST RESTART" in plan.out, "plan doesn't say that it takes a restart", plan)
    done = host.apply(code=3)
    expect("held" in done.out, "apply doesn't say what it held", done)
    expect(host.domid("web") == domid, "web was restarted without leave")
    host.apply(None, "--allow", "guest-restart")
    expect(host.domid("web") != domid, "web wasn't restarted")
    host.guest_up("web")
    expect(host.in_guest("web", "head -n1 /dev/xvdc") == "kept-through-it-all", "the data is gone")
    host.settled()


@test
def a_higher_maxmem_is_a_restart(host):
    other = changed(standard(), "domains", "web", "disks", "data", "vdev", to="xvdc")
    domid = host.domid("web")
    other["domains"]["web"]["maxmem"] = "320MiB"
    plan = host.plan(other, code=3)
    expect("GUEST RESTART" in plan.out, "plan doesn't say that it takes a restart", plan)
    host.apply(code=3)
    expect(host.domid("web") == domid, "web was restarted without leave")


@test
def a_volume_grows_while_the_guest_runs_and_never_shrinks(host):
    other = changed(standard(), "domains", "web", "disks", "data", "vdev", to="xvdc")
    domid = host.domid("web")
    other["volumes"]["web-data"]["size"] = "96MiB"
    host.apply(other)
    expect(host.volumes()["web-data"]["lv_size"] == str(96 << 20), "it didn't grow", host.volumes())
    expect(host.domid("web") == domid, "web isn't the same domain any more")
    other["volumes"]["web-data"]["size"] = "32MiB"
    host.apply(other, "--allow", "data-loss", code=None)
    expect(host.volumes()["web-data"]["lv_size"] == str(96 << 20), "it shrank", host.volumes())


@test(soak=True)
def a_disk_goes_from_one_guest_that_runs_to_another(host):
    host.start_from(standard())
    host.guest_up("web")
    web, lists = host.domid("web"), host.domid("lists")
    host.in_guest("web", "echo handed-over >/dev/xvdb; sync; echo done")
    moved = changed(standard(), "domains", "web", "disks", "data", "attached", to=False)
    moved["domains"]["lists"]["disks"] = {"data": {"vdev": "xvdb", "volume": "web-data"}}
    plan = host.plan(moved, code=3)
    expect("RESTART" not in plan.out and "disks.data" in plan.out, "it isn't live", plan)
    host.apply()
    expect(host.domid("web") == web and host.domid("lists") == lists, "a guest was restarted")
    expect("xvdb" not in host.disks("web") and "xvdb" in host.disks("lists"), "it didn't go over")
    expect("gone" in host.in_guest("web", "test -e /sys/block/xvdb || echo gone"), "web sees it still")
    host.guest_up("lists")
    expect(host.in_guest("lists", "head -n1 /dev/xvdb") == "handed-over", "lists reads something else")
    host.settled()
    back = changed(moved, "domains", "lists", "disks", "data", "attached", to=False)
    back["domains"]["web"]["disks"]["data"]["attached"] = True
    host.apply(back)
    expect(host.domid("web") == web and host.domid("lists") == lists, "a guest was restarted")
    expect(host.in_guest("web", "head -n1 /dev/xvdb") == "handed-over", "it isn't back")
    host.settled()
    host.apply(standard())


@test(soak=True)
def maxmem_changes_with_leave(host):
    other = changed(standard(), "domains", "web", "maxmem", to="320MiB")
    other["volumes"]["web-data"]["size"] = "96MiB"
    uuid, macs = host.uuid("web"), set(host.vifs("web"))
    host.apply(other, "--allow", "guest-restart")
    host.guest_up("web")
    expect(host.uuid("web") == uuid and set(host.vifs("web")) == macs, "web came back as another")
    other["domains"]["web"]["memory"] = "320MiB"
    domid = host.domid("web")
    host.apply(other)
    expect(host.domains()["web"][:2] == (domid, 320), "memory can't use the new maximum", host.domains())


@test(soak=True)
def a_volume_goes_to_another_guest_only_when_the_first_has_let_go_of_it(host):
    host.start_from(standard())
    host.sh("echo theta > /dev/vg0/web-data; sync")
    moved = changed(standard(), "domains", "web", "disks", "data")
    moved["domains"]["lists"]["disks"] = {"data": {"vdev": "xvdb", "volume": "web-data"}}
    lists = host.domid("lists")
    host.apply(moved, code=3)
    expect("xvdb" in host.disks("web") and "xvdb" not in host.disks("lists"), "both have it, or none",
           host.disks("web"), host.disks("lists"))
    host.apply(moved, "--allow", "guest-restart")
    expect("xvdb" not in host.disks("web") and host.domid("lists") == lists, "it didn't go over as planned")
    host.guest_up("lists")
    expect(host.in_guest("lists", "head -n1 /dev/xvdb") == "theta", "lists reads something else")
    host.settled()


@test
def nobody_else_gets_a_disk_that_a_guest_writes(host):
    host.put("/run/thief.cfg",
             'name = "thief"\nmemory = 96\nvcpus = 1\ntype = "pv"\nkernel = "/run/thief.kernel"\n'
             'disk = ["format=raw, vdev=xvda, access=w, script=/usr/lib/manor/hotplug, target=/dev/vg0/web.root"]\n')
    host.sh("ln -sf $(ls /var/lib/manor/cache/*.vmlinux | head -n1) /run/thief.kernel")
    done = host.run("xl create -p /run/thief.cfg")
    expect(done.code != 0 and "in use by domain" in done.all, "it got the disk, or not for that reason", done)
    expect("thief" not in host.domains(), "it is there", host.domains())
    host.guest_up("web")
