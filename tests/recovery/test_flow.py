# SPDX-License-Identifier: GPL-2.0-or-later
"""Why recovery was started, and what it makes of it: docs/DESIGN.md, "State machine"."""

import shutil
import subprocess
import time

import pytest

import bundles
from device import (CONFIRMED, ENV_BYTES, INSTALLED, MIB, STATE, STATE_BYTES, garbage,
                    log_encode, release_record)

from fit import make_fit
from test_install import check_installed
from test_network import is_writing, scripted


def confirm(device):
    """What the agent does after its health checks."""
    records = device.records()
    kept = {"CONFIRMED": records[INSTALLED]}
    if CONFIRMED in records:
        kept["PREVIOUS"] = records[CONFIRMED]
    device.put_records(STATE={**device.record(STATE), "state": "confirmed"}, **kept)
    device.put_env(bootcount="0", upgrade_available="0")


def install(device, url, program_args=()):
    status, run = device.run("--install", str(url), *program_args)
    assert status == 0, run.text()


@pytest.fixture
def serving(server, packed):
    """Releases 1 to 3 on a server: URLs by number."""
    for n, path in packed.items():
        server.put(f"r{n}.lbu", path)
    return {n: server.url(f"r{n}.lbu") for n in packed}


@pytest.fixture
def on_release_1(device, serving):
    """A device that runs release 1, installed from its URL and confirmed."""
    install(device, serving[1])
    confirm(device)
    return device


@pytest.fixture
def on_trial(on_release_1, serving):
    """... and has release 2 on trial."""
    install(on_release_1, serving[2])
    return on_release_1


# ---- a release that never confirms ---------------------------------------------


def check_rescued(device, images, around, code="trial-failed"):
    assert device.holds(images[1]), "release 1 is not back"
    assert device.guarded(images[1]) == around
    assert device.power_on() == "main" and device.state() == "trial"
    result = device.result()
    assert result["code"] == code
    assert result["release"] == 2, "the one that failed"
    assert "release 1 is back" in result["text"]


def test_release_that_never_confirms_is_replaced_by_the_confirmed_one(on_trial, images):
    device = on_trial
    around = device.guarded(images[1])
    device.put_env(bootcount="3")
    assert device.power_on() == "boot-limit"
    status, run = device.run()
    assert status == 0, run.text()
    check_rescued(device, images, around)


def test_rescue_survives_a_kill(on_trial, server, images):
    device = on_trial
    around = device.guarded(images[1])
    device.put_env(bootcount="3")
    server.change("limit_rate 1m;")
    run = device.start()
    run.wait_for(is_writing)
    run.kill()
    assert device.state() == "rescue" and device.power_on() == "requested"
    server.change("")
    status, run = device.run()
    assert status == 0, run.text()
    check_rescued(device, images, around)


def test_rescue_waits_for_its_server(make_device, server, serving, images):
    device = make_device(give_up_s=1)
    install(device, serving[1])
    confirm(device)
    install(device, serving[2])
    around = device.guarded(images[1])
    device.put_env(bootcount="3")
    server.stop()
    run = device.start()
    run.wait_for_code("source-interrupted")
    time.sleep(2)
    assert run.running(), "a device whose main does not work has nothing to give back"
    server.start()
    assert run.wait() == 0, run.text()
    check_rescued(device, images, around)


def test_rescue_does_not_take_the_release_that_failed(on_trial, server, packed, images):
    """The confirmed release's URL holds the failed one by now: wait for something better."""
    device = on_trial
    around = device.guarded(images[1])
    device.put_env(bootcount="3")
    server.put("r1.lbu", packed[2])
    run = device.start()
    run.wait_for_code("trial-failed")
    time.sleep(1)
    assert run.running() and device.state() == "rescue"
    server.put("r1.lbu", packed[1])
    assert run.wait() == 0, run.text()
    check_rescued(device, images, around)


def test_rescue_takes_a_newer_release_from_the_same_url(on_trial, server, packed, images):
    device = on_trial
    around = device.guarded(images[3])
    device.put_env(bootcount="3")
    server.put("r1.lbu", packed[3])
    status, run = device.run()
    assert status == 0, run.text()
    check_installed(device, images[3], around, release=3)


def test_main_invalid_in_confirmed_fetches_the_same_release_again(on_release_1, images):
    device = on_release_1
    around = device.guarded(images[1])
    device.write("boot", garbage(4096))
    status, run = device.run(reason="main-invalid")
    assert status == 0, run.text()
    check_installed(device, images[1], around, release=1)
    assert device.result()["code"] == "trial-failed"


