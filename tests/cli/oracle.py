# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/SPEC.md read by somebody who has never seen the C code."""
import hashlib
import json
import struct
import subprocess
import tarfile
import tempfile

DATA, ZERO, DUPLICATE, FAR = range(4)


def run(*argv, data=None):
    return subprocess.run([str(a) for a in argv], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def members(path):
    with tarfile.open(path, "r:") as tar:
        return {m.name: tar.extractfile(m).read() for m in tar.getmembers()}


def entries(index):
    """(type, length, reference, digest) of each entry, FAR as DATA, and the header's two sizes"""
    magic, size, count, image, payload = struct.unpack_from("<8sIIQQ", index)
    regions = sum(index[32 + 40 * i] == FAR for i in range(count))
    assert magic == b"LBINDEX1" and size == 40 and len(index) == 32 + 40 * count + 4 * regions
    result = []
    for i in range(count):
        first, reference = struct.unpack_from("<II", index, 32 + 40 * i)
        kind = DATA if first & 255 == FAR else first & 255
        if kind == DATA:
            reference &= 0xffffff
        result.append((kind, first >> 8, reference, index[40 + 40 * i:72 + 40 * i]))
    return result, image, payload


def reaches(index):
    """How many times 8 KiB in front of it each entry's chunk is decoded with"""
    return [index[39 + 40 * i] if index[32 + 40 * i] in (DATA, FAR) else 0
            for i in range(len(entries(index)[0]))]


def fars(index):
    """(offset, length) of each entry's far region; (0, 0) where it has none"""
    count = len(entries(index)[0])
    at, offset, result = 32 + 40 * count, 0, []
    for i in range(count):
        result.append((0, 0))
        if index[32 + 40 * i] == FAR:
            block, blocks = struct.unpack_from("<I", index, at)[0] & 0xffffff, index[at + 3]
            assert 1 <= blocks <= 64 and (block + blocks) * 4096 <= offset
            result[i] = block * 4096, blocks * 4096
            at += 4
        offset += struct.unpack_from("<I", index, 32 + 40 * i)[0] >> 8
    assert at == len(index)
    return result


def prefix(image, offset, reach, far):
    """What the chunk at offset of the image is decoded with"""
    near = image[max(0, offset - 8192 * reach):offset] if reach else b""
    return bytes(image[far[0]:sum(far)] + near)


def unzstd(frame, prefix=b""):
    """What a person would type; None when the frame does not decode"""
    if not prefix:
        return run("zstd", "-d", "-c", data=frame)
    with tempfile.NamedTemporaryFile() as file:
        file.write(prefix)
        file.flush()
        done = subprocess.run(["zstd", "-d", "-c", f"--patch-from={file.name}"], input=frame,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return None if done.returncode else done.stdout


def chunks(index, payload):
    """(offset, length, reach, far region, stored bytes) of the data chunks"""
    offset, at, result = 0, 0, []
    for (kind, length, stored, _), reach, far in zip(entries(index)[0], reaches(index), fars(index)):
        if kind == DATA:
            result.append((offset, length, reach, far, payload[at:at + stored]))
            at += stored
        offset += length
    return result


def decode(index, payload, encoding):
    """The image, every rule of an index asserted on the way."""
    table, image_size, payload_size = entries(index)
    assert payload_size == len(payload) and 1 <= len(table) <= 65536
    reach, far, at, chunks, image = reaches(index), fars(index), 0, [], bytearray()
    for number, (kind, length, reference, digest) in enumerate(table):
        if kind == DATA:
            assert 1 <= length <= 1 << 20
            stored = payload[at:at + reference]
            at += reference
            assert encoding == "zstd-frames" or not reach[number] and not far[number][1]
            data = unzstd(stored, prefix(image, len(image), reach[number], far[number])) \
                if encoding == "zstd-frames" else stored
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
        image += data
    assert at == payload_size and len(image) == image_size
    return bytes(image)


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


def gear_table():
    """SplitMix64, as docs/SPEC.md has it"""
    mask, state, table = (1 << 64) - 1, 0x6c696665626f6174, []
    for _ in range(256):
        state = (state + 0x9e3779b97f4a7c15) & mask
        z = (state ^ state >> 30) * 0xbf58476d1ce4e5b9 & mask
        z = (z ^ z >> 27) * 0x94d049bb133111eb & mask
        table.append(z ^ z >> 31)
    return table


BLOCKS = b"\x28\xb5\x2f\xfd", b"\xfd7zX"
BEGINNINGS = *BLOCKS, b"\x7fELF"


def begins(data, position, offset, level):
    """Behind what compressed data begins with; fine ones also behind a file's padding, or what a program begins with."""
    if level > 3:
        return data[position - 4:position] in BLOCKS
    return data[position - 4:position] in BEGINNINGS or \
        (offset + position) % 4096 == 0 and not any(data[position - 8:position])


def cut_length(data, gear, level, offset):
    """How long the first chunk of a stretch of data is, which is at offset in the image."""
    bits, length, value = 12 + level, 0, 0
    least, average, most = 1 << bits - 2, 1 << bits, 1 << bits + 2
    for position in range(least - 64, min(len(data), most)):
        rare = bits + (2 if position < average else -2)
        if position >= least and (value >> 64 - rare == 0 or
                                  begins(data, position, offset, level)):
            length = position
            break
        value = (value << 1) + gear[data[position]] & (1 << 64) - 1
    return length or min(len(data), most)


def cuts(image, level, block=4096):
    """(is zero, length) of all chunks at level 1 to 4"""
    gear, result, at = gear_table(), [], 0
    zero = [not image[i:i + block].strip(b"\0") for i in range(0, len(image), block)]
    start = 0
    while start < len(zero):
        end = start
        while end < len(zero) and zero[end] == zero[start]:
            end += 1
        at, stop = start * block, min(end * block, len(image))
        while at < stop:
            length = min(stop - at, 0xfff000) if zero[start] else \
                cut_length(image[at:stop], gear, level, at)
            result.append((zero[start], length))
            at += length
        start = end
    return result
