# SPDX-License-Identifier: GPL-2.0-or-later
# What can be said about sources and programs without running them. gcc's warnings are
# errors in every build; here clang looks at the same files.

# of a checkout, or of an unpacked archive
LINT_FILES = $(shell git ls-files 2>/dev/null || find * -path build -prune -o -type f -print)
SHELL_SCRIPTS = $(shell grep -slE '^\#!/bin/(ba)?sh' $(LINT_FILES))
C_SOURCES = $(filter %.c,$(LINT_FILES))
PRODUCT_SOURCES = $(filter lib/% recovery/% main-agent/% tools/%,$(C_SOURCES))
LINT_INCLUDES = -iquote tests/powercut -isystem $(B)/deps/host/include
LINT_CLANG = clang -fsyntax-only $(OUR_CFLAGS) -DLB_BUILD_TIME=0 $(LINT_INCLUDES)
# in lib/, which reads what others wrote, no number may lose bits without being told to
LINT_CLANG_LIB = $(LINT_CLANG) -Wconversion -Wno-sign-conversion

## lint          clang's warnings, cppcheck, shellcheck, the direction of includes
.PHONY: lint
lint: $(GENERATED) $(DEPS_host)
	@echo "  LINT    includes"
	$(Q)$(PYTHON) tests/lint/includes.py
	@echo "  LINT    shell"
	$(Q)shellcheck -x -S warning $(SHELL_SCRIPTS)
	@echo "  LINT    clang"
	$(Q)printf '%s\n' $(filter lib/%,$(C_SOURCES)) | xargs -P 2 -n 8 $(LINT_CLANG_LIB)
	$(Q)printf '%s\n' $(filter-out lib/%,$(C_SOURCES)) | xargs -P 2 -n 8 $(LINT_CLANG)
	@echo "  LINT    cppcheck"
	$(Q)cppcheck --quiet -j 2 --std=c11 --library=posix --error-exitcode=1 \
	  --enable=warning,style,performance,portability --suppressions-list=tests/lint/cppcheck.txt \
	  -I lib -I $(B)/include --template='{file}:{line}: {id}: {message}' $(PRODUCT_SOURCES)

## hardening     flags of the built programs, as their ELF files show them
.PHONY: hardening
hardening: $(foreach v,arm64 x86_64,$(foreach p,lifeboat-recovery lifeboat-agent,$(B)/$(v)/bin/$(p))) \
	   $(foreach p,lifeboat lifeboat-recovery lifeboat-agent,$(B)/host/bin/$(p))
	$(Q)$(PYTHON) tests/lint/hardening.py $^
