#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The boot script against tests/model/boot.table.

    boot_script.py check UBOOT.env   runs the script's text for every combination
    boot_script.py promela           the table as the model's boot decision

The interpreter knows what the script uses of U-Boot's shell (if, test, &&, run,
setenv, setexpr ...); a word that it does not know is an error, not a guess.
"""
import functools
import itertools
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
BOOTSCRIPTS = HERE.parent.parent / "bootscripts"
NAMES = BOOTSCRIPTS / "names.toml"


class Booted(Exception):
    """An image was started, or the board was reset: nothing comes back."""


def load_table():
    numbers = {k: v["value"] for k, v in tomllib.loads(NAMES.read_text())["number"].items()}
    rows = {"first": [], "copies": []}
    for line in (HERE / "boot.table").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            kind, *columns = line.split()
            rows[kind].append(columns)
    return numbers, rows


# ---- the table ----

def fits(pattern, value, numbers):
    if pattern.startswith("<"):
        return int(value) < numbers[pattern[1:]]
    return pattern in ("*", value)


def expected(env, images, table):
    """What is stored and tried, in order, as the table says."""
    numbers, rows = table
    env, trace = dict(env), []
    first, reason = next(r[3:] for r in rows["first"]
                         if fits(r[0], "yes" if images["hand"] else "no", numbers)
                         and fits(r[1], env["lifeboat_boot"], numbers)
                         and fits(r[2], env["bootcount"], numbers))
    if first == "main":
        env["bootcount"] = f"{int(env['bootcount'], 16) + 1:x}"
        trace += [("stored", dict(env)), ("boot", "boot", "")]
        if images["boot"]:
            return trace
    slot, tries, order = next(r[2:] for r in rows["copies"]
                              if fits(r[0], env["lifeboat_rtries"], numbers)
                              and fits(r[1], env["lifeboat_slot"], numbers))
    if slot != "=":
        env["lifeboat_slot"] = slot
    env["lifeboat_rtries"] = (f"{int(env['lifeboat_rtries'], 16) + 1:x}" if tries == "+1"
                              else tries)
    trace.append(("stored", dict(env)))
    for copy in order.split(","):
        trace.append(("boot", f"recovery_{copy}", f"lifeboat.copy={copy} lifeboat.reason={reason}"))
        if images[f"recovery_{copy}"]:
            return trace
    return trace + [("reset",)]


# ---- the script ----

@functools.cache
def tokens(text):
    """Words, ';', '&&' and '||'; a quoted word keeps a mark, because it stays when empty."""
    found = re.findall(r'\s+|&&|\|\||;|"[^"]*"|[^\s;&|"]+', text)
    if "".join(found) != text:
        raise SyntaxError(f"cannot read: {text}")
    return [t for t in found if not t.isspace()]


@functools.cache
def variables(text):
    return dict(line.split("=", 1) for line in text.splitlines() if line)


class Script:
    def __init__(self, text, stored, images):
        self.stored_names = set(stored)
        self.env = variables(text) | stored
        self.images, self.trace = images, []

    def text(self, word):
        word = word[1:-1] if word.startswith('"') else word
        if "$" not in word:
            return word
        return re.sub(r"\$\{(\w+)\}", lambda m: self.env.get(m.group(1), ""), word)

    def run(self, name):
        words = tokens(self.env[name])
        ok, rest = self.sequence(words, 0, True)
        if rest != len(words):
            raise SyntaxError(f"{name}: {words[rest]} is out of place")
        return ok

    def sequence(self, words, at, live):
        """Commands up to a word that ends a block; @live False: read, not run."""
        ok = True
        while at < len(words) and words[at] not in ("then", "else", "elif", "fi"):
            if words[at] == ";":
                at += 1
                continue
            ok, at = self.chain(words, at, live)
        return ok, at

    def chain(self, words, at, live):
        ok, at = self.command(words, at, live)
        while at < len(words) and words[at] in ("&&", "||"):
            wanted = ok == (words[at] == "&&")
            result, at = self.command(words, at + 1, live and wanted)
            ok = result if wanted else ok
        return ok, at

    def command(self, words, at, live):
        if words[at] == "if":
            return self.condition(words, at, live)
        end = at
        while end < len(words) and words[end] not in (";", "&&", "||"):
            end += 1
        if not live:
            return True, end
        arguments = [(w, self.text(w)) for w in words[at:end]]
        return self.execute([t for w, t in arguments if t or w.startswith('"')]), end

    def condition(self, words, at, live):
        done, ok = not live, True
        while words[at] in ("if", "elif"):
            truth, at = self.sequence(words, at + 1, not done)
            if words[at] != "then":
                raise SyntaxError("if without then")
            chosen = not done and truth
            result, at = self.sequence(words, at + 1, chosen)
            ok, done = (result, True) if chosen else (ok, done)
        if words[at] == "else":
            result, at = self.sequence(words, at + 1, not done)
            ok = ok if done else result
        if words[at] != "fi":
            raise SyntaxError("if without fi")
        return ok, at + 1

    def execute(self, words):
        name, rest = words[0], words[1:]
        if name in ("echo", "true", "sleep", "wdt", "part", "itest"):
            return True
        if name == "mmc" and rest[0] == "read":
            return True
        if name == "run" and len(rest) == 1:
            return self.run(rest[0])
        return getattr(self, "do_" + name.replace(".", "_"))(*rest)

    def do_waitkey(self, milliseconds, key):
        if not (milliseconds.isdecimal() and len(key) == 1):
            raise SyntaxError("waitkey")
        return self.images["hand"] == "key"

    def do_gpio(self, direction, pin):
        """U-Boot's command fails when the pin is high, as a button is that pulls it down."""
        if direction != "input" or not pin.isdecimal():
            raise SyntaxError("gpio")
        return self.images["hand"] == "button"

    def do_itest_l(self, register, operator, value):
        """Of a controller's data register, which is not 0 while the button is pressed."""
        if not re.fullmatch(r"\*0x[0-9a-f]+", register) or (operator, value) != ("-ne", "0"):
            raise SyntaxError("itest.l")
        return self.images["hand"] == "button"

    def do_false(self):
        return False

    def do_test(self, left, operator, right):
        if operator == "-lt":  # decimal, up to the first other character; nothing is 0
            return int(re.match(r"\d*", left)[0] or 0) < int(right)
        if operator != "=":
            raise SyntaxError(f"test {operator}")
        return left == right

    def do_setexpr(self, name, left, operator, right):
        if operator != "+":
            raise SyntaxError(f"setexpr {operator}")
        self.env[name] = f"{int(left, 16) + int(right, 16):x}"
        return True

    def do_setenv(self, name, *values):
        self.env[name] = " ".join(values)
        return True

    def do_saveenv(self):
        self.trace.append(("stored", {k: self.env[k] for k in self.stored_names}))
        return self.images["card"]

    def do_bootm(self, _address):
        part = self.env["lb_part"]
        words = self.env.get("bootargs", "").split()
        self.trace.append(("boot", part, " ".join(w for w in words if w.startswith("lifeboat."))))
        if self.images[part]:
            raise Booted
        return False

    def do_reset(self):
        self.trace.append(("reset",))
        raise Booted


