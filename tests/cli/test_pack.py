# SPDX-License-Identifier: GPL-2.0-or-later
"""Bundles as tar, sha256sum, openssl, zstd and python see them."""
import json
import os
import subprocess

import pytest

import oracle
from conftest import noise, words


def test_other_tools_agree(tool, sample):
    images = {"boot": noise(5000), "root": sample}
    bundle = tool.pack(images)
    manifest = oracle.check_bundle(bundle, tool.folder / "key.pub.pem", images, tool.folder)
    assert {k: manifest[k] for k in list(manifest)[:9]} == {
        "format": 1, "product": "acme", "hardware": ["acme,gw-2"], "version": "2.1", "release": 21,
        "min_release": 0, "created": 1700000000, "min_recovery": 1, "critical": []}
    tool.run("verify", bundle, "-k", "key.pub.pem")


def test_manifest_is_compact_with_a_newline(tool):
    text = oracle.members(tool.pack({"root": noise(100)}))["manifest.json"].decode()
    assert text == json.dumps(json.loads(text), separators=(",", ":")) + "\n"


def test_gnu_tar_makes_the_same_archive(tool, sample):
    bundle = tool.pack({"boot": noise(10), "root": sample})
    names = subprocess.check_output(["tar", "tf", bundle], text=True).split()
    unpacked = tool.folder / "unpacked"
    unpacked.mkdir()
    oracle.run("tar", "xf", bundle, "-C", unpacked)
    oracle.run("tar", "--format=ustar", "-b", "1", "--owner=0", "--group=0", "--numeric-owner",
               "--mode=0644", "--mtime=@1700000000", "-C", unpacked, "-cf", tool.folder / "again.lbu",
               *names)
    assert (tool.folder / "again.lbu").read_bytes() == bundle.read_bytes()


def test_sha256sum_and_zstd_suffice_for_plain_images(tool):
    image = words(600000)
    bundle = tool.pack({"root": image}, options=("-k", "key.pem", "--window", "0"))
    oracle.run("tar", "xf", bundle, "-C", tool.folder)
    manifest = json.loads((tool.folder / "manifest.json").read_text())
    sums = "".join(f"{m['sha256']}  {m['name']}\n"
                   for i in manifest["images"] for m in (i["index"], i["payload"]))
    (tool.folder / "SUMS").write_text(sums)
    subprocess.run(["sha256sum", "-c", "--quiet", "SUMS"], cwd=tool.folder, check=True)
    assert oracle.run("zstd", "-d", "-c", tool.folder / "root.zst") == image


def test_frames_name_their_size(tool):
    tool.pack({"root": words(600000)})
    oracle.run("tar", "xf", tool.folder / "a.lbu", "-C", tool.folder)
    listing = oracle.run("zstd", "-l", "-v", tool.folder / "root.zst").decode()
    assert "Decompressed Size: 586 KiB (600000 B)" in listing and "Check: None" in listing


def test_same_input_same_bytes(tool, sample):
    description = tool.describe({"boot": noise(9), "root": sample})
    for name, jobs in (("1", 1), ("2", 2), ("3", 7), ("4", 1)):
        tool.run("pack", description, "-o", name + ".lbu", "-k", "key.pem", "-j", jobs)
    first = (tool.folder / "1.lbu").read_bytes()
    for name in "234":
        assert (tool.folder / (name + ".lbu")).read_bytes() == first


def test_time_comes_from_description_environment_or_images(tool, monkeypatch):
    description = tool.describe({"a": b"a", "b": b"b"})
    fields = json.loads((tool.folder / description).read_text())
    del fields["created"]
    (tool.folder / description).write_text(json.dumps(fields))
    os.utime(tool.folder / "a.img", (5, 1600000000))
    os.utime(tool.folder / "b.img", (5, 1600000007))

    def created():
        return json.loads(oracle.members(tool.folder / "a.lbu")["manifest.json"])["created"]

    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    tool.run("pack", description, "-o", "a.lbu")
    assert created() == 1600000007
    tool.run("pack", description, "-o", "a.lbu", env={"SOURCE_DATE_EPOCH": "1500000000"})
    assert created() == 1500000000
    assert "2017-07-14" in subprocess.check_output(["tar", "tvf", tool.folder / "a.lbu"], text=True,
                                                   env={**os.environ, "TZ": "UTC"})


