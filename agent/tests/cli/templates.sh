#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The ready-made templates: each is sound by itself, and so is a domain that adds a disk and a NIC. TAP.
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 1
manor=${MANOR:-$PWD/build/manor}
. agent/tests/tap.sh

# sound TEMPLATE LINE...: of a manifest that includes it, through a pipe: paths in it start here
sound() {
	printf '%s\n' 'manor: 1' 'namespace: templates.example.org' "include: templates/$1.yaml" "${@:2}" |
		timeout 20 "$manor" check -f - >"$dir/out" 2>&1
}

for path in templates/*.yaml; do
	name=$(basename "$path" .yaml)
	sound "$name" && grep -q '1 template' "$dir/out"
	is "$name declares one template"
	sound "$name" 'bridges: {xenbr0: {}}' "domains: {guest: {template: $name, nics: {lan: {bridge: xenbr0}}," \
		'  disks: {root: {vdev: xvda, file: /srv/guest.img, size: 4GiB}}}}' && grep -q '1 domain' "$dir/out"
	is "$name, of that name, is all that a domain lacks"
	grep -qF "include: /usr/share/manor/$path" "$path" && grep -q "^# .*template: $name\$" "$path"
	is "$name says how it is used"
done
echo "1..$n"
