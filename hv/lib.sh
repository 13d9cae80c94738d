# SPDX-License-Identifier: GPL-2.0-or-later
#
# What hv/ and images/ share: steps that name themselves and their log, and an apt of the
# build's own: of the build host's sources only the mirrors' addresses are taken.

BUILD=${BUILD:-build}
SUITE=bookworm
# Where this machine's own apt has that release from, unless told otherwise.
mirror_of() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE)' |
		awk -v release="$1" '$2 == release && !found { found = 1; sub("/$", "", $1); print $1 }'
}
MIRROR=${MIRROR:-$(mirror_of $SUITE)}
SECURITY_MIRROR=${SECURITY_MIRROR:-$(mirror_of $SUITE-security)}
# Any fixed moment makes images comparable between builds; this one is Debian 12's release.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1686355200}
export LC_ALL=C
umask 022

# step PREFIX LOG WHAT COMMAND...: one line of progress, the noise into LOG, and on failure the
# step's name, the end of the log and where the rest is.
step() {
	local prefix=$1 log=$2 what=$3 start=$SECONDS
	shift 3
	mkdir -p "$(dirname "$log")"
	printf '%s: %s' "$prefix" "$what"
	# errexit is off inside a command that is tested, hence a shell of its own for functions.
	local rc=0
	set +e
	(set -euo pipefail; "$@") >"$log" 2>&1
	rc=$?
	set -e
	if ((rc)); then
		printf ' … FAILED (exit %d)\n' "$rc"
		tail -n 15 "$log" | sed 's/^/    /' >&2
		echo "$prefix: error: '$what' failed; all of its output is in $log" >&2
		exit 1
	fi
	printf ' … %ds\n' $((SECONDS - start))
}

# need_root WHO WHAT: building most things takes it, for files of other owners.
need_root() {
	((EUID == 0)) || { echo "$1: error: building $2 needs root (mmdebstrap, file owners)" >&2; exit 1; }
}

# words FILE: the first word of each line of a list that has comments.
words() {
	sed 's/#.*//' "$1" | awk 'NF {print $1}'
}

# with_needed DEP: of the modules named on stdin the paths, each behind what it needs, by a modules.dep; its line "a: b c" wants c
# loaded before b, and b before a. Fails, and says whose, for a name that it doesn't have.
with_needed() {
	local module
	tr _ - | while read -r module; do
		awk -v name="$module" '
			{
				path = $1
				sub(/:$/, "", path)
				base = path
				sub(/.*\//, "", base)
				sub(/\.ko$/, "", base)
				gsub(/_/, "-", base)
				if (base == name) {
					for (i = NF; i > 1; i--)
						print $i
					print path
					found = 1
				}
			}
			END { exit !found }' "$1" || { echo "no module '$module' in $1" >&2; return 1; }
	done | awk '!seen[$0]++'
}

# sources_list [SUITE...]: of further releases what an image may name besides.
sources_list() {
	local signed=/usr/share/keyrings/debian-archive-keyring.gpg suite
	echo "deb [signed-by=$signed] $MIRROR $SUITE main"
	echo "deb [signed-by=$signed] $MIRROR $SUITE-updates main"
	[[ ! $SECURITY_MIRROR ]] || echo "deb [signed-by=$signed] $SECURITY_MIRROR $SUITE-security main"
	for suite in "$@"; do
		echo "deb [signed-by=$signed] $MIRROR $suite main"
		echo "deb [signed-by=$signed] $SECURITY_MIRROR $suite-security main"
	done
}

# Lists and archives under build/apt, or build/apt-ARCH where APT_ARCH says another; only the host's apt.conf (a proxy, say) is shared.
apt_dir() {
	realpath -m "$BUILD/apt${APT_ARCH:+-$APT_ARCH}"
}

own_apt() {
	local tool=$1 dir
	shift
	dir=$(apt_dir)
	"$tool" -q -o Dir::State="$dir/state" -o Dir::Cache="$dir/cache" \
		-o Dir::State::status="$dir/status" -o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null -o APT::Architecture="${APT_ARCH:-amd64}" \
		-o APT::Architectures::="${APT_ARCH:-amd64}" -o APT::Sandbox::User=root \
		-o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# own_apt_update [SUITE...]
own_apt_update() {
	local dir
	dir=$(apt_dir)
	mkdir -p "$dir"/{state/lists/partial,cache/archives/partial}
	: >"$dir/status"
	sources_list "$@" >"$dir/sources.list"
	own_apt apt-get update
}

# fetch_debs DIR PACKAGE...: downloads into DIR, one file a package.
fetch_debs() {
	local dir=$1
	shift
	[[ -e $(apt_dir)/sources.list ]] || own_apt_update
	mkdir -p "$dir"
	(BUILD=$(realpath "$BUILD") && cd "$dir" && own_apt apt-get download "$@")
}
