# SPDX-License-Identifier: GPL-2.0-or-later
"""FITs by mkimage, the tool that U-Boot's own builds use."""

import re
import subprocess

from device import garbage

SOURCE = """/dts-v1/;
/ {
	description = "bench"; #address-cells = <1>;
	images { kernel { description = "k"; data = /incbin/("kernel"); type = "kernel";
		arch = "arm64"; os = "linux"; compression = "none"; load = <0x40200000>;
		entry = <0x40200000>; hash-1 { algo = "sha256"; }; }; };
	configurations { default = "conf"; conf { kernel = "kernel";
		signature { algo = "sha256,rsa2048"; padding = "pss"; key-name-hint = "bench";
			sign-images = "kernel"; }; }; };
};
"""


def make_fit_key(folder):
    """RSA key and certificate for mkimage; the certificate's path is what recovery is given."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-batch",
                    "-subj", "/CN=bench", "-keyout", "bench.key", "-out", "bench.crt"],
                   cwd=folder, check=True, capture_output=True)
    return folder / "bench.crt"


def make_fit(folder, signed, seed, size=300_000):
    """A FIT whose kernel nobody runs, signed with the key in @folder (made if there is none)."""
    if not (folder / "bench.crt").exists():
        make_fit_key(folder)
    (folder / "kernel").write_bytes(garbage(size, seed))
    (folder / "main.its").write_text(SOURCE if signed else
                                     re.sub(r"signature \{.*?\};", "", SOURCE, flags=re.S))
    subprocess.run(["mkimage", "-f", "main.its", "-E", "-k", ".", "main.itb"], cwd=folder,
                   check=True, capture_output=True)
    return (folder / "main.itb").read_bytes()
