# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/SPEC.md read by somebody who has never seen the C code."""
import hashlib
import json
import struct
import subprocess
import tarfile

DATA, ZERO, DUPLICATE = range(3)


def run(*argv, data=None):
    return subprocess.run([str(a) for a in argv], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def members(path):
    with tarfile.open(path, "r:") as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}


def entries(index):
    """(type, length, reference, digest) of each entry, and the header's two sizes"""
    magic, size, count, image, payload = struct.unpack_from("<8sIIQQ", index)
    assert magic == b"LBINDEX1" and size == 40 and len(index) == 32 + 40 * count
    result = []
    for i in range(count):
        first, reference = struct.unpack_from("<II", index, 32 + 40 * i)
        result.append((first & 255, first >> 8, reference, index[40 + 40 * i:72 + 40 * i]))
    return result, image, payload


def decode(index, payload, encoding):
    """The image, every rule of an index asserted on the way."""
    table, image_size, payload_size = entries(index)
    assert payload_size == len(payload) and 1 <= len(table) <= 65536
    image, at, chunks = [], 0, []
    for number, (kind, length, reference, digest) in enumerate(table):
        if kind == DATA:
            assert 1 <= length <= 1 << 20
            stored = payload[at:at + reference]
            at += reference
            data = run("zstd", "-d", "-c", data=stored) if encoding == "zstd-frames" else stored
        elif kind == ZERO:
            assert reference == 0 and digest == bytes(32) and 1 <= length <= 0xffffff
            data = bytes(length)
        else:
            assert kind == DUPLICATE and reference < number and table[reference][0] == DATA
            data = chunks[reference]
        assert len(data) == length
        if kind != ZERO:
            assert hashlib.sha256(data).digest() == digest
        chunks.append(data)
        image.append(data)
    assert at == payload_size
    result = b"".join(image)
    assert len(result) == image_size
    return result


def key_id(public_pem):
    return sha256(run("openssl", "pkey", "-pubin", "-in", public_pem, "-outform", "DER"))[:16]


def check_signature(data, signature, public_pem, work):
    (work / "oracle.data").write_bytes(data)
    (work / "oracle.sig").write_bytes(signature)
    out = subprocess.run(["openssl", "dgst", "-sha256", "-verify", str(public_pem), "-signature",
                          str(work / "oracle.sig"), str(work / "oracle.data")],
                         stdout=subprocess.PIPE)
    return out.stdout == b"Verified OK\n"


def check_bundle(path, public_pem, images, work):
    """Everything that is said about a bundle; images: name -> bytes"""
    parts = members(path)
    manifest = json.loads(parts["manifest.json"])
    order = ["manifest.json"] + sorted(n for n in parts if n.startswith("manifest.sig."))
    for which in ("index", "payload"):
        order += [i[which]["name"] for i in manifest["images"]]
    assert list(parts) == order
    name = "manifest.sig." + key_id(public_pem)
    assert check_signature(parts["manifest.json"], parts[name], public_pem, work)
    assert [i["name"] for i in manifest["images"]] == list(images)
    for image in manifest["images"]:
        for which in ("index", "payload"):
            data = parts[image[which]["name"]]
            assert len(data) == image[which]["size"] and sha256(data) == image[which]["sha256"]
        data = decode(parts[image["index"]["name"]], parts[image["payload"]["name"]],
                      image["encoding"])
        assert data == images[image["name"]]
        assert len(data) == image["size"] and sha256(data) == image["sha256"]
    return manifest
