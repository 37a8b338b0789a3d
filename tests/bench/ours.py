# SPDX-License-Identifier: GPL-2.0-or-later
"""Lifeboat: `lifeboat pack` with its defaults, lifeboat-recovery as built for x86-64 devices:
static, with musl."""

import hashlib
import json
import subprocess
import tarfile

import bundles
from device import CONFIRMED, ENV_BYTES, STATE, STATE_BYTES, env_encode, log_encode, release_record
from lab import Command
from tool import Tool, host, size

FACTORY = {"lifeboat_boot": "main", "lifeboat_slot": "a", "lifeboat_rtries": "0",
           "bootcount": "0", "upgrade_available": "0"}
PHASES = ("plan", "install", "readback")


class Lifeboat(Tool):
    """In place, signed, every chunk verified before it is written, all read back."""

    name = "lifeboat"
    note = "every chunk verified before it is written; read back"
    cases = ("full", "empty", "update", "tenth", "resume")

    def __init__(self, build, version):
        self.tool = build / "host/bin/lifeboat"
        self.recovery = build / "x86_64/bin/lifeboat-recovery"
        self._version = version

    def version(self):
        return self._version

    def key(self):
        packer = hashlib.sha256(self.tool.read_bytes()).hexdigest()[:16]
        return f"{self.salt}-{packer}"

    # -- host side

    def build(self, pair, folder):
        host([self.tool, "keygen", "bundle"], folder)
        self.pack(folder, pair.new, 2, [])
        return {"full": size(folder / "2.lbu"), "head": head_bytes(folder / "2.lbu")}

    def pack(self, folder, image, release, more):
        (folder / f"{release}.json").write_text(json.dumps({
            "product": "bench", "hardware": ["bench"], "version": f"{release}.0",
            "release": release, "created": 1700000000 + release,
            "images": [{"name": "root", "kind": "raw", "file": str(image)}]}))
        host([self.tool, "pack", f"{release}.json", "-o", f"{release}.lbu", "--key", "bundle.pem",
              *more], folder, timeout=7200)

    # -- device side

    def records(self):
        """Of a device that runs a confirmed release; nothing is known about it."""
        return {STATE: b'{"state":"confirmed"}'}

    def provision(self, lab):
        device = lab.folder / "lifeboat"
        device.mkdir(exist_ok=True)
        (device / "state").write_bytes(log_encode(self.records(), STATE_BYTES))
        for n, serial in (("env-a", 7), ("env-b", 6)):
            (device / n).write_bytes(env_encode(FACTORY, serial))
            assert (device / n).stat().st_size == ENV_BYTES
        (device / "recovery.json").write_text(json.dumps({
            "product": "bench", "hardware": ["bench"], "state": str(device / "state"),
            "environment": [str(device / "env-a"), str(device / "env-b")],
            "slots": {"root": str(lab.slot)}, "keys": str(self.folder / "bundle.pub.pem"),
            "recovery": {"lock": str(device / "lock"), "interface": "", "give_up_s": 60}}))
        return device

    def run(self, lab, *arguments):
        return [self.recovery, "-c", lab.folder / "lifeboat/recovery.json", "--events",
                *arguments]

    def command(self, case, lab):
        self.provision(lab)
        slot = {"full": "noise", "resume": "noise", "empty": None, "update": lab.pair.old,
                "tenth": lab.pair.changed() if case == "tenth" else None}[case]
        return Command(self.run(lab, "--install", self.url(lab, "2.lbu")), lab.slot, slot)

    def again(self, lab):
        return Command(self.run(lab, "--reason", "requested"), lab.slot)

    def figures(self, lab):
        """Milliseconds of the phases and the plan, from its event lines."""
        told = {}
        for line in (lab.logs / "stdout").read_text().splitlines():
            event = json.loads(line)
            if event["event"] == "progress" and event["step"] in ("planned", "done"):
                told.update({k: v for k, v in event.items() if k.endswith(("_bytes", "_ranges"))})
                told.update({f"{p}_{what}": event[f"{p}_{what}"] / 1000 for p in PHASES
                             for what in ("ms", "cpu_ms") if f"{p}_{what}" in event})
        return {"told": told}


def head_bytes(bundle):
    """What stands in front of the payload: manifest, signatures, indexes; and those of patches."""
    with tarfile.open(bundle) as tar:
        return sum(m.offset_data - m.offset + m.size for m in tar
                   if not m.name.endswith((".zst", ".raw", ".patch")))


class LifeboatPatches(Lifeboat):
    """The same with `lifeboat pack --from` the old release."""

    name = "lifeboat --from"
    cases = ("update",)
    note = "with patches against the old release in the same bundle"

    def why_not(self, case):
        return "see lifeboat"

    def reason(self, case):
        usage = subprocess.run([self.tool, "pack", "--help"], capture_output=True, text=True)
        if "--from" not in usage.stdout + usage.stderr:
            return "this `lifeboat pack` has no --from"
        return super().reason(case)

    def build(self, pair, folder):
        host([self.tool, "keygen", "bundle"], folder)
        self.pack(folder, pair.old, 1, [])
        self.pack(folder, pair.new, 2, ["--from", "1.lbu"])
        return {"full": size(folder / "2.lbu"), "head": head_bytes(folder / "2.lbu")}

    def records(self):
        """The old release, too: it says which patches may be for this device."""
        old = bundles.split((self.folder / "1.lbu").read_bytes())
        return super().records() | {CONFIRMED: release_record(old, 1, ["http://127.0.0.1/1.lbu"])}
