# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the comparison measure what it says, and notice wrong bytes?

Nothing is said about times here. Peers that are not installed are not tried.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("LB_BUILD", HERE.parents[1] / "build")).resolve()
MIB = 1024 * 1024
PEERS = "lifeboat,curl|zstd|dd,xdelta3,fwup"  # quick ones, one that is always missing


def measure(folder, *words, text):
    """Figures of a shell command."""
    out = folder / "figures.json"
    subprocess.run([BUILD / "host/bin/measure", *words, "--out", out, "--", "bash", "-c", text],
                   cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return json.loads(out.read_text())


def bench(output, *words, path=None):
    return subprocess.run(
        [sys.executable, "-B", HERE / "bench.py", "--build", BUILD, "--output", output, "--small",
         "--runs", "1", *words], capture_output=True, text=True,
        env={**os.environ, "PATH": path or os.environ["PATH"]})


@pytest.fixture(scope="module")
def small_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    done = bench(folder, "--tools", PEERS)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout, json.loads((folder / "results.json").read_text())


def rows_of(result):
    return {(r["tool"], r["case"]): r for r in result["pairs"][0]["rows"]}


def test_written_bytes_are_those_of_files_and_of_all_descendants(tmp_path):
    text = "head -c 3000000 /dev/zero | cat | (dd of=a bs=4k; (cp a b); cat b >/dev/null)"
    assert measure(tmp_path, "--count", tmp_path, text=text)["written_bytes"] == 6_000_000


def test_a_command_is_killed_when_it_has_written_so_much(tmp_path):
    text = "cat /dev/zero | dd of=a iflag=fullblock bs=10000; dd if=/dev/zero of=b bs=10000 count=1000"
    told = measure(tmp_path, "--count", tmp_path, "--kill-at", "500000", text=text)
    assert told["killed"] and told["signal"] == 9
    assert told["written_bytes"] == 500_000 == (tmp_path / "a").stat().st_size
    assert not (tmp_path / "b").exists()


def test_memory_is_that_of_the_largest_process_and_of_all_at_once(tmp_path):
    hold = tmp_path / "hold.py"  # SIZE MINE OTHER: until the other one has as much as it wants
    hold.write_text("import os, sys, time\nx = bytearray(int(sys.argv[1]) << 20)\n"
                    "open(sys.argv[2], 'w').close()\n"
                    "while not os.path.exists(sys.argv[3]): time.sleep(0.01)\n")
    run = f"{sys.executable} {hold}"
    text = f"{run} 40 a b & {run} 60 b a; wait; {run} 50 c c"
    told = measure(tmp_path, text=text)
    assert 60 * 1024 < told["rss_kib"] < 90 * 1024
    assert 100 * 1024 < told["tree_rss_kib"] < 160 * 1024


def test_processor_time_of_descendants_is_counted(tmp_path):
    busy = "import time\nwhile time.process_time() < 0.2: pass"
    text = f"({sys.executable} -c '{busy}') | ({sys.executable} -c '{busy}')"
    assert measure(tmp_path, text=text)["cpu_s"] >= 0.4


def test_every_case_of_lifeboat_is_measured(small_run):
    rows, new_bytes = rows_of(small_run[2]), small_run[2]["pairs"][0]["new_bytes"]
    for case in ("full", "empty", "update", "tenth", "resume"):
        row = rows["lifeboat", case]
        assert row["reason"] is None and len(row["runs"]) == 1
        assert all(row["median"][f] > 0 for f in ("cpu_s", "wall_s", "rss_kib", "fetched_bytes"))
    # zeros are made by the device
    assert 0.8 * new_bytes < rows["lifeboat", "full"]["written_bytes"] < 1.3 * new_bytes
    assert rows["lifeboat", "update"]["median"]["fetched_bytes"] \
        < rows["lifeboat", "full"]["median"]["fetched_bytes"] / 2
    assert rows["lifeboat", "tenth"]["written_bytes"] < new_bytes / 2


def test_patches_are_used_where_they_are_measured(small_run):
    row = rows_of(small_run[2])["lifeboat --from", "update"]
    assert row["reason"] is None and row["runs"][0]["told"]["patch_bytes"] > 0


def test_a_kill_costs_lifeboat_little_and_a_pipeline_all(small_run):
    rows = rows_of(small_run[2])
    mine, theirs = rows["lifeboat", "resume"], rows["curl|zstd|dd", "resume"]
    assert mine["median"]["repeated_bytes"] <= MIB + 256 * 1024 + 64 * 1024
    whole = rows["curl|zstd|dd", "full"]
    assert theirs["median"]["second_fetched_bytes"] == whole["median"]["fetched_bytes"]
    assert theirs["written_bytes"] >= 1.5 * whole["written_bytes"] > mine["written_bytes"]


def test_who_cannot_is_a_row_with_the_reason(small_run):
    rows = rows_of(small_run[2])
    assert rows["fwup", "full"]["reason"] == "not in Debian"
    assert "fwup" in small_run[1]
    for row in rows.values():
        assert row["runs"] or row["reason"]


def test_the_table_shows_tools_sizes_and_goals(small_run):
    text = small_run[1]
    for words in ("curl|zstd|dd", "Update from the old image", "zstd -19 of the image", "Goals:",
                  "payload repeated after a kill"):
        assert words in text
    assert len(small_run[2]["pairs"][0]["goals"]) > 10


def test_wrong_bytes_fail_the_run(small_run, tmp_path):
    """dd changes one byte in the middle, as a bad tool would."""
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "dd").write_text(
        f'#!/bin/sh\n{shutil.which("dd")} "$@" || exit 1\n'
        'for w; do case $w in of=*) to=${w#of=} ;; esac; done\n'
        f'printf x | {shutil.which("dd")} of="$to" bs=1 seek=1000000 conv=notrunc status=none\n')
    (fake / "dd").chmod(0o755)
    done = bench(small_run[0], "--tools", "curl|zstd|dd", path=f"{fake}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert "FAIL small: curl|zstd|dd, full" in done.stdout
