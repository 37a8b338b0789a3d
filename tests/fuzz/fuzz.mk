# SPDX-License-Identifier: GPL-2.0-or-later
# A libFuzzer harness beside every parser: fuzz_NAME.c, seeds in corpus/NAME.
#
#   variant fuzz  clang's libFuzzer, for `make fuzz`
#   variant asan  gcc and replay.c, for `make fuzz-replay`
#   variant cov   the same with gcov, for `make fuzz-coverage`: tests/coverage

FUZZ_SECONDS = $(or $(T),60)
FUZZ_NAMES := $(sort $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
# N=tar: only that one
FUZZ_CHOSEN = $(or $(N),$(FUZZ_NAMES))

# malloc() and its kin are counted, and fail where an input says so: tests/fuzz/alloc.c
FUZZ_WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=free

FUZZ_SANITIZE := address,undefined
CC_fuzz := clang
AR_fuzz := ar
CFLAGS_fuzz = $(filter-out -O% -D_FORTIFY_SOURCE=% -fstack-protector%,$(CFLAGS_host)) -O1 -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,$(FUZZ_SANITIZE) -fno-sanitize-recover=all
LDFLAGS_fuzz = -L$(B)/deps/host/lib -pthread -fsanitize=fuzzer,$(FUZZ_SANITIZE)
DEPS_fuzz := $(DEPS_host)
DEPLIBS_fuzz := $(DEPLIBS_host)
$(eval $(call variant_rules,fuzz))

$(foreach n,$(FUZZ_NAMES),$(call program,fuzz_$(n),tests/fuzz/fuzz_$(n).c tests/fuzz/alloc.c,fuzz,$(FUZZ_WRAP)))
$(foreach n,$(FUZZ_NAMES),$(call program,fuzz_$(n),tests/fuzz/fuzz_$(n).c tests/fuzz/alloc.c \
	tests/fuzz/replay.c,asan cov,$(FUZZ_WRAP)))

-include $(shell [ -d $(B) ] && find $(B)/fuzz/obj -name '*.d' 2>/dev/null)

## fuzz          libFuzzer, each parser for T seconds (T=60); N=tar: only that one
.PHONY: fuzz
fuzz: $(FUZZ_CHOSEN:%=$(B)/fuzz/bin/fuzz_%)
	$(Q)tests/fuzz/fuzz.sh $(B) $(FUZZ_SECONDS) $(FUZZ_CHOSEN)

## fuzz-replay   the fuzzers' corpora under the sanitizers
.PHONY: fuzz-replay
fuzz-replay: $(FUZZ_NAMES:%=$(B)/asan/bin/fuzz_%)
	@set -e; for n in $(FUZZ_NAMES); do log=$(B)/asan/fuzz_$$n.log; \
	  ASAN_OPTIONS=detect_leaks=1 $(B)/asan/bin/fuzz_$$n tests/fuzz/corpus/$$n >$$log 2>&1 || \
	  { tail -n 40 $$log; exit 1; }; done; \
	echo "fuzz-replay: $(words $(FUZZ_NAMES)) parsers, $$(find tests/fuzz/corpus -type f | wc -l) inputs"

## fuzz-corpus   take what a run of fuzz found beside the seeds into the corpora
.PHONY: fuzz-corpus
fuzz-corpus: $(FUZZ_CHOSEN:%=$(B)/fuzz/bin/fuzz_%)
	$(Q)tests/fuzz/minimise.sh $(B) $(FUZZ_CHOSEN)

## fuzz-coverage lines of each parser that its corpus reaches
.PHONY: fuzz-coverage
fuzz-coverage: $(FUZZ_NAMES:%=$(B)/cov/bin/fuzz_%)
	$(Q)$(PYTHON) tests/coverage/coverage.py $(B) fuzz

# the one good signature of each bundle is verified once: tests/good_signature.c
FLIP_WRAP := $(FUZZ_WRAP) -Wl,--wrap=mbedtls_pk_verify
$(call program,flip,tests/fuzz/flip.c tests/fuzz/alloc.c tests/good_signature.c,asan,$(FLIP_WRAP))

## flip-test     a bundle with every byte changed and every length, installed in memory
.PHONY: flip-test
flip-test: $(B)/asan/bin/flip
	$(Q)ASAN_OPTIONS=detect_leaks=1 $(B)/asan/bin/flip
