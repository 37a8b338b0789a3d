# SPDX-License-Identifier: GPL-2.0-or-later
"""The state region of a new device, read with tests/recovery's own reader of the log."""
import hashlib
import json
import os
import subprocess
import sys

import pytest
import oracle
from conftest import noise

sys.path.append(os.path.join(os.path.dirname(__file__), "../recovery"))
import bundles  # noqa: E402
import device as records  # noqa: E402

MIB = 1 << 20
URLS = ["https://u.example/acme-21.lbu", "file:///media/data/acme-21.lbu"]


@pytest.fixture
def bundle(tool):
    return tool.pack({"boot": noise(1000), "root": noise(100000, 2)}, min_release=20)


def read(tool, name="state.img"):
    return records.log_records((tool.folder / name).read_bytes())


def test_the_release_is_confirmed_and_on_record(tool, bundle):
    said = tool.run("provision", bundle, "-u", URLS[0], "--url", URLS[1], "-o", "state.img",
                    "-k", "key.pub.pem")
    assert "release 21 is confirmed" in said
    assert (tool.folder / "state.img").stat().st_size == MIB
    members = bundles.split(bundle.read_bytes())
    found = read(tool)
    assert json.loads(found[records.STATE]) == {
        "state": "confirmed", "release": 21,
        "manifest": hashlib.sha256(members[0][1]).hexdigest()}
    assert found[records.CONFIRMED] == records.release_record(members, 21, URLS)
    assert json.loads(found[records.FLOOR]) == {"release": 20}
    assert json.loads(found[records.CLOCK]) == {"time": 1700000000}
    assert set(found) == {records.STATE, records.CONFIRMED, records.FLOOR, records.CLOCK}


def test_a_ca_for_the_servers(tool, bundle):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "/dev/null",
                    "-subj", "/CN=factory", "-out", "ca.pem"], cwd=tool.folder, check=True,
                   capture_output=True)
    tool.run("provision", bundle, "-u", URLS[0], "-o", "state.img", "--ca", "ca.pem")
    network = json.loads(read(tool)[records.NETWORK])
    assert network["ca_pem"] == (tool.folder / "ca.pem").read_text()
    (tool.folder / "empty.pem").write_text("")
    for bad in ("empty.pem", "key.pub.pem", "a.lbu"):
        tool.run("provision", bundle, "-o", "no.img", "--ca", bad, code=1)
    assert not (tool.folder / "no.img").exists()


def test_same_input_same_bytes(tool, bundle):
    for name in ("one.img", "two.img"):
        tool.run("provision", bundle, "-u", URLS[0], "-o", name, "--size", "262144")
    one = (tool.folder / "one.img").read_bytes()
    assert one == (tool.folder / "two.img").read_bytes() and len(one) == 262144


def test_without_a_url(tool, bundle):
    tool.run("provision", bundle, "-o", "state.img")
    assert read(tool)[records.CONFIRMED] == records.release_record(
        bundles.split(bundle.read_bytes()), 21, [])


def test_the_signature_that_the_device_checks_is_kept(tool, bundle):
    tool.refuses("signature-invalid", "provision", bundle, "-o", "no.img", "-k", "other.pub.pem")
    tool.run("sign", bundle, "-k", "other.pem")
    tool.refuses("invalid-argument", "provision", bundle, "-o", "no.img")
    members = bundles.split(bundle.read_bytes())
    for key in ("key", "other"):
        tool.run("provision", bundle, "-o", "state.img", "-k", f"{key}.pub.pem")
        name = oracle.key_id(tool.folder / f"{key}.pub.pem")
        signature = dict(members)[f"manifest.sig.{name}"]
        assert read(tool)[records.CONFIRMED] == records.release_record(
            [members[0], (f"manifest.sig.{name}", signature)], 21, [])
    assert not (tool.folder / "no.img").exists()


@pytest.mark.parametrize("args", [
    (), ("-u", URLS[0]), ("-o", "x", "-u", "ftp://u.example/a"), ("-o", "x", "-u", "a.lbu"),
    ("-o", "x", *("-u", URLS[0]) * 5), ("-o", "x", "-u", "https://u.example/" + "a" * 512),
    ("-o", "x", "--size", "4096"), ("-o", "x", "--size", "262145"), ("-o", "x", "--size", "big")])
def test_wrong_command_lines(tool, bundle, args):
    assert tool.run("provision", bundle, *args, code=2).endswith(" (usage)\n")
    assert not (tool.folder / "x").exists()


def test_things_that_are_no_bundle(tool):
    (tool.folder / "x.lbu").write_bytes(noise(5000))
    tool.run("provision", "x.lbu", "-o", "no.img", code=1)
    tool.refuses("not-found", "provision", "gone.lbu", "-o", "no.img")