# ---- a boot image that the bootloader would refuse --------------------------------


def test_signed_fit_is_installed(device, bundle_file, tmp_path, keys, images):
    content = {"boot": make_fit(tmp_path / "fit", True, 1), "root": images[2]["root"]}
    around = device.guarded(content)
    bundle = bundles.write(content, keys, 2, kinds={"boot": "fit"})
    install(device, bundle_file(bundle))
    check_installed(device, content, around)


def bad_fit_release(tmp_path, keys, images, release=2):
    """A bundle with every signature right whose boot image U-Boot would refuse."""
    content = {"boot": make_fit(tmp_path / "fit", False, 2), "root": images[2]["root"]}
    return bundles.write(content, keys, release, kinds={"boot": "fit"})


def test_fit_that_would_be_refused_never_is_booted_and_the_confirmed_release_comes_back(
        on_release_1, server, tmp_path, keys, images):
    device = on_release_1
    around = device.guarded(images[1])
    server.put("r2.lbu", bad_fit_release(tmp_path, keys, images))
    status, run = device.run("--install", server.url("r2.lbu"))
    assert status == 0, run.text()
    assert "fit-invalid" in run.codes()
    check_rescued(device, images, around, code="fit-invalid")


def test_fit_that_would_be_refused_without_a_remedy_waits_for_a_medium(
        make_device, bundle_file, tmp_path, packed, keys, images):
    stick = tmp_path / "stick"
    device = make_device(media=[str(stick)])
    around = device.guarded(images[3])
    run = device.start("--install", str(bundle_file(bad_fit_release(tmp_path, keys, images))))
    run.wait_for_code("fit-invalid")
    time.sleep(0.5)
    assert run.running() and device.power_on() == "requested"
    stick.mkdir()
    (stick / "r3.lbu").write_bytes(packed[3].read_bytes())
    assert run.wait() == 0, run.text()
    check_installed(device, images[3], around, release=3)


def test_token_is_not_sent_to_the_server_of_another_release(on_trial, scripted, packed, images):
    """Rescue asks the confirmed release's server, which the request's token is not for."""
    device, seen = on_trial, []

    def script(h, _):
        seen.append(h.headers.get("Authorization"))
        h.answer_range(packed[1].read_bytes())

    url = scripted(script)
    records = device.records()
    old = bundles.split(packed[1].read_bytes())
    device.put_records(STATE=records[STATE], INSTALLED=records[INSTALLED],
                       CONFIRMED=release_record(old, 1, [url]),
                       REQUEST={"urls": ["https://updates.example/r2.lbu"],
                                "header": "Authorization: Bearer secret-token"})
    device.put_env(bootcount="3")
    status, run = device.run()
    assert status == 0 and seen and not any(seen), run.text()
    assert device.holds(images[1])


# ---- a lost flag ------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["", "lost", "MAIN"])
def test_lost_flag_is_healed_when_main_is_confirmed_and_whole(on_release_1, images, flag):
    device = on_release_1
    before = device.main_digest()
    device.put_env(lifeboat_boot=flag)
    assert device.power_on() == "flag-lost"
    status, run = device.run()
    assert status == 0 and "healed" in run.codes(), run.text()
    assert {e["step"] for e in run.progress()} <= {"check"}, "main is only looked at"
    assert "source" not in run.codes() and run.fetched() == 0, "nothing is fetched"
    assert device.power_on() == "main" and device.env()["upgrade_available"] == "0"
    assert device.state() == "confirmed" and device.main_digest() == before


def test_environment_lost_in_both_copies_is_made_anew(on_release_1):
    device = on_release_1
    device.write("env0", garbage(ENV_BYTES, 1))
    device.write("env1", garbage(ENV_BYTES, 2))
    assert device.env() is None and device.power_on() == "flag-lost"
    status, run = device.run()
    assert status == 0 and "healed" in run.codes(), run.text()
    assert device.power_on() == "main"
    assert device.env()["bootcount"] == "0" and device.env()["upgrade_available"] == "0"


@pytest.mark.parametrize("copy", ["env0", "env1"])
def test_one_broken_copy_of_the_environment_is_no_loss(on_release_1, serving, images, copy):
    device = on_release_1
    around = device.guarded(images[2])
    device.write(copy, garbage(ENV_BYTES))
    install(device, serving[2])
    check_installed(device, images[2], around)