def happens(text, env, images):
    script = Script(text, env, images)
    try:
        script.run("bootcmd")
    except Booted:
        return script.trace
    return script.trace + [("prompt",)]


# ---- both ----

STORED = {
    "lifeboat_boot": ["main", "recovery", "manual", "lost", "", "mainx", "Main", "run lb_main"],
    "bootcount": ["0", "1", "2", "3", "4", "9"],
    "lifeboat_rtries": ["0", "1", "2", "3", "4", "9"],
    "lifeboat_slot": ["a", "b", "", "c"],
    "upgrade_available": ["0", "1"],
}
IMAGES = ["boot", "recovery_a", "recovery_b", "card"]   # of a good card
HANDS = [None, "key", "button"]                         # what a person presses


def combinations():
    for values in itertools.product(*STORED.values()):
        for *whole, hand in itertools.product(*[(True, False)] * len(IMAGES), HANDS):
            yield dict(zip(STORED, values)), dict(zip(IMAGES, whole)) | {"hand": hand}


def difference(text, table, cases):
    """The first combination in which script and table disagree, and how many were tried."""
    count = 0
    for env, images in cases:
        count += 1
        try:
            found = happens(text, env, images)
        except (SyntaxError, KeyError, IndexError, AttributeError, TypeError, ValueError) as err:
            found = f"the script cannot be run: {err!r}"
        wanted = expected(env, images, table)
        if found != wanted:
            return count, f"{env}\n{images}\nscript: {found}\ntable:  {wanted}"
    return count, None


# One change each, as a person might make it: all must be noticed.
KNOWN_BAD = [
    ("the count is not stored", "setexpr bootcount ${bootcount} + 1; saveenv;",
     "setexpr bootcount ${bootcount} + 1;"),
    ("one boot more", '"${bootcount}" -lt 3', '"${bootcount}" -lt 4'),
    ("recovery is not counted", "setexpr lifeboat_rtries ${lifeboat_rtries} + 1;", ""),
    ("copies are not changed", "setenv lifeboat_slot b;", "true;"),
    ("a count that is kept", "setenv lifeboat_rtries 0;", "true;"),
    ("only one copy", "run lb_copy_a; run lb_copy_b", "run lb_copy_a"),
    ("another order", "run lb_copy_b; run lb_copy_a", "run lb_copy_a; run lb_copy_b"),
    ("main's arguments are recovery's", "setenv bootargs;", "setenv bootargs lifeboat.copy=a;"),
    ("a lost flag boots main", '= manual; then setenv lb_reason manual; else',
     '= manual; then setenv lb_reason manual; else run lb_main;'),
    ("a person's wish is not told", "= manual; then setenv lb_reason manual",
     "= manual; then setenv lb_reason requested"),
    ("a key is not told", "setenv lb_reason manual; elif", "setenv lb_reason requested; elif"),
    ("a key is not asked for", "waitkey 500 r ||", "false ||"),
    ("a button is not asked for", "|| itest.l *0x09030020 -ne 0; then", "; then"),
    ("a button that has to be held together with a key", "waitkey 500 r ||", "waitkey 500 r &&"),
    ("a key boots main", "setenv lb_reason manual; elif", "run lb_main; elif"),
    ("a broken main is booted for ever", "setenv lb_reason main-invalid", "reset"),
    ("it ends at a prompt", "sleep 5; reset", "sleep 5"),
]


