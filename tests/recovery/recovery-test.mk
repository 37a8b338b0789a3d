# SPDX-License-Identifier: GPL-2.0-or-later
# lifeboat-recovery as a program on files, with a real web server.

RECOVERY_TEST := $(B)/tests/recovery
RECOVERY_TEST_PROGRAMS := $(B)/host/bin/lifeboat $(B)/host/bin/lifeboat-recovery \
	$(B)/asan/bin/lifeboat-recovery

## recovery-test  recovery on files: install, resume, network, refusals, memory
.PHONY: recovery-test
recovery-test: $(RECOVERY_TEST_PROGRAMS)
	@mkdir -p $(RECOVERY_TEST) && rm -f $(RECOVERY_TEST)/*.json
	$(Q)$(PYTEST) \
		--basetemp=$(RECOVERY_TEST)/tmp $(AT_ONCE) \
		$(if $(filter command,$(origin T)),-k '$(T)') $(RECOVERY_TEST_ARGS) tests/recovery
