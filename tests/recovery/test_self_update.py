# SPDX-License-Identifier: GPL-2.0-or-later
"""A bundle that carries a newer recovery: two copies, of which one always boots.

The program's release is a setting here, so one program plays every recovery. Which
one runs is found out as U-Boot would: from the slot that the environment names, or
from the other one when that does not hold a recovery of the boot loader's signer.
"""

import json
import random
import shutil
import subprocess
import time

import pytest

import bundles
from device import MIB, SELF_UPDATE, garbage
from fit import make_fit, make_fit_key
from test_install import check_installed
from test_network import check_returned

COPIES = ("recovery_a", "recovery_b")


class Board:
    """A device, the recoveries that its boot loader accepts, and the boot loader."""

    def __init__(self, device, known):
        self.device, self.known = device, known  # {release: bytes}
        self.dead = set()  # releases that never report alive

    def release_in(self, copy):
        """Of the whole recovery in @copy, None if the boot loader would refuse what is there."""
        data = self.device.read(f"recovery_{copy}")
        return next((r for r, fit in self.known.items() if data.startswith(fit)), None)

    def boots(self):
        """(copy, release) that comes up; the variables change as after 3 vain boots."""
        slot = self.device.env()["lifeboat_slot"]
        for copy in (slot, "b" if slot == "a" else "a"):
            release = self.release_in(copy)
            if release is None:
                continue  # bootm fails: the other one, in the same boot
            if release not in self.dead:
                return copy, release
            self.device.put_env(lifeboat_slot="b" if copy == "a" else "a", lifeboat_rtries="1")
        raise AssertionError("no recovery copy comes up")

    def start(self, *args, **how):
        copy, self.device.settings["recovery"]["release"] = self.boots()
        return self.device.start(*args, copy=copy, **how)

    def run(self, *args, **how):
        run = self.start(*args, **how)
        return run.wait(), run

    def main(self):
        return [self.device.read(n) for n in ("boot", "root")]

    def releases(self):
        return self.release_in("a"), self.release_in("b")

    def slot(self):
        return self.device.env()["lifeboat_slot"]


@pytest.fixture
def signer(tmp_path):
    """The boot loader's key: a folder with bench.crt."""
    make_fit_key(tmp_path / "signer")
    return tmp_path / "signer"


@pytest.fixture
def fits(signer):
    """{recovery release: FIT}; 2 is larger than what may be unflushed."""
    return {1: make_fit(signer, True, 1), 2: make_fit(signer, True, 2, size=2 * MIB)}


@pytest.fixture
def board(make_device, signer, fits):
    """Both copies hold recovery release 1, and a runs."""
    device = make_device(slots={"boot": 2 * MIB, "root": 12 * MIB,
                                "recovery_a": 3 * MIB, "recovery_b": 3 * MIB},
                         fit_key=str(signer / "bench.crt"))
    for name in COPIES:
        device.write(name, fits[1])
    return Board(device, fits)


@pytest.fixture
def small_images():
    return {"boot": garbage(100_000, 31), "root": garbage(700_001, 32)}


def carry(images, key, recovery, release=2, main_release=2, **more):
    """A release of main with a recovery of @release."""
    bundle = bundles.write({**images, "recovery": recovery}, key, main_release,
                           kinds={"recovery": "recovery"}, targets={"recovery": "recovery_a"},
                           **more)
    return bundles.edit(bundle, key,
                        lambda m: m["images"][-1].update({"recovery_release": release}))


def check_untouched(board, main, code):
    """Main is given back, and both copies are fit to be started."""
    assert board.main() == main
    check_returned(board.device, board.device.main_digest(), code)
    assert None not in board.releases(), "a device with one good copy"


# ---- good ones ---------------------------------------------------------------


def test_newer_recovery_is_written_to_the_other_copy_and_goes_on(board, bundle_file, keys, images,
                                                                 fits):
    device, main = board.device, board.main()
    status, run = board.run("--install", bundle_file(carry(images[2], keys, fits[2])))
    assert status == 5 and "recovery-written" in run.codes(), run.text()
    assert board.releases() == (1, 2), "the copy that runs is never written"
    assert board.main() == main and device.state() == "requested"
    assert board.slot() == "b" and device.power_on() == "requested"

    written = {**images[2], "recovery_a": fits[2], "recovery_b": fits[2]}
    around = device.guarded(written)
    status, run = board.run()
    assert status == 0 and "recovery-current" in run.codes(), run.text()
    check_installed(device, written, around)
    assert SELF_UPDATE not in device.records()
    assert board.slot() == "b"


