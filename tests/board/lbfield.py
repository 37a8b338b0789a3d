# SPDX-License-Identifier: GPL-2.0-or-later
"""A device in the field: what a factory and its operator put on the board's card.

Records of the state log are read and written by tests/recovery/device.py, which
shares no code with the product; files reach the data partition by debugfs.
"""
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "recovery"))
import bundles  # noqa: E402
import device as records  # noqa: E402
from lbboard import PATIENCE_S  # noqa: E402

AGENT_SETTINGS = "images/main-rootfs/etc/lifeboat/agent.json"
QUICK_AGENT = {"interval": 2, "jitter": 0, "retry_min": 1, "retry_max": 2,
               "failure_delay": 0, "connect_timeout": 30, "stall_timeout": 30}


def put_on_data(card, path, content):
    """A file of text or bytes on the data partition; its folder is made. The board must be off."""
    start = card.partitions["data"][0]
    with tempfile.NamedTemporaryFile(dir=card.path.parent) as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        folders = [str(f) for f in reversed(Path(path).parents)][1:]
        script = [f"mkdir {f}" for f in folders] + [f"rm {path}", f"write {file.name} {path}"]
        done = subprocess.run(["debugfs", "-w", "-f", "-", f"{card.path}?offset={start}"],
                              input="\n".join(script) + "\n", capture_output=True, text=True)
    if done.returncode or f"write {file.name}" not in done.stdout:
        raise AssertionError(f"debugfs: {done.stderr}")


def make_stick(path, files, size_mib=32):
    """An image of a stick as shops sell them: one FAT file system with {name: bytes}."""
    subprocess.run(["mkfs.vfat", "-C", str(path), str(size_mib * 1024)], check=True,
                   capture_output=True)
    for name, data in files.items():
        subprocess.run(["mcopy", "-i", str(path), "-", f"::{name}"], input=data, check=True,
                       capture_output=True)


def get_from_data(card, path):
    """Text of a file on the data partition, "" if there is none. The board must be off."""
    start = card.partitions["data"][0]
    return subprocess.run(["debugfs", "-R", f"cat {path}", f"{card.path}?offset={start}"],
                          capture_output=True, text=True, check=True).stdout


def agent_settings(card):
    """The agent's settings as the device has them: its own or those of the image."""
    own = get_from_data(card, "etc/agent.json")
    return json.loads(own or Path(AGENT_SETTINGS).read_text(encoding="utf-8"))


def put_agent_settings(card, settings):
    put_on_data(card, "etc/agent.json", json.dumps(settings, indent=1) + "\n")


def set_agent(card, channel, **changes):
    """An impatient agent that asks @channel; @changes of its section."""
    settings = agent_settings(card)
    settings["agent"] |= QUICK_AGENT | {"channel": channel} | changes
    put_agent_settings(card, settings)


def read_records(card):
    """{type: bytes} of the state log, empty when the region holds no log."""
    return records.log_records(card.read("state")) or {}


def read_record(card, kind):
    """A record as an object, None if there is none."""
    payload = read_records(card).get(kind)
    return json.loads(payload) if payload else None


def state_name(card):
    return (read_record(card, records.STATE) or {}).get("state")


def is_confirmed(card, release):
    """Records and boot environment agree that main is @release and healthy."""
    env = card.env() or {}
    state = read_record(card, records.STATE) or {}
    return (state.get("state") == "confirmed" and state.get("release", 0) == release
            and (env.get("lifeboat_boot"), env.get("bootcount"), env.get("upgrade_available"))
            == ("main", "0", "0"))


def wait_confirmed(board, card, release, timeout=PATIENCE_S):
    """Until it is so, watched from outside while the board runs."""
    end = time.monotonic() + timeout
    while not is_confirmed(card, release):
        assert time.monotonic() < end, (
            f"release {release} not confirmed within {timeout} s: {card.env()}, "
            f"{read_record(card, records.STATE)}; log in {board.log_path}")
        time.sleep(0.05)


def change_records(card, changes):
    """Writes the log anew with these records changed (None: dropped)."""
    new = read_records(card) | changes
    card.write("state", records.log_encode({k: v for k, v in new.items() if v}))


