# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose the root's files are: which package brought each, and which are the device model's alone."""
import os
import re

LIBRARIES = "usr/lib/x86_64-linux-gnu/"
# What a program links and what it may open besides: either way its name stands in the program.
NAME = re.compile(rb"([A-Za-z0-9_.+-]+\.so(?:\.[0-9]+)*)\0")
# QEMU, its machines' firmware and their network cards'.
MODEL_PROGRAM = "usr/libexec/xen-qemu-system-i386"
MODEL_DATA = ("usr/share/qemu/", "usr/share/seabios/", "usr/lib/ipxe/", "usr/lib/x86_64-linux-gnu/qemu/",
              "usr/lib/manor/ovmf-xen.fd")


def usr(path):
    """Packages still say /lib where the file is in /usr/lib."""
    path = path.strip("/")
    return "usr/" + path if re.match(r"(bin|sbin|lib|lib32|lib64|libx32)/", path) else path


def owners(info, ours):
    """{path: package} of dpkg's lists in the folder INFO, without what Manor put in a package's place."""
    out = {}
    for name in sorted(os.listdir(info)):
        if name.endswith(".list"):
            with open(os.path.join(info, name), encoding="utf-8") as f:
                for line in f:
                    out[usr(line.rstrip("\n"))] = name[:-len(".list")].partition(":")[0]
    for path in ours:
        out.pop(path, None)
    return out


def tree(root):
    """{path: absolute} of all files, and {name: path} of libraries, by what links call them."""
    files, names = {}, {}
    for folder, _, entries in os.walk(root):
        for entry in entries:
            path = os.path.join(folder, entry)
            below = os.path.relpath(path, root)
            if not os.path.islink(path):
                files[below] = path
                if ".so" in entry:
                    names[entry] = below
            elif ".so" in entry and "/" not in os.readlink(path):
                names[entry] = os.path.join(os.path.dirname(below), os.readlink(path))
    return files, names


def needs(files, names):
    """{program or library: libraries that it names}"""
    out = {}
    for below, path in files.items():
        if below.startswith("usr/lib/modules/"):
            continue
        with open(path, "rb") as f:
            if f.read(4) == b"\x7fELF":
                f.seek(0)
                found = {m.decode() for m in NAME.findall(f.read())}
                out[below] = {names[n] for n in found if n in names}
    return out


def reached(needed, begin):
    seen, todo = set(), list(begin)
    while todo:
        path = todo.pop()
        if path in needed and path not in seen:
            seen.add(path)
            todo += needed[path]
    return seen


def device_model(root):
    """Paths that a host of PV and PVH guests could do without: QEMU, its data, libraries that nobody else names."""
    files, names = tree(root)
    needed = needs(files, names)
    # A library is needed by who needs it; all else is there for itself, plug-ins too.
    others = [p for p in needed if p != MODEL_PROGRAM and not (p.startswith(LIBRARIES) and "/" not in p[len(LIBRARIES):])]
    alone = reached(needed, [MODEL_PROGRAM]) - reached(needed, others)
    return sorted(alone | {p for p in files if p.startswith(MODEL_DATA)})
