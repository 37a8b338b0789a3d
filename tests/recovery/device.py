# SPDX-License-Identifier: GPL-2.0-or-later
"""A device made of one regular file, and readers that share no code with the project.

Environment and state log are decoded from docs/SPEC.md (and U-Boot's layout) with
struct and zlib; power_on() decides as bootscripts/boot.env.in does.
"""

import hashlib
import json
import os
import random
import signal
import struct
import subprocess
import threading
import time
import zlib
from dataclasses import dataclass, field

KIB, MIB = 1024, 1024 * 1024
ENV_BYTES = 16 * KIB
STATE_BYTES = MIB
GUARD = 68 * KIB  # not a multiple of the sectors' or chunks' size
BOOT_LIMIT = 3

STATE, REQUEST, PROGRESS, RESULT, CONFIRMED, PREVIOUS = 1, 2, 3, 4, 5, 6
FLOOR, CLOCK, NETWORK, LOG, INSTALLED, SELF_UPDATE = 7, 8, 9, 10, 11, 12


def garbage(size, seed=0):
    """Bytes that mean nothing, the same ones each time."""
    return random.Random(seed).randbytes(size)


# ---- environment -----------------------------------------------------------


def env_encode(variables, serial):
    data = b"".join(f"{k}={v}".encode() + b"\0" for k, v in variables.items())
    data = data.ljust(ENV_BYTES - 5, b"\0")
    return struct.pack("<IB", zlib.crc32(data), serial) + data


def env_decode(raw):
    """(serial, {name: value}) of one copy, None when its CRC is wrong."""
    crc, serial = struct.unpack_from("<IB", raw)
    if zlib.crc32(raw[5:]) != crc:
        return None
    pairs = raw[5:].split(b"\0\0")[0].split(b"\0")
    return serial, dict(p.decode().split("=", 1) for p in pairs if p)


# ---- state log -------------------------------------------------------------


def log_records(raw):
    """{type: payload} of the newest whole records in the half that is in force."""
    half = len(raw) // 2 // 4096 * 4096
    best = (0, None)
    for n in range(2):
        head = raw[n * half:n * half + 32]
        generation, = struct.unpack_from("<I", head, 8)
        if (head[:8] == b"LBSTATE1" and struct.unpack_from("<Q", head, 16)[0] == half
                and zlib.crc32(head[:28]) == struct.unpack_from("<I", head, 28)[0]
                and generation > best[0]):
            best = (generation, n)
    if best[1] is None:
        return None
    found = {}
    base = best[1] * half
    for at in range(base + 4096, base + half, 4096):
        kind, _version, length, generation, sequence = struct.unpack_from("<HHIIQ", raw, at + 4)
        crc, = struct.unpack_from("<I", raw, at + 28)
        if (raw[at:at + 4] != b"LBRC" or generation != best[0] or length > half
                or zlib.crc32(raw[at + 32:at + 32 + length],
                              zlib.crc32(raw[at:at + 28])) != crc):
            continue
        if kind not in found or found[kind][0] < sequence:
            found[kind] = (sequence, raw[at + 32:at + 32 + length])
    return {kind: payload for kind, (_, payload) in found.items() if payload}


def record_encode(kind, payload, sequence, generation=1, version=1):
    """One record as its first bytes; zeros fill its last block."""
    rec = b"LBRC" + struct.pack("<HHIIQI", kind, version, len(payload), generation, sequence, 0)
    return rec + struct.pack("<I", zlib.crc32(payload, zlib.crc32(rec))) + payload


def log_encode(records, size=STATE_BYTES, versions=None):
    """A fresh region that holds {type: payload}; @versions: {type: its format's version}."""
    half = size // 2 // 4096 * 4096
    head = b"LBSTATE1" + struct.pack("<IIQI", 1, 0, half, 0)
    raw = bytearray((head + struct.pack("<I", zlib.crc32(head))).ljust(size, b"\0"))
    at = 4096
    for sequence, (kind, payload) in enumerate(records.items(), 1):
        rec = record_encode(kind, payload, sequence, version=(versions or {}).get(kind, 1))
        raw[at:at + len(rec)] = rec
        at += (len(rec) + 4095) // 4096 * 4096
    return bytes(raw)


