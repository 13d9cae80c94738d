# SPDX-License-Identifier: GPL-2.0-or-later
#
# The agent: every .c under agent/src's rooms goes into build/manor; agent/hotplug is a program
# of its own. SAN=1 builds the same with ASan and UBSan under build/san.

CC       := gcc
CSTD     := -std=gnu11
PKGS     := yaml-0.1 json-c smartcols uuid gnutls libcurl libarchive liblzma blkid fdisk \
            libnl-3.0 libnl-route-3.0 devmapper xenlight xlutil xenstore libsystemd libudev
WARN     := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wformat=2 \
            -Wundef -Wpointer-arith -Wwrite-strings -Wno-unused-parameter \
            -Wno-missing-field-initializers -Werror
PREFIX   ?= /usr
VERSION  := $(shell git describe --always --dirty --match 'v*' 2>/dev/null || echo 0)
CPPFLAGS := -D_GNU_SOURCE -DMANOR_VERSION=\"$(VERSION)\" -DMANOR_LIB=\"$(PREFIX)/lib/manor\" -DMANOR_SHARE=\"$(PREFIX)/share/manor\" -Iagent/src -Iagent $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
# Where it was built stands in what is for debuggers, and by its digest in the program: not so.
MAPPED   := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(BUILD)/=build/
CFLAGS   := $(CSTD) -O2 -g -fstack-protector-strong $(MAPPED) $(WARN)
LDLIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -llvm2cmd -lcrypt -lm
OBJ      := $(BUILD)/obj

# V=1 shows whole commands.
Q        := $(if $(filter 1,$(V)),,@)
say       = $(if $(Q),@printf '  %-3s %s\n' '$1' '$@')

ifeq ($(SAN),1)
CFLAGS   += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OBJ      := $(BUILD)/san
endif

# For libFuzzer (`make fuzz`).
ifeq ($(FUZZ),1)
CC       := clang
CFLAGS   := $(CSTD) -g -O1 -w -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
OBJ      := $(BUILD)/fuzzing
endif

# Read by gcc's analyzer (`make lint`). Its search for uninitialised values takes what other files fill
# for unset: -Wall's own looks for those.
ifeq ($(ANALYZE),1)
CFLAGS   += -O1 -fanalyzer -Wno-analyzer-use-of-uninitialized-value
OBJ      := $(BUILD)/analyze
endif

ROOMS    := base diag conf model engine host kinds agent cli
SRCS     := $(foreach r,$(ROOMS),$(sort $(wildcard agent/src/$r/*.c)))
OBJS     := $(SRCS:agent/%.c=$(OBJ)/%.o)
OBJS     += $(OBJ)/gen/pages.o
MAIN_OBJ := $(OBJ)/src/cli/main.o
LIB_OBJS := $(filter-out $(MAIN_OBJ),$(OBJS))

$(OBJ)/%.o: agent/%.c
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The manual's pages within the program: `manor help`.
$(BUILD)/gen/pages.c: ci/pages $(wildcard agent/man/*.scd)
	@mkdir -p $(@D)
	$(Q)ci/pages c > $@

$(OBJ)/gen/%.o: $(BUILD)/gen/%.c
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The product opens its libraries when it first needs them (agent/lazy/lazy.py says why); tests and
# sanitized builds link them.
LAZY_LIBS := yaml smartcols uuid gnutls curl-gnutls archive lzma blkid fdisk nl-3 nl-route-3 devmapper \
             lvm2cmd xenlight xlutil xenstore systemd udev crypt

$(BUILD)/manor: $(BUILD)/obj/lazy/stubs.S $(BUILD)/obj/lazy/resolve.o $(OBJS)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ -ljson-c -lm

$(BUILD)/obj/lazy/stubs.S: agent/lazy/lazy.py $(OBJS)
	@mkdir -p $(@D)
	$(Q)agent/lazy/lazy.py $@ $(LAZY_LIBS) -- $(OBJS)

$(BUILD)/manor.san: $(OBJS)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

# What libxl runs for each disk and NIC: small, for it runs often.
HOTPLUG_OBJS := $(patsubst agent/%.c,$(OBJ)/%.o,$(sort $(wildcard agent/hotplug/*.c))) $(OBJ)/src/host/loop.o

$(BUILD)/manor-hotplug$(if $(filter 1,$(SAN)),.san): $(HOTPLUG_OBJS)
	$(call say,LD)
	$(Q)$(CC) $(CFLAGS) -Wl,--as-needed -o $@ $^ -lxenstore

-include $(OBJS:.o=.d) $(HOTPLUG_OBJS:.o=.d)

include agent/tests.mk
