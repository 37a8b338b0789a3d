# SPDX-License-Identifier: GPL-2.0-or-later
"""With patches an image is cut where the old one ends and a repetition of the new one begins."""
import json

import oracle
import pytest
from conftest import noise

KEPT = noise(1_500_000)          # in both images
FRESH = noise(150_000, 2)        # in the new one alone, twice
FIRST, SECOND = 200_000, 650_000  # where, in KEPT
NEW = KEPT[:FIRST] + FRESH + KEPT[FIRST:SECOND] + FRESH + KEPT[SECOND:]
EDGES = SECOND + len(FRESH), SECOND + 2 * len(FRESH)  # of the repetition
OPTIONS = ("-k", "key.pem", "--level", "3", "--chunking", "4")


def pack(tool, old, new, *options, **more):
    """The members of a bundle with patches from image @old to @new; both decode to their images."""
    tool.pack({"root": old}, "old.lbu", OPTIONS, release=20)
    tool.pack({"root": {"data": new, **more}}, "new.lbu", (*OPTIONS, "--from", "old.lbu", *options))
    parts = oracle.members(tool.folder / "new.lbu")
    encoding = json.loads(parts["manifest.json"])["images"][0]["encoding"]
    payload = parts["root.zst" if encoding == "zstd-frames" else "root.raw"]
    assert oracle.decode(parts["root.idx"], payload, encoding) == new
    tool.run("verify", "new.lbu", "-k", "key.pub.pem")
    return parts


def ends(parts):
    """Offsets at which chunks end."""
    at, result = 0, []
    for _, length, _, _ in oracle.entries(parts["root.idx"])[0]:
        at += length
        result.append(at)
    return result


def documented(image):
    at, result = 0, []
    for _, length in oracle.cuts(image, 4):
        at += length
        result.append(at)
    return result


def fetched(tool):
    said = tool.json("diff", "old.lbu", "new.lbu")
    return said["total"]["fetch_bytes"]


def test_a_repetition_is_cut_off_from_what_the_old_image_has(tool):
    parts = pack(tool, KEPT, NEW)
    assert not set(EDGES) & set(documented(NEW))
    assert set(ends(parts)) == set(documented(NEW)) | set(EDGES)
    # the first time it is fetched; the second time chunks refer to it, and everything else to KEPT
    assert len(FRESH) < fetched(tool) < len(FRESH) + 3000


def test_each_of_several_old_images_has_its_cuts(tool):
    """The middle of NEW is in one of them, and its end in another."""
    tool.pack({"root": NEW[:EDGES[0]][-400_000:]}, "older.lbu", OPTIONS, release=19)
    first = set(ends(pack(tool, KEPT[SECOND:], NEW)))
    both = set(ends(pack(tool, KEPT[SECOND:], NEW, "--from", "older.lbu")))
    assert EDGES[1] in first and EDGES[0] not in first
    assert first < both


def test_what_has_no_other_half_is_not_cut(tool):
    """All is in the old image; nothing is; nothing repeats; the repetition is out of reach."""
    far = KEPT[:FIRST] + FRESH + KEPT[FIRST:] + FRESH[:-1] + KEPT[:100_000]
    for old, new in ((NEW, KEPT + NEW), (noise(100_000, 3), NEW),
                     (KEPT, KEPT[:FIRST] + FRESH + KEPT[FIRST:]), (KEPT, far)):
        assert ends(pack(tool, old, new)) == documented(new)


def test_what_costs_little_is_not_cut(tool):
    """150,000 bytes that are new as well, and that a patch holds in a few hundred."""
    fresh = bytes(range(255)) * 600
    new = KEPT[:FIRST] + fresh + KEPT[FIRST:SECOND] + fresh + KEPT[SECOND:]
    assert ends(pack(tool, KEPT, new)) == documented(new)


@pytest.mark.parametrize("options,more", [(("--window", "0"), {}), ((), {"encoding": "none"})])
def test_without_prefixes_nothing_is_cut(tool, options, more):
    assert ends(pack(tool, KEPT, NEW, *options, **more)) == documented(NEW)


def test_duplicates_keep_their_originals(tool):
    """Those lie behind the cuts, so they have other numbers than before."""
    new = NEW + KEPT[-500_000:]
    parts = pack(tool, KEPT, new)
    table, _, _ = oracle.entries(parts["root.idx"])
    first = ends(parts).index(EDGES[1])
    originals = [number for kind, _, number, _ in table if kind == oracle.DUPLICATE]
    assert sum(number > first for number in originals) > 3
    assert set(ends(parts)) == set(documented(new)) | set(EDGES)


def test_an_original_is_not_cut(tool):
    """All of what would be cut is there twice, and stored once."""
    new = NEW + NEW[SECOND - 300_000:EDGES[1] + 300_000]
    assert ends(pack(tool, KEPT, new)) == documented(new)


def test_cuts_do_not_depend_on_the_number_of_threads(tool):
    pack(tool, KEPT, NEW, "--jobs", "1")
    one = (tool.folder / "new.lbu").read_bytes()
    pack(tool, KEPT, NEW, "--jobs", "5")
    assert (tool.folder / "new.lbu").read_bytes() == one
