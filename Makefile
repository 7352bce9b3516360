# SPDX-License-Identifier: Apache-2.0
# One Makefile, no configure. Source files are found by their room, so a new
# file needs no line here. B=DIR builds elsewhere, V=1 shows the commands.
#
#   make            build/bin/dstack and build/bin/dstack-guest-sim
#   make check      units, vectors, network tests without a VM (see tests/)
#   make lint asan fuzz cov bench vmtest apptest install clean

MAKEFLAGS += --no-builtin-rules
B ?= build
PREFIX ?= /usr/local
DESTDIR ?=
V ?= 0
Q = $(if $(filter 1,$(V)),,@)
SAY = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n')

CC ?= gcc
AR ?= ar
PKG_CONFIG ?= pkg-config

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wvla \
  -Wundef -Wwrite-strings -Wcast-qual -Wcast-align -Wpointer-arith \
  -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough
HARD = -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
  -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero \
  -fno-strict-overflow -fno-common -fvisibility=hidden -fPIE
LDHARD = -pie -Wl,-z,relro,-z,now,-z,noexecstack
EXTRA_CFLAGS ?=
EXTRA_LDFLAGS ?=
WERROR ?=

CPPFLAGS_ALL = -D_GNU_SOURCE -Ilib -Iinclude -I. -I$(B)/gen
CFLAGS_ALL = -std=c11 -g $(WARN) $(WERROR) $(HARD) \
  -ffile-prefix-map=$(CURDIR)=. $(EXTRA_CFLAGS)
LDFLAGS_ALL = $(LDHARD) $(EXTRA_LDFLAGS)

# Libraries: every room links what its programs need, nothing else.
LIBS_LIB = libcrypto nettle libsecp256k1 jansson libarchive
LIBS_GUEST = $(LIBS_LIB) libssl libevent libevent_openssl libseccomp
LIBS_HOST = $(LIBS_LIB) libssl libevent libcurl snappy yaml-0.1

# the build root of the image has the guest's libraries only
LIBS_ALL = $(sort $(LIBS_GUEST) $(if $(GUEST_STATIC),,$(LIBS_HOST)))
pc_cflags = $(shell $(PKG_CONFIG) --cflags $(LIBS_ALL))
pc_libs = $(shell $(PKG_CONFIG) --libs $(1))
PC_CFLAGS := $(pc_cflags)

# lib/<room>/*.c -> $(B)/lib/libdstack-<room>.a, lowest room last
ROOMS = measure protocol beacon oci dcap eth crypto base
HAVE_ROOMS = $(foreach r,$(ROOMS),$(if $(wildcard lib/$(r)/*.c),$(r)))
LIB_A = $(foreach r,$(HAVE_ROOMS),$(B)/lib/libdstack-$(r).a)
.DEFAULT_GOAL := all
include Makefile.beacon
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

# Programs by their rooms, without their main.c, are archives too, for the tests.
GUEST_C = $(filter-out guest/init/main.c,$(wildcard guest/*/*.c))
HOST_C = $(wildcard host/*/*.c)
SIM_C = $(wildcard sim/*.c)
CLI_C = $(filter-out cli/main.c,$(wildcard cli/*.c cli/*/*.c))
PROG_A = $(if $(CLI_C),$(B)/lib/libdstack-cli.a) \
  $(if $(HOST_C),$(B)/lib/libdstack-host.a) \
  $(if $(SIM_C),$(B)/lib/libdstack-sim.a)
GUEST_A = $(if $(GUEST_C),$(B)/lib/libdstack-guest.a)

BIN = $(if $(wildcard cli/main.c),$(B)/bin/dstack) \
  $(if $(wildcard guest/init/main.c),$(B)/bin/dstack-guest-sim $(B)/bin/dstack-guest-tdx)
# tests/unit has the rooms of the code; the programs' names are told apart
TEST_C = $(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c)
TESTS = $(patsubst %.c,$(B)/test/%,$(notdir $(TEST_C)))
FUZZERS = $(patsubst fuzz/%.c,$(B)/fuzz/%,$(wildcard fuzz/fuzz_*.c))

.PHONY: all bin lib check unit unit-build lint asan fuzz cov bench vmtest apptest install clean
all: lib bin
lib: $(LIB_A)
bin: $(BIN)

$(B)/obj/%.o: %.c
	$(SAY) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PC_CFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# The flavour of the guest decides the TEE driver and the trust root, and is
