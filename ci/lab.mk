# SPDX-License-Identifier: GPL-2.0-or-later
#
# What needs the whole: the run that shows the main job, and the measurements. What is missing on a
# fresh machine is installed first, so what needs it is built by a make of its own.

JOBS ?= $(shell nproc)

# The program, before what else says where it stands.
IN_ONE_LINE = BUILD=$(BUILD) JOBS=$(JOBS) MAKE='$(MAKE)' ci/program

run: ## boot the appliance under Xen in QEMU; its two guests run
	@ci/deps
	@$(IN_ONE_LINE)
	@$(MAKE) --no-print-directory images-tiny
	@$(MAKE) --no-print-directory hv
	@ci/demo

.PHONY: appliance appliance-boot appliance-check appliance-upgrade
appliance: ## manor.iso, manor.img, manor.raucb and netboot/, of hv/lock's packages (needs root); minutes, for it is packed as small as can be
	@ci/deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(MAKE) --no-print-directory $(BUILD)/appliance/manor.iso

appliance-boot: appliance ## boot them: BIOS, UEFI, USB stick, network, disk, installed
	@ci/boot-appliance

appliance-check: ## build it twice and compare all that comes out (needs root)
	@ci/deps
	@BUILD=$(BUILD) JOBS=$(JOBS) hv/appliance/reproducible

appliance-upgrade: appliance images-tiny ## upgrade an installed one, and one that is broken (SOAK=1: in every way, with power cuts)
	@ci/upgrade-appliance

bench: bench-images ## measure, files here and guests on the lab, against a shell's ways
	@ci/deps
	@$(IN_ONE_LINE)
	@$(MAKE) --no-print-directory images-tiny
	@$(MAKE) --no-print-directory hv
	@ci/bench
	@ci/bench-thin
	@$(MAKE) --no-print-directory appliance
	@ci/bench-appliance

.PHONY: bench-images
bench-images: ## measure how images get into files, without the lab
	@ci/deps
	@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/obj/tests/bench/bench_image
	@ci/bench-images
