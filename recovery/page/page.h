/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page, made from page.html by page.py. */
#ifndef RECOVERY_WEB_PAGE_H
#define RECOVERY_WEB_PAGE_H

#include <stddef.h>

extern const char web_page[];
extern const size_t web_page_len;
extern const char web_page_policy[]; /* Content-Security-Policy: this script and style, no other */

#endif
