# SPDX-License-Identifier: GPL-2.0-or-later
# Test tiers, quickest first; `make check` runs them all.

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

# in this order: what fails fast comes first
TIERS := lint unit-test fuzz-replay flip-test deps-test powercut model fuzz-coverage cli-test net-test recovery-test agent-test bench-test size hardening coverage board-test soak

## check         every test tier, to the last, whatever fails before it
.PHONY: check
check:
	@failed=; for tier in $(TIERS); do \
	  printf '\n== %s\n' $$tier; start=$$(date +%s); ended=passed; \
	  $(MAKE) --no-print-directory LB_NO_SETUP=1 $$tier || { ended=FAILED; failed="$$failed $$tier"; }; \
	  echo "$$tier: $$ended in $$(($$(date +%s) - start)) s"; \
	done; [ -z "$$failed" ] || { printf '\ncheck: failed:%s\n' "$$failed"; exit 1; }; \
	printf '\ncheck: all of %s passed\n' "$(TIERS)"
