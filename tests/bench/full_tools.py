# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that transfer the whole image: the plain pipeline, SWUpdate, RAUC."""

import pathlib

from lab import Cannot, Command
from tool import LEVEL, Tool, host, pipeline, self_signed, size

HERE = pathlib.Path(__file__).resolve().parent


def compressed(pair):
    """NEW as one zstd stream; made once for all who send that."""
    path = pair.folder / f"new-{LEVEL}.zst"
    if not path.exists():
        host(["zstd", "-q", f"-{LEVEL}", "-f", pair.new, "-o", path.with_suffix(".part")], ".")
        path.with_suffix(".part").rename(path)
    return path


class Pipeline(Tool):
    """curl | zstd -d | dd: no signature, no digest, no resumption."""

    name, package = "curl|zstd|dd", "zstd"
    programs = ("curl", "zstd", "dd", "bash")
    note = "no check of any kind"
    text = ('curl -sSf "$1" | zstd -dcq | dd of="$2" bs=1M iflag=fullblock '
            'conv=notrunc,fsync status=none')

    def build(self, pair, folder):
        (folder / "new.zst").hardlink_to(compressed(pair))
        self.expect(pair, folder)
        return {"full": size(folder / "new.zst")}

    def expect(self, pair, folder):
        """Nothing to compare with."""

    def command(self, case, lab):
        return Command([*pipeline(self.text), self.url(lab, "new.zst"), lab.slot], lab.slot)


class PipelineSha(Pipeline):
    """The same, with the image's digest, which is known when all is written."""

    name = "curl|zstd|sha256|dd"
    programs = (*Pipeline.programs, "tee", "sha256sum")
    note = "digest of the image, known once all of it is written"
    text = ('curl -sSf "$1" | zstd -dcq | tee >(sha256sum >sum) | dd of="$2" bs=1M '
            'iflag=fullblock conv=notrunc,fsync status=none && cmp sum "$3"')

    def expect(self, pair, folder):
        (folder / "expected").write_text(f"{pair.digest['new']}  -\n")

    def command(self, case, lab):
        command = super().command(case, lab)
        command.argv.append(self.folder / "expected")
        return command


SW_DESCRIPTION = """software = {{
 version = "2"; hardware-compatibility: [ "1.0" ];
 images: ( {{ filename = "{file}"; sha256 = "{sha256}"; device = "{device}"; {how} }} );
}}
"""


class SwUpdate(Tool):
    """Signed .swu, streamed into the slot."""

    name, package = "swupdate", "swupdate"
    programs = ("swupdate", "cpio", "openssl")
    note = "CMS signature, digest of the payload, installed-directly; no fsync of its own"

    def build(self, pair, folder):
        self_signed(folder, "swu", "extendedKeyUsage=emailProtection")
        (folder / "new.zst").hardlink_to(compressed(pair))
        return {"full": size(folder / "new.zst")}

    def pack(self, folder, name, payload, description):
        """folder/NAME from sw-description, its signature and the payload."""
        (folder / "sw-description").write_text(description)
        host(["openssl", "cms", "-sign", "-in", "sw-description", "-out", "sw-description.sig",
              "-signer", "swu.crt", "-inkey", "swu.key", "-outform", "DER", "-nosmimecap",
              "-binary"], folder)
        members = f"sw-description\\nsw-description.sig\\n{payload}\\n"
        host(["sh", "-c", f"printf '{members}' | cpio -o -H crc >{name}"], folder)

    def start(self, lab):
        """The slot's path is part of what is signed."""
        digest = host(["sha256sum", "new.zst"], self.folder).split()[0]
        self.pack(self.folder, "new.swu", "new.zst", SW_DESCRIPTION.format(
            file="new.zst", sha256=digest, device=lab.slot,
            how='type = "raw"; compressed = "zstd"; installed-directly = true;'))
        self.sizes["full"] = size(self.folder / "new.swu")
        (self.folder / "swupdate.cfg").write_text("globals : { };\n")

    def command(self, case, lab):
        return Command(self.argv(lab, "new.swu"), lab.slot)

    def argv(self, lab, name):
        return ["swupdate", "-f", self.folder / "swupdate.cfg", "-H", "bench:1.0", "-l", "2",
                "-k", self.folder / "swu.crt", "-d", f"-u {self.url(lab, name)} -r 1"]


