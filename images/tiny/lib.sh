# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tiny guest's tree and initrd, of whatever kernel and busybox: KERNEL and BUSYBOX say which, for hv/mkinitrd too.

src=images/tiny

# tiny_initrd: $work/initrd.img
tiny_initrd() {
	mkdir -p "$work/initrd/sbin"
	# The kernel may be asked to shut down before the root is there.
	cp "$src/root/sbin/poweroff" "$work/initrd/sbin/poweroff"
	ln -s poweroff "$work/initrd/sbin/reboot"
	# Without signatures and type data, which cost more to check than the modules to load. The taint
	# that follows is this guest's alone.
	STRIP=1 hv/mkinitrd "$work/initrd.img" "$src/init" "${1:-$src/modules}" "$work/initrd"
}

# tiny_tree: $work/root
tiny_tree() {
	mkdir -p "$work/root"/{bin,dev,proc,sys,run,tmp,sbin,root}
	cp -r "$src/root/." "$work/root/"
	chmod 755 "$work/root"/etc/{rc,hotplug,shell} "$work/root/sbin/poweroff"
	ln -s poweroff "$work/root/sbin/reboot"
	ln -s poweroff "$work/root/sbin/halt"
	install -m 755 "$BUSYBOX" "$work/root/bin/busybox"
	local applet
	for applet in $("$BUSYBOX" --list); do
		case $applet in
		busybox | poweroff | reboot | halt) ;;
		init) ln -s ../bin/busybox "$work/root/sbin/init" ;;
		*) ln -s busybox "$work/root/bin/$applet" ;;
		esac
	done
}

# tiny_disk UUID: $work/root.img.zst
tiny_disk() {
	images/mkext4 "$work/root" "$work/root.img" 32M "$name" "$1"
	zstd -q -19 -T1 "$work/root.img" -o "$work/root.img.zst"
}