def test_refreshing_the_old_copy_needs_no_network(board, make_server, keys, images, fits):
    """The copy that runs is the bundle's: it is copied on the device."""
    server = make_server().start()
    bundle = carry(images[2], keys, fits[2])
    server.put("r2.lbu", bundle)
    assert board.run("--install", server.url("r2.lbu"))[0] == 5
    before = len(server.requests())
    assert board.run()[0] == 0 and board.releases() == (2, 2)
    offset, size = bundles.places(bundle)["recovery.zst"]
    assert not [r for r in server.requests()[before:]
                if r[1] is not None and offset <= r[1] < offset + size]


def test_server_without_ranges_is_enough(board, make_server, keys, small_images, fits):
    server = make_server().start("max_ranges 0;")
    server.put("r2.lbu", carry(small_images, keys, fits[2]))
    assert board.run("--install", server.url("r2.lbu"))[0] == 5
    status, run = board.run()
    assert status == 0 and board.device.holds(small_images), run.text()
    assert board.releases() == (2, 2)


def test_recovery_that_runs_from_b_writes_a(board, bundle_file, keys, small_images, fits):
    board.device.put_env(lifeboat_slot="b")
    assert board.run("--install", bundle_file(carry(small_images, keys, fits[2])))[0] == 5
    assert board.releases() == (2, 1) and board.slot() == "a"
    assert board.run()[0] == 0 and board.releases() == (2, 2)


def test_bundle_may_need_the_recovery_that_it_carries(board, bundle_file, keys, images, fits):
    bundle = bundle_file(carry(images[2], keys, fits[2], min_recovery=2))
    assert board.run("--install", bundle)[0] == 5
    status, run = board.run()
    assert status == 0 and board.device.holds(images[2]), run.text()


def test_older_recovery_is_left_in_the_bundle(board, bundle_file, keys, images, fits):
    for name in COPIES:
        board.device.write(name, fits[2])
    status, run = board.run("--install", bundle_file(carry(images[2], keys, fits[1], 1)))
    assert status == 0, run.text()
    assert board.releases() == (2, 2) and board.device.holds(images[2])


def test_person_with_a_stick_is_served_by_the_newer_recovery(board, tmp_path, keys, small_images,
                                                             fits):
    """The flag keeps saying that a person asked: otherwise the new one would go to main."""
    device = board.device
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "r2.lbu").write_bytes(carry(small_images, keys, fits[2]))
    device.settings["recovery"]["media"] = [str(tmp_path / "stick")]
    device.put_env(lifeboat_boot="manual")
    status, run = board.run()
    assert status == 5 and device.power_on() == "manual", run.text()
    status, run = board.run()
    assert status == 0 and device.holds(small_images), run.text()
    assert board.releases() == (2, 2)


# ---- those that do not start ---------------------------------------------------


def test_recovery_that_does_not_start_is_tried_twice_and_done_without(board, bundle_file, keys,
                                                                      images, fits):
    device = board.device
    board.dead = {2}
    assert board.run("--install", bundle_file(carry(images[2], keys, fits[2])))[0] == 5
    status, run = board.run()
    assert status == 5 and "try 2 of 2" in run.text()
    assert not run.fetched(), "it was there already"
    status, run = board.run()
    assert status == 0 and "recovery-not-updated" in run.codes(), run.text()
    assert device.holds(images[2]) and device.state() == "trial"
    assert "recovery-mended" in run.codes()
    assert board.releases() == (1, 1), "a copy that does not start is no copy"
    assert board.slot() == "a"


