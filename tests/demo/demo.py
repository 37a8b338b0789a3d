#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job, end to end, on an emulated board, told as it happens.

    demo.py BUILD       BUILD: the folder that `make` fills, with BUILD/demo

A board in QEMU runs release 1 of the reference main OS behind real U-Boot. Its
agent finds release 2 on a real HTTPS server, recovery installs it, the power is
cut in the middle, recovery resumes. Ends with 0 only if all of it happened, with
the release confirmed and every limit kept. Logs: BUILD/demo.
"""
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "board"))
sys.path.insert(0, str(HERE))
import lbfield  # noqa: E402
from lbboard import PATIENCE_S, Board, BoardError, Card  # noqa: E402
from lbserver import Certificate, Server, ServerError  # noqa: E402
from lbtraffic import Bundle, Traffic  # noqa: E402
from story import Story  # noqa: E402

RATE_BYTES_S = 600_000      # what the server gives: slow enough to cut in the middle
PORT = 8443
RAMDISK_LIMIT = 400 * 1024
FIT_LIMIT = 2_621_440
MEMORY_LIMIT_KIB = 8192
FLUSH_BYTES = 1 << 20       # a cut may repeat this much payload, and one chunk
RECOVERY_STARTS = r"Lifeboat recovery: copy=(\S*) reason=(\S*)"
PLANNED = (r"lifeboat: (\d+) bytes in (\d+) chunks: (\d+) are in place, (\d+) to write, "
           r"(\d+) to fetch")


class DemoError(Exception):
    """A sentence for the reader."""


def tool(build, *arguments):
    command = [str(build / "host" / "bin" / "lifeboat"), *map(str, arguments)]
    with open(build / "demo" / "tool.log", "a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
            raise DemoError(f"{' '.join(command[:2])} failed, see {log.name}")


def publish(build, *releases):
    """Adds these releases to the folder that the server serves."""
    root = build / "demo" / "www"
    tool(build, "publish", root, "--key", key(build),
         *(build / "demo" / f"release-{n}.lbu" for n in releases))


def key(build):
    return build / "keys" / "bundle" / "lifeboat-development.pem"


class Demo:
    def __init__(self, build):
        self.build, self.work = build, build / "demo"
        self.story = Story()
        self.plans = []

    def prepare(self):
        story = self.story
        story.step("A factory writes release 1 to the card of a board, and a developer packs "
                   "release 2.", "preparing")
        www = self.work / "www"
        shutil.rmtree(www, ignore_errors=True)
        www.mkdir()
        publish(self.build, 1)
        self.bundle = Bundle(self.work / "release-2.lbu")
        images = self.bundle.manifest["images"]
        story.say(f"The bundle of release 2: {self.bundle.size:,} bytes, signed, with "
                  + " and ".join(f"{i['name']} ({i['size']:,} bytes)" for i in images) + ".")
        certificate = Certificate.issue(
            self.work / "tls", self.build / "keys" / "tls" / "lifeboat-development-ca")
        self.server = Server(self.work / "server", www, certificate, port=pick_port(),
                             rate=str(RATE_BYTES_S))
        self.server.start()
        channel = self.server.url("channel.lbc")
        story.say(f"An nginx with a certificate of our own authority serves {channel}")
        story.say(f"and gives {RATE_BYTES_S / 1000:.0f} kB/s to each connection.")
        self.card = Card.copy(self.work / "disk.img", self.work / "card.img")
        tool(self.build, "provision", self.work / "release-1.lbu", "-o", self.work / "state.img",
             "--url", self.server.url("release-1.lbu"))
        self.card.write_file("state", self.work / "state.img")
        lbfield.set_agent(self.card, channel)
        self.board = Board(self.work, self.card, on_text=story.console)

    def boot_release_1(self):
        self.story.step("The board is switched on. U-Boot finds the flag \"main\" and boots "
                        "release 1.", "boot of release 1")
        self.board.power_on()
        self.wait("main OS release 1 is up", "release 1 did not boot")
        self.story.say("Its agent asks the server every two seconds whether there is something new.")
        self.wait_until(lambda: len(self.server.requests("/channel.lbc")) > 0,
                        "the agent never asked the server")

    def offer(self):
        self.story.step("The developer publishes release 2. The agent finds it, checks whether "
                        "recovery would take it, sets the flag and reboots.", "check, stage, reboot")
        publish(self.build, 2)
        self.wait("U-Boot 20", "the agent did not stage the update and reboot")
        self.wait(RECOVERY_STARTS, "recovery did not start")

    def install_until_cut(self):
        self.story.step("Recovery runs from memory: it fetches what differs, and writes it over "
                        "the running system's own partitions.", "recovery, until the cut")
        self.note_plan()
        total, _, in_place, _, _ = self.plans[0]
        middle = (in_place + total) / 2 / total * 100
        seen = 0.0
        while seen < middle:
            seen = float(self.wait(r"  write +\S+ +(\d+) %", "recovery does not go on",
                                   never="main OS release").group(1))
        self.board.cut_power()
        self.story.step(f"The power is cut: QEMU is killed at {seen:.0f} %. Half of what differs "
                        "is written: the card holds neither release.", "without power")
        time.sleep(0.5)     # the server notices that nobody reads
        flag = (self.card.env() or {}).get("lifeboat_boot")
        self.story.say(f"On the card: boot flag \"{flag}\", state \"{lbfield.state_name(self.card)}\".")
        if flag != "recovery" or lbfield.state_name(self.card) != "updating":
            raise DemoError("the card does not say that an update is under way")

    def resume(self):
        self.story.step("The power is back. Recovery hashes what is there, believes nothing "
                        "else, and fetches what is missing.", "recovery, after the cut")
        self.board.power_on()
        self.wait(RECOVERY_STARTS, "recovery did not start again", never="main OS release")
        self.note_plan()
        self.wait(r"peak of memory: (\d+) KiB", "recovery did not finish",
                  never="main OS release")
        self.wait("Lifeboat recovery: ended with status 0", "recovery did not end well")
        self.memory_kib = int(re.search(r"peak of memory: (\d+) KiB", self.board.output).group(1))

    def trial(self):
        self.story.step("Every byte was read back and matches: the flag says \"main\" again, and "
                        "release 2 boots on trial. Its health check passes, the agent confirms.",
                        "boot of release 2, confirmation")
        self.wait("main OS release 2 is up", "release 2 did not boot",
                  never="Lifeboat recovery: copy=")
        self.wait_until(lambda: lbfield.is_confirmed(self.card, 2), "release 2 was not confirmed")
        env = self.card.env()
        self.story.say("On the card: state \"confirmed\", boot flag \"{lifeboat_boot}\", "
                       "bootcount {bootcount}, upgrade_available {upgrade_available}.".format(**env))
        status = lbfield.agent(self.board, "status")
        self.result = status["result"]
        self.story.say("`lifeboat-agent status --json` on the board: running release "
                       f"{status['running']['release']}, state {status['state']}, result "
                       f"\"{self.result['code']}\": {self.result['text']}.")
        self.story.end()
        if self.result["code"] != "ok" or status["running"]["release"] != 2:
            raise DemoError("the agent's status is not what it should be")

    # --- waiting

    def wait(self, pattern, what, **how):
        try:
            return self.board.wait_for(pattern, regex=True, **how)
        except BoardError as error:
            raise DemoError(f"{what} ({error})") from None

    def wait_until(self, condition, what):
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                raise DemoError(f"{what} within {PATIENCE_S} s")
            time.sleep(0.1)

    def note_plan(self):
        match = self.wait(PLANNED, "recovery did not look at the card")
        self.plans.append([int(n) for n in match.groups()])

    # --- the summary

    def check(self, good, sentence):
        if not good:
            self.failures.append(sentence)

    def summarize(self):
        self.failures = []
        story, row = self.story, self.story.row
        story.title("\nSummary")
        self.summarize_bytes()
        story.title("\n    Seconds")
        for name, seconds in story.spent:
            row(name, f"{seconds:.1f}")
        row("all", f"{story.seconds():.1f}")
        story.title("\n    What recovery costs")
        for name, path, limit in (
                ("ramdisk", self.build / "images" / "ramdisk.cpio.xz", RAMDISK_LIMIT),
                ("recovery FIT (two copies)", self.build / "images" / "recovery.itb", FIT_LIMIT)):
            size = path.stat().st_size
            row(f"{name}, bytes", f"{size:,}", f"limit {limit:,}")
            self.check(size <= limit, f"the {name} is larger than {limit:,} bytes")
        row("memory of lifeboat-recovery, KiB", f"{self.memory_kib:,}",
            f"limit {MEMORY_LIMIT_KIB:,} (VmHWM)")
        self.check(self.memory_kib <= MEMORY_LIMIT_KIB, "recovery took more memory than its limit")
        story.title("\n    Logs")
        for name in ("serial.log", "server/requests.log", "tool.log"):
            story.title(f"    {self.work / name}")

    def summarize_bytes(self):
        row = self.story.row
        first, second = self.plans
        traffic = Traffic(self.server, self.bundle, "lifeboat-recovery")
        looked = Traffic(self.server, self.bundle, "lifeboat-agent")
        limit = FLUSH_BYTES + self.bundle.largest_chunk()
        self.story.title("\n    Bytes")
        row("images of release 2", f"{first[0]:,}")
        row("  right already on the card", f"{first[2]:,}", "neither fetched nor written")
        row("bundle", f"{self.bundle.size:,}")
        row("  payload that was needed", f"{first[4]:,}", "recovery's plan at its first start")
        row("  payload fetched", f"{traffic.payload:,}", "the server's log, both starts")
        row("  payload fetched again", f"{traffic.payload_again:,}",
            f"because of the cut; limit {limit:,}")
        row("  manifest and index fetched", f"{traffic.other:,}",
            f"{traffic.other_again:,} of them again")
        row("  read by the agent", f"{looked.payload + looked.other:,}", "before it rebooted")
        self.story.say("The log counts what went into the server's socket: some KB of it may have "
                       "been lost with the power.")
        planned_again = first[4] - second[4]
        self.story.say(f"Recovery itself: {first[4]:,} to fetch at first, {second[4]:,} after the "
                       f"cut: {planned_again:,} bytes were safe.")
        self.story.say(f"The result that reached the agent: {self.result['fetched_bytes']:,} bytes, "
                       "as far as recovery had noted them when the power went, and "
                       f"{self.result['power_cycles']} power cut.")
        self.check(traffic.payload_again <= limit, "the cut cost more payload than promised")
        self.check(traffic.payload >= first[4], "the server's log does not hold all of the payload")
        self.check(0 < planned_again < first[4], "the power was not cut in the middle")

    def close(self):
        if hasattr(self, "board"):
            self.board.cut_power()
        if hasattr(self, "server"):
            self.server.stop()

    def tell(self):
        self.story.title("Lifeboat: an update over the air that loses power half-way")
        for part in (self.prepare, self.boot_release_1, self.offer, self.install_until_cut,
                     self.resume, self.trial, self.summarize):
            part()
        if self.failures:
            raise DemoError("; ".join(self.failures))


def pick_port():
    """The usual one, so that a curious reader can ask the server too, unless it is taken."""
    import socket
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", PORT))
            return PORT
        except OSError:
            return None


def main(argv):
    if len(argv) != 2:
        sys.exit(__doc__)
    build = Path(argv[1]).resolve()
    demo = Demo(build)
    try:
        demo.tell()
    except (DemoError, ServerError, BoardError, OSError) as error:
        demo.close()
        demo.story.title(f"\nThe demonstration failed: {error}")
        return 1
    except KeyboardInterrupt:
        demo.close()
        return 130
    demo.close()
    demo.story.title("\nRelease 2 is installed, verified and confirmed.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
