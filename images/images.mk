# SPDX-License-Identifier: GPL-2.0-or-later
# The reference board's images: boot loader with its key, recovery, main releases,
# a whole card.

IMG := $(B)/images
BOARD_LAYOUT := images/refboard-sd.toml
BOARD_COMPATIBLE := lifeboat,refboard-sd

# Releases of the reference main OS, and MiB of content in each root image.
RELEASES ?= 1 2
ROOT_CONTENT_MIB ?= 4
# Of recovery itself: a bundle's recovery replaces an older one only.
RECOVERY_RELEASE ?= 1

# A prompt only if asked for, and never in a release.
UBOOT_VARIANT := $(if $(and $(filter y,$(CONFIG_UBOOT_PROMPT)),$(filter-out y,$(or $(CONFIG_RELEASE),n))),prompt,locked)
UBOOT := $(B)/deps/uboot-$(UBOOT_VARIANT)

BUSYBOX_RECOVERY ?= $(B)/deps/busybox-recovery/busybox
BUSYBOX_MAIN ?= $(B)/deps/busybox-main/busybox
RECOVERY_PROGRAM ?= $(B)/arm64/bin/lifeboat-recovery
AGENT_PROGRAM ?= $(B)/arm64/bin/lifeboat-agent

# Main's kernel arguments live in its signed device tree.
MAIN_ARGS := console=ttyAMA0 panic=1 quiet root=PARTLABEL=root rootfstype=squashfs ro rootwait

FIT_ENV = MKIMAGE=$(UBOOT)/mkimage FIT_KEY_DIR=$(FIT_KEY_DIR) FIT_KEY_NAME=$(FIT_KEY_NAME)
FIT_DEPS := images/fit.sh $(UBOOT)/mkimage $(B)/keys.checked $(B)/deps/linux/Image.lzma

.PHONY: images run
## images          the board's images, releases $(RELEASES)
images: $(IMG)/disk.img $(IMG)/u-boot.bin $(RELEASES:%=$(IMG)/main-%.itb) $(RELEASES:%=$(IMG)/root-%.img)

$(IMG)/board.dtb: images/dtb.sh
	@mkdir -p $(@D)
	$(Q)images/dtb.sh $@ $(BOARD_COMPATIBLE)

# U-Boot's control tree: the board's tree with the only key it accepts.
$(IMG)/u-boot.bin: $(UBOOT)/mkimage $(IMG)/board.dtb $(B)/keys.checked
	$(Q)dtc -q -I dtb -O dtb -p 2048 -o $@.dtb $(IMG)/board.dtb
	$(Q)$(UBOOT)/fdt_add_pubkey -a sha256,rsa$$(openssl x509 -noout -text \
		-in $(FIT_KEY_DIR)/$(FIT_KEY_NAME).crt | sed -n 's/.*Key: (\([0-9]*\) bit).*/\1/p') \
		-k $(FIT_KEY_DIR) -n $(FIT_KEY_NAME) -r conf $@.dtb >/dev/null
	$(Q)cat $(UBOOT)/u-boot-nodtb.bin $@.dtb >$@

# changes when RECOVERY_RELEASE does
.PHONY: recovery-release
$(IMG)/recovery-release: recovery-release
	@mkdir -p $(@D)
	@echo $(RECOVERY_RELEASE) | cmp -s - $@ || echo $(RECOVERY_RELEASE) >$@

RECOVERY_FILES := $(shell find images/recovery-rootfs images/common -type f)
$(IMG)/ramdisk.cpio.xz: images/rootfs.sh images/ramdisk.sh $(RECOVERY_FILES) \
		$(BUSYBOX_RECOVERY) $(RECOVERY_PROGRAM) $(B)/keys.checked $(IMG)/recovery-release
	$(Q)images/rootfs.sh recovery $(IMG)/recovery-root $(BUSYBOX_RECOVERY) $(RECOVERY_PROGRAM)
	$(Q)install -D -m 644 $(BUNDLE_PUBLIC_KEY) $(IMG)/recovery-root/etc/lifeboat/keys/bundle.pem
	$(Q)install -m 644 $(TLS_CA) $(IMG)/recovery-root/etc/lifeboat/ca.pem
	$(Q)install -m 644 $(FIT_KEY_DIR)/$(FIT_KEY_NAME).crt $(IMG)/recovery-root/etc/lifeboat/fit.crt
	$(Q)sed -i 's/"release": 1,/"release": $(RECOVERY_RELEASE),/' \
		$(IMG)/recovery-root/etc/lifeboat/recovery.json
	$(Q)images/ramdisk.sh $@ $(IMG)/recovery-root

$(IMG)/recovery.itb: $(FIT_DEPS) images/recovery.its $(IMG)/board.dtb $(IMG)/ramdisk.cpio.xz
	$(Q)$(FIT_ENV) images/fit.sh images/recovery.its $@ COMPATIBLE=$(BOARD_COMPATIBLE) \
		$(B)/deps/linux/Image.lzma:kernel.lzma $(IMG)/board.dtb:board.dtb \
		$(IMG)/ramdisk.cpio.xz:ramdisk.cpio.xz

$(IMG)/main.dtb: $(IMG)/board.dtb
	$(Q)dtc -q -I dtb -O dts $< | dtc -q -I dts -O dtb -p 1024 -o $@
	$(Q)fdtput -t s $@ /chosen bootargs '$(MAIN_ARGS)'