def test_recovery_that_was_given_up_is_not_tried_by_later_bundles(board, bundle_file, keys,
                                                                  small_images, images, fits):
    """But another one is."""
    device = board.device
    board.dead = {2}
    assert board.run("--install", bundle_file(carry(small_images, keys, fits[2])))[0] == 5
    assert board.run()[0] == 5 and board.run()[0] == 0
    device.put_records(STATE={"state": "confirmed"},
                       SELF_UPDATE=device.record(SELF_UPDATE))
    status, run = board.run("--install", bundle_file(carry(images[2], keys, fits[2],
                                                           main_release=3)))
    assert status == 0 and "recovery-not-updated" in run.codes(), run.text()
    assert board.releases() == (1, 1)

    board.known[3] = make_fit(device.folder.parent / "signer", True, 33)
    device.put_records(STATE={"state": "confirmed"},
                       SELF_UPDATE=device.record(SELF_UPDATE))
    bundle = bundle_file(carry(images[3], keys, board.known[3], 3, main_release=4))
    assert board.run("--install", bundle)[0] == 5
    assert board.run()[0] == 0 and board.releases() == (3, 3)


def test_bundle_that_needs_the_recovery_that_does_not_start_is_refused(board, bundle_file, keys,
                                                                       images, fits):
    board.dead, main = {2}, board.main()
    bundle = bundle_file(carry(images[2], keys, fits[2], min_recovery=2))
    assert board.run("--install", bundle)[0] == 5
    assert board.run()[0] == 5
    status, run = board.run()
    assert status == 3, run.text()
    check_untouched(board, main, "unknown-critical-field")
    assert board.releases() == (1, 1)


def test_tries_are_those_of_one_request(board, bundle_file, keys, images, fits):
    """It was bad luck with the power, twice: the recovery is good, and the bundle needs it."""
    device, board.dead = board.device, {2}
    bundle = bundle_file(carry(images[2], keys, fits[2], min_recovery=2))
    assert [board.run("--install", bundle)[0], board.run()[0], board.run()[0]] == [5, 5, 3]
    assert not (device.record(SELF_UPDATE) or {}).get("tries")
    board.dead = set()
    status, run = board.run("--install", bundle)
    assert status == 5 and "try 1 of 2" in run.text()
    assert board.run()[0] == 0 and board.releases() == (2, 2)
    assert device.holds(images[2])


def test_recovery_on_trial_reports_alive_when_it_has_reached_its_bundle(
        board, make_server, keys, small_images, fits):
    """Before that the boot loader counts its starts, as those of one that crashes."""
    device, server = board.device, make_server().start()
    server.put("r2.lbu", carry(small_images, keys, fits[2]))
    assert board.run("--install", server.url("r2.lbu"))[0] == 5
    server.stop()
    device.put_env(lifeboat_rtries="1")  # the boot loader
    run = board.start()
    run.wait_for_code("source-interrupted")
    run.kill()
    assert (board.slot(), device.env()["lifeboat_rtries"]) == ("b", "1")
    server.start()
    status, run = board.run()
    assert status == 0 and board.releases() == (2, 2), run.text()
    assert (board.slot(), device.env()["lifeboat_rtries"]) == ("b", "0")


def test_recovery_on_trial_that_cannot_reach_its_bundle_steps_back(board, make_server, keys,
                                                                   small_images, fits):
    """Whatever the reason: the older one is there for the next request."""
    board.device.settings["recovery"]["give_up_s"] = 1
    main, server = board.main(), make_server().start()
    server.put("r2.lbu", carry(small_images, keys, fits[2]))
    assert board.run("--install", server.url("r2.lbu"))[0] == 5
    server.stop()
    assert board.boots() == ("b", 2)
    status, run = board.run()
    assert status == 3, run.text()
    check_untouched(board, main, "source-unreachable")
    assert board.slot() == "a" and board.boots() == ("a", 1)
    server.start()
    status, run = board.run("--install", server.url("r2.lbu"))
    assert status == 5 and "try 2 of 2" in run.text()
    assert board.run()[0] == 0 and board.releases() == (2, 2)


def test_recovery_on_trial_that_installs_another_bundle_stays(board, bundle_file, keys, packed,
                                                              small_images, images, fits):
    """One without a recovery: main was installed by it, so it is good."""
    assert board.run("--install", bundle_file(carry(small_images, keys, fits[2])))[0] == 5
    board.device.put_env(lifeboat_rtries="2")
    status, run = board.run("--install", packed[2])
    assert status == 0 and board.device.holds(images[2]), run.text()
    assert (board.slot(), board.device.env()["lifeboat_rtries"]) == ("b", "0")
    assert "copy" not in board.device.record(SELF_UPDATE), "it is on trial no more"


