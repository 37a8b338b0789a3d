# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that reuse what the device has, or apply a patch. All need a second slot."""

from lab import Command
from tool import LEVEL, Tool, host, pipeline, size


class Casync(Tool):
    """Index and chunk store; the old slot is a seed."""

    package = "casync"
    programs = ("casync",)
    note = "one request a chunk; after the kill with --seed-output=no"

    def __init__(self, average):
        self.average = average
        self.name = f"casync {average // 1024}K"

    def build(self, pair, folder):
        host(["casync", "make", f"--chunk-size={self.average}", "--store=new.castr",
              "new.caibx", pair.new], folder)
        return {"full": size(folder / "new.caibx", folder / "new.castr")}

    def command(self, case, lab):
        seed = [f"--seed={lab.old_slot}"] if case == "update" else []
        return Command(["casync", "extract", *seed, f"--store={self.url(lab, 'new.castr')}",
                        self.url(lab, "new.caibx"), lab.slot], lab.slot, old=case == "update")


    def again(self, lab):
        """Without the half-written slot as a seed: that ends with `Stale file handle`."""
        command = self.command("full", lab)
        command.argv.insert(2, "--seed-output=no")
        return command


class Zchunk(Tool):
    """zckdl compares with the compressed file of the old release, which has to be kept."""

    name, package = "zchunk", "zchunk"
    programs = ("zck", "zckdl", "unzck", "dd", "bash")
    note = "keeps both releases' compressed files on the device; unzck writes the slot"
    text = 'zckdl -q ${3:+-s "$3"} "$1" && unzck -c new.zck | dd of="$2" bs=1M ' \
           'iflag=fullblock conv=notrunc,fsync status=none'

    def build(self, pair, folder):
        for name, image in (("old", pair.old), ("new", pair.new)):
            host(["zck", "-o", f"{name}.zck", image], folder)
        return {"full": size(folder / "new.zck")}

    def command(self, case, lab):
        old = [self.folder / "old.zck"] if case == "update" else []
        return Command([*pipeline(self.text), self.url(lab, "new.zck"), lab.slot, *old], lab.slot)


class Zsync(Tool):
    """Rolling checksums of the old slot; compressed payload by gzip."""

    name, package = "zsync", "zsync"
    programs = ("zsync", "zsyncmake", "gzip", "bash")
    note = "SHA-1 of the image; gzip -9; writes beside the slot and renames"
    text = 'zsync -q ${3:+-i "$3"} -o "$2" "$1"'

    def build(self, pair, folder):
        host(["sh", "-c", 'gzip -9 -n -c "$1" >new.img.gz', "sh", pair.new], folder)
        host(["zsyncmake", "-C", "-u", "new.img.gz", "-o", "new.zsync", "new.img.gz"], folder)
        return {"full": size(folder / "new.zsync", folder / "new.img.gz")}

    def command(self, case, lab):
        old = [lab.old_slot] if case == "update" else []
        return Command([*pipeline(self.text), self.url(lab, "new.zsync"), lab.slot, *old],
                       lab.slot, old=bool(old))


class Patch(Tool):
    """A patch from exactly this old image to exactly this new one."""

    cases = ("update",)
    note = "for one old release alone; no check before it writes"
    text = ""

    def why_not(self, case):
        return "a patch needs its old image"

    def make(self, pair, target):
        raise NotImplementedError

    def build(self, pair, folder):
        host([str(w) for w in self.make(pair, folder / "patch")], folder, timeout=7200)
        return {"patch": size(folder / "patch")}

    def command(self, case, lab):
        return Command([*pipeline(self.text), self.url(lab, "patch"), lab.slot, lab.old_slot],
                       lab.slot, old=True)


class Xdelta(Patch):
    name, package, programs = "xdelta3 -9", "xdelta3", ("xdelta3", "curl", "bash")
    text = 'curl -sSf "$1" | xdelta3 -d -f -c -s "$3" | dd of="$2" bs=1M iflag=fullblock ' \
           'conv=notrunc,fsync status=none'

    def make(self, pair, target):
        window = 1 << max(pair.old_bytes - 1, 1 << 19).bit_length()  # all of the old image
        return ["xdelta3", "-e", "-9", "-f", "-B", min(window, 1 << 31), "-s", pair.old,
                pair.new, target]


class Bsdiff(Patch):
    name, package, programs = "bsdiff", "bsdiff", ("bsdiff", "bspatch", "curl", "bash")
    note = "for one old release alone; writes beside the slot"
    text = 'curl -sSf -o patch "$1" && bspatch "$3" "$2" patch'

    def make(self, pair, target):
        return ["bsdiff", pair.old, pair.new, target]


class PatchFrom(Patch):
    name, package, programs = "zstd --patch-from", "zstd", ("zstd", "curl", "bash")
    text = 'curl -sSf "$1" | zstd -dcq --long=31 --patch-from="$3" | dd of="$2" bs=1M ' \
           'iflag=fullblock conv=notrunc,fsync status=none'

    def make(self, pair, target):
        return ["zstd", "-q", f"-{LEVEL}", "--long=31", f"--patch-from={pair.old}", pair.new,
                "-o", target]
