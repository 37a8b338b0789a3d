# SPDX-License-Identifier: GPL-2.0-or-later
"""lb_net_up() in a network namespace; udhcpc is simulated by a script."""

import os
import pathlib
import shutil
import subprocess
import time

import pytest

BUILD = pathlib.Path(os.environ["LB_BUILD"])

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a namespace")

# @udhcpc in the background, as -b does: the address comes a second later
UDHCPC = """#!/bin/sh
echo started >>/run/starts
(sleep 1; /run/ip addr add 192.0.2.9/24 dev v0; exec sleep 60) &
"""


class NetUp:
    """netup in namespaces of its own, where v0 can be made and /sbin is ours."""

    def __init__(self, folder, wait_ms, *address):
        run, sbin = folder / "run", folder / "sbin"
        run.mkdir()
        sbin.mkdir()
        shutil.copy(shutil.which("ip"), run / "ip")
        (sbin / "udhcpc").write_text(UDHCPC)
        (sbin / "udhcpc").chmod(0o755)
        self.run = run
        args = " ".join(map(str, (BUILD / "asan/bin/netup", "v0", wait_ms, *address)))
        self.process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec",
             f"mount --bind {run} /run; mount --bind {sbin} /usr/sbin;"
             "mkfifo /run/link; { read _ </run/link; /run/ip tuntap add v0 mode tap; "
             f"echo >/run/made; }} & {args}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self):
        """(code, milliseconds) of one call; no child is left to be reaped."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        code, took_ms, children = self.process.stdout.readline().split()
        assert children == "none"
        return code, int(took_ms)

    def plug(self):
        (self.run / "link").write_text("\n")
        end = time.monotonic() + 5
        while not (self.run / "made").exists():
            assert time.monotonic() < end
            time.sleep(0.05)

    def starts(self):
        path = self.run / "starts"
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def net_up(tmp_path):
    made = []

    def make(*args):
        made.append(NetUp(tmp_path, *args))
        return made[-1]

    yield make
    for up in made:
        up.process.kill()
        up.process.wait()


def test_interface_that_appears_late_gets_one_udhcpc(net_up):
    up = net_up(300)
    assert up()[0] == "not-found"
    assert up.starts() == 0
    up.plug()
    code, took_ms = up()
    assert code == "source-interrupted" and took_ms >= 300
    for _ in range(5):
        code, took_ms = up()
        assert code == "source-interrupted" and took_ms < 100
    time.sleep(1.5)
    assert up() == ("ok", 0) or up()[1] < 100
    assert up()[0] == "ok"
    assert up.starts() == 1


def test_fixed_address_may_be_set_again(net_up):
    up = net_up(1000, "192.0.2.7/28")
    assert up()[0] == "not-found"
    up.plug()
    for _ in range(3):
        code, took_ms = up()
        assert code == "ok" and took_ms < 100
    assert up.starts() == 0
