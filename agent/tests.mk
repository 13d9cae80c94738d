# SPDX-License-Identifier: GPL-2.0-or-later
#
# The agent's tests. Programs speak TAP; ci/run-tests runs them and counts.
#
#   unit/test_X.c    cmocka, linked with the program's objects but main's
#   golden/          manifests, facts and plans as files, over the host in memory (fake/)
#   cli/*            the program as a person calls it; check.py: bad/ and good/ manifests
#   fuzz/fuzz_X.c    what strangers write; corpora replay here, `make fuzz` looks for more
#   system/          the real thing in the lab: ci/run-system; its stories/ are hosts as files, which cli/stories.py looks at

TESTS     := $(OBJ)/tests
MANOR_BIN := $(BUILD)/manor$(if $(filter 1,$(SAN)),.san)
LIB       := $(OBJ)/libmanor.a

UNIT_BINS := $(patsubst agent/tests/unit/%.c,$(TESTS)/unit/%,$(wildcard agent/tests/unit/test_*.c))
FUZZ_BINS := $(patsubst agent/tests/fuzz/%.c,$(TESTS)/fuzz/%,$(wildcard agent/tests/fuzz/fuzz_*.c))
GOLDEN_BIN := $(if $(wildcard agent/tests/golden/harness.c),$(TESTS)/golden/harness)
FAKE_OBJS := $(patsubst agent/%.c,$(OBJ)/%.o,$(wildcard agent/tests/fake/*.c))
CLI_TESTS := $(sort $(wildcard agent/tests/cli/*.sh agent/tests/cli/*.py))
TEST_BINS := $(UNIT_BINS) $(FUZZ_BINS) $(GOLDEN_BIN)

# An archive, so that a test takes of the program what it names: over the host in memory, the fake's
# functions come first and the real ones stay out.
$(LIB): $(LIB_OBJS)
	$(call say,AR)
	$(Q)rm -f $@; ar rcs $@ $^

$(TESTS)/unit/%: $(TESTS)/unit/%.o $(LIB)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) -o $@ $< $(LIB) $(LDLIBS) -lcmocka

# Those over the host in memory.
$(TESTS)/unit/test_fake_%: $(TESTS)/unit/test_fake_%.o $(FAKE_OBJS) $(LIB)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) -o $@ $< $(FAKE_OBJS) $(LIB) $(LDLIBS) -lcmocka -lyajl

$(TESTS)/golden/harness: $(TESTS)/golden/harness.o $(FAKE_OBJS) $(LIB)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) -o $@ $< $(FAKE_OBJS) $(LIB) $(LDLIBS) -lcmocka -lyajl

$(TESTS)/fuzz/fuzz_%: $(TESTS)/fuzz/fuzz_%.o $(TESTS)/fuzz/replay.o $(LIB)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) -o $@ $< $(TESTS)/fuzz/replay.o $(LIB) $(LDLIBS)

.SECONDARY: $(addsuffix .o,$(TEST_BINS)) $(TESTS)/fuzz/replay.o
-include $(addsuffix .d,$(TEST_BINS)) $(FAKE_OBJS:.o=.d) $(TESTS)/fuzz/replay.d

.PHONY: lab-ready slot-ready test-programs test-fast-once test-fast test-system-once test-system test soak fuzz
test-programs: $(TEST_BINS) $(MANOR_BIN)

# Once with the build at hand.
test-fast-once: test-programs
	@MANOR=$(abspath $(MANOR_BIN)) GOLDEN=$(abspath $(GOLDEN_BIN)) FUZZ_CORPUS=agent/tests/fuzz/corpus \
	 ci/run-tests --name '$(if $(filter 1,$(SAN)),sanitized,plain)' --counts $(BUILD)/counts \
		$(UNIT_BINS) $(GOLDEN_BIN) $(CLI_TESTS) $(FUZZ_BINS)

# As in ci/build.mk: what is missing on a fresh machine first, then makes of their own.
FAST_WORLDS = $(MAKE) --no-print-directory -j$(JOBS) test-fast-once || r=1; \
	      $(MAKE) --no-print-directory -j$(JOBS) SAN=1 test-fast-once || r=1

test-fast: ## unit, golden, cli tests and fuzz corpora, plain and under sanitizers
	@ci/deps
	@rm -f $(BUILD)/counts
	@r=0; $(FAST_WORLDS); ci/run-tests --sum $(BUILD)/counts || r=1; exit $$r

# The appliance and its image, as `make run` has them.
lab-ready:
	@ci/deps
	@$(IN_ONE_LINE)
	@$(MAKE) --no-print-directory images-tiny images-installer
	@$(MAKE) --no-print-directory hv

slot-ready: lab-ready
	@$(MAKE) --no-print-directory $(BUILD)/appliance-test/slot/slot.cfg

# Of what is cut off in the middle of an upgrade three moments; the rest is soak's.
test-system-once: slot-ready
	@MEDIA=$(BUILD)/appliance-test UPGRADES=moments \
	 ci/run-tests --name system --counts $(BUILD)/counts --stream --timeout 4500 ci/run-system ci/upgrade-appliance

soak: slot-ready images-tiny32 uefi ## the long rest: random kills, power cuts (SOAK_ROUNDS=25, SOAK_SEED=…), upgrades that are cut off
	@SOAK=1 MEDIA=$(BUILD)/appliance-test ci/run-tests --name soak --stream --timeout 86400 ci/run-system ci/upgrade-appliance

test-system: ## the real thing, in the lab
	@ci/deps
	@rm -f $(BUILD)/counts
	@r=0; $(MAKE) --no-print-directory test-system-once || r=1; \
	 ci/run-tests --sum $(BUILD)/counts || r=1; exit $$r

test: ## all tests; the last line counts them
	@ci/deps
	@rm -f $(BUILD)/counts
	@r=0; $(FAST_WORLDS); $(MAKE) --no-print-directory test-system-once || r=1; \
	 ci/run-tests --sum $(BUILD)/counts || r=1; exit $$r

# Looks for inputs that break it: FUZZ_TIME seconds a target, findings and new corpus under $(BUILD)/fuzz.
FUZZ_TIME ?= 60
.PHONY: fuzz-programs
fuzz-programs: $(patsubst agent/tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard agent/tests/fuzz/fuzz_*.c))

$(BUILD)/fuzz/fuzz_%: $(TESTS)/fuzz/fuzz_%.o $(LIB)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $< $(LIB) $(LDLIBS)

fuzz: ## look for inputs that break it (FUZZ_TIME=60 seconds a target)
	@ci/deps
	@$(MAKE) --no-print-directory -j$(JOBS) FUZZ=1 fuzz-programs
	@r=0; for t in $(notdir $(FUZZ_BINS)); do \
		n=$${t#fuzz_}; mkdir -p $(BUILD)/fuzz/$$n; \
		echo "fuzz $$n: $(FUZZ_TIME) s"; \
		ASAN_OPTIONS=detect_leaks=0 $(BUILD)/fuzz/$$t -max_total_time=$(FUZZ_TIME) -timeout=10 \
			-verbosity=0 -artifact_prefix=$(BUILD)/fuzz/$$n- $(BUILD)/fuzz/$$n \
			agent/tests/fuzz/corpus/$$n 2>&1 | { grep -v '# Uses:' || :; } || r=1; \
	 done; exit $$r

# What `make bench` measures by itself.
$(TESTS)/bench/%: $(TESTS)/bench/%.o $(LIB)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) -o $@ $< $(LIB) $(LDLIBS)
.SECONDARY: $(TESTS)/bench/bench_image.o
-include $(TESTS)/bench/bench_image.d
