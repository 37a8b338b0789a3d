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

# Tiers in the order of `make check`. What computes goes first, LB_JOBS at a time, with the files
# of the board beside it; those that a clock runs in have the machine to themselves. Those that
# are late are left out where the time is over; what is joined by + goes side by side (never the
# last two: they count in the same files).
COMPUTING := lint unit-test fuzz-replay flip-test powercut model cli-test
CLOCKED := net-test recovery-test agent-test size board-test
LATE := hardening+deps-test soak bench-test fuzz-coverage coverage
TIERS := $(COMPUTING) $(CLOCKED) $(subst +, ,$(LATE))
LB_JOBS ?= 2

# LB_RERUNS=1: what failed is tried once more, and named if it passes then
PYTEST = LB_BUILD=$(abspath $(B)) PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(CURDIR)/tests/plugins \
	$(PYTHON) -m pytest -q -p no:cacheprovider -p deadline $(LB_RERUNS:%=--reruns %)
# tests with a server mostly wait: so many at a time, where pytest can
AT_ONCE = $(shell $(PYTHON) -c 'import xdist' 2>/dev/null && echo '-n 4')

# a tier and a mark that it passed
PASSED := $(B)/check
.PHONY: $(TIERS:%=$(PASSED)/%)
$(TIERS:%=$(PASSED)/%): $(PASSED)/%: %
	@touch $@ && echo "$*: passed"

## check         every test tier, to the last, whatever fails before it (LB_JOBS=2: at a time)
.PHONY: check
check:
	@PASSED=$(PASSED) RUN='$(MAKE) --no-print-directory -k -j$(LB_JOBS) LB_NO_SETUP=1' \
		tests/check.sh '$(COMPUTING)' '$(CLOCKED)' '$(LATE)'
