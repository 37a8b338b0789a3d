# SPDX-License-Identifier: GPL-2.0-or-later
"""The boot chain: what U-Boot, kernel and init do with flag, counters and images."""
import random
import re
import struct
import time

import pytest

from lbboard import PATIENCE_S

MAIN_UP = "main OS release 1 is up"
RECOVERY = r"Lifeboat recovery: copy=(\S*) reason=(\S*)\n"
POWER_ON = "U-Boot 2025.01"
PROMPT = "=> "
FACTORY = dict(lifeboat_boot="main", lifeboat_slot="a", lifeboat_rtries="0", bootcount="0",
               upgrade_available="0")


def recovery_runs(board):
    """Waits for recovery; returns copy and reason."""
    return board.wait_for(RECOVERY, regex=True, never=MAIN_UP).groups()


# --- the flag

def test_main_boots_and_is_counted(board, card, made):
    main = card.read("boot")
    card.erase("boot")
    card.write_file("boot", made / "main-hangs.itb")    # long before an agent may report health
    board.power_on().wait_for("Starting kernel", never="Lifeboat recovery:")
    board.cut_power()
    card.write("boot", main)
    env = card.env()
    assert {name: env[name] for name in FACTORY} == FACTORY | {"bootcount": "1"}
    board.power_on().wait_for(MAIN_UP, never="Lifeboat recovery:")


@pytest.mark.late(after=1)
@pytest.mark.parametrize("flag, reason", [
    ("recovery", "requested"), ("manual", "manual"), ("lost", "flag-lost"), ("", "flag-lost"),
    ("mainx", "flag-lost"), ("Main", "flag-lost"), (" main", "flag-lost")])
def test_anything_but_main_boots_recovery_with_its_reason(board, card, flag, reason):
    card.change_env(lifeboat_boot=flag)
    board.power_on()
    assert recovery_runs(board) == ("a", reason)


@pytest.mark.late
def test_unset_flag_boots_recovery(board, card):
    card.set_env(bootcount="0")
    board.power_on()
    assert recovery_runs(board) == ("a", "flag-lost")


def test_lost_environment_is_healed_when_main_is_whole(board, card):
    """As the factory made it, never updated: main is compared with its signed manifest."""
    card.destroy_env()
    before = card.read("boot") + card.read("root")
    board.power_on()
    assert recovery_runs(board) == ("a", "flag-lost")
    board.wait_for("main is whole by its signed manifest", never=MAIN_UP)
    board.wait_for(MAIN_UP)
    assert len(re.findall(RECOVERY, board.output)) == 1
    assert card.env()["lifeboat_boot"] == "main"
    assert card.read("boot") + card.read("root") == before


@pytest.mark.late(after=1)
@pytest.mark.parametrize("part, offset", [("root", 1_000_000), ("boot", 3000)])
def test_lost_environment_is_not_healed_when_a_bit_of_main_is_wrong(board, card, part, offset):
    card.destroy_env()
    card.flip_bit(part, offset)
    board.power_on()
    assert recovery_runs(board) == ("a", "flag-lost")
    board.wait_for("an image differs from its manifest", never=MAIN_UP)
    time.sleep(5)
    assert MAIN_UP not in board.output and "signed manifest: the boot flag" not in board.output
    assert card.env()["lifeboat_boot"] != "main"


def test_lost_environment_and_state_wait_for_a_person(board, card):
    """Nothing says what main has to be: it is not started, whole or not."""
    card.destroy_env()
    card.erase("state")
    board.power_on()
    assert recovery_runs(board) == ("a", "flag-lost")
    board.wait_for("main is not known to be whole", never=MAIN_UP)
    time.sleep(5)
    assert MAIN_UP not in board.output and board.output.count(POWER_ON) == 1
    assert card.env()["lifeboat_boot"] != "main"


@pytest.mark.late
@pytest.mark.parametrize("broken", [0, 1])
def test_one_garbage_copy_of_the_environment_does_no_harm(board, card, broken):
    card.destroy_env(broken)
    card.set_env(copy=1 - broken, **FACTORY | dict(lifeboat_boot="recovery", lifeboat_slot="b"))
    board.power_on()
    assert recovery_runs(board) == ("b", "requested")
    board.cut_power()
    assert all(c.valid for c in card.env_copies()), "the broken copy was not written again"


@pytest.mark.late
@pytest.mark.parametrize("newer", [0, 1])
def test_newer_copy_of_the_environment_counts(board, card, newer):
    card.set_env(copy=newer, serial=0, **FACTORY)   # 0 follows 255
    card.set_env(copy=1 - newer, serial=255, **FACTORY | {"lifeboat_boot": "recovery"})
    board.power_on().wait_for(MAIN_UP, never="Lifeboat recovery:")


