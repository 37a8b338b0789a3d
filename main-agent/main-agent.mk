# SPDX-License-Identifier: GPL-2.0-or-later
# lifeboat-agent: polls, checks, stages, confirms. Links no update engine.

$(call program,lifeboat-agent,$(sort $(wildcard main-agent/*.c)),arm64 host asan)

# lower bound of every date; recovery.mk sets the same
BUILD_TIME ?= $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),1)
CFLAGS_main-agent_device := -DLB_BUILD_TIME=$(BUILD_TIME)LL
