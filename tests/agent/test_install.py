# SPDX-License-Identifier: GPL-2.0-or-later
"""check and install: what is staged, and everything that is refused before it."""

import hashlib
import json
import shutil
import time

import bundles
import pytest
from conftest import HARDWARE, channel_file, entry, make_bundle
from device import CONFIRMED, MIB, NETWORK, REQUEST, release_record
from server import Authority, Server


DAY = 86400


def digest(bundle):
    offset, size = bundles.places(bundle)["manifest.json"]
    return hashlib.sha256(bundle[offset:offset + size]).hexdigest()


def refused(main, code, *args):
    """install fails with @code, changes nothing, and status tells the same."""
    before = main.fingerprint()
    status, answer = main.agent("install", *args)
    assert (status, answer["code"]) == (1, code), answer
    assert not answer["ok"] and answer["text"]
    assert main.fingerprint() == before, "a refused bundle changed the device"
    assert main.reboots() == 0
    last = main.status()["last_install"]
    assert last["code"] == code and last["text"] == answer["text"]
    return answer


# ---- check -----------------------------------------------------------------


def test_check_finds_a_newer_release_and_stages_nothing(main, shop):
    shop.offer(1, 2)
    before = main.fingerprint()
    status, answer = main.agent("check")
    assert status == 0
    assert answer["available"]["release"] == 2 and answer["available"]["version"] == "2.0"
    assert answer["available"]["manifest"] == digest(shop.bundles[2])
    assert main.fingerprint() == before
    last = main.status()["last_check"]
    assert last["code"] == "ok" and last["release"] == 2


@pytest.mark.parametrize("running", [2, 3])
def test_check_with_nothing_newer(main, shop, running):
    shop.offer(1, 2)
    main.set_release(running)
    status, answer = main.agent("check")
    assert status == 3 and answer["ok"] and answer["available"] is None
    assert main.agent("install")[0] == 3


def test_check_skips_releases_for_other_hardware(main, shop, key):
    shop.put(3, make_bundle(key, 3, hardware=("bench,other",)))
    shop.offer(1, 2, 3)
    assert main.agent("check")[1]["available"]["release"] == 2


def test_an_unchanged_channel_is_not_sent_again(main, shop):
    shop.offer(1, 2)
    first, second = main.agent("check"), main.agent("check")
    assert shop.asked("channel.lbc", ended=True) == [200, 304]
    assert first == second
    (main.data / "lifeboat" / "channel.lbc").unlink()
    assert main.agent("check") == first
    assert shop.asked("channel.lbc", ended=True) == [200, 304, 200]
    shop.offer(1, 2, 3)
    assert main.agent("check")[1]["available"]["release"] == 3


def test_a_garbled_copy_of_the_channel_is_fetched_again(main, shop):
    shop.offer(1, 2)
    main.agent("check")
    copy = main.data / "lifeboat" / "channel.lbc"
    copy.write_bytes(bundles.flip(copy.read_bytes(), "channel.json"))
    assert main.agent("check")[0] == 0
    assert shop.asked("channel.lbc", ended=True) == [200, 200]


def test_a_broken_data_partition_does_not_keep_updates_away(main, shop, tmp_path):
    shop.offer(1, 2)
    (tmp_path / "file").touch()
    main.agent_settings["state_dir"] = str(tmp_path / "file" / "lifeboat")
    assert main.agent("install")[0] == 0
    assert "would not be noticed" in main.stderr and main.state() == "requested"


def test_a_channel_that_goes_back_is_refused(main, shop):
    shop.offer(1, 2, sequence=7)
    assert main.agent("check")[0] == 0
    shop.offer(1, sequence=6)
    status, answer = main.agent("check")
    assert (status, answer["code"]) == (1, "channel-rollback") and "7" in answer["text"]
    assert main.status()["last_check"]["code"] == "channel-rollback"
    refused(main, "channel-rollback")
    shop.offer(1, 2, sequence=7)
    assert main.agent("check")[0] == 0


def test_another_channel_has_its_own_sequence(main, shop, server):
    shop.offer(1, 2, sequence=7)
    main.agent("check")
    server.put("beta.lbc", channel_file(shop.key, [entry(shop.bundles[2], "2.lbu")], sequence=1))
    main.agent_settings["channel"] = server.url("beta.lbc")
    assert main.agent("check")[0] == 0


