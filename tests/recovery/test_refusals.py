# SPDX-License-Identifier: GPL-2.0-or-later
"""What recovery refuses: main is untouched, the reason has a stable name.

Every case ends with status 3, slots that are byte for byte what they were, state
confirmed, flag main, and the code in the result record.
"""

import contextlib
import random
import shutil
import subprocess
import time

import pytest

import bundles
from device import MIB
from server import Authority
from test_install import check_installed
from test_network import check_returned


def refused(device, source, code, **how):
    before = device.main_digest()
    status, run = device.run("--install", str(source), **how)
    assert status == 3, run.text()
    assert code in run.codes()
    check_returned(device, before, code)
    return run


def manifest_field(name, value):
    return lambda manifest: manifest.update({name: value})


def image_field(name, value):
    return lambda manifest: manifest["images"][1].update({name: value})


CHANGES = {
    "wrong-product": manifest_field("product", "other"),
    "wrong-hardware": manifest_field("hardware", ["other-board", "bench-board2"]),
    "unknown-critical-field": manifest_field("critical", ["dance"]),
    "slot-missing": image_field("target", "absent"),
    "unsupported": image_field("kind", "ubi"),
}


@pytest.mark.parametrize("code", CHANGES)
def test_refuses_a_signed_bundle_that_does_not_fit_this_device(device, bundle_file, written, keys,
                                                              code):
    refused(device, bundle_file(bundles.edit(written[2], keys, CHANGES[code])), code)


def test_refuses_a_bundle_that_needs_a_newer_recovery(device, bundle_file, written, keys):
    data = bundles.edit(written[2], keys, manifest_field("min_recovery", 2))
    run = refused(device, bundle_file(data), "unknown-critical-field")
    assert "needs recovery release 2" in device.result()["text"], run.text()


def test_refuses_a_newer_format(device, bundle_file, written, keys):
    data = bundles.edit(written[2], keys, manifest_field("format", 2))
    refused(device, bundle_file(data), "unknown-critical-field")


def test_unknown_field_that_is_not_critical_is_ignored(device, bundle_file, written, keys, images):
    around = device.guarded(images[2])
    data = bundles.edit(written[2], keys, manifest_field("colour", {"of": "the bike shed"}))
    assert device.run("--install", bundle_file(data))[0] == 0
    check_installed(device, images[2], around)


def test_refuses_a_release_below_the_floor_in_the_log(device, packed):
    device.put_records(STATE={"state": "confirmed"}, FLOOR={"release": 3})
    refused(device, packed[2], "below-floor")


def test_refuses_a_release_below_the_built_in_floor(device, packed):
    device.settings["floor"] = 3
    refused(device, packed[2], "below-floor")


def test_floor_admits_the_release_that_it_names(device, packed):
    device.put_records(STATE={"state": "confirmed"}, FLOOR={"release": 2})
    assert device.run("--install", packed[2])[0] == 0


def test_refuses_a_key_that_is_not_pinned(device, bundle_file, images):
    data = bundles.write(images[2], bundles.Key.new(), 2)
    refused(device, bundle_file(data), "signature-invalid")


def test_refuses_a_foreign_signature_under_a_pinned_key_id(device, bundle_file, written, keys):
    """The id only selects the key; the signature is what counts."""
    members = bundles.split(written[2])
    other = bundles.Key.new()
    members[1] = (members[1][0], other.sign(members[0][1]))
    refused(device, bundle_file(bundles.join(members)), "signature-invalid")


def test_refuses_a_bundle_without_signature(device, bundle_file, written):
    members = [m for m in bundles.split(written[2]) if ".sig." not in m[0]]
    refused(device, bundle_file(bundles.join(members)), "signature-invalid")


def test_one_good_signature_of_several_is_enough(device, bundle_file, written, keys, images):
    around = device.guarded(images[2])
    members = bundles.split(written[2])
    other = bundles.Key.new()
    members.insert(1, (f"manifest.sig.{other.id}", other.sign(members[0][1])))
    assert device.run("--install", bundle_file(bundles.join(members)))[0] == 0
    check_installed(device, images[2], around)


def test_refuses_a_manifest_signed_for_other_content(device, bundle_file, written):
    """Manifest and signature of release 3 before the indexes and payload of release 2."""
    two, three = bundles.split(written[2]), bundles.split(written[3])
    before = device.main_digest()
    status, run = device.run("--install", bundle_file(bundles.join(three[:2] + two[2:])))
    assert status == 3, run.text()
    assert device.result()["code"] in ("digest-mismatch", "malformed")
    assert device.main_digest() == before


