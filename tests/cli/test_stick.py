# SPDX-License-Identifier: GPL-2.0-or-later
"""`lifeboat stick`: FAT images by mkfs.vfat and mtools, looked at with fsck.vfat and mtools."""
import os
import shutil
import stat
import subprocess
import sys

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


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_bundle_is_opened_once(tool, bundles):
    """What is verified is what is copied, whatever lies under its name by then."""
    log = tool.folder / "opened"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", log, "-e", "trace=open,openat", tool.program, "stick", "stick.img",
         bundles[0].name, "-k", "key.pub.pem"], cwd=tool.folder, capture_output=True, text=True, check=False,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 0, done.stderr
    assert len([line for line in log.read_text().splitlines() if f'"{bundles[0].name}"' in line]) == 1


# ---- a real block device ---------------------------------------------------


def losetup(*words):
    try:
        return subprocess.run(["losetup", *words], capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        pytest.skip("losetup is not installed")
    except subprocess.CalledProcessError as why:
        pytest.skip(f"no loop device can be set up here: {why.stderr.strip()}")


@pytest.fixture
def loop(tool):
    """A block device of 100 MiB that is ours; behind() is the file that it is made of."""
    backing = tool.folder / "disk.img"
    backing.write_bytes(b"mine" * 1024)
    os.truncate(backing, 100 << 20)
    node = losetup("--find", "--show", backing)
    yield node
    subprocess.run(["losetup", "--detach", node], check=True, capture_output=True)


def behind(tool):
    return tool.folder / "disk.img"


def stick_on(tool, *words_, env=None):
    """As stick(), but for what mtools says of a disk without cylinders, which a loop device is."""
    done = subprocess.run([tool.program, "stick", *words_, "-k", "key.pub.pem", "--force"], cwd=tool.folder,
                          capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})
    noise_ = "Could not get geometry of device (Inappropriate ioctl for device)"
    assert done.returncode == 0 and not done.stderr.replace(noise_, "").strip(), done.stderr
    return done.stdout


def test_block_device_holds_the_bundles(tool, bundles, loop):
    said = stick_on(tool, loop, *bundles, "--reinstall")
    assert f"{loop}: lifeboat/r2.lbu, release 2, verified and read back" in said
    for medium in (loop, behind(tool)):  # read from the device, and what reached the medium
        assert listed(medium) == ["lifeboat/r1.lbu", "lifeboat/r2.lbu", "lifeboat/reinstall"]
        for bundle in bundles:
            assert content(medium, f"lifeboat/{bundle.name}") == bundle.read_bytes()
        subprocess.run(["fsck.vfat", "-n", medium], check=True, capture_output=True)
    with open(loop, "rb") as f:
        assert b"FAT32" in f.read(512)
    assert os.path.getsize(behind(tool)) == 100 << 20


def test_block_device_that_is_not_removable_is_left_alone(tool, bundles, loop):
    text = tool.refuses("source-refused", "stick", loop, bundles[0], "-k", "key.pub.pem")
    assert "not removable" in text and behind(tool).read_bytes()[:4096] == b"mine" * 1024


def test_block_device_that_is_too_small_is_left_alone(tool, bundles, loop):
    os.truncate(behind(tool), 50 << 20)
    losetup("--set-capacity", loop)
    text = tool.refuses("image-too-large", "stick", loop, bundles[0], "-k", "key.pub.pem", "--force")
    assert f"{50 << 20} bytes" in text and behind(tool).read_bytes()[:4096] == b"mine" * 1024


def test_block_device_that_is_mounted_is_left_alone(tool, bundles, loop):
    folder = tool.folder / "mounted"
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-F", loop], check=True, capture_output=True)
    done = subprocess.run(["mount", "-t", "ext4", loop, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        (folder / "file").write_text("mine")
        text = tool.refuses("busy", "stick", loop, bundles[0], "-k", "key.pub.pem", "--force")
        assert f"{loop} is mounted" in text
    finally:
        subprocess.run(["umount", folder], check=True)
    subprocess.run(["fsck.ext4", "-f", "-n", loop], check=True, capture_output=True)
    assert subprocess.run(["debugfs", "-R", "cat file", loop], check=True, capture_output=True).stdout == b"mine"


@pytest.mark.parametrize("program", ["mmd", "mcopy"])
def test_nobody_can_mount_a_block_device_meanwhile(tool, bundles, loop, program):
    """The kernel's word to who wants it alone, as a mount does, while the tools are at work."""
    probe = tool.folder / "probe.py"
    probe.write_text(f"""import os
try:
    os.close(os.open({loop!r}, os.O_RDWR | os.O_EXCL))
    print("free")
except OSError as e:
    print(e.strerror)
""")
    env = stand_in(tool, program, f'{sys.executable} probe.py >>said\nexec {shutil.which(program)} "$@"\n')
    stick_on(tool, loop, bundles[0], env=env)
    said = (tool.folder / "said").read_text().splitlines()
    assert said and set(said) == {"Device or resource busy"}
    assert subprocess.run([sys.executable, probe], check=True, capture_output=True).stdout == b"free\n"


def test_the_disk_that_was_looked_at_is_the_one_that_is_erased(tool, bundles, loop):
    """Its name leads elsewhere by then."""
    name = tool.folder / "stick"
    name.symlink_to(loop)
    (tool.folder / "other").write_bytes(bytes(100 << 20))
    env = stand_in(tool, "mkfs.vfat", f'ln -sfn other stick\nexec {shutil.which("mkfs.vfat", path="/usr/sbin:/sbin")} "$@"\n')
    stick_on(tool, "stick", bundles[0], env=env)
    assert listed(loop) == ["lifeboat/r1.lbu"]
    assert not any((tool.folder / "other").read_bytes())
