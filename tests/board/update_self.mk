# SPDX-License-Identifier: GPL-2.0-or-later
# Bundles of main release 2 that carry a recovery release 2: a good one, and such
# as die, hang, crash or are signed by somebody else; a recovery that does not look.

SELF_UPDATES := good dies hangs crashes foreign
SELF_UPDATE_FILES := $(SELF_UPDATES:%=$(UPD)/recovery-2-%.lbu) $(UPD)/recovery-blind.itb

# $(call recovery_of,OUT,FOLDER): a recovery from the root file system in FOLDER
recovery_of = images/ramdisk.sh $(2).cpio.xz $(2) && \
	$(FIT_ENV) images/fit.sh images/recovery.its $(1) COMPATIBLE=$(BOARD_COMPATIBLE) \
		$(B)/deps/linux/Image.lzma:kernel.lzma $(IMG)/board.dtb:board.dtb \
		$(2).cpio.xz:ramdisk.cpio.xz

$(UPD)/recovery-2-good.itb: $(IMG)/recovery.itb tests/board/update_self.mk | $(UPD)
	$(Q)rm -rf $(UPD)/recovery-root-2 && cp -R $(IMG)/recovery-root $(UPD)/recovery-root-2
	$(Q)sed -i 's/"release": [0-9]*,/"release": 2,/' $(UPD)/recovery-root-2/etc/lifeboat/recovery.json
	$(Q)$(call recovery_of,$@,$(UPD)/recovery-root-2)

$(UPD)/recovery-2-dies.itb $(UPD)/recovery-2-hangs.itb: $(UPD)/recovery-2-%.itb: $(WRONG)/recovery-%.itb | $(UPD)
	$(Q)cp $< $@

# starts, reads the records, and is gone
$(UPD)/recovery-2-crashes.itb: $(UPD)/recovery-2-good.itb tests/board/wrong/recovery-crashes
	$(Q)rm -rf $(UPD)/crashes-root && cp -R $(UPD)/recovery-root-2 $(UPD)/crashes-root
	$(Q)mv $(UPD)/crashes-root/bin/lifeboat-recovery $(UPD)/crashes-root/bin/lifeboat-recovery.real
	$(Q)install -m 755 tests/board/wrong/recovery-crashes $(UPD)/crashes-root/bin/lifeboat-recovery
	$(Q)$(call recovery_of,$@,$(UPD)/crashes-root)

# the very same recovery, signed with a key that the bootloader does not have
$(UPD)/recovery-2-foreign.itb: $(UPD)/recovery-2-good.itb $(WRONG)/foreign-keys/fit/$(FIT_KEY_NAME).crt
	$(Q)$(FIT_ENV) FIT_KEY_DIR=$(WRONG)/foreign-keys/fit images/fit.sh images/recovery.its $@ \
		COMPATIBLE=$(BOARD_COMPATIBLE) $(B)/deps/linux/Image.lzma:kernel.lzma \
		$(IMG)/board.dtb:board.dtb $(UPD)/recovery-root-2.cpio.xz:ramdisk.cpio.xz

# release 1 that does not know the bootloader's key: it finds out by trying
$(UPD)/recovery-blind.itb: $(IMG)/recovery.itb tests/board/update_self.mk | $(UPD)
	$(Q)rm -rf $(UPD)/blind-root && cp -R $(IMG)/recovery-root $(UPD)/blind-root
	$(Q)sed -i '/"fit_key":/d' $(UPD)/blind-root/etc/lifeboat/recovery.json
	$(Q)$(call recovery_of,$@,$(UPD)/blind-root)

# $(call self_update_description,RECOVERY): min_recovery only where it can be had
define self_update_description
{
  "product": "lifeboat-refboard",
  "hardware": ["$(BOARD_COMPATIBLE)"],
  "version": "2.0",
  "release": 2,
  "min_release": 1,
  "min_recovery": $(if $(findstring good,$(1)),2,1),
  "images": [
    {"name": "recovery", "kind": "recovery", "recovery_release": 2, "file": "$(abspath $(1))"},
    {"name": "boot", "kind": "fit", "file": "$(abspath $(IMG)/main-2.itb)"},
    {"name": "root", "kind": "raw", "file": "$(abspath $(IMG)/root-2.img)"}
  ]
}
endef

$(UPD)/recovery-2-%.json: $(UPD)/recovery-2-%.itb $(IMG)/main-2.itb $(IMG)/root-2.img tests/board/update_self.mk
	$(file >$@,$(call self_update_description,$<))

$(UPD)/recovery-2-%.lbu: $(UPD)/recovery-2-%.json $(B)/host/bin/lifeboat $(KEYS)/.made
	$(Q)$(B)/host/bin/lifeboat pack $< --key $(BUNDLE_PRIVATE_KEY) --chunking 4 -o $@

.SECONDARY: $(SELF_UPDATES:%=$(UPD)/recovery-2-%.json) $(SELF_UPDATES:%=$(UPD)/recovery-2-%.itb)

board-files: $(SELF_UPDATE_FILES)
