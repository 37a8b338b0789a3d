# SPDX-License-Identifier: GPL-2.0-or-later
# The host tool against independent oracles: tar, openssl, zstd, mkimage, python.

CLI_TEST := $(B)/tests/cli

## cli-test      the host tool: packing, signing, refusals, publishing
.PHONY: cli-test
cli-test: $(B)/asan/bin/lifeboat $(B)/host/bin/lifeboat
	@mkdir -p $(CLI_TEST)
	@echo "  TEST    cli"
	$(Q)$(PYTEST) \
		--basetemp=$(CLI_TEST)/tmp $(if $(filter command,$(origin T)),-k '$(T)') \
		$(CLI_TEST_ARGS) tests/cli
