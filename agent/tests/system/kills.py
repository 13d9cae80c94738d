# SPDX-License-Identifier: GPL-2.0-or-later
"""Whoever does the work is killed in the middle of it: what runs goes on, and apply gets there all the same."""
import re
import time

from lab import begin, changed, expect, held, nothing_much, standard, test, wait_for

STEPS = "pgrep -f 'worker step'"
AGENT = "systemctl show -p MainPID --value manor"


def without_guests():
    return {key: value for key, value in standard().items() if key != "domains"}


def foreign_things(host):
    """A bridge, a volume and a domain that bear no mark of Manor's."""
    host.sh("ip link show foreignbr >/dev/null 2>&1 || ip link add foreignbr type bridge")
    host.sh("lvs vg0/foreign >/dev/null 2>&1 || { lvcreate -q -q -y -V 16M -T vg0/pool -n foreign && "
            "echo foreign >/dev/vg0/foreign; }")
    if "foreign" not in host.domains():
        host.put("/run/foreign.cfg", 'name = "foreign"\nmemory = 96\nvcpus = 1\ntype = "pv"\n'
                                     'kernel = "/run/foreign.kernel"\n')
        host.sh("ln -sf $(ls /var/lib/manor/cache/*.vmlinux | head -n1) /run/foreign.kernel; "
                "xl create -q -p /run/foreign.cfg")
    return foreign_picture(host)


def foreign_picture(host):
    return host.sh("ip -o link show foreignbr | cut -d: -f1,2; lvs --noheadings -o lv_uuid,lv_tags vg0/foreign; "
                   "head -n1 /dev/vg0/foreign; xl list foreign | awk 'NR > 1 {print $1, $2}'")


def no_half_made_things(host):
    for name, volume in host.volumes().items():
        expect("filling" not in volume["lv_tags"], f"volume {name} is half-made", volume)
    expect(not [name for name in host.links() if name.startswith("mnr-")], "a half-made link is left", host.links())
    states = host.sh("for d in $(xenstore-list /local/domain); do "
                     "xenstore-read /local/domain/$d/manor/state 2>/dev/null; done; true").split()
    expect("building" not in states, "a half-made domain is left", states)


def converges(host, manifest, foreign=None):
    """One apply is enough, and once the guests are up there is nothing left to do."""
    host.apply(manifest)
    # The emulated processor kills a boot now and then, which the agent answers: that isn't the matter here.
    for name in manifest.get("domains", {}):
        host.guest_up(name)
    host.settled()
    no_half_made_things(host)
    if foreign is not None:
        now = foreign_picture(host)
        expect(now == foreign, "what is foreign was touched", foreign, now)


def step_running(host, seconds=100):
    wait_for("a step begins", lambda: host.run(STEPS).code == 0, seconds, 0.05)


@test(soak=True)
def apply_is_killed_and_the_agent_goes_on(host):
    host.start_from(without_guests())
    foreign = foreign_things(host)
    begin(host, standard())
    step_running(host)
    host.sh("kill -9 $(cat /run/apply.pid)")
    wait_for("both guests come without being asked for again",
             lambda: {"web", "lists"} <= set(host.domains()), 300, 2)
    converges(host, standard(), foreign)


@test
def workers_are_killed_and_apply_again_gets_there(host):
    host.start_from(standard())
    foreign = foreign_things(host)
    web = host.domid("web")
    begin(host, changed(standard(), "domains", "lists"))
    step_running(host)
    host.run("pkill -9 -f 'worker step'")
    wait_for("apply ends", lambda: host.run("kill -0 $(cat /run/apply.pid)").code != 0, 300, 1)
    converges(host, changed(standard(), "domains", "lists"), foreign)
    expect(host.domid("web") == web, "web was disturbed")
    begin(host, standard())
    step_running(host)
    time.sleep(1)
    host.run("pkill -9 -f 'worker step'")
    wait_for("apply ends", lambda: host.run("kill -0 $(cat /run/apply.pid)").code != 0, 300, 1)
    converges(host, standard(), foreign)
    expect(host.domid("web") == web, "web was disturbed")


@test(soak=True)
def the_agent_is_killed_and_apply_again_gets_there(host):
    foreign = foreign_picture(host)
    web = host.domid("web")
    begin(host, changed(standard(), "domains", "lists"))
    step_running(host)
    host.sh(f"kill -9 $({AGENT})")
    converges(host, changed(standard(), "domains", "lists"), foreign)
    begin(host, standard())
    step_running(host)
    time.sleep(1)
    host.sh(f"kill -9 $({AGENT})")
    converges(host, standard(), foreign)
    expect(host.domid("web") == web, "web was disturbed")


