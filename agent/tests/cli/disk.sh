#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The disk of an installed machine, as a file: manor.img, what becomes of it on its first boot, and what the boot menu is
# told. TAP.
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 1
manor=${MANOR:-$PWD/build/manor}
PATH=$PATH:/usr/sbin:/sbin
limit=60
. agent/tests/tap.sh

says() { grep -qF -- "$*" "$dir/out"; }

# Loaders and a slot that are told apart by what is in them.
mkdir "$dir/from"
head -c 440 /dev/zero | tr '\0' B >"$dir/from/boot.img"
printf 'CORE%.0s' {1..1000} >"$dir/from/core.img"
truncate -s 64M "$dir/from/esp.img"
printf 'ESP' | dd of="$dir/from/esp.img" conv=notrunc bs=1 seek=$((8 << 20)) status=none
truncate -s 384M "$dir/from/slot.img"
mke2fs -q -F -t ext4 -L manor-a "$dir/from/slot.img"

# part FIELD NUMBER FILE: what the table says of a partition
part() { sfdisk -J "$3" | python3 -c "import json, sys; print(json.load(sys.stdin)['partitiontable']['partitions'][$2 - 1].get('$1'))"; }
names() { sfdisk -l -q -o NAME "$1" | tail -n +2 | tr '\n' ' '; }
# ends_of FILE: both copies of the table
ends_of() { { head -c 1M "$1"; tail -c 1M "$1"; stat -c %s "$1"; } | sha256sum; }
# at MIB BYTES FILE
at() { dd if="$3" bs=1M skip="$1" count=1 status=none | head -c "$2"; }

ends 0 "$manor" install --image "$dir/one.img" --from "$dir/from"
is "manor.img is written without a device, and without root's rights to any"
[[ $(names "$dir/one.img") == "manor-bios manor-esp manor-a manor-b " ]] && sfdisk -V "$dir/one.img" >"$dir/out" 2>&1
is "its table is sound, and has loaders and slots"
[[ $(head -c 440 "$dir/one.img" | tr -d B) == "" && $(at 1 4 "$dir/one.img") == CORE && $(at 10 3 "$dir/one.img") == ESP ]] &&
	[[ $(tail -c +511 "$dir/one.img" | head -c 2 | od -An -tx1) == " 55 aa" ]]
is "the loaders are where they find each other"
[[ $(part start 1 "$dir/one.img") == 2048 && $(part start 3 "$dir/one.img") == 135168 ]]
is "and where each version has them"
(($(stat -c %b "$dir/one.img") * 512 < 64 << 20))
is "what is empty is a hole"
ends 0 "$manor" install --image "$dir/two.img" --from "$dir/from" && cmp "$dir/one.img" "$dir/two.img"
is "the same files give the same bytes"

truncate -s 6G "$dir/one.img"
ends 0 "$manor" install --grow "$dir/one.img"
is "on its first boot it becomes as large as the disk"
sfdisk -V "$dir/one.img" >"$dir/out" 2>&1 && [[ $(names "$dir/one.img") == "manor-bios manor-esp manor-a manor-b manor-state manor-storage " ]]
is "with a partition for state, and one for guests"
[[ $(part size 5 "$dir/one.img") == $((4 << 21)) && $(part start 3 "$dir/one.img") == 135168 && $(head -c 440 "$dir/one.img" | tr -d B) == "" ]]
is "the slots and loaders are where they were"
cmp -s -n $((64 << 20)) -i $((66 << 20)):0 "$dir/one.img" "$dir/from/slot.img"
is "and hold what they held"
[[ $(part uuid 3 "$dir/one.img") != $(part uuid 3 "$dir/two.img") ]]
is "they have ids that no other machine's have"
e2fsck -fn "$dir/one.img?offset=$((834 << 20))" >"$dir/out" 2>&1 &&
	[[ $(blkid -p -O $((834 << 20)) -o value -s LABEL "$dir/one.img") == MANOR_STATE ]]