@pytest.mark.parametrize("at", range(0, 100, 9))
def test_any_flipped_bit_of_the_channel_is_refused(main, shop, server, at):
    shop.offer(1, 2)
    good = (server.www / "channel.lbc").read_bytes()
    size = bundles.places(good)["channel.json"][1]
    server.put("channel.lbc", bundles.flip(good, "channel.json", at * size // 100))
    assert main.agent("check")[1]["code"] == "signature-invalid"


def test_a_channel_signed_by_a_stranger_or_for_another_product(main, shop, server, stranger):
    lines = shop.offer(1, 2)
    server.put("channel.lbc", channel_file(stranger, lines))
    assert main.agent("check")[1]["code"] == "signature-invalid"
    server.put("channel.lbc", channel_file(shop.key, lines, product="other"))
    assert main.agent("check")[1]["code"] == "wrong-product"
    server.put("channel.lbc", b"<html>a login page</html>" * 100)
    assert main.agent("check")[1]["code"] == "malformed"


def test_no_channel(main):
    main.agent_settings["channel"] = ""
    assert main.agent("check")[1]["code"] == "invalid-argument"


# ---- install: what is staged -----------------------------------------------


def assert_staged(main, shop, release=2):
    assert main.state() == "requested" and main.power_on() == "requested"
    request = main.status()["request"]
    assert request["release"] == release and request["urls"] == [shop.url(release)]
    assert main.record(REQUEST)["manifest"] == digest(shop.bundles[release])


def test_install_the_newest(main, shop, authority):
    shop.offer(1, 2)
    status, answer = main.agent("install")
    assert status == 0 and answer["release"] == 2, answer
    assert_staged(main, shop)
    assert main.reboots() == 1
    assert main.record(NETWORK)["ca_pem" if "ca_pem" in main.record(NETWORK) else "ca"] \
        == authority.ca_file.read_text()
    assert main.status()["last_install"]["code"] == "ok"


def test_install_notes_the_remedy_of_a_factory_device(main, shop):
    shop.offer(1, 2)
    assert main.status()["confirmed"] is None
    assert main.agent("install", shop.url(2))[0] == 0
    assert main.status()["confirmed"] == {"release": 1, "urls": [shop.url(1)]}
    assert bundles.split(shop.bundles[1])[0][1] in main.records()[CONFIRMED]


def test_install_a_url_with_budget_deployment_and_no_reboot(main, shop):
    shop.offer(1)
    shop.put(5, make_bundle(shop.key, 5))
    status, _ = main.agent("install", shop.url(5), "--budget", "4096", "--deployment", "d-1",
                           "--no-reboot")
    assert status == 0 and main.reboots() == 0
    assert_staged(main, shop, 5)
    request = main.status()["request"]
    assert request["budget_bytes"] == 4096 and request["deployment"] == "d-1"


def test_install_several_sources_of_the_same_bundle(main, shop, server):
    shop.offer(1, 2)
    dead = server.url("2.lbu").replace(str(server.https_port), "1")
    status, _ = main.agent("install", shop.url(2), dead, server.url("2.lbu", "http"))
    assert status == 0
    assert main.status()["request"]["urls"] == [shop.url(2), dead, server.url("2.lbu", "http")]


def test_install_a_file_as_recovery_will_find_it(main, shop):
    shop.offer(1)
    bundle = make_bundle(shop.key, 2)
    (main.data / "sub").mkdir()
    path = main.data / "sub" / "two.lbu"
    path.write_bytes(bundle)
    assert main.agent("install", path)[0] == 0
    assert main.status()["request"]["urls"] == ["file:///media/data/sub/two.lbu"]
    assert main.record(REQUEST)["manifest"] == digest(bundle)


def test_install_from_a_folder(main, shop, key):
    """The newest of a medium's bundles; what a person named replaces what was staged before."""
    shop.offer(1)
    medium = main.data / "medium"
    (medium / "lifeboat").mkdir(parents=True)
    assert main.agent("install", medium)[1]["code"] == "not-found"
    (medium / "r2.lbu").write_bytes(make_bundle(key, 2))
    (medium / "lifeboat" / "a b.lbu").write_bytes(make_bundle(key, 4))  # a request has no spaces
    status, answer = main.agent("install", medium)
    assert status == 0 and answer["release"] == 2
    assert "a b.lbu" in main.stderr and "(invalid-argument)" in main.stderr
    assert main.status()["request"]["urls"] == ["file:///media/data/medium/r2.lbu"]
    (medium / "lifeboat" / "r3.LBU").write_bytes(make_bundle(key, 3))
    assert main.agent("install", medium, "--once")[1]["code"] == "busy"
    assert main.agent("install", medium)[0] == 0
    assert main.status()["request"]["urls"] == ["file:///media/data/medium/lifeboat/r3.LBU"]


def test_a_folder_with_nothing_newer(main, shop, key):
    shop.offer(5)
    main.set_release(5)
    medium = main.data / "medium"
    medium.mkdir()
    (medium / "r4.lbu").write_bytes(make_bundle(key, 4))
    status, answer = main.agent("install", medium)
    assert status == 3 and answer["text"] == "nothing newer than release 5" and main.power_on() == "main"
    assert main.agent("install", medium, "--allow-older")[0] == 0
    assert main.status()["request"]["release"] == 4


def test_a_folder_of_which_nothing_can_be_installed(main, shop, stranger, tmp_path):
    medium = main.data / "medium"
    medium.mkdir()
    for name in ("r2.lbu", "r3.lbu"):
        (medium / name).write_bytes(make_bundle(stranger, 2))
    assert main.agent("install", medium)[1]["code"] == "signature-invalid"
    assert main.agent("install", medium, "--once")[1]["code"] == "signature-invalid"
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(medium / "r2.lbu", tmp_path / "elsewhere")
    status, answer = main.agent("install", tmp_path / "elsewhere")
    assert status == 1 and "does not lie below" in answer["text"]
    assert main.agent("install", "https://127.0.0.1:1/r2.lbu", "--once")[1]["code"] == "invalid-argument"
    assert main.agent("install", "--once")[1]["code"] == "invalid-argument"


def test_a_folder_full_of_bundles(main, shop, key):
    """As many as recovery would look at."""
    shop.offer(1)
    medium = main.data / "medium"
    medium.mkdir()
    bundle = make_bundle(key, 2)
    for i in range(35):
        (medium / f"{i}.lbu").write_bytes(bundle)
    assert main.agent("install", medium)[0] == 0
    assert "3 more bundles are passed over: 32 are looked at" in main.stderr
    assert main.stderr.count("holds release 2") == 32


def test_a_remedy_in_a_file_is_found_again(main, key):
    """Release 1 came from a file that still lies there: no channel is needed."""
    one = make_bundle(key, 1)
    (main.data / "one.lbu").write_bytes(one)
    (main.data / "two.lbu").write_bytes(make_bundle(key, 2))
    main.agent_settings["channel"] = ""
    main.put_records(CONFIRMED=release_record(bundles.split(one), 1,
                                              ["file:///media/data/one.lbu"]))
    assert main.agent("install", f"file://{main.data}/two.lbu", "--no-reboot")[0] == 0
    main.put_records(CONFIRMED=release_record(bundles.split(one), 1,
                                              ["file:///media/stick/one.lbu"]))
    refused(main, "remedy-unavailable", main.data / "two.lbu")


def test_a_server_without_ranges_will_do(main, shop, server):
    shop.offer(1, 2)
    shop.serve("max_ranges 0;")
    assert main.agent("install")[0] == 0
    assert "ranges" in main.stderr


def test_the_token_goes_to_the_channels_server_only(main, shop, server, authority, tmp_path):
    token = tmp_path / "token"
    token.write_text("Authorization: Bearer s3cret\n")
    main.agent_settings["header_file"] = str(token)
    shop.offer(1, 2)
    shop.serve('if ($http_authorization != "Bearer s3cret") { return 403; }')
    assert main.agent("install", "--no-reboot")[0] == 0
    assert main.record(REQUEST)["header"] == "Authorization: Bearer s3cret"
    other = Server(tmp_path / "other", authority).start(
        'if ($http_authorization) { return 418; }')
    try:
        other.put("2.lbu", shop.bundles[2])
        assert main.agent("install", other.url("2.lbu"), "--no-reboot")[0] == 0
    finally:
        other.stop()
    assert not main.record(REQUEST).get("header")
    main.agent_settings["header_file"] = ""
    assert main.agent("check")[1]["code"] == "source-refused"


def test_a_certificate_that_is_not_yet_valid_is_accepted(main, shop, tmp_path, authority):
    with_future = Server(tmp_path / "future", authority,
                         authority.issue("future", from_days=2)).start()
    try:
        shop.offer(1)
        with_future.put("2.lbu", make_bundle(shop.key, 2))
        assert main.agent("install", with_future.url("2.lbu"))[0] == 0
    finally:
        with_future.stop()


def test_a_request_may_be_replaced_before_the_reboot(main, shop):
    shop.offer(1, 2, 3)
    assert main.agent("install", shop.url(2), "--no-reboot")[0] == 0
    assert main.agent("install", shop.url(3), "--no-reboot")[0] == 0
    assert_staged(main, shop, 3)


# ---- install: what is refused ----------------------------------------------


def test_wrong_key(main, shop, stranger):
    shop.offer(1)
    shop.put(2, make_bundle(stranger, 2))
    refused(main, "signature-invalid", shop.url(2))


@pytest.mark.parametrize("at", range(0, 100, 7))
def test_any_flipped_bit_of_the_manifest(main, shop, at):
    shop.offer(1)
    good = make_bundle(shop.key, 2)
    size = bundles.places(good)["manifest.json"][1]
    shop.put(2, bundles.flip(good, "manifest.json", at * size // 100))
    refused(main, "signature-invalid", shop.url(2))


def test_a_flipped_bit_of_the_signature(main, shop):
    shop.offer(1)
    shop.put(2, bundles.flip(make_bundle(shop.key, 2), "manifest.sig"))
    refused(main, "signature-invalid", shop.url(2))


def test_truncated_bundles(main, shop):
    shop.offer(1)
    good = make_bundle(shop.key, 2)
    places = bundles.places(good)
    root = places["root.zst"]
    for length in (700, places["boot.idx"][0] + 8, root[0], root[0] + root[1] - 1):
        shop.put(2, good[:length])
        refused(main, "truncated", shop.url(2))
    path = main.data / "2.lbu"
    path.write_bytes(good[:-2000])
    refused(main, "truncated", path)


@pytest.mark.parametrize("code,more", [
    ("wrong-product", {"product": "other"}),
    ("wrong-hardware", {"hardware": ("bench,other",)}),
    ("image-too-large", {"images": {"root": b"x" * (MIB + 1)}}),
    ("slot-missing", {"images": {"modem": b"x"}}),
    ("unknown-critical-field", {"critical": ["rollout"], "rollout": 1}),
    ("unknown-critical-field", {"format": 2}),
    ("unsupported", {"kinds": {"root": "ubi"}}),
])
def test_bundles_that_do_not_fit(main, shop, code, more):
    shop.offer(1)
    shop.put(2, make_bundle(shop.key, 2, **more))
    refused(main, code, shop.url(2))


def test_unknown_field_that_is_not_critical(main, shop):
    shop.offer(1)
    shop.put(2, make_bundle(shop.key, 2, rollout=1))
    assert main.agent("install", shop.url(2))[0] == 0


def test_recovery_that_is_too_old(main, shop):
    shop.offer(1)
    shop.put(2, make_bundle(shop.key, 2, min_recovery=5))
    main.agent_settings["recovery_release"] = 4
    refused(main, "unknown-critical-field", shop.url(2))
    main.agent_settings["recovery_release"] = 5
    assert main.agent("install", shop.url(2))[0] == 0


def test_read_only_and_vanished_slots(main, shop, tmp_path):
    shop.offer(1, 2)
    slot = tmp_path / "root.img"
    main.settings["slots"]["root"] = str(slot)
    refused(main, "slot-missing")
    slot.write_bytes(bytes(MIB))
    slot.chmod(0o444)
    refused(main, "slot-read-only")
    slot.chmod(0o644)
    assert main.agent("install")[0] == 0
    assert slot.read_bytes() == bytes(MIB)


@pytest.mark.parametrize("floor", [None, b"junk", b'{"release":0}'])
def test_the_floor_survives_its_record(main, shop, key, floor):
    """Deleted or spoiled: the signed manifest of the confirmed release says the same."""
    shop.offer(2, 3)
    shop.put(3, make_bundle(key, 3, min_release=3))
    main.set_release(3)
    main.put_records(STATE={"state": "confirmed"}, CLOCK=b"junk", **({"FLOOR": floor} if floor else {}),
                     CONFIRMED=release_record(bundles.split(shop.bundles[3]), 3, [shop.url(3)]))
    assert main.status()["floor"] == 3
    refused(main, "below-floor", shop.url(2), "--allow-older")


def test_records_of_floor_and_clock_that_make_no_sense_do_not_keep_updates_away(main, shop):
    shop.offer(1, 2)
    main.put_records(STATE={"state": "confirmed"}, FLOOR=b"junk", CLOCK=b"junk")
    assert main.status()["floor"] == 0
    assert main.agent("install")[0] == 0
    assert_staged(main, shop, 2)


def test_tokens_in_urls_reach_recovery_but_no_message(main, shop, server):
    """User name, password and query: in the request record, nowhere else."""
    shop.offer(1, 2)
    place = shop.url(2).replace("https://", "https://user:SECRET1@")
    urls = [place + "?token=SECRET2", shop.url(2) + "?token=SECRET2#SECRET3"]
    main.agent_settings["channel"] = shop.url("channel").replace("channel.lbu",
                                                                 "channel.lbc?key=SECRET2")
    said = ""
    for args in (["install", *urls, "-v"], ["status", "--json"], ["status", "--log"],
                 ["install", urls[0], place + "/gone?SECRET2", "-v"],
                 ["install", place + "/gone?SECRET2", "--json"],
                 ["install", "ftp" + urls[0][5:]], ["install", urls[0] + " SECRET2"],
                 ["install", "https://u:SECRET1@127.0.0.1:1/x?SECRET2", "-v"]):
        p = main.popen(*args)
        out, log = p.communicate(timeout=60)
        said += out + log
        if args[0] == "install" and args[1:] == [*urls, "-v"]:
            assert p.returncode == 0 and main.record(REQUEST)["urls"] == urls
    assert "SECRET" not in said, said
    assert shop.url(2).removeprefix("https://") in said, "what is shown still tells the place"
    assert b"SECRET" not in b"".join(f.read_bytes() for f in main.run_dir.iterdir())


@pytest.mark.parametrize("where", ["record", "configuration"])
def test_below_the_floor_there_is_no_exception(main, shop, where):
    shop.offer(1, 2, 3)
    main.set_release(3)
    if where == "record":
        main.put_records(STATE={"state": "confirmed"}, FLOOR={"release": 2})
    else:
        main.settings["floor"] = 2
    refused(main, "below-floor", shop.url(1), "--allow-older")
    refused(main, "below-floor", shop.url(1))
    refused(main, "not-newer", shop.url(2))
    refused(main, "not-newer", shop.url(3))
    assert main.agent("install", shop.url(2), "--allow-older")[0] == 0
    assert_staged(main, shop, 2)


def test_wrong_or_expired_certificates(main, shop, tmp_path, authority):
    shop.offer(1)
    expired = Server(tmp_path / "expired", authority,
                     authority.issue("expired", from_days=-20, to_days=-10))
    foreign = Authority(tmp_path / "foreign", "another CA")
    strange = Server(tmp_path / "strange", foreign)
    misnamed = Server(tmp_path / "misnamed", authority,
                      authority.issue("misnamed", hosts=("elsewhere.example",)))
    for s, code in ((expired, "certificate-expired"), (strange, "certificate-untrusted"),
                    (misnamed, "certificate-untrusted")):
        s.put("2.lbu", make_bundle(shop.key, 2))
        s.put("channel.lbc", channel_file(shop.key, []))
        s.start()
        try:
            refused(main, code, s.url("2.lbu"))
            saved, main.agent_settings["channel"] = main.agent_settings["channel"], \
                s.url("channel.lbc")
            assert main.agent("check")[1]["code"] == code
            main.agent_settings["channel"] = saved
        finally:
            s.stop()


def test_expired_is_judged_by_the_stored_time_when_the_clock_is_behind(main, shop):
    shop.offer(1, 2)  # the server's certificate is good for 30 days
    main.put_records(STATE={"state": "confirmed"}, CLOCK={"time": int(time.time()) + 40 * DAY})
    refused(main, "certificate-expired")
    main.put_records(STATE={"state": "confirmed"}, CLOCK={"time": int(time.time()) + 20 * DAY})
    assert main.agent("install")[0] == 0


def test_a_channel_from_the_far_future_does_not_expire_every_server(main, shop, server):
    lines = shop.offer(1, 2)
    server.put("channel.lbc", channel_file(shop.key, lines, sequence=2, created=4102444800))
    assert main.agent("check")[0] == 0
    assert main.agent("check")[0] == 0, "judged by the date that the first one brought"


def test_sources_that_cannot_be_reached(main, shop, server):
    shop.offer(1, 2)
    refused(main, "source-refused", server.url("no-such.lbu"))
    server.stop()
    refused(main, "source-unreachable", shop.url(2))
    assert main.agent("check")[1]["code"] == "source-unreachable"
    server.start("location /2.lbu { return 503; }")
    refused(main, "source-unreachable", shop.url(2))


def test_a_bundle_that_is_not_what_the_channel_names(main, shop, key):
    shop.offer(1, 2)
    shop.put(2, make_bundle(key, 2, version="2.0-other"))
    refused(main, "bundle-changed")


def test_sources_that_differ(main, shop, key, server):
    shop.offer(1, 2)
    server.put("else.lbu", make_bundle(key, 2, version="else"))
    refused(main, "bundle-changed", shop.url(2), server.url("else.lbu"))


def test_no_remedy_no_update(main, shop, server):
    shop.offer(2)  # release 1 runs, and nobody has it
    refused(main, "remedy-unavailable")
    main.agent_settings["require_remedy"] = False
    assert main.agent("install", "--no-reboot")[0] == 0


def test_a_remedy_that_vanished_from_its_server(main, shop, server):
    shop.offer(1, 2)
    one = bundles.split(shop.bundles[1])
    main.put_records(CONFIRMED=release_record(one, 1, [server.url("gone.lbu")]))
    assert main.agent("install", "--no-reboot")[0] == 0, "the channel has it elsewhere"
    assert main.status()["confirmed"]["urls"] == [shop.url(1)]
    main.put_records(CONFIRMED=release_record(one, 1, [server.url("gone.lbu")]))
    shop.offer(2)
    answer = refused(main, "remedy-unavailable")
    assert "release 1" in answer["text"]
    assert main.agent("install", "--without-remedy")[0] == 0


def test_a_remedy_that_became_another_bundle(main, shop, server, key):
    shop.offer(1, 2)
    one = bundles.split(shop.bundles[1])
    main.put_records(CONFIRMED=release_record(one, 1, [shop.url(1)]))
    server.put("1.lbu", make_bundle(key, 1, version="1.0-rebuilt"))
    refused(main, "remedy-unavailable")


@pytest.mark.parametrize("state", ["updating", "trial", "rescue"])
def test_nothing_is_staged_while_an_update_is_unfinished(main, shop, state):
    shop.offer(1, 2)
    main.put_records(STATE={"state": state, "release": 2})
    refused(main, "busy")


def test_files_that_recovery_could_not_read(main, shop, tmp_path):
    outside = tmp_path / "outside.lbu"
    outside.write_bytes(make_bundle(shop.key, 2))
    refused(main, "invalid-argument", outside)
    (main.data / "link.lbu").symlink_to(outside)
    refused(main, "invalid-argument", main.data / "link.lbu")
    refused(main, "not-found", main.data / "missing.lbu")
    refused(main, "invalid-argument", "ftp://127.0.0.1/2.lbu")
    main.agent_settings.update(handover_dir="", recovery_dir="")
    refused(main, "invalid-argument", outside)


def test_things_that_are_no_bundle(main, shop, server):
    shop.offer(1)
    for junk in (b"<html>" * 1000, bytes(4096), b"", b"manifest.json" + bytes(2000)):
        server.put("2.lbu", junk)
        status, answer = main.agent("install", shop.url(2))
        assert status == 1 and answer["code"] in ("malformed", "truncated"), (junk[:20], answer)


def test_a_state_region_that_is_lost_is_made_anew(main, shop):
    shop.offer(1, 2)
    main.write("state", bytes(MIB))
    assert main.agent("install")[0] == 0
    assert_staged(main, shop)


def test_json_answers_are_one_object(main, shop):
    shop.offer(1, 2)
    p = main.popen("check", "--json", "--quiet")
    out, err = p.communicate(timeout=60)
    assert not err and set(json.loads(out)) == {"ok", "code", "text", "available", "recovery_request"}
    assert HARDWARE in main.status()["hardware"]
