# SPDX-License-Identifier: GPL-2.0-or-later
# Lifeboat against other updaters, on this machine: docs/BENCH.md.

$(call program,measure,tests/bench/measure.c tests/bench/written.c,host)

RUNS ?= 5
BENCH_TYPES = $(or $(TYPES),ext4 squashfs-zstd erofs)
# what a device with this processor runs
BENCH_PROGRAMS := $(B)/host/bin/lifeboat $(B)/x86_64/bin/lifeboat-recovery \
	$(B)/host/bin/measure
# images of one's own, or the Debian pair of tests/debian
ifneq ($(OLD)$(NEW),)
BENCH_IMAGES = $(OLD) $(NEW)
BENCH_PAIRS = --pair given '$(OLD)' '$(NEW)'
else
BENCH_IMAGES = $(foreach t,$(BENCH_TYPES),$(B)/debian/old.$(t) $(B)/debian/new.$(t))
BENCH_PAIRS = $(foreach t,$(BENCH_TYPES),--pair $(t) $(B)/debian/old.$(t) $(B)/debian/new.$(t))
endif

## bench         against SWUpdate, RAUC, casync and others; OLD=a.img NEW=b.img RUNS=5 TYPES=ext4
.PHONY: bench bench-setup bench-test
bench-setup:
	$(Q)$(if $(LB_NO_SETUP),,LB_BUILD=$(B) deps/setup.sh bench)

bench: $(BENCH_PROGRAMS) $(BENCH_IMAGES) | bench-setup
	$(Q)$(PYTHON) -B tests/bench/bench.py --build $(B) --runs $(RUNS) --tools '$(TOOLS)' \
		--flags 'musl, gcc $(filter -O% -f%,$(CFLAGS_x86_64))' $(BENCH_PAIRS)

## bench-test    the comparison itself, with a few MB and whatever tools are there
bench-test: $(BENCH_PROGRAMS)
	@mkdir -p $(B)/tests/bench
	@echo "  TEST    bench"
	$(Q)$(PYTEST) \
		--basetemp=$(B)/tests/bench/tmp $(if $(filter command,$(origin T)),-k '$(T)') tests/bench