# --- main's image

def test_missing_main_image_boots_recovery(board, card):
    card.erase("boot")
    board.power_on()
    assert recovery_runs(board) == ("a", "main-invalid")


@pytest.mark.late
def test_missing_partition_boots_recovery(board, card):
    card.write_at(2 * 512, bytes(32 * 512))     # the first GPT's table ...
    card.write_at(card.path.stat().st_size - 33 * 512, bytes(33 * 512))     # ... and its copy
    board.power_on().wait_for("Lifeboat: recovery_b cannot be booted")
    board.wait_for(POWER_ON, never=PROMPT)


@pytest.mark.parametrize("image", ["main-unsigned.itb", "main-foreign.itb"])
def test_image_without_our_signature_boots_recovery(board, card, made, image):
    card.erase("boot")
    card.write_file("boot", made / image)
    board.power_on()
    assert recovery_runs(board) == ("a", "main-invalid")


def fit_places(card, count):
    """Offsets in main's image: everywhere in its tree's strings and structure, and in its data."""
    raw = card.read("boot")
    tree_bytes, struct_at = struct.unpack(">II", raw[4:12])
    used = len(raw.rstrip(b"\0"))
    source = random.Random(20)
    hashes = [raw.find(b"sha256") + 3, raw.find(b"lifeboat-development")]
    tree = [source.randrange(struct_at, tree_bytes) for _ in range(count)]
    data = [source.randrange(0x1000, used) for _ in range(count)]
    return tree, data, hashes


def test_flipped_bit_in_main_data_boots_recovery(board, card):
    for place in fit_places(card, 3)[1]:
        card.flip_bit("boot", place, 5)
        board.power_on()
        assert recovery_runs(board)[1] == "main-invalid", f"bit at {place}"
        board.cut_power()
        card.flip_bit("boot", place, 5)
        card.set_env(**FACTORY)
    board.power_on().wait_for(MAIN_UP, never="Lifeboat recovery:")


@pytest.mark.late
def test_signed_values_of_main_image_cannot_be_changed(board, card):
    """A changed load address, hash or algorithm name: the signature covers them."""
    raw = card.read("boot", 0, 0x1000)
    load = raw.find(struct.pack(">I", 0x40200000))
    hash_value = raw.find(b"sha256\0") - 64
    for place in (load + 1, raw.find(b"lzma"), hash_value, raw.find(b"flat_dt")):
        assert place > 0
        card.flip_bit("boot", place, 0)
        board.power_on()
        assert recovery_runs(board)[1] == "main-invalid", f"bit at {place}"
        board.cut_power()
        card.flip_bit("boot", place, 0)
        card.set_env(**FACTORY)


# --- the boot limit

def test_main_that_panics_ends_in_recovery_after_the_limit(board, card):
    card.erase("root")
    board.power_on()
    for _ in range(3):
        board.wait_for("Starting kernel")
        board.wait_for(POWER_ON, never="Lifeboat recovery:")
    assert recovery_runs(board) == ("a", "boot-limit")


@pytest.mark.late
@pytest.mark.parametrize("count", ["3", "4", "99999999999"])
def test_count_at_the_limit_boots_recovery(board, card, count):
    card.change_env(bootcount=count)
    board.power_on()
    assert recovery_runs(board) == ("a", "boot-limit")


# --- recovery's two copies

@pytest.mark.late(after=1)
@pytest.mark.parametrize("slot, other", [("a", "b"), ("b", "a")])
def test_destroyed_recovery_copy_falls_to_the_other(board, card, slot, other):
    card.change_env(lifeboat_boot="recovery", lifeboat_slot=slot)
    card.flip_bit(f"recovery_{slot}", 0x1000 + 700000, 2)
    board.power_on()
    assert recovery_runs(board) == (other, "requested")


@pytest.mark.late
def test_dying_recovery_copy_is_changed_after_three_boots_and_for_ever(board, card, made):
    for slot in "ab":
        card.erase(f"recovery_{slot}")
        card.write_file(f"recovery_{slot}", made / "recovery-dies.itb")
    card.change_env(lifeboat_boot="recovery")
    board.power_on()
    copies = [board.wait_for(r"dying recovery: .*lifeboat.copy=(\S*) ", regex=True).group(1)
              for _ in range(7)]
    assert "".join(copies) == "aaabbba"


def test_healthy_copy_takes_over_from_a_dying_one(board, card, made):
    card.erase("recovery_a")
    card.write_file("recovery_a", made / "recovery-dies.itb")
    card.change_env(lifeboat_boot="recovery", lifeboat_rtries="2")
    board.power_on().wait_for("dying recovery:")
    assert recovery_runs(board) == ("b", "requested")