def test_signature_that_only_the_boot_loader_finds_bad_counts_as_a_try(board, bundle_file, keys,
                                                                      small_images, tmp_path):
    """Without the boot loader's key recovery cannot know: U-Boot starts the other copy at once."""
    device = board.device
    del device.settings["recovery"]["fit_key"]
    foreign = make_fit(tmp_path / "foreign", True, 5)
    assert board.run("--install", bundle_file(carry(small_images, keys, foreign)))[0] == 5
    assert board.slot() == "b" and board.boots() == ("a", 1)
    assert board.run()[0] == 5
    status, run = board.run()
    assert status == 0 and "recovery-not-updated" in run.codes(), run.text()
    assert board.slot() == "a" and board.releases() == (1, 1)
    assert device.holds(small_images)


def test_server_that_is_gone_after_a_vain_try_leaves_two_good_copies(board, make_server, keys,
                                                                     small_images, fits):
    """The copy that does not start must not stay beside main."""
    board.device.settings["recovery"]["give_up_s"] = 1
    board.dead, main = {2}, board.main()
    server = make_server().start()
    server.put("r2.lbu", carry(small_images, keys, fits[2]))
    assert board.run("--install", server.url("r2.lbu"))[0] == 5
    server.stop()
    status, run = board.run()
    assert status == 3, run.text()
    check_untouched(board, main, "source-unreachable")
    assert board.releases() == (1, 1)


# ---- refused before they are selected ----------------------------------------------


@pytest.mark.parametrize("kind", ["unsigned", "foreign key", "garbage", "cut short"])
def test_recovery_that_the_boot_loader_would_refuse_is_not_selected(board, bundle_file, keys,
                                                                    images, fits, tmp_path, kind):
    main = board.main()
    bad = {"unsigned": lambda: make_fit(tmp_path / "u", False, 3),
           "foreign key": lambda: make_fit(tmp_path / "f", True, 3),
           "garbage": lambda: bytes(range(256)) * 1000,
           "cut short": lambda: fits[2][:-70_000]}[kind]()
    status, run = board.run("--install", bundle_file(carry(images[2], keys, bad)))
    assert status == 3 and "recovery-written" not in run.codes(), run.text()
    check_untouched(board, main, "fit-invalid")
    assert board.releases() == (1, 1) and board.slot() == "a"
    assert SELF_UPDATE not in board.device.records()


def test_bad_recovery_does_not_keep_main_broken(board, bundle_file, keys, images, tmp_path):
    """Main is half written: it cannot wait for a better recovery."""
    device = board.device
    bundle = carry(images[2], keys, make_fit(tmp_path / "u", False, 3))
    path, digest = bundle_file(bundle), bundles.sha(bundles.split(bundle)[0][1])
    device.put_records(STATE={"state": "updating", "release": 2, "manifest": digest},
                       REQUEST={"urls": [str(path)], "release": 2, "manifest": digest})
    device.put_env(lifeboat_boot="recovery")
    status, run = board.run()
    assert status == 0 and "fit-invalid" in run.codes(), run.text()
    assert device.holds(images[2]) and board.releases() == (1, 1)


def test_recovery_larger_than_its_slot_is_refused(board, bundle_file, keys, images, signer):
    main = board.main()
    large = make_fit(signer, True, 4, size=4 * MIB)
    status, run = board.run("--install", bundle_file(carry(images[2], keys, large)))
    assert status == 3 and "recovery_b holds 3145728" in run.text()
    check_untouched(board, main, "image-too-large")


def test_wrong_bytes_from_the_server_never_reach_a_selected_copy(board, bundle_file, keys, images,
                                                                 fits):
    main = board.main()
    bundle = bundles.flip(carry(images[2], keys, fits[2]), "recovery.zst")
    status, run = board.run("--install", bundle_file(bundle))
    assert status == 3, run.text()
    assert board.main() == main and board.slot() == "a"
    assert board.releases() == (1, 1) and board.device.power_on() == "main"