def test_lost_flag_is_not_healed_when_one_byte_of_main_is_wrong(on_release_1, images):
    device = on_release_1
    around = device.guarded(images[1])
    last = len(images[1]["root"]) - 1
    device.write("root", bytes([images[1]["root"][last] ^ 1]), at=last)
    device.put_env(lifeboat_boot="lost")
    status, run = device.run()
    assert status == 0, run.text()
    assert "healed" not in run.codes() and "rescue" in run.codes()
    assert 0 < run.fetched() < MIB, "only what was wrong is fetched"
    check_installed(device, images[1], around, release=1)


def test_lost_flag_in_trial_is_not_healed_but_rescued(on_trial, images):
    """Nobody knows whether release 2 works: the confirmed one does."""
    device = on_trial
    around = device.guarded(images[1])
    device.put_env(lifeboat_boot="lost")
    status, run = device.run()
    assert status == 0 and "healed" not in run.codes(), run.text()
    check_rescued(device, images, around)


def test_confirmed_record_with_a_bad_signature_heals_nothing(on_release_1):
    """Root in main can write records; it gains nothing by a manifest of its own.

    The release is fetched again: what the server has is signed.
    """
    device = on_release_1
    record = bytearray(device.records()[CONFIRMED])
    record[-20] ^= 1  # in the manifest
    device.put_records(STATE={"state": "confirmed"}, CONFIRMED=bytes(record))
    device.put_env(lifeboat_boot="lost")
    status, run = device.run()
    assert "healed" not in run.codes() and "main-unknown" in run.codes()
    assert status == 0 and device.state() == "trial", run.text()


# ---- state region ------------------------------------------------------------------


@pytest.mark.parametrize("content", ["zeros", "ones", "garbage"])
def test_state_region_that_is_lost_is_made_anew_and_said(device, packed, images, content):
    around = device.guarded(images[2])
    device.write("state", {"zeros": bytes(STATE_BYTES), "ones": b"\xff" * STATE_BYTES,
                           "garbage": garbage(STATE_BYTES)}[content])
    status, run = device.run("--install", str(packed[2]))
    assert status == 0, run.text()
    assert "made anew" in next(e["text"] for e in run.events if e.get("code") == "start")
    check_installed(device, images[2], around)


def test_state_and_environment_lost_main_is_not_called_whole(make_device, tmp_path, packed,
                                                            images):
    """No signed manifest to compare with: recovery waits for one, here on a stick."""
    stick = tmp_path / "stick"
    device = make_device(media=[str(stick)])
    install(device, packed[2])
    around = device.guarded(images[2])
    for name in ("env0", "env1", "state"):
        device.write(name, garbage(device.regions[name][1]))
    run = device.start()
    run.wait_for_code("main-unknown")
    time.sleep(0.5)
    assert run.running() and device.power_on() != "main"
    stick.mkdir()
    (stick / "r2.lbu").write_bytes(packed[2].read_bytes())
    assert run.wait() == 0, run.text()
    assert run.planned()["write_bytes"] == 0, "main was whole after all: nothing is written"
    check_installed(device, images[2], around)


def test_state_region_that_was_made_anew_by_a_run_cut_short_heals_nothing(device):
    """The log is empty and whole, the flag says recovery: main may be half written."""
    device.put_records()
    device.put_env(lifeboat_boot="recovery")
    run = device.start()
    run.wait_for_code("main-unknown")
    run.wait_for_code("rescue")
    assert run.running() and device.power_on() != "main" and device.state() == "rescue"
    run.kill()


NEWER, SPOILT = ({STATE: 2}, b'{"state":"updating","release":2}'), ({}, b'{"state":"asleep"}')


def put_unknown_state(device, how, **records):
    versions, payload = how
    device.put_records(STATE=payload, **records)
    kept = device.records()
    device.write("state", log_encode(kept, versions=versions))
    device.put_env(lifeboat_boot="recovery")


@pytest.mark.parametrize("how", [NEWER, SPOILT], ids=["newer", "spoilt"])
def test_state_that_is_not_understood_ends_in_a_rescue(on_release_1, images, how):
    """Main is torn, as a newer recovery may have left it: the confirmed release is fetched."""
    device = on_release_1
    around = device.guarded(images[1])
    device.write("root", garbage(100_000), at=MIB)
    put_unknown_state(device, how, CONFIRMED=device.records()[CONFIRMED])
    status, run = device.run()
    assert status == 0 and "state-lost" in run.codes(), run.text()
    check_installed(device, images[1], around, release=1)
    assert device.result()["code"] == "state-lost"


