#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of writing: lib/flow against tests/model/order.table.

    order.py check PROGRAM   runs order-trace and compares what it wrote; then changes
                             the table in every way that a person might change the code,
                             one at a time: each has to be noticed
    order.py promela         the table as the model's writes
"""
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# What the table speaks of. state, record (there is one), release: the state record. note,
# tries: the note about a new recovery, and the copy that it was written to. flag, trial
# (upgrade_available), count (bootcount), slot, rtries: the environment. main, other (the
# copy of recovery that does not run): torn from the first write to the last read-back,
# else the release that they hold. log: lost or whole. The rest are records of that name.
#
# Each as the model has it: {} is the value; None: the model leaves it out.
VARIABLES = {
    "request": "request", "release": "state_rel", "installed": "installed",
    "confirmed": "confirmed", "previous": "previous", "flag": "flag", "trial": "upgrade",
    "count": "bootcount", "slot": "slot", "rtries": "rtries", "tries": "tries",
    "main": "main_holds", "other": "holds[1 - running]", "record": "have_state",
    "floor": None, "clock": None, "network": None, "log": None,
}
WORDS = {
    "request": {"none": "NONE", "visit": "PERSON"}, "release": {"none": "NONE"},
    "installed": {"none": "NONE"}, "confirmed": {"none": "NONE"}, "previous": {"none": "NONE"},
    "flag": {"main": "FLAG_MAIN", "recovery": "FLAG_RECOVERY", "manual": "FLAG_MANUAL"},
    "main": {"torn": "TORN"}, "other": {"torn": "HALF"},
}


class Table:
    def __init__(self, text):
        self.parts = {}  # name: (kind, parameters, [(conditions, [words])])
        for number, line in enumerate(text.splitlines(), 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            if "|" not in line:
                kind, name, *parameters = line.split()
                if kind not in ("step", "choose") or name in self.parts:
                    sys.exit(f"order.table:{number}: not understood: {line}")
                lines = []
                self.parts[name] = (kind, parameters, lines)
                continue
            condition, words = line.split("|")
            lines.append((condition.split(), words.split()))

    def call(self, words):
        """(name, arguments) if the words call a step, else None."""
        if words[0] == "do":
            words = words[1:]
        return (words[0], words[1:]) if words[0] in self.parts else None


# ---- what the table expects ----

class Device:
    def __init__(self, table, after, start):
        self.table, self.after, self.now = table, after, dict(start)
        self.events = []

    def value(self, word, given):
        if not word.startswith("@"):
            return word
        name = word[1:]
        return given[name] if name in given else self.now[name]

    def holds(self, condition, given):
        if condition.startswith("+"):
            return (self.now["state"], condition[1:]) in self.after
        for sign in ("!=", "<", "="):
            if sign in condition:
                name, word = condition.split(sign)
                left = given[name] if name in given else self.now[name]
                right = self.value(word, given)
                return {"!=": left != right, "=": left == right,
                        "<": sign == "<" and int(left) < int(right)}[sign]
        raise ValueError(condition)

    def write(self, words, given):
        new = {}
        for word in words:
            name, value = word.split("=")
            if name == "state":
                new["record"] = "1"
                value = self.after[self.now["state"], value[1:]]
            elif value == "+1":
                value = str(int(self.now[name]) + 1)
            new[name] = self.value(value, given)
        changed = {k: v for k, v in new.items() if self.now[k] != v}
        self.now |= changed
        if set(changed) == {"record"} and self.now["state"] != "confirmed":
            raise ValueError("a state without a record")
        if changed:
            self.events.append(changed)

    def run(self, name, given):
        kind, parameters, lines = self.table.parts[name]
        own = {p: given[p] for p in parameters}
        for conditions, words in lines:
            if not all(self.holds(c, own) for c in conditions):
                continue
            called = self.table.call(words)
            if called:
                inner = self.table.parts[called[0]][1]
                values = [self.value(word, own) for word in called[1]]
                self.run(called[0], dict(zip(inner, values, strict=True)))
            else:
                self.write(words, own)
            if kind == "choose":
                return


# ---- what the code does ----

def pairs(words):
    return dict(word.split("=", 1) for word in words)


def read_trace(text):
    after, cases = {}, []
    for line in text.splitlines():
        kind, *words = line.split()
        if kind == "next":
            after[words[0], words[1]] = words[2]
        elif kind == "case":
            cases.append({"name": " ".join(words), "events": []})
        elif kind == "expect":
            cases[-1]["expect"] = words[0].split(",")
        elif kind in ("param", "start"):
            cases[-1][kind] = pairs(words)
        elif kind == "event":
            cases[-1]["events"].append(pairs(words))
    return after, cases


def differs(table, after, case):
    """What the table expects, if that is not what happened."""
    device = Device(table, after, case["start"])
    try:
        for step in case["expect"]:
            device.run(step, case["param"])
    except (KeyError, ValueError) as err:
        return f"the table cannot be followed: {err!r}"
    return device.events if device.events != case["events"] else None


def in_words(events):
    if isinstance(events, str):
        return events
    return "; ".join(",".join(f"{k}={v}" for k, v in e.items()) for e in events) or "nothing"


# ---- changes that have to be noticed ----

def changes(table):
    """Every line left out, every two neighbours exchanged, every condition forgotten."""
    for name, (kind, _, lines) in table.parts.items():
        original = list(lines)
        for i, (conditions, words) in enumerate(original):
            text = f"{name}: {' '.join(words)}"
            lines[:] = original[:i] + original[i + 1:]
            yield f"{text}: left out"
            for c in conditions:
                lines[:] = original[:]
                lines[i] = ([x for x in conditions if x != c], words)
                yield f"{text}: without {c}"
            if i and kind == "step":
                lines[:] = original[:i - 1] + [original[i], original[i - 1]] + original[i + 1:]
                yield f"{text}: before {' '.join(original[i - 1][1])}"
        lines[:] = original


def check(program):
    text = subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout
    table = Table((HERE / "order.table").read_text())
    after, cases = read_trace(text)
    for case in cases:
        wanted = differs(table, after, case)
        if wanted is not None:
            sys.exit(f"lib/flow and tests/model/order.table disagree: {case['name']}\n"
                     f"  from:  {in_words([case['start']])}\n  code:  {in_words(case['events'])}\n"
                     f"  table: {in_words(wanted)}")
    few = {}
    for case in cases:  # one of each that differ in what was written and where it began
        few[str((case["expect"], case["start"]["state"], case["events"]))] = case
    noticed = 0
    for change in changes(table):
        found = any(differs(table, after, case) is not None for case in few.values()) or \
            any(differs(table, after, case) is not None for case in cases)
        if not found:
            sys.exit(f"order.table, {change}: not noticed")
        noticed += 1
    print(f"  order of writing: {len(cases)} situations as in order.table, "
          f"{noticed} of {noticed} changes of the table noticed")


# ---- the model's part ----

def promela_value(name, word, parameters):
    if word.startswith("@"):
        inner = word[1:].replace("-", "_")
        return inner if word[1:] in parameters else VARIABLES[inner].format()
    return WORDS.get(name, {}).get(word, word)


def promela_condition(condition, parameters):
    if condition.startswith("+"):
        return f"CAN_HAPPEN(state, EV_{condition[1:].upper().replace('-', '_')})"
    if "<" in condition:
        return None
    sign = "!=" if "!=" in condition else "="
    name, word = condition.split(sign)
    sign = sign.replace("=", "==", 1) if sign == "=" else sign
    if name == "state":
        return f"state {sign} STATE_{word.upper()}"
    if name == "other" and word == "torn":
        return "UNFIT(1 - running)"
    if name == "note":
        value = "0" if word == "none" else f"1 + ({promela_value(name, word, parameters)})"
        return f"tried_copy {sign} {value}"
    left = name if name in parameters else VARIABLES[name]
    return f"{left} {sign} {promela_value(name, word, parameters)}"


def promela_write(words, parameters):
    """The body of one WRITE, or a macro of the model's own; None: left out."""
    out = []
    for word in words:
        name, value = word.split("=")
        if name == "state":
            release = [w.split("=")[1] for w in words if w.startswith("release=")]
            release = promela_value("release", release[0], parameters) if release else "state_rel"
            return f"NOTE_STATE(EV_{value[1:].upper().replace('-', '_')}, {release})"
        if name == "result":
            return f"NOTE_RESULT({promela_value(name, value, parameters)})"
        if name == "log":
            out.append("log_gone = false")
        elif name == "note":
            out.append("tried_copy = " + ("0" if value == "none" else
                                          f"1 + ({promela_value(name, value, parameters)})"))
        elif value == "+1":
            out.append(f"{VARIABLES[name]}++")
        elif VARIABLES[name]:
            out.append(f"{VARIABLES[name]} = {promela_value(name, value, parameters)}")
    said = " ".join(words)
    return f"WRITE({'; '.join(out)}; printf(\"{said}\\n\"))" if out else None