def test_zeros_and_repetitions_are_not_stored(tool):
    block = noise(1 << 20)
    image = block + bytes(40 << 20) + block
    tool.describe({"root": image})
    summary = tool.json("pack", "d.json", "-o", "a.lbu", "--level", "1")["images"][0]
    assert summary["zero_bytes"] == 40 << 20 and summary["zero_chunks"] == 3
    assert summary["duplicate_bytes"] > len(block) * 8 // 10
    assert summary["payload"] < len(block) * 13 // 10
    table, _, _ = oracle.entries(oracle.members(tool.folder / "a.lbu")["root.idx"])
    assert [length for kind, length, _, _ in table if kind == oracle.ZERO] == \
        [0xfff000, 0xfff000, (40 << 20) - 2 * 0xfff000]


def begin_often(data):
    """Marks of something that begins, and padding in front of every third block."""
    data = bytearray(data)
    for number, at in enumerate(range(3000, len(data) - 4, 9001)):
        data[at:at + 4] = oracle.BEGINNINGS[number % 3]
    for edge in range(4096, len(data), 3 * 4096):
        data[edge - 8:edge] = bytes(8)
    return bytes(data)


@pytest.mark.parametrize("options,level", [((), 1), (("--chunking", "2"), 2),
                                           (("--chunking", "3"), 3), (("--chunking", "4"), 4)])
def test_cuts_are_the_documented_ones(tool, sample, options, level):
    image = sample + bytes(17 << 20) + words(300000, seed=5) + bytes(5000) + \
        begin_often(words(200000, seed=6))
    members = oracle.members(tool.pack({"root": image}, options=("--level", "3", *options)))
    table, _, _ = oracle.entries(members["root.idx"])
    assert [(kind == oracle.ZERO, length) for kind, length, _, _ in table] == \
        oracle.cuts(image, level)
    assert json.loads(members["manifest.json"])["images"][0]["chunking"] == level
    assert tool.json("info", "a.lbu")["images"][0]["chunking"] == level


def test_with_patches_chunks_are_coarser(tool):
    """Their steps and the index grow with the number of chunks."""
    old, new = words(1 << 20), words(1 << 20)[:-1000] + noise(1000)
    tool.pack({"root": old}, "old.lbu")
    tool.pack({"root": new}, "new.lbu", options=("--level", "3", "--from", "old.lbu"), release=22)
    assert tool.json("info", "old.lbu")["images"][0]["chunking"] == 1
    assert tool.json("info", "new.lbu")["images"][0]["chunking"] == 4


def test_an_image_of_zeros_has_an_empty_payload(tool):
    images = {"root": bytes(100000)}
    bundle = tool.pack(images)
    oracle.check_bundle(bundle, tool.folder / "key.pub.pem", images, tool.folder)
    assert oracle.members(bundle)["root.zst"] == b""
    tool.run("verify", bundle, "-k", "key.pub.pem")


def test_encoding_none(tool, sample):
    images = {"root": sample}
    bundle = tool.pack({"root": {"data": sample, "encoding": "none"}})
    manifest = oracle.check_bundle(bundle, tool.folder / "key.pub.pem", images, tool.folder)
    assert manifest["images"][0]["payload"]["name"] == "root.raw"
    tool.run("verify", bundle, "-k", "key.pub.pem")


def test_a_changed_file_shares_most_chunks_with_the_old_one(tool):
    old = words(4 << 20)
    new = old[:1000000] + b"inserted" + old[1000000:]
    digests = []
    for image in (old, new):
        table, _, _ = oracle.entries(oracle.members(tool.pack({"root": image}))["root.idx"])
        digests.append({digest for _, _, _, digest in table})
    assert len(digests[1] - digests[0]) <= 2


def test_memory_does_not_depend_on_the_image(tool):
    """The program that ships, not the sanitizer's; sparse images of 32 MiB and 512 MiB."""
    program = tool.program.replace("/asan/", "/host/")
    peak = []
    for size in (32 << 20, 512 << 20):
        tool.describe({"root": words(2 << 20)})
        os.truncate(tool.folder / "root.img", size)
        done = subprocess.run(["/usr/bin/python3", "-c", "import resource, subprocess, sys\n"
                               "subprocess.run(sys.argv[1:], check=True, stdout=2)\n"
                               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)",
                               program, "pack", "d.json", "-o", "a.lbu", "-j", "2", "--level", "3",
                               "--window", "1048576"],
                              cwd=tool.folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=True)
        peak.append(int(done.stdout))
    assert peak[1] < peak[0] + 4096 and peak[1] < 64 * 1024, peak


