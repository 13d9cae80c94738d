# SPDX-License-Identifier: GPL-2.0-or-later
#
# The golden images of images/, and the kernel they share with the dom0.

TINY := images/tiny/out

images: $(TINY)/SHA256SUMS ## the golden image

$(BUILD)/kernel/version: hv/kernel hv/vmlinux hv/modules.drop
	@BUILD=$(BUILD) hv/kernel

$(TINY)/SHA256SUMS: $(shell find images/tiny -path images/tiny/out -prune -o -type f -print) \
		hv/mkinitrd hv/lib.sh $(BUILD)/kernel/version
	@BUILD=$(BUILD) images/tiny/build

$(TINY)/root.img.zst $(TINY)/vmlinuz $(TINY)/initrd.img: $(TINY)/SHA256SUMS ;
