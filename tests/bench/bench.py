#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lifeboat and other updaters on the same images, on this machine: docs/BENCH.md.

Fails when an installation gives wrong bytes, or Lifeboat none; never because of a time.
"""

import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from delta_tools import Bsdiff, Casync, PatchFrom, Xdelta, Zchunk, Zsync
from full_tools import Absent, Pipeline, PipelineSha, Rauc, SwUpdate, SwUpdateDelta, compressed
from lab import Cannot, Lab, Wrong
from pair import Pair, small
import report

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "recovery"))
from ours import Lifeboat, LifeboatPatches  # noqa: E402

CASES = ("full", "empty", "update", "tenth", "resume")
OURS_ALONE = ("empty", "tenth")


def all_tools(build, version):
    return [Lifeboat(build, version), LifeboatPatches(build, version), SwUpdate(),
            SwUpdateDelta(), Rauc(), Pipeline(), PipelineSha(), Casync(65536), Casync(16384),
            Zchunk(), Zsync(), Xdelta(), Bsdiff(), PatchFrom(),
            Absent("fwup", "not in Debian"), Absent("mender", "not in Debian")]


class Bench:
    """One pair of images, all tools, all cases."""

    def __init__(self, pair, tools, folder, measure):
        self.pair, self.folder, self.measure = pair, folder, measure
        self.tools, self.wrong = tools, []
        self.rows = {(t.name, c): {"tool": t.name, "case": c, "runs": [], "reason": None}
                     for t in tools for c in CASES
                     if c in t.cases or c not in OURS_ALONE}

    def row(self, tool, case):
        return self.rows.get((tool.name, case))

    def give_up(self, tool, case, reason):
        row = self.row(tool, case)
        if row and not row["runs"]:
            row["reason"] = reason

    def prepare(self):
        """Host sides; who cannot, says why."""
        ready = []
        for tool in self.tools:
            reason = next((r for c in tool.cases if (r := tool.reason(c))), None)
            try:
                if not reason:
                    say(f"{tool.name}: host side")
                    tool.prepare(self.pair)
                    ready.append(tool)
            except Cannot as e:
                reason = str(e)
            for case in CASES:
                if reason or case not in tool.cases:
                    self.give_up(tool, case, reason or tool.why_not(case))
        self.tools = ready

    def run(self, runs):
        self.prepare()
        lab = Lab(self.folder, self.pair.folder, self.measure, self.pair)
        try:
            for tool in self.tools:
                tool.start(lab)
            for n in range(runs + 1):
                for case in CASES:
                    # each one is first, second, last in turn
                    for i in range(len(self.tools)):
                        self.one(self.tools[(i + n) % len(self.tools)], case, lab, n)
        finally:
            lab.close()

    def one(self, tool, case, lab, n):
        """Pass 0 counts what is written, the others take the time."""
        row = self.row(tool, case)
        if case not in tool.cases or row["reason"]:
            return
        try:
            if case == "resume":
                self.resume(tool, row, lab, n)
            else:
                self.plain(tool, row, lab, n)
        except Wrong as e:
            self.wrong.append(f"{tool.name}, {case}: {e}")
            row["reason"] = f"WRONG BYTES: {e}"
        except Cannot as e:
            row["reason"] = str(e)
        say(f"pass {n} {case}: {tool.name}: {row['reason'] or brief(row)}")

    @staticmethod
    def plain(tool, row, lab, n):
        command = tool.command(row["case"], lab)
        lab.reset(command)
        if n == 0:
            row["written_bytes"] = lab.count(command)["written_bytes"]
            return
        load = os.getloadavg()[0]
        row["runs"].append({"load": load, **lab.time(command), **tool.figures(lab)})

    def resume(self, tool, row, lab, n):
        """Killed when half of a whole installation's bytes were written, then started again."""
        whole = self.row(tool, "full")
        if "written_bytes" not in whole or n and not whole["runs"]:
            raise Cannot("there is no full installation to compare with")
        command = tool.command("full", lab)
        lab.reset(command)
        first = lab.count(command, kill_at=whole["written_bytes"] // 2)
        lab.reboot()
        if n == 0:
            second = lab.count(tool.again(lab))
            row["written_bytes"] = first["written_bytes"] + second["written_bytes"]
            row["rewritten_bytes"] = row["written_bytes"] - whole["written_bytes"]
            return
        load = os.getloadavg()[0]
        second = lab.time(tool.again(lab))
        fetched = first["fetched_bytes"] + second["fetched_bytes"]
        row["runs"].append({
            "load": load, **second, **tool.figures(lab), "first": first,
            "rss_kib": max(first["rss_kib"], second["rss_kib"]), "fetched_bytes": fetched,
            "requests": first["requests"] + second["requests"],
            "second_fetched_bytes": second["fetched_bytes"],
            "repeated_bytes": fetched - whole["runs"][-1]["fetched_bytes"]})

    def results(self, name):
        sizes = {t.name: t.sizes for t in self.tools}
        return {"name": name, "old": str(self.pair.old), "new": str(self.pair.new),
                "old_bytes": self.pair.old_bytes, "new_bytes": self.pair.new_bytes,
                "old_sha256": self.pair.digest["old"], "new_sha256": self.pair.digest["new"],
                "zstd_19_bytes": compressed(self.pair).stat().st_size, "stored_bytes": sizes,
                "host": {t.name: t.host for t in self.tools},
                "notes": {t.name: t.note for t in self.tools},
                "versions": {t.name: t.version() for t in self.tools},
                "rows": list(self.rows.values()), "wrong": self.wrong}


def brief(row):
    if not row["runs"]:
        return f"{row['written_bytes']} bytes written"
    last = row["runs"][-1]
    return f"{last['cpu_s']:.2f} s of processor, {last['wall_s']:.2f} s"


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def of_command(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def machine(folder, flags):
    """What the figures depend on besides the images."""
    info = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":")[1].strip() for line in info if line.startswith("model name")]
    words = next((line.split(":")[1].split() for line in info
                  if line.startswith(("flags", "Features"))), [])
    return {"processor": names[0] if names else os.uname().machine, "cores": os.cpu_count(),
            "sha_instructions": bool({"sha_ni", "sha2"} & set(words)),
            "kernel": os.uname().release, "flags": flags, "load": list(os.getloadavg()),
            "file_system": of_command("findmnt", "-n", "-o", "FSTYPE", "-T", str(folder)),
            "memory_kib": int(pathlib.Path("/proc/meminfo").read_text().split()[1]),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "commit": of_command("git", "describe", "--always", "--dirty")}


def arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", type=pathlib.Path, required=True)
    p.add_argument("--pair", nargs=3, action="append", metavar=("NAME", "OLD", "NEW"))
    p.add_argument("--small", action="store_true", help="a few MB that are made up")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--tools", default="", help="only those whose name contains one of these")
    p.add_argument("--flags", default="", help="how the programs were compiled")
    p.add_argument("--output", type=pathlib.Path, help="folder; default: build/bench")
    return p.parse_args()


def chosen(tools, wanted):
    words = wanted.replace(",", " ").split()
    return [t for t in tools if not words or any(w in t.name for w in words)]


def main():
    a = arguments()
    # through the finally clauses: neither server nor tool outlives this
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    build = a.build.resolve()
    folder = (a.output or build / "bench").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    pairs = a.pair or []
    if a.small:
        pairs = [("small", *small(folder / "small")), *pairs]
    if not pairs or a.runs < 1:
        sys.exit("bench: no images to install")
    about = machine(folder, a.flags)
    result = {"format": 1, "machine": about, "runs": a.runs, "pairs": []}
    for name, old, new in pairs:
        say(f"{name}: {old} -> {new}")
        bench = Bench(Pair(old, new, folder / "pairs"),
                      chosen(all_tools(build, about["commit"]), a.tools), folder / "run",
                      build / "host/bin/measure")
        bench.run(a.runs)
        result["pairs"].append(report.judge(bench.results(name)))
    about["load_at_end"] = list(os.getloadavg())
    (folder / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    report.show(result)
    print(f"\nthe same with each run: {folder / 'results.json'}")
    return report.verdict(result)


if __name__ == "__main__":
    sys.exit(main())
