# SPDX-License-Identifier: GPL-2.0-or-later
# Keys of this checkout, and the gate that keeps them out of releases.

KEYS := $(B)/keys
DEV_KEY := lifeboat-development
unquote = $(patsubst "%",%,$(1))

# Kconfig names other keys for a product; empty means this checkout's own.
FIT_KEY_DIR := $(or $(call unquote,$(CONFIG_FIT_KEY_DIR)),$(KEYS)/fit)
FIT_KEY_NAME := $(or $(call unquote,$(CONFIG_FIT_KEY_NAME)),$(DEV_KEY))
BUNDLE_PUBLIC_KEY := $(or $(call unquote,$(CONFIG_BUNDLE_PUBLIC_KEY)),$(KEYS)/bundle/$(DEV_KEY).pub.pem)
TLS_CA := $(or $(call unquote,$(CONFIG_TLS_CA)),$(KEYS)/tls/$(DEV_KEY)-ca.crt)
BUNDLE_PRIVATE_KEY := $(KEYS)/bundle/$(DEV_KEY).pem

.PHONY: keys
## keys          development keys of this checkout, under build/keys
keys: $(KEYS)/.made

$(KEYS)/.made: keys/make-development-keys.sh
	$(Q)keys/make-development-keys.sh $(KEYS)
	@touch $@

# Every image depends on this: in a release it fails for development keys.
$(B)/keys.checked: $(KEYS)/.made keys/refuse-development-keys.sh $(B)/.config-used \
		$(wildcard $(FIT_KEY_DIR)/$(FIT_KEY_NAME).crt $(BUNDLE_PUBLIC_KEY) $(TLS_CA))
	$(Q)$(if $(filter y,$(CONFIG_RELEASE)),keys/refuse-development-keys.sh $(KEYS) \
		$(FIT_KEY_DIR)/$(FIT_KEY_NAME).crt $(BUNDLE_PUBLIC_KEY) $(TLS_CA),true)
	@touch $@

# Changes when the configuration does.
$(B)/.config-used: FORCE
	@mkdir -p $(@D)
	@echo '$(CONFIG_RELEASE) $(FIT_KEY_DIR)/$(FIT_KEY_NAME) $(BUNDLE_PUBLIC_KEY) $(TLS_CA)' | cmp -s - $@ || \
		echo '$(CONFIG_RELEASE) $(FIT_KEY_DIR)/$(FIT_KEY_NAME) $(BUNDLE_PUBLIC_KEY) $(TLS_CA)' >$@

.PHONY: FORCE
FORCE:
