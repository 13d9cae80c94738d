# SPDX-License-Identifier: GPL-2.0-or-later
"""A clone is told who it is, by a small disk that cloud-init reads; what is secret is said nowhere."""
from lab import MANIFEST, expect, standard, test

SECRET = "correct-horse-battery"


def told(hostname):
    m = standard()
    m["domains"]["web"]["cloud_init"] = {"hostname": hostname, "user_data": {"file": "/root/user-data"}}
    return m


def seed(host):
    """What is on the disk, as text."""
    return host.sh("tr -c '[:print:]\\n' '\\n' < /dev/vg0/web.cidata")


@test
def a_guest_is_told_its_name_on_a_disk_of_its_own(host):
    host.start_from(standard())
    host.put("/root/user-data", f"#cloud-config\npassword: {SECRET}\n")
    web = host.domid("web")
    host.write_serial("web", "epsilon")
    host.apply(told("first.example.org"))
    expect(host.domid("web") == web, "web was restarted for it")
    label = host.sh("blkid -o value -s LABEL /dev/vg0/web.cidata").strip()
    expect(label == "cidata", "cloud-init wouldn't find it", label)
    text = seed(host)
    expect("first.example.org" in text and SECRET in text, "the disk lacks what was said", text)
    expect(host.in_guest("web", "grep -c xvdp /proc/partitions") == "1", "the guest doesn't see the disk")
    host.settled()


@test(soak=True)
def another_name_changes_that_disk_alone(host):
    web, before = host.domid("web"), host.volumes()
    instance = [tag for tag in before["web.cidata"]["lv_tags"].split(",") if "instance" in tag]
    host.apply(told("second.example.org"))
    now = host.volumes()
    text = seed(host)
    expect("second.example.org" in text and "first.example.org" not in text, "the disk isn't as said", text)
    expect(host.domid("web") == web and host.serial("web") == "epsilon", "web was disturbed")
    expect({n: v["lv_uuid"] for n, v in before.items()} == {n: v["lv_uuid"] for n, v in now.items()},
           "a volume was made anew", before, now)
    expect(instance == [tag for tag in now["web.cidata"]["lv_tags"].split(",") if "instance" in tag],
           "the guest counts as another one", now["web.cidata"])
    host.settled()


@test
def what_is_secret_is_said_nowhere(host):
    host.write(told("third.example.org"))
    said = [host.manor("plan", "-f", MANIFEST, "--format", "json", code=3).all,
            host.manor("apply", "-f", MANIFEST, "--yes", "--format", "json").all,
            host.manor("status", "--format", "json").all,
            host.manor("facts").all,
            host.journal(200),
            host.sh("cat /var/lib/manor/journal* 2>/dev/null; true")]
    for text in said:
        expect(SECRET not in text, "the secret is there", text)
    modes = host.sh(f"grep -rl {SECRET} /var/lib/manor /run/manor 2>/dev/null | xargs -r stat -c '%a %n'")
    expect(all(line.startswith("600 ") for line in modes.splitlines()), "others may read it", modes)


@test(soak=True)
def when_nothing_is_told_any_more_the_disk_goes_for_good(host):
    host.apply(standard(), "--allow", "guest-restart")
    expect([n for n in host.volumes() if "cidata" in n] == [], "what was told is kept", host.volumes())
    host.guest_up("web")
    expect(host.serial("web") == "epsilon", "its disk isn't the one it had")
    host.settled()