# the only difference between the two (guest/base/flavour.h).
$(B)/obj/flavour-%.o: guest/init/main.c
	$(SAY) CC '$< ($*)'
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PC_CFLAGS) $(CFLAGS_ALL) -MMD -MP \
	  -DDSTACK_FLAVOUR_$(shell echo $* | tr a-z A-Z)=1 -c -o $@ $<

define archive
$(B)/lib/libdstack-$(1).a: $(call obj,$(2))
	$$(SAY) AR $$@
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $$(AR) rcsD $$@ $$^
endef
$(foreach r,$(HAVE_ROOMS),$(eval $(call archive,$(r),$(wildcard lib/$(r)/*.c))))
$(if $(GUEST_C),$(eval $(call archive,guest,$(GUEST_C))))
$(if $(HOST_C),$(eval $(call archive,host,$(HOST_C))))
$(if $(SIM_C),$(eval $(call archive,sim,$(SIM_C))))
$(if $(CLI_C),$(eval $(call archive,cli,$(CLI_C))))

group = -Wl,--start-group $(1) -Wl,--end-group

# Verbs as objects, not out of their archive: cli/main.c names them weakly.
$(B)/bin/dstack: $(call obj,cli/main.c $(CLI_C)) $(PROG_A) $(LIB_A)
	$(SAY) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) \
	  $(call group,$(PROG_A) $(LIB_A)) $(call pc_libs,$(LIBS_HOST))

# main.c reaches the roles by weak names; -u takes those that are there.
ROLES_U = $(addprefix -u ,$(shell sed -n 's/^\([a-z_]*_main\)[^a-z_;]*void.$$/\1/p;s/^\(init_main\).*/\1/p' $(GUEST_C)))

# GUEST_STATIC=1 (the image's build root) links everything in.
$(B)/bin/dstack-guest-%: $(B)/obj/flavour-%.o $(GUEST_A) $(LIB_A)
	$(SAY) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(if $(GUEST_STATIC),$(filter-out -pie,$(LDFLAGS_ALL)) -static-pie,$(LDFLAGS_ALL)) -o $@ $< \
	  $(ROLES_U) $(call group,$(GUEST_A) $(LIB_A)) $(if $(GUEST_STATIC),$(shell $(PKG_CONFIG) --static --libs $(LIBS_GUEST)),$(call pc_libs,$(LIBS_GUEST)))
.PRECIOUS: $(B)/obj/flavour-%.o

vpath test_%.c $(sort $(dir $(TEST_C)))
$(B)/test/%: %.c $(PROG_A) $(GUEST_A) $(LIB_A)
	$(SAY) TEST $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(PC_CFLAGS) $(CFLAGS_ALL) $(LDFLAGS_ALL) -MMD -MP -o $@ $< \
	  $(call group,$(GUEST_A) $(PROG_A) $(LIB_A)) \
	  $(call pc_libs,$(sort $(LIBS_GUEST) $(LIBS_HOST) cmocka))

unit-build: $(TESTS)

unit: $(TESTS)
	$(Q)tests/run-unit $(TESTS)

check: all unit-build
	$(Q)B=$(B) tests/run-check $(TESTS)

# Programs, the libraries of verifier and light client, manual pages and, if built, the contract; DESTDIR stages, PREFIX is where they will be.
INSTALL ?= install
BINDIR = $(DESTDIR)$(PREFIX)/bin
MANDIR = $(DESTDIR)$(PREFIX)/share/man
install: $(BIN) install-dcap install-beacon
	$(SAY) INSTALL $(DESTDIR)$(PREFIX)
	$(Q)$(INSTALL) -d $(BINDIR) $(MANDIR)/man1 $(MANDIR)/man5
	$(Q)$(INSTALL) -m 755 $(BIN) $(BINDIR)
	$(Q)$(INSTALL) -m 644 man/*.1 $(MANDIR)/man1
	$(Q)$(INSTALL) -m 644 man/*.5 $(MANDIR)/man5
	$(Q)if [ -f $(B)/contracts/KeyManager.bin ]; then \
	  $(INSTALL) -d $(DESTDIR)$(PREFIX)/share/dstack && $(INSTALL) -m 644 \
	  $(B)/contracts/KeyManager.bin $(DESTDIR)$(PREFIX)/share/dstack; fi

clean:
	rm -rf $(B)

-include Makefile.dcap
-include Makefile.dev
-include Makefile.contracts

-include $(shell find $(B)/obj $(B)/test -name '*.d' 2>/dev/null)
