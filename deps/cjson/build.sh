# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# cJSON_Utils (pointers, patches, merging) is not built. The parser recurses; our
# documents nest less than ten levels, so hostile ones end at 32.
compile_archive cjson "-DCJSON_NESTING_LIMIT=32 -DCJSON_HIDE_SYMBOLS" "$SRC/cJSON.c"
headers "$SRC/cJSON.h"
