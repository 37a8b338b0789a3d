# SPDX-License-Identifier: GPL-2.0-or-later
"""lifeboat-stick, which a rule of udev or mdev runs: the real agent, a mount that is played."""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import AGENT, make_bundle
from device import REQUEST
from test_commands import RESULT_2

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
    (main.data / "stick").mkdir()
    main.agent_settings.update(handover_dir=str(main.data / "stick"), recovery_dir="/media/stick")
    main.save()

    def run(stick):
        return subprocess.run(
            [SCRIPT, stick], capture_output=True, text=True, timeout=60, check=False,
            env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "PLAYED": str(tmp_path),
                              "TMPDIR": str(tmp_path), "LIFEBOAT_CONFIG": str(main.agent_config),
                              "LIFEBOAT_STICK_MARK": str(tmp_path / "mark"),
                              "LIFEBOAT_STICK_CONF": str(tmp_path / "stick.conf")})
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


# ---- a stick that brings a release -----------------------------------------


@pytest.fixture
def switched_on(main, insert, shop, tmp_path):
    """stick.conf names a folder; the channel has the running release, so that it could be had again."""
    (tmp_path / "stick.conf").write_text(f"install={main.data}/stick\n")
    shop.offer(1)


def put(stick, name, bundle):
    path = Path(f"{stick}.d", name)
    path.write_bytes(bundle)
    return path


def given_back(main):
    main.put_records(STATE={"state": "confirmed"}, RESULT={
        **RESULT_2, "code": "digest-mismatch", "main_changed": False,
        "deployment": main.record(REQUEST)["deployment"]})
    main.put_env(lifeboat_boot="main")


def test_a_bundle_changes_nothing_unless_it_is_switched_on(main, insert, stick, shop, key):
    shop.offer(1)
    put(stick, "lifeboat/r2.lbu", make_bundle(key, 2))
    assert insert(stick).returncode == 0
    assert insert.reboots() == 0 and main.power_on() == "main" and not insert.left()


def test_a_stick_brings_a_release(main, insert, stick, switched_on, key):
    put(stick, "lifeboat/r2.lbu", make_bundle(key, 2))
    done = insert(stick)
    assert done.returncode == 0 and "brings a release" in done.stderr, done.stderr
    assert insert.reboots() == 1 and main.state() == "requested" and main.power_on() == "requested"
    request = main.status()["request"]
    assert request["release"] == 2 and request["urls"] == ["file:///media/stick/lifeboat/r2.lbu"]
    assert not list((main.data / "stick").iterdir()) and not insert.left(), "it is not mounted any more"


def test_the_newest_that_can_be_installed_wins(main, insert, stick, switched_on, key, stranger):
    put(stick, "r2.lbu", make_bundle(key, 2))
    put(stick, "lifeboat/R3.LBU", make_bundle(key, 3))
    put(stick, ".r4.lbu", make_bundle(key, 4))
    put(stick, "lifeboat/._r5.lbu", make_bundle(key, 5))
    six = put(stick, "r6.zip", make_bundle(key, 6))
    Path(f"{stick}.d", "lifeboat", "r6.lbu").symlink_to(six)
    put(stick, "r7.lbu", make_bundle(stranger, 7))
    put(stick, "r8.lbu", make_bundle(key, 8, hardware=("other,board",)))
    put(stick, "r9.lbu", make_bundle(key, 9)[:-20000])
    Path(f"{stick}.d", "r10.lbu").mkdir()
    done = insert(stick)
    assert done.returncode == 0 and insert.reboots() == 1, done.stderr
    assert main.status()["request"]["urls"] == ["file:///media/stick/lifeboat/R3.LBU"]
    for name, code in (("r7.lbu", "signature-invalid"), ("r8.lbu", "wrong-hardware"), ("r9.lbu", "truncated")):
        assert [line for line in done.stderr.splitlines() if name in line and f"({code})" in line], done.stderr
    assert "r6" not in done.stderr and "r10" not in done.stderr


