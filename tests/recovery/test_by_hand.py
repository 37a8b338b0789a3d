# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways into recovery by hand, and what it makes of them: docs/RECOVERY.md, the table of ways."""

import shutil
import subprocess

import pytest

import bundles
from device import STATE_BYTES, garbage
from test_flow import confirm, install, serving  # noqa: F401


# ---- too many boots of a confirmed main: the power switch, or a release that fails ---------


@pytest.fixture
def power_switched(make_device, serving):
    """A device with release 2 confirmed, 1 before it, whose power was switched three times; it waits a second."""
    device = make_device(idle_s=1)
    for n in 1, 2:
        install(device, serving[n])
        confirm(device)
    device.put_env(bootcount="3")
    assert device.power_on() == "boot-limit"
    return device


def test_three_power_cycles_wait_for_a_person_and_give_a_whole_main_back(power_switched, server, images):
    device = power_switched
    server.stop()
    before = device.main_digest()
    status, run = device.run()
    assert status == 3, run.text()
    assert [c for c in run.codes() if c in ("examined", "waiting", "returned")] == \
        ["examined", "waiting", "returned"]
    assert device.power_on() == "main" and device.main_digest() == before
    assert device.env()["bootcount"] == "0" and device.env()["upgrade_available"] == "1"
    assert device.state() == "trial"
    assert device.result()["code"] == "trial-failed" and not device.result().get("main_changed")
    confirm(device)
    assert device.state() == "confirmed" and device.holds(images[2])


def test_confirmed_main_that_fails_again_makes_room_for_the_one_before(power_switched, images):
    device = power_switched
    assert device.run()[0] == 3 and device.state() == "trial"
    device.put_env(bootcount="3")
    status, run = device.run()
    assert status == 0 and device.holds(images[1]), run.text()


def test_confirmed_main_with_nothing_to_go_back_to_is_examined_again(make_device, serving, server, images):
    """Fetched again it would be the same: it does not stay down where no server answers."""
    device = make_device(idle_s=1)
    install(device, serving[1])
    confirm(device)
    server.stop()
    for _ in range(3):
        device.put_env(bootcount="3")
        status, run = device.run()
        assert status == 3 and "examined" in run.codes(), run.text()
        assert device.state() == "trial" and device.power_on() == "main" and device.holds(images[1])


def test_release_below_the_floor_is_no_remedy(make_device, server, keys, images):
    device = make_device(idle_s=1)
    for n in 1, 2:
        server.put(f"r{n}.lbu", bundles.write(images[n], keys, n, min_release=n))
        install(device, server.url(f"r{n}.lbu"))
        confirm(device)
    for _ in range(2):
        device.put_env(bootcount="3")
        status, run = device.run()
        assert status == 3 and "examined" in run.codes(), run.text()
        assert device.state() == "trial" and device.power_on() == "main" and device.holds(images[2])


def test_three_power_cycles_and_a_stick_install_what_is_on_it(make_device, serving, packed, images, tmp_path):
    (tmp_path / "stick").mkdir()
    device = make_device(media=[str(tmp_path / "stick")])
    install(device, serving[1])
    confirm(device)
    device.put_env(bootcount="3")
    run = device.start()
    run.wait_for_code("waiting")
    shutil.copy(packed[2], tmp_path / "stick" / "r2.lbu")
    assert run.wait() == 0, run.text()
    assert device.holds(images[2]) and device.state() == "trial"


def test_too_many_boots_of_a_main_that_is_not_whole_fetch_it_again(power_switched, images):
    device = power_switched
    device.write("root", garbage(4096))
    status, run = device.run()
    assert status == 0 and "examined" not in run.codes() and "rescue" in run.codes(), run.text()
    assert device.holds(images[2])


def test_kill_while_main_is_put_on_trial_again_costs_nothing(power_switched, images):
    """Each write of it is cut: it waits again, heals, or hands over, and never fetches another release."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    device = power_switched
    device.save_config()
    fresh, number = device.disk.read_bytes(), 0
    while True:
        number += 1
        device.disk.write_bytes(fresh)
        device.cmdline.write_text("quiet lifeboat.reason=boot-limit\n")
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e",
             f"inject=pwrite64:signal=SIGKILL:when={number}", device.program, "--config",
             device.config, "--quiet"], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 3:
            break
        why = device.power_on()
        if why != "main":
            status, run = device.run(reason=why)
            assert status in (0, 3) and "rescue" not in run.codes(), f"write {number}: {run.text()}"
        assert device.power_on() == "main" and device.holds(images[2])
    assert number > 4


# ---- a key: the flag still says main --------------------------------------------------------


def test_key_leaves_a_main_that_the_flag_still_selects(make_device, serving):
    """Without any record: the bootloader would have started main without the key."""
    device = make_device(idle_s=1)
    install(device, serving[1])
    confirm(device)
    before = device.main_digest()
    device.write("state", bytes(STATE_BYTES))
    assert device.power_on() == "main"
    status, run = device.run(reason="manual")
    assert status == 3 and "waiting" in run.codes(), run.text()
    assert device.power_on() == "main" and device.main_digest() == before
