# SPDX-License-Identifier: GPL-2.0-or-later
"""What recovery leaves on the medium that a person brought; docs/RECOVERY.md, "Report"."""

import contextlib
import json
import os
import shutil
import subprocess
import time

import pytest

import bundles
from test_media import put, stick, visit  # noqa: F401  (fixtures)

NAMES = ("lifeboat-report.txt", "lifeboat-report.json")


def report(folder):
    """Both, which have to agree."""
    text = (folder / NAMES[0]).read_bytes()
    said = json.loads((folder / NAMES[1]).read_text())
    assert text.count(b"\r\n") == text.count(b"\n") > 5, "for an editor of any system"
    text = text.decode("ascii")
    assert f"Result: {said['result']['text']} [{said['result']['code']}]\r\n" in text
    assert f"Next: {said['next']}\r\n" in text
    assert f"Safe to unplug: {'yes' if said['safe_to_unplug'] else 'no'}" in text
    for one in said["found"]:
        assert f"  {one['name']}: {one['text']} [{one['code']}]\r\n" in text
    for one in said["messages"]:
        assert f"{one['text']} [{one['code']}]\r\n" in text
    return said


def wait_for_report(run, folder, what):
    """Until it is there, @what holds, and it is no longer between its two files."""
    said = []

    def there(_):
        with contextlib.suppress(AssertionError, OSError, LookupError):
            said[:] = [report(folder)]
            return what(said[0])
        return False
    run.wait_for(there)
    return said[0]


def left_behind(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("lifeboat-report"))


def test_tells_what_was_installed(visit, stick, packed, keys, images):
    put(stick / "r3.lbu", packed[3])
    put(stick / "lifeboat" / "old.lbu", packed[1])
    put(stick / "foreign.lbu", bundles.write(images[2], bundles.Key.new(), 9))
    status, run = visit.run(reason="manual")
    assert status == 0, run.text()
    said = report(stick)
    assert said["result"]["code"] == "installed" and "reason" not in said
    assert said["safe_to_unplug"] and "Leave the power on" in said["next"]
    assert {f["name"]: f["code"] for f in said["found"]} == {
        "r3.lbu": "installed", "lifeboat/old.lbu": "found", "foreign.lbu": "signature-invalid"}
    assert (said["product"], said["hardware"]) == ("bench", "bench-board")
    assert run.codes()[-1] == "unplug" or "unplug" in run.codes()[-3:]
    told = [(e["level"], e["code"], e["text"]) for e in run.events if e["event"] == "message"]
    for m in said["messages"]:
        assert (m["level"], m["code"], m["text"]) in told, "the same words as on the console"
    assert left_behind(stick) == sorted(NAMES)


@pytest.mark.parametrize("what, code, advice", [
    ("unsigned", "signature-invalid", "signed for these devices"),
    ("half", "truncated", "Copy the bundle to the medium again"),
    ("other", "wrong-hardware", "for this hardware"),
    ("same", "not-newer", "lifeboat/reinstall"),
    ("name", "invalid-argument", "Rename"),
])
def test_tells_why_not_and_what_to_do(visit, stick, packed, images, keys, what, code, advice):
    whole = packed[3].read_bytes()
    put(stick / ("r\u00e9.lbu" if what == "name" else "r.lbu"), {
        "unsigned": bundles.write(images[2], bundles.Key.new(), 3), "half": whole[:1500],
        "other": bundles.write(images[2], keys, 3, hardware=("other-board",)),
        "same": packed[2].read_bytes(), "name": whole}[what])
    run = visit.start(reason="manual")
    said = wait_for_report(run, stick, lambda s: s["result"]["code"] == "waiting" and s["found"][0]["code"] == code)
    assert advice in said["next"] and said["safe_to_unplug"]
    assert run.running()
    run.kill()


def test_medium_without_a_bundle_is_told_so(visit, stick):
    run = visit.start(reason="manual")
    said = wait_for_report(run, stick, lambda s: True)
    assert said["found"] == [] and "(*.lbu)" in said["next"]
    run.kill()


def test_somebody_elses_stick_is_left_alone(visit, stick):
    shutil.rmtree(stick / "lifeboat")
    (stick / "holiday.jpg").write_bytes(b"x")
    visit.settings["recovery"]["idle_s"] = 3
    assert visit.run(reason="manual")[0] == 3
    assert os.listdir(stick) == ["holiday.jpg"]