def payload_bytes(bundle, *names):
    return sum(s for n, (_, s) in bundles.places(bundle).items()
               if n.rsplit(".", 1)[0] in names and not n.endswith(".idx"))


def put_budget(board, path, bytes_):
    board.device.put_records(STATE={"state": "requested", "release": 2},
                             REQUEST={"urls": [str(path)], "release": 2, "budget_bytes": bytes_})
    board.device.put_env(lifeboat_boot="recovery")


def test_budget_is_for_recovery_and_main_together(board, bundle_file, keys, small_images, fits):
    """Either alone would fit."""
    main, bundle = board.main(), carry(small_images, keys, fits[2])
    path, all_of_it = bundle_file(bundle), payload_bytes(bundle, "boot", "root", "recovery")
    all_of_it += bundles.overhead(bundle)
    assert payload_bytes(bundle, "recovery") < all_of_it - 1
    put_budget(board, path, all_of_it - 1)
    status, run = board.run()
    assert status == 3 and "recovery-written" not in run.codes(), run.text()
    check_untouched(board, main, "over-budget")
    assert board.releases() == (1, 1)

    put_budget(board, path, all_of_it)
    assert board.run()[0] == 5
    assert board.run()[0] == 0 and board.device.holds(small_images)
    assert board.releases() == (2, 2)


def test_bundle_with_two_recoveries_is_refused(board, bundle_file, keys, small_images, fits):
    """One of them would be ignored."""
    main = board.main()
    bundle = bundles.write({**small_images, "one": fits[2], "two": fits[1]}, keys, 2,
                           kinds={"one": "recovery", "two": "recovery"},
                           targets={"one": "recovery_a", "two": "recovery_b"})
    bundle = bundles.edit(bundle, keys, lambda m: [i.update({"recovery_release": 2})
                                                   for i in m["images"][-2:]])
    status, run = board.run("--install", bundle_file(bundle))
    assert status == 3 and "both a recovery" in run.text()
    check_untouched(board, main, "malformed")
    assert board.releases() == (1, 1)


# ---- devices that cannot ---------------------------------------------------------


def test_device_without_the_slots_goes_on_and_says_so(board, bundle_file, keys, images, fits):
    del board.device.settings["slots"]["recovery_b"]
    status, run = board.run("--install", bundle_file(carry(images[2], keys, fits[2])))
    assert status == 0 and "slot recovery_b is not configured" in run.text()
    assert board.device.holds(images[2]) and board.releases() == (1, 1)


def test_device_without_the_slots_refuses_what_needs_the_newer_recovery(board, bundle_file, keys,
                                                                        images, fits):
    main = board.main()
    for name in COPIES:
        del board.device.settings["slots"][name]
    bundle = bundle_file(carry(images[2], keys, fits[2], min_recovery=2))
    status, run = board.run("--install", bundle)
    assert status == 3, run.text()
    check_untouched(board, main, "slot-missing")
    assert "is not configured" in board.device.result()["text"]


def test_program_that_does_not_know_its_copy_leaves_both_alone(board, bundle_file, keys, images,
                                                              fits):
    """On a workstation there is no boot loader that would start the other one."""
    status, run = board.device.run("--install", bundle_file(carry(images[2], keys, fits[2])))
    assert status == 0, run.text()
    assert board.releases() == (1, 1) and board.device.holds(images[2])


# ---- a bundle of nothing but a recovery ----------------------------------------


def alone(key, fit, release):
    """No release of main: it changes the copies, or nothing."""
    bundle = bundles.write({"recovery": fit}, key, 2, kinds={"recovery": "recovery"},
                           targets={"recovery": "recovery_a"})
    return bundles.edit(bundle, key,
                        lambda m: m["images"][-1].update({"recovery_release": release}))


def test_recovery_alone_updates_both_copies_and_gives_main_back(board, bundle_file, keys, fits):
    main = board.main()
    assert board.run("--install", bundle_file(alone(keys, fits[2], 2)))[0] == 5
    status, run = board.run()
    assert status == 3 and "recovery-current" in run.codes(), run.text()
    check_untouched(board, main, "ok")
    assert board.releases() == (2, 2)


