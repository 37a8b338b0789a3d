# SPDX-License-Identifier: GPL-2.0-or-later
# lifeboat-agent: polls, checks, stages, confirms. Links no update engine.

$(call program,lifeboat-agent,$(sort $(wildcard main-agent/*.c)),arm64 x86_64 host asan)

# lower bound of every date; recovery.mk sets the same
BUILD_TIME ?= $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),1)
CFLAGS_main-agent_device := -DLB_BUILD_TIME=$(BUILD_TIME)LL

# make install [VARIANT=arm64|x86_64] [prefix=/usr] [DESTDIR=...]: agent, unit, example, manual.
# Nothing is enabled and no configuration is replaced: agent.json.example has to become
# agent.json first.
VARIANT ?= host
prefix ?= /usr/local
sysconfdir ?= /etc
sbindir ?= $(prefix)/sbin
unitdir ?= $(prefix)/lib/systemd/system
docdir ?= $(prefix)/share/doc/lifeboat
INSTALL ?= install

## install       the agent with its systemd unit (VARIANT, prefix, DESTDIR)
.PHONY: install install-agent
install: install-agent
install-agent: $(B)/$(VARIANT)/bin/lifeboat-agent
	@echo "  INSTALL $(DESTDIR)$(sbindir)/lifeboat-agent"
	$(Q)$(INSTALL) -D -m 755 $(if $(filter host,$(VARIANT)),-s) $< $(DESTDIR)$(sbindir)/lifeboat-agent
	$(Q)$(INSTALL) -d -m 755 $(DESTDIR)$(sysconfdir)/lifeboat/health.d \
		$(DESTDIR)$(sysconfdir)/lifeboat/keys $(DESTDIR)$(unitdir)
	$(Q)$(INSTALL) -m 644 main-agent/agent.json.example $(DESTDIR)$(sysconfdir)/lifeboat/
	$(Q)$(INSTALL) -D -m 644 docs/AGENT.md $(DESTDIR)$(docdir)/AGENT.md
	$(Q)sed -e "s|@sbindir@|$(sbindir)|g; s|@sysconfdir@|$(sysconfdir)|g; s|@docdir@|$(docdir)|g" \
		main-agent/systemd/lifeboat-agent.service.in >$(DESTDIR)$(unitdir)/lifeboat-agent.service
	$(Q)chmod 644 $(DESTDIR)$(unitdir)/lifeboat-agent.service
	$(Q)$(INSTALL) -m 755 main-agent/hotplug/lifeboat-stick $(DESTDIR)$(sbindir)/
	$(Q)sed "s|@sbindir@|$(sbindir)|g" main-agent/hotplug/90-lifeboat-stick.rules \
		>$(DESTDIR)$(docdir)/90-lifeboat-stick.rules