# --- hostile input

HOSTILE = {
    "bootcmd": "echo PWNED-bootcmd; sleep 99", "altbootcmd": "echo PWNED-alt",
    "preboot": "echo PWNED-preboot", "bootargs": "init=/bin/sh PWNED", "bootdelay": "10",
    "bootlimit": "99", "lb_args": "PWNED-args", "lb_boot": "echo PWNED-lb",
    "lb_main": "echo PWNED-main", "lb_recovery": "echo PWNED-recovery",
    "lb_reason": "PWNED", "lb_part": "PWNED", "loadaddr": "0x0", "verify": "no",
    "fdt_high": "0xffffffff", "initrd_high": "0x0", ".flags": "bootcmd:sw",
    ".callbacks": "bootcmd:x", "stdin": "nulldev", "stdout": "nulldev", "silent": "1",
    "newvar": "PWNED", "bootcount": "0",
}


def test_hostile_environment_cannot_change_main(board, card):
    card.set_env(**HOSTILE, lifeboat_boot="main")
    board.power_on().wait_for(MAIN_UP, never="PWNED")
    assert "PWNED" not in board.run("cat /proc/cmdline")


def test_hostile_environment_cannot_change_recovery(board, card):
    card.set_env(**HOSTILE | {
        "lifeboat_boot": 'recovery" ; echo PWNED-inject; "', "lifeboat_slot": "a init=/bin/sh",
        "lifeboat_rtries": "$(echo PWNED)", "bootcount": "zz", "upgrade_available": "`PWNED`"})
    board.power_on()
    assert recovery_runs(board) == ("a", "flag-lost")
    arguments = board.wait_for(r"kernel arguments: (.*)\n", regex=True).group(1)
    assert arguments.split() == ["console=ttyAMA0", "panic=1", "quiet",
                                 "lifeboat.copy=a", "lifeboat.reason=flag-lost"]
    # U-Boot itself quotes the values that it refuses
    assert not [line for line in board.output.splitlines()
                if "PWNED" in line and "flags type check failure" not in line]
    board.cut_power()
    assert card.env()["lifeboat_rtries"] in ("0", "1"), "text was taken for a number"


def test_no_key_reaches_a_prompt(board, card):
    """Keys and Ctrl-C from power-on to the end of everything that could be booted."""
    for name in ("boot", "recovery_a", "recovery_b"):
        card.erase(name)
    board.power_on()
    end = time.monotonic() + PATIENCE_S
    while board.output.count(POWER_ON) < 3 and time.monotonic() < end:
        board.send("\x03 \r\x03", end="")
        time.sleep(0.02)
    assert board.output.count("nothing can be booted") >= 2
    assert PROMPT not in board.output


# --- panic and hang end in a reset

@pytest.mark.late
def test_kernel_that_hangs_at_once_ends_in_recovery(board, card, made):
    card.erase("boot")
    card.write_file("boot", made / "main-hangs.itb")
    card.change_env(bootcount="2")
    board.power_on().wait_for("Starting kernel", never="Lifeboat recovery:")
    board.wait_for(POWER_ON, never="Lifeboat recovery:")
    assert recovery_runs(board) == ("a", "boot-limit")


def test_hang_of_main_ends_in_a_reset(board):
    board.power_on().wait_for(MAIN_UP)
    # a shorter limit than the usual one, then a feeder that stops
    board.run("kill -9 $(pidof watchdog); watchdog -t 1 -T 6 /dev/watchdog")
    time.sleep(7)
    board.run("echo still alive")
    board.send("kill -STOP $(pidof watchdog)")
    board.wait_for(POWER_ON)


@pytest.mark.late
def test_hang_of_recovery_ends_in_a_reset(board, card, made):
    card.erase("recovery_a")
    card.write_file("recovery_a", made / "recovery-hangs.itb")
    card.change_env(lifeboat_boot="recovery")
    board.power_on().wait_for("hanging recovery")
    board.wait_for(POWER_ON)


@pytest.mark.late
def test_parts_are_found_by_name_and_root_is_read_only(board):
    board.power_on().wait_for(MAIN_UP)
    said = board.run("cd /dev/lb && echo names: *")    # the agent says something, too
    names = re.search(r"names: (.*)", said).group(1).split()
    assert names == ["boot", "data", "disk", "recovery_a", "recovery_b", "root", "state"]
    board.run("! touch /x 2>/dev/null && touch /data/kept && sync")
    board.power_cycle()
    board.wait_for(MAIN_UP)
    board.run("[ -e /data/kept ]")
