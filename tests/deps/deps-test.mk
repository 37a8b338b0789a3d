# SPDX-License-Identifier: GPL-2.0-or-later
# Third-party parts: pins, mirrors, configuration of the libraries, bill of materials.

$(call program,deps-probe,tests/deps/probe.c,arm64 x86_64 host)

## deps-test     third-party libraries as configured here; pins; bill of materials
.PHONY: deps-test
deps-test: $(B)/host/bin/deps-probe $(B)/arm64/bin/deps-probe $(B)/x86_64/bin/deps-probe \
		$(B)/arm64/bin/lifeboat-recovery $(B)/lifeboat.spdx
	@echo "  TEST    deps"
	$(Q)$(PYTEST) tests/deps
