#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the appliance's build says of what it is made of: its lock, its bill of materials, its sizes. On small inputs. TAP."""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
HV = TOP / "hv"
A, B, C = "a" * 64, "b" * 64, "c" * 64
COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 1999 Somebody
License: {}

Files: debian/*
License: GPL-2+
 On Debian systems, ...
"""
# What SPDX 2.3 says a document has to be (its clauses 6 to 11, and the names of its JSON schema).
IDENT = re.compile(r"SPDXRef-[A-Za-z0-9.-]+")
PURPOSES = {"OTHER", "INSTALL", "ARCHIVE", "FIRMWARE", "APPLICATION", "FRAMEWORK", "LIBRARY", "CONTAINER", "SOURCE", "DEVICE",
            "OPERATING_SYSTEM", "FILE"}
RELATIONS = {"DESCRIBES", "CONTAINS", "BUILD_DEPENDENCY_OF"}
LENGTHS = {"SHA1": 40, "SHA256": 64}
LICENCES = {"GPL-2.0-or-later", "GPL-2.0-only", "LGPL-2.1-or-later", "MIT"}

done = 0


def ok(good, what, more=""):
    global done
    done += 1
    print(f"{'ok' if good else 'not ok'} {done} - {what}")
    if not good:
        print("".join(f"# {line}\n" for line in str(more).splitlines()), end="")


def run(*command, **more):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **more)


def lock(dir):
    """What makes a lock unusable is told with the package's name and what to do."""
    there, names = dir / "index", dir / "lock"
    there.write_text(f"libc6 2.36-9 amd64 {A}\nsystemd 252.2 amd64 {B}\nsystemd 252.3 amd64 {C}\n")

    def says(text, *wanted):
        names.write_text("# comment\n" + text)
        result = run(HV / "locked", names, there, *wanted)
        return result.returncode, result.stderr.decode()

    code, text = says(f"libc6 2.36-9 amd64 {A}\nsystemd 252.2 amd64 {B}\n", "systemd")
    ok(code == 0 and not text, "a lock whose packages are all there is fine", text)
    code, text = says(f"libc6 2.36-9 amd64 {A}\nsystemd 252.1 amd64 {B}\n", "systemd")
    ok(code == 1 and "no longer has systemd 252.1 amd64 (it has 252.2, 252.3): make lock" in text and text.count("\n") == 1,
       "a version that the mirror no longer has is told in one line, with make lock", text)
    code, text = says(f"libc6 2.36-9 amd64 {B}\n")
    ok(code == 1 and "libc6 2.36-9 amd64 is another file" in text, "another file under the same version is told", text)
    code, text = says(f"libc6 2.36-9 amd64 {A}\n", "rauc")
    ok(code == 1 and "no line for rauc" in text and "make lock" in text, "a package that the lock hasn't is told", text)
    code, text = says("libc6 2.36-9\n")
    ok(code == 1 and "lock:2: error" in text, "a line that is none is told with its number", text)


def committed():
    """The list that builds take: sorted, whole, and of all that is asked for."""
    lines = [line.split() for line in (HV / "lock").read_text().splitlines() if not line.startswith("#")]
    names = [line[0] for line in lines]
    ok(all(len(line) == 4 and re.fullmatch("[0-9a-f]{64}", line[3]) and line[2] in ("all", "amd64") for line in lines),
       "hv/lock: each line has a name, a version, an architecture and a digest")
    ok(names == sorted(set(names)), "hv/lock: sorted, each package once")
    wanted = {line.split()[0] for name in ("packages", "appliance/tools")
              for line in (HV / name).read_text().splitlines() if line.split("#")[0].strip()}
    ok(wanted <= set(names) and any(n.startswith("linux-image-") for n in names),
       "hv/lock has all that hv/packages and hv/appliance/tools ask for, and a kernel: else make lock", wanted - set(names))


def small_appliance(dir):
    """Three packages, of which one left nothing in the root."""
    for name in ("debs/copyright", "info", "root/usr/lib/x86_64-linux-gnu", "root/usr/bin", "root/usr/libexec", "slot"):
        (dir / name).mkdir(parents=True)
    packages = (("libfoo++1", "1:1.0+dfsg-1~deb12u1", "amd64", A, "foo (1.0)", "LGPL-2.1+ or Expat"),
                ("gone", "2", "all", B, None, "Something-of-its-own"), ("qemu", "7.2", "amd64", C, None, None))
    debs = dir / "debs"
    (debs / "list").write_text("".join(f"{n} {v} {a} {d}\n" for n, v, a, d, _, _ in packages))
    (debs / "Packages").write_text("\n".join(
        f"Package: {n}\nVersion: {v}\nArchitecture: {a}\n" + (f"Source: {s}\n" if s else "") + "Description: a: b\n"
        for n, v, a, _, s, _ in packages))
    for name, *_, licensed in packages:
        (debs / "copyright" / name).write_text(COPYRIGHT.format(licensed) if licensed else "All rights given away.\n")
    library = "usr/lib/x86_64-linux-gnu/lib{}.so.1"
    for path, content in (("usr/bin/foo", b"\x7fELF\0libfoo.so.1\0" + os.urandom(3000)),
                          ("usr/libexec/xen-qemu-system-i386", b"\x7fELF\0libfoo.so.1\0libspice.so.1\0" + os.urandom(300000)),
                          (library.format("foo"), b"\x7fELF\0libfoo.so.1\0" + bytes(5000)),
                          (library.format("spice"), b"\x7fELF\0libspice.so.1\0" + os.urandom(70000))):
        (dir / "root" / path).write_bytes(content)
    (dir / "info" / "libfoo++1:amd64.list").write_text("/.\n/lib/x86_64-linux-gnu/libfoo.so.1\n")
    (dir / "info" / "gone.list").write_text("/usr/share/gone\n")
    (dir / "info" / "qemu.list").write_text("/usr/libexec/xen-qemu-system-i386\n/usr/lib/x86_64-linux-gnu/libspice.so.1\n")
    for name in ("xen", "vmlinuz", "initrd", "id"):
        (dir / "slot" / name).write_text(name)
    (dir / "ours").write_text("")


def breaches(d):
    """What of SPDX 2.3 a document doesn't keep to."""
    bad = []
    elements = [d["SPDXID"]] + [e["SPDXID"] for e in d["packages"] + d["files"]]
    bad += [f"{i} is no identifier" for i in elements if not IDENT.fullmatch(i)]
    bad += ["two elements share an identifier"] * (len(set(elements)) != len(elements))
    bad += [f"{k} is missing or wrong" for k, v in (("spdxVersion", "SPDX-2.3"), ("dataLicense", "CC0-1.0"),
                                                  ("SPDXID", "SPDXRef-DOCUMENT")) if d.get(k) != v]
    if not re.fullmatch(r"https://[^#\s]+", d["documentNamespace"]) or not d["name"]:
        bad.append("name or namespace")
    info = d["creationInfo"]
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", info["created"]) or \
            not all(re.match(r"(Tool|Organization|Person): \S", c) for c in info["creators"]) or not info["creators"]:
        bad.append("creationInfo")
    known = LICENCES | {x["licenseId"] for x in d.get("hasExtractedLicensingInfos", []) if x["extractedText"]}
    for p in d["packages"]:
        if not p["name"] or not p["downloadLocation"] or p["filesAnalyzed"] is not False:
            bad.append(f"{p['SPDXID']}: name, downloadLocation or filesAnalyzed")
        if not re.match(r"(Organization|Person): \S|NOASSERTION$", p["supplier"]):
            bad.append(f"{p['SPDXID']}: supplier")
        if p.get("primaryPackagePurpose", "OTHER") not in PURPOSES:
            bad.append(f"{p['SPDXID']}: purpose")
        licensed = p["licenseDeclared"]
        if licensed != "NOASSERTION" and not set(re.findall(r"[^\s()]+", licensed)) - {"AND", "OR", "WITH"} <= known:
            bad.append(f"{p['SPDXID']}: licence {licensed}")
        for ref in p.get("externalRefs", []):
            if ref["referenceCategory"] != "PACKAGE-MANAGER" or ref["referenceType"] != "purl" or \
                    not re.fullmatch(r"pkg:deb/debian/[a-z0-9.%A-F-]+@[A-Za-z0-9.:~%-]+\?arch=\w+&distro=\w+", ref["referenceLocator"]):
                bad.append(f"{p['SPDXID']}: {ref['referenceLocator']}")
    for e in d["packages"] + d["files"]:
        bad += [f"{e['SPDXID']}: checksum" for c in e.get("checksums", [])
                if not re.fullmatch("[0-9a-f]{%d}" % LENGTHS[c["algorithm"]], c["checksumValue"])]
    # A file has SHA1 at least.
    bad += [f"{f['SPDXID']}: no SHA1" for f in d["files"] if "SHA1" not in {c["algorithm"] for c in f["checksums"]}]
    for r in d["relationships"]:
        if r["relationshipType"] not in RELATIONS or r["spdxElementId"] not in elements or r["relatedSpdxElement"] not in elements:
            bad.append(f"relationship {r}")
    if not any(r["relationshipType"] == "DESCRIBES" and r["spdxElementId"] == d["SPDXID"] for r in d["relationships"]):
        bad.append("it describes nothing")
    return bad


def materials(dir):
    (dir / "slot" / "root").write_text("root")

    def sbom(version="v1-dirty"):
        return run(HV / "appliance/sbom", "--version", version, "--debs", dir / "debs", "--slot", dir / "slot", "--root", dir / "root",
                   "--info", dir / "info", "--ours", dir / "ours", env=dict(os.environ, SOURCE_DATE_EPOCH="1686355200"))

    result = sbom()
    if result.returncode:
        ok(False, "a bill of materials", result.stderr.decode())
        return
    d = json.loads(result.stdout)
    ok(not breaches(d), "the bill of materials keeps SPDX 2.3's rules", "\n".join(breaches(d)))
    broken = json.loads(result.stdout)
    broken["packages"][2]["SPDXID"] = broken["files"][0]["SPDXID"]
    ok(breaches(broken), "and one that doesn't is noticed")
    ok(sbom().stdout == result.stdout, "the same input gives the same bytes")
    ok(json.loads(sbom("v2").stdout)["documentNamespace"] != d["documentNamespace"], "another document has another namespace")
    by_name = {p["name"]: p for p in d["packages"]}
    foo = by_name["libfoo++1"]
    ok(foo["externalRefs"][0]["referenceLocator"] ==
       "pkg:deb/debian/libfoo%2B%2B1@1:1.0%2Bdfsg-1~deb12u1?arch=amd64&distro=bookworm", "a package's purl", foo)
    ok(foo["supplier"] == "Organization: Debian" and foo["checksums"][0]["checksumValue"] == A and
       foo["sourceInfo"].endswith("foo 1.0"), "its supplier, digest and source", foo)
    ok(foo["licenseDeclared"] == "(LGPL-2.1-or-later OR MIT) AND GPL-2.0-or-later", "its licences, as Debian's file has them", foo)
    ok(by_name["gone"]["licenseDeclared"] == by_name["qemu"]["licenseDeclared"] == "NOASSERTION" and
       "Something-of-its-own" in by_name["gone"]["licenseComments"], "a licence that SPDX has no name for isn't made up", by_name["gone"])
    ok(by_name["manor"]["licenseDeclared"] == "GPL-2.0-or-later" and by_name["manor"]["versionInfo"] == "v1-dirty", "Manor itself")
    kinds = {(r["relationshipType"], r["spdxElementId"], r["relatedSpdxElement"]) for r in d["relationships"]}
    ok(("CONTAINS", "SPDXRef-Appliance", "SPDXRef-Package-qemu") in kinds and
       ("BUILD_DEPENDENCY_OF", "SPDXRef-Package-gone", "SPDXRef-Appliance") in kinds,
       "a package that left no file isn't among what the appliance contains", kinds)
    ok({f["fileName"] for f in d["files"]} == {"./xen", "./vmlinuz", "./initrd", "./root", "./id"}, "the slot's files")


def sizes(dir):
    iso = dir / "manor.iso"
    iso.write_bytes(bytes(1000))

    def report(*packing):
        (dir / "slot" / "root").unlink(missing_ok=True)
        subprocess.run(["mksquashfs", dir / "root", dir / "slot" / "root", *packing, "-noappend", "-no-progress", "-no-exports"],
                       check=True, stdout=subprocess.DEVNULL)
        return run(HV / "appliance/size", dir / "slot", iso, dir / "root", dir / "info", dir / "ours")

    for packing in (["-comp", "xz", "-Xbcj", "x86", "-b", "1M"], ["-comp", "zstd"], ["-comp", "gzip"]):
        result = report(*packing)
        text = result.stdout.decode()
        packed = {line.split()[-1]: float(line.split()[0]) * 1048576 for line in text.splitlines() if line.count(" ") and line[:9].strip()
                  and "usr/" in line}
        model = packed.get("usr/libexec/xen-qemu-system-i386", 0)
        ok(result.returncode == 0 and 290000 < model < 330000, f"{packing[1]}: a file's share of the packed root",
           text + result.stderr.decode())
    ok("usr/lib/x86_64-linux-gnu/libspice.so.1" in packed and "libfoo.so.1" not in text.split("Without")[-1],
       "a library that QEMU alone needs would go with it, one that others need wouldn't", text)
    whole = sum(float(line.split()[0]) for line in text.split("\n\n")[1].splitlines()[:-1])
    ok(abs(whole - (dir / "slot" / "root").stat().st_size / 1048576) < 0.05, "the groups together are the whole", text)
    with open(iso, "r+b") as f:
        f.truncate(101 << 20)
    result = report("-comp", "gzip")
    ok(result.returncode == 1 and "over by 1.0: manor.iso" in result.stdout.decode(), "over its limit is an error", result.stdout)
    (dir / "slot" / "root").write_bytes(b"no such thing" * 100)
    result = run(HV / "appliance/size", dir / "slot", iso, dir / "root", dir / "info", dir / "ours")
    ok(result.returncode == 1 and "is no squashfs" in result.stderr.decode(), "what is no squashfs is told", result.stderr)


def main():
    with tempfile.TemporaryDirectory() as name:
        dir = Path(name)
        lock(dir)
        committed()
        small_appliance(dir)
        materials(dir)
        sizes(dir)
    print(f"1..{done}")


if __name__ == "__main__":
    sys.exit(main())
