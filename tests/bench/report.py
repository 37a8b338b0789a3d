# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians, goals, and the tables on the terminal."""

import statistics

MIB = 1024 * 1024
CHUNK = 256 * 1024  # the longest one, docs/SPEC.md
FIGURES = ("cpu_s", "wall_s", "rss_kib", "tree_rss_kib", "fetched_bytes", "requests",
           "repeated_bytes", "second_fetched_bytes")
PHASES = {"plan": "planning", "install": "install pass", "readback": "read-back"}
TITLES = {
    "full": "Full installation; the slot holds what is of no use",
    "empty": "Full installation; the slot holds zeros",
    "update": "Update from the old image",
    "tenth": "Update after which a tenth of the content is new",
    "resume": "Full installation, killed when half was written, and started again "
              "(fetched and written by both; at the end: more than without the kill)",
}
PATCHES = ("lifeboat --from", "xdelta3 -9", "bsdiff", "zstd --patch-from")


def median(runs, name):
    values = [r[name] for r in runs if r.get(name) is not None]
    return statistics.median(values) if values else None


def phases(runs):
    """{phase: {"wall_s", "cpu_s"}}: medians of what lifeboat-recovery says of itself."""
    told = [r["told"] for r in runs if r.get("told")]
    return {p: {"wall_s": median(told, f"{p}_ms"), "cpu_s": median(told, f"{p}_cpu_ms")}
            for p in PHASES if told and median(told, f"{p}_cpu_ms") is not None}


# ---- goals -------------------------------------------------------------------


class Goals:
    """One line for each thing that was promised, as far as its figures are there."""

    def __init__(self, pair):
        self.pair, self.rows = pair, {(r["tool"], r["case"]): r for r in pair["rows"]}
        self.lines = []

    def value(self, tool, case, name, how=statistics.median):
        row = self.rows.get((tool, case)) or {"runs": []}
        values = [r[name] for r in row["runs"] if r.get(name) is not None]
        return how(values) if values else None

    def phase(self, case, name, *which):
        row = self.rows.get(("lifeboat", case)) or {"runs": []}
        told = phases(row["runs"])
        return sum(told[w][name] for w in which) if all(w in told for w in which) else None

    def add(self, what, measured, limit, unit, at_least=False):
        if measured is None or limit is None:
            met = None
        else:
            met = measured >= limit if at_least else measured <= limit
        self.lines.append({"goal": what, "measured": measured, "limit": limit, "unit": unit,
                           "at_least": at_least, "met": met})

    def ratio(self, what, mine, other, limit, **more):
        self.add(what, mine / other if mine is not None and other else None, limit, "x", **more)

    def times(self):
        theirs = self.value("swupdate", "full", "cpu_s")
        for case, where in (("full", "slot of no use"), ("empty", "slot of zeros")):
            self.ratio(f"processor time, install pass / SWUpdate, {where}",
                       self.phase(case, "cpu_s", "install"), theirs, 1.0)
            self.ratio("  with the read-back",
                       self.phase(case, "cpu_s", "install", "readback"), theirs, 1.5)
            self.ratio("  the whole program, planning too",
                       self.value("lifeboat", case, "cpu_s"), theirs, None)
        for peer in ("curl|zstd|dd", "curl|zstd|sha256|dd"):
            self.ratio(f"wall time, install pass / {peer}", self.phase("full", "wall_s", "install"),
                       self.value(peer, "full", "wall_s"), 1.1)
            self.ratio("  the whole program", self.value("lifeboat", "full", "wall_s"),
                       self.value(peer, "full", "wall_s"), None)
        for case, full in (("tenth", "full"), ("tenth", "empty")):
            self.ratio(f"wall time, {TITLES[full].split('; ')[1]} / a tenth new",
                       self.value("lifeboat", full, "wall_s"),
                       self.value("lifeboat", case, "wall_s"), 4.0, at_least=True)

    def bounds(self):
        """Bounds hold in every run, so the worst one counts."""
        peaks = [v for c in TITLES if (v := self.value("lifeboat", c, "rss_kib", max))]
        self.add("memory (VmHWM), worst of all runs", max(peaks) / 1024 if peaks else None, 4.0,
                 "MiB")
        twice = self.value("lifeboat", "resume", "repeated_bytes", max)
        head = (self.pair["stored_bytes"].get("lifeboat") or {}).get("head")
        self.add("payload repeated after a kill, worst run",
                 max(0, twice - head) / 1024 if twice is not None and head else None,
                 (MIB + CHUNK) / 1024, "KiB")

    def sizes(self):
        mine = (self.pair["stored_bytes"].get("lifeboat") or {}).get("full")
        self.ratio("size of the full bundle / zstd -19", mine, self.pair["zstd_19_bytes"], 1.08)
        plain = {t: v for (t, c) in self.rows if c == "update" and not t.startswith("lifeboat")
                 and t not in PATCHES and (v := self.value(t, c, "fetched_bytes"))}
        best = min(plain, key=plain.get, default=None)
        self.ratio(f"fetched for the update / the best peer without patches ({best or 'none'})",
                   self.value("lifeboat", "update", "fetched_bytes"), plain.get(best), 1.0)
        patches = {t: self.pair["stored_bytes"][t]["patch"] for t in PATCHES[1:]
                   if "patch" in (self.pair["stored_bytes"].get(t) or {})}
        best = min(patches, key=patches.get, default=None)
        self.ratio(f"fetched with --from / the best patch ({best or 'none'})",
                   self.value("lifeboat --from", "update", "fetched_bytes"),
                   patches.get(best), 1.0)


