# SPDX-License-Identifier: GPL-2.0-or-later
# The boot and update state machine as a model that spin searches completely.

MODEL := $(B)/tests/model
$(call program,model-table,tests/model/table.c,host)

$(MODEL)/machine.pml: $(B)/host/bin/model-table
	@mkdir -p $(@D)
	$(Q)$< >$@

$(MODEL)/boot.pml: tests/model/boot_script.py tests/model/boot.table bootscripts/names.toml
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tests/model/boot_script.py promela >$@

## model         the state machine, searched completely by spin; the boot script against its table
.PHONY: model
model: $(MODEL)/machine.pml $(MODEL)/boot.pml $(B)/bootscripts/uboot.env
	$(if $(REPLAY),,$(Q)$(PYTHON) tests/model/boot_script.py check $(B)/bootscripts/uboot.env)
	$(Q)$(PYTHON) tests/model/check.py --build $(MODEL) $(REPLAY:%=--replay %)
