# SPDX-License-Identifier: GPL-2.0-or-later
"""The board under cutter.c: what it wrote to its card and when, and a cut inside a write."""
import struct
from dataclasses import dataclass
from pathlib import Path

from lbboard import Board

CONTROL = struct.Struct("<IIQQIIIII64s4x")
ORDER = struct.Struct("<II")
NOTE = struct.Struct("<QQII")
SECTOR = 512
POWER_ON = "U-Boot 20"


@dataclass(frozen=True)
class Write:
    offset: int
    console: int        # characters that the console had said by then
    size: int
    cut: bool           # the power went inside this one


@dataclass(frozen=True)
class Start:
    """From one U-Boot banner to the next, or to the end."""
    text: str
    writes: list

    def booted(self):
        """Partition whose kernel was started, None while the boot loader runs."""
        before, kernel, _ = self.text.partition("Starting kernel")
        if not kernel:
            return None
        return before.rsplit("Lifeboat: trying ", 1)[-1].split()[0]

    def after(self, marker):
        """Writes since the console said @marker."""
        at = self.text.find(marker)
        return [w for w in self.writes if w.console >= at] if at >= 0 else []


class Places:
    """The card's regions by name, and the name of each byte's region."""

    def __init__(self, card):
        parts = card.partitions

        def span(first, last):
            return parts[first][0], sum(parts[last])

        self.parts = {name: (start, start + size) for name, (start, size) in parts.items()}
        self.spans = {"environment": span("env", "env_r"), "state": self.parts["state"],
                      "main": span("boot", "root"), "recovery a": self.parts["recovery_a"],
                      "recovery b": self.parts["recovery_b"], "data": self.parts["data"]}

    def name(self, offset):
        for name, (start, end) in self.spans.items():
            if start <= offset < end:
                return name
        return "partition table"


class Cutter:
    """Files that cutter.so works with."""

    def __init__(self, library, work, card):
        Path(work).mkdir(parents=True, exist_ok=True)
        self.control, self.notes = Path(work) / "control", Path(work) / "writes"
        self.environment = {"LD_PRELOAD": str(Path(library).resolve()),
                            "SOAK_CARD": str(card.path), "SOAK_CONTROL": str(self.control.resolve()),
                            "SOAK_WRITES": str(self.notes.resolve())}
        self.order = 0
        self.reset()

    def reset(self):
        """Before a power-on: no cut, no notes."""
        self.control.write_bytes(bytes(CONTROL.size))
        self.notes.write_bytes(b"")

    def arm(self, span, nth, marker="", keep=0, noise=0):
        """Cut in the @nth write into @span from now on, behind @marker. Also while it runs."""
        text = marker.encode()
        body = CONTROL.pack(0, 0, *span, keep, noise, 0, self.flushes(), len(text), text)
        self.order += 1
        with open(self.control, "r+b", buffering=0) as file:
            file.write(ORDER.pack(self.order - 1, 0))
            file.write(body[ORDER.size:])
            file.seek(0)
            file.write(ORDER.pack(self.order, nth))

    def fired(self):
        return CONTROL.unpack(self.control.read_bytes())[6] == 1

    def flushes(self):
        return CONTROL.unpack(self.control.read_bytes())[7]

    def writes(self):
        raw = self.notes.read_bytes()
        raw = raw[:len(raw) // NOTE.size * NOTE.size]
        return [Write(offset, console, size, bool(cut))
                for offset, console, size, cut in NOTE.iter_unpack(raw)]


class SoakBoard(Board):
    """Keeps what the console said since the last power-on, with every character."""

    def __init__(self, work, card, library):
        self.cutter = Cutter(library, work, card)
        self.raw = ""
        super().__init__(work, card, on_text=self._hear, environment=self.cutter.environment,
                         cache="writeback")    # the flushes are counted

    def _hear(self, text):
        self.raw += text

    def power_on(self):
        self.raw = ""
        return super().power_on()

    def starts(self):
        """What happened since the last power-on, divided at the boot loader's banners."""
        places = []
        at = self.raw.find(POWER_ON)
        while at >= 0:
            places.append(at)
            at = self.raw.find(POWER_ON, at + 1)
        writes, found = self.cutter.writes(), []
        bounds = [0, *places[1:], len(self.raw) + 1]
        for begin, end in zip(bounds, bounds[1:]):
            found.append(Start(self.raw[begin:end],
                               [Write(w.offset, w.console - begin, w.size, w.cut) for w in writes
                                if begin <= w.console < end]))
        return found
