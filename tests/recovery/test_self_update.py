# SPDX-License-Identifier: GPL-2.0-or-later
"""A bundle that carries a newer recovery: two copies, of which one always boots.

The program's release is a setting here, so one program plays both recoveries:
what the boot loader would start from a copy is start(copy).
"""

import pytest

import bundles
from device import MIB, STATE
from fit import make_fit, make_fit_key
from test_install import check_installed
from test_network import check_returned

SELF_UPDATE = 12
COPIES = ("recovery_a", "recovery_b")


@pytest.fixture
def signer(tmp_path):
    """The boot loader's key: a folder with bench.crt."""
    make_fit_key(tmp_path / "signer")
    return tmp_path / "signer"


@pytest.fixture
def old(signer):
    return make_fit(signer, True, 1)


@pytest.fixture
def new(signer):
    return make_fit(signer, True, 2, size=2 * MIB)


@pytest.fixture
def board(make_device, signer, old):
    """A device with two copies of recovery release 1, of which a runs."""
    device = make_device(slots={"boot": 2 * MIB, "root": 12 * MIB,
                                "recovery_a": 3 * MIB, "recovery_b": 3 * MIB},
                         fit_key=str(signer / "bench.crt"))
    for name in COPIES:
        device.write(name, old)
    return device


def carry(images, key, recovery, release=2, **more):
    """Release 2 of main with a recovery of @release."""
    bundle = bundles.write({**images, "recovery": recovery}, key, 2,
                           kinds={"recovery": "recovery"}, targets={"recovery": "recovery_a"},
                           **more)
    return bundles.edit(bundle, key,
                        lambda m: m["images"][-1].update({"recovery_release": release}))


def start(device, *args, **how):
    """What the copy that U-Boot chooses does; copy b is given the new release's number."""
    copy = device.env()["lifeboat_slot"]
    return device.run(*args, copy=copy, **how)


def main_of(device):
    return [device.read(n) for n in ("boot", "root")]


def test_newer_recovery_is_written_to_the_other_copy_and_goes_on(board, bundle_file, keys, images,
                                                                old, new):
    device, main = board, main_of(board)
    bundle = bundle_file(carry(images[2], keys, new))
    status, run = start(device, "--install", bundle)
    assert status == 5 and "recovery-written" in run.codes(), run.text()
    assert device.read("recovery_b", len(new)) == new
    assert device.read("recovery_a", len(old)) == old, "the copy that runs is never written"
    assert main_of(device) == main and device.state() == "requested"
    assert device.env()["lifeboat_slot"] == "b" and device.power_on() == "requested"

    device.settings["recovery"]["release"] = 2
    written = {**images[2], "recovery_a": new, "recovery_b": new}
    around = device.guarded(written)
    status, run = start(device)
    assert status == 0 and "recovery-current" in run.codes(), run.text()
    check_installed(device, written, around)
    assert SELF_UPDATE not in device.records()
    assert device.env()["lifeboat_slot"] == "b"


def test_recovery_that_does_not_start_is_tried_twice_and_done_without(board, bundle_file, keys,
                                                                      images, old, new):
    """U-Boot comes back to copy a each time: it never reported alive."""
    device = board
    bundle = bundle_file(carry(images[2], keys, new))
    status, run = start(device, "--install", bundle)
    assert status == 5, run.text()
    device.put_env(lifeboat_slot="a")
    assert start(device)[0] == 5
    device.put_env(lifeboat_slot="a")
    status, run = start(device)
    assert status == 0 and "recovery-not-updated" in run.codes(), run.text()
    assert device.holds(images[2]) and device.state() == "trial"
    assert device.read("recovery_a", len(old)) == old
    assert device.env()["lifeboat_slot"] == "a"


def test_bundle_that_needs_the_recovery_that_does_not_start_is_refused(board, bundle_file, keys,
                                                                       images, new):
    device, main = board, main_of(board)
    bundle = bundle_file(carry(images[2], keys, new, min_recovery=2))
    assert start(device, "--install", bundle)[0] == 5
    device.put_env(lifeboat_slot="a")
    assert start(device)[0] == 5
    device.put_env(lifeboat_slot="a")
    before = device.main_digest()
    status, run = start(device)
    assert status == 3, run.text()
    check_returned(device, before, "unknown-critical-field")
    assert main_of(device) == main


def test_bundle_may_need_the_recovery_that_it_carries(board, bundle_file, keys, images, new):
    device = board
    assert start(device, "--install", bundle_file(carry(images[2], keys, new,
                                                        min_recovery=2)))[0] == 5
    device.settings["recovery"]["release"] = 2
    status, run = start(device)
    assert status == 0, run.text()
    assert device.holds(images[2])


@pytest.mark.parametrize("kind", ["unsigned", "foreign key", "garbage"])
def test_recovery_that_the_boot_loader_would_refuse_is_not_selected(board, bundle_file, keys,
                                                                    images, old, tmp_path, kind):
    device, main = board, main_of(board)
    bad = {"unsigned": lambda: make_fit(tmp_path / "u", False, 3),
           "foreign key": lambda: make_fit(tmp_path / "f", True, 3),
           "garbage": lambda: bytes(range(256)) * 1000}[kind]()
    status, run = start(device, "--install", bundle_file(carry(images[2], keys, bad)))
    assert status == 3, run.text()
    assert device.result()["code"] == "fit-invalid" and not device.result().get("main_changed")
    assert main_of(device) == main and device.read("recovery_a", len(old)) == old
    assert device.env()["lifeboat_slot"] == "a" and device.power_on() == "main"
    assert device.record(STATE)["state"] == "confirmed"


def test_kill_while_the_other_copy_is_written(board, make_server, keys, images, old, new):
    device, main = board, main_of(board)
    server = make_server().start("limit_rate 1m;")
    server.put("r2.lbu", carry(images[2], keys, new))
    run = device.start("--install", server.url("r2.lbu"), copy="a")
    run.wait_for(lambda r: r.progress("write"))
    run.kill()
    assert device.read("recovery_a", len(old)) == old and main_of(device) == main
    assert device.env()["lifeboat_slot"] == "a" and device.power_on() == "requested"
    server.change("")
    status, run = start(device)
    assert status == 5, run.text()
    assert run.planned()["skip_bytes"] > 0, "what was written counts"
    assert device.read("recovery_b", len(new)) == new


def test_older_recovery_is_left_in_the_bundle(board, bundle_file, keys, images, old, new):
    device = board
    device.settings["recovery"]["release"] = 7
    status, run = start(device, "--install", bundle_file(carry(images[2], keys, new)))
    assert status == 0, run.text()
    assert all(device.read(n, len(old)) == old for n in COPIES)
    assert device.holds(images[2])


def test_broken_other_copy_is_mended_from_a_bundle_with_the_same_recovery(board, bundle_file,
                                                                          keys, images, old):
    device = board
    device.write("recovery_b", bytes(len(old)))
    status, run = start(device, "--install", bundle_file(carry(images[2], keys, old, release=1)))
    assert status == 0, run.text()
    assert device.read("recovery_b", len(old)) == old


def test_program_that_does_not_know_its_copy_leaves_both_alone(board, bundle_file, keys, images,
                                                              old, new):
    """On a workstation there is no boot loader that would start the other one."""
    device = board
    status, run = device.run("--install", bundle_file(carry(images[2], keys, new)))
    assert status == 0, run.text()
    assert all(device.read(n, len(old)) == old for n in COPIES)
