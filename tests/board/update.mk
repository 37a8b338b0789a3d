# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of whole updates need: small bundles, a release that is not
# healthy, a recovery that gives up soon.

UPD := $(B)/tests/board/update
UPDATE_TEST_FILES := $(UPD)/release-1.lbu $(UPD)/release-2.lbu $(UPD)/release-2-sick.lbu \
	$(UPD)/release-2-from.lbu \
	$(UPD)/recovery-hasty.itb $(UPD)/recovery-brisk.itb $(UPD)/recovery-rom.itb \
	$(UPD)/recovery-knows.itb $(UPD)/recovery-visit.itb $(UPD)/recovery-lamp.itb

# $(call update_description,RELEASE,ROOT)
define update_description
{
  "product": "lifeboat-refboard",
  "hardware": ["$(BOARD_COMPATIBLE)"],
  "version": "$(1).0",
  "release": $(1),
  "min_release": 1,
  "images": [
    {"name": "boot", "kind": "fit", "file": "$(abspath $(IMG)/main-$(1).itb)"},
    {"name": "root", "kind": "raw", "file": "$(abspath $(2))"}
  ]
}
endef

$(UPD):
	@mkdir -p $@

.SECONDARY: $(UPD)/root-2-sick.img
$(UPD)/release-1.json: $(IMG)/main-1.itb $(IMG)/root-1.img tests/board/update.mk | $(UPD)
	$(file >$@,$(call update_description,1,$(IMG)/root-1.img))
$(UPD)/release-2.json: $(IMG)/main-2.itb $(IMG)/root-2.img tests/board/update.mk | $(UPD)
	$(file >$@,$(call update_description,2,$(IMG)/root-2.img))
$(UPD)/release-2-sick.json: $(IMG)/main-2.itb $(UPD)/root-2-sick.img tests/board/update.mk | $(UPD)
	$(file >$@,$(call update_description,2,$(UPD)/root-2-sick.img))

# a health check that fails
$(UPD)/root-2-sick.img: $(IMG)/root-2.img tests/board/wrong/health-fails
	@mkdir -p $(@D)
	$(Q)rm -rf $(UPD)/root-2-sick $@
	$(Q)cp -R $(IMG)/main-root-2 $(UPD)/root-2-sick
	$(Q)install -m 755 tests/board/wrong/health-fails $(UPD)/root-2-sick/etc/lifeboat/health.d/50-sick
	$(Q)mksquashfs $(UPD)/root-2-sick $@ -comp xz -b 128K -no-xattrs -all-root -all-time 1 \
		-mkfs-time 1 -no-progress -quiet

# chunks of 64 KiB: a faulty block lies in one of them, and a connection ends inside of one
$(UPD)/release-%.lbu: $(UPD)/release-%.json $(B)/host/bin/lifeboat $(KEYS)/.made
	$(Q)$(B)/host/bin/lifeboat pack $< --key $(BUNDLE_PRIVATE_KEY) --chunking 4 -o $@

$(UPD)/release-2-from.lbu: $(UPD)/release-2.json $(UPD)/release-1.lbu
	$(Q)$(B)/host/bin/lifeboat pack $< --key $(BUNDLE_PRIVATE_KEY) --from $(UPD)/release-1.lbu -o $@

# the same recovery with shorter times; one that asks as often, but does not give up; one
# whose slot root cannot be written; one that knows a server by itself; one that waits
# a quarter of a minute for a person; and one whose end can be looked at for a while
HASTY_brisk := give_up_s=600 stall_s=15
HASTY_rom := root=/dev/vda
HASTY_knows := urls=https://10.0.2.100:8443/rescue.lbu
HASTY_visit := idle_s=15
$(UPD)/recovery-hasty.itb $(UPD)/recovery-brisk.itb $(UPD)/recovery-rom.itb $(UPD)/recovery-knows.itb \
		$(UPD)/recovery-visit.itb $(UPD)/recovery-lamp.itb: \
		$(UPD)/recovery-%.itb: tests/board/hasty.py \
		tests/board/update.mk $(IMG)/recovery.itb
	@mkdir -p $(@D)
	$(Q)rm -rf $(UPD)/root-$* && cp -R $(IMG)/recovery-root $(UPD)/root-$*
	$(Q)$(PYTHON) tests/board/hasty.py $(UPD)/root-$*/etc/lifeboat/recovery.json $(HASTY_$*)
	$(Q)sed -i 's/^PAUSE_S=.*/PAUSE_S=5/' $(UPD)/root-$*/init
	$(Q)$(if $(filter lamp,$*),sed -i 's/^reboot -f/sleep 5; &/' $(UPD)/root-$*/init)
	$(Q)images/ramdisk.sh $(UPD)/ramdisk-$*.cpio.xz $(UPD)/root-$*
	$(Q)$(FIT_ENV) images/fit.sh images/recovery.its $@ COMPATIBLE=$(BOARD_COMPATIBLE) \
		$(B)/deps/linux/Image.lzma:kernel.lzma $(IMG)/board.dtb:board.dtb \
		$(UPD)/ramdisk-$*.cpio.xz:ramdisk.cpio.xz

board-files: $(UPDATE_TEST_FILES)
