# SPDX-License-Identifier: GPL-2.0-or-later
"""What docs/RECOVERY.md promises can be tried as it stands."""

import re
import subprocess

from conftest import ROOT, BUILD


def document():
    return (ROOT / "docs/RECOVERY.md").read_text()


def test_two_minute_example_runs_as_printed(tmp_path):
    script = re.search(r"```sh\n(.*?)```", document(), re.S).group(1)
    # the example finds the programs below $LIFEBOAT/build
    (tmp_path / "build").symlink_to(BUILD)
    (tmp_path / "work").mkdir()
    done = subprocess.run(["sh", "-eu", "-c", script], cwd=tmp_path / "work", text=True,
                          env={"PATH": "/usr/bin:/bin", "LIFEBOAT": str(tmp_path)},
                          capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every byte is there" in done.stdout
    assert "lifeboat_boot=main" in done.stdout and "upgrade_available=1" in done.stdout
    assert '"code":"ok"' in done.stdout


def test_every_setting_is_documented():
    source = (ROOT / "recovery/settings.c").read_text()
    listed = re.findall(r"names\[\] = \{(.*?)NULL", source, re.S)
    assert '"give_up_s"' in "".join(listed)
    for name in re.findall(r'"(\w+)"', "".join(listed)):
        assert f"`{name}`" in document(), f"recovery.{name} is not in docs/RECOVERY.md"


def test_every_test_that_the_threats_name_exists():
    rows = (ROOT / "docs/THREATS.md").read_text().split("| Attack |")[1].split("\n\n")[0]
    for row in rows.splitlines()[2:]:
        names = re.findall(r"`([a-z_]+/[a-z_]+\.(?:c|py)|powercut)(?:: ([\w-]+))?`", row.split("|")[3])
        assert names, f"no test stands against: {row}"
        for file, case in names:
            path = ROOT / "tests" / file
            files = [path] if path.is_file() else sorted(path.glob("*.c"))
            text = "".join(f.read_text() for f in files)
            found = not case or re.search(rf"\b{re.escape(case)}\b", text)
            assert text and found, f"{file} has no {case}"


def test_every_option_is_documented():
    source = (ROOT / "recovery/main.c").read_text()
    for name in re.findall(r'\{ "(\w+)", (?:required|no)_argument', source):
        assert f"`--{name}" in document(), f"--{name} is not in docs/RECOVERY.md"