class SwUpdateDelta(SwUpdate):
    """Its delta handler: a zchunk file, compared with the other slot."""

    name = "swupdate delta"

    def why_not(self, case):
        return "see swupdate"

    programs = (*SwUpdate.programs, "zck", "zck_read_header")
    note = "reads the old image in a second slot"
    cases = ("update",)

    def build(self, pair, folder):
        self_signed(folder, "swu", "extendedKeyUsage=emailProtection")
        host(["zck", "-u", "--chunk-hash-type", "sha256", "-o", "new.zck", pair.new], folder)
        told = host(["zck_read_header", "new.zck"], folder).splitlines()
        header = next(int(t.split()[-1]) for t in told if t.startswith("Header size"))
        (folder / "new.head").write_bytes((folder / "new.zck").read_bytes()[:header])
        return {"full": size(folder / "new.zck")}

    def start(self, lab):
        digest = host(["sha256sum", "new.head"], self.folder).split()[0]
        how = (f'type = "delta"; properties: {{ url = "{self.url(lab, "new.zck")}"; '
               f'source = "{lab.old_slot}"; chain = "raw"; zckloglevel = "error"; }};')
        self.pack(self.folder, "delta.swu", "new.head", SW_DESCRIPTION.format(
            file="new.head", sha256=digest, device=lab.slot, how=how))
        (self.folder / "swupdate.cfg").write_text("globals : { };\n")

    def command(self, case, lab):
        return Command(self.argv(lab, "delta.swu"), lab.slot, old=True)


RAUC_MANIFEST = """[update]
compatible=bench
version=2
[bundle]
format=plain
[image.rootfs]
filename=root.img
"""

RAUC_SYSTEM = """[system]
compatible=bench
bootloader=noop
mountprefix={scratch}/mnt
statusfile={scratch}/status
bundle-formats=plain
activate-installed=false
[keyring]
path={folder}/rauc.crt
[slot.rootfs.0]
device={old}
type=raw
bootname=A
[slot.rootfs.1]
device={slot}
type=raw
bootname=B
"""


class Rauc(Tool):
    """A bundle that curl stores on the device, installed by the service."""

    name, package = "rauc", "rauc"
    programs = ("rauc", "dbus-daemon", "curl", "mksquashfs", "losetup")
    note = ("format plain from a stored bundle: this build does not stream (no nbd), verity "
            "needs the device mapper; service and private bus counted")

    def build(self, pair, folder):
        self_signed(folder, "rauc")
        (folder / "content").mkdir()
        (folder / "content/manifest.raucm").write_text(RAUC_MANIFEST)
        host(["cp", "--reflink=auto", pair.new, "content/root.img"], folder)
        host(["rauc", "bundle", "--cert", "rauc.crt", "--key", "rauc.key", "--keyring", "rauc.crt",
              f"--mksquashfs-args=-comp zstd -Xcompression-level {LEVEL}", "content",
              "new.raucb"], folder)
        host(["rm", "-r", "content"], folder)
        return {"full": size(folder / "new.raucb")}

    def reason(self, case):
        loops = pathlib.Path("/dev/loop-control").exists()
        return super().reason(case) or (None if loops else "no loop device to mount its bundle")

    def start(self, lab):
        (self.folder / "system.conf").write_text(RAUC_SYSTEM.format(
            scratch=lab.scratch, folder=self.folder, old=lab.old_slot, slot=lab.slot))

    def command(self, case, lab):
        (lab.scratch / "mnt").mkdir(exist_ok=True)
        return Command(["sh", HERE / "rauc.sh", self.url(lab, "new.raucb"),
                        self.folder / "system.conf"], lab.slot, old=True)


class Absent(Tool):
    """A peer that cannot be here, and why."""

    def __init__(self, name, why):
        self.name, self.why = name, why

    def reason(self, case):
        return self.why

    def build(self, pair, folder):
        raise Cannot(self.why)
