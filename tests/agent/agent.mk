# SPDX-License-Identifier: GPL-2.0-or-later
# lifeboat-agent as a program on files, with a real web server.

AGENT_TEST := $(B)/tests/agent

## agent-test    the agent on files: commands, refusals, daemon, health checks
.PHONY: agent-test
agent-test: $(B)/asan/bin/lifeboat-agent $(B)/host/bin/lifeboat-agent \
		$(B)/asan/bin/lifeboat-recovery $(B)/host/bin/lifeboat
	@mkdir -p $(AGENT_TEST)
	@echo "  TEST    agent"
	$(Q)$(PYTEST) \
		--basetemp=$(AGENT_TEST)/tmp $(AT_ONCE) $(if $(filter command,$(origin T)),-k '$(T)') tests/agent