def release_record(bundle_split, release, urls):
    """A confirmed release: exact manifest, one signature, where it can be had."""
    manifest = bundle_split[0][1]
    signame, signature = bundle_split[1]
    head = struct.pack("<QIHH16s", release, len(manifest), len(signature), len(urls),
                       signame.rsplit(".", 1)[1].encode())
    places = b"".join(struct.pack("<H", len(u)) + u.encode() for u in urls)
    return head + places + signature + manifest


# ---- a run of recovery -----------------------------------------------------


@dataclass
class Run:
    """One start of lifeboat-recovery and what it printed so far."""

    process: subprocess.Popen
    events: list = field(default_factory=list)
    stderr: str = ""

    def start_reading(self):
        def read(stream, into):
            for line in stream:
                into(line)

        def event(line):
            self.events.append(json.loads(line))

        def error(line):
            self.stderr += line

        self.readers = [
            threading.Thread(target=read, args=(self.process.stdout, event), daemon=True),
            threading.Thread(target=read, args=(self.process.stderr, error), daemon=True)]
        for t in self.readers:
            t.start()

    def wait(self, timeout=180):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"recovery still runs after {timeout} s:\n{self.text()}") from None
        for t in self.readers:
            t.join(10)
        return code

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait()
        for t in self.readers:
            t.join(10)

    def running(self):
        return self.process.poll() is None

    def codes(self):
        return [e["code"] for e in self.events if e["event"] == "message"]

    def progress(self, step=None):
        return [e for e in self.events
                if e["event"] == "progress" and step in (None, e["step"])]

    def planned(self):
        """Counters of the first plan, None before there is one."""
        return next(iter(self.progress("planned")), None)

    def fetched(self):
        """Payload bytes that this run is known to have fetched."""
        return max((e["fetched_bytes"] for e in self.progress()), default=0)

    def wait_for(self, what, timeout=120):
        """Until what(self) is true; it may be its last words that make it so."""
        end = time.monotonic() + timeout
        while not what(self):
            if not self.running():
                self.wait()
                assert what(self), f"ended with {self.process.returncode}:\n{self.text()}"
                return
            assert time.monotonic() < end, f"not within {timeout} s:\n{self.text()}"
            time.sleep(0.005)

    def wait_for_code(self, code, timeout=120):
        self.wait_for(lambda run: code in run.codes(), timeout)

    def text(self):
        lines = [json.dumps(e) for e in self.events]
        return "\n".join(lines[-40:]) + "\n" + self.stderr


# ---- the device ------------------------------------------------------------


