#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line as a person meets it: pages, wrong calls, colour, manifests that are none. TAP.
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 1
manor=${MANOR:-$PWD/build/manor}
export -n NO_COLOR
. agent/tests/tap.sh

verbs=$("$manor" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
[[ $(wc -w <<<"$verbs") -ge 13 ]]
is "help lists the verbs"
for verb in $verbs; do
	ends 0 "$manor" help "$verb" && grep -q '^SYNOPSIS$' "$dir/out" &&
		grep -q "^manor $verb" "$dir/out"
	is "help $verb prints its page"
	cp "$dir/out" "$dir/page"
	ends 0 "$manor" "$verb" --help && cmp -s "$dir/page" "$dir/out"
	is "$verb --help prints the same"
	ends 2 "$manor" "$verb" --nonsense
	is "$verb refuses an unknown option"
done
ends 0 "$manor" help appliance.yaml && grep -q 'max_removals (' "$dir/out"
is "the page of the manifest has the fields' reference"
ends 0 "$manor"
is "without a verb, the verbs"
ends 2 "$manor" screen && grep -q 'say --once' "$dir/out"
is "the console's page wants a terminal"
ends 0 "$manor" screen --once && grep -q '^Manor .* Linux' "$dir/out" && grep -q '^addresses: ' "$dir/out" &&
	{ [[ -e /etc/manor/appliance.yaml ]] || grep -q '^NO MANIFEST' "$dir/out"; }
is "or is told to print it once: what runs here, and that there is no manifest"
ends 2 "$manor" chekc
is "an unknown verb is wrong usage"
ends 2 "$manor" help chekc
is "so is the page of one"
ends 2 "$manor" check --format xml
is "and an unknown format"
ends 2 "$manor" check -f
is "and an option without its value"
ends 2 "$manor" check file.yaml && grep -q operand "$dir/out"
is "and a manifest without -f"
for words in "" burn "ls root" "ls --older-than 1d" "ls --yes" rm "rm -n 123456" "gc root" "pull --noheadings"; do
	# shellcheck disable=SC2086 # several words
	ends 2 "$manor" image $words && grep -q 'manor help image' "$dir/out"
	is "and image ${words:-alone}"
done

ends 2 "$manor" check -f "$dir/none.yaml" && grep -q 'none.yaml: error: .*No such file' "$dir/out" &&
	! grep -q '|' "$dir/out"
is "a manifest that isn't there is named, and no line of it shown"
(cd "$dir" && ends 2 "$manor" check -f none.yaml && grep -q "help: looked for $dir/none.yaml" "$dir/out")
is "and told where it was looked for"
: >"$dir/empty.yaml"
ends 2 "$manor" check -f "$dir/empty.yaml" && ! grep -q '|' "$dir/out"
is "nor is one of an empty file"
ends 2 "$manor" check -f "$dir" && grep -q 'directory' "$dir/out"
is "a folder is no manifest"
(cd "$dir" && ends 2 "$manor" check && grep -q /etc/manor/appliance.yaml "$dir/out" &&
	grep -q ./appliance.yaml "$dir/out")
is "without a manifest, the places looked at are told"
printf 'manor: 1\nnamespace: a.b\n' >"$dir/appliance.yaml"
(cd "$dir" && ends 0 "$manor" check)
is "the one in the folder is found"
ends 0 "$manor" check --format json -f "$dir/appliance.yaml" && [[ $(tr -d ' \n' <"$dir/out") == '[]' ]]
is "a good one as JSON is an empty array"
printf 'manor: 1\nnamespace: a.b\n' | timeout 20 "$manor" check -f /dev/stdin >"$dir/out" 2>&1
is "a manifest may come through a pipe"

# named PATH WORDS: what is said of a file that the manifest in $dir/etc names, and isn't there
mkdir "$dir/etc" "$dir/here"
: >"$dir/here/sums"
: >"$dir/etc/near"
named() {
	printf 'manor: 1\nnamespace: a.b\ntemplates: {t: {files: {f: {url: /x, sha256: {file: %s}}}}}\n' "$1" \
		>"$dir/etc/m.yaml"
	(cd "$dir/here" && ends 2 "$manor" check -f "$dir/etc/m.yaml" && grep -qF "help: $2" "$dir/out")
}
named gone/sums "there is no $dir/etc/gone: a relative path starts at the folder of the file that it stands in"
is "a file that isn't there: the folder that is missing"
named /nowhere/sums "there is no /nowhere here"
is "of a whole path as well"
named sums "a relative path starts at the folder of the file that it stands in, $dir/etc; what you have here is $dir/here/sums"
is "or that it is there from the folder one is in"
named gone/near "there is $dir/etc/near: write {file: near}"
is "or beside the manifest"

# From a pipe, what is included starts in the folder one is in, as other relative paths do.
echo 'bridges: {xenbr0: {}}' >"$dir/here/net.yaml"
(cd "$dir/here" && printf 'manor: 1\nnamespace: a.b\ninclude: net.yaml\n' | timeout 20 "$manor" check -f - >"$dir/out" 2>&1 &&
	grep -q '1 bridge' "$dir/out")
is "a manifest from standard input includes what is in the folder"
printf 'manor: 1\nnamespace: a.b\ninclude: net.yaml\n' >"$dir/here/m.yaml"
echo 'bridgets: {}' >"$dir/here/net.yaml"
(cd "$dir" && ends 2 "$manor" check -f here/m.yaml && grep -q '^here/net.yaml:1:1: error: ' "$dir/out" &&
	grep -qxF '   included from here/m.yaml:3' "$dir/out")
is "an included file is called as it is found from here"
ln -s here/m.yaml "$dir/m.yaml"
(cd "$dir" && ends 2 "$manor" check -f m.yaml && grep -q "^$dir/here/net.yaml:1:1: error: " "$dir/out" &&
	grep -qxF '   included from m.yaml:3' "$dir/out")
is "by its whole path where a link to the manifest leads elsewhere"

for facts in /etc/passwd "$dir/none.json" "$dir/appliance.yaml"; do
	ends 2 "$manor" plan -f "$dir/appliance.yaml" --facts "$facts" &&
		grep -qF "help: make one on the host, with \`manor facts > FILE\`" "$dir/out"
	is "what isn't facts says how to make them: ${facts##*/}"
done

printf 'manor: 1\nx: y\n' >"$dir/bad.yaml"
bad=("$manor" check -f "$dir/bad.yaml")
ends 2 "${bad[@]}" && ! grep -q $'\033' "$dir/out"
is "no colour where there is no terminal"
ends 2 script -qec "${bad[*]}" /dev/null && grep -q $'\033' "$dir/out"
is "colour on a terminal"
NO_COLOR=1 ends 2 script -qec "${bad[*]}" /dev/null && ! grep -q $'\033' "$dir/out"
is "unless NO_COLOR is set"
NO_COLOR='' ends 2 script -qec "${bad[*]}" /dev/null && grep -q $'\033' "$dir/out"
is "to something"
large=agent/tests/golden/domain-too-large
ends 1 "$manor" plan -f $large/manifest.yaml --facts $large/facts.json &&
	grep -q "^$large/manifest.yaml:22:13: error: domain 'web': does not fit" "$dir/out"
is "what is in the way of a plan from facts is told at its line"
ends 2 "$manor" facts --format text && grep -q 'manor status' "$dir/out"
is "facts as text are refused, not printed as JSON"

# Large and strange ones: refused in time, whatever they are.
make() { python3 -c "import sys; sys.stdout.buffer.write($1)" >"$dir/bad.yaml"; }
while IFS='|' read -r what code text; do
	make "$text"
	ends 2 "${bad[@]}" --format json && grep -q "\"code\": \"$code\"" "$dir/out"
	is "$what"
	ends 2 "${bad[@]}" && (($(wc -c <"$dir/out") < 60000))
	is "$what, as text"
done <<'END'
more than 4 MiB|too-large|b'#' * (4 * 2**20 + 1)
4 MiB of one word|wrong-type|b'x' * 4 * 2**20
4 MiB of one key|syntax|b'x' * (4 * 2**20 - 9) + b': 1\n'
4 MiB of one value|out-of-range|b'manor: 1\nnamespace: ' + b'x' * (4 * 2**20 - 99)
a million lists in each other|too-deep|b'[' * 10**6
a million mappings in each other|too-deep|b'{a: ' * 10**6
a million dashes|too-deep|b'- ' * 10**6
a million question marks|too-deep|b'? ' * 10**6
a million anchors|anchor|b'a: [' + b'&a x, ' * 190000 + b']\n'
a million tags|syntax|b'!a ' * 10**6
too many values|too-many-nodes|b'a: [' + b'x,' * 10**6 + b']\n'
a hundred thousand unknown keys|unknown-key|b''.join(b'k%d: 1\n' % i for i in range(90000))
a hundred thousand equal keys|duplicate-key|b'k: 1\n' * 90000
thirty thousand volumes|too-many|b'manor: 1\nnamespace: a\nstorage:\n  s: {devices: [{serial: A}]}\nvolumes:\n' + b''.join(b'  d%d: {storage: s, size: 1GiB}\n' % i for i in range(30000))
thirty thousand dangling references|unknown-reference|b'manor: 1\nnamespace: a\nvolumes:\n' + b''.join(b'  d%d: {storage: s, size: 1GiB}\n' % i for i in range(30000))
a thousand domains that lack everything|missing-key|b'manor: 1\nnamespace: a\ndomains:\n' + b''.join(b'  d%d: {}\n' % i for i in range(1000))
4 MiB of NUL|control-character|b'\0' * 4 * 2**20
all bytes|control-character|bytes(range(32, 256)) * 99
Latin-1|invalid-utf8|'manor: 1\n# Gr\xfc\xdfe\n'.encode('latin-1')
UTF-16|invalid-utf8|'manor: 1\n'.encode('utf-16')
UTF-16 without a mark|control-character|'manor: 1\n'.encode('utf-16-le')
a gzip file|control-character|b'\x1f\x8b\x08\0\0\0\0\0'
4 MiB of line breaks|empty-manifest|b'\n' * 4 * 2**20
a quote without end|syntax|b'a: "' + b'x\n ' * 10**6
END

# What the agent asks of its own processes, by hand. asked WORDS COMMAND: of what that prints.
asked() {
	local words=$1
	shift
	"$@" 2>&1 | timeout 20 "$manor" worker step >"$dir/out" 2>&1
	((PIPESTATUS[1] == 1)) && grep -qF '"error":' "$dir/out" && grep -qF -- "$words" "$dir/out"
}
asked "nothing is asked for" true
is "a worker without a request says so"
asked "not valid JSON" echo
is "as of an empty one"
asked "not a request for a step" echo '{}'
is "and of one that is none"
asked "at most 64 MiB" head -c 65M /dev/zero
is "and of one that never ends"
echo "1..$n"
