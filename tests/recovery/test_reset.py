# SPDX-License-Identifier: GPL-2.0-or-later
"""Factory reset: what is named is erased, when a person confirmed it, and nothing else."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from device import MIB, STATE_BYTES, garbage, log_encode
from test_flow import confirm, install, serving  # noqa: F401 - a fixture
from test_page import CODE, page  # noqa: F401

RESET = 13
URLENCODED = "application/x-www-form-urlencoded"


def data(device, n=0):
    return device.folder / f"data-{n}"


@pytest.fixture
def full(page):  # noqa: F811
    """full(count) is a page whose device has so many partitions full of data; the first one may be erased."""
    def make(count=1, erase=1, **settings):
        p = page(idle_s=0, **settings)
        for n in range(count):
            data(p.device, n).write_bytes(garbage(3 * MIB + 5000, n))
        if erase:
            p.device.settings["recovery"]["reset"] = [str(data(p.device, n)) for n in range(erase)]
        return p
    return make


def is_empty(device, n=0):
    return data(device, n).read_bytes() == bytes(3 * MIB + 5000)


def reset(p, word="erase", code=CODE, **headers):
    return p.post("/reset", f"word={word}".encode(), code, Content_Type=URLENCODED, **headers)


def test_data_is_erased_and_main_started_again(full, serving):  # noqa: F811
    p = full(count=2)
    install(p.device, serving[1])
    confirm(p.device)
    before = p.device.main_digest()
    p.start()
    p.run.wait_for_code("waiting")
    assert p.status()["device"]["reset"]
    status, answer = reset(p)
    assert status == 202 and answer["code"] == "reset"
    assert p.run.wait() == 3, p.run.text()
    codes = p.run.codes()
    assert codes.index("reset-pending") < codes.index("reset") < codes.index("returned")
    assert p.run.progress("erase")[-1]["durable_bytes"] == 3 * MIB + 5000
    assert is_empty(p.device) and data(p.device, 1).read_bytes() == garbage(3 * MIB + 5000, 1)
    assert p.device.main_digest() == before and p.device.power_on() == "main"
    assert p.device.state() == "confirmed" and p.device.record(RESET) == {"pending": 0}


@pytest.mark.parametrize("why", ["word", "no word", "code", "another site", "bytes", "get"])
def test_nothing_is_erased_without_code_and_word(full, why):
    p = full().start()
    p.run.wait_for_code("waiting")
    if why == "word":
        status = reset(p, "yes")[0]
    elif why == "no word":
        status = p.post("/reset", b"", Content_Type=URLENCODED)[0]
    elif why == "code":
        status = p.ask("POST", "/reset", b"word=erase&code=AAAA-AAAA", Content_Type=URLENCODED)[0]
    elif why == "another site":
        status = reset(p, Origin="http://example.com")[0]
    elif why == "bytes":
        status = p.post("/reset", b"word=erase")[0]
    else:
        status = p.get("/reset?word=erase&code=" + CODE)[0]
    assert status == {"word": 422, "no word": 422, "code": 403, "another site": 403, "bytes": 422,
                      "get": 405}[why]
    assert "reset-pending" not in p.run.codes() and not is_empty(p.device) and p.run.running()


def test_off_by_default(full):
    p = full(erase=0).start()
    p.run.wait_for_code("waiting")
    assert not p.status()["device"]["reset"]
    assert reset(p)[0] == 404 and not is_empty(p.device)


def test_a_browser_without_a_script_gets_a_page_as_answer(full):
    p = full().start()
    p.run.wait_for_code("waiting")
    status, headers, body = p.ask("POST", "/reset", f"code={CODE}&word=Erase".encode(),
                                  Content_Type=URLENCODED)
    assert status == 202 and headers["Content-Type"].startswith("text/html") and b"asked for" in body
    assert p.run.wait() == 3 and is_empty(p.device)


def test_not_while_something_else_is_done(full, server):
    """A rescue that waits for its server: the page says so, and the data stays."""
    p = full()
    p.device.put_records(STATE={"state": "rescue"})
    p.device.put_env(lifeboat_boot="recovery")
    p.start(reason="requested")
    p.run.wait_for_code("source-unreachable")
    assert reset(p)[0] == 202
    p.run.wait_for_code("reset")
    assert "reset-pending" not in p.run.codes() and not is_empty(p.device)


@pytest.mark.parametrize("device_of", ["state", "env0", "root"])
def test_a_setting_that_names_what_the_device_needs_is_refused(make_device, device_of):
    device = make_device()
    device.settings["recovery"]["reset"] = [device.region_setting(device_of)]
    status, run = device.run()
    assert status == 1 and "recovery.reset" in run.text(), run.text()


def test_another_name_of_what_the_device_needs_is_refused(make_device, tmp_path):
    device = make_device()
    (tmp_path / "data").symlink_to(device.disk)
    device.settings["recovery"]["reset"] = [{**device.region_setting("root"), "path": str(tmp_path / "data")}]
    status, run = device.run()
    assert status == 1 and "recovery.reset: root lies there" in run.text(), run.text()


def test_a_device_that_is_missing_is_waited_for(full):
    """What was to be erased is not left behind: nothing is called done before."""
    p = full(count=2, erase=2)
    data(p.device, 1).rename(p.device.folder / "pulled")
    p.start()
    p.run.wait_for_code("waiting")
    assert reset(p)[0] == 202
    p.run.wait_for_code("slot-missing")
    assert not is_empty(p.device), "all can be opened, or none is touched"
    (p.device.folder / "pulled").rename(data(p.device, 1))
    assert p.run.wait() == 3, p.run.text()
    assert is_empty(p.device) and is_empty(p.device, 1)


def test_device_without_records_is_given_main_back(full):
    """The flag said main until the reset began: a state record is written first."""
    p = full()
    p.device.write("state", bytes(STATE_BYTES))
    p.start()
    p.run.wait_for_code("waiting")
    assert reset(p)[0] == 202 and p.run.wait() == 3
    assert is_empty(p.device) and p.device.power_on() == "main"


def test_reset_that_a_visit_goes_on_with_ends_the_visit(full, serving):  # noqa: F811
    """The power went while a device was erased whose flag says manual: nobody is waited for once more."""
    p = full()
    device = p.device
    install(device, serving[1])
    confirm(device)
    device.write("state", log_encode(device.records() | {RESET: b'{"pending":1}'}))
    device.put_env(lifeboat_boot="manual")
    status, run = device.run(reason="manual")
    assert status == 3 and "with its data erased" in run.text(), run.text()
    assert is_empty(device) and device.record(RESET) == {"pending": 0} and device.power_on() == "main"


def test_kill_at_every_write_ends_in_all_or_nothing(full, serving, tmp_path):  # noqa: F811
    """After each, recovery goes on by itself, and main is started with all data or none."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    p = full()
    device = p.device
    install(device, serving[1])
    confirm(device)
    fresh, content, number = device.disk.read_bytes(), data(device).read_bytes(), 0
    erased_by_next = 0
    while True:
        number += 1
        device.disk.write_bytes(fresh)
        data(device).write_bytes(content)
        p.start()
        p.run.wait_for_code("waiting")
        tracer = subprocess.Popen(
            ["strace", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64,fallocate", "-e",
             f"inject=pwrite64,fallocate:signal=SIGKILL:when={number}", "-p", str(p.run.process.pid)],
            stderr=subprocess.PIPE)
        try:
            wait_for_tracer(p.run.process.pid)
            reset(p)
            status = p.run.wait()
        finally:
            tracer.kill()
            tracer.communicate()
        if status == 3:
            break
        why = device.power_on()
        if why != "main":
            device.settings["recovery"]["idle_s"] = 1
            status, run = device.run(reason=why)
            device.settings["recovery"]["idle_s"] = 0
            assert status in (0, 3), f"write {number}: {run.text()}"
            erased_by_next += is_empty(device)
        assert device.power_on() == "main"
        assert is_empty(device) or data(device).read_bytes() == content, f"write {number}"
    assert is_empty(device) and number > 4 and erased_by_next


def wait_for_tracer(pid):
    end = time.monotonic() + 30
    while "\nTracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < end
        time.sleep(0.01)
