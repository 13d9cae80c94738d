# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's own services: who the manifest says may log in, nobody else; and from whom the time comes."""
from lab import expect, nothing_much, standard, test, wait_for

ADDRESS = "10.155.200.1"
KEYS = "/run/test-keys"
LOGIN = f"HOME={KEYS} dbclient -y -y -T -i {KEYS}/{{}} root@{ADDRESS} 'echo in as $(whoami)' </dev/null 2>&1"


def with_services(**services):
    """Beside the storage that other stories go on with."""
    m = nothing_much()
    m["storage"] = standard()["storage"]
    m["host"] = {**m["host"], **services}
    return m


def public(host, name):
    host.sh(f"mkdir -p -m 700 {KEYS}; [ -e {KEYS}/{name} ] || dropbearkey -t ed25519 -f {KEYS}/{name} >/dev/null 2>&1")
    return next(line for line in host.sh(f"dropbearkey -y -f {KEYS}/{name}").splitlines() if line.startswith("ssh-ed25519 "))


def ports(host):
    """What listens on TCP, by whom."""
    return {line.split()[3] for line in host.sh("ss -Hltnp").splitlines() if "dropbear" in line}


@test
def nobody_logs_in_before_the_manifest_says_who(host):
    host.start_from(with_services())
    expect(not host.sh("ss -Hltn").strip(), "a port is open", host.sh("ss -Hltnp"))


@test
def who_is_in_the_manifest_logs_in_with_their_key_alone(host):
    day = public(host, "day")
    host.apply(with_services(ssh={"keys": [day], "listen": [ADDRESS]}))
    expect(ports(host) == {f"{ADDRESS}:22"}, "it listens elsewhere", ports(host))
    done = host.run(LOGIN.format("day"))
    expect(done.code == 0 and "in as root" in done.out, "the key isn't taken", done)
    public(host, "night")
    done = host.run(LOGIN.format("night"))
    expect(done.code != 0 and "in as" not in done.out, "another key is taken", done)
    host.settled()


@test
def another_comes_and_the_first_goes_without_a_restart(host):
    pid = host.sh("cat /run/manor/services/ssh/pid")
    host.apply(with_services(ssh={"keys": [public(host, "night")], "listen": [ADDRESS]}))
    expect(host.run(LOGIN.format("night")).code == 0, "the new key isn't taken", host.run(LOGIN.format("night")))
    expect(host.run(LOGIN.format("day")).code != 0, "the old key is taken still")
    expect(host.sh("cat /run/manor/services/ssh/pid") == pid, "it was restarted")
    host.settled()


@test
def it_comes_back_by_itself_and_its_own_key_stays(host):
    own = host.sh("md5sum </var/lib/manor/ssh/host_ed25519")
    pid = host.sh("cat /run/manor/services/ssh/pid").strip()
    host.sh(f"kill -9 {pid}")
    wait_for("it is back", lambda: host.run(LOGIN.format("night")).code == 0, 30)
    host.sh("systemctl stop manor-ssh")
    host.apply()
    expect(host.run(LOGIN.format("night")).code == 0, "what was stopped by hand stays so")
    expect(host.sh("md5sum </var/lib/manor/ssh/host_ed25519") == own, "it has another key of its own")


@test
def without_a_word_of_it_the_port_is_closed(host):
    host.apply(with_services(time={"servers": [ADDRESS]}))
    expect(not ports(host), "a port is open still", ports(host))
    expect(host.run("test -e /run/manor/services/ssh/authorized_keys").code != 0, "the keys are there still")
    expect("NTP=10.155.200.1" in host.sh("cat /run/systemd/timesyncd.conf.d/manor.conf"), "the time is another's")
    expect(host.sh("systemctl is-active manor-time").strip() == "active", "nobody asks for the time")
    host.settled()
    host.apply(with_services())
    expect(host.run("systemctl is-active manor-time").code != 0, "somebody asks for the time still")
    host.sh(f"rm -r {KEYS}")


def addresses(host, link):
    return [line.split()[3] for line in host.sh(f"ip -o -4 addr show dev {link}").splitlines()]


@test
def a_bridge_has_its_address_from_a_dhcp_server(host):
    """The one that QEMU plays behind the second card, beside a static one."""
    m = with_services()
    m["links"] = {"second": {"match": {"name": "eth1"}}}
    m["bridges"]["xenbr1"] = {"ports": ["second"], "addresses": ["10.155.201.1/24"], "dhcp4": True}
    host.apply(m)
    wait_for("an address comes", lambda: len(addresses(host, "xenbr1")) == 2, 60)
    leased = [a for a in addresses(host, "xenbr1") if a != "10.155.201.1/24"]
    expect(leased[0].startswith("10.0.") and leased[0].endswith("/24"), "it is another's", leased)
    expect("default via 10.0." in host.sh("ip route show dev xenbr1"), "no route came with it", host.sh("ip route"))
    expect("nameserver" in host.sh("cat /etc/resolv.conf"), "no name server came with it")
    host.settled()
    pid = host.sh("pgrep -of 'dhcpcd.*xenbr1'").strip()
    host.sh(f"kill -9 {pid}")
    wait_for("it is back", lambda: host.run("pgrep -of 'dhcpcd.*xenbr1'").out.strip() not in ("", pid), 30)
    expect(leased[0] in addresses(host, "xenbr1"), "the address went with who asked for it")
    del m["bridges"]["xenbr1"]["dhcp4"]
    host.apply(m)
    wait_for("the address goes", lambda: addresses(host, "xenbr1") == ["10.155.201.1/24"], 30)
    host.settled()
    host.apply(with_services())
