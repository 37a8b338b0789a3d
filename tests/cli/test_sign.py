# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys and signatures, with openssl as the judge."""
import os
import stat
import subprocess

import oracle
from conftest import noise


def signatures(bundle):
    return [n[len("manifest.sig."):] for n in oracle.members(bundle) if n.startswith("manifest.sig.")]


def test_keygen_ecdsa(tool):
    made = tool.json("keygen", "new")
    public = tool.folder / "new.pub.pem"
    assert made == {"keyid": oracle.key_id(public), "private": "new.pem", "public": "new.pub.pem"}
    assert stat.S_IMODE(os.stat(tool.folder / "new.pem").st_mode) == 0o600
    text = oracle.run("openssl", "pkey", "-in", tool.folder / "new.pem", "-noout", "-text").decode()
    assert "prime256v1" in text
    assert oracle.run("openssl", "pkey", "-in", tool.folder / "new.pem", "-pubout") == public.read_bytes()
    assert public.read_text().startswith("-----BEGIN PUBLIC KEY-----")


def test_keygen_rsa_is_what_mkimage_takes(tool):
    tool.run("keygen", "--rsa=2048", "fit")
    assert stat.S_IMODE(os.stat(tool.folder / "fit.key").st_mode) == 0o600
    modulus = [oracle.run("openssl", kind, "-in", tool.folder / name, "-noout", "-modulus")
               for kind, name in (("rsa", "fit.key"), ("x509", "fit.crt"))]
    assert modulus[0] == modulus[1] and len(modulus[0]) == len("Modulus=\n") + 512
    oracle.run("openssl", "verify", "-CAfile", tool.folder / "fit.crt", tool.folder / "fit.crt")
    (tool.folder / "kernel").write_bytes(noise(100))
    (tool.folder / "a.its").write_text("""/dts-v1/;
        / { description = "t"; #address-cells = <1>;
            images { k { data = /incbin/("kernel"); type = "kernel"; arch = "arm64"; os = "linux";
                         compression = "none"; load = <0>; entry = <0>; hash-1 { algo = "sha256"; }; }; };
            configurations { default = "c"; c { kernel = "k"; signature-1 { algo = "sha256,rsa2048";
                key-name-hint = "fit"; sign-images = "kernel"; }; }; }; };""")
    (tool.folder / "u.dts").write_text("/dts-v1/; / { };")
    oracle.run("dtc", "-o", tool.folder / "u.dtb", tool.folder / "u.dts")
    subprocess.run(["mkimage", "-f", "a.its", "-k", ".", "-K", "u.dtb", "-r", "a.itb"],
                   cwd=tool.folder, check=True, stdout=subprocess.DEVNULL)
    cells = oracle.run("fdtget", "-t", "x", tool.folder / "u.dtb", "/signature/key-fit", "rsa,modulus")
    assert "".join(c.rjust(8, "0") for c in cells.decode().split()).upper() == \
        modulus[0].decode().strip()[len("Modulus="):]


def test_keygen_overwrites_nothing(tool):
    tool.run("keygen", "new")
    before = (tool.folder / "new.pem").read_bytes()
    tool.refuses("already-exists", "keygen", "new")
    os.remove(tool.folder / "new.pem")
    tool.refuses("already-exists", "keygen", "new")
    assert not (tool.folder / "new.pem").exists() and before
    tool.refuses("not-found", "keygen", "absent/new")


def test_development_keys_say_so(tool):
    tool.run("keygen", "--development", "dev")
    tool.run("keygen", "--development", "--rsa=2048", "dev")
    for name in ("dev.pem", "dev.pub.pem", "dev.key", "dev.crt"):
        assert (tool.folder / name).read_text().splitlines()[0] == \
            "lifeboat-development: Lifeboat development key, never use it for a product"
    subject = oracle.run("openssl", "x509", "-in", tool.folder / "dev.crt", "-noout", "-subject")
    assert b"lifeboat-development" in subject
    bundle = tool.pack({"root": noise(10)}, options=("-k", "dev.pem"))
    tool.run("verify", bundle, "-k", "dev.pub.pem")
    script = os.path.join(os.path.dirname(__file__), "../../keys/refuse-development-keys.sh")
    for name in ("dev.pub.pem", "dev.crt"):
        os.rename(tool.folder / name, tool.folder / ("r." + name[4:]))
        done = subprocess.run([script, "/nonexistent", str(tool.folder / ("r." + name[4:]))],
                              stderr=subprocess.PIPE)
        assert done.returncode == 1 and b"is a development key" in done.stderr
    assert subprocess.run([script, "/nonexistent", str(tool.folder / "key.pub.pem")]).returncode == 0


