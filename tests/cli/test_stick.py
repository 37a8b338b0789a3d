# SPDX-License-Identifier: GPL-2.0-or-later
"""`lifeboat stick`: FAT images by mkfs.vfat and mtools, looked at with fsck.vfat and mtools."""
import os
import shutil
import stat
import subprocess

import pytest

from conftest import noise


@pytest.fixture
def bundles(tool):
    return [tool.pack({"root": noise(300_000, n)}, out=f"r{n}.lbu", release=n, version=f"{n}.0")
            for n in (1, 2)]


def stick(tool, *words_, code=0, **how):
    return tool.run("stick", *words_, "-k", "key.pub.pem", code=code, **how)


def listed(image):
    said = subprocess.run(["mdir", "-b", "-i", image, "-/", "::/"], check=True, capture_output=True,
                          text=True).stdout
    return sorted(line[3:] for line in said.splitlines() if not line.endswith("/"))


def content(image, name):
    return subprocess.run(["mtype", "-i", image, f"::/{name}"], check=True, capture_output=True).stdout


def test_image_holds_the_bundles(tool, bundles):
    said = stick(tool, "stick.img", *bundles)
    image = tool.folder / "stick.img"
    assert listed(image) == ["lifeboat/r1.lbu", "lifeboat/r2.lbu"]
    for bundle in bundles:
        assert content(image, f"lifeboat/{bundle.name}") == bundle.read_bytes()
        assert f"lifeboat/{bundle.name}, release {bundle.name[1]}, verified and read back" in said
    subprocess.run(["fsck.vfat", "-n", image], check=True, capture_output=True)
    assert b"FAT32" in image.read_bytes()[:512]
    assert not [f for f in os.listdir(tool.folder) if f.startswith(".stick") or f.endswith(".new")]


def test_reinstall_makes_the_file_that_asks_for_it(tool, bundles):
    stick(tool, "stick.img", bundles[0], "--reinstall")
    assert listed(tool.folder / "stick.img") == ["lifeboat/r1.lbu", "lifeboat/reinstall"]
    assert content(tool.folder / "stick.img", "lifeboat/reinstall") == b""


def test_json(tool, bundles):
    said = tool.json("stick", "stick.img", *bundles, "-k", "key.pub.pem", "--size", "100")
    assert said["bundles"] == [{"name": b.name, "size": b.stat().st_size, "release": n}
                               for n, b in enumerate(bundles, 1)]
    assert said["reinstall"] is False
    assert (tool.folder / "stick.img").stat().st_size == 100 << 20