def test_too_many_chunks_make_coarser_ones(tool):
    """Every third block is zeros: more than 65,536 chunks if each became one."""
    tool.program = tool.program.replace("/asan/", "/host/")
    tool.describe({"root": b"x"})
    size = 420 << 20
    with open(tool.folder / "root.img", "r+b") as f:
        f.truncate(size)
        for at in range(0, size, 12288):
            f.seek(at)
            f.write(b"data")
            f.seek(at + 4096)
            f.write(b"data")
    summary = tool.json("pack", "d.json", "-o", "a.lbu", "--level", "1", "-k", "key.pem")["images"][0]
    assert summary["chunks"] < 65536 and summary["zero_bytes"] == 0
    assert tool.json("info", "a.lbu")["images"][0]["chunking"] == 5  # a device cuts its own like that
    tool.run("verify", "a.lbu", "-k", "key.pub.pem")


def test_only_fits_are_packed_as_fit(tool):
    tool.describe({"boot": {"data": noise(5000), "kind": "fit"}})
    tool.refuses("fit-invalid", "pack", "d.json", "-o", "a.lbu")
    (tool.folder / "kernel").write_bytes(noise(3000))
    (tool.folder / "a.its").write_text("""/dts-v1/;
        / { description = "t"; #address-cells = <1>;
            images { k { data = /incbin/("kernel"); type = "kernel"; arch = "arm64"; os = "linux";
                         compression = "none"; load = <0>; entry = <0>; }; };
            configurations { default = "c"; c { kernel = "k"; }; }; };""")
    subprocess.run(["mkimage", "-f", "a.its", "fit.itb"], cwd=tool.folder, check=True,
                   stdout=subprocess.DEVNULL)
    fit = (tool.folder / "fit.itb").read_bytes()
    for kind in ({"kind": "fit"}, {"kind": "recovery", "recovery_release": 7}):
        tool.describe({"boot": {"data": fit, **kind}})
        tool.run("pack", "d.json", "-o", "a.lbu")
        tool.describe({"boot": {"data": fit[:-1], **kind}})
        tool.refuses("fit-invalid", "pack", "d.json", "-o", "a.lbu")
    image = tool.json("info", "a.lbu")["images"][0]
    assert (image["kind"], image["recovery_release"]) == ("recovery", 7)
    assert "boot -> recovery release 7, " in tool.run("info", "a.lbu")
    manifest = json.loads(oracle.members(tool.folder / "a.lbu")["manifest.json"])
    assert manifest["images"][0]["recovery_release"] == 7


def test_descriptions_are_checked_before_the_work(tool):
    image = {"root": b"x"}
    for fields in ({"product": "A"}, {"product": ""}, {"hardware": []}, {"hardware": "acme"},
                   {"release": 0}, {"release": -1}, {"release": "1"}, {"min_release": 22},
                   {"version": "a\nb"}, {"created": -1}, {"relase": 1}, {"min_recovery": 1 << 32},
                   {"images": []}, {"images": [{"name": "root"}]},
                   {"images": [{"name": "..", "file": "root.img"}]},
                   {"images": [{"name": "a", "file": "root.img", "kind": "x"}]},
                   {"images": [{"name": "a", "file": "root.img", "slot": "x"}]},
                   {"images": [{"name": "a", "file": "root.img", "recovery_release": 2}]},
                   {"images": [{"name": "a", "file": "root.img", "kind": "recovery"}]},
                   {"images": [{"name": "a", "file": "root.img", "kind": "recovery",
                                "recovery_release": 0}]},
                   {"images": [{"name": "a", "file": "root.img", "kind": "recovery",
                                "recovery_release": 1 << 32}]},
                   {"images": [{"name": "a", "file": "root.img"}] * 2}):
        tool.describe(image)
        description = json.loads((tool.folder / "d.json").read_text())
        (tool.folder / "d.json").write_text(json.dumps({**description, **fields}))
        tool.refuses("malformed", "pack", "d.json", "-o", "a.lbu")
    tool.describe(image)
    os.remove(tool.folder / "root.img")
    tool.refuses("not-found", "pack", "d.json", "-o", "a.lbu")
    assert sorted(p.name for p in tool.folder.iterdir() if not p.is_symlink()) == ["d.json"]


def test_a_failure_leaves_no_file(tool):
    tool.describe({"root": noise(1000)})
    tool.refuses("not-found", "pack", "d.json", "-o", "a.lbu", "-k", "absent.pem")
    tool.refuses("malformed", "pack", "d.json", "-o", "a.lbu", "-k", "key.pub.pem")
    tool.refuses("not-found", "pack", "d.json", "-o", "absent/a.lbu")
    assert sorted(p.name for p in tool.folder.iterdir() if not p.is_symlink()) == \
        ["d.json", "root.img"]
