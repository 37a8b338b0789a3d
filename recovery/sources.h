/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where this recovery can get bundles from: servers, files, inserted media. */
#ifndef RECOVERY_SOURCES_H
#define RECOVERY_SOURCES_H

#include "settings.h"

/* @s is borrowed. */
struct lb_sources sources_of(const struct settings *s);

#endif