@pytest.mark.parametrize("content", ["nothing", "the running release", "an older one"])
def test_nothing_newer_changes_nothing(main, insert, stick, switched_on, key, content):
    if content != "nothing":
        put(stick, "r.lbu", make_bundle(key, 5 if content.startswith("the") else 4))
        main.set_release(5)
    assert insert(stick).returncode == 0
    assert insert.reboots() == 0 and main.power_on() == "main"


def test_a_bundle_that_recovery_refused_is_not_brought_again(main, insert, stick, switched_on, key):
    bundle = make_bundle(key, 2)
    put(stick, "r2.lbu", bundle)
    assert insert(stick).returncode == 0 and insert.reboots() == 1
    given_back(main)
    for _ in range(2):
        done = insert(stick)
        assert done.returncode == 0 and "staged from a folder before" in done.stderr
    make_vfat(stick, 2)  # another stick with the same bundle
    assert insert(stick).returncode == 0 and insert.reboots() == 1 and main.power_on() == "main"
    put(stick, "r3.lbu", make_bundle(key, 3))
    assert insert(stick).returncode == 0 and insert.reboots() == 2
    given_back(main)
    Path(f"{stick}.d", "r3.lbu").unlink()
    assert insert(stick).returncode == 0 and insert.reboots() == 2, "the one before is not forgotten"
    (main.data / "stick" / "r2.lbu").write_bytes(bundle)
    assert main.agent("install", main.data / "stick", "--no-reboot")[0] == 0, "a person may ask again"


def test_a_release_that_was_installed_is_not_brought_again(main, insert, stick, switched_on, key):
    put(stick, "r2.lbu", make_bundle(key, 2))
    assert insert(stick).returncode == 0 and insert.reboots() == 1
    main.set_release(2)
    main.put_records(STATE={"state": "confirmed"})
    main.put_env(lifeboat_boot="main")
    assert insert(stick).returncode == 0 and insert.reboots() == 1


def test_what_was_refused_in_main_may_come_again(main, insert, stick, switched_on, shop, key):
    """There was no remedy then."""
    put(stick, "r2.lbu", make_bundle(key, 2))
    channel = (shop.server.www / "channel.lbc").read_bytes()
    (shop.server.www / "channel.lbc").unlink()
    done = insert(stick)
    assert done.returncode == 1 and "(remedy-unavailable)" in done.stderr and insert.reboots() == 0
    shop.put_channel(channel)
    assert insert(stick).returncode == 0 and insert.reboots() == 1


@pytest.mark.parametrize("why", ["requested", "trial", "visit"])
def test_a_device_that_is_busy_is_left_alone(main, insert, stick, switched_on, key, why):
    put(stick, "r2.lbu", make_bundle(key, 2))
    if why == "visit":
        assert main.agent("reboot-recovery", "--no-reboot")[0] == 0
    else:
        main.put_records(STATE={"state": why})
    records = main.records()
    done = insert(stick)
    assert done.returncode == 1 and "(busy)" in done.stderr and insert.reboots() == 0
    assert main.records() == records


def test_what_cannot_be_remembered_is_not_brought(main, insert, stick, switched_on, key):
    put(stick, "r2.lbu", make_bundle(key, 2))
    (main.data / "lifeboat" / "agent.json.part").mkdir(parents=True)  # where the new content is written
    done = insert(stick)
    assert done.returncode == 1 and "(io-error)" in done.stderr
    assert insert.reboots() == 0 and main.power_on() == "main"


def test_a_stick_that_asks_for_recovery_is_only_heard(main, insert, stick, switched_on, key):
    """Recovery finds the bundle by itself, and a person is there."""
    put(stick, "r2.lbu", make_bundle(key, 2))
    ask(stick)
    assert insert(stick).returncode == 0 and insert.reboots() == 1
    assert main.state() == "confirmed" and main.power_on() == "requested"
