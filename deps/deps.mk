# SPDX-License-Identifier: GPL-2.0-or-later
# Compilers, flags and third-party libraries of each build variant.
#
#   CC_arm64  AR_arm64  CFLAGS_arm64  LDFLAGS_arm64  DEPS_arm64  DEPLIBS_arm64
#   CC_x86_64 ... the same for devices with such a processor
#   CC_host   ... the developer's machine
#
# DEPS_x are stamps that say the libraries are in build/deps/x/{include,lib}; what
# takes long comes out of $(CACHE), which several checkouts may share. Sanitizer
# builds use the libraries of host. Flags of the libraries: deps/toolchain.sh.

# Packages first, unless the goal works on a bare machine (LB_NO_SETUP=1: never).
ifneq ($(filter-out $(BARE_GOALS),$(or $(MAKECMDGOALS),all)),)
ifeq ($(LB_NO_SETUP),)
$(shell LB_BUILD=$(B) deps/setup.sh >&2)
ifneq ($(.SHELLSTATUS),0)
$(error deps/setup.sh failed; see above)
endif
endif
endif

## setup         install the packages that building and testing need (as root)
setup:
	$(Q)LB_BUILD=$(B) deps/setup.sh

DEPENDENCY_LIBS := mbedtls curl zstd cjson libfdt libubi
DEPS_arm64 := $(DEPENDENCY_LIBS:%=$(B)/deps/arm64/%.stamp)
DEPS_x86_64 := $(DEPENDENCY_LIBS:%=$(B)/deps/x86_64/%.stamp)
DEPS_host := $(DEPENDENCY_LIBS:%=$(B)/deps/host/%.stamp)

# $(call dependency,NAME[:FLAVOUR],VARIANT,FOLDER): copy it out of the cache or build it
dependency = $(Q)env -u MAKEFLAGS LB_BUILD=$(B) CACHE=$(CACHE) deps/build.sh $(1) $(2) $(3)
dependency_inputs = $(wildcard deps/$(1)/*) deps/deps.list deps/build.sh deps/toolchain.sh deps/recipe.sh

define dependency_rule
$(B)/deps/$(2)/$(1).stamp: $$(call dependency_inputs,$(1))
	$$(call dependency,$(1),$(2))
	@touch $$@
endef
$(foreach v,arm64 x86_64,$(foreach n,musl $(DEPENDENCY_LIBS),$(eval $(call dependency_rule,$(n),$(v)))))
$(foreach n,$(DEPENDENCY_LIBS),$(eval $(call dependency_rule,$(n),host)))
$(DEPS_arm64): $(B)/deps/arm64/musl.stamp
$(DEPS_x86_64): $(B)/deps/x86_64/musl.stamp
$(foreach v,arm64 x86_64 host,$(eval $(B)/deps/$(v)/curl.stamp: $(B)/deps/$(v)/mbedtls.stamp))

# Two busyboxes for the board: build/deps/busybox-{recovery,main}/busybox, and the
# names of its applets in busybox.links beside it.
define busybox_rule
$(B)/deps/busybox-$(1)/busybox: $$(call dependency_inputs,busybox) $(B)/deps/arm64/musl.stamp
	$$(call dependency,busybox:$(1),arm64,$$(@D))
	@touch $$@
endef
$(foreach f,recovery main,$(eval $(call busybox_rule,$(f))))
BUSYBOXES := $(B)/deps/busybox-recovery/busybox $(B)/deps/busybox-main/busybox

## deps          third-party libraries of the board and the host
.PHONY: deps
deps: $(DEPS_arm64) $(DEPS_host) $(BUSYBOXES)

DEPLIBS := -lcurl -lmbedtls -lmbedx509 -lmbedcrypto -lzstd -lcjson -lfdt -lubi

# Devices: static and small. Dead code goes by sections and LTO.
DEVICE_CFLAGS := -flto=auto -ffunction-sections -fdata-sections -fno-unwind-tables \
	-fno-asynchronous-unwind-tables -fstack-protector-strong
DEVICE_LDFLAGS := -Wl,--gc-sections -Wl,-z,max-page-size=4096 \
	-Wl,-z,noseparate-code -Wl,-z,noexecstack -Wl,-z,relro,-z,now -Wl,--build-id=none -s

CC_arm64 := aarch64-linux-gnu-gcc -specs=$(B)/deps/arm64/musl.specs
AR_arm64 := aarch64-linux-gnu-gcc-ar
STRIP_arm64 := aarch64-linux-gnu-strip
CFLAGS_arm64 := -Os $(DEVICE_CFLAGS) -isystem $(B)/deps/arm64/include
LDFLAGS_arm64 := -L$(B)/deps/arm64/lib $(DEVICE_LDFLAGS)
DEPLIBS_arm64 := $(DEPLIBS)

CC_x86_64 := x86_64-linux-gnu-gcc -specs=$(B)/deps/x86_64/musl.specs
AR_x86_64 := x86_64-linux-gnu-gcc-ar
CFLAGS_x86_64 := -O2 $(DEVICE_CFLAGS) -isystem $(B)/deps/x86_64/include
LDFLAGS_x86_64 := -L$(B)/deps/x86_64/lib $(DEVICE_LDFLAGS)
DEPLIBS_x86_64 := $(DEPLIBS)

CC_host := gcc
AR_host := gcc-ar
CFLAGS_host := -O2 -g -ffunction-sections -fdata-sections -fstack-protector-strong -D_FORTIFY_SOURCE=2 -pthread \
	-isystem $(B)/deps/host/include
LDFLAGS_host := -L$(B)/deps/host/lib -pthread -Wl,-z,relro,-z,now -Wl,-z,noexecstack
DEPLIBS_host := $(DEPLIBS)

include deps/kconfig.mk

# Bill of materials, SPDX 2.3
$(B)/lifeboat.spdx: deps/sbom.py deps/deps.list $(wildcard deps/*/*.patch)
	@mkdir -p $(@D)
	$(Q)deps/sbom.py $(VERSION) >$@

## sbom          bill of materials: build/lifeboat.spdx
.PHONY: sbom
sbom: $(B)/lifeboat.spdx
