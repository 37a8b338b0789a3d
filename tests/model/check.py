#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Searches the model with spin: every property, then every known-bad design.

    check.py --build DIR               all; fails if a property does not hold, or if a
                                       known-bad design is not refuted
    check.py --build DIR --replay NAME one of them, and the counterexample in words

DIR holds machine.pml and boot.pml; order.pml is made here. A search that was not complete is a failure.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import order

HERE = Path(__file__).resolve().parent
MEMORY_MIB = 4000
DEPTH = 500000

# Search: switches of the model, and its formula (none: assertions and dead ends).
# MAIN is all about main and the agent; SELF_UPDATE is all about recovery's copies.
SEARCHES = {
    "safe-main": (["NEVER_CALM"], None, "main boots only whole, a recovery starts in every state"),
    "safe-copies": (["NEVER_CALM", "SELF_UPDATE"], None, "the same while recovery updates itself"),
    "livelock": ([], "livelock", "every cycle records a result, waits for a source or serves"),
    "ends-main": (["ONLINE"], "ends", "what can finish finishes, else the old release serves"),
    "ends-copies": (["ONLINE", "SELF_UPDATE"], "ends", "the same while recovery updates itself"),
}

# Known-bad design: the search that must refute it. Those of order.KNOWN_BAD are tables with
# another order, the others switches of the model.
KNOWN_BAD = {
    "BUG_FLAG_BEFORE_READBACK": "safe-main",
    "BUG_ENV_BEFORE_STATE": "safe-main",
    "BUG_CONFIRM_ENV_FIRST": "safe-main",
    "BUG_STAGE_FLAG_FIRST": "safe-main",
    "BUG_WRITE_BEFORE_STATE": "safe-main",
    "BUG_EMPTY_LOG_BELIEVED": "safe-main",
    "BUG_BOTH_COPIES": "safe-copies",
    "BUG_COPIES_NOT_CHANGED": "safe-copies",
    "BUG_HANDOVER_WITHOUT_FLAG": "livelock",
    "BUG_BOOTCOUNT_NOT_RESET": "ends-main",
    "BUG_TRIES_NOT_NOTED": "ends-copies",
    "BUG_TRIES_KEPT": "ends-copies",
}


def run(command, folder):
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def must(command, folder):
    code, text = run(command, folder)
    if code:
        sys.exit(f"{text}\n{' '.join(command)}: failed in {folder}")
    return text


def search(build, name, switches, formula, shortest=False):
    """Breadth first finds the @shortest counterexample, for assertions only. Returns the number of states, whether the search found an error, and its output."""
    folder = build / name
    bug = name if name in order.KNOWN_BAD else None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in ("machine.pml", "boot.pml"):
        shutil.copy(build / part, folder)
    shutil.copy(HERE / "device.pml", folder)
    (folder / "order.pml").write_text(order.promela(bug))
    must(["spin", "-a"] + [f"-D{s}" for s in switches] + ["device.pml"], folder)
    kind = [] if formula else ["-DSAFETY", "-DNOCLAIM"] + ["-DBFS"] * shortest
    # not optimised: for the compiler that is more work than the search then saves
    must(["gcc", "-O0", "-w", f"-DMEMLIM={MEMORY_MIB}"] + kind + ["-o", "pan", "pan.c"], folder)
    _, text = run(["./pan", f"-m{DEPTH}"] + (["-a", "-N", formula] if formula else []), folder)
    (folder / "search.log").write_text(text)
    states = re.search(r"^\s*([\d.e+]+) states, stored", text, re.M)
    errors = re.search(r"errors: (\d+)", text)
    if not states or not errors:
        sys.exit(f"{text}\nmodel: {name}: spin did not come to an end")
    found = int(errors[1]) > 0
    if not found and re.search(r"max search depth too small|not completed|out of memory", text):
        sys.exit(f"{text}\nmodel: {name}: the search was not complete")
    return int(float(states[1])), found, text


def spoken(build):
    """Names of the numbers in the model's words, from the table that the library printed."""
    defines = re.findall(r"^#define (STATE|REASON|JOB)_(\w+) (\d+)$",
                         (build / "machine.pml").read_text(), re.M)
    names = {(kind.lower(), number): name.lower() for kind, name, number in defines}
    return lambda text: re.sub(r"\b(state|reason|job) (\d+)\b",
                               lambda m: f"{m[1]} {names.get(m.groups(), m[2])}", text)


def narrative(build, name, switches):
    """The counterexample as the model's own words."""
    text = must(["spin", "-t"] + [f"-D{s}" for s in switches] + ["device.pml"], build / name)
    lines = [line.strip() for line in spoken(build)(text).splitlines()
             if not line.startswith("ltl ")]
    return "\n".join("    " + line for line in lines if line)


def settings(name):
    if name in KNOWN_BAD:
        switches, formula, _ = SEARCHES[KNOWN_BAD[name]]
        return switches + [name] * (name not in order.KNOWN_BAD), formula
    return SEARCHES[name][:2]


def replay(build, name):
    switches, formula = settings(name)
    states, found, _ = search(build, name, switches, formula, shortest=True)
    print(f"{name}: {states} states, {'refuted' if found else 'holds'}")
    if found:
        print(narrative(build, name, switches))


def timed_search(build, name):
    start = time.monotonic()
    states, found, _ = search(build, name, *settings(name))
    return name, states, found, time.monotonic() - start


def check_all(build):
    failed, total, refuted, began = 0, 0, 0, time.monotonic()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for name, states, found, took in pool.map(partial(timed_search, build), [*SEARCHES, *KNOWN_BAD]):
            if name in KNOWN_BAD:
                refuted += found
                if not found:
                    print(f"model: FAIL {name} is not refuted ({states} states)")
                continue
            switches, _, meaning = SEARCHES[name]
            total += states
            failed += found
            print(f"  {name:12} {states:9} states {took:5.1f} s  {meaning}", flush=True)
            if found:
                print(f"model: FAIL {name}; again: make model REPLAY={name}\n"
                      f"{narrative(build, name, switches)}")
    print(f"model: {total} states in {len(SEARCHES)} searches, {failed} failed, known-bad designs "
          f"{refuted} of {len(KNOWN_BAD)} refuted, {time.monotonic() - began:.0f} s")
    return failed or refuted != len(KNOWN_BAD)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--replay", choices=[*SEARCHES, *KNOWN_BAD], metavar="NAME")
    options = parser.parse_args()
    build = options.build.resolve()
    if options.replay:
        return replay(build, options.replay)
    return check_all(build)


if __name__ == "__main__":
    sys.exit(main())
