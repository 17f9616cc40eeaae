# pt621, a PostgreSQL extension.  `make help` lists the targets.
#
# Sources, SQL fragments and tests are found by wildcard: adding a file is
# enough, nothing is listed here.

EXTENSION  := pt621
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" pt621.control)
MODULE_big := pt621

# Everything built lies below, but for pt621.so, which PGXS wants here.
BUILD ?= build

# The pure parts know nothing of PostgreSQL; src/pg is the rest.
PURE_SRC  := $(sort $(wildcard src/codec/*.c src/detect/*.c src/geo/*.c src/net/*.c src/report/*.c src/sensor/*.c))
PG_SRC    := $(sort $(wildcard src/pg/*.c))
PURE_OBJS := $(PURE_SRC:src/%.c=$(BUILD)/obj/%.o)
PG_OBJS   := $(PG_SRC:src/%.c=$(BUILD)/obj/%.o)
OBJS      := $(PURE_OBJS) $(PG_OBJS)

LIBRARIES  := -luv $(if $(wildcard src/geo/*.c),-lgeos_c -lm)
SHLIB_LINK := $(LIBRARIES)

INSTALL_SQL := $(sort $(wildcard sql/install/*.sql))
PAGES       := $(sort $(wildcard page/*.html page/*.css page/*.js))
DATA        := $(sort $(wildcard sql/update/*.sql))
DATA_built  := $(BUILD)/$(EXTENSION)--$(EXTVERSION).sql

# For `make installcheck`, which asks a running server with the extension in
# shared_preload_libraries.  `make check` brings a server of its own.
REGRESS := $(sort $(basename $(notdir $(wildcard sql/*.sql))))

UNIT_TESTS := $(patsubst test/%.c,$(BUILD)/%,$(wildcard test/unit/test_*.c))
FUZZERS    := $(patsubst test/%.c,$(BUILD)/%,$(wildcard test/fuzz/fuzz_*.c))
TOOLS      := $(patsubst test/%.c,$(BUILD)/%,$(wildcard test/bench/*.c))

# Programs for users, installed beside PostgreSQL's own: the simulator and its
# like.  test/tool/lib is what they share.
PROGRAMS       := $(patsubst test/%.c,$(BUILD)/%,$(wildcard test/tool/*.c))
PROGRAM_OBJS   := $(patsubst test/tool/lib/%.c,$(BUILD)/tool/obj/%.o,$(wildcard test/tool/lib/*.c))
SCRIPTS_built  := $(PROGRAMS)

EXTRA_CLEAN := $(BUILD)

# ------------------------------------------------------------------ flags --

WARNINGS := -Wall -Wextra -Werror
DEPEND    = -MMD -MP -MT $@ -MF $@.d

PURE_CFLAGS := -std=c11 -D_GNU_SOURCE -Isrc $(WARNINGS) -g

# Hidden: no function of the pure parts is looked up by name, and none may be
# taken for one of the server's that happens to be called the same.
PURE_OBJ_CFLAGS := $(PURE_CFLAGS) -O2 -fPIC -fvisibility=hidden \
	-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fno-omit-frame-pointer

# PGXS's flags, with PostgreSQL's headers as system headers: our warnings are
# errors, theirs are not our business.  The server and libuv settle what
# parameters a callback has, used or not.
PG_OBJ_CFLAGS = $(CFLAGS) -std=gnu11 $(WARNINGS) -Wno-declaration-after-statement -Wno-unused-parameter \
	-DPT621_VERSION='"$(EXTVERSION)"' -Isrc $(patsubst -I/%,-isystem /%,$(CPPFLAGS))

SANITIZE    := -fsanitize=address,undefined -fno-sanitize-recover=all
UNIT_CFLAGS := $(PURE_CFLAGS) -O1 $(SANITIZE)

FUZZ_CC         := clang
FUZZ_OBJ_CFLAGS := $(PURE_CFLAGS) -O1 $(SANITIZE) -fsanitize=fuzzer-no-link
FUZZ_CFLAGS     := $(PURE_CFLAGS) -O1 $(SANITIZE) -fsanitize=fuzzer

# ------------------------------------------------------------------- PGXS --

.DEFAULT_GOAL := all

# These work before PostgreSQL is there.
WITHOUT_PGXS := help deps check check-% soak exact fuzz bench run stop dist \
	unit-tests fuzzers $(BUILD)/unit/% $(BUILD)/fuzz/%

ifneq ($(filter-out $(WITHOUT_PGXS),$(or $(MAKECMDGOALS),all)),)

PG_CONFIG ?= $(or $(wildcard /usr/lib/postgresql/15/bin/pg_config),pg_config)
PGXS      := $(shell $(PG_CONFIG) --pgxs 2>&1)
ifeq ($(wildcard $(PGXS)),)
$(error No PGXS found by $(PG_CONFIG): run `make deps`, or set PG_CONFIG)
endif

# No bitcode: nothing here is worth inlining into a JIT-compiled query.
override with_llvm := no

include $(PGXS)

# PGXS's flags were made for gcc.
ifneq ($(findstring clang,$(shell $(CC) --version)),)
override CFLAGS := $(filter-out -Wimplicit-fallthrough=3 -Wno-format-truncation \
	-Wno-stringop-truncation -fexcess-precision=standard,$(CFLAGS))
endif

endif

# -------------------------------------------------------------- the module --

.PHONY: objects
objects: $(OBJS) $(PROGRAMS)

$(PG_OBJS): $(BUILD)/obj/%.o: src/%.c Makefile pt621.control
	@mkdir -p $(@D)
	$(CC) $(PG_OBJ_CFLAGS) $(DEPEND) -c -o $@ $<

$(PURE_OBJS): $(BUILD)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(PURE_OBJ_CFLAGS) $(DEPEND) -c -o $@ $<

# The folders themselves are prerequisites because a file may be taken away.
$(DATA_built): $(INSTALL_SQL) $(PAGES) $(wildcard sql/install page) page/embed.awk Makefile
	@mkdir -p $(@D)
	LC_ALL=C awk -v pages='$(PAGES)' -f page/embed.awk $(INSTALL_SQL) > $@.new
	mv $@.new $@

# --------------------------------------------------------------- the tests --

UNIT_OBJS := $(PURE_SRC:src/%.c=$(BUILD)/unit/obj/%.o)
FUZZ_OBJS := $(PURE_SRC:src/%.c=$(BUILD)/fuzz/obj/%.o)

.PHONY: unit-tests fuzzers tools
unit-tests: $(UNIT_TESTS)
fuzzers: $(FUZZERS)
tools: $(TOOLS) $(PROGRAMS)

$(UNIT_OBJS): $(BUILD)/unit/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) $(DEPEND) -c -o $@ $<

$(UNIT_TESTS): $(BUILD)/%: test/%.c $(UNIT_OBJS) Makefile
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) $(DEPEND) -o $@ $< $(UNIT_OBJS) $(LIBRARIES)

$(FUZZ_OBJS): $(BUILD)/fuzz/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_OBJ_CFLAGS) $(DEPEND) -c -o $@ $<

$(FUZZERS): $(BUILD)/%: test/%.c $(FUZZ_OBJS) Makefile
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) $(DEPEND) -o $@ $< $(FUZZ_OBJS) $(LIBRARIES)

# They need no PostgreSQL and no libuv, only the codec.
CODEC_OBJS := $(filter $(BUILD)/obj/codec/%,$(PURE_OBJS))

$(PROGRAM_OBJS): $(BUILD)/tool/obj/%.o: test/tool/lib/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(PURE_CFLAGS) -O2 $(DEPEND) -c -o $@ $<

$(PROGRAMS): $(BUILD)/%: test/%.c $(PROGRAM_OBJS) $(CODEC_OBJS) Makefile
	@mkdir -p $(@D)
	$(CC) $(PURE_CFLAGS) -O2 $(DEPEND) -o $@ $< $(PROGRAM_OBJS) $(CODEC_OBJS) -lm

# Programs that tests and benchmarks run.
$(TOOLS): $(BUILD)/%: test/%.c $(PURE_OBJS) Makefile
	@mkdir -p $(@D)
	$(CC) $(PURE_CFLAGS) -O2 $(DEPEND) -o $@ $< $(PURE_OBJS) $(LIBRARIES) -lm -lpthread

-include $(addsuffix .d,$(OBJS) $(UNIT_OBJS) $(FUZZ_OBJS) $(UNIT_TESTS) $(FUZZERS) $(TOOLS) \
	$(PROGRAM_OBJS) $(PROGRAMS))

# ---------------------------------------------------------------- commands --

.PHONY: help deps check soak exact fuzz bench run stop dist

help: ## this list
	@echo 'make                 builds the extension'
	@echo 'make install         installs it where pg_config says (as root)'
	@echo 'make clean           removes what was built'
	@sed -n 's/^\([a-z%-]*\):.* ## \(.*\)/make \1\t\2/p' Makefile | expand -t 21

deps: ## installs the Debian packages that are missing
	@bash test/tool/deps.sh

# Only where it is asked for: else it would clash with the one of PGXS.
ifneq ($(filter check,$(MAKECMDGOALS)),)
check: ## builds, installs and runs all tests; ends with "N passed, N failed"
	@bash test/tool/check.sh
endif

check-%: ## one part: unit, fuzz, regress or tap; TESTS='name*' picks some
	@bash test/tool/check.sh $*

soak: ## a simulated day in PERMUTATIONS (1000) random orders, from SEED on; SOAK=061_reports_any_order: its reports
	@PERMUTATIONS=$${PERMUTATIONS:-1000} bash test/tool/check.sh soak

fuzz: ## runs each fuzz harness for FUZZ_SECONDS (600); keeps what it learns
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-600} FUZZ_CORPUS=$(BUILD)/fuzz/corpus bash test/tool/check.sh fuzz

bench: ## measures; see test/bench
	@bash test/bench/run.sh

exact: ## compares the fences with PostGIS, point by point; see test/exact
	@bash test/exact/run.sh

run: ## starts a throw-away server that listens to trackers
	@bash test/tool/run.sh

stop: ## stops it
	@bash test/tool/stop.sh

dist: ## the archive for PGXN, of what is committed
	@bash test/tool/dist.sh $(BUILD)
