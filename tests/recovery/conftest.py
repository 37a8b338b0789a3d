# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys, bundles, servers and devices of the tests.

LB_BUILD is the build folder. What is made once (keys, packed bundles) lies in
build/tests/recovery and is shared by the test processes; every test has a device
and, when it asks for one, a server of its own.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import random
import shutil
import subprocess

import pytest

import bundles
from device import MIB, Device
from server import Authority, Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LB_BUILD", ROOT / "build")).resolve()
WORK = BUILD / "tests" / "recovery"


@contextlib.contextmanager
def only_one(name):
    """Holds a lock between the test processes."""
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """Paths of the programs under test by short names.

    Copies: a build beside the tests must not change what they test.
    """
    built = {"tool": BUILD / "host/bin/lifeboat", "recovery": BUILD / "host/bin/lifeboat-recovery",
             "asan": BUILD / "asan/bin/lifeboat-recovery"}
    folder = tmp_path_factory.mktemp("programs")
    for name, path in built.items():
        assert path.exists(), f"{path} is missing: make recovery-test builds it"
        shutil.copy2(path, folder / name)
    return {name: folder / name for name in built}


# ---- images ----------------------------------------------------------------


def image(seed, size):
    """Incompressible and compressible parts, zeros, and chunks that occur twice."""
    r = random.Random(seed)
    parts, left = [], size
    twice = r.randbytes(256 * 1024)
    while left > 0:
        n = r.choice([40_000, 150_000, 700_000])
        part = r.choice([r.randbytes(n), r.randbytes(n), bytes(n), twice,
                         (b"release %d " % seed * (n // 9))[:n]])[:left]
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


@pytest.fixture(scope="session")
def images():
    """{release: {slot: bytes}}: sizes that are no multiple of a sector."""
    return {n: {"boot": image(10 + n, MIB + 12_345), "root": image(20 + n, 9 * MIB + 777)}
            for n in (1, 2, 3)}


@pytest.fixture(scope="session")
def large_images():
    """64 MiB, mostly incompressible: long enough to be interrupted often."""
    r = random.Random(64)
    root = bytearray(r.randbytes(64 * MIB))
    for at in range(0, len(root), 8 * MIB):  # some of it elided
        root[at:at + MIB] = bytes(MIB)
    return {"boot": image(3, MIB), "root": bytes(root)}


# ---- keys and bundles ------------------------------------------------------


@pytest.fixture(scope="session")
def keys():
    """The trusted key pair, as files too; kept, so that packed bundles can be reused."""
    with only_one("keys"):
        private, public = WORK / "key.pem", WORK / "key.pub.pem"
        if not public.exists():
            key = bundles.Key.new()
            private.write_bytes(key.private_pem())
            public.write_bytes(key.public_pem())
    key = bundles.Key.load(private)
    key.private_file, key.public_file = private, public
    return key


def pack(programs, key, name, images, release, level=3):
    """build/tests/recovery/NAME.lbu by the host tool, made once per content."""
    target = WORK / f"{name}.lbu"
    digest = bundles.sha(b"".join(images.values()) + key.public_pem())
    note = WORK / f"{name}.made-from"
    with only_one(name):
        fresh = target.exists() and target.stat().st_mtime > programs["tool"].stat().st_mtime
        if fresh and note.exists() and note.read_text() == digest:
            return target
        folder = WORK / f"{name}.images"
        folder.mkdir(exist_ok=True)
        described = []
        for slot, data in images.items():
            (folder / slot).write_bytes(data)
            described.append({"name": slot, "target": slot, "kind": "raw",
                              "file": str(folder / slot)})
        description = folder / "bundle.json"
        description.write_text(json.dumps({
            "product": "bench", "hardware": ["bench-board"], "version": f"{release}.0",
            "release": release, "min_release": 1, "created": 1700000000 + release,
            "images": described}))
        subprocess.run([programs["tool"], "pack", description, "--key", key.private_file,
                        "--output", target, "--level", str(level)],
                       check=True, capture_output=True, text=True)
        shutil.rmtree(folder)
        note.write_text(digest)
    return target


@pytest.fixture(scope="session")
def packed(programs, keys, images):
    """{release: path of the bundle} by `lifeboat pack`."""
    return {n: pack(programs, keys, f"release-{n}", images[n], n) for n in images}


@pytest.fixture(scope="session")
def large_packed(programs, keys, large_images):
    return pack(programs, keys, "large", large_images, 2)


@pytest.fixture(scope="session")
def written(keys, images):
    """{release: bytes of a bundle} by the tests' own writer."""
    return {n: bundles.write(images[n], keys, n) for n in images}


# ---- servers and devices ---------------------------------------------------


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def make_server(tmp_path, authority):
    """make_server(certificate=None) -> Server, not started; all are stopped at the end."""
    made = []

    def make(certificate=None):
        made.append(Server(tmp_path / f"server{len(made)}", authority, certificate))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def server(make_server):
    return make_server().start()


@pytest.fixture
def recovery_program(programs):
    """What the devices run; test_sanitizers.py has another one."""
    return programs["recovery"]


@pytest.fixture
def make_device(tmp_path, recovery_program, keys, authority):
    """make_device(slots=None, **recovery settings) -> Device."""
    made = []

    def make(slots=None, **settings):
        made.append(Device(tmp_path / f"device{len(made)}", recovery_program,
                           keys.public_file, authority.ca_file, slots, **settings))
        return made[-1]

    yield make
    for device in made:
        device.disk.unlink(missing_ok=True)


@pytest.fixture
def device(make_device):
    return make_device()


@pytest.fixture
def large_device(make_device):
    return make_device(slots={"boot": 2 * MIB, "root": 80 * MIB})


@pytest.fixture
def bundle_file(tmp_path):
    """bundle_file(bytes) -> path of a file with them."""
    def make(data, name="bundle.lbu"):
        path = tmp_path / name
        path.write_bytes(data)
        return path
    return make


# ---- figures -----------------------------------------------------------------


def pytest_terminal_summary(terminalreporter):
    """Memory and repeated payload, as the tests left them."""
    for name in ("memory", "resume"):
        path = WORK / f"{name}.json"
        if path.exists():
            terminalreporter.write_line(f"{name}: {json.dumps(json.loads(path.read_text()))}")
