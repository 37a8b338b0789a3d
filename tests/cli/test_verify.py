# SPDX-License-Identifier: GPL-2.0-or-later
"""What verify, info and extract make of good and of damaged bundles."""
import os
import random

import oracle
from conftest import noise, words

GOLDEN = os.path.abspath(os.path.join(os.path.dirname(__file__), "../golden"))


def test_a_bundle_of_other_tools_is_accepted(tool):
    assert tool.json("verify", f"{GOLDEN}/small.lbu", "-k", f"{GOLDEN}/key.pub.pem")["release"] == 7
    tool.run("extract", f"{GOLDEN}/small.lbu", "-o", "out", "-k", f"{GOLDEN}/key.pub.pem")
    for name in ("boot", "root"):
        with open(f"{GOLDEN}/{name}.img", "rb") as f:
            assert (tool.folder / f"out/{name}.img").read_bytes() == f.read()


def test_info_says_what_the_manifest_says(tool, sample):
    bundle = tool.pack({"root": sample}, min_release=20, version="2.1 \u2693")
    info = tool.json("info", bundle)
    manifest = oracle.members(bundle)["manifest.json"]
    assert info["manifest_sha256"] == oracle.sha256(manifest)
    assert info["size"] == bundle.stat().st_size
    assert (info["release"], info["min_release"], info["version"]) == (21, 20, "2.1 \u2693")
    assert info["images"][0]["sha256"] == oracle.sha256(sample)
    assert info["signatures"] == [oracle.key_id(tool.folder / "key.pub.pem")]
    assert "release 21" in tool.run("info", bundle)


def test_extract_gives_the_images_back(tool, sample):
    images = {"boot": noise(100), "root": sample, "data": bytes(10 << 20)}
    bundle = tool.pack(images)
    tool.run("extract", bundle, "-o", "out")
    for name, data in images.items():
        assert (tool.folder / f"out/{name}.img").read_bytes() == data
    assert (tool.folder / "out/data.img").stat().st_blocks == 0  # zeros are holes
    tool.run("extract", bundle, "boot", "-o", "one")
    assert os.listdir(tool.folder / "one") == ["boot.img"]
    tool.refuses("not-found", "extract", bundle, "swap", "-o", "one")


def test_wrong_key(tool):
    bundle = tool.pack({"root": noise(10)})
    text = tool.refuses("signature-invalid", "verify", bundle, "-k", "other.pub.pem")
    assert oracle.key_id(tool.folder / "key.pub.pem") in text
    tool.refuses("signature-invalid", "extract", bundle, "-o", "out", "-k", "other.pub.pem")
    assert not (tool.folder / "out").exists()
    tool.run("verify", bundle, "-k", "other.pub.pem", "-k", "key.pub.pem")


def test_any_flipped_bit_is_noticed(tool):
    """verify also minds headers and padding, which an engine never looks at."""
    bundle = tool.pack({"boot": {"data": noise(700), "encoding": "none"}, "root": words(9000)})
    good = bundle.read_bytes()
    bad = tool.folder / "bad.lbu"
    rng = random.Random(7)
    for block in range(0, len(good), 512):
        for _ in range(3):
            data = bytearray(good)
            data[block + rng.randrange(512)] ^= 1 << rng.randrange(8)
            bad.write_bytes(data)
            tool.run("verify", bad, "-k", "key.pub.pem", code=1)


def test_truncation_and_excess_are_noticed(tool):
    bundle = tool.pack({"root": words(9000)})
    good = bundle.read_bytes()
    bad = tool.folder / "bad.lbu"
    for length in list(range(0, len(good), 509)) + [len(good) - 1, len(good) - 512]:
        bad.write_bytes(good[:length])
        tool.run("verify", bad, "-k", "key.pub.pem", code=1)
    bad.write_bytes(good[:3000])
    tool.refuses("truncated", "verify", bad, "-k", "key.pub.pem")
    bad.write_bytes(good + b"\0")
    tool.refuses("malformed", "verify", bad, "-k", "key.pub.pem")


def test_damage_has_a_stable_reason(tool):
    bundle = tool.pack({"root": words(300000)})
    good = bundle.read_bytes()
    bad = tool.folder / "bad.lbu"

    def damaged(offset):
        data = bytearray(good)
        data[offset] ^= 0x55
        bad.write_bytes(data)
        return bad

    index = good.index(b"LBINDEX1")
    frame = good.index(b"\x28\xb5\x2f\xfd")
    tool.refuses("malformed", "verify", damaged(0), "-k", "key.pub.pem")
    tool.refuses("signature-invalid", "verify", damaged(600), "-k", "key.pub.pem")
    tool.refuses("digest-mismatch", "verify", damaged(index + 50), "-k", "key.pub.pem")
    text = tool.refuses("digest-mismatch", "verify", damaged(frame + 5000), "-k", "key.pub.pem")
    assert "chunk " in text and "bad.lbu" in text
    tool.refuses("digest-mismatch", "extract", bad, "-o", "out")
    assert os.listdir(tool.folder / "out") == []
    tool.refuses("not-found", "verify", "absent.lbu", "-k", "key.pub.pem")
    tool.refuses("malformed", "verify", "root.img", "-k", "key.pub.pem")


def test_a_field_that_is_not_known_is_critical_or_not(tool):
    bundle = tool.pack({"root": noise(10)}, critical=["seal"], min_recovery=9)
    text = tool.refuses("unknown-critical-field", "verify", bundle, "-k", "key.pub.pem")
    assert "recovery release 9" in text
    bundle = tool.pack({"root": noise(10)}, critical=["images", "images.target"])
    tool.run("verify", bundle, "-k", "key.pub.pem")


def test_a_wrong_command_line_is_code_2(tool):
    for argv in ((), ("frobnicate",), ("pack",), ("pack", "d.json"), ("pack", "--frob", "d.json"),
                 ("pack", "d.json", "-o", "x", "-j", "0"), ("pack", "d.json", "-o", "x", "-j", "1x"),
                 ("pack", "d.json", "-o", "x", "--level", "99"), ("sign", "a.lbu"),
                 ("sign", "a.lbu", "-k", "k", "--sign-command", "c", "--pubkey", "p"),
                 ("sign", "a.lbu", "--sign-command", "c"), ("verify", "a.lbu"), ("info",),
                 ("extract", "a.lbu"), ("publish", "d", "a.lbu"), ("keygen",),
                 ("keygen", "--rsa=1024", "k")):
        assert tool.run(*argv, code=2).endswith("(usage)\n")
    for command in ("keygen", "pack", "sign", "info", "verify", "extract", "diff", "publish"):
        text = tool.run(command, "--help")
        assert text.startswith(f"Usage: lifeboat {command} ") and "Exit codes: 0 done" in text
        assert f"  {command} " in tool.run("--help")