@pytest.mark.parametrize("how", [NEWER, SPOILT], ids=["newer", "spoilt"])
def test_state_that_is_not_understood_beside_a_request_is_resumed_by_it(device, serving, images,
                                                                        how):
    """No release is on record: what was asked for is what is left."""
    around = device.guarded(images[2])
    put_unknown_state(device, how, REQUEST={"urls": [serving[2]], "release": 2})
    status, run = device.run()
    assert status == 0 and "main-unknown" in run.codes(), run.text()
    check_installed(device, images[2], around)


def test_request_is_not_blamed_for_a_main_that_nobody_knows(device, server, serving, packed, images):
    """The rescue that it is the only source of is cut, and goes on with it."""
    around = device.guarded(images[2])
    server.put("r2.lbu", b"no bundle yet")
    put_unknown_state(device, SPOILT, REQUEST={"urls": [serving[2]], "release": 2})
    run = device.start()
    run.wait_for_code("source")
    run.kill()
    assert device.state() == "rescue" and not device.result().get("release")
    server.put("r2.lbu", packed[2])
    status, run = device.run()
    assert status == 0, run.text()
    check_installed(device, images[2], around)


@pytest.mark.parametrize("how", [NEWER, SPOILT], ids=["newer", "spoilt"])
def test_state_that_is_not_understood_beside_a_whole_main_is_healed(on_release_1, how):
    device = on_release_1
    before = device.main_digest()
    put_unknown_state(device, how, CONFIRMED=device.records()[CONFIRMED])
    status, run = device.run()
    assert status == 0 and "healed" in run.codes(), run.text()
    assert device.state() == "confirmed" and device.main_digest() == before
    assert device.power_on() == "main"


def lose_everything(device):
    for name in ("env0", "env1", "state"):
        device.write(name, garbage(device.regions[name][1]))


def test_server_that_was_built_in_knows_when_everything_is_lost(make_device, serving, images):
    device = make_device(urls=[serving[2]])
    around = device.guarded(images[2])
    lose_everything(device)
    status, run = device.run()
    assert status == 0, run.text()
    why = next(e["text"] for e in run.events if e.get("code") == "main-unknown")
    assert why.endswith("no confirmed release is on record")
    check_installed(device, images[2], around)
    assert "the state region was lost" in device.result()["text"]


def test_server_that_was_built_in_is_not_asked_for_what_failed_here(make_device, server, serving,
                                                                   packed, images):
    """No remedy is on record; the built-in server has the release that failed its trial."""
    device = make_device(urls=[server.url("any.lbu")])
    server.put("any.lbu", packed[2])
    install(device, serving[2])
    around = device.guarded(images[3])
    device.put_env(bootcount="3")
    run = device.start()
    run.wait_for_code("trial-failed")
    time.sleep(1)
    assert run.running() and device.state() == "rescue"
    server.put("any.lbu", packed[3])
    assert run.wait() == 0, run.text()
    check_installed(device, images[3], around, release=3)


def test_server_that_was_built_in_comes_after_those_on_record(make_device, server, serving, packed,
                                                              images):
    device = make_device(urls=[server.url("any.lbu")], url_s=1)
    server.put("any.lbu", packed[3])
    install(device, serving[1])
    confirm(device)
    around = device.guarded(images[1])
    device.write("boot", garbage(4096))
    status, run = device.run(reason="main-invalid")
    assert status == 0, run.text()
    check_installed(device, images[1], around, release=1)
    confirm(device)
    device.write("boot", garbage(4096))
    server.put("r1.lbu", b"no bundle any more")
    status, run = device.run(reason="main-invalid")
    assert status == 0 and device.holds(images[3]), run.text()


def test_many_mirrors_on_record_leave_room_for_the_server_that_was_built_in(make_device, server,
                                                                            serving, packed, images):
    """Two releases with four places each, all of them gone."""
    device = make_device(urls=[server.url("any.lbu")], url_s=1)
    server.put("any.lbu", packed[3])
    for n in (1, 2):
        install(device, serving[n])
        confirm(device)
    around = device.guarded(images[3])
    gone = {n: release_record(bundles.split(packed[n].read_bytes()), n,
                              [server.url(f"gone-{n}-{i}.lbu") for i in range(4)])
            for n in (1, 2)}
    device.put_records(STATE=device.record(STATE), CONFIRMED=gone[2], PREVIOUS=gone[1])
    device.write("boot", garbage(4096))
    status, run = device.run(reason="main-invalid")
    assert status == 0, run.text()
    check_installed(device, images[3], around, release=3)


