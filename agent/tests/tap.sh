# SPDX-License-Identifier: GPL-2.0-or-later
#
# What scripts of cli/ that tell TAP have in common; sourced from the project's root. $dir is theirs, and goes with them.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0

# is WORDS: whether the last command said to is ended well, as one TAP line
is() {
	local r=$?
	n=$((n + 1))
	((r == 0)) && echo "ok $n - $*" || { echo "not ok $n - $*"; sed 's/^/# /' "$dir/out" | head -n 20; }
}

# ends CODE COMMAND...: its output goes to $dir/out; nothing takes longer than $limit seconds, nothing crashes
ends() {
	local want=$1 r
	shift
	timeout "${limit:-20}" "$@" >"$dir/out" 2>&1 </dev/null
	r=$?
	((r == want)) && ! grep -qE 'AddressSanitizer|runtime error' "$dir/out"
}
