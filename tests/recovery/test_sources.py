# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts of the device that recovery may read to find what an update is missing; `sources`."""

import json
import random
import subprocess

import pytest

from conftest import pack
from device import MIB, garbage
from test_install import check_installed, install

SIZE = 6 * MIB + 4321
LONGEST = 256 * 1024  # of a chunk, docs/SPEC.md


@pytest.fixture(scope="module")
def images():
    return {"root": random.Random(51).randbytes(SIZE)}


@pytest.fixture(scope="module")
def bundle(programs, keys, images):
    return pack(programs, keys, "sources", images, 2)


@pytest.fixture
def near(make_device, images):
    """The slot holds nothing of use; the image before lies in another slot, and in a file."""
    device = make_device(slots={"root": 8 * MIB, "recovery_a": 8 * MIB})
    device.write("root", garbage(8 * MIB, 3))
    old = images["root"][:MIB] + b"something else" + images["root"][MIB:]
    device.write("recovery_a", old)
    beside = device.folder / "beside.img"
    beside.write_bytes(garbage(12_345, 4) + old)
    beside.chmod(0o444)
    return device


def configure(device, *sources):
    device.settings["recovery"]["sources"] = list(sources)


def test_by_default_only_the_slots_of_the_bundle_are_read(near, images, bundle):
    run = install(near, images, bundle)
    assert run.planned()["copy_bytes"] == 0


@pytest.mark.parametrize("how", ["slot", "file", "region"])
def test_what_a_source_holds_is_not_fetched(near, images, bundle, how):
    beside = str(near.folder / "beside.img")
    before = (near.folder / "beside.img").read_bytes()
    configure(near, {"slot": "recovery_a", "file": beside,
                     "region": {"path": beside, "offset": 4096, "size": 6 * MIB}}[how])
    run = install(near, images, bundle)
    assert run.planned()["copy_bytes"] > SIZE - MIB - 3 * LONGEST
    assert run.fetched() == run.planned()["fetch_bytes"] <= 3 * LONGEST + (how == "region") * MIB
    assert (near.folder / "beside.img").read_bytes() == before


def test_a_source_is_named_twice_or_is_written_itself(near, images, bundle):
    """The slot that is written is one already."""
    near.write("root", near.read("recovery_a"))
    configure(near, "root", "recovery_a", "recovery_a")
    run = install(near, images, bundle)
    assert run.planned()["fetch_bytes"] <= 3 * LONGEST


def test_a_source_that_is_not_there_is_said_and_left_out(near, images, bundle):
    configure(near, str(near.folder / "no-such-file"), "recovery_a")
    run = install(near, images, bundle)
    assert "slot-missing" in run.codes()
    assert run.planned()["fetch_bytes"] <= 3 * LONGEST


def test_a_kill_while_it_is_copied_from_a_source_costs_nothing_there(near, images, bundle):
    around = near.guarded(images)
    configure(near, "recovery_a")
    run = near.start("--install", str(bundle))
    run.wait_for(lambda r: r.progress("write") or not r.running())
    run.kill()
    if near.power_on() == "requested":
        status, run = near.run()
        assert status == 0, run.text()
        assert run.planned()["fetch_bytes"] <= 3 * LONGEST
    check_installed(near, images, around)


def test_diff_predicts_it(near, images, bundle, programs):
    slot, beside = near.folder / "root", near.folder / "beside.img"
    slot.write_bytes(near.read("root"))
    said = json.loads(subprocess.run(
        [programs["tool"], "diff", f"root={slot}", bundle, f"--source={beside}", "--json"],
        check=True, capture_output=True, text=True).stdout)
    configure(near, str(near.folder / "beside.img"))
    planned = install(near, images, bundle).planned()
    for name in ("copy_bytes", "fetch_bytes", "write_bytes", "plan_ranges"):
        assert planned[name] == said["total"][name], name
    assert planned["copy_bytes"] > 0


@pytest.mark.parametrize("wrong, words", [
    (["nowhere"], "no slot nowhere"),
    ([7], "neither a path nor an object"),
    ([{"path": "/x", "length": 7}], "is not known"),
    (["recovery_a"] * 9, "at most 8"),
    ("recovery_a", "sources"),
])
def test_a_wrong_setting_is_refused(near, bundle, wrong, words):
    near.settings["recovery"]["sources"] = wrong
    before = near.main_digest()
    status, run = near.run("--install", str(bundle))
    assert status == 1 and words in run.text(), run.text()
    assert near.main_digest() == before


def test_a_slot_that_is_given_by_its_path_is_refused(near, bundle):
    """By its name it is known not to be read while it is written."""
    configure(near, near.region_setting("root"))
    status, run = near.run("--install", str(bundle))
    assert status == 1 and "slot root lies there" in run.text(), run.text()
