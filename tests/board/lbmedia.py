# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad media: a disk of the board that is served by nbdkit and fails where a test wants it to.

    medium = Medium(folder, card.path)          # every byte is the card's
    medium.fault(write(span(card, "root", 1 << 20, 4096), "EIO", times=1))
    board = Board(work, card, qemu_args=medium.disk("virtio"))
    ...
    assert medium.hits("write"); medium.heal()

QEMU's emulated SD card swallows errors of its host. A virtio disk passes them on as EIO,
a USB disk ENOSPC too (which Linux turns into EIO for a block device). So the card is
there twice: as the SD card that U-Boot and main use, and as the disk that the recoveries
of update_media.mk use instead. Never write one while the other is in use: caches are
not shared.
"""
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import lbfield
from lbfield import agent

BLOCK = 4096
BUNDLE = "release-2.lbu"
POWER_ON = "U-Boot 2025.01"
MAIN_1, MAIN_2 = "main OS release 1 is up", "main OS release 2 is up"
BAD = "id=bad,drive=bad,rerror=report,werror=report"
PLUGIN = Path(__file__).resolve().parent / "wrong" / "faulty_disk.py"


def span(card, part, offset=0, length=None):
    """First and last byte (exclusive) of a piece of a partition, on the card."""
    start, size = card.partitions[part]
    return start + offset, start + (size if length is None else offset + length)


def pull(board):
    """Out with the USB disk, as by hand."""
    board.monitor("device_del bad")


def put_back(board):
    """As soon as QEMU has let go of the one that was pulled: till then it refuses a second."""
    end = time.monotonic() + 120
    while "rror" in (answer := board.monitor(f"device_add usb-storage,{BAD}")):
        assert time.monotonic() < end, answer
        time.sleep(0.05)


def make_stick(path, *files, mib=64):
    """A stick with a FAT and these files."""
    path.unlink(missing_ok=True)
    subprocess.run(["mkfs.vfat", "-C", str(path), str(mib * 1024)], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["mcopy", "-i", str(path), *map(str, files), "::"], check=True)
    return path


def _fault(operation, place, what, times):
    return f"{operation} {place[0]} {place[1]} {what}" + (f" {times}" if times else "")


def read(place, what="EIO", times=None):
    return _fault("read", place, what, times)


def write(place, what="EIO", times=None):
    return _fault("write", place, what, times)


def flush(what="EIO", times=None):
    return _fault("flush", (0, 0), what, times)


class Medium:
    """nbdkit with our plugin behind its error filter; stop it in the end."""

    def __init__(self, work, path, rate="1G"):
        """@rate: bits a second, for a test that has to hit the middle of something."""
        self.faults = Path(work).resolve() / "faults"
        self.hits_path = Path(f"{self.faults}.hits")
        self.dead = Path(work).resolve() / "dead"
        # the path of a socket has to be short
        self._folder = tempfile.mkdtemp(prefix="lb-nbd-")
        self.socket = f"{self._folder}/socket"
        self.fault()
        self._log = open(Path(work) / "nbdkit.log", "w", encoding="utf-8")
        self._nbdkit = subprocess.Popen(
            ["nbdkit", "--foreground", "--exit-with-parent", "--unix", self.socket,
             "--filter=rate", "--filter=error", "python", str(PLUGIN),
             f"file={Path(path).resolve()}", f"faults={self.faults}", "error=EIO", "error-rate=100%", f"error-file={self.dead}",
             f"rate={rate}"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
        end = time.monotonic() + 60
        while not os.path.exists(self.socket):
            if self._nbdkit.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(f"nbdkit does not start: {self._log.name}")
            time.sleep(0.05)

    def fault(self, *faults):
        """From now on these and no others; earlier ones have done what they did."""
        new = Path(f"{self.faults}.new")
        new.write_text("".join(f"{item}\n" for item in faults), encoding="utf-8")
        new.rename(self.faults)

    def heal(self):
        self.fault()
        self.dead.unlink(missing_ok=True)

    def die(self):
        """Every request fails, until heal()."""
        self.dead.touch()

    def hits(self, operation):
        """[(offset, length, what)] of the faults that came true."""
        if not self.hits_path.exists():
            return []
        lines = [line.split() for line in self.hits_path.read_text(encoding="utf-8").splitlines()]
        return [(int(at), int(length), what) for op, at, length, what in lines if op == operation]

    def _disk(self, read_only=False):
        """Unlike those of other drives its flushes arrive: they have faults, too, and cost nothing here."""
        return ["-blockdev", "driver=raw,node-name=bad,file.driver=nbd,file.server.type=unix,"
                f"file.server.path={self.socket},read-only={'on' if read_only else 'off'},"
                f"file.read-only={'on' if read_only else 'off'}"]

    def disk(self, how):
        """QEMU's arguments for /dev/vda ("virtio", "read-only") or /dev/sda ("usb"; "pulled":
        only after put_back())."""
        if how == "pulled":
            return self._disk()
        if how == "usb":
            return self._disk() + ["-device", f"usb-storage,{BAD}"]
        return self._disk(how == "read-only") + ["-device", f"virtio-blk-pci,{BAD}"]

    def stop(self):
        self._nbdkit.terminate()
        self._nbdkit.wait(30)
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)


# --- an update on such a medium

def stage(field, rate=None):
    if rate:
        field.server.change(rate=rate)
    lbfield.stage(field.card, field.serve(BUNDLE), release=2)


def changed_block(field):
    """A block in the middle of what release 2 changes in slot root."""
    image = (field.build / "images" / "root-2.img").read_bytes()
    old = field.card.read("root", 0, len(image))
    changed = [at for at in range(0, len(image) - BLOCK, BLOCK)
               if image[at:at + BLOCK] != old[at:at + BLOCK]]
    return span(field.card, "root", changed[len(changed) // 2], BLOCK)


def recovery_goes_on(field):
    """It runs since its start, and main would not be started."""
    assert field.board.output.count(POWER_ON) == 1
    assert lbfield.state_name(field.card) == "updating"
    assert field.card.env()["lifeboat_boot"] == "recovery"
    assert "main OS release" not in field.board.output


def ends_in_release_2(field, never=None):
    field.board.wait_for(MAIN_2, never=never)
    field.wait_confirmed(2)
    status = agent(field.board, "status")
    assert status["result"]["code"] == "ok" and status["running"]["release"] == 2
    field.board.cut_power()
    assert field.holds(BUNDLE)
