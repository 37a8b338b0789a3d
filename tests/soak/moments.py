# SPDX-License-Identifier: GPL-2.0-or-later
"""Where cuts are aimed at, and where they fell.

An aim waits for a text on the console, then either for a while or for the nth write
to a region of the card, inside which the power goes. When the console shows that its
stage is behind, the next aim's turn has come. What counts in the figures is not the aim
but classify(): what the console and the writes of that start say.
"""
import re
from dataclasses import dataclass

ENVIRONMENT = (1, 32)       # sectors of one copy


@dataclass(frozen=True)
class Aim:
    stage: str
    marker: str
    delay_s: tuple = (0, 0)
    region: str = ""
    nth: tuple = (0, 0)         # writes of 512 bytes


@dataclass(frozen=True)
class Moment:
    """An aim with its numbers drawn."""
    stage: str
    marker: str
    gone: str = ""              # pattern: the stage is behind
    delay_s: float = 0
    region: str = ""
    nth: int = 0
    keep: int = 0
    noise: int = 0


def delay(stage, marker, most):
    return [Aim(stage, marker, delay_s=(0, most))]


def inside(stage, marker, region, last, first=1):
    """In one of these writes behind @marker; how many there are was counted in whole runs."""
    return [Aim(stage, marker, region=region, nth=(first, last))]


def environment(stage, marker):
    return [Aim(stage, marker, region="environment", nth=ENVIRONMENT)]


# at any start
GENERAL = {
    "boot loader": delay("boot loader", "U-Boot 20", 3),
    "its environment": environment("its environment", "Saving Environment"),
    "kernel": delay("kernel", "Starting kernel", 3),
}

APPLY = {
    "planning": delay("planning", "[start]", 3) + environment("planning", "Lifeboat recovery: copy"),
    "first write": (inside("first write", "[planned]", "main", 128)
                    + inside("first write", "[planned]", "state", 16)),
    "applying": inside("applying", "[planned]", "main", 6000, first=128),
    "read-back": delay("read-back", "  verify ", 0.25),
    "handing over": (inside("handing over", "[installed]", "state", 40)
                     + environment("handing over", "[installed]")
                     + delay("handing over", "[installed]", 0.3)),
}
TRIAL = {
    "trial": delay("trial", "main OS release {new} is up", 2.5),
    "confirming": (inside("confirming", "main OS release {new} is up", "state", 40)
                   + inside("confirming", "main OS release {new} is up", "state", 280)
                   + environment("confirming", "main OS release {new} is up")),
}
STAGE = {"staging": (inside("staging", "is available", "state", 24)
                     + environment("staging", "is available")
                     + delay("staging", "is available", 0.5))}
COMMAND = {"staging": (inside("staging", "lifeboat-agent install", "state", 24)
                       + environment("staging", "lifeboat-agent install")
                       + delay("staging", "lifeboat-agent install", 3))}
SICK = {"sick": delay("sick", "main OS release {new} is up", 3)}
RESCUE = {
    "beginning": (inside("beginning", "reason=boot-limit", "state", 16)
                  + inside("beginning", "reason=boot-limit", "environment", 64)),
    "rescue": (delay("rescue", "is fetched again", 3)
               + inside("rescue", "is fetched again", "main", 6000)),
    "returning": (inside("returning", "is fetched again", "state", 48)
                  + inside("returning", "main OS release {old} is up", "state", 280)),
}
SELF_UPDATE = {
    "writing copy b": inside("writing copy b", "[bundle-accepted]", "recovery b", 270),
    "selecting copy b": (inside("selecting copy b", "  verify  recovery", "state", 24)
                         + environment("selecting copy b", "  verify  recovery")),
    "refreshing copy a": inside("refreshing copy a", "Lifeboat recovery: copy=b", "recovery a",
                                240),
}

