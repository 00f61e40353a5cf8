# Prova.  One file, no recursion; one object directory per build variant.
#
#   make                  build every program into build/VARIANT/bin
#   make check            unit tests and corpus replay      (tests/run does the rest)
#   make check-replay     each fuzz target over its corpus, without fuzzing
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
REPLAYS := $(FUZZERS:%=$(B)/tests/fuzz/%)
FZ      := build/fuzz

PKGS := libzmq msgpack libcurl libmicrohttpd sqlite3 jansson libsodium libsecp256k1 nettle hogweed libsystemd
ifneq ($(MAKECMDGOALS),clean)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   := $(shell pkg-config --libs $(PKGS))
endif

WARN := -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Wvla -Wdouble-promotion -Wno-unused-parameter
WARN_GCC := $(if $(findstring gcc,$(CCNAME)),-Wlogical-op -Wduplicated-cond -Wjump-misses-init)
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

ALL_CPPFLAGS := -D_GNU_SOURCE -I. -MMD -MP $(CPPFLAGS)
BASE_CFLAGS  := -std=gnu11 $(WARN) -fno-common -fPIE -fstack-protector-strong $(PKG_CFLAGS)
ALL_CFLAGS   := $(BASE_CFLAGS) $(OPT) $(FORTIFY) $(WARN_GCC) $(SANFLAGS) $(CFLAGS)
ALL_LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS) $(LDFLAGS)
FUZZ_FLAGS   := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

all: $(BINS)

# A variant: $1 its directory, $2 what compiles.  CMD.a is every object of a
# command but its main: what tests link.
define variant
$1/%.o: %.c
	@mkdir -p $$(@D)
	@echo "  CC   $$<"
	@$2 -c -o $$@ $$<

$1/libcommon.a: $(patsubst %.c,$1/%.o,$(wildcard common/*.c))
	@rm -f $$@ && $$(AR) rcs $$@ $$^

$1/cmd/%.a: $$$$(addprefix $1/,$$$$(subst .c,.o,$$$$(filter-out cmd/%/main.c,$$$$(wildcard cmd/$$$$*/*.c))))
	@mkdir -p $$(@D)
	@rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(eval $(call variant,$(B),$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS)))
$(eval $(call variant,$(FZ),clang $(ALL_CPPFLAGS) $(BASE_CFLAGS) -O1 -g $(FUZZ_FLAGS)))

