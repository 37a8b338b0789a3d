# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of writing, as the kernel sees it (strace): docs/DESIGN.md, sections 6 and 8.

A killed program loses no writes, so the other tests cannot tell flushed from
unflushed. Here every write, flush and read of the medium is looked at.
"""

import re
import shutil
import subprocess

import pytest

import bundles
from device import MIB, STATE
from test_install import check_installed

CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
CALLS = "openat,pread64,pwrite64,fdatasync,sync_file_range"


def whole_calls(lines):
    """Those of two threads, each where it ended."""
    begun = {}
    for line in lines:
        thread, call = line.split(None, 1)
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>").rstrip()
        elif call.startswith("<... "):
            yield f"{thread} {begun.pop(thread)}{call.split('resumed>', 1)[1]}"
        else:
            yield line


class Trace:
    """[(what, region, offset in it, length)] of one run, and what it checks on the way."""

    def __init__(self, device, lines):
        self.device, self.steps = device, []
        self.fds, self.direct = {}, set()
        for line in whole_calls(lines):
            call = CALL.match(line)
            if call and int(call.group(3)) >= 0:
                self.note(call.group(1), call.group(2), int(call.group(3)))

    def region(self, offset):
        for name, (start, size) in self.device.regions.items():
            if start <= offset < start + size:
                return name, offset - start
        raise AssertionError(f"byte {offset} belongs to no region")

    def note(self, call, args, result):
        if call == "openat":
            self.direct.discard(result)
            self.fds.pop(result, None)
            if "disk.img" in args:
                self.fds[result] = None
                if "O_DIRECT" in args:
                    self.direct.add(result)
            return
        fd = int(args.split(",")[0])
        if fd not in self.fds:
            return
        if call == "fdatasync":
            self.steps.append(("flush", self.fds[fd], 0, 0))
            return
        if call == "sync_file_range":
            _, offset, length, how = (a.strip() for a in args.split(","))
            assert how == "SYNC_FILE_RANGE_WRITE", "begins, and waits for nothing"
            name, at = self.region(int(offset))
            self.steps.append(("begin", name, at, int(length)))
            return
        offset = int(args.rsplit(",", 1)[1])
        name, at = self.region(offset)
        self.fds[fd] = name
        if call == "pwrite64":
            self.steps.append(("write", name, at, result))
        elif fd in self.direct:
            self.steps.append(("medium", name, at, result))

    def first(self, what, regions):
        return next(i for i, s in enumerate(self.steps) if s[0] == what and s[1] in regions)

    def last(self, what, regions):
        return max(i for i, s in enumerate(self.steps) if s[0] == what and s[1] in regions)

    def unflushed(self, until, region):
        """Bytes of @region that a cut right before step @until may lose."""
        lost = 0
        for what, name, _, length in self.steps[:until]:
            if name == region:
                lost = lost + length if what == "write" else 0 if what == "flush" else lost
        return lost

    def most_unflushed(self, region):
        return max(self.unflushed(i + 1, region) for i, s in enumerate(self.steps)
                   if s[:2] == ("write", region))


def covered(steps, region, size):
    """Is every byte from 0 to @size read by a "medium" step?"""
    at = 0
    for start, length in sorted((s[2], s[3]) for s in steps if s[:2] == ("medium", region)):
        if start > at:
            return False
        at = max(at, start + length)
    return at >= size


@pytest.fixture
def traced(device, packed, images, tmp_path):
    """A good install of release 2 under strace."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    device.save_config()
    device.cmdline.write_text("")
    around = device.guarded(images[2])
    log = tmp_path / "trace"
    done = subprocess.run(
        ["strace", "-f", "-o", log, "-e", f"trace={CALLS}", "-s", "1",
         device.program, "--config", device.config, "--quiet", "--install", packed[2]],
        capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    check_installed(device, images[2], around)
    return Trace(device, log.read_text().splitlines())


SLOTS = ("boot", "root")
ENV = ("env0", "env1")


def test_order_of_writing(traced, device, packed, images):
    trace, data = traced, packed[2].read_bytes()

    # a cut costs at most 1 MiB and a chunk
    for slot in SLOTS:
        assert trace.most_unflushed(slot) <= MIB + bundles.longest_stored(data)
        assert trace.unflushed(len(trace.steps), slot) == 0

    # state=updating and flag=recovery are durable before the first byte of main
    begin = trace.first("write", SLOTS)
    for names in (("state",), ENV):
        assert any(s[0] == "write" and s[1] in names for s in trace.steps[:begin])
    for name in ("state", *ENV):
        assert trace.unflushed(begin, name) == 0

    # everything is read from the medium after the last write to main, before the flag
    end, flag = trace.last("write", SLOTS), trace.last("write", ENV)
    assert flag > end
    verified = trace.steps[end:flag]
    for slot in SLOTS:
        assert covered(verified, slot, len(images[2][slot])), f"{slot} was not read back"

    # state=trial is durable before the flag
    assert trace.unflushed(flag, "state") == 0
    records = [i for i, s in enumerate(trace.steps) if s[:2] == ("write", "state")]
    read_back = max(i for i, s in enumerate(trace.steps) if s[0] == "medium" and s[1] in SLOTS)
    assert any(read_back < i < flag for i in records)
    assert device.record(STATE)["state"] == "trial"


def test_copies_of_the_environment_are_written_in_turn(traced):
    """... and flushed each time: one of them is whole at any moment."""
    trace = traced
    written = [(i, s[1]) for i, s in enumerate(trace.steps) if s[0] == "write" and s[1] in ENV]
    for (_, before), (i, name) in zip(written, written[1:]):
        assert name != before
        assert trace.unflushed(i, before) == 0


def test_the_device_begins_to_write_before_a_flush_waits_for_it(traced):
    begun, left = 0, {name: 0 for name in SLOTS}
    for what, name, _, length in traced.steps:
        if name not in SLOTS or what == "medium":
            continue
        if what == "begin":
            assert length <= left[name], "nothing else was written"
            begun += length
        left[name] += {"write": length, "begin": -length, "flush": -left[name]}[what]
        assert left[name] < MIB // 2 + 8192, "a quarter, a chunk, and the edges of zeros"
    assert begun > 4 * MIB


def test_the_medium_is_asked_for_large_pieces_once(traced, images):
    end = traced.last("write", SLOTS)
    size = len(images[2]["root"])
    reads = [s for s in traced.steps[end:] if s[:2] == ("medium", "root")]
    assert sum(length for *_, length in reads) < size + MIB // 2
    assert len(reads) < size / 131072 + 8
