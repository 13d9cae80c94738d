# SPDX-License-Identifier: GPL-2.0-or-later
"""Manifests that would take too much away, or can't be understood, change nothing."""
from lab import NAMESPACE, changed, expect, same, standard, test


@test
def an_empty_manifest_is_refused(host):
    host.start_from(standard())
    before = host.picture()
    done = host.apply({"manor": 1, "namespace": NAMESPACE}, code=(1, 2))
    expect("declares nothing" in done.err, "it isn't said why", done)
    done = host.apply("", code=2)
    expect("lab.yaml" in done.err, "it isn't said which file is empty", done)
    same(before, host.picture(), "the host")


@test
def too_many_removals_are_refused_and_the_share_is_said(host):
    before = host.picture()
    fewer = changed(standard(), "domains", to={})
    fewer["max_removals"] = 10
    done = host.apply(fewer, code=1)
    expect("10 %" in done.err and "max_removals" in done.err, "it isn't said why", done)
    same(before, host.picture(), "the host")
    host.apply(standard())


@test
def a_bad_manifest_is_exit_2_and_all_its_errors_at_once(host):
    before = host.picture()
    bad = standard()
    bad["domains"]["web"]["nics"]["lan"]["bridge"] = "xenbr7"
    bad["domains"]["lists"]["memmory"] = "1GiB"
    text = host.write(bad)
    line = next(i for i, s in enumerate(text.splitlines(), 1) if "xenbr7" in s)
    for verb in (["check"], ["plan"], ["apply", "--yes"]):
        done = host.manor(*verb, "-f", "/etc/manor/lab.yaml", code=2)
        expect(f"lab.yaml:{line}:" in done.err and "xenbr7" in done.err, "the bridge isn't pointed at", done)
        expect("memmory" in done.err and "memory" in done.err, "the key isn't pointed at", done)
    same(before, host.picture(), "the host")