is "the state partition is a sound, empty file system"
before=$(ends_of "$dir/one.img")
ends 0 "$manor" install --grow "$dir/one.img" && [[ $(ends_of "$dir/one.img") == "$before" ]]
is "on the next boot nothing changes"

truncate -s 2G "$dir/two.img"
ends 0 "$manor" install --grow "$dir/two.img" &&
	[[ $(names "$dir/two.img") == "manor-bios manor-esp manor-a manor-b manor-state " && $(part size 5 "$dir/two.img") == $((1213 << 11)) ]]
is "a small disk has less state, and nothing for guests"
ends 0 "$manor" install --image "$dir/two.img" --from "$dir/from" && truncate -s 1G "$dir/two.img"
before=$(ends_of "$dir/two.img")
ends 1 "$manor" install --grow "$dir/two.img" && says "a disk of 1 GiB is too small: 1.1 GiB at least" && [[ $(ends_of "$dir/two.img") == "$before" ]]
is "one that is too small is told so with numbers, and left as it is"
truncate -s 6G "$dir/two.img"
ends 1 "$manor" install --grow "$dir/two.img" --state-size 100MiB && says "256 MiB at least"
is "so is a state partition"
ends 0 "$manor" install --grow "$dir/two.img" --state-size 1500MiB && [[ $(part size 5 "$dir/two.img") == $((1500 << 11)) ]]
is "which is as large as is said"
truncate -s 6G "$dir/other.img" && echo 'label: gpt' | sfdisk -q "$dir/other.img"
ends 1 "$manor" install --grow "$dir/other.img" && says "isn't laid out as manor.img is"
is "another disk is never grown"

# Cut off before the table is there: what stands first is a mark, and no firmware starts it.
truncate -s 65M "$dir/from/esp.img"
ends 1 "$manor" install --image "$dir/cut.img" --from "$dir/from" && says "larger than the partition manor-esp" &&
	[[ $(tail -c +447 "$dir/cut.img" | head -c 27) == "manor install: not finished" && $(tail -c +511 "$dir/cut.img" | head -c 2 | od -An -tx1) == " 00 00" ]]
is "one that was cut off says so, and isn't started by any firmware"
ends 1 "$manor" install --image "$dir/cut.img" --from "$dir/none" && says "$dir/none/boot.img"
is "a file that is missing is named"

ends 1 "$manor" install --disk nosuchdisk -n
is "outside the appliance there is nothing to install"
mkdir "$dir/part" && for name in xen vmlinuz initrd root id; do echo "$name" >"$dir/part/$name"; done
ends 1 "$manor" install --disk nosuchdisk -n --from "$dir/part" && says "slot.cfg is missing: the disk would not start"
is "a version that came without what the menu needs isn't installed"
ends 1 "$manor" install --disk nosuchdisk -n --from "$dir/from" && says "no disk has path '/dev/nosuchdisk'"
is "a disk that isn't there is told, beside those that are"
ends 2 "$manor" install --disk label=x && says "a disk is serial="
is "what is no name of a disk is wrong usage"
ends 2 "$manor" install && ends 2 "$manor" install --disk sda --grow sda && ends 2 "$manor" install --image "$dir/x"
is "so are none, two at once, and an image of nothing"

