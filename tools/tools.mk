# SPDX-License-Identifier: GPL-2.0-or-later
# The host tool. Its crypto makes keys and signs, which only host libraries can.

TOOLS_SRC := $(sort $(wildcard tools/*.c))
$(call program,lifeboat,$(TOOLS_SRC),host asan)
LIFEBOAT := $(B)/host/bin/lifeboat
