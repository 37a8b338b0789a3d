# SPDX-License-Identifier: GPL-2.0-or-later
# The demonstration: two releases with enough content that a power cut has a middle.

DEMO := $(B)/demo
DEMO_MIB := 16
DEMO_ROOT = $(IMG)/large/root-$(1)-$(DEMO_MIB).img

define DEMO_DESCRIPTION
{
  "product": "lifeboat-refboard",
  "hardware": ["$(BOARD_COMPATIBLE)"],
  "version": "$*.0",
  "release": $*,
  "min_release": 1,
  "images": [
    {"name": "boot", "kind": "fit", "file": "$(abspath $(IMG)/main-$*.itb)"},
    {"name": "root", "kind": "raw", "file": "$(abspath $(call DEMO_ROOT,$*))"}
  ]
}
endef

.SECONDARY: $(foreach n,1 2,$(DEMO)/release-$(n).json $(call DEMO_ROOT,$(n)))
$(DEMO):
	@mkdir -p $@

$(DEMO)/release-%.json: tests/demo/demo.mk $(IMG)/main-%.itb $(IMG)/large/root-%-$(DEMO_MIB).img | $(DEMO)
	$(file >$@,$(DEMO_DESCRIPTION))

$(DEMO)/release-%.lbu: $(DEMO)/release-%.json $(B)/host/bin/lifeboat $(KEYS)/.made
	@echo "  PACK    $@"
	$(Q)$(B)/host/bin/lifeboat pack $< --key $(BUNDLE_PRIVATE_KEY) -o $@

# release 1 as the factory writes it
$(DEMO)/disk.img: $(DISK_DEPS) $(call DEMO_ROOT,1) tests/demo/demo.mk
	@mkdir -p $(@D)
	$(Q)images/disk.py $(BOARD_LAYOUT) $@ --size-mib 256 \
		$(filter-out root=%,$(DISK_CONTENTS)) root=$(call DEMO_ROOT,1)

## demo          the main job on an emulated board: update, power cut, resume, confirm
.PHONY: demo
demo: $(DEMO)/disk.img $(DEMO)/release-1.lbu $(DEMO)/release-2.lbu $(IMG)/u-boot.bin
	@$(PYTHON) -B tests/demo/demo.py $(B)
