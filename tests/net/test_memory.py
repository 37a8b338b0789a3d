# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory does not depend on the size of the file (measured without sanitizers)."""

import pytest
from netlab import httpcat


@pytest.fixture(scope="module")
def sizes(lab):
    for mib in (16, 1024):
        with open(lab.root / f"{mib}m", "wb") as f:
            f.truncate(mib << 20)
    yield
    for mib in (16, 1024):
        (lab.root / f"{mib}m").unlink()


@pytest.mark.parametrize("server", ["plain", "rsa12", "ecdsa13"])
def test_peak_memory_is_the_same_for_any_size(lab, sizes, server, record_property):
    small = httpcat("host", "-c", lab.ca, lab.url(server, "/16m"), "0:end")[0]
    large = httpcat("host", "-c", lab.ca, lab.url(server, "/1024m"), "0:end")[0]
    assert large["code"] == "ok" and large["got"] == 1 << 30
    rate = large["got"] / large["ms"] / 1000
    print(f"net {server}: {rate:.0f} MB/s, VmHWM {large['peak_kib']} KiB")
    record_property("rate_mb_s", rate)
    assert large["peak_kib"] <= small["peak_kib"] + 1024
    assert large["peak_kib"] <= 8192