# A real one, where there is a loop device to be had.
truncate -s 64M "$dir/from/esp.img"
truncate -s 2G "$dir/device"
if loop=$(losetup -f --show "$dir/device" 2>/dev/null); then
	trap 'losetup -d "$loop"; rm -rf "$dir"' EXIT
	# Partitions that the kernel kept of who had it before: somebody looked at them when it was let go.
	partx -d "$loop" 2>/dev/null || :
	ends 0 "$manor" install --disk "$loop" --from "$dir/from" -n && says "at 834 MiB   1.2 GiB" && ! grep -q "LOST" "$dir/out" &&
		[[ $(head -c 1M "$loop" | tr -d '\0' | wc -c) == 0 ]]
	is "what an empty disk would become is told, and nothing written"
	ends 2 "$manor" install --disk "$loop" --from "$dir/from" && says "nobody can be asked here: say --yes"
	is "without a terminal nobody can be asked"
	ends 0 "$manor" install --disk "$loop" --from "$dir/from" --yes && says "Installed on $loop" && sfdisk -V "$dir/device" >/dev/null &&
		[[ $(names "$dir/device") == "manor-bios manor-esp manor-a manor-b manor-state " ]]
	is "then it becomes that"
	debugfs -R 'stat /core.img' "$dir/device?offset=$((66 << 20))" 2>/dev/null | grep -q 'Size: 4000' &&
		e2fsck -fn "$dir/device?offset=$((834 << 20))" >"$dir/out" 2>&1
	is "slot A has the slot's files, and the state partition is sound"
	first=$(part uuid 3 "$dir/device")
	ends 1 "$manor" install --disk "$loop" --from "$dir/from" --yes && says "isn't empty: $loop, 2 GiB: gpt partition table" && says "--erase $loop"
	is "a disk that holds something is refused, with what it holds"
	ends 1 "$manor" install --disk "$loop" --from "$dir/from" --yes --erase OTHER && says "isn't 'OTHER'" && [[ $(part uuid 3 "$dir/device") == "$first" ]]
	is "unless its own name says that it may go"
	ends 0 "$manor" install --disk "$loop" --from "$dir/from" --yes --erase "$loop" && says "ALL OF THIS WILL BE LOST" &&
		[[ $(part uuid 3 "$dir/device") != "$first" ]]
	is "which it does, and the new one has new ids"
	truncate -s 65M "$dir/from/esp.img"
	ends 1 "$manor" install --disk "$loop" --from "$dir/from" --yes --erase "$loop" && says "run it again" && ! sfdisk -d "$dir/device" >/dev/null 2>&1
	is "cut off in the middle, it has no table"
	truncate -s 64M "$dir/from/esp.img"
	ends 0 "$manor" install --disk "$loop" --from "$dir/from" --yes && ! grep -q LOST "$dir/out"
	is "and is installed to again, without being asked for what was ours"

	# The boot menu's block is within the loaders' file system; what only begins like one isn't it.
	block() { { printf '# GRUB Environment Block\nORDER=A B\n%s' "$1"; head -c 1024 /dev/zero | tr '\0' '#'; } | head -c 1024; }
	place() { dd of="$dir/from/esp.img" conv=notrunc bs=512 seek="$1" status=none; }
	{ printf '# GRUB Environment Block\n'; head -c 999 /dev/zero; } | place $((8 << 11))
	block "" | place $((9 << 11))
	cat >"$dir/in-force.json" <<-'END'
		{"name": "appliance.yaml", "dir": "/etc/manor", "text": "manor: 1\nnamespace: lab.example.org\nhost: {dom0: {memory: 1GiB}, xen: {cmdline: loglvl=all}}\n", "files": {}}
	END
	# shellcheck disable=SC2016 # it is that shell's to expand
	with_manifest='mkdir -p /var/lib/manor && mount -t tmpfs t /var/lib/manor && cp "$0" /var/lib/manor/manifest-in-force.json && exec "$@"'
	ends 0 unshare -m sh -c "$with_manifest" "$dir/in-force.json" "$manor" install --disk "$loop" --from "$dir/from" --yes --erase "$loop" &&
		says "Xen starts with 'dom0_mem=1048576K,max:1048576K loglvl=all'" &&
		cmp <(at $((2 + 9)) 1024 "$dir/device") <(block $'XEN=dom0_mem=1048576K,max:1048576K loglvl=all\n')
	is "what the manifest says of Xen holds from the first boot on"
	cmp <(at $((2 + 8)) 1024 "$dir/device") <(dd if="$dir/from/esp.img" bs=1M skip=8 count=1 status=none | head -c 1024)
	is "and nothing else of the loaders is changed"
	losetup -d "$loop"
	if loop=$(losetup -f --show --sector-size 4096 "$dir/device" 2>/dev/null); then
		before=$(ends_of "$dir/device")
		ends 1 "$manor" install --disk "$loop" --from "$dir/from" --yes --erase "$loop" && says "has sectors of 4096 bytes, not 512" &&
			says "nvme format --lbaf" && [[ $(ends_of "$dir/device") == "$before" ]]
		is "a disk of larger sectors is left alone, and it is said what to do"
		losetup -d "$loop"
	fi
	loop=$(losetup -f --show "$dir/device")

	# As on the first boot from manor.img, whose slot is in use then. The kernel here may not read tables by itself.
	"$manor" install --image "$dir/two.img" --from "$dir/from" && truncate -s 2G "$dir/two.img"
	losetup -d "$loop" && loop=$(losetup -f --show "$dir/two.img")
	addpart "$loop" 3 135168 786432 && mkdir "$dir/slot" && mount -o ro "${loop}p3" "$dir/slot" || loop=
