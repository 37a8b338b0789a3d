# SPDX-License-Identifier: GPL-2.0-or-later
"""Blocks that cannot be read or written (simulated by worn_disk.c) are no dead end."""

import pathlib
import subprocess

import pytest

import bundles
from device import ENV_BYTES, MIB, STATE_BYTES, release_record
from test_install import check_installed


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    out = tmp_path_factory.mktemp("worn") / "worn_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", out,
                    pathlib.Path(__file__).with_name("worn_disk.c"), "-ldl"], check=True)
    return out


@pytest.fixture
def wear(monkeypatch, library):
    """wear(worn=[bytes of the disk], stuck=(from, to)) for what is started afterwards."""
    def set_up(worn=(), stuck=None):
        monkeypatch.setenv("LD_PRELOAD", str(library))
        monkeypatch.setenv("WORN", ",".join(map(str, worn)))
        if stuck:
            monkeypatch.setenv("STUCK", f"{stuck[0]}-{stuck[1]}")
    return set_up


def interrupted(device, packed):
    """A device whose update was cut off; its bundle lies in a file."""
    manifest = bundles.sha(bundles.split(packed.read_bytes())[0][1])
    device.put_records(STATE={"state": "updating", "release": 2, "manifest": manifest},
                       REQUEST={"urls": [str(packed)], "release": 2, "manifest": manifest})
    device.put_env(lifeboat_boot="recovery")


def test_unreadable_blocks_of_a_slot_are_written(device, packed, images, wear):
    interrupted(device, packed[2])
    around = device.guarded(images[2])
    root = device.regions["root"][0]
    wear([root + 500_000, root + 501_000 + 4096, root + 5 * MIB])
    status, run = device.run()
    assert status == 0, run.text()
    check_installed(device, images[2], around)


def test_slot_that_cannot_be_written_is_an_error(make_device, packed, wear):
    device = make_device(give_up_s=2)
    root = device.regions["root"][0]
    wear(stuck=(root + MIB, root + MIB + 4096))
    run = device.start("--install", str(packed[2]))
    run.wait_for_code("io-error")
    run.kill()
    assert device.power_on() != "main"


@pytest.mark.parametrize("half", [0, 1])
def test_unreadable_unused_block_of_the_state_region(device, packed, images, wear, half):
    around = device.guarded(images[2])
    wear([device.regions["state"][0] + half * STATE_BYTES // 2 + 300 * 1024])
    status, run = device.run("--install", str(packed[2]))
    assert status == 0, run.text()
    check_installed(device, images[2], around)


def test_stale_half_that_cannot_be_wiped_does_not_keep_main_away(device, wear):
    state = device.regions["state"][0] + STATE_BYTES // 2
    device.write("state", b"something to wipe", STATE_BYTES // 2 + 8192)
    before = device.main_digest()
    wear(stuck=(state, state + STATE_BYTES // 2))
    status, run = device.run("--install", "/nowhere.lbu")
    assert status == 3, run.text()
    assert device.main_digest() == before
    assert device.state() == "confirmed" and device.power_on() == "main"


@pytest.mark.parametrize("copy", ["env0", "env1"])
def test_environment_copy_that_cannot_be_written(device, wear, copy):
    device.put_records(STATE={"state": "requested", "release": 2},
                       REQUEST={"urls": ["/nowhere.lbu"], "release": 2})
    device.put_env(lifeboat_boot="recovery")
    start = device.regions[copy][0]
    wear(stuck=(start, start + ENV_BYTES))
    status, run = device.run()
    assert status == 3, run.text()
    assert device.state() == "confirmed" and device.power_on() == "main"


def test_healing_shows_that_it_works(device, written, images):
    """Hashing main takes long on a large one: whoever feeds the watchdog must hear of it."""
    for name, data in images[1].items():
        device.write(name, data)
    device.put_records(STATE={"state": "confirmed", "release": 1},
                       CONFIRMED=release_record(bundles.split(written[1]), 1, ["/nowhere"]))
    device.put_env(lifeboat_boot="lost")
    status, run = device.run()
    assert status == 0, run.text()
    assert "healed" in run.codes()
    read = [(e["image"], e["durable_bytes"]) for e in run.progress("check")]
    assert ("boot", len(images[1]["boot"])) in read
    assert [n for image, n in read if image == "root"] == \
        [4 * MIB, 8 * MIB, len(images[1]["root"])]
