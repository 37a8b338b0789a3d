# SPDX-License-Identifier: GPL-2.0-or-later
"""Real sticks: file systems, partition tables, the newest bundle of several, and the report that is left."""
import json
import subprocess

import pytest

from lbboard import Board, image_dir
from lbexfat import ExFat

MIB = 1 << 20
START = MIB  # of the only partition
PARTITION_MIB = 62


def make_vfat_stick(path, build, *files):
    """As the host's tool makes it."""
    key = image_dir() / "recovery-root/etc/lifeboat/keys/bundle.pem"
    subprocess.run([build / "host/bin/lifeboat", "stick", path, *files, "--key", key], check=True)
    return path


def with_partition(path, inside, label, kind):
    """A disk of which the file system @inside is the only partition."""
    with path.open("wb") as disk:
        disk.truncate(64 * MIB)
        disk.seek(START)
        disk.write(inside.read_bytes())
    subprocess.run(["sfdisk", "-q", path], check=True, text=True, stdout=subprocess.DEVNULL,
                   input=f"label: {label}\nstart={START // 512}, size={PARTITION_MIB * 2048}, type={kind}\n")
    return path


def make_ext4_stick(path, *files):
    """As a disk with a partition table; the file system is filled without being mounted."""
    inside = path.with_suffix(".ext4")
    folder = path.with_suffix(".files") / "lifeboat"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes())
    subprocess.run(["mkfs.ext4", "-q", "-d", folder.parent, inside, f"{PARTITION_MIB}M"], check=True)
    return with_partition(path, inside, "gpt", "L")


def make_exfat_stick(path, *files):
    """As a large SD card comes from a shop: exFAT in a partition of type 7."""
    inside = path.with_suffix(".exfat")
    with inside.open("wb") as image:
        image.truncate(PARTITION_MIB * MIB)
    subprocess.run(["mkfs.exfat", "-L", "CARD", inside], check=True, stdout=subprocess.DEVNULL)
    for file in files:
        ExFat(inside).put(f"lifeboat/{file.name}", file.read_bytes())
    subprocess.run(["fsck.exfat", "-n", inside], check=True)
    return with_partition(path, inside, "dos", "7")


def file_system_of(path):
    """The partition's bytes as a file, for a program that checks it."""
    out = path.with_suffix(".after")
    with path.open("rb") as disk:
        disk.seek(START)
        out.write_bytes(disk.read(PARTITION_MIB * MIB))
    return out


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


def report_on_exfat(path):
    fs = ExFat(path, START)
    assert fs.get("lifeboat-report.txt").startswith(b"Lifeboat recovery")
    return json.loads(fs.get("lifeboat-report.json"))


@pytest.fixture
def sticks(work, build, files, request):
    """Release 1 on vfat without a partition table, the release that the test names on ext4 with one."""
    return [make_vfat_stick(work / "vfat.img", build, files / "release-1.lbu"),
            make_ext4_stick(work / "ext4.img", files / f"release-{request.param}.lbu")]


@pytest.fixture
def board(work, card, sticks):
    card.change_env(lifeboat_boot="manual")
    machine = Board(work, card, sticks=sticks, network=False)
    yield machine
    machine.cut_power()


@pytest.mark.late
@pytest.mark.parametrize("sticks", [2], indirect=True)
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


@pytest.mark.parametrize("sticks", [1], indirect=True)
def test_newest_bundle_of_three_media_is_installed_and_all_get_a_report(field, sticks, work, files):
    """Two sticks are found when recovery has started; then comes a card with exFAT and the newest bundle."""
    board = field.board.power_on()
    for _ in range(2):
        board.wait_for("found a medium with", never="main OS release")
    sd = make_exfat_stick(work / "exfat.img", files / "release-2.lbu")
    board.insert_stick(sd, read_only=False)
    board.wait_for("found a medium with exfat", never="main OS release")
    board.wait_for("[installed]", never="main OS release")
    board.wait_for("main OS release 2 is up")
    field.wait_confirmed(2)
    board.cut_power()
    assert field.holds("release-2.lbu")
    for said in (report_on_vfat(sticks[0]), report_on_ext4(sticks[1]), report_on_exfat(sd)):
        assert said["result"]["code"] == "installed" and said["safe_to_unplug"]
        assert {f["code"] for f in said["found"]} & {"installed"}
    subprocess.run(["fsck.vfat", "-n", sticks[0]], check=True)
    subprocess.run(["e2fsck", "-fn", file_system_of(sticks[1])], check=True)
    subprocess.run(["fsck.exfat", "-n", file_system_of(sd)], check=True)