def few(table):
    """Enough to notice a change, at a tenth of the time."""
    return [c for c in combinations()
            if c[0]["upgrade_available"] == "0" and c[1]["card"]
            and c[0]["bootcount"] in "0234" and c[0]["lifeboat_rtries"] in "0234"]


# Other boards' ways to ask a person, and what can be pressed there.
BY_HAND = [("gpio input 12", ["button"]), ("waitkey 500 r", ["key"]),
           ("waitkey 500 r || gpio input 12", ["key", "button"]), ("false", [])]


def other_boards(table):
    """The script as gen.py makes it for boards with a button, with a key, with both, with neither."""
    board = (BOOTSCRIPTS / "refboard-sd.toml").read_text()
    for command, there in BY_HAND:
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(re.sub(r'^ask_by_hand = .*', f'ask_by_hand = "{command}"', board, flags=re.M))
            file.flush()
            text = subprocess.run([sys.executable, BOOTSCRIPTS / "gen.py", "uboot-env", file.name],
                                  check=True, text=True, stdout=subprocess.PIPE).stdout
        if f"if {command}; then" not in text:
            sys.exit(f"ask_by_hand = {command} is not in the boot script")
        cases = [c for c in few(table) if c[1]["hand"] in (None, *there)]
        wrong = difference(text, table, cases)[1]
        if wrong:
            sys.exit(f"a board with ask_by_hand = {command} does not boot as boot.table says:\n{wrong}")


def check(path):
    table, text = load_table(), Path(path).read_text()
    count, wrong = difference(text, table, combinations())
    if wrong:
        sys.exit(f"boot script and tests/model/boot.table disagree:\n{wrong}")
    cases = few(table)
    for name, good, bad in KNOWN_BAD:
        if good not in text:
            sys.exit(f"known-bad script \"{name}\": its text is not in the boot script any more")
        if not difference(text.replace(good, bad), table, cases)[1]:
            sys.exit(f"known-bad script \"{name}\" was not noticed")
    other_boards(table)
    print(f"  boot script: {count} combinations as in boot.table, "
          f"{len(KNOWN_BAD)} of {len(KNOWN_BAD)} known-bad scripts noticed")


def guard(variable, pattern, values):
    if pattern.startswith("<"):
        return f"{variable} < {pattern[1:].upper()}"
    return "true" if pattern == "*" else f"{variable} == {values}{pattern.upper()}"


def rule(rows, actions):
    """Nested alternatives: the first row that fits counts."""
    depth, out = 1, []
    for row in rows:
        tab, (condition, body) = "\t" * depth, actions(row)
        if condition == "true && true":
            out.append(f"{tab}{body}")
            break
        out += [f"{tab}if", f"{tab}:: {condition} -> {body}", f"{tab}:: else ->"]
        depth += 1
    out += ["\t" * d + "fi" for d in range(depth - 1, 0, -1)]
    return "\n".join(out)


def promela():
    _, rows = load_table()
    if rows["first"][-1][:3] != ["*", "*", "*"] or rows["copies"][-1][:2] != ["*", "*"]:
        sys.exit("boot.table: the last row of each kind must fit everything")

    def first(row):
        hand, flag, count, target, reason = row
        asked = {"yes": "by_hand && ", "no": "!by_hand && ", "*": ""}[hand]
        return (f"{asked}{guard('flag', flag, 'FLAG_')} && {guard('bootcount', count, '')}",
                f"try_main = {int(target == 'main')}; reason = REASON_"
                f"{reason.upper().replace('-', '_')}")

    def copies(row):
        tries, slot, new_slot, new_tries, order = row
        body = "" if new_slot == "=" else f"slot = COPY_{new_slot.upper()}; "
        body += "rtries++" if new_tries == "+1" else f"rtries = {new_tries}"
        return (f"{guard('rtries', tries, '')} && {guard('slot', slot, 'COPY_')}",
                f"{body}; copy = COPY_{order[0].upper()}")

    print("/* Made by tests/model/boot_script.py from boot.table: do not edit. */")
    print(f"inline boot_first()\n{{\n{rule(rows['first'], first)}\n}}\n")
    print(f"inline boot_copies()\n{{\n{rule(rows['copies'], copies)}\n}}")


def main(argv):
    if len(argv) == 3 and argv[1] == "check":
        check(argv[2])
    elif len(argv) == 2 and argv[1] == "promela":
        promela()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv)
