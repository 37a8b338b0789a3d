#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: page.py page.html OUT.c

The page as a C string, with a Content-Security-Policy that admits exactly its script and style.
"""
import base64
import hashlib
import re
import sys
from pathlib import Path

LIMIT = 20 * 1024


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def inner(page, tag):
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
    if len(found) != 1:
        sys.exit(f"page.py: one <{tag}> is wanted, {len(found)} are there")
    return found[0]


def main(source, target):
    page = Path(source).read_text(encoding="ascii")
    if len(page) > LIMIT:
        sys.exit(f"page.py: the page has {len(page)} bytes, at most {LIMIT} are allowed")
    policy = (f"default-src 'none'; script-src {digest(inner(page, 'script'))}; style-src {digest(inner(page, 'style'))}; "
              "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
    lines = [f"\t{quote(line)}" for line in page.splitlines(keepends=True)]
    Path(target).write_text("/* made by recovery/page/page.py */\n#include \"page.h\"\n\n"
                            "const char web_page[] =\n" + "\n".join(lines) + ";\n"
                            "const size_t web_page_len = sizeof(web_page) - 1;\n"
                            f"const char web_page_policy[] = {quote(policy)};\n", encoding="ascii")


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("\n", "\\n") + '"'


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
