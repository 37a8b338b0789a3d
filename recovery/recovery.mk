# SPDX-License-Identifier: GPL-2.0-or-later
# lifeboat-recovery: finds a source, verifies, plans, applies, verifies again, hands back.

# lower bound of every date; reproducible: that of the commit, or what is asked for
BUILD_TIME := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),1)

CFLAGS_recovery_main := -DLB_BUILD_TIME=$(BUILD_TIME)LL
$(call program,lifeboat-recovery,$(sort $(wildcard recovery/*.c)),arm64 host asan)