@pytest.mark.parametrize("member,code,at", [
    ("manifest.json", "signature-invalid", None),
    ("manifest.sig", "signature-invalid", None),
    ("boot.idx", "digest-mismatch", None),
    ("root.idx", "digest-mismatch", None),
    ("boot.zst", "digest-mismatch", 100),  # the first chunk: before the first write
])
@pytest.mark.parametrize("source", ["file", "server"])
def test_refuses_a_flipped_bit(device, server, bundle_file, packed, member, code, at, source):
    data = bundles.flip(packed[2].read_bytes(), member, at)
    server.put("r2.lbu", data)
    refused(device, bundle_file(data) if source == "file" else server.url("r2.lbu"), code)


def test_no_flipped_bit_of_the_head_is_ever_accepted(device, bundle_file, packed):
    """Tar headers, manifest, signature, padding: 40 random bits, seeded."""
    data = packed[2].read_bytes()
    end = bundles.places(data)["boot.idx"][0]  # the first index's header is read with the head
    before = device.main_digest()
    r = random.Random(5)
    for _ in range(40):
        at, bit = r.randrange(end), r.randrange(8)
        spoilt = bytearray(data)
        spoilt[at] ^= 1 << bit
        status, run = device.run("--install", bundle_file(bytes(spoilt)))
        assert status == 3, f"bit {bit} of byte {at}: {run.text()}"
        assert device.main_digest() == before, f"bit {bit} of byte {at}"
        assert device.result()["code"] in ("signature-invalid", "malformed", "truncated",
                                           "image-too-large"), run.text()


