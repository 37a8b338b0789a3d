# SPDX-License-Identifier: GPL-2.0-or-later
"""lb_net_up() in a network namespace: with a script in udhcpc's place, where it matters when
and how often it is started, and with busybox's udhcpc, udhcpd and the board's own script."""

import os
import pathlib
import shutil
import subprocess
import time

import pytest

BUILD = pathlib.Path(os.environ["LB_BUILD"])
SCRIPT = pathlib.Path(__file__).parents[2] / "images/common/udhcpc.sh"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a namespace")

# @udhcpc in the background, as -b does: the address comes some seconds later
UDHCPC = """#!/bin/sh
echo started >>/run/starts
(sleep 5; /run/ip addr add 192.0.2.9/24 dev v0; exec sleep 60) &
"""


TAP = "/run/ip tuntap add v0 mode tap"
# @the other end of the wire is a DHCP server
WIRE = """
/run/ip link add v0 type veth peer name s0
/run/ip addr add 192.0.2.1/24 dev s0
/run/ip link set s0 up
busybox udhcpd -f -S /run/udhcpd.conf &
"""
UDHCPD = """
start 192.0.2.100
end 192.0.2.100
interface s0
lease_file /run/leases
pidfile /run/udhcpd.pid
option subnet 255.255.255.0
option router 192.0.2.254
option dns 192.0.2.53
option lease 3600
"""


class NetUp:
    """netup in namespaces of its own, where v0 can be made; /run, /etc and /sbin are ours."""

    def __init__(self, folder, wait_ms, address=(), dhcp=False):
        run, sbin, etc = (folder / name for name in ("run", "sbin", "etc"))
        for one in (run, sbin, etc / "lifeboat"):
            one.mkdir(parents=True)
        shutil.copy(shutil.which("ip"), run / "ip")
        (run / "udhcpd.conf").write_text(UDHCPD)
        if dhcp:
            for applet in ("udhcpc", "ifconfig", "route"):
                (sbin / applet).symlink_to("/usr/bin/busybox")
            self.script(etc / "lifeboat/udhcpc.sh",
                        SCRIPT.read_text().replace("/dev/console", "/run/console"))
        else:
            self.script(sbin / "udhcpc", UDHCPC)
        self.run = run
        args = " ".join(map(str, (BUILD / "asan/bin/netup", "v0", wait_ms, *address)))
        self.process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec",
             f"mount --bind {run} /run; mount --bind {sbin} /usr/sbin; mount --bind {etc} /etc;"
             "mkfifo /run/orders; while :; do sh /run/orders >/run/out 2>&1;"
             f"mv /run/out /run/answer; echo >>/run/done; done & {args}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def script(path, text):
        path.write_text(text)
        path.chmod(0o755)

    def __call__(self):
        """(code, milliseconds) of one call; no child is left to be reaped."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        code, took_ms, children = self.process.stdout.readline().split()
        assert children == "none"
        return code, int(took_ms)

    def inside(self, orders):
        """What these commands answer in the namespaces."""
        done = self.run / "done"
        before = done.stat().st_size if done.exists() else 0
        wait_for((self.run / "orders").exists)
        (self.run / "orders").write_text(orders + "\n")
        wait_for(lambda: done.exists() and done.stat().st_size > before)
        return (self.run / "answer").read_text()

    def starts(self):
        path = self.run / "starts"
        return len(path.read_text().splitlines()) if path.exists() else 0


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def net_up(tmp_path):
    made = []

    def make(*args, **options):
        made.append(NetUp(tmp_path, *args, **options))
        return made[-1]

    yield make
    for up in made:
        up.process.stdin.close()  # netup ends, and everything in its namespaces with it
        up.process.wait(60)


def test_interface_that_appears_late_gets_one_udhcpc(net_up):
    up = net_up(300)
    assert up()[0] == "not-found"
    assert up.starts() == 0
    up.inside(TAP)
    code, took_ms = up()
    assert code == "source-interrupted" and took_ms >= 300
    calls = [up() for _ in range(5)]
    assert {code for code, _ in calls} == {"source-interrupted"}
    assert min(took_ms for _, took_ms in calls) < 300, "it does not wait again"
    wait_for(lambda: up()[0] == "ok")
    assert up.starts() == 1


def test_address_gateway_and_name_server_come_from_dhcp(net_up):
    up = net_up(30000, dhcp=True)
    up.inside(WIRE)
    assert up()[0] == "ok"
    wait_for((up.run / "console").exists)  # the script's last step
    assert (up.run / "resolv.conf").read_text() == "nameserver 192.0.2.53\n"
    assert "192.0.2.100/24" in up.inside("/run/ip -4 addr show v0")
    assert "default via 192.0.2.254 dev v0" in up.inside("/run/ip route")
    assert "192.0.2.100" in (up.run / "console").read_text()
    assert up()[0] == "ok"


def test_dhcp_server_that_comes_later_is_found_without_asking_again(net_up):
    up = net_up(200, dhcp=True)
    up.inside(WIRE.replace("busybox udhcpd", "true"))
    assert up()[0] == "source-interrupted"
    up.inside("busybox udhcpd -f -S /run/udhcpd.conf &")
    wait_for(lambda: "192.0.2.100/24" in up.inside("/run/ip -4 addr show v0"))
    assert up()[0] == "ok"


def test_without_udhcpc_it_is_said(net_up):
    up = net_up(200, dhcp=True)
    up.inside(TAP)
    up.inside("rm /usr/sbin/udhcpc")
    assert up()[0] == "io-error"


def test_fixed_address_gateway_and_name_server_are_set(net_up):
    up = net_up(1000, ("192.0.2.7/28", "192.0.2.1", "192.0.2.53"))
    up.inside(TAP)
    for _ in range(2):  # the second time they are there already
        assert up()[0] == "ok"
        assert "192.0.2.7/28" in up.inside("/run/ip -4 addr show v0")
        assert "default via 192.0.2.1 dev v0" in up.inside("/run/ip route")
        assert (up.run / "resolv.conf").read_text() == "nameserver 192.0.2.53\n"
    assert up.starts() == 0


@pytest.mark.parametrize("address", [
    ("192.0.2.7/33",), ("192.0.2.7/",), ("192.0.2/24",), ("192.0.2.7/24x",),
    ("192.0.2.7/24", "gateway"), ("192.0.2.7/24", "192.0.2.1", "dns.example"),
])
def test_what_is_no_address_is_refused(net_up, address):
    up = net_up(1000, address)
    up.inside(TAP)
    assert up()[0] == "invalid-argument"


def test_gateway_out_of_reach_is_refused(net_up):
    up = net_up(1000, ("192.0.2.7/28", "198.51.100.1"))
    up.inside(TAP)
    assert up()[0] == "io-error"


def test_fixed_address_may_be_set_again(net_up):
    up = net_up(1000, ("192.0.2.7/28",))
    assert up()[0] == "not-found"
    up.inside(TAP)
    calls = [up() for _ in range(3)]
    assert {code for code, _ in calls} == {"ok"} and min(took_ms for _, took_ms in calls) < 1000
    assert up.starts() == 0
