# SPDX-License-Identifier: GPL-2.0-or-later
import json
import os
import random
import subprocess

import pytest

BUILD = os.environ.get("LB_BUILD", "build")


class Tool:
    """lifeboat in a folder of its own, under AddressSanitizer."""

    def __init__(self, folder):
        self.folder = folder
        self.program = os.path.abspath(os.path.join(BUILD, "asan/bin/lifeboat"))

    def run(self, *argv, env=None, code=0):
        """Standard output; the exit code must be @code. Failures: one line of standard error."""
        done = subprocess.run([self.program, *map(str, argv)], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, **(env or {})})
        assert done.returncode == code, (argv, done.stdout, done.stderr)
        if code == 0:
            assert done.stderr == ""
            return done.stdout
        *others, last = done.stderr.splitlines()  # others: what a signing command said
        assert last.startswith("lifeboat: ") and done.stderr.endswith("\n"), done.stderr
        assert not [line for line in others if "lifeboat" in line or "Sanitizer" in line], done.stderr
        return last + "\n"

    def json(self, *argv, **options):
        return json.loads(self.run(*argv, "--json", **options))

    def refuses(self, reason, *argv, **options):
        """Fails with the stable code @reason at the end of its sentence."""
        text = self.run(*argv, code=1, **options)
        assert text.endswith(f" ({reason})\n"), text
        return text

    def describe(self, images, name="d.json", **fields):
        """A description; images: name -> bytes or {"data": bytes, more fields}"""
        listed = []
        for image, what in images.items():
            what = what if isinstance(what, dict) else {"data": what}
            more = {k: v for k, v in what.items() if k != "data"}
            (self.folder / f"{image}.img").write_bytes(what["data"])
            listed.append({"name": image, "file": f"{image}.img", **more})
        description = {"product": "acme", "hardware": ["acme,gw-2"], "version": "2.1",
                       "release": 21, "created": 1700000000, "images": listed, **fields}
        (self.folder / name).write_text(json.dumps(description))
        return name

    def pack(self, images, out="a.lbu", options=("-k", "key.pem", "--level", "3"), **fields):
        self.run("pack", self.describe(images, **fields), "-o", out, *options)
        return self.folder / out


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Two pairs of keys, made once."""
    tool = Tool(tmp_path_factory.mktemp("keys"))
    for name in ("key", "other"):
        tool.run("keygen", name)
    return tool.folder


@pytest.fixture
def tool(tmp_path, keys):
    for name in ("key", "other"):
        for end in (".pem", ".pub.pem"):
            os.symlink(keys / (name + end), tmp_path / (name + end))
    return Tool(tmp_path)


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def words(size, seed=1):
    """Compresses, but not to nothing."""
    rng = random.Random(seed)
    vocabulary = [rng.randbytes(rng.randint(2, 9)).hex().encode() for _ in range(2000)]
    out = b" ".join(rng.choice(vocabulary) for _ in range(size // 8))
    return (out * (size // len(out) + 1))[:size]


def shuffled(size, seed=1, count=60, longest=5000):
    """Pieces in any order: their first occurrences are noise, later ones are found in front."""
    rng = random.Random(seed)
    pieces = [rng.randbytes(rng.randint(longest // 4, longest)) for _ in range(count)]
    out = []
    while size > 0:
        out.append(rng.choice(pieces)[:size])
        size -= len(out[-1])
    return b"".join(out)


@pytest.fixture(scope="session")
def sample():
    """Data, zeros, repetition, an odd length."""
    block = noise(300000)
    return words(700001) + bytes(123456) + block + bytes(50000) + block + b"end"
