# SPDX-License-Identifier: GPL-2.0-or-later
"""The floor when somebody deleted or spoiled the record that holds it."""
import pytest

import bundles
from device import release_record
from test_refusals import refused


@pytest.mark.parametrize("record", [None, b"junk", b'{"release":0}'])
def test_the_confirmed_releases_signed_manifest_is_a_floor(device, written, packed, images, keys,
                                                           record):
    confirmed = bundles.write(images[2], keys, 4, min_release=3)
    device.put_records(
        STATE={"state": "confirmed", "release": 4},
        CONFIRMED=release_record(bundles.split(confirmed), 4, ["https://example.invalid/4.lbu"]),
        **({"FLOOR": record} if record else {}))
    refused(device, packed[2], "below-floor")


def test_a_manifest_that_nobody_signed_is_none(device, packed, images):
    confirmed = bundles.write(images[2], bundles.Key.new(), 4, min_release=3)
    device.put_records(STATE={"state": "confirmed", "release": 4}, FLOOR=b"junk", CLOCK=b"junk",
                       CONFIRMED=release_record(bundles.split(confirmed), 4, []))
    assert device.run("--install", packed[2])[0] == 0
