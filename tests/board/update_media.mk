# SPDX-License-Identifier: GPL-2.0-or-later
# Recoveries that find the card behind another controller, one which passes errors on:
# a virtio disk, a USB disk. Impatient ones, and a failure is shown for 5 s only.
# And one as it is shipped, which finds the card as a virtio disk because that is quick.

MEDIA_DISKS := vda sda
MEDIA_TEST_FILES := $(MEDIA_DISKS:%=$(UPD)/recovery-%.itb)

# $(call media_card,FOLDER,DISK): the recovery in FOLDER has its card there
media_card = sed -i 's/^DISK=.*/DISK=$(2)/; s/"$$DISK"p\*/"$$DISK"[0-9]*/' $(1)/etc/lifeboat/board.sh

$(MEDIA_TEST_FILES): $(UPD)/recovery-%.itb: tests/board/hasty.py tests/board/update_media.mk \
		$(IMG)/recovery.itb | $(UPD)
	$(Q)rm -rf $(UPD)/root-$* && cp -R $(IMG)/recovery-root $(UPD)/root-$*
	$(Q)$(PYTHON) tests/board/hasty.py $(UPD)/root-$*/etc/lifeboat/recovery.json
	$(Q)$(call media_card,$(UPD)/root-$*,$*)
	$(Q)sed -i 's/^PAUSE_S=.*/PAUSE_S=5/' $(UPD)/root-$*/init
	$(Q)$(if $(filter sda,$*),sed -i '/^watch_media &/d' $(UPD)/root-$*/init)
	$(Q)$(call recovery_of,$@,$(UPD)/root-$*)

# the same card as SD card is no medium that somebody inserted
$(UPD)/recovery-disk.itb: tests/board/update_media.mk $(IMG)/recovery.itb | $(UPD)
	$(Q)rm -rf $(UPD)/root-disk && cp -R $(IMG)/recovery-root $(UPD)/root-disk
	$(Q)$(call media_card,$(UPD)/root-disk,vda)
	$(Q)sed -i '/^watch_media &/d' $(UPD)/root-disk/init
	$(Q)$(call recovery_of,$@,$(UPD)/root-disk)

board-files: $(MEDIA_TEST_FILES) $(UPD)/recovery-disk.itb