fi
if [[ ${loop:-} ]]; then
	ends 0 "$manor" install --grow "$loop" && e2fsck -fn "${loop}p5" >/dev/null 2>&1 && sfdisk -V "$dir/two.img" >"$dir/out" 2>&1
	is "a disk grows while its slot is mounted, and the kernel knows the new partition at once"
	umount "$dir/slot"
	for part in "$loop"p*; do delpart "$loop" "${part#"$loop"p}"; done
fi

export MANOR_ESP_DIR=$dir/esp
mkdir -p "$dir/esp/grub"
ends 0 "$manor" slot get-primary && says A && says "grubenv says nothing"
is "without grubenv slot A comes first"
ends 0 "$manor" slot set-primary B && ends 0 "$manor" slot get-primary && [[ $(<"$dir/out") == B ]]
is "until another is to"
grep -qx 'ORDER=B A' "$dir/esp/grub/grubenv" && grep -qx 'B_OK=1' "$dir/esp/grub/grubenv" && [[ $(stat -c %s "$dir/esp/grub/grubenv") == 1024 ]]
is "as the menu reads it"
ends 0 "$manor" slot set-state A good && ends 0 "$manor" slot get-primary && [[ $(<"$dir/out") == B ]] &&
	sed -i 's/B_TRY=0/B_TRY=1/' "$dir/esp/grub/grubenv" && ends 0 "$manor" slot get-primary && [[ $(<"$dir/out") == A ]]
is "one that was never called good is tried once"
ends 0 "$manor" slot set-state B bad && ends 0 "$manor" slot get-state B && [[ $(<"$dir/out") == bad ]] &&
	ends 0 "$manor" slot get-primary && [[ $(<"$dir/out") == A ]]
is "a bad one doesn't"
sed -i 's/B_OK=0/B_OK=1/; s/B_TRY=0/B_TRY=2/' "$dir/esp/grub/grubenv"
ends 0 "$manor" slot get-state B && [[ $(<"$dir/out") == good ]]
is "one that was good before, thrice"
sed -i 's/B_TRY=2/B_TRY=3/' "$dir/esp/grub/grubenv"
ends 0 "$manor" slot get-state B && [[ $(<"$dir/out") == bad ]]
is "nor one that was tried and not called good since"
ends 0 "$manor" slot set-state B good && ends 0 "$manor" slot get-primary && [[ $(<"$dir/out") == B ]]
is "which it is until it is"
if command -v grub-editenv >/dev/null; then
	ends 0 grub-editenv "$dir/esp/grub/grubenv" list && says "ORDER=B A" && says "B_TRY=0"
	is "GRUB's own tool reads the same"
fi
: >"$dir/esp/grub/grubenv"
ends 0 "$manor" slot set-state A good && [[ $(stat -c %s "$dir/esp/grub/grubenv") == 1024 ]]
is "one that was emptied is made anew"
ends 2 "$manor" slot set-state A && ends 2 "$manor" slot get-state C && ends 2 "$manor" slot set-state A maybe && ends 2 "$manor" slot
is "what isn't one of the calls is wrong usage"
unset MANOR_ESP_DIR
ends 1 "$manor" slot get-primary && says "doesn't run from a disk"
is "a system that isn't installed has no slots"
echo "1..$n"
