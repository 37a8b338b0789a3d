# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent on a device made of a regular file, with a real web server.

Bundles, channel files, records and the boot environment are written and read by
tests/recovery's second opinions of the formats, not by the project's own code.
The agent is the sanitizer build: every test is a memory test too.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "recovery"))

import bundles  # noqa: E402
from device import KIB, MIB, Device  # noqa: E402
from server import Authority, Server  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LB_BUILD", ROOT / "build")).resolve()
AGENT = BUILD / "asan/bin/lifeboat-agent"
PRODUCT, HARDWARE = "bench", "bench,board"
CREATED = 1700000000


def channel_file(key, releases, sequence=1, **more):
    """channel.lbc as docs/SPEC.md describes it."""
    text = json.dumps({"format": 1, "product": PRODUCT, "sequence": sequence, "created": CREATED,
                       "releases": releases, **more}).encode()
    return bundles.join([("channel.json", text), (f"channel.sig.{key.id}", key.sign(text))])


def entry(bundle, url, **more):
    """The channel's line about a bundle."""
    m = bundles.manifest_of(bundle)
    offset, size = bundles.places(bundle)["manifest.json"]
    return {"release": m["release"], "version": m["version"], "hardware": m["hardware"],
            "min_release": m["min_release"], "url": url, "size": len(bundle),
            "manifest": hashlib.sha256(bundle[offset:offset + size]).hexdigest(),
            "created": m["created"], **more}


def make_bundle(key, release, **more):
    """A small bundle for the bench device."""
    images = more.pop("images", None) or {"boot": b"FIT %d " % release * 2000,
                                          "root": b"root %d " % release * 9000}
    return bundles.write(images, key, release, product=more.pop("product", PRODUCT),
                         hardware=more.pop("hardware", (HARDWARE,)), **more)


