# SPDX-License-Identifier: GPL-2.0-or-later
#
# A root tree of Debian 12, for this image and for those made from it. What they add is told by
#   packages=(FILE...)     lists of packages        suites=(NAME...)      further releases of Debian
#   files=(FOLDER...)      laid over the tree       preferences=FILE      which release gives what (apt)
#
# What a tree is made of is the cache, $work/cache: a folder of .debs that is a repository of its own. It
# is filled once and serves for as long as lists and mirrors stay the same, without the network;
# `rm -r build/images/*/cache` makes the next build fetch what is new.

cache=$work/cache

cache_key() {
	{ words_of "${packages[@]}"; sources_list "${suites[@]}"
		[[ -z ${preferences:-} ]] || cat "$preferences"; } | sha256sum | cut -d' ' -f1
}

words_of() {
	local list
	for list in "$@"; do
		words "$list"
	done
}

cache_is_whole() {
	[[ $(cat "$cache/key" 2>/dev/null) == "$(cache_key)" ]] &&
		(cd "$cache" && sha256sum --quiet -c SUMS) >/dev/null 2>&1
}

# apt, with nothing installed and lists of this image's own, as its releases may be others.
image_apt() {
	local BUILD=$work
	own_apt apt-get -y -o APT::Install-Recommends=false -o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::Etc::preferences="$(realpath -m "${preferences:-/dev/null}")" "$@"
}

cache_fill() {
	local new=$work/cache.new wanted known uri deb
	mapfile -t wanted < <(words_of "${packages[@]}")
	rm -rf "$new"
	mkdir -p "$new/archives/partial"
	(BUILD=$work && own_apt_update "${suites[@]}")
	# What an earlier cache or another image's holds isn't downloaded again; apt looks at the digests.
	for known in "$BUILD"/images/*/cache; do
		[[ ! -d $known ]] || find "$known" -name '*.deb' -exec ln -f -t "$new/archives" {} +
	done
	image_apt -o Dir::Cache::archives="$new/archives" install --download-only '?essential' "${wanted[@]}"
	image_apt -o Dir::Cache::archives="$new/none" install --print-uris '?essential' "${wanted[@]}" |
		awk '/^\047/ {print $2}' >"$new/list"
	while read -r deb; do
		mv "$new/archives/$deb" "$new/"
	done <"$new/list"
	rm -r "$new/archives" "$new/list"

	# apt has verified what it downloaded. Named as the release that it stands for, since mmdebstrap
	# asks apt for that one's essential packages.
	(cd "$new" && dpkg-scanpackages . >Packages
	{
		printf 'Suite: %s\nCodename: %s\nSHA256:\n' $SUITE $SUITE
		printf ' %s %s Packages\n' "$(sha256sum <Packages | cut -d' ' -f1)" "$(stat -c %s Packages)"
	} >Release
	sha256sum -- *.deb Packages Release >SUMS)
	cache_key >"$new/key"
	rm -rf "$cache"
	mv "$new" "$cache"
	rm -rf "$work/apt"
}

# One that is there and whole is taken as it is.
debian_cache() {
	if ! cache_is_whole; then
		step "$name" "$work/cache.log" "Debian's packages into the cache" cache_fill
	fi
}

# debian_tree ROOT: by root, for owners; mounts are mmdebstrap's own and end with it.
debian_tree() {
	local root=$1 folder
	rm -rf --one-file-system "$root"
	mkdir -p "$(dirname "$root")"
	: >"$work/begun"
	echo "deb [trusted=yes] copy:$cache ./" >"$work/sources.list"
	# Merged /usr from the start, or a package would do it, and bring all of perl. Our own hook comes before
	# the kernel's package, which makes the initrd.
	unshare --mount --propagation private mmdebstrap --mode=root --variant=essential \
		--architectures=amd64 --dpkgopt=images/debian-12/files/etc/dpkg/dpkg.cfg.d/manor-guest \
		--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
		--include="$(words_of "${packages[@]}" | paste -sd,)" \
		--essential-hook='cp -r images/debian-12/files/etc/initramfs-tools "$1/etc/"' \
		$SUITE "$root" "$work/sources.list"
	# What was for building, among it the cache's path.
	rm "$root"/etc/{apt/apt.conf.d,dpkg/dpkg.cfg.d}/99mmdebstrap "$root"/etc/apt/sources.list.d/*

	for folder in "${files[@]}"; do
		cp -r "$folder/." "$root/"
	done
	chroot "$root" systemctl enable -q systemd-networkd.service systemd-resolved.service
	ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
	# Empty, not absent: each guest gets its own at its first boot, and no presets are applied then.
	: >"$root/etc/machine-id"
	# cloud-init makes them, at the first boot of each guest.
	rm -f "$root"/etc/ssh/ssh_host_*
	rm -rf "${root:?}"/{dev,proc,sys,run,tmp,var/tmp}/* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin \
		"$root"/var/cache/{debconf/*-old,ldconfig/*,apt/archives/*.deb} "$root"/var/lib/dbus/machine-id \
		"$root"/var/lib/dpkg/*-old "$root"/etc/{passwd,group,shadow,gshadow,subuid,subgid}-
	find "$root/var/log" -type f -delete
}

# debian_settle ROOT: files that a package brought keep their time; of what was made here none tells when.
debian_settle() {
	find "$1" -newer "$work/begun" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}
