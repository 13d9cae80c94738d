# SPDX-License-Identifier: GPL-2.0-or-later
#
# The dom0 that carries the program: build/hv/{dom0.img,xen.elf,vmlinux,initrd.img}.

HV := $(BUILD)/hv

# Without sources of the agent the dom0 is built without it; with them, never without.
MANOR_PROGRAMS := $(if $(wildcard agent/src/cli/main.c),$(BUILD)/manor $(BUILD)/manor-hotplug)

UEFI := $(BUILD)/uefi/ovmf-xen.fd

.PHONY: lock
lock: ## the list of Debian packages that the appliance is made of (hv/lock), anew from the mirror
	@LOCK=new BUILD=$(BUILD) hv/debs

.PHONY: uefi
uefi: $(UEFI) ## UEFI for hvm guests, from Debian's source; the next 'make hv' takes it along

$(UEFI): hv/uefi hv/lib.sh
	@BUILD=$(BUILD) hv/uefi

hv: $(HV)/dom0.img ## the dom0 (needs root)

$(HV)/dom0.img: $(shell find hv -type f -not -name '*.md') $(wildcard templates/*.yaml) $(MANOR_PROGRAMS) \
		$(BUILD)/kernel/version $(TINY)/SHA256SUMS $(wildcard $(UEFI))
	@BUILD=$(BUILD) hv/build

APPLIANCE_OF := $(shell find hv -type f -not -name '*.md' -not -path 'hv/lab-overlay/*') $(wildcard templates/*.yaml) \
	$(MANOR_PROGRAMS) $(BUILD)/kernel/version

$(BUILD)/appliance/manor.iso: $(APPLIANCE_OF)
	@BUILD=$(BUILD) hv/appliance/build

# The same system packed in seconds, and no media of it: for `make soak`, which takes what packages the mirror has.
$(BUILD)/appliance-test/slot/slot.cfg: $(APPLIANCE_OF)
	@BUILD=$(BUILD) OUT=$(BUILD)/appliance-test LOCK=try hv/appliance/build slot
