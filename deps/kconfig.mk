# SPDX-License-Identifier: GPL-2.0-or-later
# Kconfig -> build/config (make reads it) -> build/include/config.h (C reads it).

KCONFIG_DEFCONFIG ?= configs/refboard_defconfig
DEFCONFIGS := $(notdir $(wildcard configs/*_defconfig))

kconfig = $(Q)mkdir -p $(B)/include && KCONFIG_CONFIG=$(B)/config $(PYTHON) -m $(1)

# Options of build/config that still exist are kept; new ones get their default.
$(B)/config: Kconfig
	$(call kconfig,$(if $(wildcard $(B)/config),olddefconfig,defconfig $(KCONFIG_DEFCONFIG)) >/dev/null)
	@touch $@

$(B)/include/config.h: $(B)/config
	$(call kconfig,genconfig --header-path $@ Kconfig)
	@[ $@ -nt $(B)/config ] || touch $@

ifneq ($(filter-out $(BARE_GOALS) %_defconfig,$(or $(MAKECMDGOALS),all)),)
include $(B)/config
endif

## NAME_defconfig  start from configs/NAME_defconfig
.PHONY: $(DEFCONFIGS) menuconfig savedefconfig
$(DEFCONFIGS):
	$(call kconfig,defconfig configs/$@)

## menuconfig    change options in a terminal
menuconfig: $(B)/config
	$(call kconfig,menuconfig)

## olddefconfig  take the default of every option that build/config does not know yet
.PHONY: olddefconfig
olddefconfig: $(B)/config
	$(call kconfig,olddefconfig)

## savedefconfig  write what differs from the defaults to build/defconfig
savedefconfig: $(B)/config
	$(call kconfig,savedefconfig --out $(B)/defconfig)
