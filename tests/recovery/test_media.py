# SPDX-License-Identifier: GPL-2.0-or-later
"""Bundles on sticks and cards: which are looked at, which one wins, and when; docs/RECOVERY.md, "Media".

The folders stand in for what init mounts; tests/board mounts real ones.
"""

import os
import shutil
import time

import pytest

import bundles
from device import CONFIRMED, MIB, release_record
from test_install import check_installed


@pytest.fixture
def stick(tmp_path):
    folder = tmp_path / "stick"
    (folder / "lifeboat").mkdir(parents=True)
    return folder


@pytest.fixture
def visit(make_device, stick, packed):
    """A device that runs release 2, whose person asks for recovery and has this stick."""
    device = make_device(media=[str(stick)])
    runs(device, packed, 2)
    return device


def runs(device, packed, release):
    members = bundles.split(packed[release].read_bytes())
    device.put_records(
        STATE={"state": "confirmed", "release": release, "manifest": bundles.sha(members[0][1])},
        CONFIRMED=release_record(members, release, ["https://nowhere.invalid/r.lbu"]))


def put(path, source):
    """Whole at once, as a mount is."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    (path.parent / "being-made").write_bytes(data)
    (path.parent / "being-made").rename(path)


def tried(run):
    return [e["text"].rsplit("/", 1)[1] for e in run.events if e.get("code") == "source"]


def says(run, code):
    return [e["text"] for e in run.events if e.get("code") == code]


def check_refused(device, run, code):
    """It was judged, and the person is still waited for, with main as it was."""
    before = device.main_digest()
    run.wait_for_code(code)
    run.wait_for(lambda r: r.codes()[-1] == "waiting" or "waiting" in r.codes()[r.codes().index(code):])
    assert run.running() and device.main_digest() == before and device.state() == "confirmed"
    run.kill()


@pytest.mark.parametrize("place", ["r3.lbu", "R3.LBU", "lifeboat/r3.Lbu", "lifeboat/a b (1).lbu"])
def test_is_found_at_the_root_and_in_the_folder(visit, stick, packed, images, place):
    put(stick / place, packed[3])
    around = visit.guarded(images[3])
    status, run = visit.run(reason="manual")
    assert status == 0, run.text()
    assert says(run, "found") == [f"{place} holds version 3.0 (release 3)"]
    check_installed(visit, images[3], around, release=3)


@pytest.mark.parametrize("place", [".r3.lbu", "._r3.lbu", "lifeboat/._r3.lbu", ".lbu", "r3.lbu.zip",
                                   "r3.lb", "Lifeboat.d/r3.lbu", "lifeboat/deep/r3.lbu"])
def test_nothing_else_is_looked_at(visit, stick, packed, place):
    (stick / place).parent.mkdir(exist_ok=True)
    put(stick / place, packed[3])
    visit.settings["recovery"]["idle_s"] = 3
    status, run = visit.run(reason="manual")
    assert status == 3 and not tried(run) and not says(run, "found"), run.text()


def test_newest_that_can_be_installed_wins(visit, stick, packed, images, keys):
    """A newer one that is not for this device, or not signed, is told about and left alone."""
    put(stick / "a.lbu", packed[2])
    put(stick / "lifeboat" / "b.lbu", packed[3])
    put(stick / "c.lbu", bundles.write(images[2], keys, 8, hardware=("other-board",)))
    put(stick / "d.lbu", bundles.write(images[2], bundles.Key.new(), 9))
    put(stick / "e.lbu", b"what is that?")
    status, run = visit.run(reason="manual")
    assert status == 0, run.text()
    assert tried(run) == ["b.lbu"] and visit.holds(images[3])
    assert any(t.startswith("c.lbu: ") for t in says(run, "wrong-hardware"))
    assert any(t.startswith("d.lbu: ") for t in says(run, "signature-invalid"))
    assert any(t.startswith("e.lbu: ") for t in says(run, "malformed") + says(run, "truncated"))


def test_newest_of_two_media_wins(make_device, tmp_path, packed, images):
    for n in (2, 3):
        (tmp_path / f"m{n}").mkdir()
        put(tmp_path / f"m{n}" / "r.lbu", packed[n])
    device = make_device(media=[str(tmp_path / "m2"), str(tmp_path / "m3")])
    runs(device, packed, 1)
    status, run = device.run(reason="manual")
    assert status == 0 and device.holds(images[3]), run.text()


def test_next_one_is_taken_when_the_newest_turns_out_to_be_damaged(visit, stick, packed, images, keys):
    """Its head is right, its index is not: main was not touched by then."""
    put(stick / "r4.lbu", bundles.flip(bundles.write(images[2], keys, 4), "root.idx"))
    put(stick / "r3.lbu", packed[3])
    status, run = visit.run(reason="manual")
    assert status == 0 and tried(run) == ["r4.lbu", "r3.lbu"], run.text()
    assert visit.holds(images[3])


@pytest.mark.parametrize("release", [1, 2])
def test_good_main_is_not_set_back(visit, stick, packed, release):
    put(stick / "r.lbu", packed[release])
    run = visit.start(reason="manual")
    check_refused(visit, run, "not-newer")
    assert "lifeboat/reinstall" in says(run, "not-newer")[0]


@pytest.mark.parametrize("marker", ["reinstall", "reinstall.txt"])
@pytest.mark.parametrize("release", [1, 2])
def test_unless_it_is_asked_for(visit, stick, packed, images, release, marker):
    put(stick / "r.lbu", packed[release])
    (stick / "lifeboat" / marker).touch()
    around = visit.guarded(images[release])
    status, run = visit.run(reason="manual")
    assert status == 0, run.text()
    check_installed(visit, images[release], around, release=release)


def test_what_is_asked_for_is_noticed_when_the_medium_comes_again(visit, stick, tmp_path, packed, images):
    put(stick / "r.lbu", packed[2])
    run = visit.start(reason="manual")
    run.wait_for_code("not-newer")
    stick.rename(tmp_path / "pulled")
    (tmp_path / "pulled" / "lifeboat" / "reinstall").touch()
    run.wait_for(lambda r: r.codes().count("waiting") > 1)
    time.sleep(6)  # until the empty place was looked at
    (tmp_path / "pulled").rename(stick)
    assert run.wait() == 0, run.text()
    assert visit.holds(images[2])


def test_the_floor_holds_whatever_is_asked_for(visit, stick, packed, images, keys):
    put(stick / "r.lbu", bundles.write(images[1], keys, 1))
    (stick / "lifeboat" / "reinstall").touch()
    visit.settings["floor"] = 2
    run = visit.start(reason="manual")
    run.wait_for_code("below-floor")
    assert not tried(run)
    run.kill()


def test_broken_main_takes_an_older_one(visit, stick, packed, images):
    put(stick / "r1.lbu", packed[1])
    visit.settings["recovery"]["url_s"] = 1
    around = visit.guarded(images[1])
    status, run = visit.run(reason="main-invalid")
    assert status == 0, run.text()
    check_installed(visit, images[1], around, release=1)


def test_medium_that_is_inserted_later_is_noticed(visit, stick, tmp_path, packed, images):
    shutil.rmtree(stick)
    run = visit.start(reason="manual")
    run.wait_for_code("waiting")
    (tmp_path / "pocket").mkdir()
    put(tmp_path / "pocket" / "r3.lbu", packed[3])
    (tmp_path / "pocket").rename(stick)
    assert run.wait() == 0 and visit.holds(images[3]), run.text()


def cut_in_the_middle(device, run):
    run.wait_for(lambda r: any(e["durable_bytes"] > e["skip_bytes"] + MIB for e in r.progress("write")))
    run.kill()
    assert device.state() == "updating"


def test_stick_finishes_what_the_network_began(make_device, make_server, stick, packed, images):
    server = make_server()
    server.start("limit_rate 1m;")
    server.put("r3.lbu", packed[3])
    device = make_device(media=[str(stick)], url_s=1)
    runs(device, packed, 2)
    cut_in_the_middle(device, device.start("--install", server.url("r3.lbu")))
    server.stop()
    put(stick / "r3.lbu", packed[3])
    status, run = device.run()
    assert status == 0 and device.holds(images[3]), run.text()
    assert run.planned()["skip_bytes"] > MIB, "what the network brought stays"


def test_network_finishes_what_a_stick_began(make_device, make_server, stick, packed, images):
    """The server that was asked first is back; the stick, whose copy of the bundle ends too early, is gone."""
    server = make_server()
    server.put("r3.lbu", packed[3])
    device = make_device(media=[str(stick)], url_s=1)
    runs(device, packed, 2)
    whole = packed[3].read_bytes()
    put(stick / "r3.lbu", whole[:len(whole) * 2 // 3])
    run = device.start("--install", server.url("r3.lbu"))
    run.wait_for_code("truncated")
    run.kill()
    assert device.state() == "updating"
    (stick / "r3.lbu").unlink()
    server.start()
    status, run = device.run()
    assert status == 0 and device.holds(images[3]), run.text()
    assert run.planned()["skip_bytes"] > run.planned()["total_bytes"] // 4, "what the stick brought stays"


@pytest.mark.parametrize("folder", ["stick", "another"])
def test_bundle_on_a_stick_that_main_asked_for_is_waited_for(make_device, tmp_path, packed, images, folder):
    """By its digest it is known wherever the stick gets mounted, and what it is not is not taken for it."""
    device = make_device(media=[str(tmp_path / "stick"), str(tmp_path / "another")])
    runs(device, packed, 2)
    manifest = bundles.sha(bundles.split(packed[3].read_bytes())[0][1])
    confirmed = device.records()[CONFIRMED]
    device.put_records(STATE={"state": "requested", "release": 3, "manifest": manifest}, CONFIRMED=confirmed,
                       REQUEST={"recovery_only": False, "urls": [f"file://{tmp_path}/stick/r3.lbu"],
                                "release": 3, "manifest": manifest, "budget_bytes": 0, "time": 0,
                                "deployment": "t", "header": ""})
    device.put_env(lifeboat_boot="recovery")
    run = device.start()
    run.wait_for_code("source-interrupted")
    (tmp_path / "pocket").mkdir()
    put(tmp_path / "pocket" / "r1.lbu", packed[1])
    put(tmp_path / "pocket" / "r3.lbu", packed[3])
    (tmp_path / "pocket").rename(tmp_path / folder)
    assert run.wait() == 0 and device.holds(images[3]), run.text()


# ---- what may lie on a medium -----------------------------------------------------------------


def test_links_are_not_followed(visit, stick, packed, tmp_path):
    (stick / "r3.lbu").symlink_to(packed[3])
    shutil.rmtree(stick / "lifeboat")
    (tmp_path / "elsewhere").mkdir()
    put(tmp_path / "elsewhere" / "r3.lbu", packed[3])
    (stick / "lifeboat").symlink_to(tmp_path / "elsewhere")
    run = visit.start(reason="manual")
    run.wait_for_code("io-error")
    assert says(run, "io-error") == ["r3.lbu: it is no regular file"] and not tried(run)
    run.kill()


def test_what_is_no_file_is_not_waited_for(visit, stick, packed, images):
    os.mkfifo(stick / "a.lbu")
    (stick / "b.lbu").mkdir()
    put(stick / "c.lbu", packed[3])
    status, run = visit.run(reason="manual")
    assert status == 0 and visit.holds(images[3]), run.text()
    assert sorted(says(run, "io-error")) == [f"{n}.lbu: it is no regular file" for n in "ab"]


def test_names_are_shown_as_plain_text(visit, stick, packed):
    for name in ("\x1b[2J.lbu", "gr\u00fc\u00df.lbu", "x" * 251 + ".lbu"):
        put(stick / name, packed[1])
    visit.settings["recovery"]["idle_s"] = 3
    status, run = visit.run(reason="manual")
    assert status == 3, run.text()
    shown = [t.split(":")[0] for t in says(run, "invalid-argument")]
    assert sorted(shown) == ["?[2J.lbu", "gr????.lbu"]
    assert all(" " <= c <= "~" for e in run.events for c in e.get("text", ""))


def test_hundreds_of_bundles_are_bounded(visit, stick, packed, images):
    for n in range(200):
        put(stick / f"{n:03}.lbu", b"not a bundle")
    put(stick / "lifeboat" / "r3.lbu", packed[3])
    visit.settings["recovery"]["idle_s"] = 5
    run = visit.run(reason="manual")[1]
    assert any("passed over" in t for t in says(run, "found"))
    assert len([e for e in run.events if e.get("level") == "warning"]) < 50


def test_what_cannot_be_read_just_then_is_tried_all_the_same(visit, stick, packed, images, tmp_path):
    """strace lets the first look at the head fail as a stick with a bad contact does."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    put(stick / "r3.lbu", packed[3])
    wrapper = tmp_path / "bad-contact"
    wrapper.write_text(f"""#!/bin/sh
exec strace -f -qq -o /dev/null -P {stick}/r3.lbu -e trace=pread64 -e inject=pread64:error=EIO:when=1 \\
	{visit.program} "$@"
""")
    wrapper.chmod(0o755)
    visit.program = wrapper
    status, run = visit.run(reason="manual")
    assert status == 0 and visit.holds(images[3]), run.text()
    assert any("vanished at byte 0" in t for t in says(run, "source-interrupted"))
