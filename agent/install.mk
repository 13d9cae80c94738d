# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where things go, laid out as Debian has it. DESTDIR is put in front; another PREFIX is for the whole
# build (`make PREFIX=/usr/local install` from clean), for the program knows where its helper is.
#
#   $(PREFIX)/bin/manor, $(PREFIX)/lib/manor/hotplug     the programs; STRIP=1: without debug sections
#   $(PREFIX)/lib/manor/ovmf-xen.fd                       UEFI for hvm guests, where `make uefi` has built it
#   $(PREFIX)/share/manor/templates/                      what manifests may include, ready made
#   $(PREFIX)/share/man/man[158]/                          the pages of `manor help`
#   $(PREFIX)/share/bash-completion/completions/manor
#   $(PREFIX)/lib/systemd/system/                         install-units: the dom0's own, of hv/files; and what they call

DESTDIR  ?=
STRIP    ?=

PROGRAM  := $(DESTDIR)$(PREFIX)/bin/manor
HOTPLUG  := $(DESTDIR)$(PREFIX)/lib/manor/hotplug
FIRMWARE := $(DESTDIR)$(PREFIX)/lib/manor/ovmf-xen.fd
SHARE    := $(DESTDIR)$(PREFIX)/share
READY    := $(sort $(wildcard templates/*.yaml))
UNITDIR  := $(abspath $(DESTDIR)$(PREFIX)/lib/systemd/system)
PAGES    := $(patsubst agent/man/%.scd,$(BUILD)/man/%,$(sort $(wildcard agent/man/*.scd)))

.PHONY: man install install-programs install-units uninstall deb

man: $(PAGES) ## the manual's pages for man(1), in build/man

$(BUILD)/man/reference.scd: $(BUILD)/manor
	@mkdir -p $(@D)
	$(Q)$(BUILD)/manor schema --reference > $@

$(BUILD)/man/%: agent/man/%.scd $(BUILD)/man/reference.scd ci/pages $(wildcard agent/man/*.scd)
	$(Q)ci/pages scd $* $(BUILD)/man/reference.scd | scdoc > $@

$(BUILD)/completion: ci/pages $(wildcard agent/man/*.scd) agent/src/conf/field.c
	$(Q)ci/pages completion > $@

install: all $(PAGES) $(BUILD)/completion ## programs, templates, manual, completion (DESTDIR, PREFIX=/usr)
	@$(MAKE) --no-print-directory install-programs
	install -D -m 644 -t $(SHARE)/man/man1 $(filter %.1,$(PAGES))
	install -D -m 644 -t $(SHARE)/man/man5 $(filter %.5,$(PAGES))
	install -D -m 644 -t $(SHARE)/man/man8 $(filter %.8,$(PAGES))
	install -D -m 644 $(BUILD)/completion $(SHARE)/bash-completion/completions/manor

# Builds nothing: what there is, for who builds the dom0.
install-programs:
	@grep -qaF '$(PREFIX)/lib/manor/hotplug' $(BUILD)/manor || \
		{ echo "$(BUILD)/manor is missing or of another PREFIX: make clean, then make PREFIX=$(PREFIX)" >&2; exit 1; }
	install -D -m 755 $(BUILD)/manor $(PROGRAM)
	install -D -m 755 $(BUILD)/manor-hotplug $(HOTPLUG)
	$(if $(wildcard $(BUILD)/uefi/ovmf-xen.fd),install -D -m 644 $(BUILD)/uefi/ovmf-xen.fd $(FIRMWARE))
	install -D -m 644 -t $(SHARE)/manor/templates $(READY)
	$(if $(STRIP),strip --strip-debug $(PROGRAM) $(HOTPLUG))

# They take the place of Debian's /etc/init.d/xen, which has to be masked where it is installed. XEN=debian: Xen's daemons
# stay that script's, ssh and time the host's own, and Manor's guests end before `xendomains` looks at what runs.
XEN ?=
OWN_SERVICES := manor-ssh.service manor-time.service manor-dhcp4@.service
UNIT_HELPERS := hv/files/usr/lib/manor
XEN_DAEMONS := xenstored.service xen-init-dom0.service xenconsoled.service

install-units: ## systemd units for a dom0 that isn't ours (mask Debian's xen.service, or say XEN=debian)
	cd hv/files/usr/lib/systemd/system && \
		find . -type f $(if $(XEN),$(patsubst %,-not -name %,$(XEN_DAEMONS) proc-xen.mount $(OWN_SERVICES))) | while read -r unit; do \
		install -d "$(UNITDIR)/$$(dirname "$$unit")" && \
		sed 's:/usr/bin/manor:$(PREFIX)/bin/manor:; s:/usr/lib/manor/:$(PREFIX)/lib/manor/:$(if $(XEN),; \
			s/^Requires=xenstored.service/Wants=xen.service/; \
			/^Wants=/s/ xen-init-dom0.service xenconsoled.service//; \
			/^After=/s/$(XEN_DAEMONS)/xen.service xendomains.service/)' "$$unit" > "$(UNITDIR)/$$unit" || exit 1; \
	done
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/lib/manor $(if $(XEN),$(UNIT_HELPERS)/trim-consoles,$(filter-out %.conf,$(wildcard $(UNIT_HELPERS)/*)))
	$(if $(XEN),,install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/manor $(wildcard $(UNIT_HELPERS)/*.conf))

uninstall: ## what install installed
	rm -f $(PROGRAM) $(HOTPLUG) $(FIRMWARE) $(SHARE)/bash-completion/completions/manor \
		$(READY:%=$(SHARE)/manor/%) \
		$(patsubst $(BUILD)/man/%.1,$(SHARE)/man/man1/%.1,$(filter %.1,$(PAGES))) \
		$(patsubst $(BUILD)/man/%.5,$(SHARE)/man/man5/%.5,$(filter %.5,$(PAGES))) \
		$(patsubst $(BUILD)/man/%.8,$(SHARE)/man/man8/%.8,$(filter %.8,$(PAGES)))

# A version of each commit that is higher than those before, as Debian compares them.
DEB_VERSION = $(shell dpkg-parsechangelog -S Version)+git$(shell git log -1 --format=%cd.%h --date=format:%Y%m%d%H%M%S 2>/dev/null || echo 0)

deb: all $(PAGES) $(BUILD)/completion ## build/manor_*.deb: the agent alone, for a Debian machine that has Xen
	@debian/rules clean >/dev/null
	@rm -f $(BUILD)/manor_*.deb
	@MAKEFLAGS= debian/rules binary BUILD=$(BUILD) DEB_OUT=$(abspath $(BUILD)) DEB_VERSION=$(DEB_VERSION) > $(BUILD)/deb.log 2>&1 || \
		{ tail -n 20 $(BUILD)/deb.log >&2; exit 1; }
	@ls $(BUILD)/manor_*.deb
