# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the recipes of images/ share. A recipe is images/NAME/build; it sets `name` and gives
# images/NAME/out/, of whose files SHA256SUMS speaks.

. hv/lib.sh

# Not $BUILD/NAME: build/ has folders of other things.
work=$(realpath -m "$BUILD/images/$name")
out=images/$name/out

# publish FILE...: into out/, with their digests. SHA256SUMS comes last, for make takes it as the sign
# that the rest is whole.
publish() {
	local file names=()
	mkdir -p "$out"
	rm -f "$out/SHA256SUMS"
	for file in "$@"; do
		cp --sparse=always --remove-destination "$file" "$out/"
		names+=("$(basename "$file")")
	done
	(cd "$out" && printf '%s\n' "${names[@]}" | sort | xargs sha256sum >SHA256SUMS.new &&
		mv SHA256SUMS.new SHA256SUMS)
}

# GRUB reads it, and so do kernels and tools older than the build host's: not what its mke2fs.conf likes.
EXT4_FEATURES=^metadata_csum_seed,^orphan_file
