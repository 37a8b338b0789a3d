# SPDX-License-Identifier: GPL-2.0-or-later
# Everything made from the one list of names, and the boot loader that carries it.

BOOT_NAMES := bootscripts/gen.py bootscripts/names.toml
BOOT_BOARD := bootscripts/refboard-sd.toml

$(B)/include/lb_boot_names.h: $(BOOT_NAMES)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) bootscripts/gen.py c-header >$@

$(B)/bootscripts/uboot.env: $(BOOT_NAMES) bootscripts/boot.env.in $(BOOT_BOARD)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) bootscripts/gen.py uboot-env $(BOOT_BOARD) >$@

$(B)/bootscripts/lifeboat-uboot.h: $(BOOT_NAMES)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) bootscripts/gen.py uboot-header >$@

$(B)/bootscripts/factory.env: $(BOOT_NAMES)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) bootscripts/gen.py factory-env >$@

$(B)/deps/linux/Image.lzma: $(wildcard deps/linux/*) deps/kbuild-config.sh deps/deps.list
	$(Q)env -u MAKEFLAGS LB_BUILD=$(B) LB_CACHE=$(CACHE) deps/linux/build.sh
	@touch $@

$(B)/deps/uboot-%/mkimage: $(wildcard deps/uboot/*) deps/kbuild-config.sh deps/deps.list \
		$(B)/bootscripts/uboot.env $(B)/bootscripts/lifeboat-uboot.h
	$(Q)env -u MAKEFLAGS LB_BUILD=$(B) LB_CACHE=$(CACHE) deps/uboot/build.sh $*
	@touch $@

.PRECIOUS: $(B)/deps/uboot-%/mkimage
