# SPDX-License-Identifier: GPL-2.0-or-later
# Whole updates on the emulated board, with power cuts.

SOAK := $(B)/tests/soak

$(SOAK)/cutter.so: tests/soak/cutter.c
	@mkdir -p $(@D)
	$(Q)$(CC_host) -std=gnu11 $(WARNINGS) -O2 -shared -fPIC -o $@ $<

## soak          updates on the board under N power cuts (N=200: the large one; SEED=, ROUND=: again; JOBS=: at a time)
.PHONY: soak
soak: images $(UPDATE_TEST_FILES) $(SELF_UPDATE_FILES) $(SOAK)/cutter.so
	$(Q)LB_BUILD=$(B) $(PYTHON) -B tests/soak/soak.py $(B) --cuts $(or $(N),10) \
		--seed $(or $(SEED),186) $(if $(ROUND),--round $(ROUND)) $(if $(JOBS),--jobs $(JOBS))
