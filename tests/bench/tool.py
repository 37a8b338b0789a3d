# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tools of the comparison have in common.

A tool has a host side, build(), which makes what a server stores, is not part of any
figure and is kept with the pair; and a device side, command(), which is measured.
"""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import time

from lab import PATH, Cannot

LEVEL = 19  # of zstd, for everybody who lets it be chosen


class Tool:
    """@name in the table; @programs it needs, of the Debian @package; @note: how it is run."""

    name, package, note = "", "", ""
    programs = ()
    cases = ("full", "update", "resume")
    salt = "1"  # changed when build() makes something else

    def reason(self, case):
        """Why it cannot do @case, or None."""
        for program in self.programs:
            if not shutil.which(program, path=PATH):
                return f"{program} is not installed (package {self.package})"
        return None

    def why_not(self, case):
        """Why @case is not among its cases."""
        return "is not measured"

    def version(self):
        """Of the package; "" when it is not known."""
        asked = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", self.package or "none"],
                               capture_output=True, text=True)
        return asked.stdout if asked.returncode == 0 else ""

    def slug(self):
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    # -- host side

    def build(self, pair, folder):
        """Makes the artifacts; returns {case: bytes that a server has to store for it}."""
        raise NotImplementedError

    def key(self):
        """What the artifacts depend on besides the pair."""
        return f"{self.salt}-{self.version()}"

    def prepare(self, pair):
        """The artifacts, made when they are not there: sets self.folder and self.sizes."""
        final = pair.folder / self.slug()
        note = final / "made.json"
        made = json.loads(note.read_text()) if note.exists() else {}
        if made.get("key") != self.key():
            made = self._make(pair, final)
            note.write_text(json.dumps(made))
        self.folder, self.sizes = final, made["sizes"]
        self.host = {k: made[k] for k in ("wall_s", "cpu_s")}

    def _make(self, pair, final):
        new = final.with_name(final.name + ".new")
        for folder in (new, final):
            shutil.rmtree(folder, ignore_errors=True)
        new.mkdir(parents=True)
        begin, used = time.monotonic(), cpu_s()
        sizes = self.build(pair, new)
        made = {"key": self.key(), "sizes": sizes, "wall_s": time.monotonic() - begin,
                "cpu_s": cpu_s() - used}
        os.replace(new, final)
        return made

    # -- device side

    def start(self, lab):
        """Before the first command: what depends on the server's address."""

    def command(self, case, lab):
        raise NotImplementedError

    def again(self, lab):
        """What is run after a kill."""
        return self.command("full", lab)

    def url(self, lab, name):
        return lab.url(f"{self.folder.name}/{name}")

    def figures(self, lab):
        """What the tool itself tells about the run before."""
        return {}


def cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def host(argv, cwd, timeout=3600, **more):
    """Runs a program of the host side."""
    try:
        done = subprocess.run([str(a) for a in argv], cwd=cwd, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, "PATH": PATH, "LC_ALL": "C"}, **more)
    except subprocess.TimeoutExpired:
        raise Cannot(f"host side: {argv[0]} took more than {timeout} s") from None
    if done.returncode:
        raise Cannot(f"host side: {argv[0]}: {(done.stderr or done.stdout).strip()[-200:]}")
    return done.stdout


def size(*paths):
    """Bytes of files and of everything in folders."""
    return sum(f.stat().st_size for p in map(pathlib.Path, paths)
               for f in (p.rglob("*") if p.is_dir() else [p]) if f.is_file())


def pipeline(text):
    """A shell pipeline of constant text; its values come as arguments."""
    return ["bash", "-o", "pipefail", "-c", text, "bash"]


def self_signed(folder, name, *extensions):
    """RSA key and certificate NAME.key, NAME.crt for the peers' signatures."""
    host(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
          "-subj", "/CN=bench", "-keyout", f"{name}.key", "-out", f"{name}.crt",
          *(w for e in extensions for w in ("-addext", e))], folder)
