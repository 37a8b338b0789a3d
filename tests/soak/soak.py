#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole updates on the emulated board, with power cuts at drawn moments.

    soak.py BUILD --cuts N --seed S [--round R] [--jobs J]

Cuts come in rounds of five to ten. A round is one card, one kind of update and the
moments that (S, R) draws; it ends when the release that has to win is confirmed. After
every cut judge.py looks at the card. Ends with 0 only if all of it held.
"""
import argparse
import contextlib
import json
import multiprocessing
import random
import re
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "board")]
import lbfield  # noqa: E402
import moments  # noqa: E402
from judge import BOOT_LIMIT, KEPT, Judge, canaries, demand  # noqa: E402
from lbboard import Card  # noqa: E402
from lbserver import Certificate, Server  # noqa: E402
from lbtraffic import Bundle, Traffic  # noqa: E402
from machine import SoakBoard  # noqa: E402

CUTS_OF_A_ROUND = 5, 10
LIMIT_S = 600           # of one power-on
RATE = "1500k"
FLUSH_BYTES = 1 << 20

# old release, new one, its bundle, the release that wins
KINDS = {
    "update": (1, 2, "release-2.lbu", 2),
    "self-update": (1, 2, "recovery-2-good.lbu", 2),
    "rescue": (1, 2, "release-2-sick.lbu", 1),
    "back": (2, 1, "release-1.lbu", 1),
}


def plan_rounds(cuts, seed):
    """[(number, kind, cuts)]: each kind equally often, in an order of the seed's."""
    source, rounds = random.Random(seed), []
    least, most = CUTS_OF_A_ROUND
    size = min(most, max(least, cuts // 20))
    while cuts > 0:
        kinds = list(KINDS)
        if rounds:      # few cuts: those first that everybody needs
            source.shuffle(kinds)
        for kind in kinds:
            take = min(cuts, size)
            if take > 0:
                rounds.append((len(rounds) + 1, kind, take))
            cuts -= take
    return rounds


class Round:
    def __init__(self, build, seed, number, kind, cuts):
        self.build, self.number, self.kind = build, number, kind
        self.source = random.Random(f"{seed}.{number}")
        self.old, self.new, self.bundle, self.final = KINDS[kind]
        self.work = build / "tests" / "soak" / f"round-{number}"
        names = {"old": self.old, "new": self.new}
        self.moments = moments.draw_moments(kind, cuts, names, self.source)
        general = [aim for aims in moments.GENERAL.values() for aim in aims]
        self.spare = [moments.draw_moment(self.source.choice(general), names, self.source)
                      for _ in range(cuts)]
        self.pauses = [self.source.uniform(0, 1) for _ in range(cuts)]
        self.cuts = []          # (phase, inside which region or "")
        self.flushes, self.typed = 0, False

    # --- before

    def prepare(self, stack):
        shutil.rmtree(self.work, ignore_errors=True)
        (self.work / "www").mkdir(parents=True)
        ca = self.build / "keys" / "tls" / "lifeboat-development-ca"
        self.server = stack.enter_context(Server(
            self.work / "server", self.work / "www", Certificate.issue(self.work / "tls", ca),
            rate=RATE))
        self.card = Card.copy(self.build / "images" / "disk.img", self.work / "card.img")
        self.board = SoakBoard(self.work, self.card, self.build / "tests" / "soak" / "cutter.so")
        stack.callback(self.board.cut_power)
        files = self.build / "tests" / "board" / "update"
        self.field = lbfield.Field(self.card, self.board, self.server, files, self.build)
        lbfield.put_on_data(self.card, KEPT, random.Random(self.number).randbytes(30000).hex())
        if self.old == 2:
            self.put_release_2()
        else:
            self.field.offer("release-1.lbu", self.bundle)
        self.judge = Judge(self.card, {
            self.old: self.field.read_bundle(f"release-{self.old}.lbu"),
            self.new: self.field.read_bundle(self.bundle)}, self.recoveries(), self.old, self.new)
        if self.number == 1:
            count, missed = canaries(self.judge)
            demand(not missed, f"what is wrong was not noticed: {missed}")
            self.canaries = count

    def put_release_2(self):
        for part, image in ("boot", "main-2.itb"), ("root", "root-2.img"):
            self.card.erase(part)
            self.card.write_file(part, self.build / "images" / image)
        url = self.field.serve("release-2.lbu")
        lbfield.provision(self.card, self.field.files / "release-2.lbu", url)

    def recoveries(self):
        known = {1: (self.build / "images" / "recovery.itb").read_bytes()}
        if self.kind == "self-update":
            known[2] = (self.field.files / "recovery-2-good.itb").read_bytes()
        return known

    # --- one power-on

    def is_over(self):
        if not lbfield.is_confirmed(self.card, self.final):
            return False
        result = lbfield.read_record(self.card, lbfield.records.RESULT) or {}
        return result.get("code") == ("trial-failed" if self.kind == "rescue" else "ok")

    def is_sick(self):
        """The release on trial is the one that has to use up its boots."""
        state = self.judge.state()
        return (self.kind == "rescue" and state.get("release") == self.new
                and state.get("state") == "trial")

    def has_to_live(self, pause):
        """Two cut starts in a row are the boot limit's business: the third one is not cut."""
        env = self.card.env()
        if env["lifeboat_boot"] != "main":
            return int(env["lifeboat_rtries"], 16) >= BOOT_LIMIT - 1 and (
                moments.Moment("alive", "[start]", delay_s=pause))
        return int(env["bootcount"], 16) >= BOOT_LIMIT - 1 and not self.is_sick() and (
            moments.Moment("healthy", "is healthy", delay_s=pause))

    def run_until_cut(self, queue, pause):
        """At the first moment of @queue that is still to come; takes those off that are gone."""
        self.board.cutter.reset()
        self.typed, moment, seen = False, queue.pop(0), ""
        self.arm(moment, seen)
        self.board.power_on()
        while self.wait(moment, pause) and queue:
            moment, seen = queue.pop(0), self.board.raw
            self.arm(moment, seen)
        demand(not self.board.has_ended() or self.board.cutter.fired(), "QEMU ended by itself")
        self.board.cut_power()

    def arm(self, moment, seen):
        if moment.region:
            self.board.cutter.arm(self.judge.places.spans[moment.region], moment.nth,
                                  "" if moment.marker in seen else moment.marker,
                                  moment.keep, moment.noise)

    def wait(self, moment, pause):
        """Until @moment. True if it is gone; also returns when everything is over."""
        end, look_at = time.monotonic() + LIMIT_S, 0.0
        while not self.board.has_ended():
            now, raw = time.monotonic(), self.board.raw
            self.drive(raw)
            if not moment.region and moment.marker in raw:
                time.sleep(moment.delay_s)
                return False
            if moment.gone and re.search(moment.gone, raw):
                self.board.cutter.arm((0, 0), 0)
                return True
            if now >= look_at and "is healthy" in raw:
                look_at = now + 0.25
                if self.is_over():
                    time.sleep(pause)
                    return False
            demand(now < end, f"nothing comes to an end within {LIMIT_S} s")
            time.sleep(0.02)
        return False

    def drive(self, raw):
        """What a person types."""
        if self.kind == "back" and not self.typed and "main OS release 2 is up" in raw:
            self.board.send("until lifeboat-agent install --allow-older "
                            f"{self.server.url(self.bundle)}; do sleep 1; done")
            self.typed = True

    def trial_at_end(self, starts, was_trial):
        """What the main of the last start was on: "" (no trial), "good" or "sick"."""
        before = "".join(start.text for start in starts[:-1])
        if not was_trial and not re.search(r"\[(installed|handover)\]", before):
            return ""
        if self.kind == "rescue" and f"main OS release {self.new} is up" in starts[-1].text:
            return "sick"
        return "" if "and confirmed" in before + starts[-1].text else "good"

    def look(self, was_trial):
        """After a cut: the promises, and where it fell."""
        starts = self.board.starts()
        phase = moments.classify(starts[-1], self.judge.places,
                                 self.trial_at_end(starts, was_trial))
        inside = [self.judge.places.name(w.offset) for w in starts[-1].writes if w.cut]
        self.cuts.append((phase, inside[0] if inside else ""))
        self.flushes += self.board.cutter.flushes()
        self.judge.starts_are_good(starts, self.kind == "rescue")
        self.judge.card_is_good()

    # --- the round

    def run(self):
        queue, over = list(self.moments), False
        for spare, pause in zip(self.spare, self.pauses):
            over = over or self.is_over()
            if over or not queue:
                queue = [spare]
            trial = self.judge.state().get("state") == "trial"
            first = self.has_to_live(pause)
            if first:
                self.run_until_cut([first], pause)
            else:
                self.run_until_cut(queue, pause)
            self.look(trial)
        self.finish()

    def finish(self):
        """Without further cuts."""
        self.board.cutter.reset()
        self.typed = False
        self.board.power_on()
        self.wait(moments.Moment("end", "", region="none"), 0)
        demand(not self.board.has_ended(), "QEMU ended by itself")
        status = lbfield.agent(self.board, "status", timeout=LIMIT_S)
        self.board.cut_power()
        self.judge.starts_are_good(self.board.starts(), self.kind == "rescue")
        demand(status["running"]["release"] == self.final, f"status says {status['running']}")
        self.judge.end_is_good(self.final)
        self.server.stop()
        self.weigh()

    def weigh(self):
        """Payload that was fetched twice, against the bound for each cut of recovery."""
        self.again = self.chunk = 0
        for path in sorted(self.server.root.glob("*.lbu")):
            bundle = Bundle(path)
            self.again += Traffic(self.server, bundle, "lifeboat-recovery").payload_again
            self.chunk = max(self.chunk, bundle.largest_chunk())
        self.recovery_cuts = sum(phase.startswith("recovery") for phase, _ in self.cuts)
        bound = self.recovery_cuts * (FLUSH_BYTES + self.chunk)
        demand(self.again <= bound, f"{self.again} bytes were fetched again, {bound} are allowed")


def run_round(job):
    """In a process of its own: what happened, as plain data."""
    build, seed, number, kind, cuts = job
    began = time.monotonic()
    this = Round(build, seed, number, kind, cuts)
    said = {"number": number, "kind": kind, "failure": "", "again": 0, "canaries": 0}
    with contextlib.ExitStack() as stack:
        try:
            this.prepare(stack)
            this.run()
            said |= {"again": this.again, "recovery_cuts": this.recovery_cuts}
        except Exception as why:     # whatever it was, the other rounds go on
            (this.work / "failure.txt").write_text(traceback.format_exc(), encoding="utf-8")
            said["failure"] = " ".join(str(why).split("; last lines")[0].split()) or repr(why)
    if not said["failure"]:
        this.card.path.unlink()
    said |= {"canaries": getattr(this, "canaries", 0)}
    return said | {"cuts": this.cuts, "flushes": this.flushes,
                   "seconds": time.monotonic() - began}


def print_round(said, cuts, seed):
    where = ", ".join(f"{phase} ({inside})" if inside else phase for phase, inside in said["cuts"])
    print(f"  round {said['number']:<3} {said['kind']:<12} {said['seconds']:4.0f} s  {where}",
          flush=True)
    if said["failure"]:
        print(f"FAIL soak round {said['number']} ({said['kind']}) after cut {len(said['cuts'])}: "
              f"{said['failure']}; again: make soak N={cuts} SEED={seed} ROUND={said['number']}",
              flush=True)


def print_summary(done, seconds):
    phases = Counter(phase for said in done for phase, _ in said["cuts"])
    inside = Counter((phase, region) for said in done for phase, region in said["cuts"] if region)
    print("\nwhere the power went                     cuts  of these inside a write to")
    for phase in moments.PHASES:
        writes = ", ".join(f"{region} {n}" for (p, region), n in sorted(inside.items())
                           if p == phase)
        print(f"  {phase:<38} {phases[phase]:>4}  {writes}".rstrip())
    good = [said for said in done if not said["failure"]]
    kinds = Counter(said["kind"] for said in good)
    again = max((s["again"] // s["recovery_cuts"] for s in good if s["recovery_cuts"]), default=0)
    print(f"finished: {', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}; "
          f"payload again per cut in recovery: at most {again} bytes in any round; "
          f"flushes that the card was asked for: {sum(s['flushes'] for s in done)}; "
          f"canaries caught: {max(s['canaries'] for s in done)}")
    print(f"soak: {sum(phases.values())} cuts in {len(done)} rounds, "
          f"{len(done) - len(good)} failed, {seconds:.0f} s")


def end_well():
    """Whoever is told to end also ends its workers or its machine."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("build", type=Path)
    options.add_argument("--cuts", type=int, required=True)
    options.add_argument("--seed", type=int, required=True)
    options.add_argument("--round", type=int)
    options.add_argument("--jobs", type=int, default=2)
    given = options.parse_args()
    build = given.build.resolve()
    rounds = [r for r in plan_rounds(given.cuts, given.seed) if given.round in (None, r[0])]
    began, done = time.monotonic(), []
    end_well()
    with multiprocessing.Pool(min(given.jobs, len(rounds)), end_well, maxtasksperchild=1) as pool:
        for said in pool.imap_unordered(run_round, [(build, given.seed, *r) for r in rounds]):
            print_round(said, given.cuts, given.seed)
            done.append(said)
    seconds = time.monotonic() - began
    print_summary(done, seconds)
    (build / "tests" / "soak" / "rounds.json").write_text(
        json.dumps({"seconds": seconds, "rounds": done}, indent=1), encoding="utf-8")
    return 1 if any(said["failure"] for said in done) else 0


if __name__ == "__main__":
    sys.exit(main())
