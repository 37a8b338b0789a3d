# SPDX-License-Identifier: GPL-2.0-or-later
"""A plugin of pytest for machines that may be too slow for all cases: `-p deadline`.

LB_DEADLINE is a time in seconds since 1970; unset: everything runs. Behind it, cases with the
mark `late` are left out, and OTHERS_TAKE_S later all that have not begun. What is late comes
last. What was left out is named at the end, and so is what failed once and passed when it was
tried again (--reruns of pytest-rerunfailures).
"""
import os
import time
from collections import Counter

import pytest

IS_LATE = pytest.StashKey[bool]()
OTHERS_TAKE_S = 480     # what is not late is begun for so long behind the deadline
LEFT_OUT = "left out: the time was over (LB_DEADLINE)"


def pytest_configure(config):
    config.addinivalue_line("markers", "late(after=0): but for its first AFTER cases "
                            "it comes last, and is left out behind LB_DEADLINE")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What is late comes last: the first case of each test, then the variations of it."""
    cases, ranks = Counter(), {}
    for item in items:
        test, mark = item.nodeid.partition("[")[0], item.get_closest_marker("late")
        late = mark is not None and cases[test] >= mark.kwargs.get("after", 0)
        item.stash[IS_LATE] = late
        ranks[item] = late + (late and cases[test] > 0)
        cases[test] += 1
    items.sort(key=ranks.get)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    deadline = float(os.environ.get("LB_DEADLINE") or "inf")
    if time.time() > deadline + (0 if item.stash[IS_LATE] else OTHERS_TAKE_S):
        pytest.skip(LEFT_OUT)


def pytest_terminal_summary(terminalreporter):
    def names(reports):
        return sorted({report.nodeid.rpartition("::")[2] for report in reports})

    stats = terminalreporter.stats
    left_out = names(r for r in stats.get("skipped", ()) if LEFT_OUT in str(r.longrepr))
    if left_out:
        terminalreporter.write_line(f"{len(left_out)} cases {LEFT_OUT}: {', '.join(left_out)}")
    again = names(stats.get("rerun", ()))
    if again:
        terminalreporter.write_line(f"{len(again)} cases tried twice: {', '.join(again)}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Who is free takes the next case: xdist deals them out in heaps (newer: --maxschedchunk=1)."""
    from xdist.scheduler import LoadScheduling

    class InOrder(LoadScheduling):
        def _send_tests(self, node, num):
            # a worker has to know which case is next before it begins one
            super()._send_tests(node, min(num, 2 - len(self.node2pending[node])))

    return InOrder(config, log) if config.getvalue("dist") == "load" else None