def judge(pair):
    """Adds medians and goals to what was measured."""
    for row in pair["rows"]:
        row["median"] = {f: m for f in FIGURES if (m := median(row["runs"], f)) is not None}
        if told := phases(row["runs"]):
            row["phases"] = told
    goals = Goals(pair)
    goals.times()
    goals.bounds()
    goals.sizes()
    pair["goals"] = goals.lines
    return pair


# ---- tables ------------------------------------------------------------------


def number(value, scale=1.0, digits=2):
    return "" if value is None else f"{value / scale:.{digits}f}"


def ratio(value, base):
    return f"{value / base:.2f}" if value is not None and base else ""


COLUMNS = ("", "CPU s", "x", "wall s", "x", "MiB", "all", "fetched", "requests", "written")
WIDTHS = (22, 7, 6, 7, 6, 7, 7, 9, 8, 9)


def line(cells):
    print(" ".join(f"{c:<{w}}" if i == 0 else f"{c:>{w}}"
                   for i, (c, w) in enumerate(zip(cells, WIDTHS))) +
          "".join(f" {c:>9}" for c in cells[len(WIDTHS):]))


def show_case(pair, case):
    rows = [r for r in pair["rows"] if r["case"] == case]
    base = next((r["median"] for r in rows if r["tool"] == "lifeboat"), {})
    print(f"\n{TITLES[case]}:")
    line(COLUMNS + (("fetched", "written") if case == "resume" else ()))
    for row in rows:
        if row["reason"]:
            print(f"{row['tool']:<22} - {row['reason']}")
            continue
        m = row["median"]
        cells = [row["tool"], number(m.get("cpu_s")), ratio(m.get("cpu_s"), base.get("cpu_s")),
                 number(m.get("wall_s")), ratio(m.get("wall_s"), base.get("wall_s")),
                 number(m.get("rss_kib"), 1024, 1), number(m.get("tree_rss_kib"), 1024, 1),
                 number(m.get("fetched_bytes"), 1e6), str(round(m.get("requests", 0))),
                 number(row.get("written_bytes"), 1e6)]
        if case == "resume":
            cells += [number(m.get("repeated_bytes"), 1e6),
                      number(row.get("rewritten_bytes"), 1e6)]
        line(cells)
        for name, told in row.get("phases", {}).items():
            line([f"  {PHASES[name]}", number(told["cpu_s"]), "", number(told["wall_s"])])


def show_sizes(pair):
    print("\nStored on a server, MB; zstd -19 of the image: "
          f"{pair['zstd_19_bytes'] / 1e6:.2f} (host side: seconds, seconds of processor)")
    for tool, sizes in pair["stored_bytes"].items():
        told = ", ".join(f"{k} {v / 1e6:.2f} ({v / pair['zstd_19_bytes']:.2f} x)"
                         for k, v in sizes.items() if v is not None)
        made = pair["host"][tool]
        print(f"  {tool:<20} {told}; {made['wall_s']:.1f}, {made['cpu_s']:.1f}")


def show_goals(pair):
    print("\nGoals:")
    for g in pair["goals"]:
        sign = ("at least" if g["at_least"] else "at most") if g["limit"] is not None else ""
        limit = f"{sign} {g['limit']:g} {g['unit']}" if g["limit"] is not None else "(no goal)"
        have = f"{g['measured']:.2f} {g['unit']}" if g["measured"] is not None else "not measured"
        word = {True: "met", False: "MISSED", None: ""}[g["met"]]
        print(f"  {g['goal']:<72} {have:>14}  {limit:<16} {word}")


def show(result):
    m = result["machine"]
    print(f"{m['processor']}, {m['cores']} cores, SHA instructions: "
          f"{'yes' if m['sha_instructions'] else 'no'}; Linux {m['kernel']}; {m['file_system']}; "
          f"load {m['load'][0]:.2f} to {m['load_at_end'][0]:.2f}")
    print(f"lifeboat {m['commit']}, with {m['flags']}")
    print(f"Medians of {result['runs']} interleaved runs. x: / Lifeboat. MiB: largest VmHWM of a "
          "process; all: of all that live at once. Fetched: MB by the server's log; "
          "written: MB by system calls to files of the device.")
    if max(m["load"][0], m["load_at_end"][0]) > m["cores"]:
        print("NOTE: this machine was busy with other work; times mean little.")
    for pair in result["pairs"]:
        print(f"\n==== {pair['name']}: {pair['old_bytes'] / 1e6:.1f} -> "
              f"{pair['new_bytes'] / 1e6:.1f} MB")
        for case in TITLES:
            show_case(pair, case)
        show_sizes(pair)
        show_goals(pair)


def verdict(result):
    """Exit status: 1 for wrong bytes, or when Lifeboat did not install."""
    status = 0
    for pair in result["pairs"]:
        for text in pair["wrong"]:
            print(f"FAIL {pair['name']}: {text}")
            status = 1
        for row in pair["rows"]:
            if row["tool"] == "lifeboat" and not row["runs"]:
                print(f"FAIL {pair['name']}: lifeboat, {row['case']}: {row['reason']}")
                status = 1
    return status
