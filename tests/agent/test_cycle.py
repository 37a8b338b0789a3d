# SPDX-License-Identifier: GPL-2.0-or-later
"""Agent, recovery and host tool together: the whole way round on one device.

The boot loader's part is played by Main.boot(): it counts and decides as
bootscripts/boot.env.in does.
"""

import json
import random
import subprocess

import pytest
from conftest import BUILD, HARDWARE, PRODUCT, Main, new_etag
from device import STATE_BYTES

TOOL = BUILD / "host/bin/lifeboat"
RECOVERY = BUILD / "asan/bin/lifeboat-recovery"


class Vendor:
    """Packs and publishes with the real tool."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        folder.mkdir()
        self.tool("keygen", folder / "key")
        self.key_file = folder / "key.pub.pem"

    def tool(self, *args):
        subprocess.run([TOOL, *map(str, args)], check=True, cwd=self.folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def images(self, release):
        same = random.Random(1).randbytes(400_000)
        return {"boot": b"kernel %d " % release * 3000,
                "root": same + random.Random(release).randbytes(300_000)}

    def release(self, number):
        for name, data in self.images(number).items():
            (self.folder / f"{name}-{number}").write_bytes(data)
        description = self.folder / f"{number}.json"
        description.write_text(json.dumps(
            {"product": PRODUCT, "hardware": [HARDWARE], "version": f"{number}.0",
             "release": number, "min_release": 1, "created": 1700000000 + number,
             "images": [{"name": n, "target": n, "kind": "raw", "file": f"{n}-{number}"}
                        for n in ("boot", "root")]}))
        bundle = self.folder / f"{PRODUCT}-{number}.lbu"
        self.tool("pack", description, "-o", bundle, "--key", self.folder / "key.pem")
        return bundle

    def publish(self, *numbers):
        self.tool("publish", self.server.www, *map(self.release, numbers),
                  "--key", self.folder / "key.pem")
        new_etag(self.server)

    def recall(self, name, *serials):
        self.tool("recall", self.server.www, name, *serials, "--key", self.folder / "key.pem")
        new_etag(self.server)


@pytest.fixture
def vendor(tmp_path, server):
    assert TOOL.exists() and RECOVERY.exists(), "make agent-test builds them"
    return Vendor(tmp_path / "vendor", server)


@pytest.fixture
def board(tmp_path, vendor, server, authority):
    """Release 1 is in the slots and was confirmed by nobody yet."""
    b = Main(tmp_path / "device", vendor.key_file, authority.ca_file,
             server.url("channel.lbc"))
    b.program = RECOVERY
    b.agent_settings.update(interval=1, recovery_dir=str(b.data))
    for name, data in vendor.images(1).items():
        b.write(name, data)
    return b


def boot(board, vendor):
    """Power on: "main" with its release file, or the reason recovery was started for."""
    reason = board.power_on()
    if reason == "main":
        board.put_env(bootcount=f"{int(board.env()['bootcount'], 16) + 1:x}")
        running = [n for n in (1, 2, 3) if board.holds(vendor.images(n))]
        assert running, "main was booted although it is not whole"
        board.set_release(running[0])
    return reason


def until_reboot(board):
    before = board.reboots()
    with board.daemon() as d:
        d.until(lambda: board.reboots() > before)


def recover(board):
    code, run = board.run()
    assert code in (0, 3), f"{code}: {run.text()}"
    return run


def test_from_release_1_to_2(board, vendor):
    vendor.publish(1, 2)
    assert boot(board, vendor) == "main"
    until_reboot(board)
    assert boot(board, vendor) == "requested"
    recover(board)
    assert board.holds(vendor.images(2)) and board.state() == "trial"
    assert boot(board, vendor) == "main"
    with board.daemon() as d:
        d.until(lambda: board.state() == "confirmed")
        d.until(lambda: board.env()["upgrade_available"] == "0")
    s = board.status()
    assert s["running"]["release"] == 2 and s["result"]["code"] == "ok"
    assert s["result"]["deployment"].startswith("2-") and s["result"]["main_changed"]
    assert 0 < s["result"]["fetched_bytes"] < 450_000, "what both releases share is not fetched"
    assert s["confirmed"]["release"] == 2 and s["previous"]["release"] == 1
    assert s["floor"] == 1 and s["boot"]["count"] == 0 and s["request"] is None
    assert board.agent("status", "--log")[1]["log"]


def test_a_release_that_never_gets_healthy_is_replaced(board, vendor, server):
    vendor.publish(1, 2)
    boot(board, vendor)
    until_reboot(board)
    assert boot(board, vendor) == "requested"
    recover(board)
    board.check_script("10-service", "[ $LIFEBOAT_RELEASE != 2 ] || exit 1\n")
    boots = 0
    while boot(board, vendor) == "main":
        until_reboot(board)
        boots += 1
        assert board.status()["result"]["code"] == "health-failed"
    assert boots == 3 and board.power_on() == "boot-limit"
    recover(board)
    assert board.holds(vendor.images(1)) and boot(board, vendor) == "main"
    with board.daemon() as d:
        d.until(lambda: board.state() == "confirmed")
        d.until(lambda: board.status()["backoff"])
        log = (server.folder / "access.log").read_text()
        d.until(lambda: (server.folder / "access.log").read_text().count("channel.lbc")
                > log.count("channel.lbc") + 1)
    s = board.status()
    assert s["running"]["release"] == 1 and s["result"]["code"] == "trial-failed"
    assert s["result"]["release"] == 2 and s["backoff"]["release"] == 2
    assert board.state() == "confirmed", "the bad release was staged again at once"


def test_main_is_back_when_the_server_dies_after_staging(board, vendor, server):
    vendor.publish(1, 2)
    boot(board, vendor)
    until_reboot(board)
    server.stop()
    board.recovery_settings["give_up_s"] = 1
    before = board.main_digest()
    assert boot(board, vendor) == "requested"
    recover(board)
    assert board.main_digest() == before and boot(board, vendor) == "main"
    with board.daemon() as d:
        d.until(lambda: board.status()["backoff"])
    s = board.status()
    assert s["result"]["code"] == "source-unreachable" and not s["result"]["main_changed"]
    assert s["running"]["release"] == 1 and s["backoff"]["failures"] == 1


def test_a_file_of_the_data_partition(board, vendor, server):
    vendor.publish(1)
    path = board.data / "two.lbu"
    path.write_bytes(vendor.release(2).read_bytes())
    boot(board, vendor)
    assert board.agent("install", path)[0] == 0
    server.stop()
    assert boot(board, vendor) == "requested"
    recover(board)
    assert boot(board, vendor) == "main" and board.holds(vendor.images(2))
    assert board.agent("confirm")[0] == 0
    assert board.status()["confirmed"] == {"release": 2, "urls": [f"file://{path}"]}


def test_a_person_asks_for_recovery_and_leaves_again(board, vendor):
    vendor.publish(1)
    boot(board, vendor)
    assert board.agent("reboot-recovery")[0] == 0
    assert boot(board, vendor) in ("manual", "requested")
    board.recovery_settings["idle_s"] = 1
    recover(board)
    assert boot(board, vendor) == "main" and board.state() == "confirmed"


def test_a_stick_in_main_brings_a_release(board, vendor):
    """Main and recovery see it in different folders. Without it in recovery main goes on and does not try again."""
    vendor.publish(1)
    boot(board, vendor)
    stick, there = board.data / "stick", board.data / "recovery" / "stick"
    board.agent_settings.update(handover_dir=str(stick), recovery_dir=str(there))
    board.recovery_settings.update(media=[str(there)], give_up_s=1)
    (stick / "lifeboat").mkdir(parents=True)
    vendor.release(2).rename(stick / "lifeboat" / "r2.lbu")
    assert board.agent("install", stick, "--once")[0] == 0
    assert boot(board, vendor) == "requested"
    recover(board)  # the stick was pulled
    assert boot(board, vendor) == "main" and board.state() == "confirmed"
    assert board.agent("install", stick, "--once")[0] == 3, "it would start recovery for ever"
    assert board.agent("install", stick)[0] == 0
    there.parent.mkdir()
    stick.rename(there)
    assert boot(board, vendor) == "requested"
    recover(board)
    assert boot(board, vendor) == "main" and board.holds(vendor.images(2))


def test_a_server_asks_for_recovery(board, vendor):
    """The host tool writes the request, recovery waits for nobody, main goes on and does not ask again."""
    board.agent_settings["serial"] = "SN-1"
    vendor.publish(1)
    boot(board, vendor)
    assert board.agent("check")[0] == 3
    vendor.recall("repair-7", "SN-1")
    until_reboot(board)
    assert boot(board, vendor) == "requested"
    board.recovery_settings["idle_s"] = 1
    assert "waiting" in recover(board).codes()
    assert boot(board, vendor) == "main" and board.state() == "confirmed"
    vendor.publish(1, 2)  # with the request still in it
    until_reboot(board)
    assert board.state() == "requested" and board.status()["request"]["release"] == 2


def test_a_visit_to_a_device_without_a_state_record_ends(board, vendor):
    """No factory wrote one and no update either: main's own word is what says that it is good."""
    vendor.publish(1)
    board.write("state", bytes(STATE_BYTES))
    before = board.main_digest()
    boot(board, vendor)
    assert board.agent("reboot-recovery")[0] == 0
    assert boot(board, vendor) == "requested"
    board.recovery_settings["idle_s"] = 1
    run = recover(board)
    assert "waiting" in run.codes() and board.main_digest() == before
    assert boot(board, vendor) == "main" and board.state() == "confirmed"
