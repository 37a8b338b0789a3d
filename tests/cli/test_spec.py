# SPDX-License-Identifier: GPL-2.0-or-later
"""What docs/SPEC.md shows are the bytes of a bundle that the tools accept."""
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


def test_hex_dumps_are_those_of_the_golden_bundle():
    with open(os.path.join(HERE, "../golden/small.lbu"), "rb") as f:
        bundle = f.read()
    with open(os.path.join(HERE, "../../docs/SPEC.md"), encoding="utf-8") as f:
        example = f.read().split("### Example")[1].split("\n## ")[0]
    lines = re.findall(r"^([0-9a-f]{8}): ((?:[0-9a-f]{4} ?)+)", example, re.M)
    assert len(lines) > 25
    for offset, digits in lines:
        data = bytes.fromhex(digits.replace(" ", ""))
        at = int(offset, 16)
        assert bundle[at:at + len(data)] == data, offset