define bin_rule
$(B)/bin/$(call BIN_OF,$1): $(patsubst %.c,$(B)/%.o,$(wildcard cmd/$1/*.c)) $(B)/libcommon.a
	@mkdir -p $$(@D)
	@echo "  LINK $$(@F)"
	@$(CC) $(ALL_LDFLAGS) -o $$@ $$^ $(PKG_LIBS)
endef
$(foreach c,$(CMDS),$(eval $(call bin_rule,$c)))

# A unit test or fuzz target says which commands' objects it needs in a line "uses: cmd/NAME ...".
uses = $(patsubst cmd/%,$1/cmd/%.a,$(filter cmd/%,$(shell sed -n 's/^.*uses: //p' $2)))

define unit_rule
$(B)/tests/unit/$1: $(B)/tests/unit/$1.o $(call uses,$(B),tests/unit/$1.c) $(B)/libcommon.a
	@mkdir -p $$(@D)
	@echo "  LINK $1"
	@$(CC) $(ALL_LDFLAGS) -o $$@ $$^ -lcmocka $(PKG_LIBS)
endef
$(foreach u,$(notdir $(UNITS)),$(eval $(call unit_rule,$u)))

define fuzz_rule
$(B)/tests/fuzz/$1: $(B)/tests/fuzz/$1.o $(B)/tests/fuzz/replay.o $(call uses,$(B),tests/fuzz/$1.c) $(B)/libcommon.a
	@echo "  LINK $1"
	@$(CC) $(ALL_LDFLAGS) -o $$@ $$^ $(PKG_LIBS)

$(FZ)/bin/$1: $(FZ)/tests/fuzz/$1.o $(call uses,$(FZ),tests/fuzz/$1.c) $(FZ)/libcommon.a
	@mkdir -p $$(@D)
	@echo "  LINK $1 (fuzzer)"
	@clang -pie -fsanitize=fuzzer,address,undefined -o $$@ $$^ $(PKG_LIBS)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzz_rule,$f)))

# The Coordinator's protocol, row by row: programs that link the harness of the same directory.
WIRES    := $(patsubst tests/wire/%.c,$(B)/tests/wire/%,$(wildcard tests/wire/wire_*.c))
WIRE_OWN := $(patsubst %.c,$(B)/%.o,$(filter-out tests/wire/wire_%,$(wildcard tests/wire/*.c)))

$(B)/tests/wire/wire.a: $(WIRE_OWN)
	@rm -f $@ && $(AR) rcs $@ $^

define wire_rule
$(B)/tests/wire/$1: $(B)/tests/wire/$1.o $(B)/tests/wire/wire.a $(call uses,$(B),tests/wire/$1.c) $(B)/libcommon.a $(BINS)
	@echo "  LINK $1"
	@$(CC) $(ALL_LDFLAGS) -o $$@ $$(filter-out $(BINS),$$^) -lcmocka $(PKG_LIBS)
endef
$(foreach w,$(notdir $(WIRES)),$(eval $(call wire_rule,$w)))

# The protocol, simulated: the shipped objects, and a build whose rules can be left out.
MODEL_USES := cmd/ledger.a cmd/task-fetch.a cmd/allocate.a cmd/dispatch-coordinator.a \
	cmd/dispatch-exec.a cmd/submit.a libcommon.a
MUTANTS    := build/mutants
$(eval $(call variant,$(MUTANTS),$(CC) $(ALL_CPPFLAGS) -DRULES_CAN_FAIL $(ALL_CFLAGS)))

define model_rule
$1/tests/model/model: $(patsubst %.c,$1/%.o,$(wildcard tests/model/*.c)) $(addprefix $1/,$(MODEL_USES))
	@echo "  LINK model"
	@$(CC) $(ALL_LDFLAGS) -o $$@ $$^ $(PKG_LIBS)
endef
$(eval $(call model_rule,$(B)))
$(eval $(call model_rule,$(MUTANTS)))

model: $(B)/tests/model/model
	@$< -n $(MODEL_RUNS)

model-mutants: $(MUTANTS)/tests/model/model
	@tests/model/mutants $<

# The goals: programs that drive the shipped objects, and a script that sets limit against system.
BENCHES   := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(wildcard tests/bench/bench_*.c))
BENCH_OWN := $(patsubst %.c,$(B)/%.o,$(filter-out tests/bench/bench_%,$(wildcard tests/bench/*.c)))

define bench_rule
$(B)/tests/bench/$1: $(B)/tests/bench/$1.o $(BENCH_OWN) $(call uses,$(B),tests/bench/$1.c) $(B)/libcommon.a
	@echo "  LINK $1"
	@$(CC) $(ALL_LDFLAGS) -o $$@ $$^ $(PKG_LIBS)
endef
$(foreach b,$(notdir $(BENCHES)),$(eval $(call bench_rule,$b)))

bench: $(BINS) $(BENCHES)
	@tests/bench/run $(B)

# what the lints ask about codes, settings, moves, fields, rules
$(B)/tests/lint/tables: $(B)/tests/lint/tables.o $(B)/cmd/ledger/moves.o $(B)/libcommon.a
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# what tests need beside curl
TOOLS := $(patsubst tests/tools/%.c,$(B)/tests/tools/%,$(wildcard tests/tools/*.c))
$(TOOLS): $(B)/tests/tools/%: $(B)/tests/tools/%.o $(B)/libcommon.a
	@echo "  LINK $(@F)"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

units: $(UNITS)
replays: $(REPLAYS)
wires: $(WIRES)
tools: $(TOOLS)
tables: $(B)/tests/lint/tables

check: $(UNITS) check-replay
	@rc=0; for t in $(UNITS); do $$t || rc=1; done; exit $$rc

check-replay: $(REPLAYS)
	@rc=0; for f in $(FUZZERS); do \
		$(B)/tests/fuzz/$$f tests/fuzz/corpus/$${f#fuzz_} || rc=1; done; exit $$rc

fuzz: $(FUZZERS:%=$(FZ)/bin/%)
	@tests/fuzz/run $(FZ) $(FUZZ_TIME) $(FUZZERS)

# where this variant lies, for scripts
where:
	@echo $(B)

D       := $(DESTDIR)$(PREFIX)
PAGES   := $(wildcard man/*.[1-8])
SERVICES := $(wildcard systemd/*.service systemd/*.target systemd/*.slice systemd/*.socket)
PLUGINS := $(wildcard pipelines/plugins/*)

install: all
	@install -d $(D)/bin $(D)/lib/systemd/system $(D)/lib/sysusers.d $(D)/lib/tmpfiles.d $(D)/lib/prova/plugins $(DESTDIR)/etc/prova
	install -m 755 $(BINS) $(D)/bin
	@for p in $(PAGES); do install -D -m 644 $$p $(D)/share/man/man$${p##*.}/$${p#man/} || exit; done
	@for u in $(SERVICES); do sed 's,/usr/bin/,$(PREFIX)/bin/,g' $$u >$(D)/lib/systemd/system/$${u#systemd/} || exit; done
	@for k in sysusers tmpfiles; do [ ! -e systemd/prova.$$k ] || \
		install -m 644 systemd/prova.$$k $(D)/lib/$$k.d/prova.conf || exit; done
	@for p in $(PLUGINS); do install -m 755 $$p $(D)/lib/prova/plugins || exit; done
	@[ -e $(DESTDIR)/etc/prova/prova.conf ] || [ ! -e pipelines/prova.conf ] || \
		install -m 644 pipelines/prova.conf $(DESTDIR)/etc/prova

# Settings that were changed stay.
uninstall:
	rm -f $(BINS:$(B)/%=$(D)/%)
	@for p in $(PAGES); do rm -f $(D)/share/man/man$${p##*.}/$${p#man/}; done
	@rm -f $(SERVICES:systemd/%=$(D)/lib/systemd/system/%) $(D)/lib/sysusers.d/prova.conf $(D)/lib/tmpfiles.d/prova.conf
	@rm -f $(PLUGINS:pipelines/%=$(D)/lib/prova/%)
	@! cmp -s pipelines/prova.conf $(DESTDIR)/etc/prova/prova.conf || rm -f $(DESTDIR)/etc/prova/prova.conf
	@rmdir $(D)/lib/prova/plugins $(D)/lib/prova $(DESTDIR)/etc/prova 2>/dev/null || :

-include $(wildcard $(foreach d,$(B) $(FZ) $(MUTANTS),$d/common/*.d $d/cmd/*/*.d $d/tests/*/*.d))

clean:
	rm -rf build

.PHONY: bench model model-mutants all units replays wires tools tables check check-replay fuzz where install uninstall clean
