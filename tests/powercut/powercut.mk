# SPDX-License-Identifier: GPL-2.0-or-later
# The power-cut simulator over the library as it is shipped (host variant, -O2),
# and once more under the sanitizers with fewer cuts.

POWERCUT_SRC := $(sort $(wildcard tests/powercut/*.c))
$(call program,powercut,$(POWERCUT_SRC),host asan)
$(foreach s,$(POWERCUT_SRC),$(eval CFLAGS_$(subst /,_,$(s:%.c=%)) := -Itests/powercut))

POWERCUT_LOGS := $(B)/host/powercut.1.log $(B)/host/powercut.2.log

# $(1): options. Two processes, half of the cuts each; the last line is their sum.
define run_powercut
@p=$(B)/host/bin/powercut; \
	$$p $(1) --part 1/2 >$(word 1,$(POWERCUT_LOGS)) & first=$$!; ok=0; \
	$$p $(1) --part 2/2 >$(word 2,$(POWERCUT_LOGS)) || ok=1; \
	wait $$first || ok=1; \
	cat $(POWERCUT_LOGS) | grep -v '^powercut:'; \
	$$p --sum $(POWERCUT_LOGS) && test $$ok = 0
endef

## powercut      power cut at every write and flush, over simulated storage
.PHONY: powercut
powercut: $(B)/host/bin/powercut $(B)/asan/bin/powercut
	$(Q)ASAN_OPTIONS=detect_leaks=1 $(B)/asan/bin/powercut --quick >$(B)/asan/powercut.log 2>&1 || \
	  { cat $(B)/asan/powercut.log; exit 1; }
	@echo "  under the sanitizers, few fates: $$(tail -n 1 $(B)/asan/powercut.log)"
	$(call run_powercut,)

## powercut-deep  one cut deeper and with sectors of 512 and 4096 bytes; takes long
.PHONY: powercut-deep
powercut-deep: $(B)/host/bin/powercut
	$(call run_powercut,--deep)
