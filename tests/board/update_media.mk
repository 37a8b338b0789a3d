# SPDX-License-Identifier: GPL-2.0-or-later
# Recoveries that find the card behind another controller, one which passes errors on:
# a virtio disk, a USB disk. Impatient ones, and a failure is shown for 5 s only.

MEDIA_DISKS := vda sda
MEDIA_TEST_FILES := $(MEDIA_DISKS:%=$(UPD)/recovery-%.itb)

$(MEDIA_TEST_FILES): $(UPD)/recovery-%.itb: tests/board/hasty.py tests/board/update_media.mk \
		$(IMG)/recovery.itb | $(UPD)
	$(Q)rm -rf $(UPD)/root-$* && cp -R $(IMG)/recovery-root $(UPD)/root-$*
	$(Q)$(PYTHON) tests/board/hasty.py $(UPD)/root-$*/etc/lifeboat/recovery.json
	$(Q)sed -i 's/^DISK=.*/DISK=$*/; s/"$$DISK"p\*/"$$DISK"[0-9]*/' $(UPD)/root-$*/etc/lifeboat/board.sh
	$(Q)sed -i 's/^PAUSE_S=.*/PAUSE_S=5/' $(UPD)/root-$*/init
	$(Q)$(if $(filter sda,$*),sed -i '/^watch_media &/d' $(UPD)/root-$*/init)
	$(Q)$(call recovery_of,$@,$(UPD)/root-$*)

board-files: $(MEDIA_TEST_FILES)
