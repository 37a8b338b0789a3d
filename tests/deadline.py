# SPDX-License-Identifier: GPL-2.0-or-later
"""A plugin of pytest for machines that may be too slow, as `-p deadline` in the tiers that use it.

LB_DEADLINE is a time in seconds since 1970, unset means that everything runs. Behind it, tests
with the mark `late` are left out, and behind GRACE_S more all that have not begun. Late ones
come last, so that it hits them. What was left out is named at the end, and so is what failed
once and passed when it was tried again (--reruns of pytest-rerunfailures).
"""
import os
import time

import pytest

GRACE_S = 480
REASON = "left out: the time was over"


def over(seconds=0):
    """Whether the deadline and so many seconds behind it have passed."""
    end = os.environ.get("LB_DEADLINE", "")
    return bool(end) and time.time() > float(end) + seconds


def pytest_configure(config):
    config.addinivalue_line("markers", "late: left out where the time is over, see tests/deadline.py")


def is_late(item):
    return item.get_closest_marker("late") is not None


def pytest_collection_modifyitems(items):
    items.sort(key=is_late)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if over(0 if is_late(item) else GRACE_S):
        pytest.skip(REASON)


def pytest_terminal_summary(terminalreporter):
    stats = terminalreporter.stats
    left = [r.nodeid for r in stats.get("skipped", []) if REASON in str(r.longrepr)]
    again = sorted({r.nodeid for r in stats.get("rerun", [])})
    for what, names in (("left out", left), ("tried twice", again)):
        if names:
            terminalreporter.write_line(f"{what}, {len(names)}: {' '.join(names)}")
