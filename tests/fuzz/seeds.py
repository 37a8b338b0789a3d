#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes tests/fuzz/corpus/NAME/seed-* and keys.h, without any of Lifeboat's own code.

From tests/golden (made with tar, zstd and openssl) and from FITs that mkimage makes and
signs here; the private key is thrown away. What libFuzzer found beside these seeds has
names of 40 hexadecimal digits and is left alone. How the last byte and the other bytes are
understood stands at the top of each fuzz_NAME.c.
"""
import tempfile

from seedlib import HERE
from seeds_bundle import chunk_seeds, head_seeds, index_seeds, manifest_patch_seeds, manifest_seeds, tar_seeds
from seeds_fit import fit_seeds, keyring_seeds, write_keys
from seeds_patch import patch_seeds
from seeds_recode import recode_seeds, zframe_seeds
from seeds_state import env_seeds, log_seeds, record_seeds
from seeds_text import channel_seeds, config_seeds, header_seeds, json_seeds, multipart_seeds, request_seeds, \
    url_seeds
from seeds_xz import xz_seeds


def main():
    for old in HERE.glob("corpus/*/seed-*"):
        old.unlink()
    tar_seeds()
    head_seeds()
    manifest_seeds()
    manifest_patch_seeds()
    index_seeds()
    chunk_seeds()
    patch_seeds()
    zframe_seeds()
    recode_seeds()
    env_seeds()
    log_seeds()
    record_seeds()
    channel_seeds()
    header_seeds()
    request_seeds()
    multipart_seeds()
    url_seeds()
    config_seeds()
    json_seeds()
    xz_seeds()
    with tempfile.TemporaryDirectory() as work:
        certificate, _ = fit_seeds(work)
        keyring_seeds(work, certificate)
    write_keys(certificate)


if __name__ == "__main__":
    main()
