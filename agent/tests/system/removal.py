# SPDX-License-Identifier: GPL-2.0-or-later
"""A domain leaves the manifest: said before, shut down gracefully, its disk kept and brought back."""
from lab import changed, expect, standard, test


@test
def plan_says_that_the_domain_goes_and_that_its_disk_is_kept(host):
    host.start_from(standard())
    host.write_serial("lists", "gamma")
    plan = host.plan(changed(standard(), "domains", "lists"), code=3)
    lines = [line for line in plan.out.splitlines() if "domain/lists" in line or "volume/lists.root" in line]
    expect(len(lines) == 2 and all(line.lstrip().startswith("-") for line in lines),
           "plan doesn't name the domain and its volume", plan)
    expect("tombstone" in plan.out, "plan doesn't say what becomes of the volume", plan)
    expect("lists" in host.domains(), "lists is gone by a mere plan")


@test
def the_removed_domain_is_shut_down_gracefully_and_its_disk_becomes_a_tombstone(host):
    web = host.domid("web")
    done = host.apply()
    expect("lists" not in host.domains(), "lists still runs")
    expect("shut down" in done.out and "destroyed" not in done.out, "it wasn't shut down gracefully", done)
    volumes = host.volumes()
    trash = [v for name, v in volumes.items() if name.startswith("trash.") and name.endswith(".lists.root")]
    expect(len(trash) == 1 and "lists.root" not in volumes, "there isn't one tombstone of lists.root", volumes)
    expect(trash[0]["lv_active"] != "active", "the tombstone is active", trash)
    expect(host.domid("web") == web, "web was disturbed")
    host.settled()


@test
def undelete_lists_the_tombstone_and_brings_it_back(host):
    expect("lists.root" in host.manor("undelete").out, "undelete doesn't list it")
    host.manor("undelete", "lists.root")
    expect("lists.root" in host.volumes(), "it isn't back", host.volumes())
    host.apply()
    expect("lists.root" in host.volumes(), "the next apply removed it again", host.volumes())
    host.manor("undelete", "no-such-volume", code=1)


@test
def named_again_the_domain_has_its_data_back(host):
    host.apply(standard())
    host.guest_up("lists")
    expect(host.serial("lists") == "gamma", "its disk isn't the one it had")
    host.settled()


@test(soak=True)
def a_domain_that_does_not_hear_is_destroyed_after_its_time(host):
    deaf = changed(standard(), "domains", "lists", "shutdown_timeout", to="5s")
    host.apply(deaf)
    host.guest_up("lists")
    # Paused it hears nothing, and goes on once unpaused: a guest without a working init never does.
    host.in_guest("lists", "rm /sbin/poweroff; sync; echo done")
    done = host.apply(changed(deaf, "domains", "lists"))
    expect("lists" not in host.domains(), "lists still runs")
    expect("destroyed" in done.out, "it isn't said that it was destroyed", done)
    host.bury()


@test(soak=True)
def a_bridge_with_a_foreign_port_stays(host):
    more = changed(standard(), "bridges", "xenbr1", to={})
    host.apply(more)
    host.sh("ip link add foreign0 type veth peer name foreign1 && ip link set foreign0 master xenbr1")
    try:
        host.apply(standard(), code=None)
        links = host.links()
        expect("xenbr1" in links and links["foreign0"].get("master") == "xenbr1", "the bridge was removed", links)
    finally:
        host.sh("ip link del foreign0")
    host.apply(standard())
    expect("xenbr1" not in host.links(), "without the foreign port it stays too")