def test_update_from_a_stick_that_is_gone_is_finished_from_a_known_place(on_release_1, packed,
                                                                        images):
    """A person began to write the confirmed release again: its URL has the same manifest."""
    device = on_release_1
    around = device.guarded(images[1])
    digest = bundles.sha(bundles.split(packed[1].read_bytes())[0][1])
    device.put_records(STATE={"state": "updating", "release": 1, "manifest": digest},
                       CONFIRMED=device.records()[CONFIRMED])
    device.put_env(lifeboat_boot="recovery")
    device.write("root", garbage(100_000), at=MIB)
    status, run = device.run()
    assert status == 0, run.text()
    check_installed(device, images[1], around, release=1)


def test_stick_is_taken_while_the_only_server_is_waited_for(make_device, make_server, tmp_path,
                                                           packed, images):
    """Main is half written and nobody answers: what a person inserts by then is found."""
    stick = tmp_path / "stick"
    server = make_server().start()
    server.put("r2.lbu", packed[2])
    device = make_device(media=[str(stick)], url_s=1)
    install(device, server.url("r2.lbu"))
    confirm(device)
    around = device.guarded(images[2])
    device.write("root", garbage(100_000), at=MIB)
    server.stop()
    run = device.start(reason="main-invalid")
    run.wait_for_code("source-interrupted")
    assert run.running() and device.power_on() != "main"
    stick.mkdir()
    (stick / "r2.lbu").write_bytes(packed[2].read_bytes())
    assert run.wait() == 0, run.text()
    check_installed(device, images[2], around)


def test_stick_that_is_refused_does_not_end_the_waiting_for_a_server(make_device, make_server, tmp_path,
                                                                    packed, images):
    """Before the first write: the time limit alone gives main back."""
    stick = tmp_path / "stick"
    server = make_server().start()
    server.put("r2.lbu", packed[2])
    device = make_device(media=[str(stick)], url_s=1, give_up_s=600)
    server.stop()
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for_code("source-interrupted")
    stick.mkdir()
    (stick / "foreign.lbu").write_bytes(bundles.write(images[3], bundles.Key.new(), 3))
    run.wait_for_code("signature-invalid")
    time.sleep(0.5)
    assert run.running(), run.text()
    server.start()
    assert run.wait() == 0, run.text()
    assert device.holds(images[2])


def test_known_place_of_another_release_does_not_finish_what_was_begun(on_release_1, packed):
    device = on_release_1
    digest = bundles.sha(bundles.split(packed[2].read_bytes())[0][1])
    device.put_records(STATE={"state": "updating", "release": 2, "manifest": digest},
                       CONFIRMED=device.records()[CONFIRMED])
    device.put_env(lifeboat_boot="recovery")
    run = device.start()
    run.wait_for_code("source-unreachable")
    time.sleep(0.5)
    assert run.running() and "source" not in run.codes() and device.state() == "updating"
    run.kill()


def test_records_of_unknown_types_are_kept(device, packed):
    """An older recovery must not lose what a newer one wrote."""
    device.write("state", log_encode({STATE: b'{"state":"confirmed"}', 77: b"from the future"}))
    install(device, packed[2])
    assert device.records()[77] == b"from the future"


def test_second_program_on_the_same_device_is_refused(device, make_server, packed):
    server = make_server().start("limit_rate 1m;")
    server.put("r2.lbu", packed[2])
    first = device.start("--install", server.url("r2.lbu"))
    first.wait_for(is_writing)
    status, second = device.run()
    assert status == 1 and "busy" in second.codes(), second.text()
    assert first.running()
    first.kill()


# ---- hand over, wait, return ----------------------------------------------------------


def test_trial_whose_flag_was_not_returned_is_handed_over(on_trial, images):
    device = on_trial
    around = device.guarded(images[2])
    device.put_env(lifeboat_boot="recovery")
    status, run = device.run()
    assert status == 0 and "handover" in run.codes(), run.text()
    check_installed(device, images[2], around)


def test_requested_without_a_request_heals(on_release_1):
    device = on_release_1
    before = device.main_digest()
    device.put_env(lifeboat_boot="recovery")
    status, run = device.run()
    assert status == 0, run.text()
    assert device.power_on() == "main" and device.main_digest() == before


