# SPDX-License-Identifier: GPL-2.0-or-later
"""make install, the unit, the example and the manual belong together."""

import json
import re
import shutil
import subprocess

from conftest import AGENT, ROOT


def test_make_install(tmp_path):
    subprocess.run(["make", "-s", "install", "prefix=/opt/lb", f"DESTDIR={tmp_path}"], cwd=ROOT,
                   check=True, stdout=subprocess.DEVNULL)
    files = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {"opt/lb/sbin/lifeboat-agent", "opt/lb/lib/systemd/system/lifeboat-agent.service",
                     "opt/lb/share/doc/lifeboat/AGENT.md", "etc/lifeboat/agent.json.example",
                     "opt/lb/sbin/lifeboat-stick", "opt/lb/share/doc/lifeboat/90-lifeboat-stick.rules"}
    rule = tmp_path / "opt/lb/share/doc/lifeboat/90-lifeboat-stick.rules"
    assert 'RUN+="/opt/lb/sbin/lifeboat-stick $devnode"' in rule.read_text()
    agent = tmp_path / "opt/lb/sbin/lifeboat-agent"
    assert subprocess.run([agent, "--help"], stdout=subprocess.DEVNULL, check=False).returncode == 0
    unit = tmp_path / "opt/lb/lib/systemd/system/lifeboat-agent.service"
    assert "@" not in re.sub(r"#.*", "", unit.read_text())
    if shutil.which("systemd-analyze"):
        here = unit.read_text().replace("/opt/lb/sbin/lifeboat-agent", str(agent))
        unit.write_text(here.replace("Documentation=file:/opt/lb", f"Documentation=file:{tmp_path}/opt/lb"))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                              capture_output=True, text=True, check=False)
        assert unit.name not in done.stderr, done.stderr


def test_the_example_and_the_manual_name_real_settings():
    known = set(re.findall(r'^\t(?:STR|NUM|YES|DIR)\("(\w+)"',
                           (ROOT / "main-agent/settings.c").read_text(), re.M)) | {"reboot"}
    assert len(known) > 25
    manual = (ROOT / "docs/AGENT.md").read_text()
    missing = [k for k in sorted(known) if f"`{k}`" not in manual]
    assert not missing, f"docs/AGENT.md does not explain {missing}"
    example = json.loads((ROOT / "main-agent/agent.json.example").read_text())
    assert set(example["agent"]) <= known
    done = subprocess.run([AGENT, "status", "--json", "--config",
                           ROOT / "main-agent/agent.json.example"],
                          capture_output=True, text=True, check=False)
    # the file is right; the device that it describes is another one
    assert json.loads(done.stdout)["code"] == "io-error" and "/etc/lifeboat/keys" in done.stdout


def test_every_code_of_the_manual_exists():
    codes = set(re.findall(r'X\(\w+, "([a-z-]+)"', (ROOT / "lib/base/error.h").read_text()))
    manual = (ROOT / "docs/AGENT.md").read_text()
    section = manual[manual.index("## What is checked"):manual.index("## The daemon")]
    named = set(re.findall(r"`([a-z]+-[a-z-]+)`", section))
    assert len(named) > 10 and named <= codes, named - codes