@pytest.mark.parametrize("part", ["head", "index", "first chunk"])
def test_refuses_a_truncated_bundle(device, bundle_file, packed, part):
    data = packed[2].read_bytes()
    offset, size = bundles.places(data)[{"head": "manifest.json", "index": "root.idx",
                                         "first chunk": "boot.zst"}[part]]
    length = offset + (100 if part == "first chunk" else size // 2)
    refused(device, bundle_file(data[:length]), "truncated")


def test_refuses_what_is_no_bundle(device, bundle_file):
    refused(device, bundle_file(random.Random(1).randbytes(MIB)), "malformed")


def test_refuses_an_empty_file(device, bundle_file):
    refused(device, bundle_file(b""), "truncated")


def test_refuses_an_image_that_is_one_byte_too_large(make_device, packed, images):
    sizes = {n: len(d) for n, d in images[2].items()}
    sizes["root"] -= 1
    refused(make_device(slots=sizes), packed[2], "image-too-large")


def test_refuses_a_slot_that_is_not_there(device, packed, tmp_path):
    device.settings["slots"]["root"] = str(tmp_path / "absent")
    refused(device, packed[2], "slot-missing")


def test_refuses_a_slot_that_is_not_configured(device, packed):
    del device.settings["slots"]["root"]
    refused(device, packed[2], "slot-missing")


@contextlib.contextmanager
def immutable(path):
    """A file that not even root can write, or a skip where that cannot be had."""
    tool = shutil.which("chattr") or "/usr/bin/chattr"
    if subprocess.run([tool, "+i", path], capture_output=True).returncode:
        pytest.skip("the file system has no immutable files, or this is not root")
    try:
        yield
    finally:
        subprocess.run([tool, "-i", path], check=True)


def test_refuses_a_slot_that_cannot_be_written(device, packed, tmp_path):
    slot = tmp_path / "root.slot"
    slot.write_bytes(bytes(12 * MIB))
    device.settings["slots"]["root"] = str(slot)
    with immutable(slot):
        refused(device, packed[2], "slot-read-only")
    assert slot.read_bytes() == bytes(12 * MIB)


def request(device, url, **fields):
    expected = {"manifest": fields["manifest"]} if "manifest" in fields else {}
    device.put_records(STATE={"state": "requested", "release": 2, **expected},
                       REQUEST={"urls": [url], "release": 2, **fields})
    device.put_env(lifeboat_boot="recovery")


def refused_request(device, code):
    before = device.main_digest()
    status, run = device.run()
    assert status == 3, run.text()
    check_returned(device, before, code)


def test_refuses_to_fetch_more_than_the_budget(device, server, packed):
    server.put("r2.lbu", packed[2])
    request(device, server.url("r2.lbu"), budget_bytes=MIB)
    refused_request(device, "over-budget")


def test_budget_that_suffices_is_no_hindrance(device, server, packed, images):
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    request(device, server.url("r2.lbu"), budget_bytes=64 * MIB)
    assert device.run()[0] == 0
    check_installed(device, images[2], around)


def test_budget_never_stops_what_was_begun(device, make_server, packed, images):
    """After a cut more may be missing than was allowed: the device must not stay half."""
    server = make_server().start("limit_rate 1m;")
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    total = sum(s for n, (_, s) in bundles.places(packed[2].read_bytes()).items()
                if n.endswith(".zst"))
    device.write("boot", images[2]["boot"])
    device.write("root", images[2]["root"][:6 * MIB])
    request(device, server.url("r2.lbu"), budget_bytes=total - 100_000)
    run = device.start()
    run.wait_for(lambda r: r.progress("write"))
    run.kill()
    device.write("boot", bytes(len(images[2]["boot"])))
    device.write("root", bytes(len(images[2]["root"])))
    server.change("")
    status, run = device.run()
    assert status == 0, run.text()
    assert run.planned()["fetch_bytes"] > total - 100_000
    check_installed(device, images[2], around)


def test_refuses_another_manifest_than_the_request_expects(device, server, packed):
    """Signed and fine, but not what the agent checked."""
    server.put("r2.lbu", packed[3])
    manifest = bundles.split(packed[2].read_bytes())[0][1]
    request(device, server.url("r2.lbu"), manifest=bundles.sha(manifest))
    refused_request(device, "bundle-changed")


# ---- the server's certificate -------------------------------------------------


def serve(make_server, packed, certificate):
    server = make_server(certificate).start()
    server.put("r2.lbu", packed[2])
    return server.url("r2.lbu")


def test_refuses_a_certificate_of_another_authority(device, make_server, packed, tmp_path):
    other = Authority(tmp_path / "other", "another CA").issue("stranger")
    refused(device, serve(make_server, packed, other), "certificate-untrusted")


def test_refuses_a_certificate_for_another_name(device, make_server, packed, authority):
    cert = authority.issue("elsewhere", hosts=("elsewhere.example",))
    refused(device, serve(make_server, packed, cert), "certificate-untrusted")


def test_refuses_an_expired_certificate(device, make_server, packed, authority):
    """Long ago: before this recovery was built, which is the least it knows of the date."""
    cert = authority.issue("expired", from_days=-4000, to_days=-3650)
    refused(device, serve(make_server, packed, cert), "certificate-expired")


def test_certificate_that_expired_before_the_agent_staged_is_refused(device, make_server, packed,
                                                                     authority):
    """The request brings a date: what main knew is a lower bound."""
    cert = authority.issue("lately", from_days=-2, to_days=20)
    request(device, serve(make_server, packed, cert), time=int(time.time()) + 21 * 86400)
    refused_request(device, "certificate-expired")


def test_agent_whose_clock_was_wrong_makes_no_certificate_expire(device, make_server, packed,
                                                                 authority):
    """Its date counts for 30 days beyond what recovery knows by itself."""
    cert = authority.issue("current", from_days=-2, to_days=2000)
    request(device, serve(make_server, packed, cert), time=int(time.time()) + 2001 * 86400)
    status, run = device.run()
    assert status == 0, run.text()


def test_bundle_without_an_image_for_every_slot_is_refused(device, bundle_file, images, keys):
    """Main of two releases would be whole by a manifest that knows one of them only."""
    refused(device, bundle_file(bundles.write({"boot": images[2]["boot"]}, keys, 2)),
            "bundle-incomplete")


def test_certificate_that_is_not_yet_valid_is_accepted(device, make_server, packed, authority,
                                                       images):
    """A device without a clock cannot know."""
    cert = authority.issue("tomorrow", from_days=1000, to_days=2000)
    assert device.run("--install", serve(make_server, packed, cert))[0] == 0
    assert device.holds(images[2])


def test_https_without_an_authority_is_refused(device, server, packed):
    server.put("r2.lbu", packed[2])
    del device.settings["ca"]
    refused(device, server.url("r2.lbu"), "certificate-untrusted")