def test_bundles_are_verified_before_anything_is_written(tool, bundles):
    bad = tool.folder / "bad.lbu"
    whole = bytearray(bundles[0].read_bytes())
    whole[len(whole) // 2] ^= 1
    bad.write_bytes(whole)
    text = tool.refuses("digest-mismatch", "stick", "stick.img", bundles[1], bad, "-k", "key.pub.pem")
    assert "bad.lbu" in text and not (tool.folder / "stick.img").exists()
    tool.refuses("signature-invalid", "stick", "stick.img", bundles[0], "-k", "other.pub.pem")
    assert not (tool.folder / "stick.img").exists()


def test_an_image_is_not_replaced_unless_forced(tool, bundles):
    image = tool.folder / "stick.img"
    image.write_bytes(b"mine")
    tool.refuses("already-exists", "stick", image, bundles[0], "-k", "key.pub.pem")
    assert image.read_bytes() == b"mine"
    stick(tool, image, bundles[0], "--force")
    assert listed(image) == ["lifeboat/r1.lbu"]


def test_too_small(tool, bundles):
    tool.refuses("image-too-large", "stick", "stick.img", bundles[0], "-k", "key.pub.pem", "--size", "40")
    assert not (tool.folder / "stick.img").exists()


@pytest.mark.parametrize("name", [".hidden.lbu", "r.zip", "a:b.lbu", "what?.lbu", "gr\u00fc\u00df.lbu", "[a].lbu"])
def test_names_that_a_device_would_pass_over(tool, bundles, name):
    shutil.copy(bundles[0], tool.folder / name)
    tool.refuses("invalid-argument", "stick", "stick.img", f"./{name}", "-k", "key.pub.pem")


def test_two_of_one_name(tool, bundles):
    (tool.folder / "sub").mkdir()
    shutil.copy(bundles[0], tool.folder / "sub" / "R2.LBU")
    tool.refuses("already-exists", "stick", "stick.img", bundles[1], "sub/R2.LBU", "-k", "key.pub.pem")


def test_wrong_command_lines(tool, bundles):
    for line in (["stick.img", "-k", "key.pub.pem"], ["stick.img", "r1.lbu"],
                 ["stick.img", *["r1.lbu"] * 33, "-k", "key.pub.pem"], ["a@@1.img", "r1.lbu", "-k", "key.pub.pem"]):
        tool.run("stick", *line, code=2)


@pytest.mark.parametrize("missing", ["mmd", "mcopy"])
def test_a_missing_program_is_named(tool, bundles, missing):
    """Searched are a folder without it, and where the system keeps mkfs.vfat."""
    folder = tool.folder / "bin"
    folder.mkdir()
    for name in {"mmd", "mcopy"} - {missing}:
        (folder / name).symlink_to(shutil.which(name))
    text = tool.refuses("not-found", "stick", "stick.img", bundles[0], "-k", "key.pub.pem",
                        env={"PATH": str(folder)})
    assert f"{missing} is not installed; it comes with mtools" in text
    assert not (tool.folder / "stick.img").exists()


def stand_in(tool, name, script):
    folder = tool.folder / "bin"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n" + script)
    (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_what_is_not_on_the_medium_as_written_is_noticed(tool, bundles):
    """An mcopy that changes a byte on its way to the medium."""
    real = shutil.which("mcopy")
    env = stand_in(tool, "mcopy", f'case $3 in -) tr a b | {real} "$@" ;; *) {real} "$@" ;; esac\n')
    tool.refuses("digest-mismatch", "stick", "stick.img", bundles[0], "-k", "key.pub.pem", env=env)
    assert not (tool.folder / "stick.img").exists()


def test_a_program_that_fails_is_named(tool, bundles):
    env = stand_in(tool, "mmd", "exit 3\n")
    assert "mmd failed" in tool.refuses("io-error", "stick", "stick.img", bundles[0], "-k", "key.pub.pem",
                                        env=env)


def test_nothing_but_files_and_disks(tool, bundles):
    tool.refuses("invalid-argument", "stick", "/dev/null", bundles[0], "-k", "key.pub.pem")
    tool.refuses("invalid-argument", "stick", tool.folder, bundles[0], "-k", "key.pub.pem")


@pytest.fixture
def empty_disk(tool):
    """A block device without a medium: whatever happens to it, nothing is lost."""
    node = tool.folder / "disk"
    for number in range(200, 256):
        if not os.path.exists(f"/sys/dev/block/7:{number}"):
            break
    try:
        os.mknod(node, stat.S_IFBLK | 0o600, os.makedev(7, number))
    except OSError:
        pytest.skip("needs the right to make a device node")
    return node


def test_disk_that_does_not_call_itself_removable_is_refused(tool, bundles, empty_disk):
    text = tool.refuses("source-refused", "stick", empty_disk, bundles[0], "-k", "key.pub.pem")
    assert "not removable" in text and "--force" in text
    text = tool.run("stick", empty_disk, bundles[0], "-k", "key.pub.pem", "--force", code=1)
    assert "not removable" not in text


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_disk_that_is_mounted_is_refused_even_if_forced(tool, bundles, empty_disk):
    """What the kernel says of it to who wants it alone."""
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-P", empty_disk, "-e", "trace=open,openat", "-e",
         "inject=open,openat:error=EBUSY", tool.program, "stick", empty_disk, bundles[0], "-k",
         "key.pub.pem", "--force"], cwd=tool.folder, capture_output=True, text=True, check=False,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 1 and "is mounted, or in use otherwise (busy)" in done.stderr
