# SPDX-License-Identifier: GPL-2.0-or-later
"""Chunks that are decoded with what precedes them in the image."""
import os
import subprocess

import oracle
import pytest
from conftest import noise, shuffled, words

WINDOW = 1 << 20
SIGNED = ("-k", "key.pem", "--level", "3")


def pack(tool, image, *options, name="a.lbu"):
    """(index, payload) of a bundle with one image"""
    tool.describe({"root": image})
    tool.run("pack", "d.json", "-o", name, *SIGNED, *options)
    parts = oracle.members(tool.folder / name)
    return parts["root.idx"], parts["root.zst"]


@pytest.fixture
def shipped(tool):
    """The program without a sanitizer, for what is large."""
    tool.program = tool.program.replace("/asan/", "/host/")
    return tool


def test_zstd_decodes_chunks_with_what_precedes_them(tool):
    image = shuffled(2_000_000)
    index, payload = pack(tool, image, "--window", WINDOW)
    oracle.check_bundle(tool.folder / "a.lbu", tool.folder / "key.pub.pem", {"root": image},
                        tool.folder)
    alone = pack(tool, image, "--window", 0, name="alone.lbu")
    assert set(oracle.reaches(alone[0])) == {0}
    assert len(payload) < len(alone[1]) / 2
    for name in ("a.lbu", "alone.lbu"):
        tool.run("verify", name, "-k", "key.pub.pem")
        tool.run("extract", name, "-o", "out")
        assert (tool.folder / "out/root.img").read_bytes() == image


def test_the_commands_of_the_specification_decode_a_chunk(tool):
    image = shuffled(600_000)
    parts = pack(tool, image, "--window", WINDOW)
    (tool.folder / "new.img").write_bytes(image)
    (tool.folder / "NAME.zst").write_bytes(parts[1])
    with open(os.path.join(os.path.dirname(__file__), "../../docs/SPEC.md"), encoding="utf-8") as f:
        text = f.read().split("By hand, a chunk whose entry")[1]
    commands = [line.strip() for line in text.splitlines() if line.startswith("    ")][:3]
    stored, tried = 0, 0
    for offset, length, reach, frame in oracle.chunks(*parts):
        if reach:
            tried += 1
            script = f"O={offset} R={reach} S={stored} N={len(frame)}\n" + "\n".join(commands)
            said = subprocess.run(["sh", "-ec", script], cwd=tool.folder, check=True, text=True,
                                  capture_output=True).stdout
            assert said.split()[0] == oracle.sha256(image[offset:offset + length])
        stored += len(frame)
    assert tried > 3


def test_a_chunk_reaches_no_further_than_it_needs(tool):
    image = shuffled(1_500_000, count=30) + words(300_000)
    parts = pack(tool, image, "--window", WINDOW)
    tried = 0
    for offset, length, reach, frame in oracle.chunks(*parts):
        if not reach:
            assert oracle.unzstd(frame) == image[offset:offset + length]
            continue
        tried += 1
        prefix = image[max(0, offset - 8192 * reach):offset]
        assert len(prefix) > 8192 * (reach - 1)
        assert oracle.unzstd(frame, prefix) == image[offset:offset + length]
        less = image[offset - 8192 * (reach - 1):offset]
        if less:
            assert oracle.unzstd(frame, less) != image[offset:offset + length]
    assert tried > 10


def test_the_window_is_a_bound(tool):
    image = shuffled(1_500_000)
    sizes = []
    for window in (8192, 65536, 37 * 8192, WINDOW, 255 * 8192):
        index, payload = pack(tool, image, "--window", window)
        reaches = oracle.reaches(index)
        assert max(reaches) <= window // 8192
        assert window == 8192 or max(reaches) > window // 8192 // 2
        assert oracle.decode(index, payload, "zstd-frames") == image
        sizes.append(len(payload))
        info = tool.json("info", "a.lbu")["images"][0]
        assert info["prefix_chunks"] == sum(r > 0 for r in reaches)
        longest = max(min(reach * 8192, offset) for offset, _, reach, _ in
                      oracle.chunks(index, payload))
        assert info["window"] == longest <= window
        summary = tool.json("pack", "d.json", "-o", "b.lbu", "--window", window, *SIGNED)
        assert summary["images"][0]["prefix_chunks"] == info["prefix_chunks"]
        assert summary["images"][0]["index"] == len(index)
    assert sizes == sorted(sizes, reverse=True)
    assert "window 1." in tool.run("info", "a.lbu")
    for wrong in ("1", "8191", "1000000", "2097152", "-8192", "1M", ""):
        assert tool.run("pack", "d.json", "-o", "c.lbu", "--window", wrong,
                        code=2).endswith("(usage)\n")