@test(soak=True)
def an_activation_cut_short_is_finished(host):
    """As a kill leaves a clone: the device is there, its table isn't in force, and LVM calls it active."""
    def cut_short():
        host.sh("uuid=LVM-$(lvs --noheadings -o vg_uuid,lv_uuid vg0/lists.root | tr -d ' -'); "
                "table=$(dmsetup table vg0-lists.root); lvchange -an vg0/lists.root; "
                "dmsetup create vg0-lists.root --notable -u $uuid; dmsetup load vg0-lists.root --table \"$table\"")
        expect(host.volumes()["lists.root"]["lv_active"] == "active", "LVM has learnt of it", host.volumes()["lists.root"])

    m = standard()
    m["domains"]["lists"]["state"] = "stopped"
    host.apply(m)
    with held(host, "systemctl stop manor", "systemctl start manor"):
        cut_short()
        seen = host.plan(m)
        expect("volume/lists.root" in seen.out, "the plan doesn't see it", seen)
    host.apply(m)
    host.sh("head -c 512 /dev/vg0/lists.root >/dev/null")
    # It can go, too, where LVM itself takes it for one in use.
    with held(host, "systemctl stop manor", "systemctl start manor"):
        cut_short()
        host.apply(changed(standard(), "domains", "lists"))
    converges(host, changed(standard(), "domains", "lists"))
    converges(host, standard())


@test(soak=True)
def a_pool_left_one_transaction_behind_is_mended(host):
    """As a kill or a power cut in the middle of `lvcreate -s` leaves it: the volume group says that a clone is to
    be created, the kernel has created it, and has not counted it."""
    host.start_from(standard())
    foreign = foreign_things(host)
    host.sh("vgcfgbackup -q -f /run/with.vg vg0")
    text = host.sh("cat /run/with.vg")
    clone = section(text, "lists.root")
    base = int(re.search(r"device_id = (\d+)", section(text, re.search(r'origin = "(.*)"', clone).group(1))).group(1))
    host.apply(changed(standard(), "domains", "lists"))
    host.bury()
    host.sh("systemctl stop manor; vgcfgbackup -q -f /run/without.vg vg0")
    text = host.sh("cat /run/without.vg")
    pool = section(text, "pool")
    count = int(re.search(r"transaction_id = (\d+)", pool).group(1))
    device = max(int(n) for n in re.findall(r"device_id = (\d+)", text)) + 1
    clone = re.sub(r"device_id = \d+", f"device_id = {device}", clone)
    clone = re.sub(r"transaction_id = \d+", f"transaction_id = {count}", clone)
    behind = pool.replace(f"transaction_id = {count}",
                          f"transaction_id = {count + 1}\n\t\t\t\tmessage1 {{\n\t\t\t\t\tcreate = \"lists.root\"\n\t\t\t\t}}\n")
    host.put("/run/behind.vg", text.replace(pool, behind + "\n\n\t\t" + clone))
    host.sh(f"dmsetup message vg0-pool-tpool 0 'create_snap {device} {base}' && "
            "vgcfgrestore -q -y --force -f /run/behind.vg vg0")
    expect(host.run("lvcreate -q -y -s -kn vg0/foreign -n wedged").code != 0, "the pool isn't wedged at all")
    web = host.domid("web")
    host.sh("systemctl start manor")
    converges(host, standard(), foreign)
    expect(host.domid("web") == web, "web was disturbed")
    host.sh("lvcreate -q -q -y -V 4M -T vg0/pool -n after && lvremove -q -q -f vg0/after")


def section(text, name):
    """NAME { … } of LVM's metadata, from its first tab on."""
    start = re.search(rf"^\t\t{re.escape(name)} \{{", text, re.M).start()
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0 and text[at] == "}":
            return text[start:at + 1].strip("\n")
    raise ValueError(name)


@test
def the_power_fails_in_the_middle_of_a_deploy(host):
    host.start_from(standard())
    foreign_things(host)
    host.apply(without_guests())
    host.bury()
    begin(host, standard())
    step_running(host)
    time.sleep(2)
    host.cut_power()
    wait_for("both guests come without being told", lambda: {"web", "lists"} <= set(host.domains()), 400, 3)
    converges(host, standard())
    expect("foreign" in host.volumes(), "the foreign volume is gone", host.volumes())


@test(soak=True)
def the_power_fails_while_a_fresh_host_is_deployed(host):
    for moment in (1, 4, 8, 15):
        host.apply(nothing_much())
        host.sh("vgremove -q -f -y vg0; pvremove -q -f -y /dev/vdb; wipefs -qa /dev/vdb; "
                "rm -rf /var/lib/manor/cache")
        begin(host, standard())
        step_running(host)
        time.sleep(moment)
        host.cut_power()
        converges(host, standard())