def test_keys_of_openssl_work(tool):
    pem = oracle.run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                     "ec_paramgen_curve:prime256v1")  # PKCS#8
    (tool.folder / "o.pem").write_bytes(pem)
    (tool.folder / "o.pub.pem").write_bytes(oracle.run("openssl", "pkey", "-pubout", data=pem))
    bundle = tool.pack({"root": noise(10)}, options=("-k", "o.pem"))
    tool.run("verify", bundle, "-k", "o.pub.pem")


def test_several_signatures(tool):
    images = {"root": noise(1000)}
    bundle = tool.pack(images, options=())
    tool.refuses("signature-invalid", "verify", bundle, "-k", "key.pub.pem")
    tool.run("sign", bundle, "--key", "key.pem")
    once = bundle.read_bytes()
    tool.run("sign", bundle, "--key", "key.pem")
    assert bundle.read_bytes() == once
    tool.run("sign", bundle, "--key", "other.pem")
    for name in ("key", "other"):
        public = tool.folder / (name + ".pub.pem")
        tool.run("verify", bundle, "-k", public)
        manifest = oracle.members(bundle)
        assert oracle.check_signature(manifest["manifest.json"],
                                      manifest["manifest.sig." + oracle.key_id(public)], public,
                                      tool.folder)
    assert len(signatures(bundle)) == 2
    both = tool.pack(images, out="b.lbu", options=("-k", "key.pem", "-k", "other.pem"))
    assert sorted(signatures(both)) == sorted(signatures(bundle))
    assert {k: v for k, v in oracle.members(both).items()} == oracle.members(bundle)


def test_at_most_eight(tool):
    bundle = tool.pack({"root": noise(10)}, options=())
    for i in range(8):
        tool.run("keygen", f"k{i}")
        tool.run("sign", bundle, "-k", f"k{i}.pem")
    before = bundle.read_bytes()
    tool.refuses("image-too-large", "sign", bundle, "-k", "key.pem")
    assert bundle.read_bytes() == before
    tool.run("verify", bundle, "-k", "k7.pub.pem")


def test_a_command_signs(tool):
    bundle = tool.pack({"root": noise(10)}, options=())
    tool.run("sign", bundle, "--pubkey", "key.pub.pem", "--sign-command",
             "openssl dgst -sha256 -sign key.pem")
    tool.run("verify", bundle, "-k", "key.pub.pem")
    tool.run("sign", bundle, "--pubkey", "other.pub.pem", "--sign-command",
             "openssl dgst -sha256 -sign other.pem {}")
    tool.run("verify", bundle, "-k", "other.pub.pem")
    assert len(signatures(bundle)) == 2


def test_a_command_that_fails_changes_nothing(tool):
    bundle = tool.pack({"root": noise(10)}, options=())
    before = bundle.read_bytes()
    for command in ("openssl dgst -sha256 -sign other.pem", "false", "true", "cat", "/nonexistent/x",
                    "openssl dgst -sha256 -sign key.pem; touch oops", "cat /dev/zero", "kill-me $(touch oops)"):
        tool.refuses("signature-invalid", "sign", bundle, "--pubkey", "key.pub.pem",
                     "--sign-command", command)
    assert bundle.read_bytes() == before
    assert not (tool.folder / "oops").exists()


def test_wrong_kinds_of_keys(tool):
    bundle = tool.pack({"root": noise(10)}, options=())
    tool.run("keygen", "--rsa=2048", "rsa")
    tool.refuses("unsupported", "sign", bundle, "-k", "rsa.key")
    tool.refuses("malformed", "sign", bundle, "-k", "key.pub.pem")
    tool.refuses("not-found", "sign", bundle, "-k", "absent.pem")
    tool.refuses("malformed", "verify", bundle, "-k", "key.pem")
