# SPDX-License-Identifier: GPL-2.0-or-later
"""Every starting point makes a header, and what is chosen reaches C and make."""

import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
DEFCONFIGS = sorted(p.name for p in TOP.glob("configs/*_defconfig"))


def make(build, *goals):
    # outputs go to a folder of this test: the configuration of the checkout stays
    command = ["make", "-s", "-C", str(TOP), f"B={build}", "LB_NO_SETUP=1", *goals]
    return subprocess.run(command, capture_output=True, text=True, check=True,
                          env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}).stdout


def header(build):
    make(build, f"{build}/include/config.h")
    return (build / "include/config.h").read_text()


@pytest.mark.parametrize("name", DEFCONFIGS)
def test_no_line_of_a_starting_point_is_lost(tmp_path, name):
    make(tmp_path, name)
    config = (tmp_path / "config").read_text().splitlines()
    wanted = re.findall(r"(?m)^CONFIG_.*$", (TOP / "configs" / name).read_text())
    assert set(wanted) <= set(config)


def test_a_bare_checkout_is_a_development_build(tmp_path):
    text = header(tmp_path)
    assert "CONFIG_RELEASE" not in text
    assert "#define CONFIG_GIVE_UP_S 600\n" in text


def test_release_reaches_c_and_has_no_prompt(tmp_path):
    make(tmp_path, "release_defconfig")
    with open(tmp_path / "config", "a", encoding="ascii") as config:
        config.write("CONFIG_UBOOT_PROMPT=y\n")
    make(tmp_path, "olddefconfig")
    text = header(tmp_path)
    assert "#define CONFIG_RELEASE 1\n" in text
    assert "CONFIG_UBOOT_PROMPT" not in text
    assert "CONFIG_UBOOT_PROMPT=y" not in (tmp_path / "config").read_text()


def test_a_choice_survives_a_changed_kconfig(tmp_path):
    make(tmp_path, "host_defconfig")
    make(tmp_path, "-W", "Kconfig", f"{tmp_path}/config")
    assert "CONFIG_GIVE_UP_S=30\n" in (tmp_path / "config").read_text()


def test_every_option_has_a_user():
    """In C or in a makefile; keys are also the makefiles' own."""
    options = re.findall(r"(?m)^config (\w+)", (TOP / "Kconfig").read_text())
    sources = "".join(p.read_text(errors="replace") for folder in
                      ("lib", "recovery", "main-agent", "tools", "images", "keys", "bootscripts")
                      for p in (TOP / folder).rglob("*") if p.suffix in (".c", ".h", ".mk"))
    assert [o for o in options if f"CONFIG_{o}" not in sources] == []
