# SPDX-License-Identifier: GPL-2.0-or-later
#
# The media, made of the slot's files. Sourced by build.

# What GRUB needs to load a slot's files wherever it was started from.
grub_modules="normal multiboot2 gzio echo test serial terminal search search_label part_gpt part_msdos iso9660 fat
	ext2 ls cat reboot halt sleep minicmd configfile loadenv"

# What a disk's menu does besides: it reads and writes which slot is to be started.
disk_modules="normal multiboot2 gzio echo test true serial terminal part_gpt fat ext2 probe regexp ls cat reboot halt sleep
	minicmd configfile loadenv boot"

# efi FAT MIB LABEL PREFIX MODULES [OPTION...]: GRUB for UEFI.
efi() {
	GRUB=$tools/usr/lib/grub/x86_64-efi hv/grub-efi "${@:6}" "${@:1:4}" $5
}

# loaders FOLDER: what `manor install` puts before the slots, the same for each version: boot code, GRUB for BIOS, and the
# EFI system partition with GRUB for UEFI, the menu of both, and what that knows of the slots.
loaders() {
	local tree=$work/esp
	rm -rf "$tree"
	mkdir -p "$1" "$tree/grub"
	GRUB=$tools/usr/lib/grub/i386-pc hv/grub-bios "$1/boot.img" "$1/core.img" '(,gpt2)/grub' $disk_modules biosdisk
	cp hv/appliance/grub/disk.cfg "$tree/grub/grub.cfg"
	printf '# GRUB Environment Block\nORDER=A B\nA_OK=1\nA_TRY=0\nB_OK=0\nB_TRY=0\n' >"$tree/grub/grubenv"
	head -c $((1024 - $(stat -c %s "$tree/grub/grubenv"))) /dev/zero | tr '\0' '#' >>"$tree/grub/grubenv"
	find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	efi "$1/esp.img" 64 MANOR_ESP /grub "$disk_modules"
	mcopy -m -s -i "$1/esp.img" "$tree"/* ::
}

iso() {
	local tree=$work/iso loader=$work/loader.cfg
	rm -rf "$tree"
	mkdir -p "$tree/manor" "$tree/boot/grub"
	ln "$slot"/{xen,vmlinuz,initrd,root,id,slot.cfg} "$tree/manor/"
	menu live.cfg >"$tree/boot/grub/grub.cfg"
	printf 'search --no-floppy --set=root --label MANOR_LIVE\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' \
		>"$loader"
	grub-mkimage -d "$tools/usr/lib/grub/i386-pc" -O i386-pc-eltorito -p /boot/grub -c "$loader" \
		-o "$tree/boot/grub/bios.img" $grub_modules biosdisk
	efi "$tree/boot/grub/efi.img" 4 MANOR_EFI /boot/grub "$grub_modules" -c "$loader"
	find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	# As CD-ROM by El Torito, as USB stick by the boot sector and by the partition that is UEFI's.
	xorriso -as mkisofs -quiet -R -V MANOR_LIVE --grub2-mbr "$tools/usr/lib/grub/i386-pc/boot_hybrid.img" \
		-b boot/grub/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
		-c boot/boot.cat -eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot -isohybrid-gpt-basdat \
		-o "$out/manor.iso" "$tree"
}

# iPXE for BIOS loads Xen as multiboot does, the one for UEFI only as a program of UEFI's, which finds its kernel among what iPXE
# has loaded, and hands to it what stands behind the second --.
netboot() {
	local tree=$out/netboot
	rm -rf "$tree"
	mkdir -p "$tree"
	ln "$slot"/{vmlinuz,initrd,root,id,slot.cfg} "$tree/"
	# iPXE loads no packed hypervisor.
	zcat "$slot/xen" >"$tree/xen"
	dpkg-deb --fsys-tarfile "$BUILD"/hv/debs/xen-hypervisor-4.17-amd64_*.deb | tar -xO ./boot/xen-4.17-amd64.efi >"$tree/xen.efi"
	printf '[global]\ndefault=manor\n[manor]\nkernel=vmlinuz\nramdisk=initrd\n' >"$tree/xen.cfg"
	cat >"$tree/boot.ipxe" <<-END
		#!ipxe
		# Beside this file: xen, vmlinuz, initrd, root; for UEFI xen.efi, xen.cfg. \${cwduri} is where iPXE had this one from; Debian 12's
		# doesn't know it, so there it must be the file that DHCP names.
		set manor $linux manor.boot=net manor.root=\${cwduri}root manor.from=\${filename} manor.server=\${next-server} manor.mac=\${netX/mac} manor.ip=\${netX/ip}/\${netX/netmask} manor.gateway=\${netX/gateway} manor.dns=\${netX/dns}
		iseq \${platform} efi && goto efi ||
		kernel xen $xen
		module vmlinuz \${manor}
		module initrd
		boot
		:efi
		kernel xen.efi -cfg=xen.cfg -- $xen -- \${manor}
		module xen.cfg
		module vmlinuz
		module initrd
		boot
	END
}

# The disk as `manor install` makes one, short of what is made where it is started.
image() {
	local from=$work/image
	mkdir -p "$from"
	cp --sparse=always "$root"/usr/lib/manor/boot/* "$from/"
	images/mkext4 --inodes 64 --journal 0 --features ^has_journal,^metadata_csum_seed,^orphan_file \
		"$slot" "$from/slot.img" 384M manor-a 6d616e6f-7200-4000-8000-736c6f740041
	rm -f "$out/manor.img"
	"$BUILD/manor" install --image "$out/manor.img" --from "$from"
}
