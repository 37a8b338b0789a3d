# SPDX-License-Identifier: GPL-2.0-or-later
import os
import types

import netlab
import pytest

BUNDLE_BYTES = 3 * 1024 * 1024 + 77


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """nginx with all its certificates, and what it serves."""
    folder = tmp_path_factory.mktemp("net")
    root = folder / "www"
    root.mkdir()
    bundle = os.urandom(BUNDLE_BYTES)
    (root / "bundle.lbu").write_bytes(bundle)
    (root / "channel.json").write_bytes(b'{"hello": 1}\n')
    (root / "empty").write_bytes(b"")

    ca = netlab.Authority(folder / "ca", "Test CA")
    stranger = netlab.Authority(folder / "stranger", "Somebody's CA")
    rsa, ecdsa = ca.issue("rsa", "rsa"), ca.issue("ecdsa", "ecdsa")
    both = "TLSv1.2 TLSv1.3"
    certificates = {
        "rsa12": ("TLSv1.2", rsa),
        "rsa13": ("TLSv1.3", rsa),
        "ecdsa12": ("TLSv1.2", ecdsa),
        "ecdsa13": ("TLSv1.3", ecdsa),
    }
    odd = {
        "expired": ca.issue("expired", "ecdsa", end="20250601000000Z"),
        "future": ca.issue("future", "ecdsa", start="20480101000000Z"),
        "othername": ca.issue("othername", "ecdsa", dns="elsewhere.example"),
        "stranger": stranger.issue("stranger", "ecdsa"),
    }
    for name, pair in odd.items():
        certificates[f"{name}12"] = ("TLSv1.2", pair)
        certificates[f"{name}13"] = ("TLSv1.3", pair)
    certificates["both"] = (both, ecdsa)

    nginx = netlab.Nginx(folder, root, certificates)
    yield types.SimpleNamespace(nginx=nginx, url=nginx.url, root=root, bundle=bundle,
                                ca=ca.pem, stranger=stranger.pem, ports=nginx.ports)
    nginx.stop()


@pytest.fixture
def line(lab):
    """Makes lines that break; closes them again."""
    lines = []

    def make(*faults, on_fault=lambda: None, address=("127.0.0.1", 0)):
        lines.append(netlab.BadLine(lab.ports["plain"], faults, on_fault, address))
        return lines[-1]

    yield make
    for one in lines:
        one.close()


@pytest.fixture
def canned():
    servers = []

    def make(*answers):
        servers.append(netlab.Canned(*answers))
        return servers[-1]

    yield make
    for one in servers:
        one.close()
