# SPDX-License-Identifier: GPL-2.0-or-later
"""What was fetched, and what of it twice: the server's log against the bundle's members."""
import json
import tarfile

from lbfield import bundles


class Bundle:
    """What Python's tarfile finds in the bundle: sizes and places of its members."""

    def __init__(self, path):
        self.path = path
        self.size = path.stat().st_size
        with tarfile.open(path) as tar:
            members = tar.getmembers()
            self.manifest = json.load(tar.extractfile("manifest.json"))
        names = {image["payload"]["name"] for image in self.manifest["images"]}
        self.payload = [(m.offset_data, m.offset_data + m.size)
                        for m in members if m.name in names]

    def largest_chunk(self):
        """Stored bytes of its largest chunk, from the indexes."""
        return bundles.longest_stored(self.path.read_bytes())

    def payload_in(self, start, end):
        return sum(max(0, min(end, b) - max(start, a)) for a, b in self.payload)


class Traffic:
    """What the server's log says about one reader of one bundle."""

    def __init__(self, server, bundle, reader):
        spans = [(r.offset, r.offset + r.body_bytes) for r in server.requests(f"/{bundle.path.name}")
                 if r.agent.startswith(reader) and r.status in (200, 206) and r.body_bytes]
        union, end = [], -1
        for start, stop in sorted(spans):
            if start > end:
                union.append([start, stop])
            else:
                union[-1][1] = max(union[-1][1], stop)
            end = union[-1][1]
        self.payload = sum(bundle.payload_in(a, b) for a, b in spans)
        self.other = sum(b - a for a, b in spans) - self.payload
        once = sum(bundle.payload_in(a, b) for a, b in union)
        self.payload_again = self.payload - once
        self.other_again = self.other - (sum(b - a for a, b in union) - once)