def to_json(obj):
    return json.dumps(obj).encode()


def provision(card, bundle, url):
    """As the factory's last step: the release on the card is confirmed and its bundle known."""
    members = bundles.split(Path(bundle).read_bytes())
    manifest = members[0][1]
    release = json.loads(manifest)["release"]
    confirmed = {"state": "confirmed", "release": release,
                 "manifest": hashlib.sha256(manifest).hexdigest()}
    change_records(card, {
        records.STATE: to_json(confirmed),
        records.CONFIRMED: records.release_record(members, release, [url])})


def stage(card, *urls, release=0, **request):
    """What the agent writes before it reboots, without any of its checks."""
    change_records(card, {
        records.STATE: to_json({"state": "requested", "release": release}
                               | {k: v for k, v in request.items() if k == "manifest"}),
        records.REQUEST: to_json({
            "recovery_only": False, "urls": list(urls), "release": release, "budget_bytes": 0,
            "time": 0, "deployment": "test", "header": ""} | request)})
    card.change_env(lifeboat_boot="recovery")


def agent(board, command, timeout=PATIENCE_S, may_fail=False):
    """Runs lifeboat-agent COMMAND --json on the board's console; returns its object."""
    # the console is shared: one write of one line cannot be broken up by others
    text = board.run(f"lifeboat-agent {command} --quiet --json 2>/dev/null | tr -d '\\n\\t' "
                     ">/run/answer; read -r x </run/answer; echo; echo \"answer $x\"", timeout)
    # the line before may be one of the daemon's that has not ended
    answer = json.loads("{" + text.partition("answer {")[2].splitlines()[0])
    assert answer["ok"] or may_fail, answer
    return answer


def predict(field, name="release-2.lbu"):
    """What the host says an update from release 1 to this bundle costs this card."""
    sizes = [f"--slot={slot}={field.card.partitions[slot][1]}" for slot in ("boot", "root")]
    said = subprocess.run([field.build / "host" / "bin" / "lifeboat", "diff", "--json", *sizes,
                           field.files / "release-1.lbu", field.files / name],
                          check=True, capture_output=True, text=True).stdout
    return json.loads(said)["total"]


class Field:
    """Board, card and server of one test; release 1 is on the card and confirmed."""

    def __init__(self, card, board, server, files, build):
        self.card, self.board, self.server = card, board, server
        self.files, self.build = Path(files), Path(build)
        self.key = bundles.Key.load(
            self.build / "keys" / "bundle" / "lifeboat-development.pem")
        self.serve("release-1.lbu")
        provision(card, self.files / "release-1.lbu", server.url("release-1.lbu"))
        set_agent(card, server.url("channel.lbc"))

    def serve(self, name, data=None):
        """A file of the Makefile's, or @data, under the server's folder; returns its URL."""
        data = (self.files / name).read_bytes() if data is None else data
        (self.server.root / name).write_bytes(data)
        return self.server.url(name)

    def offer(self, *names):
        """Publishes these bundles with the host tool."""
        command = [self.build / "host" / "bin" / "lifeboat", "publish", self.server.root,
                   "--key", self.build / "keys" / "bundle" / "lifeboat-development.pem",
                   *(self.files / n for n in names)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def read_bundle(self, name):
        return (self.files / name).read_bytes()

    def main_bytes(self):
        """Both slots whole."""
        return self.card.read("boot") + self.card.read("root")

    def holds(self, name):
        """Every slot begins with its image of that bundle, read from outside."""
        manifest = bundles.manifest_of(self.read_bundle(name))
        return all(bundles.sha(self.card.read(image["target"], 0, image["size"]))
                   == image["sha256"] for image in manifest["images"])

    def wait_confirmed(self, release, timeout=PATIENCE_S):
        wait_confirmed(self.board, self.card, release, timeout)

    def put_recovery(self, path):
        """Into both copies."""
        for name in ("recovery_a", "recovery_b"):
            self.card.erase(name)
            self.card.write_file(name, path)

    def put_hasty_recovery(self, image="recovery-hasty.itb"):
        """The same recovery, but it gives up after 8 s and asks again every second."""
        self.put_recovery(self.files / image)
