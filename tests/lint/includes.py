#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Dependencies in lib/ point one way (docs/DESIGN.md, section 2): names each include that does not."""
import re
import sys
from pathlib import Path

MAY_USE = {
    "base": {"base"},
    "port": {"port", "base"},
    "bundle": {"bundle", "recode", "port", "base"},
    "trust": {"trust", "bundle", "port", "base"},
    "boot": {"boot", "port", "base"},
    "recode": {"recode", "base"},
    "state": {"state", "bundle", "port", "base"},
    "update": {"update", "bundle", "port", "base"},
    "flow": {"flow", "update", "bundle", "trust", "boot", "state", "port", "base"},
    "web": {"web", "base"},
    "linux": {"linux", "state", "trust", "boot", "bundle", "port", "base"},
}


def main():
    bad = 0
    for file in sorted(Path("lib").glob("*/*.[ch]")):
        module = file.parent.name
        for number, line in enumerate(file.read_text().splitlines(), 1):
            match = re.match(r'#include "(\w+)/', line)
            if match and match[1] not in MAY_USE[module]:
                print(f"{file}:{number}: lib/{module} must not use lib/{match[1]}")
                bad += 1
    for program in ("main-agent",):
        for file in sorted(Path(program).glob("*.[ch]")):
            if '#include "update/' in file.read_text():
                print(f"{file}: the agent must hold no update engine")
                bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
