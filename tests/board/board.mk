# SPDX-License-Identifier: GPL-2.0-or-later
# Tests on the emulated board, and the deliberately wrong images that they need.

WRONG := $(B)/tests/board/images
BOARD_TEST_IMAGES := $(WRONG)/main-unsigned.itb $(WRONG)/main-foreign.itb $(WRONG)/main-hangs.itb \
	$(WRONG)/recovery-dies.itb $(WRONG)/recovery-hangs.itb

MAIN_FIT_PARTS = COMPATIBLE=$(BOARD_COMPATIBLE) RELEASE=1 \
	$(B)/deps/linux/Image.lzma:kernel.lzma $(IMG)/main.dtb:board.dtb

$(WRONG)/main-unsigned.itb: $(IMG)/main-1.itb
	@mkdir -p $(@D)
	$(Q)FIT_UNSIGNED=1 $(FIT_ENV) images/fit.sh images/main.its $@ $(MAIN_FIT_PARTS)

# signed with another key of the same name, as an attacker would
$(WRONG)/foreign-keys/fit/$(FIT_KEY_NAME).crt: keys/make-development-keys.sh
	$(Q)keys/make-development-keys.sh $(WRONG)/foreign-keys
$(WRONG)/main-foreign.itb: $(IMG)/main-1.itb $(WRONG)/foreign-keys/fit/$(FIT_KEY_NAME).crt
	$(Q)$(FIT_ENV) FIT_KEY_DIR=$(WRONG)/foreign-keys/fit images/fit.sh images/main.its $@ \
		$(MAIN_FIT_PARTS)

# good signature, but its kernel does nothing for ever
$(WRONG)/main-hangs.itb: tests/board/wrong/hanging_kernel.py $(IMG)/main-1.itb
	@mkdir -p $(@D)
	$(Q)$< $(WRONG)/kernel-hangs && lzma -9 -c $(WRONG)/kernel-hangs >$(WRONG)/kernel-hangs.lzma
	$(Q)$(FIT_ENV) images/fit.sh images/main.its $@ COMPATIBLE=$(BOARD_COMPATIBLE) RELEASE=1 \
		$(WRONG)/kernel-hangs.lzma:kernel.lzma $(IMG)/main.dtb:board.dtb

# good signature, bad init
$(WRONG)/recovery-%.itb: tests/board/wrong/init-% $(IMG)/recovery.itb
	@mkdir -p $(@D)
	$(Q)rm -rf $(WRONG)/root-$* && cp -R $(IMG)/recovery-root $(WRONG)/root-$*
	$(Q)cp $< $(WRONG)/root-$*/init
	$(Q)images/ramdisk.sh $(WRONG)/ramdisk-$*.cpio.xz $(WRONG)/root-$*
	$(Q)$(FIT_ENV) images/fit.sh images/recovery.its $@ COMPATIBLE=$(BOARD_COMPATIBLE) \
		$(B)/deps/linux/Image.lzma:kernel.lzma $(IMG)/board.dtb:board.dtb \
		$(WRONG)/ramdisk-$*.cpio.xz:ramdisk.cpio.xz

# images and bundles that the tests on it need: each of these files of rules adds its own
.PHONY: board-files board-test
board-files: images $(BOARD_TEST_IMAGES)
## board-test          tests on the emulated board, three at a time (T=name: only those)
board-test: board-files
	$(Q)$(PYTEST) -n 3 \
		$(if $(T),-k '$(T)') tests/board

## run          the board on this terminal, with a card that is kept in build/run
run: images
	@mkdir -p $(B)/run
	@[ -e $(B)/run/card.img ] || cp --sparse=always $(IMG)/disk.img $(B)/run/card.img
	@$(PYTHON) tests/board/lbboard.py $(IMG)/u-boot.bin $(B)/run/card.img
