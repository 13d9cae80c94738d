# SPDX-License-Identifier: GPL-2.0-or-later
#
# Looking at the code without running it. What is missing on a fresh machine is installed first, so
# the rest is a make of its own: pkg-config is asked when the build files are read.

.PHONY: lint-once analyze-once

lint: ## format, layers, analysis, scripts, schema, pages
	@ci/deps
	@$(MAKE) --no-print-directory lint-once

lint-once:
	@BUILD=$(BUILD) JOBS=$(JOBS) MAKE='$(MAKE)' ci/lint

# With ANALYZE=1: every file through gcc's analyzer; what was looked at and hasn't changed is not
# looked at again.
analyze-once: $(OBJS) $(HOTPLUG_OBJS) $(OBJ)/lazy/resolve.o

schema/appliance.schema.json: $(BUILD)/manor
	@mkdir -p $(@D)
	$(BUILD)/manor schema > $@
