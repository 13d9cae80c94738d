# SPDX-License-Identifier: GPL-2.0-or-later
#
# The golden images of images/, and the kernel that the tiny one shares with the dom0. What a lab needs is
# the tiny one alone: `make run` and `make test` ask for images-tiny.

TINY := images/tiny/out
GOLDEN := debian-12 asterisk

# What a disk that boots by itself is made with.
DISK_TOOLS := images/debian-12/mkdisk hv/grub-bios hv/grub-efi

# What an image is made of: its folder's files, and what all share.
image-files = $(shell find images/$(1) -path images/$(1)/out -prune -o -type f -not -name '*.md' -not -name '*.yaml' -print) \
	images/lib.sh images/mkext4 hv/lib.sh

.PHONY: images-tiny images-tiny32 images-installer images-check images-boot
images: images-tiny images-tiny32 images-installer $(GOLDEN:%=images/%/out/SHA256SUMS) ## the golden images (needs root)

images-tiny: $(TINY)/SHA256SUMS ## the one that the lab's guests are made of

$(BUILD)/kernel/version: hv/kernel hv/vmlinux hv/modules.drop hv/debs hv/lock hv/packages hv/appliance/tools
	@BUILD=$(BUILD) hv/kernel
	@touch $@

$(TINY)/SHA256SUMS: $(call image-files,tiny) hv/mkinitrd $(BUILD)/kernel/version
	@BUILD=$(BUILD) images/tiny/build

$(TINY)/root.img.zst $(TINY)/vmlinuz $(TINY)/initrd.img: $(TINY)/SHA256SUMS ;

TINY32 := images/tiny32/out

images-tiny32: $(TINY32)/SHA256SUMS ## the same, 32 bits wide

$(TINY32)/SHA256SUMS: $(call image-files,tiny32) $(call image-files,tiny) hv/mkinitrd
	@BUILD=$(BUILD) images/tiny32/build

INSTALLER := images/installer/out

images-installer: $(INSTALLER)/SHA256SUMS ## a CD-ROM that installs it

$(INSTALLER)/SHA256SUMS: $(call image-files,installer) $(DISK_TOOLS) hv/mkinitrd $(TINY)/SHA256SUMS
	@BUILD=$(BUILD) images/installer/build

# One after the other even under -j: each packs with all processors, and the second takes from the first
# one's cache what it has.
images/debian-12/out/SHA256SUMS: $(call image-files,debian-12) $(DISK_TOOLS)
	@BUILD=$(BUILD) images/debian-12/build

images/asterisk/out/SHA256SUMS: $(call image-files,asterisk) $(call image-files,debian-12) \
		| images/debian-12/out/SHA256SUMS
	@BUILD=$(BUILD) images/asterisk/build

images-check: ## build every image twice and compare the digests (needs root)
	@ci/deps
	@$(MAKE) --no-print-directory $(BUILD)/kernel/version
	@BUILD=$(BUILD) images/reproducible

images-boot: ## boot debian-12 and asterisk: BIOS in QEMU; PV, PVH, HVM in the lab
	@ci/deps
	@$(IN_ONE_LINE)
	@$(MAKE) --no-print-directory images
	@$(MAKE) --no-print-directory hv
	@ci/boot-images