def test_while_main_is_half_written_the_medium_is_needed(visit, stick, packed):
    whole = packed[3].read_bytes()
    put(stick / "r3.lbu", whole[:len(whole) * 2 // 3])
    run = visit.start(reason="manual")
    run.wait_for_code("truncated")
    said = wait_for_report(run, stick, lambda s: "reason" in s and s["found"][0]["code"] == "truncated")
    assert not said["safe_to_unplug"] and said["reason"]["code"] == "truncated"
    run.kill()


def test_is_written_once_for_each_news(visit, stick, packed):
    put(stick / "r.lbu", packed[1])
    run = visit.start(reason="manual")
    wait_for_report(run, stick, lambda s: s["result"]["code"] == "waiting" and s["found"][0]["code"] == "not-newer")
    time.sleep(1.5)
    before = [(stick / n).stat().st_ino for n in NAMES]
    time.sleep(2)
    assert [(stick / n).stat().st_ino for n in NAMES] == before
    run.kill()


def test_links_are_replaced_and_not_followed(visit, stick, packed, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("as it was")
    for name in (*NAMES, "lifeboat-report.tmp"):
        (stick / name).symlink_to(precious)
    put(stick / "r3.lbu", packed[3])
    status, run = visit.run(reason="manual")
    assert status == 0, run.text()
    assert precious.read_text() == "as it was"
    assert not any((stick / n).is_symlink() for n in NAMES)
    assert report(stick)["result"]["code"] == "installed"


@pytest.mark.parametrize("where", [*NAMES, "lifeboat-report.tmp"])
def test_that_it_cannot_be_written_is_said_once_and_hurts_nothing(visit, stick, packed, images, where):
    (stick / where / "full").mkdir(parents=True)
    put(stick / "bad.lbu", b"no bundle")
    run = visit.start(reason="manual")
    run.wait_for_code("report")
    put(stick / "r3.lbu", packed[3])
    assert run.wait() == 0 and visit.holds(images[3]), run.text()
    assert run.codes().count("report") == 1, run.text()


def in_a_mount(device, stick, tmp_path, options):
    """The stick becomes a file system of its own, mounted read-only; what is left on it is copied out."""
    (tmp_path / "out").mkdir()
    wrapper = tmp_path / "mounted"
    wrapper.write_text(f"""#!/bin/sh
exec unshare -rm sh -ec '
cp -r {stick} {tmp_path}/content
mount -t tmpfs -o {options} stick {stick}
cp -r {tmp_path}/content/. {stick}
mount -o remount,ro,nosuid,nodev,noexec stick {stick}
set +e
{device.program} "$@"
status=$?
cp {stick}/lifeboat-report* {tmp_path}/out
grep {stick} /proc/mounts >{tmp_path}/out/mounts
exit $status' sh "$@"
""")
    wrapper.chmod(0o755)
    device.program = wrapper
    return tmp_path / "out"


def may_mount():
    return not subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"],
                              capture_output=True, check=False).returncode


@pytest.mark.skipif(not may_mount(), reason="needs mounts in a namespace of its own")
def test_medium_is_writable_only_for_the_moment(visit, stick, packed, images, tmp_path):
    put(stick / "r3.lbu", packed[3])
    out = in_a_mount(visit, stick, tmp_path, "size=64m")
    status, run = visit.run(reason="manual")
    assert status == 0 and visit.holds(images[3]), run.text()
    assert report(out)["result"]["code"] == "installed"
    options = (out / "mounts").read_text().split()[3].split(",")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options)


@pytest.mark.skipif(not may_mount(), reason="needs mounts in a namespace of its own")
def test_full_medium_keeps_the_old_report_and_is_said(visit, stick, packed, images, tmp_path):
    put(stick / "r3.lbu", packed[3])
    for name in NAMES:
        (stick / name).write_text("the old one")
    out = in_a_mount(visit, stick, tmp_path, f"size={packed[3].stat().st_size // 4096 * 4 + 12}k")
    status, run = visit.run(reason="manual")
    assert status == 0 and visit.holds(images[3]), run.text()
    assert "No space left" in run.text()
    assert (out / NAMES[0]).read_text() == "the old one" and left_behind(out) == sorted(NAMES)
