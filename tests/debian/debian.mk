# SPDX-License-Identifier: GPL-2.0-or-later
# A real system to measure and to test with: images of a Debian arm64 root file system in
# two states, build/debian/{old,new}.TYPE, taken out of the cache or made.

DEBIAN_TYPES := ext4 squashfs-zstd squashfs-xz erofs
DEBIAN_SCRIPTS := $(wildcard tests/debian/*.sh)
DEBIAN_PAIR = $(foreach t,$(1),$(B)/debian/old.$(t) $(B)/debian/new.$(t))

define debian_rule
$(B)/debian/new.$(1): $(B)/debian/old.$(1)
$(B)/debian/old.$(1): $(DEBIAN_SCRIPTS) deps/mirrors.py
	@mkdir -p $$(@D)
	$$(Q)folder=$$$$(LB_BUILD=$$(B) CACHE=$$(CACHE) tests/debian/pair.sh $(1)) && \
		ln -sf $$$$folder/old.$(1) $$$$folder/new.$(1) $$(@D)/
endef
$(foreach t,$(DEBIAN_TYPES),$(eval $(call debian_rule,$(t))))

## debian-pair   a Debian root file system in two states (TYPES='ext4 erofs': only these)
.PHONY: debian-pair
debian-pair: $(call DEBIAN_PAIR,$(or $(TYPES),$(DEBIAN_TYPES)))
