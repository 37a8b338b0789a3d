# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeds with keys in them: FITs that mkimage makes and signs, key files, and keys.h."""
import os
import struct
from pathlib import Path

from seedlib import HERE, LBU, LBU_KEY, members, put, run


ITS = """/dts-v1/; / {{ description = "t"; #address-cells = <1>; images {{
kernel {{ data = /incbin/("kernel"); type = "kernel"; arch = "arm64"; os = "linux";
 compression = "none"; load = <0>; entry = <0>; hash-1 {{ algo = "{hash}"; }}; }};
fdt {{ data = /incbin/("board.dtb"); type = "flat_dt"; arch = "arm64";
 compression = "none"; hash-1 {{ algo = "sha256"; }}; }}; }};
configurations {{ default = "{conf}"; {conf} {{ kernel = "kernel"; fdt = "fdt";
 signature {{ algo = "sha256,rsa2048"; padding = "{padding}"; key-name-hint = "{key}";
 sign-images = "kernel", "fdt"; }}; }}; }}; }};
"""


def edit(fit, work, *commands):
    """fdtput, as somebody would who changes a FIT by hand"""
    path = os.path.join(work, "edit")
    Path(path).write_bytes(fit)
    for c in commands:
        options = {"-t": 2, "-d": 1, "-c": 1, "-p": 2}[c[0]]
        run("fdtput", *c[:options], path, *c[options:])
    return Path(path).read_bytes()


def fit_seeds(work):
    for key in ("ours", "theirs"):
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9999", "-batch",
            "-subj", "/CN=" + key, "-keyout", key + ".key", "-out", key + ".crt", cwd=work)
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.key", cwd=work)
    Path(work, "kernel").write_bytes(b"kernel " * 20)
    Path(work, "board.dtb").write_bytes(
        run("dtc", "-q", "-O", "dtb", data=b'/dts-v1/; / { compatible = "acme,board"; };'))

    def make(*options, conf="conf", padding="pss", key="ours", hash="sha256", sign=True):
        Path(work, "t.its").write_text(ITS.format(conf=conf, padding=padding, key=key, hash=hash))
        run("mkimage", *options, *(("-k", ".", "-r") if sign else ()), "-f", "t.its", "fit", cwd=work)
        return Path(work, "fit").read_bytes()

    external = make("-E", "-p", "0x1000")
    embedded = make()
    put("fit", "external", external)
    put("fit", "offset", make("-E"))
    put("fit", "embedded", embedded)
    put("fit", "larger-slot", embedded, 0x80)
    put("fit", "pkcs", make(padding="pkcs-1.5"))
    put("fit", "foreign", make(key="theirs"))
    put("fit", "unsigned", make(sign=False))
    put("fit", "sha1", make(hash="sha1"))
    put("fit", "name", make(conf="conf@1"))
    for i in range(1, 4):
        put("fit", f"nomem-{i}", embedded, i)
    for i in range(1, 6):
        put("fit", f"unreadable-{i}", embedded, i << 4)
    put("fit", "no-fit", b"x" * 100)
    put("fit", "tiny", b"\xd0\x0d\xfe\xed")
    put("fit", "empty", b"")
    put("fit", "device-tree", Path(work, "board.dtb").read_bytes())
    big = bytearray(embedded)
    big[4:8] = struct.pack(">I", 70000)
    put("fit", "structure-large", bytes(big))
    broken = bytearray(embedded)
    broken[60] ^= 0xff
    put("fit", "structure-damaged", bytes(broken))
    put("fit", "data-changed", embedded.replace(b"kernel kernel", b"kernel kerneL", 1))
    conf, sig = "/configurations/conf", "/configurations/conf/signature"
    for name, commands in {
        "no-default": [("-d", "/configurations", "default")],
        "default-other": [("-t", "s", "/configurations", "default", "other")],
        "no-kernel": [("-d", conf, "kernel")],
        "kernel-other": [("-t", "s", conf, "kernel", "other")],
        "kernel-no-text": [("-t", "x", conf, "kernel", "61616161")],
        "kernel-16": [("-t", "s", conf, "kernel", *16 * ["kernel"])],
        "kernel-17": [("-t", "s", conf, "kernel", *17 * ["kernel"])],
        "no-data": [("-d", "/images/kernel", "data")],
        "no-digest": [("-d", "/images/kernel/hash-1", "value")],
        "no-place": [("-t", "i", "/images/kernel", "data-size", "8")],
        "far": [("-t", "i", "/images/kernel", "data-size", "8"),
                ("-t", "i", "/images/kernel", "data-position", "999999")],
        "size-odd": [("-t", "s", "/images/kernel", "data-size", "much")],
        "no-hint": [("-d", sig, "key-name-hint")],
        "value-changed": [("-t", "x", sig, "value", "1")],
        "padding-odd": [("-t", "s", sig, "padding", "rot13")],
        "no-padding": [("-d", sig, "padding")],
        "padding-no-text": [("-t", "x", sig, "padding", "61616161")],
        "no-nodes": [("-d", sig, "hashed-nodes")],
        "nodes-other": [("-t", "s", sig, "hashed-nodes", "/")],
        "nodes-many": [("-t", "s", sig, "hashed-nodes", *["/n%d" % i for i in range(101)])],
        "nodes-open": [("-t", "x", sig, "hashed-nodes", "61616161")],
        "no-strings": [("-d", sig, "hashed-strings")],
        "strings-odd": [("-t", "i", sig, "hashed-strings", "0")],
        "strings-long": [("-t", "i", sig, "hashed-strings", "0", "99999")],
        "algo-odd": [("-t", "s", sig, "algo", "md5,rsa2048")],
        "no-value": [("-d", sig, "value")],
        "two-signatures": [("-c", conf + "/signature-2"), ("-t", "s", conf + "/signature-2", "algo",
                            "sha256,rsa2048")],
        "deep": [("-p", "-c", "/images/" + "/".join("d%d" % i for i in range(40)))],
        "path": [("-p", "-c", "/images/" + "/".join("d" * 30 for i in range(9)))],
    }.items():
        put("fit", "edit-" + name, edit(embedded, work, *commands))
    start, = struct.unpack_from(">I", embedded, 8)
    nops = bytearray(embedded)  # instead of the root's first property, which has 4 bytes
    nops[start + 8:start + 24] = 4 * struct.pack(">I", 4)
    put("fit", "nop", bytes(nops))
    named = bytearray(embedded)
    named[start + 4:start + 7] = b"top"
    put("fit", "root-named", bytes(named))
    keys = {"certificate": Path(work, "ours.crt").read_bytes(),
            "rsa": run("openssl", "x509", "-in", "ours.crt", "-noout", "-pubkey", cwd=work),
            "rsa-1024": run("openssl", "pkey", "-pubout", data=run("openssl", "genrsa", "1024")),
            "ec": LBU_KEY.encode(), "damaged": LBU_KEY.replace("M", "N", 1).encode()}
    for name, pem in keys.items():
        put("fit", "key-" + name, pem)
    put("fit", "key-nomem", keys["rsa"], 1)
    put("fit", "key-nomem-late", keys["certificate"], 9)
    return Path(work, "ours.crt").read_text(), work