GONE = {
    "staging": r"Lifeboat recovery: copy=",
    "writing copy b": r"Lifeboat recovery: copy=b",
    "selecting copy b": r"Lifeboat recovery: copy=b",
    "refreshing copy a": r"\[planned\]",
    "planning": r"\[installed\]|\[handover\]",
    "first write": r"\[installed\]|\[handover\]",
    "applying": r"\[installed\]|\[handover\]",
    "read-back": r"\[installed\]|\[handover\]",
    "handing over": r"main OS release {new} is up",
    "sick": r"reason=boot-limit",
    "beginning": r"\[planned\]",
}

# kind of round: its stages, in the order in which they come
FLOWS = {
    "update": [STAGE, APPLY, TRIAL],
    "self-update": [STAGE, SELF_UPDATE, APPLY, TRIAL],
    "rescue": [STAGE, APPLY, SICK, RESCUE],
    "back": [COMMAND, APPLY, TRIAL],
}
GENERAL_SHARE = 0.3


def draw_moment(aim, names, source):
    """Numbers for @aim; @names fill in the marker."""
    return Moment(aim.stage, aim.marker.format(**names), GONE.get(aim.stage, "").format(**names),
                  source.uniform(*aim.delay_s), aim.region, source.randint(*aim.nth),
                  source.randrange(512), source.choice([0, source.getrandbits(32) | 1]))


def draw_moments(kind, count, names, source):
    """@count moments in the order in which an update comes by, others in between."""
    steps = [(name, aims) for part in FLOWS[kind] for name, aims in part.items()]
    found = []
    for _ in range(count):
        if source.random() < GENERAL_SHARE:
            place, aims = source.uniform(0, len(steps)), source.choice(list(GENERAL.values()))
        else:
            place = source.randrange(len(steps))
            aims = steps[place][1]
        found.append((place, draw_moment(source.choice(aims), names, source)))
    return [moment for _, moment in sorted(found, key=lambda item: item[0])]


# --- where it fell

PHASES = ("boot loader", "boot loader: writing its environment", "kernel",
          "main: confirmed", "agent: staging", "main: on trial", "agent: confirming",
          "recovery: planning", "recovery: its own update", "recovery: first write",
          "recovery: applying", "recovery: read-back", "recovery: handing over")
FIRST_WRITES = 128          # sectors


def classify(start, places, trial):
    """Phase in which @start ended; @trial: what its main is on: "" (none), "good" or "sick"."""
    if not start.booted():
        saving = start.text.rpartition("Saving Environment")[2] if "Saving Env" in start.text else ""
        writing = saving and not re.search(r"\bOK\b|Failed", saving)
        return "boot loader: writing its environment" if writing else "boot loader"
    if start.booted() == "boot":
        return classify_main(start, places, trial)
    return classify_recovery(start, places)


def classify_main(start, places, trial):
    if not re.search(r"main OS release \d+ is up", start.text):
        return "kernel"
    if re.search(r"is available|lifeboat-agent install", start.text):
        return "agent: staging"
    if not trial:
        return "main: confirmed"
    if trial == "sick":
        return "main: on trial"
    regions = {places.name(w.offset) for w in start.after("main OS release")}
    return "agent: confirming" if regions & {"state", "environment"} else "main: on trial"


def classify_recovery(start, places):
    text = start.text
    if "Lifeboat recovery: copy=" not in text:
        return "kernel"
    if re.search(r"\[(installed|handover|healed|returned)\]", text):
        return "recovery: handing over"
    planned = text.rfind("[planned]")
    if planned < 0:
        copies = [w for w in start.writes if places.name(w.offset).startswith("recovery")]
        under_way = copies and "[recovery-current]" not in text
        return "recovery: its own update" if under_way else "recovery: planning"
    main = [w for w in start.after("[planned]") if places.name(w.offset) == "main"]
    if re.search(r"  verify +(boot|root)", text[planned:]):
        return "recovery: read-back"
    return "recovery: applying" if len(main) > FIRST_WRITES else "recovery: first write"
