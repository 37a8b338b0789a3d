# SPDX-License-Identifier: GPL-2.0-or-later
"""Command line, configuration, status, confirm and reboot-recovery."""

import re
import subprocess

import bundles
import pytest
from conftest import AGENT, make_bundle
from device import INSTALLED, MIB, RESULT, release_record, env_encode

RESULT_2 = {"code": "ok", "text": "release 2 is installed and verified", "deployment": "d-7",
            "release": 2, "main_changed": True, "fetched_bytes": 1000, "written_bytes": 2000,
            "skipped_bytes": 3000, "copied_bytes": 1500, "ranges": 3, "seconds": 42, "fetch_rate": 11,
            "write_rate": 12, "power_cycles": 1, "plan_ms": 4, "plan_cpu_ms": 5,
            "install_ms": 6, "install_cpu_ms": 7, "readback_ms": 8, "readback_cpu_ms": 9, "time": 1700000500}


def put_trial(main, key, urls=("https://example.invalid/2.lbu",), **more):
    """Recovery has installed release 2, which runs for the first time."""
    bundle = make_bundle(key, 2, min_release=2)
    main.put_records(STATE={"state": "trial", "release": 2},
                     INSTALLED=release_record(bundles.split(bundle), 2, urls), **more)
    main.put_env(lifeboat_boot="main", upgrade_available="1", bootcount="1")
    main.set_release(2)


def test_links_no_update_engine():
    symbols = subprocess.run(["nm", AGENT], check=True, capture_output=True, text=True).stdout
    assert " lb_handover_stage" in symbols
    assert not re.findall(r" (?:lb_(?:plan|apply|update|readback|install)_\w+)", symbols)
    assert "lb_blk_write" in symbols  # state log and environment; slots are opened read-only


def test_help_and_usage(main):
    assert main.text("--help")[0] == 0
    for wrong in (["nonsense"], [], ["status", "extra"], ["status", "--budget", "1"],
                  ["install", "--budget", "x"], ["--no-such-option"],
                  ["confirm", "--log"], ["install", "a", "b", "c", "d", "e"]):
        code, out = main.text(*wrong)
        assert code == 2 and not out and "--help" in main.stderr, wrong


@pytest.mark.parametrize("change,field", [
    (lambda s, a: s.pop("product"), "product: is missing"),
    (lambda s, a: s.update(product="Not A Name"), "product"),
    (lambda s, a: s.update(nonsense=1), "nonsense: is not known"),
    (lambda s, a: s.update(state={"offset": 1}), "state.path: is missing"),
    (lambda s, a: s.update(state={"path": "/x", "size": -1}), "state.size"),
    (lambda s, a: s.update(state="relative"), "state"),
    (lambda s, a: s.update(environment=[]), "environment"),
    (lambda s, a: s.update(slots={"ro/ot": "/x"}), "slots.ro/ot"),
    (lambda s, a: s.update(slots={"root": {"path": "/x", "ofset": 1}}), "slots.root.ofset"),
    (lambda s, a: s.update(keys=[]), "keys"),
    (lambda s, a: a.update(intervall=1), "agent.intervall: is not known"),
    (lambda s, a: a.update(interval=0), "agent.interval: is not between 1 and"),
    (lambda s, a: a.update(auto_install="yes"), "agent.auto_install"),
    (lambda s, a: a.update(reboot="reboot now"), "agent.reboot"),
    (lambda s, a: a.update(state_dir="x"), "agent.state_dir: is no absolute path"),
    (lambda s, a: a.update(recovery_dir=""), "agent.recovery_dir: is missing"),
    (lambda s, a: a.update(serial="SN 1"), "agent.serial: holds something else"),
    (lambda s, a: a.update(recovery_requests=1), "agent.recovery_requests"),
])
def test_a_wrong_setting_is_named(main, change, field):
    change(main.settings, main.agent_settings)
    code, answer = main.agent("status")
    assert code == 1 and answer["code"] == "malformed", answer
    assert str(main.agent_config)[-90:] in answer["text"] and field in answer["text"]


def test_configuration_that_cannot_be_read(main):
    main.save()
    for path, code in (("/nonexistent.json", "not-found"), ("/", "io-error")):
        p = subprocess.run([AGENT, "status", "--json", "--config", path], text=True,
                           capture_output=True, check=False)
        assert p.returncode == 1 and code in p.stdout and path in p.stdout


def test_remarks_and_hardware_by_key_folder(main, tmp_path, key_file):
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "a.pem").write_bytes(key_file.read_bytes())
    (folder / "README").write_text("not a key")
    main.settings.update(keys=str(folder), _remark="names with an underscore are remarks")
    assert main.status()["running"] == {"release": 1, "version": "1.0.0"}


