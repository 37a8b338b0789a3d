# SPDX-License-Identifier: GPL-2.0-or-later
"""How the demonstration talks: numbered steps, the board's console beside them.

Progress lines rewrite themselves on a terminal and appear now and then elsewhere.
No colours with NO_COLOR or without a terminal.
"""
import os
import re
import shutil
import sys
import textwrap
import threading
import time

PROGRESS_EVERY_S = 2.0      # without a terminal

# What of the board's console matters to a reader, and how it is called.
CONSOLE = [
    (re.compile(r"^U-Boot 20\S+"), "U-Boot"),
    (re.compile(r"^Lifeboat: (?=trying|changing|recovery|boot cannot|nothing can).*"), "U-Boot"),
    (re.compile(r"^Lifeboat: "), "init"),
    (re.compile(r"^Lifeboat recovery: copy="), "init"),
    (re.compile(r"^lifeboat: (.*)"), "recovery"),
    (re.compile(r"^lifeboat-agent: (.*)"), "agent"),
    (re.compile(r"^main OS release \d+ is up"), "main OS"),
]
PROGRESS = re.compile(r"^  (\w+) +(\S+) +(?:\d+ %|[\d.]+ MiB looked at).*")


class Story:
    def __init__(self, out=sys.stdout):
        self.out = out
        self.tty = out.isatty()
        colour = self.tty and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._dim, self._bold, self._plain = (
            ("\033[2m", "\033[1m", "\033[0m") if colour else ("", "", ""))
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._number = 0
        self._line_open = False     # a progress line without its end
        self._progress_shown = 0.0
        self._progress_held = ""
        self._pending = ""          # console text without its end
        self._step_start = self._start
        self.spent = []             # [(short name, seconds)]
        self._name = None

    def seconds(self):
        return time.monotonic() - self._start

    def _put(self, text):
        if self._line_open:
            self.out.write("\n")
            self._line_open = False
        self.out.write(text + "\n")
        self.out.flush()

    # --- the teller

    def title(self, text):
        with self._lock:
            self._put(f"{self._bold}{text}{self._plain}")

    def step(self, text, name=None):
        """A new numbered step; @name: its line in the table of times."""
        now = time.monotonic()
        with self._lock:
            self._flush_progress()
            self._finish_step(now)
            self._number += 1
            self._name, self._step_start = name, now
            lines = self._wrap(f"{text} [{now - self._start:.1f} s]", f"{self._number:2}. ")
            self._put(f"\n{self._bold}{lines}{self._plain}")

    def _finish_step(self, now):
        if self._name:
            self.spent.append((self._name, now - self._step_start))
        self._name = None

    def end(self):
        with self._lock:
            self._flush_progress()
            self._finish_step(time.monotonic())

    def say(self, text):
        with self._lock:
            self._flush_progress()
            self._put(self._wrap(text, "    "))

    @staticmethod
    def _wrap(text, first):
        width = min(max(shutil.get_terminal_size().columns, 60), 100)
        return textwrap.fill(text, width, initial_indent=first, subsequent_indent="    ",
                             break_long_words=False, break_on_hyphens=False)

    def row(self, name, value, note=""):
        with self._lock:
            self._put(f"    {name:<36}{value:>16}{'  ' + note if note else ''}".rstrip())

    # --- the board

    def console(self, text):
        """Takes the board's console as it comes, in pieces of any size."""
        with self._lock:
            *lines, self._pending = re.split(r"[\r\n]+", self._pending + text)
            for line in lines:
                self._console_line(line)

    def _console_line(self, line):
        match = PROGRESS.match(line)
        if match:
            self._progress(line.strip(), match.group(1))
            return
        for pattern, who in CONSOLE:
            match = pattern.match(line)
            if match:
                self._flush_progress()
                self._put(f"{self._dim}      {who:>8} | "
                          f"{match.group(1) if pattern.groups else line}{self._plain}")
                return

    def _progress(self, line, step):
        now = time.monotonic()
        text = f"{self._dim}      {'recovery':>8} | {self._plain}{line}"
        if self.tty:
            self.out.write(f"\r{text}\033[K")
            self.out.flush()
            self._line_open = True
            return
        fresh = step not in self._progress_held.split()[:1]
        if fresh or now - self._progress_shown >= PROGRESS_EVERY_S:
            self._flush_progress()
            self._put(text)
            self._progress_shown = now
            self._progress_held = f"{step} "
        else:
            self._progress_held = f"{step} {text}"

    def _flush_progress(self):
        """The last progress line that was held back."""
        step, _, text = self._progress_held.partition(" ")
        if text:
            self._put(text)
        self._progress_held = f"{step} " if step else ""
