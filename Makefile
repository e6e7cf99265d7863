# chomp's one Makefile.  `make help` lists the targets.
# Objects go to build/$(VARIANT)/; one archive per room, linked in arrow order, so that a wrong arrow does not link.

VARIANT ?= release
B       := build/$(VARIANT)
CC      ?= cc
SHELL   := /bin/bash

# One short line per step; V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)")

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wformat=2 \
        -Wwrite-strings -Wundef -Wvla -Wpointer-arith -Wnull-dereference -Wdouble-promotion -Wswitch-enum \
        -Wimplicit-fallthrough -Werror=implicit-function-declaration -Werror=incompatible-pointer-types \
        -Werror=int-conversion -Werror=return-type
IS_CLANG := $(shell $(CC) --version 2>/dev/null | grep -c clang)
ifeq ($(IS_CLANG),0)
WARN += -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init -Wformat-truncation=2
HARDEN_GCC := -ftrivial-auto-var-init=zero
else
WARN += -Wcomma -Wno-missing-field-initializers
endif
ifdef WERROR
WARN += -Werror
endif

HARDEN  := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection $(HARDEN_GCC)
CFLAGS_release  := -O2 -g $(HARDEN)
CFLAGS_asan     := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_coverage := -O0 -g --coverage
LDFLAGS_release := -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
LDFLAGS_asan    := -fsanitize=address,undefined
LDFLAGS_coverage := --coverage

VERSION := 0.1.0
CPPFLAGS += -D_GNU_SOURCE -Ifcgi -DCHOMP_VERSION='"$(VERSION)"' -isystem /usr/include/ClearSilver
CFLAGS   += -std=gnu11 $(WARN) -fno-common -fPIE $(CFLAGS_$(VARIANT))
LDFLAGS  += -pie $(LDFLAGS_$(VARIANT))

# What each room stands on outside ourselves.
LIBS_core     := -ljson-c -lnettle -lz
LIBS_partials := -lneo_cs -lneo_utl
LIBS_http     := -lfcgi

objs     = $(patsubst %.c,$(B)/%.o,$(wildcard fcgi/$(1)/*.c))
# fcgi_io, the only user of libfcgi, is linked into the worker alone: tests and dispatch need no libfcgi.
archive  = $(B)/lib/$(1).a
ALL_ARCHIVES := $(foreach r,partials api http store model core,$(call archive,$(r)))

PROGRAMS := $(addprefix $(B)/bin/,chomp-worker chomp-dispatch chomp-relay chomp-sandbox chomp-shim chomp-watch chomp-store)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all run test test-deploy check asan ubsan valgrind integration contract crash fuzz-smoke coverage lint format bench help clean htdocs

all: $(PROGRAMS) htdocs ## build every program and the static files

run: ## install what is missing, build, start on http://127.0.0.1:8000, print the login link
	@scripts/setup run
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@scripts/chompctl up

test: ## install what is missing, build, run every test
	@scripts/setup test
	@$(MAKE) --no-print-directory -j$$(nproc) all tests lint
	@tests/run

# ---- rooms -------------------------------------------------------------------------------------
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC   $<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# A file that is served as it is becomes a list of numbers between the braces of an array.
$(B)/gen/openapi.inc: fcgi/api/openapi.json
	@mkdir -p $(@D)
	$(Q)od -An -v -tu1 $< | sed 's/[0-9][0-9]*/&,/g' > $@
$(B)/fcgi/api/openapi.o: $(B)/gen/openapi.inc
$(B)/fcgi/api/openapi.o: CPPFLAGS += -I$(B)/gen

define room_rule
$(B)/lib/$(1).a: $(call objs,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
endef
$(foreach r,core model store http api partials worker dispatch relay sandbox watch keeper,$(eval $(call room_rule,$(r))))

# ---- programs ----------------------------------------------------------------------------------
$(B)/bin/chomp-worker: $(call objs,worker) $(ALL_ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_partials) $(LIBS_http) $(LIBS_core)

$(B)/bin/chomp-dispatch: $(call objs,dispatch) $(call archive,store) $(call archive,model) $(call archive,core)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcurl $(LIBS_core)

$(B)/bin/chomp-relay: $(call objs,relay) $(call archive,http) $(call archive,store) $(call archive,model) $(call archive,core)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lwebsockets -lcap $(LIBS_core)

SHIM_OBJS    := $(filter $(addprefix %/,$(addsuffix .o,shim_main shim record tree pty ctl peers limits network forward redact film)),$(call objs,sandbox))
$(B)/bin/chomp-sandbox: $(filter-out %/shim_main.o,$(call objs,sandbox)) $(call archive,core)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lseccomp -lwebsockets -lcap $(LIBS_core)

$(B)/bin/chomp-shim: $(SHIM_OBJS) $(call archive,core)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_core)

$(B)/bin/chomp-watch: $(call objs,watch) $(call archive,core)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lwebsockets -lcap $(LIBS_core)

$(B)/bin/chomp-store: $(call objs,keeper) $(call archive,store) $(call archive,model) $(call archive,core)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_core)

# ---- static files ------------------------------------------------------------------------------
htdocs: ## compile the style sheet and copy fonts and scripts to build/htdocs
	@if [ -x htdocs/build ]; then htdocs/build build/htdocs; fi

# ---- tests -------------------------------------------------------------------------------------
UNIT_SRC  := $(wildcard tests/unit/test_*.c)
UNIT_BIN  := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))
# System calls that a test replaces: WRAP_test_store := fsync write
WRAP_test_adopt := openat write fsync renameat linkat log_fields
WRAP_test_api_files := artifact_stage
WRAP_test_api_tasks := write clock_mono_ms log_fields log_err
WRAP_test_api_state := log_fields log_err
WRAP_test_serve := log_fields log_err
WRAP_test_arena := malloc realloc
WRAP_test_file := openat write fsync renameat
WRAP_test_instance := nanosleep
WRAP_test_lock := clock_mono_ms
WRAP_test_output := write
WRAP_test_store := clock_mono_ms fdatasync
WRAP_test_store_cache := pread
WRAP_test_store_log := log_fields pread
WRAP_test_store_compact := openat write fsync renameat log_fields log_err
WRAP_test_store_fault := openat write fdatasync fsync ftruncate pread fstat flock renameat linkat log_fields log_err
WRAP_power := openat write fdatasync fsync ftruncate renameat linkat unlinkat log_fields log_err
WRAP_test_check := log_fields log_err
WRAP_test_store_disk := log_fields log_err
wrapflags = $(foreach f,$(WRAP_$(notdir $(1))),-Wl,--wrap=$(f))