def test_recovery_alone_that_changes_nothing_is_no_success(board, bundle_file, keys, fits):
    """Older than the one that runs; or where it is not known which copy runs."""
    main = board.main()
    status, run = board.device.run("--install", bundle_file(alone(keys, fits[2], 2)))
    assert status == 3, run.text()
    check_untouched(board, main, "recovery-not-updated")
    for name in COPIES:
        board.device.write(name, fits[2])
    status, run = board.run("--install", bundle_file(alone(keys, fits[1], 1)))
    assert status == 3, run.text()
    check_untouched(board, main, "recovery-not-updated")
    assert board.releases() == (2, 2)


# ---- one good copy is not enough -------------------------------------------------


def test_copying_shows_that_it_goes_on(board, packed, images, fits):
    """A whole slot may take longer than the watchdog waits."""
    board.device.write("recovery_b", bytes(len(fits[1])))
    status, run = board.run("--install", packed[2])
    assert status == 0 and "recovery-mended" in run.codes(), run.text()
    for step in ("copy", "verify"):
        at = [e["durable_bytes"] for e in run.progress(step) if e["image"] == "recovery_b"]
        assert at == [MIB, 2 * MIB, 3 * MIB], step


@pytest.mark.parametrize("with_recovery", [True, False])
def test_broken_other_copy_is_mended_before_main_starts(board, packed, bundle_file, keys, images,
                                                        fits, with_recovery):
    board.device.write("recovery_b", bytes(len(fits[1])))
    bundle = carry(images[2], keys, fits[1], release=1)
    status, run = board.run("--install", bundle_file(bundle) if with_recovery else packed[2])
    assert status == 0, run.text()
    assert board.releases() == (1, 1) and board.device.holds(images[2])


def test_other_copy_is_not_replaced_by_one_that_is_broken(board, packed, images, fits):
    """What runs lies in RAM: the medium may have lost it since."""
    board.known[2] = fits[2]
    run = board.start("--install", packed[2])  # a runs ...
    board.device.write("recovery_a", garbage(1000, 3), at=200_000)  # ... and is lost
    board.device.write("recovery_b", garbage(1000, 4), at=200_000)
    b = board.device.read("recovery_b")
    assert run.wait() == 0 and "recovery-single" in run.codes(), run.text()
    assert board.device.read("recovery_b") == b and board.device.holds(images[2])


def test_only_good_copy_is_never_the_one_that_is_written(board, bundle_file, keys, images, fits):
    copy, board.device.settings["recovery"]["release"] = board.boots()
    board.device.write("recovery_a", garbage(1000, 3), at=200_000)    # it runs, and was whole then
    status, run = board.device.run("--install", bundle_file(carry(images[2], keys, fits[2])), copy=copy)
    assert copy == "a" and status == 0, run.text()
    assert board.release_in("b") == 1 and board.boots() == ("b", 1)
    assert board.device.holds(images[2])


# ---- kills ------------------------------------------------------------------------


def test_what_was_written_before_a_kill_counts(board, make_server, keys, images, fits):
    main = board.main()
    server = make_server().start("limit_rate 1m;")
    server.put("r2.lbu", carry(images[2], keys, fits[2]))
    run = board.start("--install", server.url("r2.lbu"))
    run.wait_for(lambda r: r.progress("write"))
    run.kill()
    assert board.release_in("a") == 1 and board.main() == main
    assert board.slot() == "a" and board.device.power_on() == "requested"
    server.change("")
    status, run = board.run()
    assert status == 5, run.text()
    assert run.planned()["skip_bytes"] > 0
    assert board.releases() == (1, 2)


def note_of(fit, tries, copy):
    return json.dumps({"image": bundles.sha(fit), "tries": tries, "copy": copy}).encode()


def put_request(board, path, **records):
    """As an interrupted run leaves it: the note is written, main is not."""
    board.device.put_records(STATE={"state": "requested", "release": 2},
                             REQUEST={"urls": [str(path)], "release": 2}, **records)
    board.device.put_env(lifeboat_boot="recovery")


