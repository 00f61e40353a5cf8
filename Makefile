# Prova.  One file, no recursion; one object directory per build variant.
#
#   make                  build every program into build/VARIANT/bin
#   make check            unit tests and corpus replay      (tests/run does the rest)
#   make model            100,000 simulated schedules of the protocol
#   make model-mutants    every rule left out in turn: the simulation must notice
#   make fuzz             each fuzz target for FUZZ_TIME seconds (clang)
#   make bench            the goals, as ratios to limits measured in the same run
#   make install uninstall   with DESTDIR and PREFIX
#
#   CC=clang, SAN=address,undefined, WERROR=1 choose a variant.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:

ifeq ($(origin CC),default)
CC := gcc
endif
AR     ?= ar
PREFIX ?= /usr
FUZZ_TIME ?= 20
MODEL_RUNS ?= 100000

comma := ,
CCNAME := $(notdir $(firstword $(CC)))
B := build/$(CCNAME)$(addprefix -,$(subst $(comma),-,$(SAN)))

CMDS    := $(patsubst cmd/%/main.c,%,$(wildcard cmd/*/main.c))
BIN_OF   = $(if $(filter prova,$1),prova,prova-$1)
BINS    := $(foreach c,$(CMDS),$(B)/bin/$(call BIN_OF,$c))
COMMON  := $(patsubst %.c,$(B)/%.o,$(wildcard common/*.c))
UNITS   := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

PKGS := libzmq msgpack libcurl libmicrohttpd sqlite3 jansson libsodium libsecp256k1 nettle hogweed inih libsystemd
ifneq ($(MAKECMDGOALS),clean)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   := $(shell pkg-config --libs $(PKGS))
endif

WARN := -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Wvla -Wdouble-promotion -Wno-unused-parameter
ifneq (,$(findstring gcc,$(CCNAME)))
WARN += -Wlogical-op -Wduplicated-cond -Wjump-misses-init
endif
ifeq ($(WERROR),1)
WARN += -Werror
endif
OPT := -O2 -g
FORTIFY := -D_FORTIFY_SOURCE=2
ifneq ($(SAN),)
SANFLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT := -O1 -g
FORTIFY :=
endif

ALL_CPPFLAGS := -D_GNU_SOURCE -I. -MMD -MP $(FORTIFY) $(CPPFLAGS)
ALL_CFLAGS   := -std=gnu11 $(OPT) $(WARN) -fno-common -fPIE -fstack-protector-strong $(SANFLAGS) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS) $(LDFLAGS)

all: $(BINS)

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

$(B)/libcommon.a: $(COMMON)
	@rm -f $@ && $(AR) rcs $@ $^

# every object of a command but its main: what tests link
$(B)/cmd/%.a: $$(patsubst %.c,$(B)/%.o,$$(filter-out cmd/%/main.c,$$(wildcard cmd/$$*/*.c)))
	@mkdir -p $(@D)
	@rm -f $@ && $(AR) rcs $@ $^

define bin_rule
$(B)/bin/$(call BIN_OF,$1): $(patsubst %.c,$(B)/%.o,$(wildcard cmd/$1/*.c)) $(B)/libcommon.a
	@mkdir -p $$(@D)
	@echo "  LINK $$(@F)"
	@$(CC) $(ALL_LDFLAGS) -o $$@ $$^ $(PKG_LIBS)
endef
$(foreach c,$(CMDS),$(eval $(call bin_rule,$c)))

# A unit test says which commands' objects it needs in a line "uses: cmd/NAME ...".
uses = $(patsubst cmd/%,$(B)/cmd/%.a,$(filter cmd/%,$(shell sed -n 's/^.*uses: //p' $1)))

define unit_rule
$(B)/tests/unit/$1: $(B)/tests/unit/$1.o $(call uses,tests/unit/$1.c) $(B)/libcommon.a
	@mkdir -p $$(@D)
	@echo "  LINK $1"
	@$(CC) $(ALL_LDFLAGS) -o $$@ $$^ -lcmocka $(PKG_LIBS)
endef
$(foreach u,$(notdir $(UNITS)),$(eval $(call unit_rule,$u)))

units: $(UNITS)

-include $(wildcard $(patsubst %.o,%.d,$(COMMON))) $(wildcard $(B)/cmd/*/*.d $(B)/tests/*/*.d)

clean:
	rm -rf build

.PHONY: all units clean
