# SPDX-License-Identifier: GPL-2.0-or-later
"""Bundles made, taken apart and spoilt without the project's own code.

write() follows docs/SPEC.md with hashlib, the system's libzstd and
python3-cryptography, so that recovery is tested against a second opinion of the
format. edit() and flip() make what a hostile or broken server would send, signed
where that matters.
"""

import ctypes
import ctypes.util
import hashlib
import json
import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CHUNK = 64 * 1024
REACH = 9  # of most chunks, in units of 8 KiB: the chunk in front and a part of the one before
DATA, ZERO, DUPLICATE, FAR = 0, 1, 2, 3


class Key:
    """An ECDSA P-256 key pair and its id."""

    def __init__(self, private):
        self.private = private
        spki = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(spki).hexdigest()[:16]

    @classmethod
    def new(cls):
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, path):
        return cls(serialization.load_pem_private_key(path.read_bytes(), None))

    def public_pem(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def private_pem(self):
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())

    def sign(self, data):
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))


def _zstd():
    lib = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    lib.ZSTD_compressBound.restype = ctypes.c_size_t
    lib.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
    lib.ZSTD_createCCtx.restype = ctypes.c_void_p
    lib.ZSTD_CCtx_setParameter.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    lib.ZSTD_CCtx_refPrefix.restype = ctypes.c_size_t
    lib.ZSTD_CCtx_refPrefix.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    lib.ZSTD_compress2.restype = ctypes.c_size_t
    lib.ZSTD_compress2.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t,
                                   ctypes.c_char_p, ctypes.c_size_t]
    context = lib.ZSTD_createCCtx()
    lib.ZSTD_CCtx_setParameter(context, 100, 1)  # ZSTD_c_compressionLevel
    return lib, context


def compress(data, prefix=b"", zstd=_zstd()):
    """One frame; what it may refer to in front of it is not part of it."""
    lib, context = zstd
    out = ctypes.create_string_buffer(lib.ZSTD_compressBound(len(data)))
    if prefix:
        lib.ZSTD_CCtx_refPrefix(context, prefix, len(prefix))
    size = lib.ZSTD_compress2(context, out, len(out), data, len(data))
    assert size <= len(out)
    return out.raw[:size]


def sha(data):
    return hashlib.sha256(data).hexdigest()


# ---- archive ---------------------------------------------------------------


def tar_header(name, size, mtime=0):
    head = struct.pack("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x", name.encode(),
                       b"0000644", b"0000000", b"0000000", b"%011o" % size, b"%011o" % mtime,
                       b" " * 8, b"0", b"", b"ustar\00000", b"", b"", b"0000000", b"0000000", b"")
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]


def pad(size):
    return -size % 512


def join(members):
    """[(name, bytes)] to the bytes of an archive."""
    parts = []
    for name, data in members:
        parts += [tar_header(name, len(data)), data, bytes(pad(len(data)))]
    return b"".join(parts) + bytes(1024)


def places(bundle):
    """{name: (offset, size)} of the members' data, in order."""
    found, at = {}, 0
    while bundle[at] != 0:
        name = bundle[at:at + 100].rstrip(b"\0").decode()
        size = int(bundle[at + 124:at + 135], 8)
        found[name] = (at + 512, size)
        at += 512 + size + pad(size)
    return found


def split(bundle):
    return [(n, bundle[o:o + s]) for n, (o, s) in places(bundle).items()]


def manifest_of(bundle):
    offset, size = places(bundle)["manifest.json"]
    return json.loads(bundle[offset:offset + size])


# ---- writing ---------------------------------------------------------------


def index_and_payload(image, encoding, chunk_bytes=CHUNK, reach=REACH):
    """Every fourth chunk is decoded alone, the others with what is in front of them."""
    entries, stored, seen, at = [], [], {}, 0
    for start in range(0, len(image), chunk_bytes):
        chunk = image[start:start + chunk_bytes]
        digest = hashlib.sha256(chunk).digest()
        kind, reference = DATA, 0
        if not any(chunk):
            kind, digest = ZERO, bytes(32)
        elif digest in seen:
            kind, reference = DUPLICATE, seen[digest]
        else:
            seen[digest] = len(entries)
            here = reach if encoding == "zstd-frames" and len(entries) % 4 != 3 else 0
            prefix = image[max(0, start - here * 8192):start] if here else b""
            stored.append(compress(chunk, prefix) if encoding == "zstd-frames" else chunk)
            reference = len(stored[-1]) | here << 24
        entries.append(struct.pack("<II", kind | len(chunk) << 8, reference) + digest)
        at += len(chunk)
    payload = b"".join(stored)
    head = b"LBINDEX1" + struct.pack("<IIQQ", 40, len(entries), len(image), len(payload))
    return head + b"".join(entries), payload


def write(images, key, release, *, product="bench", hardware=("bench-board",), min_release=1,
          encoding="zstd-frames", kinds=None, targets=None, chunk_bytes=CHUNK, reach=REACH, **more):
    """A signed bundle of {name: bytes}; @more goes into the manifest."""
    manifest = {"format": 1, "product": product, "hardware": list(hardware),
                "version": f"{release}.0", "release": release, "min_release": min_release,
                "created": 1700000000 + release, "images": []}
    manifest.update(more)
    suffix = ".zst" if encoding == "zstd-frames" else ".raw"
    indexes, payloads = [], []
    for name, data in images.items():
        index, payload = index_and_payload(data, encoding, chunk_bytes, reach)
        indexes.append((name + ".idx", index))
        payloads.append((name + suffix, payload))
        manifest["images"].append({
            "name": name, "target": (targets or {}).get(name, name),
            "kind": (kinds or {}).get(name, "raw"), "encoding": encoding,
            "size": len(data), "sha256": sha(data),
            "index": {"name": name + ".idx", "size": len(index), "sha256": sha(index)},
            "payload": {"name": name + suffix, "size": len(payload), "sha256": sha(payload)}})
    return signed(manifest, key, indexes + payloads)


def signed(manifest, key, rest):
    text = json.dumps(manifest, indent=1).encode()
    return join([("manifest.json", text), (f"manifest.sig.{key.id}", key.sign(text))] + rest)


# ---- spoiling --------------------------------------------------------------


def edit(bundle, key, change):
    """The same bundle with the manifest changed by change(dict) and signed again."""
    members = split(bundle)
    manifest = json.loads(members[0][1])
    change(manifest)
    return signed(manifest, key, [m for m in members if ".sig." not in m[0]][1:])


def flip(bundle, member, at=None):
    """One bit of @member (a prefix of its name) is wrong; @at: offset, default the middle."""
    name = next(n for n in places(bundle) if n.startswith(member))
    offset, size = places(bundle)[name]
    spoilt = bytearray(bundle)
    spoilt[offset + (size // 2 if at is None else at % size)] ^= 0x10
    return bytes(spoilt)


def overhead(bundle):
    """Bytes of head and indexes, which every device fetches."""
    found = places(bundle)
    first_index = min(o for n, (o, _) in found.items() if n.endswith(".idx"))
    return first_index - 512 + sum(s for n, (_, s) in found.items() if n.endswith(".idx"))


def longest_stored(bundle):
    """Stored bytes of the largest chunk of any image: "one chunk" in the promise."""
    longest = 0
    for name, data in split(bundle):
        if not name.endswith(".idx"):
            continue
        count, = struct.unpack_from("<I", data, 12)
        for at in range(32, 32 + 40 * count, 40):
            head, reference = struct.unpack_from("<II", data, at)
            if head & 0xFF in (DATA, FAR):
                longest = max(longest, reference & 0xFFFFFF)
    return longest
