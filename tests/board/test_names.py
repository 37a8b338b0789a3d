# SPDX-License-Identifier: GPL-2.0-or-later
"""The one list of names, and what is made from it."""
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, "bootscripts")
import gen  # noqa: E402

NAMES = gen.load_names()
BOARD = "bootscripts/refboard-sd.toml"


def default_environment():
    return dict(line.split("=", 1) for line in gen.uboot_env(NAMES, BOARD).splitlines())


def test_every_variable_of_the_boot_script_is_declared():
    env = default_environment()
    script = " ".join(env.values())
    used = set(re.findall(r"\$\{(\w+)\}", script)) | set(re.findall(r"setexpr (\w+)", script))
    local = set(re.findall(r"setenv (lb_\w+)", script)) | {"lb_start", "lb_size"}
    assert used - local <= set(env)


def test_only_listed_variables_may_be_stored():
    flags = re.search(r'"(.*)"', gen.uboot_header(NAMES)).group(1)
    names = {item.split(":")[0] for item in flags.split(",")}
    assert names == set(NAMES["variable"])
    assert all(re.fullmatch(r"lifeboat_\w+|bootcount|upgrade_available", name) for name in names)


def test_bootargs_hold_no_stored_text():
    for value in default_environment().values():
        for text in re.findall(r"setenv bootargs ([^;]*)", value):
            assert set(re.findall(r"\$\{(\w+)\}", text)) <= {"lb_args", "lb_reason"}
    script = "; ".join(default_environment().values())
    assert set(re.findall(r"setenv lb_reason ([^;]+)", script)) <= set(NAMES["reason"]) | {""}


def test_every_reason_has_its_place_in_the_boot_script():
    script = " ".join(default_environment().values())
    assert all(f"setenv lb_reason {reason}" in script for reason in NAMES["reason"])


def test_boot_script_always_ends_in_a_reset():
    assert default_environment()["bootcmd"].endswith("; reset")


def test_environment_is_where_boot_loader_and_programs_look_for_it():
    import json
    import tomllib
    layout = tomllib.loads(Path("images/refboard-sd.toml").read_text())["env"]
    uboot = dict(re.findall(r"^(CONFIG_ENV\w+)=(0x\w+)$",
                            Path("deps/uboot/board.fragment").read_text(), re.M))
    assert [int(uboot["CONFIG_ENV_OFFSET"], 0),
            int(uboot["CONFIG_ENV_OFFSET_REDUND"], 0)] == layout["offsets"]
    assert int(uboot["CONFIG_ENV_SIZE"], 0) == layout["size"]
    for path in ("images/recovery-rootfs/etc/lifeboat/recovery.json",
                 "images/main-rootfs/etc/lifeboat/agent.json"):
        places = json.loads(Path(path).read_text())["environment"]
        assert [p["offset"] for p in places] == layout["offsets"]
        assert all(p["size"] == layout["size"] for p in places)


def test_porting_guide_shows_the_current_names():
    subprocess.run(["bootscripts/gen.py", "check-doc", "docs/PORTING.md"], check=True)


def test_c_header_compiles_and_agrees():
    build = Path(os.environ.get("LB_BUILD", "build"))
    code = '#include <stdio.h>\n#include "lb_boot_names.h"\n' \
        '#define X(e, code, text) printf("%s\\n", code);\n' \
        'int main(void) { LB_BOOT_REASONS(X) return !(LB_BOOT_REASON_COUNT == 1 ' \
        f'+ {len(NAMES["reason"])}); }}\n'
    out = build / "tests/board/names-check"
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-Wall", "-Werror", "-I", build / "include", "-x", "c", "-", "-o", out],
                   input=code, text=True, check=True)
    printed = subprocess.run([out.resolve()], capture_output=True, text=True, check=True).stdout
    assert printed.split() == list(NAMES["reason"])
