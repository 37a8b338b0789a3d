# SPDX-License-Identifier: GPL-2.0-or-later
# Test tiers; `make check` runs them all.

-include $(wildcard tests/*/*.mk)

UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
WRAP_test_sha256 := -Wl,--wrap=lb_sha256_hardware
$(foreach t,$(UNIT),$(call program,$(t),tests/unit/$(t).c,asan,-lcmocka $(WRAP_$(t))))

## unit-test     cmocka tests of lib/ under AddressSanitizer and UBSan
.PHONY: unit-test
unit-test: $(UNIT:%=$(B)/asan/bin/%)
	@set -e; for t in $(UNIT); do echo "  TEST    $$t"; \
	  ASAN_OPTIONS=detect_leaks=1 $(B)/asan/bin/$$t >$(B)/asan/$$t.log 2>&1 || \
	  { cat $(B)/asan/$$t.log; exit 1; }; done; echo "unit: $(words $(UNIT)) programs passed"

# Those that only compute go two at a time, what fails fast first, and the files of the board
# are made beside them; those that a clock runs in have the machine to themselves.
COMPUTING := lint unit-test fuzz-replay flip-test deps-test powercut model fuzz-coverage hardening cli-test coverage
CLOCKED := net-test recovery-test agent-test bench-test size board-test soak
TIERS := $(COMPUTING) $(CLOCKED)
LB_JOBS ?= 2
# tests with a server mostly wait: so many at a time, where pytest can
AT_ONCE = $(shell $(PYTHON) -c 'import xdist' 2>/dev/null && echo '-n 4')

# both count in the same files: in `make check` the one waits for the other, and is not tried if that fails
PASSED := $(B)/check
coverage: | $(if $(filter $(PASSED)/%,$(MAKECMDGOALS)),fuzz-coverage)

# a tier and a mark that it passed
.PHONY: $(TIERS:%=$(PASSED)/%)
$(TIERS:%=$(PASSED)/%): $(PASSED)/%: %
	@touch $@ && echo "$*: passed"

tiers = $(MAKE) --no-print-directory -k -j$(LB_JOBS) LB_NO_SETUP=1

## check         every test tier, to the last, whatever fails before it (LB_JOBS=2: at a time)
.PHONY: check
check:
	@rm -rf $(PASSED) && mkdir -p $(PASSED); start=$$(date +%s); \
	$(tiers) -Otarget $(COMPUTING:%=$(PASSED)/%) board-files; \
	echo "what only computes took $$(($$(date +%s) - start)) s"; \
	for tier in $(CLOCKED); do \
	  printf '\n== %s\n' $$tier; start=$$(date +%s); \
	  $(tiers) $(PASSED)/$$tier; \
	  echo "$$tier took $$(($$(date +%s) - start)) s"; \
	done; \
	failed=; for tier in $(TIERS); do [ -e $(PASSED)/$$tier ] || failed="$$failed $$tier"; done; \
	[ -z "$$failed" ] || { printf '\ncheck: failed:%s\n' "$$failed"; exit 1; }; \
	printf '\ncheck: all of %s passed\n' "$(TIERS)"
