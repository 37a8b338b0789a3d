# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder for a web server."""
import json
import os

import oracle
from conftest import noise

NOW = {"SOURCE_DATE_EPOCH": "1750000000"}


def release(tool, number, **fields):
    tool.pack({"root": noise(5000, seed=number)}, out=f"acme-{number}.lbu", release=number, **fields)
    return f"acme-{number}.lbu"


def channel(tool, folder="pub"):
    parts = oracle.members(tool.folder / folder / "channel.lbc")
    public = tool.folder / "key.pub.pem"
    assert list(parts) == ["channel.json", "channel.sig." + oracle.key_id(public)]
    text = parts["channel.json"].decode()
    assert oracle.check_signature(text.encode(), list(parts.values())[1], public, tool.folder)
    assert text == json.dumps(json.loads(text), separators=(",", ":")) + "\n"
    return json.loads(text)


def test_layout_and_channel_file(tool):
    bundle = release(tool, 21, min_release=20)
    tool.run("publish", "pub", bundle, "-k", "key.pem", env=NOW)
    assert sorted(os.listdir(tool.folder / "pub")) == [bundle, "channel.lbc"]
    published = (tool.folder / "pub" / bundle).read_bytes()
    assert published == (tool.folder / bundle).read_bytes()
    manifest = oracle.members(tool.folder / bundle)["manifest.json"]
    assert channel(tool) == {
        "format": 1, "product": "acme", "sequence": 1, "created": 1750000000, "critical": [],
        "releases": [{"release": 21, "version": "2.1", "hardware": ["acme,gw-2"], "min_release": 20,
                      "url": bundle, "size": len(published), "manifest": oracle.sha256(manifest),
                      "created": 1700000000}]}


def test_older_releases_stay_newest_first(tool):
    for number in (21, 23, 22):
        tool.run("publish", "pub", release(tool, number), "-k", "key.pem")
    now = channel(tool)
    assert now["sequence"] == 3
    assert [r["release"] for r in now["releases"]] == [23, 22, 21]
    assert len(os.listdir(tool.folder / "pub")) == 4
    tool.run("publish", "pub", release(tool, 24), "-k", "key.pem", "--keep", "2")
    assert [r["release"] for r in channel(tool)["releases"]] == [24, 23]
    assert len(os.listdir(tool.folder / "pub")) == 5  # bundles stay


def test_several_at_once_and_again(tool):
    bundles = [release(tool, n) for n in (1, 2, 3)]
    assert tool.json("publish", "pub", *bundles, "-k", "key.pem") == {
        "channel": "pub/channel.lbc", "sequence": 1, "releases": 3, "newest": 3}
    tool.run("publish", "pub", bundles[1], "-k", "key.pem")
    assert [r["release"] for r in channel(tool)["releases"]] == [3, 2, 1]
    assert channel(tool)["sequence"] == 2
    tool.run("publish", "pub", f"pub/{bundles[1]}", "-k", "key.pem")  # where it is already
    assert channel(tool)["sequence"] == 3


def test_a_release_number_is_used_once(tool):
    tool.run("publish", "pub", release(tool, 5), "-k", "key.pem")
    before = (tool.folder / "pub/channel.lbc").read_bytes()
    tool.pack({"root": noise(10, seed=99)}, out="other-5.lbu", release=5)
    tool.refuses("already-exists", "publish", "pub", "other-5.lbu", "-k", "key.pem")
    assert (tool.folder / "pub/channel.lbc").read_bytes() == before
    tool.pack({"root": noise(10, seed=98)}, out="gw3-5.lbu", release=5, hardware=["acme,gw-3"])
    tool.run("publish", "pub", "gw3-5.lbu", "-k", "key.pem")
    assert len(channel(tool)["releases"]) == 2


def test_a_published_file_never_changes(tool):
    bundle = release(tool, 5)
    tool.run("publish", "pub", bundle, "-k", "key.pem")
    release(tool, 5, version="2.2")
    tool.refuses("already-exists", "publish", "pub", bundle, "-k", "key.pem")


def test_only_whole_bundles_signed_by_a_known_key(tool):
    bundle = tool.folder / release(tool, 5)
    tool.refuses("signature-invalid", "publish", "pub", bundle, "-k", "other.pem")
    data = bytearray(bundle.read_bytes())
    data[-1024 - 600] ^= 1
    (tool.folder / "bad.lbu").write_bytes(data)
    tool.refuses("digest-mismatch", "publish", "pub", "bad.lbu", "-k", "key.pem")
    tool.refuses("wrong-product", "publish", "pub", bundle,
                 tool.pack({"root": b"x"}, out="b.lbu", product="other"), "-k", "key.pem")
    assert not (tool.folder / "pub/channel.lbc").exists()


def test_the_channel_key_can_change(tool):
    bundle = release(tool, 5)
    tool.run("publish", "pub", bundle, "-k", "key.pem")
    tool.run("publish", "pub", bundle, "-k", "other.pem", "--accept", "key.pub.pem")
    parts = oracle.members(tool.folder / "pub/channel.lbc")
    assert list(parts)[1:] == ["channel.sig." + oracle.key_id(tool.folder / "other.pub.pem")]
    tool.run("publish", "pub", bundle, "-k", "other.pem", "-k", "key.pem")
    assert len(oracle.members(tool.folder / "pub/channel.lbc")) == 3


def test_a_channel_that_was_tampered_with_is_not_signed_again(tool):
    tool.run("publish", "pub", release(tool, 5), "-k", "key.pem")
    path = tool.folder / "pub/channel.lbc"
    data = path.read_bytes().replace(b'"url":"acme-5', b'"url":"evil-5')
    path.write_bytes(data)
    tool.refuses("signature-invalid", "publish", "pub", release(tool, 6), "-k", "key.pem")
    assert path.read_bytes() == data


def test_a_command_signs_the_channel(tool):
    tool.run("publish", "pub", release(tool, 5), "--pubkey", "key.pub.pem", "--sign-command",
             "openssl dgst -sha256 -sign key.pem")
    assert channel(tool)["sequence"] == 1


def test_names_that_are_no_urls_are_refused(tool):
    bundle = tool.folder / release(tool, 5)
    for name in ("a b.lbu", "a?.lbu", "a%2f.lbu", ".a.lbu", "a..lbu", "bundle.tar", "a#.lbu"):
        os.symlink(bundle, tool.folder / name)
        tool.refuses("invalid-argument", "publish", "pub", name, "-k", "key.pem")
