# SPDX-License-Identifier: GPL-2.0-or-later
"""Every refusal in the real chain: main is untouched.

The agent refuses most of them before anything is staged. Staged behind its back, recovery
refuses all of them, several of one request in one start: each is told on the console, the
first one's code reaches the agent's status, and main is back in the same boot.
"""
import json
import time
from pathlib import Path

import pytest

import lbfield
from lbboard import Board, drive
from lbfield import agent, bundles, records
from lbserver import Certificate

NAME = "release-2.lbu"
ROM_BYTES = 8 << 20
READ_ONLY = "read-only slot"    # the one refusal that is the device's, not the bundle's
AT_ONCE = 4     # bundles that recovery is asked to try in one start


def changed(**fields):
    """A bundle whose manifest has these fields, signed again."""
    return lambda field, good: bundles.edit(good, field.key, lambda m: m.update(fields))


def changed_root(**fields):
    return lambda field, good: bundles.edit(
        good, field.key, lambda m: m["images"][1].update(fields))


def flipped(member, at=None):
    return lambda field, good: bundles.flip(good, member, at)


def cut_in(member):
    """Ends in the middle of @member."""
    def cut(field, good):
        offset, size = bundles.places(good)[member]
        return good[:offset + size // 2]
    return cut


def signed_by_another(field, good):
    return bundles.edit(good, bundles.Key.new(), lambda m: None)


def release_1(field, good):
    return field.read_bundle("release-1.lbu")


# What the head of a bundle tells: agent and recovery both refuse it.
HEAD = {
    "wrong key": (signed_by_another, "signature-invalid"),
    "flipped bit in the manifest": (flipped("manifest.json"), "signature-invalid"),
    "flipped bit in the signature": (flipped("manifest.sig", 40), "signature-invalid"),
    "not a bundle": (lambda field, good: bytes(20_000), "malformed"),
    "truncated in the manifest": (cut_in("manifest.json"), "truncated"),
    "image too large": (changed_root(size=(64 << 20) + 1), "image-too-large"),
    "missing slot": (changed_root(target="radio"), "slot-missing"),
    READ_ONLY: (lambda field, good: good, "slot-read-only"),
    "wrong product": (changed(product="toaster"), "wrong-product"),
    "wrong hardware": (changed(hardware=["vendor,other"]), "wrong-hardware"),
    "below the floor": (release_1, "below-floor"),
    "unknown critical field": (changed(critical=["quantum"], quantum=1), "unknown-critical-field"),
}
# What only recovery reads, all of it before the first write.
BODY = {
    "needs a newer recovery": (changed(min_recovery=99), "unknown-critical-field"),
    "truncated in an index": (cut_in("root.idx"), "truncated"),
    "flipped bit in an index": (flipped("root.idx"), "digest-mismatch"),
    "flipped bit in the first chunk": (flipped("boot.zst", 100), "digest-mismatch"),
}


def foreign_certificate(field):
    return Certificate.issue(field.board.work / "tls",
                             Certificate.make_ca(field.board.work / "somebody-else"))


def expired_certificate(field):
    return Certificate.issue(field.board.work / "tls",
                             field.build / "keys" / "tls" / "lifeboat-development-ca",
                             dates=("20200101000000Z", "20210101000000Z"))


# What the server does; one after the other for the agent.
SERVER = {
    "no such file": (lambda f: (f.server.root / NAME).unlink(), "source-refused"),
    "wrong certificate": (lambda f: f.server.change(certificate=foreign_certificate(f)),
                          "certificate-untrusted"),
    "expired certificate": (lambda f: f.server.change(certificate=expired_certificate(f)),
                            "certificate-expired"),
    "dead server": (lambda f: f.server.stop(), "source-unreachable"),
}


@pytest.fixture
def board(work, card):
    """The board with another disk, which nobody may write."""
    rom = work / "rom.img"
    rom.write_bytes(bytes(ROM_BYTES))
    machine = Board(work, card, qemu_args=[
        "-drive", drive("ro", rom, "readonly=on"), "-device", "virtio-blk-pci,drive=ro"])
    yield machine
    machine.cut_power()


@pytest.fixture
def field(field):
    """Release 2 is on the server, release 1 is below the floor; recovery gives up soon."""
    field.put_hasty_recovery()
    field.serve(NAME)
    lbfield.change_records(field.card, {records.FLOOR: lbfield.to_json({"release": 2})})
    settings = lbfield.agent_settings(field.card)
    settings["agent"]["channel"] = ""
    lbfield.put_agent_settings(field.card, settings)
    settings["slots"]["root"] = "/dev/vda"
    lbfield.put_on_data(field.card, "etc/rom.json", json.dumps(settings))
    return field


def spoil(field, change):
    field.serve(NAME, change(field, field.read_bundle(NAME)))


def check_untouched(field, before):
    assert field.main_bytes() == before
    env = field.card.env()
    assert (env["lifeboat_boot"], env["upgrade_available"]) == ("main", "0")
    assert lbfield.state_name(field.card) == "confirmed"


def test_agent_refuses_before_anything_is_staged(field):
    before = field.main_bytes()
    field.board.power_on().wait_for("is healthy")
    got = {}
    for name, (change, _) in HEAD.items():
        spoil(field, change)
        got[name] = try_install(field, "rom" if name == READ_ONLY else "agent")
    field.serve(NAME)
    for name, (change, _) in SERVER.items():
        change(field)
        got[name] = try_install(field)
    assert got == {name: code for name, (_, code) in (HEAD | SERVER).items()}
    status = agent(field.board, "status")
    assert status["last_install"]["code"] == "source-unreachable" and status["request"] is None
    assert status["state"] == "confirmed" and status["boot"]["next"] == "main"
    field.board.cut_power()
    check_untouched(field, before)


def try_install(field, settings="agent"):
    return agent(field.board, f"install {field.server.url(NAME)} --config /data/etc/{settings}.json "
                 "--no-reboot --without-remedy", may_fail=True)["code"]


def recovery_refuses(field, sources):
    """@sources: {URL: code}. Each is tried once, in this order, and refused for its own reason.

    Main is told what the first of them is refused for; nothing of it was changed.
    """
    before = field.main_bytes()
    lbfield.stage(field.card, *sources, release=2)
    field.board.power_on().wait_for("[start]")
    for url, code in sources.items():
        field.board.wait_for(f"trying {url} [source]", never="[returned]")
        field.board.wait_for(f"[{code}]", never="[source]")
    field.board.wait_for("[returned]", never="[source]")
    field.board.wait_for("main OS release 1 is up", never="[start]")
    result = agent(field.board, "status")["result"]
    assert (result["code"], result["main_changed"]) == (next(iter(sources.values())), False)
    assert len(result["text"]) > 10, "a code without a sentence"
    assert result["deployment"] == "test"
    field.wait_confirmed(0)     # no release is noted: what was there before any update
    field.board.cut_power()
    check_untouched(field, before)


# the floor first: its code is the one that reaches the status
BUNDLES = ["below the floor", *(name for name in HEAD | BODY if name not in (READ_ONLY, "below the floor"))]
GROUPS = [BUNDLES[at:at + AT_ONCE] for at in range(0, len(BUNDLES), AT_ONCE)]


@pytest.mark.late(after=1)
@pytest.mark.parametrize("group", GROUPS, ids=", ".join)
def test_recovery_refuses_and_gives_main_back(field, group):
    """Bundles that one request names; tests/recovery tries what each of them alone leaves behind."""
    sources = {}
    for name in group:
        change, code = (HEAD | BODY)[name]
        file = f"{name.replace(' ', '-')}.lbu"
        sources[field.serve(file, change(field, field.read_bundle(NAME)))] = code
    recovery_refuses(field, sources)


@pytest.mark.late
@pytest.mark.parametrize("case", [READ_ONLY, *SERVER])
def test_recovery_refuses_what_is_not_the_bundles_fault(field, case):
    change, code = (HEAD | SERVER)[case]
    if case == READ_ONLY:
        field.put_hasty_recovery("recovery-rom.itb")
    else:
        change(field)
    recovery_refuses(field, {field.server.url(NAME): code})


def flipped_everywhere(member):
    """Whatever is fetched of it is wrong."""
    def change(field, bundle):
        offset, size = lbfield.bundles.places(bundle)[member]
        spoilt = bytearray(bundle)
        for at in range(offset, offset + size, 512):
            spoilt[at] ^= 0x10
        return bytes(spoilt)
    return change


@pytest.mark.late(after=1)
@pytest.mark.parametrize("change", [flipped_everywhere("root.zst"), cut_in("root.zst")],
                         ids=["flipped bit", "truncated"])
def test_bad_payload_after_the_first_write_is_resumed_from_a_good_one(field, change):
    spoil(field, change)
    lbfield.stage(field.card, field.server.url(NAME), release=2)
    field.board.power_on().wait_for("[digest-mismatch]", "[truncated]")
    time.sleep(1)
    assert lbfield.state_name(field.card) == "updating"
    assert field.card.env()["lifeboat_boot"] == "recovery"
    replace(field.server.root / NAME, field.read_bundle(NAME))
    field.board.wait_for("main OS release 2 is up", never="main OS release 1")
    field.wait_confirmed(2)
    field.board.cut_power()
    assert field.holds(NAME)


def replace(path, data):
    """At once, as a careful operator does it."""
    new = Path(f"{path}.new")
    new.write_bytes(data)
    new.rename(path)
