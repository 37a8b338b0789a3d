# SPDX-License-Identifier: GPL-2.0-or-later
"""A plugin of pytest for machines that may be too slow for all cases: `-p deadline`.

LB_DEADLINE is a time in seconds since 1970; unset: everything runs. Behind it, cases with the
mark `late` are left out, and OTHERS_TAKE_S later all that have not begun. What is late comes
last. How many were left out goes into the file LB_LEFT_OUT, too; a run in which nothing was
tried has failed. What failed once and passed when it was tried again (--reruns of
pytest-rerunfailures) is shown, with its failure.
"""
import os
import time
from collections import Counter

import pytest

IS_LATE = pytest.StashKey[bool]()
OTHERS_TAKE_S = 480     # what is not late is begun for so long behind the deadline
LEFT_OUT = "left out: the time was over (LB_DEADLINE)"
NOT_LATE, LATE, VARIATION = range(3)    # the order of cases


def pytest_configure(config):
    config.addinivalue_line("markers", "late(after=0): but for its first AFTER cases "
                            "it comes last, and is left out behind LB_DEADLINE")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What is late comes last: the first case of each test, then the variations of it."""
    cases, ranks = Counter(), {}
    for item in items:
        test, mark = item.nodeid.partition("[")[0], item.get_closest_marker("late")
        item.stash[IS_LATE] = mark is not None and cases[test] >= mark.kwargs.get("after", 0)
        ranks[item] = NOT_LATE if not item.stash[IS_LATE] else VARIATION if cases[test] else LATE
        cases[test] += 1
    items.sort(key=ranks.get)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    deadline = float(os.environ.get("LB_DEADLINE") or "inf")
    if time.time() <= deadline + (0 if item.stash[IS_LATE] else OTHERS_TAKE_S):
        return
    if getattr(item, "execution_count", 1) > 1:
        pytest.fail("it failed, and there is no time for another try", pytrace=False)
    pytest.skip(LEFT_OUT)


def left_out(stats):
    return [r.nodeid for r in stats.get("skipped", ()) if LEFT_OUT in str(r.longrepr)]


def passed_in_the_end(stats):
    """First failures of what passed then."""
    failed = {r.nodeid for outcome in ("failed", "error") for r in stats.get(outcome, ())}
    return [r for r in stats.get("rerun", ()) if r.nodeid not in failed]


def pytest_terminal_summary(terminalreporter, config):
    say, names = terminalreporter.write_line, left_out(terminalreporter.stats)
    if names:
        say(f"{len(names)} cases {LEFT_OUT}: {', '.join(n.partition('::')[2] for n in names)}")
    if names and os.environ.get("LB_LEFT_OUT"):
        with open(os.environ["LB_LEFT_OUT"], "a", encoding="utf-8") as file:
            file.write(f"{len(names)} cases of {config.args[-1]}\n")
    for report in passed_in_the_end(terminalreporter.stats):
        terminalreporter.write_sep("_", f"tried twice, and passed then: {report.nodeid}")
        say(report.longreprtext)


def pytest_sessionfinish(session):
    """Where it is known what all workers did."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and left_out(reporter.stats) and not reporter.stats.get("passed"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Who is free takes the next case: xdist deals them out in heaps (newer: --maxschedchunk=1)."""
    from xdist.scheduler import LoadScheduling

    class InOrder(LoadScheduling):
        def _send_tests(self, node, num):
            # a worker has to know which case is next before it begins one
            super()._send_tests(node, min(num, 2 - len(self.node2pending[node])))

    return InOrder(config, log) if config.getvalue("dist") == "load" else None
