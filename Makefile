# SPDX-License-Identifier: GPL-2.0-or-later
#
# Manor's one entry: `make help` lists what a person may want of it.
#
#   agent/   → build/manor, build/manor-hotplug       the program (C11)
#   templates/                                         parts of manifests, ready to include
#   images/  → images/*/out/                           the golden images
#   hv/      → build/hv/                               the dom0 that carries the program
#   ci/lab   boots all three under Xen in QEMU

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
MAKEFLAGS   += --no-builtin-rules --no-builtin-variables

BUILD ?= build

# A root shell by plain `su` has no sbin in its PATH; dpkg, mke2fs and depmod live there.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.PHONY: help all deps run test test-fast test-system soak lint bench images hv clean
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

all: $(BUILD)/manor $(BUILD)/manor-hotplug ## the program

deps: ## install what building and testing need (apt, one list: ci/packages)
	@ci/deps

include agent/build.mk
include agent/install.mk
-include images/build.mk
-include hv/build.mk
-include ci/build.mk
-include ci/lab.mk

clean: ## remove what was built
	rm -rf $(BUILD) images/*/out