$(IMG)/main-%.itb: $(FIT_DEPS) images/main.its $(IMG)/main.dtb
	$(Q)$(FIT_ENV) images/fit.sh images/main.its $@ COMPATIBLE=$(BOARD_COMPATIBLE) RELEASE=$* \
		$(B)/deps/linux/Image.lzma:kernel.lzma $(IMG)/main.dtb:board.dtb

MAIN_FILES := $(shell find images/main-rootfs images/common -type f)
$(IMG)/root-%.img: images/rootfs.sh images/pseudo_random.py $(MAIN_FILES) \
		$(BUSYBOX_MAIN) $(AGENT_PROGRAM) $(B)/keys.checked
	@mkdir -p $(@D)
	$(Q)images/rootfs.sh main $(IMG)/main-root-$* $(BUSYBOX_MAIN) $(AGENT_PROGRAM)
	$(Q)install -D -m 644 $(BUNDLE_PUBLIC_KEY) $(IMG)/main-root-$*/etc/lifeboat/keys/bundle.pem
	$(Q)install -m 644 $(TLS_CA) $(IMG)/main-root-$*/etc/lifeboat/ca.pem
	$(Q)printf 'product=lifeboat-refboard\nrelease=%s\n' $* >$(IMG)/main-root-$*/etc/lifeboat-release
	$(Q)images/pseudo_random.py tree $(IMG)/main-root-$*/usr/share/content $(ROOT_CONTENT_MIB) $*
	$(Q)rm -f $@
	$(Q)mksquashfs $(IMG)/main-root-$* $@ -comp xz -b 128K -no-xattrs -all-root -all-time 1 \
		-mkfs-time 1 -no-progress -quiet

# build/images/large/root-2-1024.img: release 2, padded to 1024 MiB with content
# that compresses in part; the kernel does not look behind the end of a squashfs
$(IMG)/large/root-%.img: images/pseudo_random.py $(RELEASES:%=$(IMG)/root-%.img)
	@mkdir -p $(@D)
	$(Q)cp $(IMG)/root-$(firstword $(subst -, ,$*)).img $@
	$(Q)images/pseudo_random.py pad $@ $(lastword $(subst -, ,$*)) $(firstword $(subst -, ,$*))

# The environment of a new card, in both places, made by U-Boot's own tool.
$(IMG)/factory-env.bin: $(B)/bootscripts/factory.env
	@mkdir -p $(@D)
	$(Q)mkenvimage -r -s 0x4000 -o $@ $<

# The state region of a new card: release 1 is confirmed, and what its images have to be is
# on record, so that recovery heals a lost boot flag by itself. A generic card knows no
# server. Needs the private key: with production keys, FACTORY_STATE names a file that
# `lifeboat provision` made where they are; empty: the region stays empty.
FACTORY_STATE ?= $(if $(call unquote,$(CONFIG_BUNDLE_PUBLIC_KEY)),,$(IMG)/state-1.img)

define FACTORY_DESCRIPTION
{
  "product": "lifeboat-refboard",
  "hardware": ["$(BOARD_COMPATIBLE)"],
  "version": "1.0",
  "release": 1,
  "min_release": 1,
  "created": $(BUILD_TIME),
  "images": [
    {"name": "boot", "kind": "fit", "file": "main-1.itb"},
    {"name": "root", "kind": "raw", "file": "root-1.img"}
  ]
}
endef

$(IMG)/release-1.json: images/images.mk $(IMG)/main-1.itb $(IMG)/root-1.img
	$(file >$@,$(FACTORY_DESCRIPTION))

$(IMG)/release-1.lbu: $(IMG)/release-1.json $(LIFEBOAT) $(B)/keys.checked
	@echo "  PACK    $@"
	$(Q)$(LIFEBOAT) pack $< --key $(BUNDLE_PRIVATE_KEY) -o $@ >/dev/null

$(IMG)/state-1.img: $(IMG)/release-1.lbu
	$(Q)$(LIFEBOAT) provision $< --key $(BUNDLE_PUBLIC_KEY) -o $@ >/dev/null

DISK_CONTENTS = env=$(IMG)/factory-env.bin recovery_a=$(IMG)/recovery.itb \
	recovery_b=$(IMG)/recovery.itb boot=$(IMG)/main-1.itb root=$(IMG)/root-1.img \
	$(FACTORY_STATE:%=state=%)
DISK_DEPS := images/disk.py $(BOARD_LAYOUT) $(IMG)/factory-env.bin $(IMG)/recovery.itb \
	$(IMG)/main-1.itb $(IMG)/root-1.img $(FACTORY_STATE)

$(IMG)/disk.img: $(DISK_DEPS)
	$(Q)images/disk.py $(BOARD_LAYOUT) $@ --size-mib 256 $(DISK_CONTENTS)

# the same card with room for root images of a GiB; sparse
$(IMG)/large/disk.img: $(DISK_DEPS)
	@mkdir -p $(@D)
	$(Q)images/disk.py $(BOARD_LAYOUT) $@ --size-mib 2048 --root-mib 1088 $(DISK_CONTENTS)

## size          what recovery costs, as NAME BYTES LIMIT; fails if one is over
.PHONY: size
size: $(IMG)/ramdisk.cpio.xz $(IMG)/recovery.itb
	@images/size.py $^ $(B)/tests/recovery
