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


def by_hand(tool, image, parts, wanted, at_most):
    """Decodes chunks as docs/SPEC.md says; how many there were"""
    (tool.folder / "new.img").write_bytes(image)
    (tool.folder / "NAME.zst").write_bytes(parts[1])
    with open(os.path.join(os.path.dirname(__file__), "../../docs/SPEC.md"), encoding="utf-8") as f:
        text = f.read().split("By hand, a chunk whose entry")[1]
    commands = [line.strip() for line in text.splitlines() if line.startswith("    ")][:4]
    stored, tried = 0, 0
    for offset, length, reach, far, frame in oracle.chunks(*parts):
        if wanted(reach, far) and tried < at_most:
            tried += 1
            script = f"O={offset} R={reach} S={stored} N={len(frame)} B={far[0] // 4096} " \
                f"C={far[1] // 4096}\n" + "\n".join(commands)
            said = subprocess.run(["sh", "-ec", script], cwd=tool.folder, check=True, text=True,
                                  capture_output=True).stdout
            assert said.split()[0] == oracle.sha256(image[offset:offset + length])
        stored += len(frame)
    return tried


def test_the_commands_of_the_specification_decode_a_chunk(tool):
    image = shuffled(600_000)
    parts = pack(tool, image, "--window", WINDOW)
    assert by_hand(tool, image, parts, lambda reach, far: reach, 1000) > 3


def test_a_chunk_reaches_no_further_than_it_needs(tool):
    image = shuffled(1_500_000, count=30) + words(300_000)
    parts = pack(tool, image, "--window", WINDOW)
    tried = 0
    for offset, length, reach, far, frame in oracle.chunks(*parts):
        prefix = oracle.prefix(image, offset, reach, far)
        assert oracle.unzstd(frame, prefix) == image[offset:offset + length]
        if not reach or far[1]:
            continue
        tried += 1
        assert len(prefix) > 8192 * (reach - 1)
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
        fars = oracle.fars(index)
        assert info["prefix_chunks"] == sum(r > 0 or f[1] > 0 for r, f in zip(reaches, fars))
        assert info["far_chunks"] == sum(f[1] > 0 for f in fars)
        assert max(f[1] for f in fars) <= min(window // 4, 32 * 4096)
        longest = max(min(reach * 8192, offset) + far[1] for offset, _, reach, far, _ in
                      oracle.chunks(index, payload))
        assert info["window"] == longest <= window
        summary = tool.json("pack", "d.json", "-o", "b.lbu", "--window", window, *SIGNED)
        assert summary["images"][0]["prefix_chunks"] == info["prefix_chunks"]
        assert summary["images"][0]["far_chunks"] == info["far_chunks"]
        assert summary["images"][0]["index"] == len(index)
    assert sizes == sorted(sizes, reverse=True)
    assert "window 1." in tool.run("info", "a.lbu")
    for wrong in ("1", "8191", "1000000", "2097152", "-8192", "1M", ""):
        assert tool.run("pack", "d.json", "-o", "c.lbu", "--window", wrong,
                        code=2).endswith("(usage)\n")


# ---- far regions ----


def distant(seed=1):
    """Programs of 60 KB, and, behind more than a window of others, almost the same ones."""
    programs = b"".join(shuffled(60_000, seed + i) for i in range(4))
    again = bytearray(programs)
    for at in range(1000, len(again), 1500):
        again[at] ^= 255
    return programs + noise(1_500_000, seed + 9) + again


def test_what_is_further_away_than_the_window_is_not_stored_twice(tool):
    image = distant()
    index, payload = pack(tool, image, "--window", WINDOW)
    assert oracle.decode(index, payload, "zstd-frames") == image
    parts = oracle.chunks(index, payload)
    again = [c for c in parts if c[0] >= 1_740_000]
    assert len(again) > 10 and sum(c[3][1] > 0 for c in again) > len(again) * 0.8
    first = sum(len(c[4]) for c in parts if c[0] < 240_000)
    assert sum(len(c[4]) for c in again) < first / 5
    tool.run("verify", "a.lbu", "-k", "key.pub.pem")
    temporary = tool.folder / "temporary"
    temporary.mkdir()
    tool.run("extract", "a.lbu", "-o", "out", env={"TMPDIR": str(temporary)})
    assert (tool.folder / "out/root.img").read_bytes() == image
    assert os.listdir(temporary) == []
    for jobs in (1, 3):
        pack(tool, image, "--window", WINDOW, "-j", jobs, name="again.lbu")
        assert (tool.folder / "again.lbu").read_bytes() == (tool.folder / "a.lbu").read_bytes()


def test_a_far_region_is_needed_and_no_longer_than_it_has_to_be(tool):
    image = distant(2)
    tried = 0
    for offset, length, reach, far, frame in oracle.chunks(*pack(tool, image, "--window", WINDOW)):
        if not far[1]:
            continue
        tried += 1
        data = image[offset:offset + length]
        assert far[1] + reach * 8192 <= WINDOW and far[1] <= 32 * 4096
        assert oracle.unzstd(frame, oracle.prefix(image, offset, reach, far)) == data
        other = image[:far[0]] + bytes(far[1]) + image[sum(far):]
        assert oracle.unzstd(frame, oracle.prefix(other, offset, reach, far)) != data
    assert tried > 10


def test_the_commands_of_the_specification_decode_a_chunk_with_a_far_region(tool):
    image = distant(3)
    parts = pack(tool, image, "--window", WINDOW)
    assert by_hand(tool, image, parts, lambda reach, far: far[1], 5) == 5


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
        for offset, length, reach, far, frame in chunks[around:around + 3]:
            assert offset - 8192 * reach < border
            assert oracle.unzstd(frame, oracle.prefix(image, offset, reach, far)) == \
                image[offset:offset + length]
    # what lies behind a border is no worse off than what lies before one
    stored = [sum(len(c[4]) for c in chunks if at <= c[0] < at + (4 << 20))
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