$(B)/unit/%: $(B)/tests/unit/%.o $(B)/lib/dispatch.a $(B)/lib/sandbox.a $(ALL_ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) $(call wrapflags,$@) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka -lcurl -lseccomp $(LIBS_partials) $(LIBS_http) $(LIBS_core)

# The worker is a program; what it does with one request can be asked without it.
$(B)/unit/test_serve: $(B)/fcgi/worker/serve.o $(B)/fcgi/worker/routes.o
# Nor does what the relay makes of bytes want its loop.
$(B)/unit/test_relay_replay: $(B)/fcgi/relay/replay.o
$(B)/unit/test_relay_wsframe: $(B)/fcgi/relay/wsframe.o


check: $(UNIT_BIN) ## unit tests, stop at the first failing program
	@set -e; for t in $(UNIT_BIN); do $$t; done

asan: ## the unit tests under AddressSanitizer and UBSan
	$(MAKE) VARIANT=asan check

CRASH_BIN := $(patsubst tests/crash/%.c,$(B)/crash/%,$(wildcard tests/crash/*.c))
$(B)/crash/%: $(B)/tests/crash/%.o $(ALL_ARCHIVES)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) $(call wrapflags,$@) -o $@ $^ -lcmocka $(LIBS_partials) $(LIBS_http) $(LIBS_core)

tests: $(UNIT_BIN) $(CRASH_BIN) ## build the unit and crash tests

crash: $(CRASH_BIN) ## power cuts, and kill -9 in a write storm: what was acknowledged is there
	@set -e; for t in $(CRASH_BIN); do $$t; done

# Fuzzers are clang's: a build of their own, no part of check.
FUZZ_SECONDS ?= 10
CFLAGS_fuzz  := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
FUZZ_BIN     := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(filter-out %/drive.c,$(wildcard tests/fuzz/*.c)))
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(filter-out %/partials.a,$(ALL_ARCHIVES))
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_http) $(LIBS_core)

# Those that have to do with frames are driven in every test run too, with any compiler.
DRIVE_BIN := $(addprefix $(B)/drive/,replay wsframe terminal_text terminal_control)
$(B)/drive/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/drive.o $(call archive,core)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS_core)
drive: $(DRIVE_BIN)

$(B)/fuzz/replay $(B)/drive/replay: $(B)/fcgi/relay/replay.o
$(B)/fuzz/wsframe $(B)/drive/wsframe: $(B)/fcgi/relay/wsframe.o
$(B)/fuzz/terminal_text $(B)/drive/terminal_text: $(B)/fcgi/relay/frames.o $(B)/fcgi/relay/pen.o
$(B)/fuzz/terminal_control $(B)/drive/terminal_control: $(B)/fcgi/sandbox/terminal.o

.PHONY: fuzz-run drive
fuzz-run: $(FUZZ_BIN)
	@for t in $(FUZZ_BIN); do n=$${t##*/}; mkdir -p $(B)/fuzz/found/$$n; \
	  $$t -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -print_final_stats=1 -artifact_prefix=$(B)/fuzz/$$n- \
	    $(B)/fuzz/found/$$n tests/fuzz/corpus/$$n >$$t.log 2>&1 || { tail -n 60 $$t.log; echo "fuzz $$n: failed"; exit 1; }; \
	  echo "fuzz $$n: $$(sed -n 's/^stat::number_of_executed_units: *//p' $$t.log) inputs"; done

fuzz-smoke: ## each fuzz target for ten seconds (FUZZ_SECONDS=n), with clang
	@$(MAKE) VARIANT=fuzz CC=clang fuzz-run

valgrind: $(UNIT_BIN) ## the unit tests under valgrind
	@set -e; for t in $(UNIT_BIN); do valgrind -q --error-exitcode=9 --leak-check=full $$t; done

integration: all ## the story of a task, against real processes
	tests/run integration

.PHONY: test-agents
test-agents: all ## Claude Code, Codex and Gemini CLI against the scripted model server (installs 1.1 GB)
	tests/run tests/agents/agents.test.mjs

test-deploy: ## build docker-compose.yml's image and run a task in it; needs a docker engine
	tests/deploy/run

contract: all ## the sandbox host protocol, against the local host
	tests/run contract

$(B)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< -lutil

$(B)/bench/seed: $(B)/tests/bench/seed.o $(call archive,store) $(call archive,model) $(call archive,core)
	@mkdir -p $(@D)
	$(call say,LINK $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_core)
$(B)/bench/reduced: LDFLAGS += -Wl,--no-as-needed -lfcgi

bench: all $(addprefix $(B)/bench/,terminal_client seed reduced load) ## the marks: start, dispatch, memory, idle, the terminal
	tests/run bench

# ---- installation --------------------------------------------------------------------------------
# Everything is below one directory, found by chompctl from where it lies; the rest are links to it.
PREFIX  ?= /usr/local
LIBDIR  := $(PREFIX)/lib/chomp
UNITDIR := $(PREFIX)/lib/systemd/system
MANDIR  := $(PREFIX)/share/man
COMPDIR := $(PREFIX)/share/bash-completion/completions
MANPAGES := $(wildcard docs/man/*.[0-9])
COMPLETIONS := $(wildcard scripts/completion/*)
.PHONY: install uninstall

install: ## copy the built programs to $(DESTDIR)$(PREFIX), with man pages and a systemd unit
	@for p in $(PROGRAMS) build/htdocs/assets.hdf; do test -e $$p || { echo "$$p is not built: make all" >&2; exit 1; }; done
	install -d $(DESTDIR)$(LIBDIR)/bin $(DESTDIR)$(LIBDIR)/docs $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITDIR)
	install -m 0755 $(PROGRAMS) $(DESTDIR)$(LIBDIR)/bin/
	for d in htdocs cgi-templates nginx scripts; do rm -rf "$(DESTDIR)$(LIBDIR)/$$d"; done
	cp -R --no-preserve=ownership build/htdocs cgi-templates nginx scripts $(DESTDIR)$(LIBDIR)/
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/scripts/,setup lint lint-templates)
	rm -rf $(DESTDIR)$(LIBDIR)/scripts/systemd $(DESTDIR)$(LIBDIR)/scripts/completion
	install -m 0644 README.md LICENSE docs/*.md $(DESTDIR)$(LIBDIR)/docs/
	chmod -R u+rwX,go+rX,go-w $(DESTDIR)$(LIBDIR)
	ln -sf ../lib/chomp/scripts/chompctl ../lib/chomp/scripts/chomp $(DESTDIR)$(PREFIX)/bin/
	sed 's|@LIB@|$(LIBDIR)|g' scripts/systemd/chomp.service.in > $(DESTDIR)$(UNITDIR)/chomp.service
	chmod 0644 $(DESTDIR)$(UNITDIR)/chomp.service
	for f in $(MANPAGES); do install -D -m 0644 $$f $(DESTDIR)$(MANDIR)/man$${f##*.}/$${f##*/}; done
	for f in $(COMPLETIONS); do install -D -m 0644 $$f $(DESTDIR)$(COMPDIR)/$${f##*/}; done

uninstall: ## remove what install has put there; state (/var/lib/chomp) stays
	rm -rf $(DESTDIR)$(LIBDIR)
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,chompctl chomp) $(DESTDIR)$(UNITDIR)/chomp.service
	rm -f $(foreach f,$(MANPAGES),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(f)))/$(notdir $(f)))
	rm -f $(addprefix $(DESTDIR)$(COMPDIR)/,$(notdir $(COMPLETIONS)))

# ---- order in the house ------------------------------------------------------------------------
lint: ## layer check, forbidden calls, template lint
	@scripts/lint
	@scripts/lint-templates

format: ## clang-format every C file
	clang-format -i $$(git ls-files '*.c' '*.h')

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "%-12s %s\n",$$1,$$2}' $(MAKEFILE_LIST)

clean: ## remove everything built (build/agents, the tests' installed agents, stays)
	find build -mindepth 1 -maxdepth 1 ! -name agents -exec rm -rf {} +

-include $(shell find $(B) -name '*.d' 2>/dev/null)
