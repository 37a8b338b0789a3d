# SPDX-License-Identifier: GPL-2.0-or-later
"""Recovery updates itself: one bundle with recovery release 2 and main release 2.

The boot loader is the judge: a copy is good when it holds, byte for byte, a recovery
that is known to start. Whatever happens, one of the two is.
"""
import random
import time

import pytest

import lbfield
from lbfield import agent, read_record, records

MAIN_2 = "main OS release 2 is up"
RUNS_A, RUNS_B = "Lifeboat recovery: copy=a reason=", "Lifeboat recovery: copy=b reason="
SELF_UPDATE = 12


class Copies:
    """The card's two recovery copies and the recoveries that start."""

    def __init__(self, card, first, second=None):
        self.card = card
        self.known = {n: p.read_bytes() for n, p in ((1, first), (2, second)) if p}

    def release(self, copy):
        """1 or 2, None for anything that is not one of the known ones."""
        data = self.card.read(f"recovery_{copy}")
        return next((n for n, fit in self.known.items() if data.startswith(fit)), None)

    def both(self):
        return self.release("a"), self.release("b")

    def check(self):
        """After any cut: a recovery comes up, and main only when it is meant to."""
        assert self.both() != (None, None), "no recovery copy is good"
        env, state = self.card.env(), lbfield.state_name(self.card)
        assert env["lifeboat_slot"] in ("a", "b")
        if env["lifeboat_boot"] == "main":
            assert state in ("confirmed", "trial")
        else:
            assert env["lifeboat_boot"] == "recovery"
            assert state in ("requested", "updating", "trial", "confirmed")


def start_update(field, bundle, **server):
    """The bundle is staged; the board is switched on."""
    if server:
        field.server.change(**server)
    lbfield.stage(field.card, field.serve(bundle), release=2)
    field.board.power_on()


def copies_of(field, good=True):
    return Copies(field.card, field.build / "images" / "recovery.itb",
                  field.files / "recovery-2-good.itb" if good else None)


def ends_in_release_2(field, bundle):
    """Main is whole, confirmed and comes up again."""
    field.wait_confirmed(2)
    status = agent(field.board, "status")
    assert status["running"]["release"] == 2 and status["result"]["code"] == "ok"
    field.board.cut_power()
    main = [i for i in lbfield.bundles.manifest_of(field.read_bundle(bundle))["images"]
            if i["kind"] != "recovery"]
    assert len(main) == 2
    for image in main:
        data = field.card.read(image["target"], 0, image["size"])
        assert lbfield.bundles.sha(data) == image["sha256"]


def test_recovery_and_main_are_both_updated_by_one_bundle(field):
    """Found by the agent: it needs recovery release 2, and brings it."""
    bundle, copies = "recovery-2-good.lbu", copies_of(field)
    field.offer("release-1.lbu", bundle)
    field.board.power_on().wait_for("main OS release 1 is up")
    field.board.wait_for(RUNS_A + "requested")
    field.board.wait_for("[recovery-written]", never="[installed]")
    field.board.wait_for(RUNS_B + "requested", never="main OS release")
    field.board.wait_for("[recovery-current]", never="[planned]")
    field.board.wait_for(MAIN_2, never="Lifeboat recovery: copy")
    ends_in_release_2(field, bundle)
    assert copies.both() == (2, 2) and field.card.env()["lifeboat_slot"] == "b"
    assert SELF_UPDATE not in lbfield.read_records(field.card)

    field.card.change_env(lifeboat_boot="manual", lifeboat_slot="a")    # the refreshed one
    field.board.power_on().wait_for(RUNS_A + "manual")


@pytest.mark.late
def test_recovery_that_panics_is_tried_twice_and_done_without(field):
    bundle, copies = "recovery-2-dies.lbu", copies_of(field, good=False)
    start_update(field, bundle)
    for _ in range(2):
        field.board.wait_for(RUNS_A)
        field.board.wait_for("[recovery-written]", never="[installed]")
        for _ in range(3):
            field.board.wait_for("dying recovery:", never="Lifeboat recovery: copy")
    field.board.wait_for(RUNS_A, never="dying recovery:")
    field.board.wait_for("[recovery-not-updated]")
    field.board.wait_for("[recovery-mended]")
    field.board.wait_for(MAIN_2, never="Lifeboat recovery: copy")
    ends_in_release_2(field, bundle)
    assert copies.both() == (1, 1) and field.card.env()["lifeboat_slot"] == "a"
    assert read_record(field.card, SELF_UPDATE)["tries"] == 2


@pytest.mark.late
def test_recovery_that_crashes_before_it_reaches_its_bundle_is_given_up(field):
    """It starts, and could say so: that is not enough while it is on trial."""
    bundle, copies = "recovery-2-crashes.lbu", copies_of(field, good=False)
    start_update(field, bundle)
    for _ in range(2):
        field.board.wait_for(RUNS_A)
        field.board.wait_for("[recovery-written]", never="[installed]")
        for _ in range(3):
            field.board.wait_for(RUNS_B, never=RUNS_A)
            field.board.wait_for("crashing recovery", never="[recovery-current]")
    field.board.wait_for(RUNS_A, never=RUNS_B)
    field.board.wait_for("[recovery-not-updated]")
    field.board.wait_for("[recovery-mended]")
    field.board.wait_for(MAIN_2, never="Lifeboat recovery: copy")
    ends_in_release_2(field, bundle)
    assert copies.both() == (1, 1) and field.card.env()["lifeboat_slot"] == "a"


