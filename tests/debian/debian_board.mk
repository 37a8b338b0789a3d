# SPDX-License-Identifier: GPL-2.0-or-later
# Cards with a Debian root file system in slot root, and bundles of its two states (see
# tests/debian). Debian's init is not started: the programs of the small main lie in its tree.
# `make check` tries ext4; DEBIAN_BOARD='ext4 squashfs-xz erofs' tries these.

DEB := $(B)/tests/board/debian
DEBIAN_BOARD ?= ext4
DEBIAN_BOARD_FILES := $(DEB)/release-1.packages $(DEB)/release-2.packages $(foreach t,$(DEBIAN_BOARD),$(DEB)/$(t)/release-1.lbu $(DEB)/$(t)/release-2.lbu $(DEB)/$(t)/card.img)
DEBIAN_STATE_1 := old
DEBIAN_STATE_2 := new

# $(call debian_tree,RELEASE,FOLDER): of what both have, like mount and init, main's counts
debian_tree = rm -rf $(2) && mkdir -p $(2) && \
	tar -C $(2) -xf "$$(LB_BUILD=$(B) CACHE=$(CACHE) tests/debian/trees.sh)/$(DEBIAN_STATE_$(1)).tar" && \
	cp -RP --remove-destination $(IMG)/main-root-$(1)/. $(2)/

$(DEB)/release-%.packages: $(DEBIAN_SCRIPTS) tests/debian/debian_board.mk
	@mkdir -p $(@D)
	$(Q)cp "$$(LB_BUILD=$(B) CACHE=$(CACHE) tests/debian/trees.sh)/$(DEBIAN_STATE_$*).packages" $@

# What the kernel can start from. It does not know the others: there the small main comes
# first, padded, and Debian's image lies behind it.
define debian_with_main
$(DEB)/root-%.$(1): $(IMG)/root-%.img $(DEBIAN_SCRIPTS) tests/debian/debian_board.mk
	@mkdir -p $$(@D)
	$(Q)$$(call debian_tree,$$*,$$@.tree)
	$(Q)tests/debian/image.sh $(1) $$@.tree $$@.new
	$(Q)rm -rf $$@.tree && mv $$@.new $$@
endef
$(foreach t,ext4 squashfs-xz,$(eval $(call debian_with_main,$(t))))

define debian_behind_main
$(DEB)/root-%.$(1): $(IMG)/root-%.img $(call DEBIAN_PAIR,$(1))
	@mkdir -p $$(@D)
	$(Q)cp $$< $$@.new && truncate -s %1M $$@.new
	$(Q)cat $(B)/debian/$$(DEBIAN_STATE_$$*).$(1) >>$$@.new && mv $$@.new $$@
endef
$(foreach t,squashfs-zstd erofs,$(eval $(call debian_behind_main,$(t))))
.SECONDARY: $(foreach t,$(DEBIAN_TYPES),$(DEB)/root-1.$(t) $(DEB)/root-2.$(t))

$(DEB)/ext4.dtb: $(IMG)/main.dtb tests/debian/debian_board.mk
	@mkdir -p $(@D)
	$(Q)cp $< $@.new
	$(Q)fdtput -t s $@.new /chosen bootargs '$(subst squashfs,ext4,$(MAIN_ARGS))' && mv $@.new $@
$(DEB)/ext4/main-%.itb: $(DEB)/ext4.dtb $(IMG)/main-%.itb
	@mkdir -p $(@D)
	$(Q)$(FIT_ENV) images/fit.sh images/main.its $@ COMPATIBLE=$(BOARD_COMPATIBLE) RELEASE=$* \
		$(B)/deps/linux/Image.lzma:kernel.lzma $<:board.dtb
$(foreach t,$(filter-out ext4,$(DEBIAN_TYPES)),$(DEB)/$(t)/main-%.itb): $(IMG)/main-%.itb
	@mkdir -p $(@D)
	$(Q)cp $< $@

# $(call debian_description,TYPE,RELEASE)
define debian_description
{
  "product": "lifeboat-refboard",
  "hardware": ["$(BOARD_COMPATIBLE)"],
  "version": "$(2).0",
  "release": $(2),
  "min_release": 1,
  "images": [
    {"name": "boot", "kind": "fit", "file": "main-$(2).itb"},
    {"name": "root", "kind": "raw", "file": "../root-$(2).$(1)"}
  ]
}
endef

define debian_release
$(DEB)/$(1)/release-$(2).json: $(DEB)/$(1)/main-$(2).itb $(DEB)/root-$(2).$(1) tests/debian/debian_board.mk
	$$(file >$$@,$$(call debian_description,$(1),$(2)))
endef
define debian_type
$(call debian_release,$(1),1)
$(call debian_release,$(1),2)
$(DEB)/$(1)/release-%.lbu: $(DEB)/$(1)/release-%.json $(B)/host/bin/lifeboat $(KEYS)/.made
	$(Q)$(B)/host/bin/lifeboat pack $$< --key $(BUNDLE_PRIVATE_KEY) --level 3 -o $$@
# sparse; the factory's records are the test's
$(DEB)/$(1)/card.img: images/disk.py $(BOARD_LAYOUT) $(IMG)/factory-env.bin $(IMG)/recovery.itb \
		$(DEB)/$(1)/main-1.itb $(DEB)/root-1.$(1)
	$(Q)images/disk.py $(BOARD_LAYOUT) $$@ --size-mib 512 --root-mib 384 env=$(IMG)/factory-env.bin \
		recovery_a=$(IMG)/recovery.itb recovery_b=$(IMG)/recovery.itb \
		boot=$(DEB)/$(1)/main-1.itb root=$(DEB)/root-1.$(1)
endef
$(foreach t,$(DEBIAN_TYPES),$(eval $(call debian_type,$(t))))

board-files: $(DEBIAN_BOARD_FILES)
board-test: export LB_DEBIAN_BOARD = $(DEBIAN_BOARD)
