# SPDX-License-Identifier: GPL-2.0-or-later
"""What has to hold whenever the power is off, looked at from outside.

Nothing of the product's code takes part: environment, state log and bundles are read
by the tests' own Python, the data partition by debugfs, what was written when is
known from cutter.c.
"""
import contextlib
import hashlib

import lbfield
from lbboard import Card
from lbfield import bundles
from machine import Places, Start, Write

KEPT = "kept/by-the-user"
BOOT_LIMIT = 3
FORBIDDEN = ("cannot be booted", "nothing can be booted", "Kernel panic", "Oops", "\n=> ")
MAY_WRITE = {
    None: {"environment"},      # the boot loader
    "boot": {"environment", "state", "data"},
    "recovery_a": {"environment", "state", "main", "recovery b"},
    "recovery_b": {"environment", "state", "main", "recovery a"},
}


class Wrong(AssertionError):
    """A promise was broken; the text says which."""


def demand(holds, text):
    if not holds:
        raise Wrong(text)


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Judge:
    def __init__(self, card, releases, recoveries, old, new):
        """@releases: {number: bytes of its bundle}; @recoveries: {number: bytes of its FIT};
        @old, @new: the round's releases."""
        self.card, self.places = card, Places(card)
        self.recoveries, self.old, self.new = recoveries, old, new
        self.images = {number: [i for i in bundles.manifest_of(raw)["images"]
                                if i["kind"] != "recovery"]
                       for number, raw in releases.items()}
        self.kept = lbfield.get_from_data(card, KEPT)
        demand(self.kept, "the user's file is not there from the start")

    # --- what lies on the card

    def main(self):
        """Number of the release that main holds whole, None for none."""
        for number, images in self.images.items():
            if all(sha(self.card.read(i["target"], 0, i["size"])) == i["sha256"] for i in images):
                return number
        return None

    def copies(self):
        """{copy: release of the recovery that it holds whole, None}."""
        found = {}
        for copy in "ab":
            data = self.card.read(f"recovery_{copy}")
            found[copy] = next((n for n, fit in self.recoveries.items() if data.startswith(fit)),
                               None)
        return found

    def state(self):
        return lbfield.read_record(self.card, lbfield.records.STATE) or {}

    # --- promises

    def card_is_good(self):
        """After any cut."""
        env = self.card.env()
        demand(env, "both copies of the environment are broken")
        demand(lbfield.read_records(self.card), "the state log is lost")
        flag, state = env["lifeboat_boot"], self.state()
        demand(flag in ("main", "recovery"), f"boot flag {flag!r}")
        self.copies_are_good(env, state)
        if flag == "main":
            if int(env["bootcount"], 16) < BOOT_LIMIT:
                self.main_is_good(env, state)
        else:
            demand(state["state"] in ("requested", "updating", "trial", "rescue", "confirmed"),
                   f"flag recovery in state {state}")
        demand(lbfield.get_from_data(self.card, KEPT) == self.kept, "the user's file has changed")

    def copies_are_good(self, env, state):
        copies = self.copies()
        selected = env["lifeboat_slot"]
        demand(copies.get(selected), f"the selected recovery copy is not whole: {copies}, {env}")
        if len(self.recoveries) == 1 or state["state"] == "updating" or self.is_through(env, state):
            newest = max(self.recoveries)
            demand(set(copies.values()) == {newest}, f"copies {copies} in state {state}")

    def is_through(self, env, state):
        """The new release was handed over."""
        return env["lifeboat_boot"] == "main" and state.get("release") == self.new and (
            state["state"] in ("trial", "confirmed"))

    def main_is_good(self, env, state):
        """The boot loader would start main: it is whole, and the release on record."""
        main = self.main()
        demand(main, f"flag main, but main is not whole: {state}")
        demand(state["state"] in ("confirmed", "trial", "requested"), f"flag main in state {state}")
        # a request that was withdrawn leaves no number
        wanted = self.old if state["state"] == "requested" else state.get("release") or self.old
        demand(main == wanted, f"flag main, state {state}, but main holds release {main}")
        demand(state["state"] != "trial" or env["upgrade_available"] == "1",
               f"on trial without being counted as such: {env}")

    def starts_are_good(self, starts, may_reach_limit):
        """What this power-on said and wrote."""
        for start in starts:
            for text in FORBIDDEN:
                demand(text not in start.text, f"{text.strip()!r} on the console")
            demand(may_reach_limit or "reason=boot-limit" not in start.text,
                   "the boot limit was reached by a good release")
            demand("reason=flag-lost" not in start.text, "the boot flag was lost")
            kernel = start.text.find("Starting kernel")
            for write in start.writes:
                who = start.booted() if 0 <= kernel <= write.console else None
                where = self.places.name(write.offset)
                demand(where in MAY_WRITE[who], f"{who or 'the boot loader'} wrote to {where} "
                       f"at {write.offset:#x}")

    def end_is_good(self, final):
        demand(lbfield.is_confirmed(self.card, final), f"{final} is not confirmed: "
               f"{self.card.env()}, {self.state()}")
        demand(self.main() == final, f"main holds release {self.main()}, not {final}")
        self.card_is_good()


def spoilers(judge):
    """{what is wrong: how a card gets it}."""
    env, used = judge.card.env(), judge.images[judge.old][-1]["size"]

    def state(**record):
        return lambda card: lbfield.change_records(
            card, {lbfield.records.STATE: lbfield.to_json(record)})

    return {
        "a bit of main": lambda card: card.flip_bit("root", used - 1),
        "a bit of main's kernel": lambda card: card.flip_bit("boot", 5000),
        "a bit of the selected recovery": lambda card: card.flip_bit("recovery_a", 70000),
        "another slot": lambda card: card.set_env(**env | {"lifeboat_slot": "c"}),
        "no environment": Card.destroy_env,
        "no state": lambda card: card.erase("state"),
        "state updating": state(state="updating", release=judge.new),
        "another release": state(state="confirmed", release=judge.new),
        "the user's file": lambda card: lbfield.put_on_data(card, KEPT, "else"),
    }


def bad_starts(judge):
    """{what is wrong: a start that does it}."""
    def writes(partition, to):
        text = f"Lifeboat: trying {partition} requested\nStarting kernel ...\n" if partition else ""
        return Start(text, [Write(judge.places.parts[to][0], len(text), 512, False)])

    return {
        "the boot loader writes to the state log": writes("", "state"),
        "main writes to a slot": writes("boot", "root"),
        "main writes to a recovery copy": writes("boot", "recovery_b"),
        "recovery writes to the copy that runs": writes("recovery_b", "recovery_b"),
        "recovery writes to the data partition": writes("recovery_a", "data"),
        "a panic": Start("Kernel panic - not syncing", []),
    }


def canaries(judge):
    """Cards and starts that must be noticed: how many, and which were not."""
    judge.card_is_good()
    original, missed, bad = judge.card, [], bad_starts(judge)
    for name, spoil in (cards := spoilers(judge)).items():
        judge.card = Card.copy(original.path, original.path.with_name("spoilt.img"))
        spoil(judge.card)
        with contextlib.suppress(Wrong):
            judge.card_is_good()
            missed.append(name)
        judge.card.path.unlink()
    judge.card = original
    for name, start in bad.items():
        with contextlib.suppress(Wrong):
            judge.starts_are_good([start], True)
            missed.append(name)
    return len(cards) + len(bad), missed
