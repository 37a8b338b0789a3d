# SPDX-License-Identifier: GPL-2.0-or-later
"""Predictions against what the indexes of both bundles say by themselves.

That a device then does what was predicted is tried in tests/recovery/test_diff.py.
"""
import os

import oracle
import pytest
from conftest import noise, words

FIGURES = ("total_bytes", "skip_bytes", "copy_bytes", "fetch_bytes", "write_bytes", "plan_ranges")


def figures(*values):
    return dict(zip(FIGURES, values))


def of(part):
    return {name: part[name] for name in FIGURES}


def index(bundle, image):
    return oracle.entries(oracle.members(bundle)[f"{image}.idx"])[0]


@pytest.fixture
def pair(tool):
    """
    (old, new): 200 kB more near the front, fewer at the end, an image that stays. In fine chunks
    a device finds one that the old index does not have: it cuts the old image at more places.
    """
    options = ("-k", "key.pem", "--level", "3", "--chunking", "4")
    old = noise(900_000) + bytes(100_000) + words(900_000, 2) + noise(300_000, 3)
    new = old[:150_000] + noise(200_000, 4) + old[150_000:-300_000]
    same = noise(70_000, 5)
    return (tool.pack({"boot": same, "root": old}, "old.lbu", options),
            tool.pack({"boot": same, "root": new}, "new.lbu", options, release=22))


def expected(tool, pair):
    """What there is to do for root: old chunks are known by the digests in the old index."""
    new = (tool.folder / "root.img").read_bytes()
    old = oracle.decode(*(oracle.members(pair[0])[f"root.{e}"] for e in ("idx", "zst")),
                        "zstd-frames")
    known = {digest for kind, _, _, digest in index(pair[0], "root") if kind == oracle.DATA}
    skip = copy = fetch = at = 0
    runs = []  # of chunks to fetch
    run = 0
    for kind, length, stored, digest in index(pair[1], "root"):
        here = old[at:at + length] == new[at:at + length]
        wanted = kind == oracle.DATA and not here and digest not in known
        skip += length * here
        copy += length * (not here and not wanted and kind != oracle.ZERO)
        fetch += stored * wanted
        if wanted:
            run += 1
        elif kind == oracle.DATA and run:
            runs.append(run)
            run = 0
        at += length
    runs += [run] if run else []
    # the very first is asked for alone, since the copies come before the second
    return figures(len(new), skip, copy, fetch, len(new) - skip, len(runs) + (runs[0] > 1))


def test_an_insertion_costs_what_the_indexes_tell(tool, pair):
    said = tool.json("diff", *pair)
    boot, root = said["images"]
    want = expected(tool, pair)
    assert of(root) == want and want["copy_bytes"] > 1_000_000 and want["skip_bytes"] > 0
    assert 200_000 < want["fetch_bytes"] < 600_000 and want["plan_ranges"] >= 2
    assert of(boot) == figures(70_000, 70_000, 0, 0, 0, 0)
    assert of(said["total"]) == {n: boot[n] + root[n] for n in FIGURES}
    parts = oracle.members(pair[1])
    assert said["index_bytes"] == len(parts["boot.idx"]) + len(parts["root.idx"])
    headers = 1024  # and the header of the first index; the signature fills a block
    padded = -(-len(parts["manifest.json"]) // 512) * 512
    assert said["head_bytes"] == headers + padded + 512 + 512
    assert said["release"] == 22 and len(said["signatures"]) == 1
    assert root["slot_bytes"] == 2_200_000  # the old one is the larger


def test_files_are_as_good_as_a_bundle(tool, pair, monkeypatch):
    temporary = tool.folder / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    tool.run("extract", pair[0], "-o", "out")
    said = tool.json("diff", "root=out/root.img", "boot=out/boot.img", pair[1])
    assert said == tool.json("diff", *pair)
    assert os.listdir(temporary) == []


def test_from_nothing_and_from_the_same(tool, pair):
    total = tool.json("diff", "boot=/dev/null", "root=/dev/null", pair[1])["total"]
    parts = oracle.members(pair[1])
    zeros = sum(n for kind, n, _, _ in index(pair[1], "root") if kind == oracle.ZERO)
    size = 70_000 + 2_100_000
    assert zeros > 50_000 and of(total) == figures(
        size, zeros, 0, len(parts["boot.zst"]) + len(parts["root.zst"]), size - zeros, 2)
    assert of(tool.json("diff", pair[1], pair[1])["total"]) == figures(size, size, 0, 0, 0, 0)


def test_what_lies_behind_the_new_image_is_found_in_a_larger_slot(tool):
    moved = noise(800_000)
    (tool.folder / "slot").write_bytes(noise(900_000, 2) + moved)
    bundle = tool.pack({"root": moved + noise(100_000, 3)})
    said = tool.json("diff", "root=slot", bundle)
    assert said["images"][0]["slot_bytes"] == 1_700_000
    assert said["total"]["copy_bytes"] > 400_000
    said = tool.json("diff", "root=slot", bundle, "--slot", "root=4000000")
    assert said["images"][0]["slot_bytes"] == 4_000_000
    text = tool.refuses("image-too-large", "diff", "root=slot", bundle, "--slot", "root=900000")
    assert "1700000" in text


def test_the_text_has_the_same_figures(tool, pair):
    said = tool.json("diff", *pair)
    text = tool.run("diff", *pair)
    assert (f"fetched are {said['total']['fetch_bytes']} bytes of payload, and in any case "
            f"{said['head_bytes'] + said['index_bytes']} of head and index") in text
    lines = [line.split() for line in text.splitlines()]
    for part in [*said["images"], {**said["total"], "name": "total"}]:
        line = next(words for words in lines if words[0] == part["name"])
        assert int(line[-1]) == part["plan_ranges"]
    assert "nobody" not in text
    unsigned = tool.pack({"root": noise(10)}, "unsigned.lbu", options=())
    assert "signed by  nobody" in tool.run("diff", "root=/dev/null", unsigned)
    assert tool.json("diff", "root=/dev/null", unsigned)["signatures"] == []


def test_what_is_missing_or_damaged_has_a_stable_reason(tool, pair):
    old, new = pair
    assert "root=FILE" in tool.refuses("not-found", "diff", "boot=/dev/null", new)
    tool.refuses("not-found", "diff", "boot=/dev/null", "root=absent", new)
    tool.refuses("not-found", "diff", "boot=/dev/null", "swap=/dev/null", new)
    tool.refuses("not-found", "diff", old, new, "--slot", "swap=1")
    tool.refuses("not-found", "diff", old, "absent.lbu")
    other = tool.pack({"root": noise(10)}, "other.lbu")
    assert "slot boot" in tool.refuses("not-found", "diff", other, new)
    data = bytearray(old.read_bytes())
    data[-400_000] ^= 1
    (tool.folder / "bad.lbu").write_bytes(data)
    tool.refuses("digest-mismatch", "diff", "bad.lbu", new)
    tool.refuses("io-error", "diff", "boot=/dev/null", "root=old.lbu/below", new)
    for argv in ((), (new,), (old, old, new), ("boot=/dev/null", old, new), (old, new, "--slot", "root"),
                 (old, new, "--slot", "root=1x"), ("root=old.lbu", "root=old.lbu", new)):
        assert tool.run("diff", *argv, code=2).endswith("(usage)\n")