def test_cut_between_note_and_flag_costs_no_try(board, bundle_file, keys, small_images, fits):
    path = bundle_file(carry(small_images, keys, fits[2], min_recovery=2))
    board.device.write("recovery_b", fits[2])
    put_request(board, path, SELF_UPDATE=note_of(fits[2], 0, "b"))
    status, run = board.run()
    assert status == 5 and "try 1 of 2" in run.text()
    assert board.run()[0] == 0 and board.releases() == (2, 2)


def test_cut_between_flag_and_count_costs_one_more_try(board, bundle_file, keys, small_images,
                                                       fits):
    path = bundle_file(carry(small_images, keys, fits[2]))
    board.dead = {2}
    board.device.write("recovery_b", fits[2])
    put_request(board, path, SELF_UPDATE=note_of(fits[2], 0, "b"))
    board.device.put_env(lifeboat_slot="b")
    assert [board.run()[0] for _ in range(3)] == [5, 5, 0]
    assert board.releases() == (1, 1) and board.device.holds(small_images)


def check_after_kill(board, main, small_images, before_run):
    """Some copy comes up, and main is started only when it is whole."""
    board.boots()
    if board.device.power_on() == "main":
        assert board.device.holds(small_images) or (before_run and board.main() == main)
    elif board.device.state() in ("requested", "confirmed"):
        assert board.main() == main


def finish(board, small_images, releases):
    """Without further kills it goes through."""
    for _ in range(5):
        if board.device.state() == "trial" and board.device.power_on() == "main":
            break
        assert board.run()[0] in (0, 5)
    assert board.device.state() == "trial" and board.device.power_on() == "main"
    assert board.device.holds(small_images)
    assert board.releases() == releases
    assert len(board.main()[0]) and board.device.digest_without(
        *((n, s) for n, (_, s) in board.device.regions.items())) == board.gaps


def kill_at(board, call, number):
    """Recovery, killed when it makes its @number-th @call; True if it lived to make it."""
    copy, board.device.settings["recovery"]["release"] = board.boots()
    board.device.save_config()
    board.device.cmdline.write_text(f"quiet lifeboat.copy={copy} lifeboat.reason=requested\n")
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
         f"inject={call}:signal=SIGKILL:when={number}",
         board.device.program, "--config", board.device.config, "--quiet"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 5, -9, 137), done.stderr
    return done.returncode in (-9, 137)


@pytest.mark.parametrize("dies", [False, True], ids=["starts", "dies"])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_kill_at_every_write_and_flush(board, bundle_file, keys, small_images, fits, call, dies):
    """Of every start that the whole update takes, one after the other."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    board.dead = {2} if dies else set()
    main = board.main()
    path = bundle_file(carry(small_images, keys, fits[2]))
    put_request(board, path)
    board.gaps = board.device.digest_without(
        *((n, s) for n, (_, s) in board.device.regions.items()))
    fresh, kills = board.device.disk.read_bytes(), 0
    for start in range(3 if dies else 2):
        begin, number = board.device.disk.read_bytes(), 0
        while True:
            number += 1
            board.device.disk.write_bytes(begin)
            if not kill_at(board, call, number):
                break  # the next start, from where this one came to without a kill
            kills += 1
            check_after_kill(board, main, small_images, start == 0)
            finish(board, small_images, (1, 1) if dies else (2, 2))
        assert number > 3, "nothing was killed"
    assert board.device.disk.read_bytes() != fresh
    print(f"{kills} kills")


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_any_moment_one_after_the_other(board, bundle_file, keys, images, fits, seed):
    main, r, kills, seen = board.main(), random.Random(seed), 0, set()
    board.gaps = board.device.digest_without(
        *((n, s) for n, (_, s) in board.device.regions.items()))
    put_request(board, bundle_file(carry(images[2], keys, fits[2])))
    while kills < 35 and board.device.power_on() != "main":  # or killed when all was done
        run = board.start()
        time.sleep(r.uniform(0.3, 1) * 0.002 * 1.25 ** kills)  # ever later, however fast the machine is
        if not run.running():
            if run.wait() == 0:
                break
            continue
        run.kill()
        kills += 1
        seen.add(bundles.sha(board.device.disk.read_bytes()))
        check_after_kill(board, main, images[2], True)
    finish(board, images[2], (2, 2))
    assert kills > 3 and len(seen) > 2, "all was done before it was killed often, or nothing"
