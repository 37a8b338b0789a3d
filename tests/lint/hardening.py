#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: hardening.py PROGRAM...

Each program: position independent, RELRO with immediate binding, a stack that is not
executable, no segment that is writable and executable, no text relocations, and a stack
protector that is called. Before that, a program without any of it is built, and must be
refused on every count.
"""
import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

# musl's __stack_chk_fail(); for arm64: mov x0,#0; strb wzr,[x0]; brk #1000; for x86-64: hlt;
# ret. The programs are stripped: it is found by these instructions and by how often it is called.
MUSL_CHK_FAIL = {"arm64": struct.pack("<III", 0xd2800000, 0x3900001f, 0xd4207d00),
                 "x86-64": bytes((0xf4, 0xc3))}
CALLS_MIN = 100


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args], stdout=subprocess.PIPE, check=True,
                          text=True).stdout


def segments(path):
    """[(type, file offset, address, size in the file, flags)]"""
    found = []
    for line in readelf("-l", path).splitlines():
        m = re.match(r"\s+([A-Z_]+)\s+(0x\w+)\s+(0x\w+)\s+0x\w+\s+(0x\w+)\s+0x\w+\s+([RWE ]{3})\s", line)
        if m:
            found.append((m[1], int(m[2], 16), int(m[3], 16), int(m[4], 16), m[5]))
    return found


def targets_of_calls(machine, code):
    if machine == "arm64":
        for i, (word,) in enumerate(struct.iter_unpack("<I", code[:len(code) // 4 * 4])):
            if word >> 26 == 0x25:  # bl
                yield i * 4 + ((word & 0x3ffffff) - ((word & 0x2000000) << 1)) * 4
        return
    for m in re.finditer(b"(?=\xe8(....))", code, re.DOTALL):  # call
        yield m.start() + 5 + struct.unpack("<i", m[1])[0]


def calls_of_musl_chk_fail(path, machine):
    data, most, fails = Path(path).read_bytes(), 0, MUSL_CHK_FAIL[machine]
    for kind, offset, _, size, flags in segments(path):
        if kind != "LOAD" or "E" not in flags:
            continue
        code = data[offset:offset + size]
        for target, calls in Counter(targets_of_calls(machine, code)).items():
            if target >= 0 and code.startswith(fails, target):
                most = max(most, calls)
    return most


def has_stack_protector(path):
    if "INTERP" in [kind for kind, *_ in segments(path)]:
        return "__stack_chk_fail" in readelf("--dyn-syms", path)
    machine = "arm64" if "AArch64" in readelf("-h", path) else "x86-64"
    return calls_of_musl_chk_fail(path, machine) >= CALLS_MIN


def complaints(path):
    parts, dynamic = segments(path), readelf("-d", path)
    stack = [flags for kind, *_, flags in parts if kind == "GNU_STACK"]
    if not re.search(r"Type:\s+DYN", readelf("-h", path)):
        yield "is not position independent"
    if not any(kind == "GNU_RELRO" for kind, *_ in parts):
        yield "has no RELRO segment"
    if not re.search(r"BIND_NOW|Flags:.*\bNOW\b", dynamic):
        yield "binds lazily"
    if not stack or "E" in stack[0]:
        yield "has an executable stack"
    if any(kind == "LOAD" and "W" in flags and "E" in flags for kind, *_, flags in parts):
        yield "has a segment that is writable and executable"
    if "TEXTREL" in dynamic:
        yield "has text relocations"
    if not has_stack_protector(path):
        yield "has no stack protector"


def weak_program_is_refused():
    wanted = {"is not position independent", "has no RELRO segment", "binds lazily",
              "has an executable stack", "has no stack protector"}
    with tempfile.TemporaryDirectory() as work:
        weak = f"{work}/weak"
        subprocess.run(["gcc", "-x", "c", "-", "-o", weak, "-no-pie", "-fno-pie",
                        "-fno-stack-protector", "-z", "norelro", "-z", "lazy", "-z", "execstack"],
                       input=b"int main(void) { return 0; }\n", check=True)
        missing = wanted - set(complaints(weak))
    if missing:
        print(f"hardening: a program without protection passes: it {', '.join(missing)}")
    return not missing


def main():
    bad = 0 if weak_program_is_refused() else 1
    for path in sys.argv[1:]:
        for complaint in complaints(path):
            print(f"hardening: {path} {complaint}")
            bad += 1
    print(f"hardening: {len(sys.argv) - 1} programs, {bad} complaints")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