def keyring_seeds(work, certificate):
    put("keyring", "nothing", b"")
    (HERE / "corpus" / "keyring" / "seed-nothing").write_bytes(b"")
    put("keyring", "golden", LBU_KEY.encode())
    put("keyring", "golden-full", LBU_KEY.encode(), 0x80)
    marked = b"# lifeboat-development key\n" + LBU_KEY.encode()
    put("keyring", "development", marked)
    put("keyring", "development-refused", marked, 0x40)
    put("keyring", "mark-behind", LBU_KEY.encode() + b"# lifeboat-development\n", 0x40)
    for i in (1, 2, 3, 5, 8, 12, 20):
        put("keyring", f"nomem-{i}", LBU_KEY.encode(), i)
    put("keyring", "certificate", certificate.encode())
    put("keyring", "rsa", run("openssl", "x509", "-in", "ours.crt", "-noout", "-pubkey", cwd=work))
    put("keyring", "rsa-1024", run("openssl", "pkey", "-pubout",
                                   data=run("openssl", "genrsa", "1024")))
    put("keyring", "p384", run("openssl", "pkey", "-pubout", data=run(
        "openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout")))
    put("keyring", "private", run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout")[:60])
    put("keyring", "nul", LBU_KEY.encode() + b"\0")
    put("keyring", "large", LBU_KEY.encode() + b"#" * 4096)
    put("keyring", "two", 2 * LBU_KEY.encode())
    put("keyring", "damaged", LBU_KEY.replace("M", "N", 1).encode())


def c_text(text):
    return "\n".join('\t"%s\\n"' % line for line in text.strip().splitlines())


def c_bytes(data):
    rows = [data[i:i + 16] for i in range(0, len(data), 16)]
    return "\n".join("\t" + " ".join("0x%02x," % b for b in row) for row in rows)


def write_keys(certificate):
    inside = members(LBU)
    signature = next(data for name, data in inside.items() if name.startswith("manifest.sig."))
    (HERE / "keys.h").write_text(f"""/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made by seeds.py: public keys that belong to the corpora, and one good signature. */
#ifndef FUZZ_KEYS_H
#define FUZZ_KEYS_H

/* of the FITs in corpus/fit */
static const char fuzz_fit_key[] __attribute__((unused)) =
{c_text(certificate)};

/* tests/golden/key.pub.pem, and what it signed */
static const char fuzz_bundle_key[] __attribute__((unused)) =
{c_text(LBU_KEY)};

static const unsigned char fuzz_signed[] __attribute__((unused)) = {{
{c_bytes(inside["manifest.json"])}
}};

static const unsigned char fuzz_signature[] __attribute__((unused)) = {{
{c_bytes(signature)}
}};

#endif
""")
