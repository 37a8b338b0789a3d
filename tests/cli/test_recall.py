# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests for recovery in the channel file."""
import pytest
from test_publish import NOW, channel, release

DAY = 86400
AT = int(NOW["SOURCE_DATE_EPOCH"])


@pytest.fixture
def shop(tool):
    """A folder with one release; recall(...) runs the command at a fixed time."""
    tool.run("publish", "pub", release(tool, 5), "-k", "key.pem", env=NOW)
    tool.recall = lambda *argv, days=0, **more: tool.json(
        "recall", "pub", *argv, "-k", "key.pem",
        env={"SOURCE_DATE_EPOCH": str(AT + days * DAY)}, **more)
    return tool


def test_a_request_names_devices_and_ends(shop):
    before = channel(shop)
    visit = {"id": "repair-7", "until": AT + 7 * DAY, "serials": ["SN-1", "00:11:22:33"]}
    assert shop.recall("repair-7", "SN-1", "00:11:22:33") == {
        "channel": "pub/channel.lbc", "sequence": 2, "recovery": [visit]}
    assert channel(shop) == {**before, "sequence": 2, "recovery": [visit]}
    assert channel(shop)["critical"] == [], "an agent that does not know it goes on with the rest"
    shop.recall("b", "SN-9", "--days", "31")
    assert [v["id"] for v in channel(shop)["recovery"]] == ["repair-7", "b"]
    text = shop.run("recall", "pub", "c", "SN-9", "-k", "key.pem", env=NOW)
    assert text == "pub/channel.lbc: sequence 4, 3 requests for recovery\n"


def test_publishing_keeps_requests_until_they_are_over(shop):
    shop.recall("a", "SN-1", "--days", "2")
    shop.recall("b", "SN-2", "--days", "5")
    for days, ids in ((2, ["a", "b"]), (3, ["b"])):
        shop.run("publish", "pub", release(shop, 6 + days), "-k", "key.pem",
                 env={"SOURCE_DATE_EPOCH": str(AT + days * DAY)})
        assert [v["id"] for v in channel(shop)["recovery"]] == ids
    assert shop.recall("c", "SN-3", days=6)["recovery"][0]["id"] == "c"
    assert shop.recall("c", "--withdraw", days=6)["recovery"] == []
    assert "recovery" not in channel(shop)


def test_a_request_can_be_taken_back(shop):
    for name in "abc":
        shop.recall(name, "SN-1")
    assert [v["id"] for v in shop.recall("b", "--withdraw")["recovery"]] == ["a", "c"]
    shop.refuses("not-found", "recall", "pub", "b", "--withdraw", "-k", "key.pem", env=NOW)


def test_what_is_refused_changes_nothing(shop):
    shop.recall("a", "SN-1")
    path = shop.folder / "pub/channel.lbc"
    before = path.read_bytes()
    for reason, *argv in (("already-exists", "a", "SN-2"), ("invalid-argument", "b", "*"),
                          ("invalid-argument", "b", "SN-1", ""), ("invalid-argument", "b c", "SN-1"),
                          ("invalid-argument", "b", "SN-1/2"), ("invalid-argument", "b", "x" * 64),
                          ("image-too-large", "b", *(f"SN-{i}" for i in range(33)))):
        shop.refuses(reason, "recall", "pub", *argv, "-k", "key.pem", env=NOW)
    shop.refuses("signature-invalid", "recall", "pub", "b", "SN-1", "-k", "other.pem", env=NOW)
    shop.refuses("not-found", "recall", "elsewhere", "b", "SN-1", "-k", "key.pem", env=NOW)
    for argv in (("pub", "b", "-k", "key.pem"), ("pub", "b", "SN-1"), ("pub", "b", "SN-1", "--withdraw", "-k", "key.pem"),
                 ("pub", "b", "SN-1", "-k", "key.pem", "--days", "32"), ("pub", "b", "SN-1", "-k", "key.pem", "--days", "0")):
        shop.run("recall", *argv, code=2)
    assert path.read_bytes() == before


def test_the_list_has_an_end(shop):
    for i in range(16):
        shop.recall(f"r{i}", *(f"SN-{i}-{n}" for n in range(32)))
    assert "withdraw one" in shop.refuses("image-too-large", "recall", "pub", "r16", "SN-1", "-k", "key.pem", env=NOW)
    assert len(channel(shop)["recovery"]) == 16
