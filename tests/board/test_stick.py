# SPDX-License-Identifier: GPL-2.0-or-later
"""Real sticks: file systems, partition tables, the newest bundle of several, and the report that is left."""
import json
import subprocess

import pytest

from lbboard import Board, image_dir

MIB = 1 << 20
START = MIB  # of the only partition


def make_vfat_stick(path, build, *files):
    """As the host's tool makes it."""
    key = image_dir() / "recovery-root/etc/lifeboat/keys/bundle.pem"
    subprocess.run([build / "host/bin/lifeboat", "stick", path, *files, "--key", key], check=True)
    return path


def make_ext4_stick(path, *files):
    """As a disk with a partition table; the file system is filled without being mounted."""
    inside = path.with_suffix(".ext4")
    folder = path.with_suffix(".files") / "lifeboat"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes())
    subprocess.run(["mkfs.ext4", "-q", "-d", folder.parent, inside, "62M"], check=True)
    with path.open("wb") as disk:
        disk.truncate(64 * MIB)
        disk.seek(START)
        disk.write(inside.read_bytes())
    subprocess.run(["sfdisk", "-q", path], input=f"label: gpt\nstart={START // 512}, size={62 * 2048}, type=L\n",
                   text=True, check=True)
    return path


def report_on_vfat(path):
    text = subprocess.run(["mtype", "-i", path, "::/lifeboat-report.json"], check=True,
                          capture_output=True).stdout
    assert subprocess.run(["mtype", "-i", path, "::/lifeboat-report.txt"], check=True,
                          capture_output=True).stdout.startswith(b"Lifeboat recovery")
    return json.loads(text)


def report_on_ext4(path):
    out = path.with_suffix(".json")
    subprocess.run(["debugfs", "-R", f"dump /lifeboat-report.json {out}", f"{path}?offset={START}"],
                   check=True, capture_output=True)
    return json.loads(out.read_text())


@pytest.fixture
def sticks(work, build, files):
    """Release 1 on vfat without a partition table, release 2 on ext4 with one."""
    return [make_vfat_stick(work / "vfat.img", build, files / "release-1.lbu"),
            make_ext4_stick(work / "ext4.img", files / "release-2.lbu")]


@pytest.fixture
def board(work, card, sticks):
    card.change_env(lifeboat_boot="manual")
    machine = Board(work, card, sticks=sticks, network=False)
    yield machine
    machine.cut_power()


def test_stick_whose_journal_was_not_replayed_is_read_and_never_written(field, sticks):
    """As after it was pulled in the middle of writing."""
    subprocess.run(["debugfs", "-w", "-R", "feature needs_recovery", f"{sticks[1]}?offset={START}"],
                   check=True, capture_output=True)
    before = sticks[1].read_bytes()
    field.board.power_on().wait_for("[installed]", never="main OS release")
    field.board.wait_for("main OS release 2 is up")
    field.board.cut_power()
    assert "takes no report: its journal was not replayed" in field.board.log_path.read_text(errors="replace")
    assert sticks[1].read_bytes() == before
    assert report_on_vfat(sticks[0])["result"]["code"] == "installed"


def test_newest_bundle_of_two_sticks_is_installed_and_both_get_a_report(field, sticks):
    field.board.power_on().wait_for("found a medium with vfat")
    field.board.wait_for("[installed]", never="main OS release")
    field.board.wait_for("main OS release 2 is up")
    field.wait_confirmed(2)
    field.board.cut_power()
    assert field.holds("release-2.lbu")
    for said in (report_on_vfat(sticks[0]), report_on_ext4(sticks[1])):
        assert said["result"]["code"] == "installed" and said["safe_to_unplug"]
        assert {f["code"] for f in said["found"]} & {"installed"}
    subprocess.run(["fsck.vfat", "-n", sticks[0]], check=True)
    with sticks[1].open("rb") as disk:
        disk.seek(START)
        (sticks[1].with_suffix(".after")).write_bytes(disk.read(62 * MIB))
    subprocess.run(["e2fsck", "-fn", sticks[1].with_suffix(".after")], check=True)
