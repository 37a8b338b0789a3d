# SPDX-License-Identifier: GPL-2.0-or-later
"""Release builds refuse development keys, whatever they are called."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path("keys/refuse-development-keys.sh")
KEYS = Path(os.environ.get("LB_BUILD", "build")) / "keys"
FIT = KEYS / "fit/lifeboat-development.crt"
BUNDLE = KEYS / "bundle/lifeboat-development.pub.pem"
CA = KEYS / "tls/lifeboat-development-ca.crt"


def refused(*files):
    done = subprocess.run([SCRIPT, KEYS, *files], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


@pytest.fixture
def product(tmp_path):
    """Keys as keys/README.md tells to make them."""
    openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072",
            "-out", tmp_path / "acme.key")
    openssl("req", "-new", "-x509", "-batch", "-days", "36500", "-subj", "/CN=acme-2026",
            "-key", tmp_path / "acme.key", "-out", tmp_path / "acme.crt")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "b.pem")
    openssl("pkey", "-in", tmp_path / "b.pem", "-pubout", "-out", tmp_path / "b.pub.pem")
    return tmp_path


def test_product_keys_are_accepted(product):
    assert refused(product / "acme.crt", product / "b.pub.pem") == ""


@pytest.mark.parametrize("file", [FIT, BUNDLE, CA])
def test_development_key_is_refused(product, file):
    assert "development key" in refused(product / "acme.crt", file)


@pytest.mark.parametrize("file", [FIT, BUNDLE, CA])
def test_renamed_development_key_is_refused(product, file):
    shutil.copy(file, product / "acme.pem")
    assert "development key" in refused(product / "acme.pem")


def test_development_key_without_its_mark_is_refused(product):
    openssl("pkey", "-pubin", "-in", BUNDLE, "-out", product / "acme.pub.pem")
    assert "lifeboat-development" not in (product / "acme.pub.pem").read_text()
    assert "under another name" in refused(product / "acme.pub.pem")


def test_development_key_in_a_new_certificate_is_refused(product):
    openssl("req", "-new", "-x509", "-batch", "-days", "9", "-subj", "/CN=acme",
            "-key", FIT.with_suffix(".key"), "-out", product / "acme.crt")
    assert "under another name" in refused(product / "acme.crt")


def test_missing_key_and_no_key_are_refused(product):
    assert refused(product / "none.crt")
    assert refused()
    (product / "empty.pem").write_text("")
    assert refused(product / "empty.pem")


def test_release_configuration_does_not_build_images_with_development_keys(tmp_path):
    """The gate as the Makefile calls it, in a build folder of its own."""
    build = tmp_path / "build"
    done = subprocess.run(
        ["make", "-s", f"B={build}", "LB_NO_SETUP=1",
         "KCONFIG_DEFCONFIG=configs/release_defconfig", f"{build}/keys.checked"],
        capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "is a development key" in done.stderr
