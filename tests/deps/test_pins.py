# SPDX-License-Identifier: GPL-2.0-or-later
"""Fetching by pin, wherever this machine gets packages from; the bill of materials."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LB_BUILD", TOP / "build"))

DEB822 = """Types: deb
URIs: http://one.example/debian http://two.example/debian/
Suites: {suite} {suite}-updates
Components: main contrib
Signed-By: /usr/share/keyrings/some.gpg

Types: deb
URIs: http://off.example/debian
Suites: {suite}
Components: main
Enabled: no
"""
ONE_LINE = """# remark
deb [arch=amd64 signed-by=/k.gpg] http://three.example/debian {suite}-security main # why
deb http://other.example/tools tools-{suite} main
"""


def codename():
    return re.search(r"(?m)^VERSION_CODENAME=(\w+)",
                     pathlib.Path("/etc/os-release").read_text())[1]


@pytest.fixture
def checkout(tmp_path):
    """A copy of deps/, with an apt configuration of its own and no network."""
    (tmp_path / "deps").mkdir()
    for name in ("fetch.sh", "mirrors.py", "pin", "deps.list", "sbom.py"):
        shutil.copy(TOP / "deps" / name, tmp_path / "deps" / name)
    parts = tmp_path / "sources"
    parts.mkdir()
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourceparts "{parts}";\nDir::Etc::sourcelist "/dev/null";\n')
    return tmp_path


def run(checkout, *command):
    env = dict(os.environ, APT_CONFIG=str(checkout / "apt.conf"), LB_BUILD="build")
    env.pop("LB_DL", None)
    return subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True,
                          check=False)


def write_sources(checkout):
    (checkout / "sources/a.sources").write_text(DEB822.format(suite=codename()))
    (checkout / "sources/b.list").write_text(ONE_LINE.format(suite=codename()))


def test_both_formats_of_sources_are_read(checkout):
    write_sources(checkout)
    assert run(checkout, "deps/mirrors.py", "archives").stdout.split() == [
        "http://one.example/debian", "http://two.example/debian", "http://three.example/debian"]


def test_sources_for_another_suite(checkout):
    write_sources(checkout)
    text = run(checkout, "deps/mirrors.py", "sources", "othername").stdout
    assert "Suites: othername othername-updates\n" in text
    assert "Suites: othername-security\n" in text
    assert text.count("Types: deb deb-src\n") == 2
    assert "Signed-By: /usr/share/keyrings/some.gpg\n" in text
    assert "Signed-By: /k.gpg\n" in text
    assert codename() not in text and "off.example" not in text


def pin_own_file(checkout, content):
    digest = hashlib.sha256(content).hexdigest()
    (checkout / "deps/deps.list").write_text(
        "Name: thing\nVersion: 1.0\nLicence: MIT\nPackage: thing\n"
        f"File: main/t/thing/thing_1.0.orig.tar.gz\nSHA256: {digest}\nUsed: host\nWhy: a test\n")
    file = checkout / "build/dl/thing_1.0.orig.tar.gz"
    file.parent.mkdir(parents=True)
    return file


def test_a_file_that_is_there_needs_no_network(checkout):
    pin_own_file(checkout, b"good").write_bytes(b"good")
    result = run(checkout, "deps/fetch.sh", "thing")
    assert (result.returncode, result.stdout) == (0, "build/dl/thing_1.0.orig.tar.gz\n")


def test_a_damaged_file_is_not_used(checkout):
    file = pin_own_file(checkout, b"good")
    file.write_bytes(b"evil")
    result = run(checkout, "deps/fetch.sh", "thing")
    assert result.returncode != 0 and not result.stdout
    assert "no archive of this machine has pool/main/t/thing" in result.stderr
    assert "deps/pin thing" in result.stderr


def archive(checkout, content):
    """A mirror in a folder, in this machine's configuration."""
    pool = checkout / "mirror/pool/main/t/thing"
    pool.mkdir(parents=True)
    (pool / "thing_1.0.orig.tar.gz").write_bytes(content)
    (checkout / "sources/a.list").write_text(
        f"deb file:{checkout}/mirror {codename()} main\n")


def test_fetched_from_the_machines_own_mirror(checkout):
    file = pin_own_file(checkout, b"good")
    archive(checkout, b"good")
    result = run(checkout, "deps/fetch.sh", "thing")
    assert result.returncode == 0, result.stderr
    assert file.read_bytes() == b"good"


def test_a_mirror_with_other_bytes_is_refused(checkout):
    file = pin_own_file(checkout, b"good")
    archive(checkout, b"evil")
    assert run(checkout, "deps/fetch.sh", "thing").returncode != 0
    assert not file.exists()
    assert not list(file.parent.iterdir())


def test_every_pin_is_complete():
    blocks = (TOP / "deps/deps.list").read_text().split("\n\n")
    pins = [dict(re.findall(r"(?m)^(\w+): (.*)$", b)) for b in blocks if "\nVersion:" in b]
    assert len(pins) >= 10
    for pin in pins:
        assert set(pin) == {"Name", "Version", "Licence", "Package", "File", "SHA256",
                            "Used", "Why"}, pin
        assert re.fullmatch("[0-9a-f]{64}", pin["SHA256"]), pin
        assert pin["Version"] in pin["File"], pin


def test_bill_of_materials_names_every_pin():
    spdx = (BUILD / "lifeboat.spdx").read_text()
    for name, digest in re.findall(r"Name: (\S+)\n(?:\w+: .*\n)*?SHA256: (\w+)",
                                   (TOP / "deps/deps.list").read_text()):
        block = spdx.split(f"PackageName: {name}\n", 1)[1].split("\n\n", 1)[0]
        assert f"PackageChecksum: SHA256: {digest}\n" in block
        assert re.search(r"(?m)^PackageLicenseDeclared: \S", block)
    for patch in TOP.glob("deps/*/*.patch"):
        assert f"FileName: ./{patch.relative_to(TOP)}\n" in spdx
        assert hashlib.sha256(patch.read_bytes()).hexdigest() in spdx


def test_bill_of_materials_is_reproducible():
    twice = {subprocess.run([TOP / "deps/sbom.py", "9.9"], capture_output=True, check=True,
                            env=dict(os.environ, SOURCE_DATE_EPOCH="1")).stdout
             for _ in range(2)}
    assert len(twice) == 1
    assert b"Created: 1970-01-01T00:00:01Z" in twice.pop()