class Main(Device):
    """A device whose main OS runs; what reboot would do is only noted in a file."""

    def __init__(self, folder, key_file, ca_file, channel="", release=1):
        super().__init__(folder, None, key_file, ca_file,
                         slots={"boot": 64 * KIB, "root": MIB})
        self.settings["hardware"] = [HARDWARE]
        self.settings["product"] = PRODUCT
        self.recovery_settings = self.settings.pop("recovery")
        self.agent_config = folder / "agent.json"
        self.rebooted, self.health_dir = folder / "rebooted", folder / "health.d"
        self.data, self.run_dir = folder / "data", folder / "run"
        for d in (self.health_dir, self.data, self.run_dir):
            d.mkdir()
        self.release_file = folder / "release"
        self.set_release(release)
        self.agent_settings = {
            "channel": channel, "interval": 3600, "jitter": 0, "retry_min": 1, "retry_max": 2,
            "state_dir": str(self.data / "lifeboat"), "run_dir": str(self.run_dir),
            "release_file": str(self.release_file), "health_dir": str(self.health_dir),
            "handover_dir": str(self.data), "recovery_dir": "/media/data",
            "reboot": ["/bin/sh", "-c", f"echo reboot >>{self.rebooted}"],
            "failure_delay": 0, "health_retry": 1, "connect_timeout": 60, "stall_timeout": 60}

    def set_release(self, release):
        self.release_file.write_text(
            f"NAME=bench\nrelease={release}\nversion=\"{release}.0.0\"\n")

    def save_config(self):
        """For recovery."""
        self.config.write_text(json.dumps({**self.settings, "recovery": self.recovery_settings}))

    def save(self):
        """In one step: a daemon may be reading it."""
        new = self.agent_config.with_suffix(".new")
        new.write_text(json.dumps({**self.settings, "agent": self.agent_settings}, indent=1))
        os.replace(new, self.agent_config)

    def popen(self, *args):
        self.save()
        return subprocess.Popen(
            [AGENT, *map(str, args), "--config", self.agent_config], text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1"})

    def agent(self, *args):
        """(exit status, answer) of a command with --json."""
        p = self.popen(*args, "--json")
        out, self.stderr = p.communicate(timeout=60)
        assert "Sanitizer" not in self.stderr and "runtime error" not in self.stderr, self.stderr
        return p.returncode, json.loads(out)

    def text(self, *args):
        """(exit status, standard output) of a command without --json."""
        p = self.popen(*args)
        out, self.stderr = p.communicate(timeout=60)
        return p.returncode, out

    def status(self):
        code, answer = self.agent("status")
        assert code == 0, answer
        return answer

    def check_script(self, name, body, mode=0o755):
        path = self.health_dir / name
        path.write_text("#!/bin/sh\n" + body)
        path.chmod(mode)

    def reboots(self):
        return len(self.rebooted.read_text().splitlines()) if self.rebooted.exists() else 0

    def fingerprint(self):
        """Of every byte of the device: slots, records, environment and what lies between."""
        return hashlib.sha256(self.disk.read_bytes()).hexdigest()

    @contextlib.contextmanager
    def daemon(self):
        p = self.popen("daemon", "--verbose")
        d = Daemon(p)
        try:
            yield d
        finally:
            d.stop()


class Daemon:
    """A running daemon; its log is read to the end when it is stopped."""

    def __init__(self, process):
        self.process, self.log = process, ""

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        _, rest = self.process.communicate(timeout=60)
        self.log += rest or ""
        assert "Sanitizer" not in self.log and "runtime error" not in self.log, self.log
        return self.process.returncode

    def until(self, what, timeout=60):
        """Waits until what() is true."""
        end = time.monotonic() + timeout
        while not what():
            if self.process.poll() is not None and what():
                return
            if self.process.poll() is not None or time.monotonic() > end:
                code = self.stop()
                raise AssertionError(f"not within {timeout} s, status {code}:\n{self.log}")
            time.sleep(0.05)


@pytest.fixture(scope="session")
def key():
    return bundles.Key.new()


@pytest.fixture(scope="session")
def stranger():
    return bundles.Key.new()


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def key_file(tmp_path, key):
    path = tmp_path / "bundle.pem"
    path.write_bytes(key.public_pem())
    return path


@pytest.fixture
def server(tmp_path, authority):
    certificate = authority.issue(f"s{os.getpid()}")
    for _ in range(3):  # another process may take the port that was free
        s = Server(tmp_path / "server", authority, certificate)
        with contextlib.suppress(AssertionError):
            s.start()
            break
    yield s
    s.stop()


@pytest.fixture
def main(tmp_path, key_file, authority, server):
    """Release 1 runs, never updated; the server's channel is configured."""
    return Main(tmp_path / "device", key_file, authority.ca_file, server.url("channel.lbc"))


def new_etag(server):
    """nginx makes it of the size and the second of the last change: two within a second may look alike."""
    server.changes = getattr(server, "changes", 0) + 1
    os.utime(server.www / "channel.lbc", (CREATED + server.changes, CREATED + server.changes))


class Shop:
    """What the server offers."""

    def __init__(self, server, key):
        self.server, self.key, self.sequence = server, key, 0
        self.bundles = {}

    def offer(self, *releases, sequence=None, **more):
        """Publishes a channel with bundles of these releases, newest first."""
        self.sequence = sequence or self.sequence + 1
        lines = []
        for r in sorted(releases, reverse=True):
            if r not in self.bundles:
                self.put(r, make_bundle(self.key, r))
            lines.append(entry(self.bundles[r], f"{r}.lbu"))
        self.put_channel(channel_file(self.key, lines, sequence=self.sequence, **more))
        return lines

    def put_channel(self, data):
        self.server.put("channel.lbc", data)
        new_etag(self.server)

    def put(self, release, bundle):
        self.bundles[release] = bundle
        self.server.put(f"{release}.lbu", bundle)

    def url(self, release):
        return self.server.url(f"{release}.lbu")

    def serve(self, directives):
        """The same server with other directives, from the next connection on."""
        self.server.stop()
        self.server.start(directives)

    def asked(self, name, ended=False):
        """Status codes of the requests for a file so far; of all, when whoever asked has @ended."""
        if ended:
            self.server.settle()
        log = self.server.folder / "access.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [int(x.split("|")[1]) for x in lines if x.endswith("|/" + name)]


@pytest.fixture
def shop(server, key):
    return Shop(server, key)
