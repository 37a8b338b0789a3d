# SPDX-License-Identifier: GPL-2.0-or-later
# What can be said about the sources without running them.

SHELL_SCRIPTS = $(shell git ls-files | xargs grep -lE '^\#!/bin/(ba)?sh' 2>/dev/null)

## lint          shellcheck, and the direction of includes
.PHONY: lint
lint:
	@echo "  LINT    includes"
	$(Q)$(PYTHON) tests/lint/includes.py
	@echo "  LINT    shell"
	$(Q)shellcheck -x -S warning $(SHELL_SCRIPTS)
