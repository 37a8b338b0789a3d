#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Line coverage by gcov, from programs of the variant "cov".

usage: coverage.py BUILD fuzz    each parser's files by its corpus alone; fails below 95 %
       coverage.py BUILD all     lib/ by unit tests, powercut and all corpora together
       coverage.py BUILD programs      what their tests add to that
       coverage.py BUILD lines FILE    the lines that the last run left out
"""
import gzip
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

GOAL_PARSER = 95.0
GOAL_LIB = 90.0

# Tests that mostly wait: so many at once, where pytest can.
PARALLEL = {"net": 4}

PARSERS = {
    "channel": ["lib/bundle/channel.c", "lib/bundle/hardware.c", "lib/trust/channel.c"],
    "chunk": ["lib/bundle/chunk.c"],
    "config": ["lib/linux/config.c"],
    "env": ["lib/boot/env.c", "lib/boot/uboot.c"],
    "fit": ["lib/bundle/fit.c", "lib/bundle/fit_sign.c"],
    "head": ["lib/bundle/head.c"],
    "headers": ["lib/linux/http_headers.c"],
    "request": ["lib/web/request.c"],
    "multipart": ["lib/web/multipart.c"],
    "index": ["lib/bundle/index.c", "lib/bundle/bundle.c"],
    "json": ["lib/base/json.c"],
    "keyring": ["lib/trust/keyring.c"],
    "log": ["lib/state/log.c", "lib/state/log_format.c"],
    "manifest": ["lib/bundle/manifest.c", "lib/bundle/hardware.c"],
    "patch": ["lib/bundle/patch.c", "lib/bundle/patch_read.c"],
    "records": ["lib/state/records.c", "lib/state/record_json.c", "lib/state/release.c"],
    "tar": ["lib/bundle/tar.c"],
    "recode": ["lib/recode/recode.c"],
    "zframe": [f"lib/recode/zframe_{part}.c" for part in
               ("fields", "pack", "pack_literals", "tables", "unpack", "unpack_literals")],
    "url": ["lib/bundle/url.c", "lib/linux/http_url.c"],
    "xzblock": ["lib/recode/xzblock.c", "lib/recode/xz_guess.c", "lib/recode/xz_lzma.c", "lib/recode/xz_lzma2.c",
                "lib/recode/xz_range.c", "lib/recode/xz_tokens.c"],
}


def forget(build):
    for counts in Path(build, "cov/obj").rglob("*.gcda"):
        counts.unlink()


def run(build, program, *args):
    log = Path(build, "cov", program + ".log")
    with open(log, "w") as out:
        if subprocess.run([f"{build}/cov/bin/{program}", *args], stdout=out,
                          stderr=subprocess.STDOUT).returncode:
            sys.exit(f"coverage: {program} failed, see {log}")


def lines(build):
    """{file: {line: times}} of lib/*/*.c; a file that no program linked counts as not run"""
    notes = sorted(Path(build, "cov/obj/lib").rglob("*.gcno"))
    found = {}
    with tempfile.TemporaryDirectory() as work:
        top = os.getcwd()
        subprocess.run(["gcov", "--json-format", "--preserve-paths",
                        *[str(Path(top, n)) for n in notes]],
                       cwd=work, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for result in Path(work).glob("*.gcov.json.gz"):
            for file in json.loads(gzip.decompress(result.read_bytes()))["files"]:
                name = os.path.relpath(os.path.join(top, file["file"]), top)
                if not name.startswith("lib/") or not name.endswith(".c"):
                    continue
                count = found.setdefault(name, {})
                for line in file["lines"]:
                    number = line["line_number"]
                    count[number] = count.get(number, 0) + line["count"]
    return found


def share(count):
    return 100.0 * sum(1 for n in count.values() if n) / len(count) if count else 100.0


def missed(count):
    return " ".join(str(n) for n in sorted(count) if not count[n])


def fuzz(build):
    bad = 0
    for name, files in PARSERS.items():
        forget(build)
        run(build, "fuzz_" + name, f"tests/fuzz/corpus/{name}")
        found = lines(build)
        for file in files:
            percent = share(found[file])
            print(f"{name:10} {file:28} {percent:5.1f} % of {len(found[file])} lines"
                  f"   not run: {missed(found[file]) or 'none'}")
            bad += percent < GOAL_PARSER
    if bad:
        print(f"fuzz-coverage: {bad} files are below {GOAL_PARSER} %", file=sys.stderr)
    return 1 if bad else 0


def shadow(build):
    """A build folder whose programs are those of the variant cov."""
    tree, top = Path(build, "cov/tree"), Path(build).resolve()
    shutil.rmtree(tree, ignore_errors=True)
    for variant in ("asan", "host"):
        (tree / variant).mkdir(parents=True)
        (tree / variant / "bin").symlink_to(top / "cov/bin")
    for entry in top.iterdir():
        if entry.name not in ("asan", "host", "cov", "tests", "work", "e2e"):
            (tree / entry.name).symlink_to(entry)
    return tree.resolve()


def at_once(folder):
    return ["-n", str(PARALLEL[folder])] if folder in PARALLEL and \
        importlib.util.find_spec("xdist") else []


def pytest(build, *folders):
    """
    The programs' tests, with programs of the variant cov. Memory is measured and sanitizers are
    looked for elsewhere: those programs are others. Returns the logs of what failed.
    """
    tree, bad = shadow(build), []
    for folder in folders:
        (tree / "tests" / folder).mkdir(parents=True)
        skipped = [f"--ignore=tests/{folder}/test_{name}.py" for name in ("memory", "sanitizers")]
        log = Path(build, "cov", folder + ".log")
        with open(log, "w") as out:
            if subprocess.run(["/usr/bin/python3", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                               *at_once(folder),
                               f"--basetemp={tree}/tests/{folder}/tmp", *skipped, f"tests/{folder}"],
                              env={**os.environ, "LB_BUILD": str(tree)}, stdout=out,
                              stderr=subprocess.STDOUT).returncode:
                bad.append(str(log))
    return bad


def programs(build):
    bad = pytest(build, "recovery", "agent", "cli")
    return report(build, "by everything that runs here", bad)


def everything(build, unit):
    forget(build)
    run(build, "powercut", "--quick", "--no-canaries")  # several processes by itself
    jobs = [[test] for test in unit] + [["order-trace"]] + \
        [["fuzz_" + name, f"tests/fuzz/corpus/{name}"] for name in PARSERS]
    with ThreadPoolExecutor(2) as pool:  # libgcov locks the counts that it adds to
        list(pool.map(lambda job: run(build, *job), jobs))
    bad = pytest(build, "net")
    return report(build, "without the tests of recovery, agent and host tool", bad)


def report(build, how, bad):
    """Fails below the goal. Tests that fail have a tier of their own: here they are named."""
    found, total, hit = lines(build), 0, 0
    for file, count in sorted(found.items()):
        print(f"{share(count):5.1f} %  {len(count):4}  {file}")
        total += len(count)
        hit += sum(1 for n in count.values() if n)
    print(f"{100.0 * hit / total:5.1f} %  {total:4}  lib/ ({how}; goal {GOAL_LIB:.0f} %)")
    if bad:
        print(f"coverage: tests failed without optimisation and with gcov: {' '.join(bad)}",
              file=sys.stderr)
    return 100.0 * hit / total < GOAL_LIB


def main():
    build, what, *rest = sys.argv[1:]
    if what == "fuzz":
        return fuzz(build)
    if what == "programs":
        return programs(build)
    if what == "lines":
        print(missed(lines(build)[rest[0]]))
        return 0
    return everything(build, rest)


if __name__ == "__main__":
    sys.exit(main())
