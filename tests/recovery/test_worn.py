# SPDX-License-Identifier: GPL-2.0-or-later
"""Blocks that cannot be read or written (simulated by worn_disk.c) are no dead end."""

import pathlib
import subprocess
import time

import pytest

import bundles
from device import ENV_BYTES, MIB, STATE, STATE_BYTES, record_encode, release_record
from test_install import check_installed

BLOCK = 4096


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


def test_unreadable_block_behind_an_image_is_nobodys_business(device, packed, images, wear):
    """What is read ahead of the read-back may be what cannot be read."""
    start, size = device.regions["root"]
    behind = (len(images[2]["root"]) + BLOCK - 1) // BLOCK * BLOCK
    assert behind + MIB <= size
    wear([start + behind])
    status, run = device.run("--install", str(packed[2]))
    assert status == 0, run.text()
    assert "medium-worn" not in run.codes()


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


def hide_newest_record(device, wear, older, url="/nowhere.lbu"):
    """Main is being written; that record cannot be read, and the one before it says @older."""
    device.put_records(REQUEST={"urls": [url], "release": 2},
                       STATE={"state": older, "release": 2})
    newest = record_encode(STATE, b'{"state":"updating","release":2}', 3)
    device.write("state", newest, 3 * BLOCK)
    assert device.state() == "updating"
    wear([device.regions["state"][0] + 3 * BLOCK])


@pytest.mark.parametrize("older", ["confirmed", "requested", "trial"])
def test_record_before_one_that_cannot_be_read_is_not_believed(make_device, wear, older):
    """Whichever it is, main may be half written: it is not given back when no server answers."""
    device = make_device(give_up_s=1)
    hide_newest_record(device, wear, older)
    device.put_env(lifeboat_boot="recovery")
    run = device.start()
    run.wait_for_code("rescue")
    run.kill()
    assert device.power_on() != "main" and device.state() == "rescue"


def test_what_was_requested_is_not_blamed_when_newer_records_may_be_lost(device, packed, images,
                                                                         wear):
    """No release is on record: its bundle is the only way out."""
    around = device.guarded(images[2])
    hide_newest_record(device, wear, "requested", str(packed[2]))
    device.put_env(lifeboat_boot="recovery")
    status, run = device.run()
    assert status == 0 and "rescue" in run.codes(), run.text()
    check_installed(device, images[2], around)


def test_person_gets_no_main_back_that_may_be_half_written(make_device, wear, monkeypatch):
    """Nor after a cut: what was written where the lost record was must not hide the doubt."""
    device = make_device(give_up_s=1, idle_s=1)
    hide_newest_record(device, wear, "confirmed")
    device.put_env(lifeboat_boot="manual")
    run = device.start()
    run.wait_for_code("waiting")
    time.sleep(4)
    assert run.process.poll() is None, run.text()
    run.kill()
    assert device.power_on() == "manual"
    monkeypatch.delenv("WORN")  # readable again, or cured by a write
    run = device.start()
    run.wait_for_code("start")
    time.sleep(4)
    assert run.process.poll() is None, run.text()
    run.kill()
    assert device.power_on() != "main"


def test_whole_main_is_given_back_when_the_newest_record_cannot_be_read(device, written, images,
                                                                        wear):
    """And the region is mended: the next start finds nothing unusual."""
    for name, data in images[1].items():
        device.write(name, data)
    confirmed = release_record(bundles.split(written[1]), 1, ["/nowhere"])
    device.put_records(CONFIRMED=confirmed, STATE={"state": "requested", "release": 2})
    place = BLOCK * (2 + (32 + len(confirmed) + BLOCK - 1) // BLOCK)
    device.write("state", record_encode(STATE, b'{"state":"updating","release":2}', 3), place)
    device.put_env(lifeboat_boot="recovery")
    wear([device.regions["state"][0] + place])
    status, run = device.run()
    assert status == 0 and "healed" in run.codes(), run.text()
    assert "newer records may be lost" in run.text()
    assert device.state() == "confirmed" and device.power_on() == "main"
    device.put_env(lifeboat_boot="recovery")
    assert "newer records may be lost" not in device.run()[1].text()    # worn as before


def test_state_region_that_cannot_be_written_keeps_no_good_main_down(make_device, wear):
    device = make_device(give_up_s=1)
    device.put_records(STATE={"state": "requested", "release": 2},
                       REQUEST={"urls": ["/nowhere.lbu"], "release": 2})
    device.put_env(lifeboat_boot="recovery")
    before, start = device.main_digest(), device.regions["state"][0]
    wear(stuck=(start, start + STATE_BYTES))
    status, run = device.run()
    assert status == 3 and "io-error" in run.codes(), run.text()
    assert device.power_on() == "main" and device.main_digest() == before
