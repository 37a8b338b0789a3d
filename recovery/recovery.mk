# SPDX-License-Identifier: GPL-2.0-or-later
# lifeboat-recovery: finds a source, verifies, plans, applies, verifies again, hands back.

$(call program,lifeboat-recovery,$(sort $(wildcard recovery/*.c)),arm64 host asan)
