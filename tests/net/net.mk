# SPDX-License-Identifier: GPL-2.0-or-later
# The HTTP source against a real nginx with an own CA, on loopback.

$(call program,httpcat,tests/net/httpcat.c,host asan)
$(call program,netup,tests/net/netup.c,asan)

## net-test      HTTP and TLS against a real nginx on loopback
.PHONY: net-test
net-test: $(B)/host/bin/httpcat $(B)/asan/bin/httpcat $(B)/asan/bin/netup
	@echo "  TEST    net"
	$(Q)$(PYTEST) $(AT_ONCE) \
		$(if $(filter command,$(origin T)),-k '$(T)') tests/net