def promela_line(table, words, parameters):
    called = table.call(words)
    if called:
        values = ", ".join(promela_value("", w, parameters) for w in called[1])
        return f"order_{called[0].replace('-', '_')}({values})"
    return promela_write(words, parameters)


def promela_part(table, name):
    kind, parameters, lines = table.parts[name]
    out, depth = [], 1
    for conditions, words in lines:
        body = promela_line(table, words, parameters)
        terms = [promela_condition(c, parameters) for c in conditions]
        tab = "\t" * depth
        if body is None or None in terms:
            continue
        if not terms:
            out.append(f"{tab}{body};")
            continue
        out.append(f"{tab}if\n{tab}:: {' && '.join(terms)} ->\n{tab}\t{body}\n{tab}:: else")
        if kind == "choose":
            out[-1] += " ->"
            depth += 1
        else:
            out[-1] += f"\n{tab}fi;"
    if kind == "choose":
        out.append("\t" * depth + "skip")
        out += ["\t" * d + "fi" for d in range(depth - 1, 0, -1)]
    out = out or ["\tskip"]
    names = ", ".join(p.replace("-", "_") for p in parameters)
    head = f"inline order_{name.replace('-', '_')}({names})\n{{\n"
    return head + "\n".join(out).rstrip(";") + "\n}\n"


