# SPDX-License-Identifier: GPL-2.0-or-later
"""hasty.py RECOVERY.json [SETTING=NUMBER | urls=URL | SLOT=/DEVICE]... - shorter times, for tests."""
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    settings = json.load(file)
settings["recovery"] |= {"give_up_s": 8, "retry_min_ms": 200, "retry_max_s": 1, "url_s": 4}
for item in sys.argv[2:]:
    name, value = item.split("=", 1)
    if value.isdigit():
        settings["recovery"][name] = int(value)
    elif name == "urls":
        settings["recovery"][name] = [value]
    else:
        settings["slots"][name] = value
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(settings, file, indent=1)
