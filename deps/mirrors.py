#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where this machine gets Debian packages from, by its own apt configuration.

    mirrors.py archives         base address of every archive, one per line
    mirrors.py sources SUITE    the same configuration for another suite, with
                                source packages, as a deb822 .sources file
    mirrors.py suite SUITE      one suite of binary packages, such as CODENAME-security,
                                in the same format; what this machine does not use comes
                                from where the release itself does

No address is written in this repository: whoever builds behind a mirror gets
everything from that mirror. Both formats of apt's sources are read.
"""
import pathlib
import re
import subprocess
import sys


def apt_dir(name):
    out = subprocess.run(["apt-config", "shell", "D", f"{name}"],
                         capture_output=True, text=True, check=True).stdout
    match = re.match(r"D='(.*)'", out.strip())
    return pathlib.Path(match.group(1)) if match else None


def codename():
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    return ""


def one_line_entry(line):
    """`deb [opt=val ...] uri suite component...` as deb822 fields."""
    match = re.match(r"(deb|deb-src)\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s*(.*)", line)
    if not match:
        return None
    kind, options, uri, suite, components = match.groups()
    entry = {"Types": kind, "URIs": uri, "Suites": suite,
             "Components": components.split("#")[0].strip()}
    for option in (options or "").split():
        key, _, value = option.partition("=")
        if key.lower() in ("signed-by", "trusted"):
            entry[key.title()] = value
    return entry


def deb822_entries(text):
    for block in re.split(r"\n\s*\n", text):
        entry, key = {}, None
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t") and key:
                entry[key] += "\n" + line
            elif ":" in line:
                key, value = line.split(":", 1)
                key = {"uris": "URIs", "signed-by": "Signed-By"}.get(
                    key.lower(), key.title())
                entry[key] = value.strip()
        if "URIs" in entry and entry.get("Enabled", "yes").lower() not in ("no", "false"):
            yield entry


def entries():
    files = [apt_dir("Dir::Etc::sourcelist/f")]
    parts = apt_dir("Dir::Etc::sourceparts/d")
    if parts and parts.is_dir():
        files += sorted(parts.iterdir())
    for path in files:
        if not path or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if path.suffix == ".sources":
            yield from deb822_entries(text)
        elif path.suffix == ".list":
            yield from filter(None, map(one_line_entry, text.splitlines()))


def expand(uri):
    """`mirror+file:/list` names a file of addresses: use those."""
    if not uri.startswith("mirror+file:"):
        return [uri]
    listed = pathlib.Path(re.sub(r"^mirror\+file:(//)?", "", uri)).read_text()
    return [line.split()[0] for line in listed.splitlines()
            if line.strip() and not line.startswith("#")]


def debian_entries():
    """Entries of the distribution itself: its code name as suite, with main."""
    known = codename()
    names = {known, f"{known}-updates", f"{known}-security",
             "stable", "oldstable", "testing"}
    for entry in entries():
        suites = [s for s in entry["Suites"].split() if s in names]
        if suites and "main" in entry.get("Components", "").split():
            yield entry, suites


def archives():
    seen = []
    for entry, _ in debian_entries():
        for uri in entry["URIs"].split():
            seen += [u.rstrip("/") for u in expand(uri)]
    return list(dict.fromkeys(seen))


def sources(suite):
    blocks = []
    for entry, suites in debian_entries():
        block = dict(entry, Types="deb deb-src", Components="main")
        block["Suites"] = " ".join(dict.fromkeys(
            suite + (re.search(r"-(updates|security)$", s) or [""])[0] for s in suites))
        blocks.append("".join(f"{k}: {v}\n" for k, v in block.items()))
    return "\n".join(dict.fromkeys(blocks))


def suite_alone(suite):
    """One block: where this machine gets that kind of suite, otherwise the release, from."""
    suffix = (re.search(r"-[a-z-]+$", suite) or [""])[0]
    release = {codename(), "stable", "oldstable", "testing"}
    found = {}
    for entry, suites in debian_entries():
        for name in suites:
            kind = "" if name in release else name.removeprefix(codename())
            found.setdefault(kind, entry)
    entry = found.get(suffix) or found.get("")
    if not entry:
        sys.exit("mirrors.py: apt's sources name no archive of the distribution")
    block = dict(entry, Types="deb", Suites=suite, Components="main")
    block["URIs"] = " ".join(u.rstrip("/") for uri in entry["URIs"].split() for u in expand(uri))
    block.pop("Architectures", None)
    return "".join(f"{k}: {v}\n" for k, v in block.items())


def main(args):
    if args == ["archives"]:
        print("\n".join(archives()))
    elif len(args) == 2 and args[0] == "sources":
        print(sources(args[1]), end="")
    elif len(args) == 2 and args[0] == "suite":
        print(suite_alone(args[1]), end="")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