def test_status_of_a_device_that_never_was_updated(main):
    main.put_records()
    before = main.fingerprint()
    s = main.status()
    assert s["state"] == "confirmed" and s["trial"] is False and s["floor"] == 0
    assert s["boot"] == {"next": "main", "trial": False, "count": 0, "recovery_slot": "a",
                         "recovery_count": 0, "environment_lost": False}
    for absent in ("request", "confirmed", "previous", "result", "last_check", "last_install",
                   "health", "backoff"):
        assert s[absent] is None, absent
    assert s["daemon"] == {"running": False, "activity": "", "next_check": None}
    assert main.fingerprint() == before


def test_status_shows_the_last_result_and_the_log(main, key):
    put_trial(main, key, RESULT=RESULT_2, LOG=b"recovery: planned\nrecovery: done\n")
    s = main.agent("status", "--log")[1]
    assert s["result"] == RESULT_2
    assert s["state"] == "trial" and s["trial"] and s["boot"]["trial"] and s["boot"]["count"] == 1
    assert s["log"] == "recovery: planned\nrecovery: done\n"
    code, out = main.text("status", "--log")
    assert code == 0
    for part in ("release       2 (2.0.0)", "trial", "release 2 is installed and verified (ok)",
                 "fetched 1000 bytes, wrote 2000 (copied 1500 of it), skipped 3000, 42 s, 1 power cycles",
                 "recovery: done"):
        assert part in out, out


def test_status_only_reads_a_broken_state_region_and_environment(main):
    main.write("state", bytes(MIB))
    main.write("env0", bytes(64))
    main.write("env1", bytes(64))
    before = main.fingerprint()
    s = main.status()
    assert s["state_lost"] and s["boot"]["environment_lost"] and s["boot"]["next"] == "lost"
    assert main.fingerprint() == before


def test_confirm_ends_the_trial(main, key):
    put_trial(main, key, RESULT=RESULT_2)
    code, answer = main.agent("confirm")
    assert code == 0 and answer["was_trial"] and answer["text"] == "release 2 is confirmed"
    s = main.status()
    assert s["state"] == "confirmed" and s["floor"] == 2
    assert s["confirmed"] == {"release": 2, "urls": ["https://example.invalid/2.lbu"]}
    assert main.env()["upgrade_available"] == "0" and main.env()["bootcount"] == "0"
    before = main.fingerprint()
    code, answer = main.agent("confirm")
    assert code == 0 and not answer["was_trial"]
    assert main.fingerprint() == before, "confirming again wears the medium"


def test_confirm_clears_the_boot_count(main):
    main.put_env(bootcount="2")
    assert main.agent("confirm")[0] == 0
    assert main.env()["bootcount"] == "0"


@pytest.mark.parametrize("state", ["requested", "updating", "rescue"])
def test_confirm_is_refused_where_main_is_not_on_trial(main, state):
    main.put_records(STATE={"state": state, "release": 2})
    before = main.fingerprint()
    code, answer = main.agent("confirm")
    assert code == 1 and answer["code"] == "invalid-argument" and not answer["ok"]
    assert main.fingerprint() == before


def test_reboot_recovery(main):
    code, _ = main.agent("reboot-recovery")
    assert code == 0 and main.reboots() == 1
    assert main.power_on() != "main" and main.state() == "confirmed"
    s = main.status()
    assert s["request"] is None or s["request"]["recovery_only"]


def test_reboot_recovery_without_rebooting(main):
    assert main.agent("reboot-recovery", "--no-reboot")[0] == 0
    assert main.reboots() == 0 and main.power_on() != "main"


def test_a_reboot_that_fails_is_reported(main):
    main.agent_settings["reboot"] = ["/bin/sh", "-c", "echo no power; exit 4"]
    code, answer = main.agent("reboot-recovery")
    assert code == 1 and answer["code"] == "io-error" and "no power" in answer["text"]


def test_release_file(main):
    for text, code in (("version=1\n", "not-found"), ("release=two\n", "malformed"),
                       ("release=0\n", "malformed")):
        main.release_file.write_text(text)
        assert main.agent("status")[1]["code"] == code
    main.release_file.write_text("RELEASE='7'\nVERSION=\"7.1 final\"\n")
    assert main.status()["running"] == {"release": 7, "version": "7.1 final"}


def test_a_key_that_is_none(main, tmp_path):
    bad = tmp_path / "bad.pem"
    bad.write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    main.settings["keys"] = [str(bad)]
    code, answer = main.agent("status")
    assert code == 1 and answer["code"] == "malformed" and "bad.pem" in answer["text"]