class Device:
    """disk.img: environment, state and slots with bytes between them that nobody may touch."""

    def __init__(self, folder, program, key_file, ca_file=None, slots=None, **settings):
        self.folder, self.program = folder, program
        self.disk = folder / "disk.img"
        self.config = folder / "recovery.json"
        self.cmdline = folder / "cmdline"
        self.regions = {}
        folder.mkdir(parents=True, exist_ok=True)
        at = GUARD
        for name, size in [("env0", ENV_BYTES), ("env1", ENV_BYTES), ("state", STATE_BYTES),
                           *(slots or {"boot": 2 * MIB, "root": 12 * MIB}).items()]:
            self.regions[name] = (at, size)
            at += size + GUARD
        self.settings = {
            "product": "bench", "hardware": ["bench-board"],
            "state": self.region_setting("state"),
            "environment": [self.region_setting("env0"), self.region_setting("env1")],
            "slots": {n: self.region_setting(n) for n in self.slot_names()},
            "keys": str(key_file),
            "recovery": {"give_up_s": 60, "retry_min_ms": 50, "retry_max_s": 1,
                         "cmdline": str(self.cmdline), "lock": str(folder / "lock"), **settings}}
        if ca_file:
            self.settings["ca"] = str(ca_file)
        self.provision(at)

    def provision(self, size):
        """A device that runs a release whose state record says confirmed."""
        with self.disk.open("wb") as f:
            f.write(random.Random(size).randbytes(min(size, 4 * MIB)))
            f.truncate(size)
        self.write("state", log_encode({STATE: b'{"state":"confirmed"}'}))
        factory = {"lifeboat_boot": "main", "lifeboat_slot": "a", "lifeboat_rtries": "0",
                   "bootcount": "0", "upgrade_available": "0"}
        self.write("env0", env_encode(factory, 7))
        self.write("env1", env_encode(factory, 6))

    def slot_names(self):
        return [n for n in self.regions if n not in ("env0", "env1", "state")]

    def region_setting(self, name):
        offset, size = self.regions[name]
        return {"path": str(self.disk), "offset": offset, "size": size}

    def save_config(self):
        self.config.write_text(json.dumps(self.settings, indent=1))

    # -- bytes

    def read(self, name, size=None):
        offset, whole = self.regions[name]
        with self.disk.open("rb") as f:
            f.seek(offset)
            return f.read(whole if size is None else size)

    def write(self, name, data, at=0):
        offset, size = self.regions[name]
        assert at + len(data) <= size
        with self.disk.open("r+b") as f:
            f.seek(offset + at)
            f.write(data)

    def digest_without(self, *written):
        """Of every byte except (region, size) pairs: what must never change."""
        skip = sorted((self.regions[n][0], s) for n, s in written)
        digest = hashlib.sha256()
        with self.disk.open("rb") as f:
            at = 0
            for offset, size in [*skip, (self.disk.stat().st_size, 0)]:
                while at < offset:
                    part = f.read(min(offset - at, MIB))
                    digest.update(part)
                    at += len(part)
                at = f.seek(offset + size)
        return digest.hexdigest()

    def guarded(self, images):
        """Digest of everything but the images' bytes, the state and the environment."""
        return self.digest_without(("env0", ENV_BYTES), ("env1", ENV_BYTES),
                                   ("state", STATE_BYTES),
                                   *((n, len(d)) for n, d in images.items()))

    def main_digest(self):
        """Of all slots and everything between them."""
        return self.guarded({})

    def holds(self, images):
        return all(self.read(n, len(d)) == d for n, d in images.items())

    # -- records and environment, by independent readers

    def env(self):
        """Variables of the copy that U-Boot would use, None when both are broken."""
        copies = [env_decode(self.read(n)) for n in ("env0", "env1")]
        whole = [c for c in copies if c]
        if len(whole) == 2 and {whole[0][0], whole[1][0]} == {0, 255}:
            return next(c for c in whole if c[0] == 0)[1]
        return max(whole, key=lambda c: c[0])[1] if whole else None

    def records(self):
        return log_records(self.read("state"))

    def record(self, kind):
        payload = (self.records() or {}).get(kind)
        return payload and json.loads(payload)

    def put_records(self, **records):
        self.write("state", log_encode({globals()[k]: v if isinstance(v, bytes)
                                        else json.dumps(v).encode()
                                        for k, v in records.items()}))

    def put_env(self, **variables):
        old = self.env() or {}
        self.write("env0", env_encode({**old, **variables}, 9))
        self.write("env1", env_encode({**old, **variables}, 8))

    def state(self):
        return (self.record(STATE) or {}).get("state")

    def result(self):
        return self.record(RESULT) or {}

    # -- running

    def power_on(self):
        """What the boot script would do: "main", or why it boots recovery."""
        env = self.env() or {}
        flag = env.get("lifeboat_boot")
        if flag == "main":
            return "main" if int(env.get("bootcount", "0"), 16) < BOOT_LIMIT else "boot-limit"
        return {"recovery": "requested", "manual": "manual"}.get(flag, "flag-lost")

    def start(self, *args, reason=None, copy=None):
        """lifeboat-recovery as init would start it; reason and copy on the command line."""
        self.save_config()
        why = reason or self.power_on()
        self.cmdline.write_text("console=ttyAMA0 quiet"
                                + (f" lifeboat.copy={copy}" if copy else "")
                                + (f" lifeboat.reason={why}" if why != "main" else "") + "\n")
        process = subprocess.Popen(
            [self.program, "--config", self.config, "--events", *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS":
                 "print_stacktrace=1"})
        run = Run(process)
        run.start_reading()
        return run

    def run(self, *args, timeout=180, **how):
        """Start and wait: (exit status, Run)."""
        run = self.start(*args, **how)
        return run.wait(timeout), run
