#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make install: what goes where, and the completion that it brings. TAP.
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 1
if [[ ${MANOR:-} == *.san ]]; then
	echo "1..0 # skip the sanitized program isn't installed"
	exit 0
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export BUILD=build
[[ -n ${MANOR:-} ]] && BUILD=$(dirname "$MANOR")
n=0

# quietly TARGET VARIABLE=VALUE...: a make of its own, whatever runs this test
quietly() {
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s BUILD="$BUILD" "$@" >"$dir/out" 2>&1
}

is() {
	local r=$?
	n=$((n + 1))
	((r == 0)) && echo "ok $n - $*" || { echo "not ok $n - $*"; sed 's/^/# /' "$dir/out" | tail -n 20; }
}

quietly install DESTDIR="$dir/root" STRIP=1
is "it installs under DESTDIR"
(cd "$dir/root" && find . -type f) | sort >"$dir/out"
for path in usr/bin/manor usr/lib/manor/hotplug usr/share/man/man1/manor.1 usr/share/man/man1/manor-plan.1 \
	usr/share/man/man5/manor-appliance.yaml.5 usr/share/manor/templates/pv-linux.yaml usr/share/bash-completion/completions/manor; do
	grep -qx "./$path" "$dir/out"
	is "$path"
done
[[ $(grep -c ovmf-xen.fd "$dir/out") == $(find "$BUILD/uefi/ovmf-xen.fd" 2>/dev/null | wc -l) ]]
is "UEFI, where it was built"
[[ $(grep -vc ovmf-xen.fd "$dir/out") == $((3 + $(ls agent/man/*.scd templates/*.yaml | wc -l))) ]]
is "every page, every template, and nothing else"
"$dir/root/usr/bin/manor" version >"$dir/out" 2>&1
is "the program runs"
! grep -rq '@VERBS@\|@REFERENCE@' "$dir/root/usr/share/man"
is "the pages are whole"
quietly install-programs DESTDIR="$dir/other" PREFIX=/opt
[[ $? == 2 && ! -e $dir/other ]] && grep -q 'of another PREFIX' "$dir/out"
is "a program that was built for another PREFIX is not"

# completes WORDS -- EXPECTED: what is offered for the last word
completes() {
	local words=()
	while [[ $1 != -- ]]; do
		words+=("$1")
		shift
	done
	shift
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _manor; echo "${COMPREPLY[*]}"' \
		- "$dir/root/usr/share/bash-completion/completions/manor" "${words[@]}" >"$dir/out" 2>&1
	[[ $(<"$dir/out") == "$*" ]]
}

completes manor pl -- plan
is "completion: a verb"
completes manor plan --fa -- --facts
is "completion: an option"
completes manor image l -- ls
is "completion: what a verb can do"
completes manor apply --allow guest- -- guest-restart guest-recreate
is "completion: an option's words"
completes manor help applia -- appliance.yaml
is "completion: a page"
completes manor check -f "$dir/root/usr/lib/man" -- "$dir/root/usr/lib/manor"
is "completion: a file"
quietly uninstall DESTDIR="$dir/root"
[[ -z $(find "$dir/root" -type f) ]]
is "uninstall leaves nothing"

# The package for a machine whose Xen is Debian's: made, unpacked and looked at.
quietly deb
is "make deb makes one"
deb=$(ls "$BUILD"/manor_*.deb)
dpkg-deb -x "$deb" "$dir/deb" >"$dir/out" 2>&1
is "it is a package"
dpkg-deb -f "$deb" Depends >"$dir/out" 2>&1
for package in $(sed -n '/^# What build.manor links/,$ {s/^[a-z].*/&/p}' hv/packages) xen-utils-4.17; do
	grep -qw -- "$package" "$dir/out"
	is "it depends on $package"
done
units=$dir/deb/lib/systemd/system
ls "$units" >"$dir/out"
[[ -e $units/manor.service && -e $units/manor-guests.service && ! -e $units/xenstored.service && ! -e $units/proc-xen.mount ]]
is "the agent's units, and none of Xen's daemons"
cat "$units"/manor*.service >"$dir/out"
! grep -q 'xenstored.service\|xenconsoled.service\|xen-init-dom0' "$dir/out" && grep -q '^After=.*xen.service xendomains.service' "$units/manor-guests.service"
is "its guests end before Debian's xendomains looks at what runs"
for program in $(sed -n 's/^ExecSt[a-z]*=\([^ ]*manor[^ ]*\).*/\1/p' "$units"/manor*.service); do
	[[ -x $dir/deb$program ]]
	is "$program, which a unit calls, is there"
done
echo "1..$n"
