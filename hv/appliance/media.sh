# SPDX-License-Identifier: GPL-2.0-or-later
#
# The media, made of the slot's files. Sourced by build.

# What GRUB needs to load a slot's files wherever it was started from.
grub_modules="normal multiboot2 gzio echo test serial terminal search search_label part_gpt part_msdos iso9660 fat
	ext2 ls cat reboot halt sleep minicmd configfile loadenv"

# fat FILE MIB LABEL: an empty FAT file system that bears no time and no random number.
fat() {
	rm -f "$1"
	truncate -s "$2M" "$1"
	mkfs.vfat -i 4d414e4f --invariant -n "$3" "$1" >/dev/null
}

# efi_loader FILE CONFIG: GRUB for UEFI, with the menu that it looks for its own by.
efi_loader() {
	grub-mkimage -d "$tools/usr/lib/grub/x86_64-efi" -O x86_64-efi -p /boot/grub -c "$2" -o "$1" $grub_modules efi_gop \
		all_video
}

iso() {
	local tree=$work/iso loader=$work/loader.cfg
	rm -rf "$tree"
	mkdir -p "$tree/manor" "$tree/boot/grub" "$work/efi/EFI/BOOT"
	ln "$slot"/{xen,vmlinuz,initrd,root,id} "$tree/manor/"
	menu live.cfg >"$tree/boot/grub/grub.cfg"
	printf 'search --no-floppy --set=root --label MANOR_LIVE\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' \
		>"$loader"
	grub-mkimage -d "$tools/usr/lib/grub/i386-pc" -O i386-pc-eltorito -p /boot/grub -c "$loader" \
		-o "$tree/boot/grub/bios.img" $grub_modules biosdisk
	efi_loader "$work/efi/EFI/BOOT/BOOTX64.EFI" "$loader"
	fat "$tree/boot/grub/efi.img" 4 MANOR_EFI
	find "$work/efi" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	mcopy -m -s -i "$tree/boot/grub/efi.img" "$work/efi/EFI" ::
	find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	# As CD-ROM by El Torito, as USB stick by the boot sector and by the partition that is UEFI's.
	xorriso -as mkisofs -quiet -R -V MANOR_LIVE --grub2-mbr "$tools/usr/lib/grub/i386-pc/boot_hybrid.img" \
		-b boot/grub/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
		-c boot/boot.cat -eltorito-alt-boot -e boot/grub/efi.img -no-emul-boot -isohybrid-gpt-basdat \
		-o "$out/manor.iso" "$tree"
}

netboot() {
	local tree=$out/netboot
	rm -rf "$tree"
	mkdir -p "$tree"
	ln "$slot"/{vmlinuz,initrd,root,id} "$tree/"
	# iPXE loads no packed hypervisor.
	zcat "$slot/xen" >"$tree/xen"
	cat >"$tree/boot.ipxe" <<-END
		#!ipxe
		# Beside this file: xen, vmlinuz, initrd, root. \${cwduri} is where iPXE had this one from; Debian 12's doesn't know it, so
		# there it must be the file that DHCP names.
		kernel xen $xen
		module vmlinuz $linux manor.boot=net manor.root=\${cwduri}root manor.from=\${filename} manor.server=\${next-server} manor.mac=\${netX/mac} manor.ip=\${netX/ip}/\${netX/netmask} manor.gateway=\${netX/gateway} manor.dns=\${netX/dns}
		module initrd
		boot
	END
}
