# SPDX-License-Identifier: GPL-2.0-or-later
"""Patches between the symbols of compressed blocks: file systems of mksquashfs, before and after an update."""

import random
import subprocess

import pytest

import bundles
from conftest import WORK, only_one, pack
from device import KIB
from test_install import install
from test_patches import SLOTS, kill_and_go_on, pack_from, predicted, put_release, steps
from test_resume import payload_bytes

RECODED = 4
FILES = 24


def prose(r, length):
    """Words, as compressible as a text."""
    words = [bytes(r.choices(b"etaoinshrdlucmfw", k=r.randrange(2, 11))) for _ in range(3000)]
    return b" ".join(r.choices(words, k=length // 6))[:length]


def edited(r, text):
    """Here and there something else, of another length."""
    out = bytearray(text)
    for _ in range(len(text) // 20_000):
        at = r.randrange(len(out))
        out[at:at + r.randrange(8)] = r.randbytes(r.randrange(8))
    return bytes(out)


@pytest.fixture(scope="session", params=["zstd", "xz"])
def squashed(request, programs, keys):
    """(old bundle, new one with patches, the same without, {release: {slot: bytes}})."""
    kind, r = request.param, random.Random(47)
    folder = WORK / f"squashed-{kind}"
    texts = [prose(r, r.randrange(50_000, 300_000)) for _ in range(FILES)]
    later = [edited(r, t) if n % 3 else t for n, t in enumerate(texts)]
    boot = r.randbytes(100 * KIB)
    with only_one(f"squashed-{kind}"):
        images = {n: {"boot": boot, "root": make_image(folder / str(n), files, kind)}
                  for n, files in ((1, texts), (2, later))}
    old = pack(programs, keys, f"squashed-old-{kind}", images[1], 1)
    return (old, pack_from(programs, keys, f"squashed-new-{kind}", images[2], [old]),
            pack(programs, keys, f"squashed-plain-{kind}", images[2], 2), images)


def make_image(folder, files, kind):
    image = folder.with_suffix(".img")
    if not image.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for n, text in enumerate(files):
            (folder / f"{n:02}").write_bytes(text)
        subprocess.run(["mksquashfs", folder, image, "-comp", kind, "-b", "128K", "-no-xattrs",
                        "-all-root", "-all-time", "1", "-mkfs-time", "1", "-noappend", "-quiet"],
                       check=True, capture_output=True)
    return image.read_bytes()


def test_blocks_are_made_of_symbols(make_device, server, programs, squashed):
    old, new, plain, images = squashed
    found = steps(new.read_bytes(), "root.1.pidx")
    assert any(kind == 1 and flags & RECODED for kind, flags, _ in found), found
    device = make_device(slots=SLOTS)
    put_release(device, images, old)
    server.put("r2.lbu", new)
    run = install(device, images[2], server.url("r2.lbu"))
    said, without = (predicted(programs, old, b)["total"] for b in (new, plain))
    assert run.fetched() == said["fetch_bytes"] < without["fetch_bytes"] / 2
    assert payload_bytes(server, new.read_bytes(), 0) >= run.fetched()


@pytest.mark.parametrize("share", [2, 7])
def test_killed_while_blocks_are_made(make_device, make_server, squashed, share):
    old, new, _, images = squashed
    device = make_device(slots=SLOTS)
    put_release(device, images, old)
    run = kill_and_go_on(device, make_server, new, images[2], share, "100k")
    assert run.planned()["skip_bytes"] > 0


def test_a_spoilt_patch_is_no_dead_end(make_device, server, squashed):
    old, new, _, images = squashed
    for at in (0, 3000, None):
        device = make_device(slots=SLOTS)
        put_release(device, images, old)
        server.put("r2.lbu", bundles.flip(new.read_bytes(), "root.1.patch", at))
        run = install(device, images[2], server.url("r2.lbu"))
        assert run.fetched() > run.planned()["fetch_bytes"]
