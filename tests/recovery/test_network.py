# SPDX-License-Identifier: GPL-2.0-or-later
"""A network or server that fails: nothing is lost, and no service either."""

import http.server
import signal
import threading
import time

import pytest

import bundles
from device import LOG, STATE
from ports import free_port
from test_install import check_installed


def is_writing(run):
    return bool(run.progress("write"))


def has_waited(run):
    return "source-interrupted" in run.codes()


def check_returned(device, before, code):
    """Main is given back untouched, and the result says why."""
    assert device.main_digest() == before, "a slot changed"
    assert device.record(STATE)["state"] == "confirmed"
    assert device.power_on() == "main"
    assert device.env()["upgrade_available"] == "0"
    result = device.result()
    assert result["code"] == code and result["text"]
    assert not result.get("main_changed")


def finish(device, run, images, around, timeout=60):
    assert run.wait(timeout) == 0, run.text()
    check_installed(device, images, around)


class Script(http.server.BaseHTTPRequestHandler):
    """Answers with what self.server.script(handler, request number) does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.count += 1
        self.server.script(self, self.server.count)

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_range(self, data, etag='"v1"', cut=None):
        """What a server with ranges does; @cut: bytes after which the connection ends."""
        first, last = 0, len(data) - 1
        wanted = self.headers.get("Range")
        if wanted and self.headers.get("If-Range", etag) == etag:
            a, b = wanted.removeprefix("bytes=").split("-")
            first, last = int(a), min(int(b or last), last)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("ETag", etag)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        part = data[first:last + 1]
        try:
            self.wfile.write(part if cut is None else part[:cut])
            self.wfile.flush()
        except OSError:
            pass
        if cut is not None and cut < len(part):
            self.close_connection = True


@pytest.fixture
def scripted():
    """scripted(function) -> URL of a server that answers as the function does."""
    made = []

    def make(script):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Script)
        server.daemon_threads = True
        server.script, server.count = script, 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.append(server)
        make.server = server
        return f"http://127.0.0.1:{server.server_port}/r2.lbu"

    yield make
    for server in made:
        server.shutdown()
        server.server_close()


# ---- after the first write: waits, and goes on ------------------------------


def test_server_stopped_in_the_middle_and_started_again(device, make_server, packed, images):
    server = make_server().start("limit_rate 1m;")
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for(is_writing)
    server.stop()
    run.wait_for(has_waited)
    time.sleep(1)
    assert run.running(), "recovery must wait, not end"
    assert device.state() == "updating" and device.power_on() == "requested"
    server.start("")
    finish(device, run, images[2], around)
    assert run.fetched() <= run.planned()["fetch_bytes"] + bundles.longest_stored(
        packed[2].read_bytes()), "what had arrived was fetched again"


def test_connections_that_are_cut_again_and_again(device, scripted, packed, images):
    data = packed[2].read_bytes()
    url = scripted(lambda h, n: h.answer_range(data, cut=600_000))
    around = device.guarded(images[2])
    finish(device, device.start("--install", url), images[2], around)
    assert device.result()["fetched_bytes"] < len(data) + 64 * bundles.CHUNK


def test_slow_server(device, make_server, packed, images):
    server = make_server().start("limit_rate 1500k;")
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    run = device.start("--install", server.url("r2.lbu"))
    finish(device, run, images[2], around)
    assert not has_waited(run), "slow is no failure"


def test_another_file_under_the_same_url_never_mixes(device, make_server, packed, images):
    """Valid and signed, but not the one that was begun: it is not taken half-way."""
    server = make_server().start("limit_rate 1m;")
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for(is_writing)
    server.stop()
    server.put("r2.lbu", packed[3])
    server.start("")
    run.wait_for_code("bundle-changed")
    time.sleep(0.5)
    assert run.running() and device.state() == "updating"
    server.put("r2.lbu", packed[2])
    finish(device, run, images[2], around)
    assert device.result()["release"] == 2
    assert device.result().get("power_cycles", 0) == 0


def test_garbage_under_the_same_url_never_is_written(device, make_server, packed, images):
    server = make_server().start("limit_rate 1m;")
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for(is_writing)
    server.stop()
    server.put("r2.lbu", bytes(packed[2].stat().st_size))
    server.start("")
    run.wait_for(lambda r: set(r.codes()) & {"malformed", "bundle-changed"})
    server.put("r2.lbu", packed[2])
    finish(device, run, images[2], around)


def test_bit_that_is_wrong_late_in_the_payload_waits_for_the_right_file(device, server, packed,
                                                                       images):
    """After the first write a refusal is no end: the device could not boot."""
    right = packed[2].read_bytes()
    server.put("r2.lbu", bundles.flip(right, "root.zst", at=-1000))
    around = device.guarded(images[2])
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for_code("digest-mismatch")
    time.sleep(0.3)
    assert run.running(), "must not end"
    assert device.state() == "updating" and device.power_on() == "requested"
    server.put("r2.lbu", right)
    finish(device, run, images[2], around)


def test_404_after_the_first_write_waits(device, make_server, packed, images):
    server = make_server().start("limit_rate 1m;")
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for(is_writing)
    server.stop()
    (server.www / "r2.lbu").rename(server.www / "gone")
    server.start("")
    run.wait_for_code("source-refused")
    assert run.running() and device.state() == "updating"
    server.put("r2.lbu", packed[2])
    finish(device, run, images[2], around)


def test_give_up_time_counts_only_before_the_first_write(make_device, make_server, packed, images):
    device = make_device(give_up_s=2)
    server = make_server().start("limit_rate 1m;")
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    run = device.start("--install", server.url("r2.lbu"))
    run.wait_for(is_writing)
    server.stop()
    time.sleep(3)
    assert run.running() and device.state() == "updating"
    server.start("")
    finish(device, run, images[2], around)


def test_second_server_takes_over_in_the_middle(make_device, make_server, packed, images):
    device = make_device(url_s=1)
    first, second = make_server().start("limit_rate 1m;"), make_server().start()
    for server in (first, second):
        server.put("r2.lbu", packed[2])
    device.put_records(STATE={"state": "requested", "release": 2},
                       REQUEST={"urls": [first.url("r2.lbu"), second.url("r2.lbu")]})
    device.put_env(lifeboat_boot="recovery")
    around = device.guarded(images[2])
    run = device.start()
    run.wait_for(is_writing)
    first.stop()
    finish(device, run, images[2], around)
    assert any(status == 206 for status, _, _ in second.requests()), "only what was missing"


# ---- before the first write: main is given back ------------------------------


def test_404_gives_main_back(device, server):
    before = device.main_digest()
    status, run = device.run("--install", server.url("missing.lbu"))
    assert status == 3, run.text()
    check_returned(device, before, "source-refused")


def test_nothing_listens_gives_main_back_after_give_up_s(make_device):
    device = make_device(give_up_s=2)
    before = device.main_digest()
    started = time.monotonic()
    status, run = device.run("--install", f"https://127.0.0.1:{free_port()}/r2.lbu")
    took = time.monotonic() - started
    assert status == 3, run.text()
    assert 1.5 < took < 60
    check_returned(device, before, "source-unreachable")


def test_silent_server_gives_main_back(make_device, scripted):
    """It accepts the connection and the request, and says nothing."""
    device = make_device(give_up_s=2, stall_s=1)
    before = device.main_digest()
    status, run = device.run("--install", scripted(lambda h, n: time.sleep(20)))
    assert status == 3, run.text()
    check_returned(device, before, "source-unreachable")


def trickle(handler, _):
    """A head that grows by a line now and then and never ends."""
    handler.wfile.write(b"HTTP/1.1 206 Partial Content\r\n")
    for n in range(300):
        handler.wfile.write(b"X-%d: y\r\n" % n)
        handler.wfile.flush()
        time.sleep(0.1)


def test_work_is_shown_while_a_server_keeps_us_waiting(make_device, scripted, tmp_path):
    """Otherwise the watchdog ends it."""
    beat = tmp_path / "heartbeat"
    device = make_device(stall_s=60, heartbeat=str(beat))
    run = device.start("--install", scripted(trickle))
    run.wait_for_code("source")
    for _ in range(3):
        beat.unlink(missing_ok=True)
        run.wait_for(lambda _: beat.exists(), timeout=40)
    assert "source-interrupted" not in run.codes()
    run.process.send_signal(signal.SIGTERM)
    assert run.wait(30) == 4, run.text()


def test_head_that_never_ends_gives_main_back(make_device, scripted):
    device = make_device(give_up_s=2, stall_s=1)
    before = device.main_digest()
    started = time.monotonic()
    status, run = device.run("--install", scripted(trickle))
    assert status == 3, run.text()
    assert time.monotonic() - started < 60
    check_returned(device, before, "source-unreachable")


def test_first_payload_byte_that_never_comes_gives_main_back(make_device, scripted, packed):
    """Manifest and index arrive, the payload does not: nothing was written yet."""
    device = make_device(give_up_s=2)
    data = packed[2].read_bytes()
    start = bundles.places(data)["boot.zst"][0]

    def script(h, _):
        wanted = h.headers.get("Range", "bytes=0-")
        if int(wanted.removeprefix("bytes=").split("-")[0]) >= start:
            h.answer(503)
        else:
            h.answer_range(data)

    before = device.main_digest()
    status, run = device.run("--install", scripted(script))
    assert status == 3, run.text()
    check_returned(device, before, "source-unreachable")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_server_that_is_only_busy_is_asked_again(device, scripted, packed, images, status):
    data = packed[2].read_bytes()
    url = scripted(lambda h, n: h.answer(status) if n <= 3 else h.answer_range(data))
    around = device.guarded(images[2])
    run = device.start("--install", url)
    finish(device, run, images[2], around)
    assert "source-back" in run.codes()


@pytest.mark.parametrize("status", [400, 401, 403, 410, 451])
def test_other_client_errors_are_final_before_the_first_write(device, scripted, status):
    before = device.main_digest()
    code, run = device.run("--install", scripted(lambda h, n: h.answer(status)))
    assert code == 3, run.text()
    check_returned(device, before, "source-refused")


def test_redirect_is_followed(device, make_server, packed, images):
    server = make_server()
    server.start("location = /old.lbu { return 302 /r2.lbu; }")
    server.put("r2.lbu", packed[2])
    around = device.guarded(images[2])
    finish(device, device.start("--install", server.url("old.lbu")), images[2], around)


def test_redirect_from_https_to_http_is_refused(device, make_server, packed):
    server = make_server()
    server.start(f"location = /old.lbu {{ return 302 {server.url('r2.lbu', 'http')}; }}")
    server.put("r2.lbu", packed[2])
    before = device.main_digest()
    status, run = device.run("--install", server.url("old.lbu"))
    assert status == 3, run.text()
    check_returned(device, before, "source-refused")


def test_second_url_is_tried_when_the_first_is_dead(make_device, server, packed, images):
    device = make_device(url_s=1)
    server.put("r2.lbu", packed[2])
    device.put_records(STATE={"state": "requested", "release": 2},
                       REQUEST={"urls": [f"https://127.0.0.1:{free_port()}/r2.lbu",
                                         server.url("r2.lbu")], "release": 2})
    device.put_env(lifeboat_boot="recovery")
    around = device.guarded(images[2])
    finish(device, device.start(), images[2], around)


def test_token_of_the_request_is_sent(device, scripted, packed, images):
    """The header line that the agent staged reaches the server."""
    data = packed[2].read_bytes()
    url = scripted(lambda h, n: h.answer_range(data)
                   if h.headers.get("Authorization") == "Bearer secret-token" else h.answer(401))
    device.put_records(STATE={"state": "requested"},
                       REQUEST={"urls": [url], "header": "Authorization: Bearer secret-token"})
    device.put_env(lifeboat_boot="recovery")
    around = device.guarded(images[2])
    finish(device, device.start(), images[2], around)


def test_tokens_in_urls_are_neither_printed_nor_kept_in_the_log(device, scripted, packed, images):
    """Name, password and query: the server gets them, the console and the kept log do not."""
    data = packed[2].read_bytes()
    asked = []

    def answer(h, _):
        asked.append(h.path)
        return h.answer_range(data) if h.path.startswith("/good") else h.answer(404)
    place = scripted(answer).replace("http://", "http://user:SECRET1@").rsplit("/", 1)[0]
    urls = [f"{place}/gone?SECRET2", f"{place}/good.lbu?token=SECRET2#SECRET3"]
    device.put_records(STATE={"state": "requested", "release": 2},
                       REQUEST={"urls": urls, "release": 2})
    device.put_env(lifeboat_boot="recovery")
    around = device.guarded(images[2])
    run = device.start()
    finish(device, run, images[2], around)
    assert "/gone?SECRET2" in asked and "/good.lbu?token=SECRET2" in asked
    assert "SECRET" not in run.text() + str(run.events)
    assert b"SECRET" not in device.records()[LOG] and b"/good.lbu" in device.records()[LOG]


def test_token_of_a_refused_request_leaves_no_trace(device, scripted):
    url = scripted(lambda h, n: h.answer(403))
    device.put_records(STATE={"state": "requested"},
                       REQUEST={"urls": [url], "header": "Authorization: Bearer secret-token"})
    device.put_env(lifeboat_boot="recovery")
    assert b"secret-token" in device.read("state")
    assert device.run()[0] == 3
    assert b"secret-token" not in device.read("state")
