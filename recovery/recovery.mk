# SPDX-License-Identifier: GPL-2.0-or-later
# lifeboat-recovery: finds a source, verifies, plans, applies, verifies again, hands back.

# lower bound of every date; reproducible: that of the commit, or what is asked for
BUILD_TIME := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),1)

CFLAGS_recovery_main := -DLB_BUILD_TIME=$(BUILD_TIME)LL
# the page that recovery serves, as a C string
$(B)/recovery/page/page.c: recovery/page/page.html recovery/page/page.py
	@mkdir -p $(@D)
	@echo "  GEN     $@"
	$(Q)$(PYTHON) recovery/page/page.py $< $@

CFLAGS_build_recovery_page_page := -iquote recovery/page
RECOVERY_SRC := $(sort $(wildcard recovery/*.c recovery/page/*.c)) $(B)/recovery/page/page.c
$(call program,lifeboat-recovery,$(RECOVERY_SRC),arm64 x86_64 host asan)
