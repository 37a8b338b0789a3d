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

ORDER_SRC := $(patsubst %,tests/model/%.c,order_trace scenes situation watch)
$(foreach s,$(ORDER_SRC),$(eval CFLAGS_$(subst /,_,$(s:%.c=%)) := -Itests/powercut))
ORDER_SIM := $(sort $(wildcard tests/powercut/sim*.c)) \
	$(patsubst %,tests/powercut/%.c,digest mini_bundle mini_fit)
$(call program,order-trace,$(ORDER_SRC) $(ORDER_SIM),host cov)

## model         the state machine, searched completely by spin; boot script and order of writing against their tables
.PHONY: model
model: $(MODEL)/machine.pml $(MODEL)/boot.pml $(B)/bootscripts/uboot.env $(B)/host/bin/order-trace
	$(if $(REPLAY),,$(Q)$(PYTHON) tests/model/boot_script.py check $(B)/bootscripts/uboot.env)
	$(if $(REPLAY),,$(Q)$(PYTHON) tests/model/order.py check $(B)/host/bin/order-trace)
	$(Q)$(PYTHON) -B tests/model/check.py --build $(MODEL) $(REPLAY:%=--replay %)
