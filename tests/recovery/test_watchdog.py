# SPDX-License-Identifier: GPL-2.0-or-later
"""feed_watchdog of images/common/board.sh, with /dev/null for the watchdog and a short sleep."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

BOARD = pathlib.Path(__file__).resolve().parents[2] / "images/common/board.sh"

# @$1: the heartbeat; ends when the watchdog is no longer fed
SCRIPT = f"""
WATCHDOG=/dev/null
. {BOARD}
sleep() {{ command sleep 0.25; }}
command sleep 200 &
hung=$!
trap 'kill $hung' EXIT
feed_watchdog $hung $1
wait $!
"""


@pytest.fixture
def feed():
    made = []

    def start(*heartbeat):
        made.append(subprocess.Popen(["sh", "-c", SCRIPT, "feed", *map(str, heartbeat)],
                                     start_new_session=True))
        return made[-1]

    yield start
    for process in made:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_program_that_hangs_before_its_first_heartbeat_is_not_fed_for_ever(feed, tmp_path):
    assert feed(tmp_path / "heartbeat").wait(100) == 0


def test_program_whose_heart_beats_is_fed_until_it_stops(feed, tmp_path):
    beat = tmp_path / "heartbeat"
    feeding = feed(beat)
    for _ in range(20):
        beat.touch()
        end = time.monotonic() + 60
        while beat.exists():  # it is removed each time it is seen
            assert feeding.poll() is None and time.monotonic() < end
            time.sleep(0.02)
    assert feeding.wait(100) == 0


def test_program_without_heartbeat_is_fed_while_it_lives(feed):
    feeding = feed()
    time.sleep(5)   # longer than a heartbeat that stays away is borne
    assert feeding.poll() is None
