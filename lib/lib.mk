# SPDX-License-Identifier: GPL-2.0-or-later
# The shared library, once per variant:
#   arm64   static musl, for the board
#   x86_64  the same for devices with such a processor, for `make bench`
#   host    native, with the host tool
#   asan    native with AddressSanitizer and UBSan, for tests
#
# $(call program,NAME,SOURCES,VARIANTS) declares a program that links it.

VARIANTS := arm64 x86_64 host asan
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Wformat=2 -Wvla -Wno-unused-parameter -Werror
OUR_CFLAGS := -std=gnu11 $(WARNINGS) -iquote lib -I$(B)/include -DLB_VERSION='"$(VERSION)"'

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CC_asan ?= $(CC_host)
AR_asan ?= $(AR_host)
CFLAGS_asan ?= $(filter-out -O% -D_FORTIFY_SOURCE=%,$(CFLAGS_host)) -O1 -g $(SANITIZE)
LDFLAGS_asan ?= $(LDFLAGS_host) $(SANITIZE)
DEPS_asan ?= $(DEPS_host)
DEPLIBS_asan ?= $(DEPLIBS_host)

LIB_SRC := $(sort $(wildcard lib/*/*.c))
GENERATED := $(B)/include/config.h $(B)/include/lb_boot_names.h

define variant_rules
$(B)/$(1)/obj/%.o: %.c $$(DEPS_$(1)) | $$(GENERATED)
	@mkdir -p $$(@D)
	@echo "  CC      $(1)/$$*.c"
	$$(Q)$$(CC_$(1)) $$(OUR_CFLAGS) $$(CFLAGS_$(1)) $$(CFLAGS_$$(subst /,_,$$*)) -MMD -MP -c $$< -o $$@

$(B)/$(1)/liblifeboat.a: $$(LIB_SRC:%.c=$(B)/$(1)/obj/%.o)
	@echo "  AR      $$@"
	$$(Q)rm -f $$@ && $$(AR_$(1)) rcs $$@ $$^
endef
$(foreach v,$(VARIANTS),$(eval $(call variant_rules,$(v))))

# program NAME SOURCES VARIANTS [LIBS]: -> build/VARIANT/bin/NAME
define program_variant
$(B)/$(3)/bin/$(1): $(2:%.c=$(B)/$(3)/obj/%.o) $(B)/$(3)/liblifeboat.a
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	$$(Q)$$(CC_$(3)) $$(CFLAGS_$(3)) -o $$@ $$^ $$(LDFLAGS_$(3)) $(4) $$(DEPLIBS_$(3))
endef
program = $(foreach v,$(3),$(eval $(call program_variant,$(1),$(2),$(v),$(4))))

-include $(shell [ -d $(B) ] && find $(VARIANTS:%=$(B)/%/obj) -name '*.d' 2>/dev/null)
