#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bill of materials (SPDX 2.3, tag-value) out of deps/deps.list and the patches.

    deps/sbom.py VERSION >FILE

Same inputs, same bytes: the creation time is $SOURCE_DATE_EPOCH (default: the
last commit's), the document's address ends in a hash of its content.
"""
import datetime
import hashlib
import os
import pathlib
import re
import subprocess
import sys

DEPS = pathlib.Path(__file__).resolve().parent
FOLDERS = {"u-boot": "uboot"}   # where patches are not in deps/NAME
# how Lifeboat takes it in; everything else is a program or boot stage of its own
LINKED = {"musl", "mbedtls", "curl", "zstd", "cjson", "libfdt", "libubi"}


def stanzas():
    for block in (DEPS / "deps.list").read_text().split("\n\n"):
        fields = dict(re.findall(r"(?m)^(\w+): (.*)$", block))
        if "Name" in fields:
            yield fields


def patches_of(name):
    return sorted((DEPS / FOLDERS.get(name, name)).glob("*.patch"))


def reason_of(patch):
    """The Reason line of the patch's header; without one all that stands before the diff."""
    header = re.split(r"(?m)^(?:diff |--- )", patch.read_text(errors="replace"), maxsplit=1)[0]
    match = re.search(r"(?ms)^Reason: (.*?)(?=\n[A-Z][\w-]*:|\n\n|\Z)", header)
    reason = " ".join((match[1] if match else header).split())
    if not reason:
        sys.exit(f"sbom: {patch} does not say why it is here")
    return reason


def created():
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        epoch = subprocess.run(["git", "-C", DEPS, "log", "-1", "--format=%ct"],
                               capture_output=True, text=True, check=False).stdout.strip()
    when = datetime.datetime.fromtimestamp(int(epoch or 0), datetime.timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def package(fields):
    name, version = fields["Name"], fields["Version"]
    return f"""
PackageName: {name}
SPDXID: SPDXRef-{name}
PackageVersion: {version}
PackageFileName: {fields['File'].rsplit('/', 1)[1]}
PackageDownloadLocation: NOASSERTION
FilesAnalyzed: false
PackageChecksum: SHA256: {fields['SHA256']}
PackageLicenseConcluded: {fields['Licence']}
PackageLicenseDeclared: {fields['Licence']}
PackageCopyrightText: NOASSERTION
PackageComment: <text>{fields['Why']}. Used in: {fields['Used']}.</text>
ExternalRef: PACKAGE-MANAGER purl pkg:deb/debian/{fields['Package']}@{version}?arch=source
PrimaryPackagePurpose: SOURCE
Relationship: SPDXRef-lifeboat {'STATIC_LINK' if name in LINKED else 'DEPENDS_ON'} SPDXRef-{name}
"""


def patch_file(fields, patch):
    data = patch.read_bytes()
    ref = re.sub(r"[^A-Za-z0-9.-]", "-", f"SPDXRef-patch-{fields['Name']}-{patch.stem}")
    return f"""
FileName: ./{patch.relative_to(DEPS.parent)}
SPDXID: {ref}
FileType: SOURCE
FileChecksum: SHA1: {hashlib.sha1(data).hexdigest()}
FileChecksum: SHA256: {hashlib.sha256(data).hexdigest()}
LicenseConcluded: {fields['Licence']}
LicenseInfoInFile: NOASSERTION
FileCopyrightText: NOASSERTION
FileComment: <text>{reason_of(patch)}</text>
Relationship: {ref} PATCH_FOR SPDXRef-{fields['Name']}
"""


def document(version):
    sources = list(stanzas())
    # files first: after a package they would count as contained in it
    files = "".join(patch_file(f, p) for f in sources for p in patches_of(f["Name"]))
    packages = "".join(package(f) for f in sources)
    body = f"""{files}
PackageName: lifeboat
SPDXID: SPDXRef-lifeboat
PackageVersion: {version}
PackageDownloadLocation: NOASSERTION
FilesAnalyzed: false
PackageLicenseConcluded: GPL-2.0-or-later
PackageLicenseDeclared: GPL-2.0-or-later
PackageCopyrightText: NOASSERTION
PrimaryPackagePurpose: APPLICATION
{packages}"""
    digest = hashlib.sha256(body.encode()).hexdigest()[:32]
    return f"""SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
DocumentName: lifeboat-{version}
DocumentNamespace: https://spdx.org/spdxdocs/lifeboat-{version}-{digest}
Creator: Tool: deps/sbom.py
Created: {created()}
Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-lifeboat
{body}"""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.write(document(sys.argv[1]))
