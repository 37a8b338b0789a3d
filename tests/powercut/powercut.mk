# SPDX-License-Identifier: GPL-2.0-or-later
# The power-cut simulator over the library as it is shipped (host variant, -O2),
# and once more under the sanitizers with fewer cuts and without canaries.

POWERCUT_SRC := $(sort $(wildcard tests/powercut/*.c)) tests/good_signature.c
# speed.c stands in front of the first two, good_signature.c in front of the third, a canary of
# scen_reuse.c in front of the others
POWERCUT_WRAP := -Wl,--wrap=lb_crc32,--wrap=lb_sha256,--wrap=mbedtls_pk_verify \
	-Wl,--wrap=lb_prefix_get,--wrap=lb_prefix_prove
$(call program,powercut,$(POWERCUT_SRC),host asan,$(POWERCUT_WRAP))
# -O2 in every variant: the simulator is not what is tried
$(foreach s,$(POWERCUT_SRC),$(eval CFLAGS_$(subst /,_,$(s:%.c=%)) := -Itests/powercut -O2))

## powercut      power cut at every write and flush, over simulated storage
.PHONY: powercut
powercut: $(B)/host/bin/powercut $(B)/asan/bin/powercut
	$(Q)ASAN_OPTIONS=detect_leaks=1 $(B)/asan/bin/powercut --quick --no-canaries >$(B)/asan/powercut.log 2>&1 || \
	  { cat $(B)/asan/powercut.log; exit 1; }
	@echo "  under the sanitizers, few fates: $$(tail -n 1 $(B)/asan/powercut.log)"
	$(Q)$(B)/host/bin/powercut

## powercut-deep  one cut deeper and with sectors of 512 and 4096 bytes; takes long
.PHONY: powercut-deep
powercut-deep: $(B)/host/bin/powercut
	$(Q)$(B)/host/bin/powercut --deep