def callees_first(table):
    """spin reads an inline before it is used."""
    done = []

    def visit(name):
        for _, words in table.parts[name][2]:
            called = table.call(words)
            if called:
                visit(called[0])
        if name not in done:
            done.append(name)

    for name in table.parts:
        visit(name)
    return done


# ---- tables that a model has to refute ----

def first_before(table, name, words, other):
    """In step @name the line that begins with @words is moved in front of the one with @other."""
    lines = table.parts[name][2]
    line = next(x for x in lines if x[1][:len(words.split())] == words.split())
    lines.remove(line)
    at = next(i for i, x in enumerate(lines) if x[1][:len(other.split())] == other.split())
    lines.insert(at, line)


def leave_out(table, name, words):
    lines = table.parts[name][2]
    lines.remove(next(x for x in lines if x[1] == words.split()))


def forget_count(table):
    for _, _, lines in table.parts.values():
        for _, words in lines:
            if "flag=main" in words:
                words.remove("count=0")


KNOWN_BAD = {
    "BUG_ENV_BEFORE_STATE": lambda t: first_before(t, "finish", "flag=main", "state=+installed"),
    "BUG_CONFIRM_ENV_FIRST": lambda t: first_before(t, "confirm", "do tell-healthy",
                                                    "previous=@confirmed"),
    "BUG_STAGE_FLAG_FIRST": lambda t: first_before(t, "stage", "flag=recovery", "network=@settings"),
    "BUG_WRITE_BEFORE_STATE": lambda t: first_before(t, "first-write", "main=torn",
                                                     "do begin-writing"),
    "BUG_HANDOVER_WITHOUT_FLAG": lambda t: leave_out(t, "tell-trial", "flag=main trial=1 count=0"),
    "BUG_TRIES_NOT_NOTED": lambda t: leave_out(t, "select", "tries=+1"),
    "BUG_TRIES_KEPT": lambda t: leave_out(t, "forget", "tries=0"),
    "BUG_BOOTCOUNT_NOT_RESET": forget_count,
}


def promela(bug=None):
    """The model's writes; with the known-bad order @bug, if it is one."""
    table = Table((HERE / "order.table").read_text())
    KNOWN_BAD.get(bug, lambda _: None)(table)
    parts = [promela_part(table, name) for name in callees_first(table)]
    return "/* Made by tests/model/order.py from order.table: do not edit. */\n" + "\n".join(parts)


def main(argv):
    if len(argv) == 3 and argv[1] == "check":
        check(argv[2])
    elif len(argv) == 2 and argv[1] == "promela":
        print(promela())
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv)