def test_person_who_asked_for_recovery_gets_main_back_after_idle_s(make_device, serving):
    device = make_device(idle_s=1)
    install(device, serving[1])
    confirm(device)
    before = device.main_digest()
    device.put_env(lifeboat_boot="manual")
    assert device.power_on() == "manual"
    status, run = device.run()
    assert "waiting" in run.codes() and "healed" not in run.codes()
    assert status == 3 and device.power_on() == "main", run.text()
    assert device.state() == "confirmed" and device.main_digest() == before


def test_person_who_asked_is_not_sent_to_a_main_that_nobody_knows(make_device, serving):
    """The state was lost meanwhile: main is started after idle_s only if it is whole."""
    device = make_device(idle_s=1)
    install(device, serving[1])
    confirm(device)
    confirmed = device.records()[CONFIRMED]
    device.put_env(lifeboat_boot="manual")
    device.put_records(STATE=b"junk", CONFIRMED=confirmed)
    assert device.run()[0] == 3 and device.power_on() == "main"

    device.put_env(lifeboat_boot="manual")
    device.write("state", garbage(STATE_BYTES))
    run = device.start()
    run.wait_for_code("waiting")
    time.sleep(3)
    assert run.running() and device.power_on() == "manual"
    run.kill()


def test_cut_at_any_write_keeps_the_wish_of_a_person_with_a_stick(make_device, tmp_path, keys):
    """Until main is finished a start after the cut goes on with it, or waits for a person."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    content = {"boot": garbage(50_000, 1), "root": garbage(150_000, 2)}
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "r2.lbu").write_bytes(bundles.write(content, keys, 2))
    device = make_device(media=[str(tmp_path / "stick")])
    device.put_env(lifeboat_boot="manual")
    device.save_config()
    device.cmdline.write_text("quiet lifeboat.reason=manual\n")
    fresh, number = device.disk.read_bytes(), 0
    while True:
        number += 1
        device.disk.write_bytes(fresh)
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e",
             f"inject=pwrite64:signal=SIGKILL:when={number}", device.program, "--config",
             device.config, "--quiet"], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode == 0:
            break
        why, state = device.power_on(), device.state()
        if why == "main":
            assert device.holds(content) and state == "trial", f"write {number}: {state}"
        else:
            assert why == "manual" or state in ("updating", "trial"), f"write {number}: {why}, {state}"
    assert number > 5 and device.holds(content)


def test_hostile_environment_changes_nothing(on_release_1, serving, images):
    """Valid CRC, absurd content: variables that are not ours are carried over, not used."""
    device = on_release_1
    around = device.guarded(images[2])
    device.put_env(bootcmd="run evil", lifeboat_slot="c", bootcount="fffffff",
                   lifeboat_rtries="-1", bootargs="init=/bin/sh", lifeboat_boot="recovery; reset")
    install(device, serving[2])
    check_installed(device, images[2], around)


def test_healed_device_ends_with_status_0_whatever_its_last_result_was(on_release_1, server):
    device = on_release_1
    assert device.run("--install", server.url("missing"))[0] == 3
    device.put_env(lifeboat_boot="lost")
    status, run = device.run()
    assert "healed" in run.codes() and status == 0, run.text()


# ---- command line ------------------------------------------------------------------


@pytest.mark.parametrize("args", [[], ["--config"], ["--config", "x", "--reason", "boredom"],
                                  ["--no-such-option"], ["--config", "x", "surplus"]])
def test_wrong_command_line_is_status_2(programs, args):
    done = subprocess.run([programs["recovery"], *args], capture_output=True, timeout=60,
                          check=False)
    assert done.returncode == 2


@pytest.mark.parametrize("text,says", [
    ("{", "malformed"), ('{"product": "bench"}', "state: is missing"),
    ('{"product": "bench", "statte": "/x"}', "statte: is not known")])
def test_wrong_configuration_is_status_1_and_names_the_field(programs, tmp_path, text, says):
    config = tmp_path / "recovery.json"
    config.write_text(text)
    done = subprocess.run([programs["recovery"], "--config", config], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 1 and says in done.stdout + done.stderr


def test_misspelt_setting_is_refused(device):
    device.settings["recovery"]["giveup_s"] = 3
    status, run = device.run()
    assert status == 1 and "giveup_s" in run.text()


def test_version_and_help(programs):
    for option, says in (("--version", "lifeboat-recovery "), ("--help", "--config FILE")):
        done = subprocess.run([programs["recovery"], option], capture_output=True, text=True,
                              timeout=60, check=True)
        assert says in done.stdout
