# SPDX-License-Identifier: GPL-2.0-or-later
"""The libraries can do what Lifeboat needs, on the host and as built for devices."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "net"))
import netlab  # noqa: E402

BUILD = pathlib.Path(os.environ.get("LB_BUILD", "build"))
GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
PROBES = {
    "host": [BUILD / "host/bin/deps-probe"],
    "arm64": ["qemu-aarch64-static", BUILD / "arm64/bin/deps-probe"],
    "x86_64": [BUILD / "x86_64/bin/deps-probe"],
}


@pytest.fixture(params=PROBES)
def probe(request):
    def run(*args):
        return subprocess.run([*PROBES[request.param], *map(str, args)],
                              capture_output=True, timeout=60, check=False)
    return run


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    (folder / "www").mkdir()
    (folder / "www/bundle.lbu").write_bytes(bytes(range(256)) * 400)
    ca = netlab.Authority(folder / "ca", "Test CA")
    rsa, ecdsa = ca.issue("rsa", "rsa"), ca.issue("ecdsa", "ecdsa")
    old = ca.issue("old", "ecdsa", end="20250601000000Z")
    nginx = netlab.Nginx(folder, folder / "www", {
        "rsa12": ("TLSv1.2", rsa), "ecdsa12": ("TLSv1.2", ecdsa),
        "rsa13": ("TLSv1.3", rsa), "ecdsa13": ("TLSv1.3", ecdsa),
        "old": ("TLSv1.3", old)})
    nginx.ca, nginx.body = ca.pem, (folder / "www/bundle.lbu").read_bytes()
    yield nginx
    nginx.stop()


def test_each_library_works(probe):
    result = probe("libs")
    assert result.returncode == 0, result.stdout
    assert result.stdout.count(b": ok\n") == 6


# TLS 1.2 with an RSA certificate is the one that mbedTLS 3.6.6 needs a patch for
@pytest.mark.parametrize("server", ["rsa12", "ecdsa12", "rsa13", "ecdsa13"])
@pytest.mark.parametrize("interface", ["easy", "multi"])
def test_https(probe, lab, server, interface):
    result = probe("get", lab.url(server), lab.ca, "-", interface)
    assert result.returncode == 0, result.stderr
    assert result.stdout == lab.body
    assert b"ETag: " in result.stderr


def test_range(probe, lab):
    result = probe("get", lab.url("ecdsa13"), lab.ca, "300-309", "easy")
    assert result.stdout == lab.body[300:310]
    assert b"http 206" in result.stderr


def test_certificate_dates_can_be_left_to_us(probe, lab):
    assert probe("get", lab.url("old"), lab.ca, "-", "easy").returncode == 1
    assert probe("get", lab.url("old"), lab.ca, "-", "undated").stdout == lab.body


def test_error_buffer_holds_a_sentence(probe, lab):
    result = probe("get", lab.url("ecdsa13", "/404"), lab.ca, "-", "easy")
    assert b"curl 22 http 404: The requested URL returned error: 404" in result.stderr
    result = probe("get", "https://nowhere.invalid/", lab.ca, "-", "easy")
    assert b"curl 6 http 0: Could not resolve host: nowhere.invalid" in result.stderr


def executed(folder, program):
    """Names of the instructions that the board's recovery executes while it installs a bundle."""
    sizes = {"boot": 65536, "main-root": 65536, "state": 1 << 20, "a": 16384, "b": 16384}
    at = {name: str(folder / name) for name in sizes}
    for name, size in sizes.items():
        (folder / name).write_bytes(bytes(size))
    (folder / "recovery.json").write_text(json.dumps({
        "product": "golden", "hardware": ["lifeboat,golden"], "state": at["state"],
        "environment": [at["a"], at["b"]], "keys": str(GOLDEN / "key.pub.pem"),
        "slots": {"boot": at["boot"], "main-root": at["main-root"]},
        "recovery": {"lock": str(folder / "lock"), "interface": "", "give_up_s": 1}}))
    done = subprocess.run(["qemu-aarch64-static", "-d", "in_asm", "-D", folder / "asm", program,
                           "-c", folder / "recovery.json", "--install", GOLDEN / "small.lbu"],
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "main-root").read_bytes().startswith((GOLDEN / "root.img").read_bytes())
    # QEMU lists what it translates, and it translates what is about to run: address, code, name
    return set(re.findall(r"^0x\w+:\s+[0-9a-f]{8}\s+(\w+)", (folder / "asm").read_text(), re.M))


def test_the_board_hashes_with_the_processors_own_instructions(tmp_path):
    names = executed(tmp_path, BUILD / "arm64/bin/lifeboat-recovery")
    assert {"ldr", "bl", "ret"} <= names, "the listing was not understood"
    assert {"sha256h", "sha256h2", "sha256su0", "sha256su1"} <= names


def test_programs_are_hardened():
    headers = subprocess.run(["readelf", "-hlW", PROBES["arm64"][1]], check=True,
                             capture_output=True, text=True).stdout
    assert "DYN" in headers and "INTERP" not in headers     # static and position independent
    assert "GNU_RELRO" in headers
    stack = next(line for line in headers.splitlines() if "GNU_STACK" in line)
    assert " RW " in stack
