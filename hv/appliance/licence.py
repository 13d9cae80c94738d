# SPDX-License-Identifier: GPL-2.0-or-later
"""Licences of a Debian package, of its copyright file where that is written for machines (copyright-format 1.0)."""
import re

FORMAT = re.compile(r"^Format(-Specification)?:.*(copyright-format|dep5|DEP-5|dep-5)", re.M)
# Debian's short names, without "+" for later versions, and SPDX's. MIT isn't among them: several go by that name.
PLAIN = {
    "apache-2": "Apache-2.0", "apache-2.0": "Apache-2.0", "beerware": "Beerware", "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause", "bsd-4-clause-uc": "BSD-4-Clause-UC", "bsl-1.0": "BSL-1.0",
    "cc-by-4.0": "CC-BY-4.0", "cc-by-sa-3.0": "CC-BY-SA-3.0", "cc-by-sa-4.0": "CC-BY-SA-4.0", "cc0": "CC0-1.0",
    "cc0-1.0": "CC0-1.0", "curl": "curl", "expat": "MIT", "fsfap": "FSFAP", "fsful": "FSFUL", "fsfullr": "FSFULLR",
    "gfdl-niv-1.3": "GFDL-1.3-no-invariants-only", "gfdl-niv-1.3+": "GFDL-1.3-no-invariants-or-later",
    "gpl-2 with linux-syscall-note exception": "GPL-2.0-only WITH Linux-syscall-note", "isc": "ISC", "latex2e": "Latex2e",
    "mpl-1.1": "MPL-1.1", "mpl-2.0": "MPL-2.0", "openssl": "OpenSSL", "unlicense": "Unlicense", "x11": "X11", "zlib": "Zlib",
    "public-domain": "LicenseRef-public-domain",
}
# What SPDX has no name for has a text in the document.
OWN = {"LicenseRef-public-domain": "In the public domain, as Debian's copyright file of the package says and explains."}
VERSIONS = {"gpl": ("1", "2", "3"), "lgpl": ("2", "2.1", "3"), "agpl": ("3",)}


def spdx_id(name):
    """SPDX's identifier of one short name, or None."""
    name = name.strip().lower()
    if name in PLAIN:
        return PLAIN[name]
    match = re.fullmatch(r"(gpl|lgpl|agpl)-([0-9.]+?)(?:\.0)?(\+|-or-later|-only)?", name)
    if match and match[2] in VERSIONS[match[1]]:
        version = match[2] if "." in match[2] else match[2] + ".0"
        return f"{match[1].upper()}-{version}-{'or-later' if match[3] in ('+', '-or-later') else 'only'}"
    return None


def expression(text):
    """SPDX's for what one License field says ("GPL-2+ or Expat, and ISC"), or None."""
    both = []
    for part in re.split(r",?\s+and\s+", text.strip()):
        either = [spdx_id(name) for name in re.split(r",?\s+or\s+", part)]
        if None in either:
            return None
        both.append(either[0] if len(either) == 1 else "(" + " OR ".join(either) + ")")
    return " AND ".join(both)


def names(text):
    """What the License fields of all Files paragraphs say, or None where the file isn't for machines."""
    if not FORMAT.search(text[:2000]):
        return None
    found = set()
    for paragraph in re.split(r"\n[ \t]*\n", text):
        if re.search(r"^Files:", paragraph, re.M):
            match = re.search(r"^Licen[sc]e:[ \t]*(.*)$", paragraph, re.M)
            found.add(" ".join(match[1].split()) if match else "")
    return sorted(found) or None


def declared(text):
    """(expression or NOASSERTION, what there is to say about it)"""
    found = names(text) if text else None
    if not found:
        return "NOASSERTION", "Debian's copyright file is not written for machines."
    expressions = {expression(name) for name in found}
    if None in expressions:
        return "NOASSERTION", "Debian's copyright file of the source package says: " + "; ".join(n or "(nothing)" for n in found)
    parts = sorted({part for e in expressions for part in e.split(" AND ")})
    return " AND ".join(parts), "All licences in Debian's copyright file of the source package, whichever of them the files here are under."
