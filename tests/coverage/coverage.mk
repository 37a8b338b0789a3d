# SPDX-License-Identifier: GPL-2.0-or-later
# Variant cov: gcc's gcov, hardly optimised. For `make coverage` and `make fuzz-coverage`.
# Counters are not atomic, which took most of the time: threads may lose a count of thousands.

CC_cov := $(CC_host)
AR_cov := $(AR_host)
CFLAGS_cov = $(filter-out -O% -D_FORTIFY_SOURCE=% -fstack-protector%,$(CFLAGS_host)) -O0 \
	-fprofile-arcs -ftest-coverage -fprofile-update=single \
	-Wno-error # that a loop is not unrolled without optimisation is no mistake
LDFLAGS_cov = $(LDFLAGS_host) --coverage
DEPS_cov := $(DEPS_host)
DEPLIBS_cov := $(DEPLIBS_host)
$(eval $(call variant_rules,cov))
# of the tests themselves nothing is counted
$(B)/cov/obj/tests/%.o: private CFLAGS_cov += -O1 -fno-profile-arcs -fno-test-coverage
# most of the time went into digests; where the compiler makes one of two lines they count as one
$(patsubst %,$(B)/cov/obj/lib/%.o,base/sha256 base/sha256_x86): private CFLAGS_cov += -O1
-include $(shell [ -d $(B)/cov/obj ] && find $(B)/cov/obj -name '*.d')

COVERAGE_UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
$(foreach t,$(COVERAGE_UNIT),$(call program,$(t),tests/unit/$(t).c,cov,-lcmocka $$(WRAP_$(t))))
$(call program,powercut,$(sort $(wildcard tests/powercut/*.c)) tests/good_signature.c,cov,$$(POWERCUT_WRAP))

$(call program,httpcat,tests/net/httpcat.c,cov)
$(call program,netup,tests/net/netup.c,cov)
$(call program,lifeboat-recovery,$(RECOVERY_SRC),cov)
$(call program,lifeboat-agent,$(sort $(wildcard main-agent/*.c)),cov)
$(call program,lifeboat,$(TOOLS_SRC),cov)

## coverage      lines of lib/ that unit tests, powercut, order-trace, corpora and net-test reach
.PHONY: coverage
coverage: $(COVERAGE_UNIT:%=$(B)/cov/bin/%) \
	  $(foreach p,powercut order-trace httpcat netup,$(B)/cov/bin/$(p)) \
	  $(patsubst tests/fuzz/%.c,$(B)/cov/bin/%,$(wildcard tests/fuzz/fuzz_*.c))
	$(Q)$(PYTHON) tests/coverage/coverage.py $(B) all $(COVERAGE_UNIT)

## coverage-all  the same and by the other programs' tests: recovery, agent, host tool
.PHONY: coverage-all
coverage-all: $(foreach p,lifeboat-recovery lifeboat-agent lifeboat,$(B)/cov/bin/$(p)) coverage
	$(Q)$(PYTHON) tests/coverage/coverage.py $(B) programs