@pytest.mark.late
def test_recovery_that_hangs_is_given_up_by_watchdog_and_boot_loader(field):
    """The watchdog ends the first hang; a person's hand at the plug ends the others."""
    bundle, copies = "recovery-2-hangs.lbu", copies_of(field, good=False)
    start_update(field, bundle)
    field.board.wait_for("[recovery-written]")
    field.board.wait_for("hanging recovery")
    field.board.wait_for("U-Boot 2025.01")
    for _ in range(5):
        field.board.wait_for("hanging recovery", never="[recovery-not-updated]")
        field.board.power_cycle()
        copies.check()
    field.board.wait_for(RUNS_A, never="hanging recovery")
    field.board.wait_for("[recovery-not-updated]")
    field.board.wait_for(MAIN_2, never="Lifeboat recovery: copy")
    ends_in_release_2(field, bundle)
    assert copies.both() == (1, 1)


def test_recovery_with_a_foreign_signature_is_refused_before_it_is_booted(field):
    bundle, copies = "recovery-2-foreign.lbu", copies_of(field, good=False)
    before = field.main_bytes()
    start_update(field, bundle)
    field.board.wait_for("[fit-invalid]", never="[recovery-written]")
    field.board.wait_for("[recovery-mended]")
    field.board.wait_for("main OS release 1 is up", never="Lifeboat recovery: copy")
    assert agent(field.board, "status")["result"]["code"] == "fit-invalid"
    field.board.cut_power()
    assert field.main_bytes() == before and copies.both() == (1, 1)
    assert field.card.env()["lifeboat_slot"] == "a"


@pytest.mark.late
def test_signature_that_only_the_boot_loader_finds_bad_counts_as_a_try(field):
    """The other copy comes up in the same boot, with the flag still at the bad one."""
    blind, bundle = field.files / "recovery-blind.itb", "recovery-2-foreign.lbu"
    for name in ("recovery_a", "recovery_b"):
        field.card.erase(name)
        field.card.write_file(name, blind)
    copies = Copies(field.card, blind)
    start_update(field, bundle)
    for _ in range(2):
        field.board.wait_for(RUNS_A)
        field.board.wait_for("[recovery-written]", never="[installed]")
        field.board.wait_for("recovery_b cannot be booted")
    field.board.wait_for(RUNS_A, never="U-Boot 2025.01")
    field.board.wait_for("[recovery-not-updated]")
    field.board.wait_for(MAIN_2, never="Lifeboat recovery: copy")
    ends_in_release_2(field, bundle)
    assert copies.both() == (1, 1) and field.card.env()["lifeboat_slot"] == "a"


# --- cuts

OF_A = ["trying https", r"write +recovery", r"verify +recovery", "recovery-written"]
OF_B = [RUNS_B, "bundle-accepted", "recovery-current", "planned", r"write +root"]


@pytest.mark.late(after=1)
def test_power_cuts_from_the_first_byte_of_recovery_to_main(field, seed):
    """One cut shortly after each of these, in this order; what was reached stays reached."""
    source = random.Random(seed)
    bundle, copies = "recovery-2-good.lbu", copies_of(field)
    start_update(field, bundle, rate="1500k")
    moments, cuts = OF_A + OF_B, 0
    while moments:
        # copy b may be selected already when a cut came late
        others = ["main OS release"] + ([RUNS_B] if moments[0] in OF_A else [])
        seen = field.board.wait_for(moments[0], *others, regex=True).group()
        if seen.startswith("main OS"):
            break
        moments = OF_B[1:] if seen == RUNS_B else moments[1:]
        time.sleep(source.uniform(0, 0.25))
        field.board.power_cycle()
        cuts += 1
        copies.check()
        assert lbfield.state_name(field.card) in ("requested", "updating", "trial")
        if lbfield.state_name(field.card) == "updating":
            assert copies.both() == (2, 2), "main is written by the recovery that stays"
    field.board.wait_for(MAIN_2)
    assert cuts >= 5
    ends_in_release_2(field, bundle)
    assert copies.both() == (2, 2)


@pytest.mark.late
def test_power_cuts_at_any_moment_of_a_self_update(field, seed):
    """Five cuts; the next one may come before anything is reached."""
    source = random.Random(100 + seed)
    bundle, copies = "recovery-2-good.lbu", copies_of(field)
    start_update(field, bundle, rate="3000k")
    for _ in range(5):
        field.board.wait_for("bundle-accepted", "main OS release")
        time.sleep(source.uniform(0, 2.5))
        field.board.cut_power()
        copies.check()
        if field.card.env()["lifeboat_boot"] == "main":
            break
        field.board.power_on()
    if not field.board.is_on():
        field.board.power_on()
    field.board.wait_for(MAIN_2)
    ends_in_release_2(field, bundle)
    assert copies.both() == (2, 2)
