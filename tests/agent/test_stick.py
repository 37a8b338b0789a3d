# SPDX-License-Identifier: GPL-2.0-or-later
"""lifeboat-stick, which a rule of udev or mdev runs: the real agent, a mount that is played."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import AGENT

SCRIPT = Path(__file__).resolve().parents[2] / "main-agent" / "hotplug" / "lifeboat-stick"
MOUNT = """#!/bin/sh
# mount -t TYPE -o OPTIONS DEVICE FOLDER: the device's file system is DEVICE.d
echo "$2 $4" >>"$PLAYED/mounted"
[ "$2" = "$(cat "$5.type")" ] && cp -R "$5.d/." "$6"
"""
UMOUNT = '#!/bin/sh\necho "$1" >>"$PLAYED/unmounted"\nfind "$1" -mindepth 1 -delete\n'
REBOOT = '#!/bin/sh\necho >>"$PLAYED/reboots"\n'


@pytest.fixture
def insert(main, tmp_path):
    """insert(stick) runs the script as a rule would; returns it, done."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in (("mount", MOUNT), ("umount", UMOUNT), ("reboot", REBOOT),
                       ("lifeboat-agent", f'#!/bin/sh\nexec {AGENT} "$@"\n')):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    main.save()

    def run(stick):
        return subprocess.run(
            [SCRIPT, stick], capture_output=True, text=True, timeout=60, check=False,
            env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "PLAYED": str(tmp_path),
                              "TMPDIR": str(tmp_path), "LIFEBOAT_CONFIG": str(main.agent_config),
                              "LIFEBOAT_STICK_MARK": str(tmp_path / "mark")})
    run.reboots = lambda: len((tmp_path / "reboots").read_text().splitlines()) \
        if (tmp_path / "reboots").exists() else 0
    run.left = lambda: list(tmp_path.glob("lifeboat-stick.*"))
    return run


def make_vfat(device, number, *options):
    device.unlink(missing_ok=True)
    subprocess.run(["/usr/sbin/mkfs.vfat", *(options or ["-F", "32"]), "-i", f"{number:08x}", "-C", device, "40000"],
                   check=True, capture_output=True)


@pytest.fixture
def stick(tmp_path):
    """A device node with a vfat on it: an empty folder lifeboat."""
    device = tmp_path / "sdx1"
    make_vfat(device, 1)
    (tmp_path / "sdx1.type").write_text("vfat")
    (tmp_path / "sdx1.d" / "lifeboat").mkdir(parents=True)
    return device


def ask(stick, text=""):
    Path(f"{stick}.d", "lifeboat", "recovery").write_text(text)


def test_a_stick_with_the_file_starts_recovery(main, insert, stick, tmp_path):
    ask(stick)
    done = insert(stick)
    assert done.returncode == 0, done.stderr
    assert insert.reboots() == 1 and main.power_on() == "requested" and not insert.left()
    assert "ro," in (tmp_path / "mounted").read_text()


@pytest.mark.parametrize("content", ["nothing", "folder", "other type"])
def test_any_other_stick_changes_nothing(main, insert, stick, content):
    if content == "folder":
        Path(f"{stick}.d", "lifeboat", "recovery").mkdir()
    if content == "other type":
        ask(stick)
        Path(f"{stick}.type").write_text("ntfs")
    assert insert(stick).returncode == 0
    assert insert.reboots() == 0 and main.power_on() == "main" and not insert.left()


def test_a_stick_that_stays_asks_once_and_again_when_it_is_told(main, insert, stick):
    ask(stick)
    for _ in range(2):
        assert insert(stick).returncode == 0
    assert insert.reboots() == 1
    ask(stick, "once more")
    assert insert(stick).returncode == 0 and insert.reboots() == 2
    make_vfat(stick, 2)
    assert insert(stick).returncode == 0 and insert.reboots() == 3


@pytest.mark.parametrize("kind", ["vfat", "vfat of 16 bits", "ext4"])
def test_what_recovery_leaves_on_a_stick_does_not_ask_again(insert, stick, tmp_path, kind):
    """Its report changes free space, and times in a superblock: real file systems are written to."""
    report = tmp_path / "report"
    report.write_bytes(b"x" * 20_000)
    if kind == "ext4":
        stick.unlink()
        subprocess.run(["mkfs.ext4", "-q", stick, "8M"], check=True)
    else:
        make_vfat(stick, 1, *(["-F", "16"] if "16" in kind else []))
    Path(f"{stick}.type").write_text(kind.split()[0])
    ask(stick)
    assert insert(stick).returncode == 0 and insert.reboots() == 1
    before = stick.read_bytes()[:4096]
    if kind == "ext4":
        subprocess.run(["debugfs", "-w", "-R", f"write {report} lifeboat-report.txt", stick], check=True,
                       capture_output=True)
    else:
        subprocess.run(["mcopy", "-i", stick, report, "::/lifeboat-report.txt"], check=True)
    assert kind == "vfat of 16 bits" or stick.read_bytes()[:4096] != before
    assert insert(stick).returncode == 0 and insert.reboots() == 1
    stick.unlink()
    if kind == "ext4":
        subprocess.run(["mkfs.ext4", "-q", stick, "8M"], check=True)
    else:
        make_vfat(stick, 2, *(["-F", "16"] if "16" in kind else []))
    assert insert(stick).returncode == 0 and insert.reboots() == 2, "another stick"


def test_a_visit_that_cannot_be_asked_for_is_asked_for_again(main, insert, stick):
    """The state says that something is unfinished: no mark, no reboot."""
    ask(stick)
    main.put_records(STATE={"state": "requested"})
    assert insert(stick).returncode != 0 and insert.reboots() == 0 and not insert.left()
    main.put_records(STATE={"state": "confirmed"})
    assert insert(stick).returncode == 0 and insert.reboots() == 1
