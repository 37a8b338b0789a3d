# SPDX-License-Identifier: GPL-2.0-or-later
# Lifeboat: the one Makefile. Each folder adds its rules in <folder>/<folder>.mk;
# everything that is made lies under build/.
#
#   make demo     the main job, end to end, on an emulated board
#   make check    every test tier, to the last
#   make help     the other targets

SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

B := build
CACHE ?= $(B)/cache
PYTHON := /usr/bin/python3
Q := $(if $(V),,@)

# Goals that work on a bare machine, before anything is installed.
BARE_GOALS := help setup clean distclean

VERSION := 0.1.0

.PHONY: all help setup check demo size clean distclean
all:

-include deps/deps.mk
-include lib/lib.mk
-include keys/keys.mk
-include bootscripts/bootscripts.mk
-include tools/tools.mk
-include recovery/recovery.mk
-include main-agent/main-agent.mk
-include images/images.mk
-include tests/tests.mk

all: $(foreach p,lifeboat lifeboat-recovery lifeboat-agent,$(B)/host/bin/$(p))

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

clean:
	rm -rf $(filter-out $(B)/cache $(B)/dl $(B)/keys,$(wildcard $(B)/*))

distclean:
	rm -rf $(B)