def test_what_needs_no_prefix_has_none(tool):
    index, payload = pack(tool, noise(900_000), "--window", WINDOW)
    assert set(oracle.reaches(index)) == {0} and len(payload) < 901_000
    # 5 bytes in 500 are not worth it, seen over 64 KiB
    seen = noise(5)
    image = noise(100_000) + b"".join(noise(495, seed) + seen for seed in range(1000))
    parts = pack(tool, image, "--window", WINDOW, "--chunking", "4")
    assert set(oracle.reaches(parts[0])) == {0}
    tool.describe({"root": {"data": shuffled(400_000), "encoding": "none"}})
    tool.run("pack", "d.json", "-o", "a.lbu", *SIGNED, "--window", WINDOW)
    assert set(oracle.reaches(oracle.members(tool.folder / "a.lbu")["root.idx"])) == {0}


def test_images_are_not_searched_in_one_piece(shipped):
    """33 MiB are three segments: chunks reach over their borders; threads change nothing."""
    image = shuffled(33 << 20, count=40, longest=10000)
    options = ("--window", WINDOW, "--level", 1)
    index, payload = pack(shipped, image, *options, "-j", 3)
    first = (shipped.folder / "a.lbu").read_bytes()
    for jobs in (1, 16):
        pack(shipped, image, *options, "-j", jobs)
        assert (shipped.folder / "a.lbu").read_bytes() == first
    shipped.run("verify", "a.lbu", "-k", "key.pub.pem")
    chunks = oracle.chunks(index, payload)
    for border in (16 << 20, 32 << 20):
        around = next(n for n, c in enumerate(chunks) if c[0] + c[1] > border)
        for offset, length, reach, frame in chunks[around:around + 3]:
            assert offset - 8192 * reach < border
            assert oracle.unzstd(frame, image[offset - 8192 * reach:offset]) == \
                image[offset:offset + length]
    # what lies behind a border is no worse off than what lies before one
    stored = [sum(len(c[3]) for c in chunks if at <= c[0] < at + (4 << 20))
              for at in (8 << 20, 16 << 20)]
    assert stored[1] < stored[0] * 1.1


def test_repeated_chunks_and_zeros_in_the_window(tool):
    part = shuffled(700_000)
    image = part + bytes(200_000) + noise(100_000) + bytes(17 << 20) + part[10_000:] + part
    index, payload = pack(tool, image, "--window", WINDOW)
    table = oracle.entries(index)[0]
    reaches = oracle.reaches(index)
    assert any(kind == oracle.DUPLICATE and reaches[original]
               for kind, _, original, _ in table)
    assert oracle.decode(index, payload, "zstd-frames") == image
    tool.run("verify", "a.lbu", "-k", "key.pub.pem")
    temporary = tool.folder / "temporary"
    temporary.mkdir()
    tool.run("extract", "a.lbu", "-o", "out", env={"TMPDIR": str(temporary)})
    assert (tool.folder / "out/root.img").read_bytes() == image
    assert os.listdir(temporary) == []
    tool.refuses("not-found", "verify", "a.lbu", "-k", "key.pub.pem",
                 env={"TMPDIR": str(tool.folder / "absent")})


@pytest.mark.parametrize("size", [1, 2, 3, 15, 16, 17, 131072, 131073, 131087, 131088, 262144 + 3])
def test_images_of_any_length(tool, size):
    """zstd's search says nothing of a last block of a few bytes."""
    image = shuffled(size, count=5, longest=900)
    index, payload = pack(tool, image, "--window", WINDOW)
    assert oracle.decode(index, payload, "zstd-frames") == image


def test_damage_in_a_prefix_is_found_in_the_chunk_that_has_it(tool):
    index, payload = pack(tool, shuffled(600_000), "--window", WINDOW)
    good = (tool.folder / "a.lbu").read_bytes()
    bad = bytearray(good)
    bad[good.index(payload) + 5000] ^= 1
    (tool.folder / "bad.lbu").write_bytes(bad)
    text = tool.refuses("digest-mismatch", "verify", "bad.lbu", "-k", "key.pub.pem")
    assert "chunk 0 " in text


def test_an_image_that_changes_meanwhile_is_refused(shipped):
    """Eight bytes count up for ever: the two passes agree only by a rare accident."""
    shipped.describe({"root": noise(20 << 20)})
    writer = subprocess.Popen(["/usr/bin/python3", "-c",
                               "import itertools, os, sys\n"
                               "fd = os.open(sys.argv[1], os.O_RDWR)\n"
                               "for n in itertools.count():\n"
                               "    os.pwrite(fd, n.to_bytes(8, 'little'), 15 << 20)\n",
                               shipped.folder / "root.img"])
    try:
        for _ in range(20):
            done = subprocess.run([shipped.program, "pack", "d.json", "-o", "a.lbu", "--level", "1"],
                                  cwd=shipped.folder, text=True, capture_output=True)
            if done.returncode:
                break
    finally:
        writer.kill()
        writer.wait()
    assert "root.img changed while it was packed (bundle-changed)" in done.stderr
