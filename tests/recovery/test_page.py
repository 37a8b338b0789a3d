# SPDX-License-Identifier: GPL-2.0-or-later
"""The page that recovery serves: what it shows, what it takes, and what it refuses."""

import contextlib
import http.client
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

import bundles
from device import RESULT
from ports import free_port

CODE = "ABCD-EFGH"


class Page:
    """A device whose recovery waits for a person, and its page on loopback."""

    def __init__(self, make_device, **settings):
        self.port = free_port()
        web = {"port": self.port, "interface": "lo", "code": CODE, **settings.pop("web", {})}
        self.device = make_device(web=web, **settings)
        self.run = None

    def start(self, *args, reason="manual"):
        """Until the page is served, and knows what it is told first."""
        self.run = self.device.start(*args, reason=reason)
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                if self.status()["device"]:
                    return self
            assert self.run.running() and time.monotonic() < end, self.run.text()
            time.sleep(0.02)

    def wait_for_code(self, code):
        """Until recovery has said it, and its page says so."""
        self.run.wait_for_code(code)
        end = time.monotonic() + 60
        while f"[{code}]".encode() not in self.get("/log.txt")[2]:
            assert time.monotonic() < end, self.run.text()
            time.sleep(0.02)

    def ask(self, method, path, body=None, timeout=60, **headers):
        """(status, headers, body)"""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def server_pid(self):
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it may end while it is looked at
                if ((process / "cmdline").read_bytes().startswith(b"lifeboat-page") and
                        f"\nPPid:\t{self.run.process.pid}\n" in (process / "status").read_text()):
                    return int(process.name)
        raise AssertionError("nothing serves the page: " + self.run.text())

    def status(self):
        return json.loads(self.get("/status.json")[2])

    def post(self, path, body=b"", code=CODE, **headers):
        """(status, {"code", "text"})"""
        headers.setdefault("Content_Type", "application/octet-stream")
        status, _, answer = self.ask("POST", path, body, X_Lifeboat_Code=code, **headers)
        return status, json.loads(answer)

    def raw(self, data):
        """What the page answers to these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as s:
            s.sendall(data)
            answer = b""
            while part := s.recv(4096):
                answer += part
            return answer


@pytest.fixture
def page(make_device):
    pages = []

    def make(**settings):
        pages.append(Page(make_device, **settings))
        return pages[-1]

    yield make
    for p in pages:
        if p.run and p.run.running():
            p.run.kill()


def form(fields, boundary="xyzzy"):
    """multipart/form-data as a browser writes it; a value that is bytes is a file."""
    parts = []
    for name, value in fields.items():
        is_file = isinstance(value, bytes)
        extra = f'; filename="{name}.lbu"\r\nContent-Type: application/octet-stream' if is_file else ""
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode()
                     + (value if is_file else value.encode()) + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


# ---- what it shows ----------------------------------------------------------


def test_page_shows_what_the_device_is_and_waits_for(page):
    p = page().start()
    p.wait_for_code("waiting")
    status, headers, body = p.get("/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert len(body) <= 20 * 1024 and b"http" not in body.replace(b"http-equiv", b""), "nothing from elsewhere"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    s = p.status()
    assert s["device"]["product"] == "bench" and s["device"]["state"] == "confirmed"
    assert s["message"]["code"] == "waiting" and s["upload"] is None and not s["ended"]
    assert b"[waiting]" in p.get("/log.txt")[2]
    status, headers, body = p.get("/status")
    assert status == 200 and headers["Refresh"] and b"[waiting]" in body


def test_words_of_the_page_are_those_of_the_events(page):
    def said(run):
        return [(e["code"], e["text"]) for e in run.events if e["event"] == "message"]

    p = page().start()
    p.wait_for_code("waiting")
    log = p.get("/log.txt")[2].decode()
    for code, text in said(p.run)[:p.run.codes().index("waiting") + 1]:
        assert f"{text} [{code}]" in log
    message = p.status()["message"]
    p.run.wait_for(lambda run: (message["code"], message["text"]) in said(run))


def test_status_shows_progress_while_a_server_delivers(page, server, large_packed, tmp_path):
    server.put("big.lbu", large_packed)
    server.change("limit_rate 4m;")
    p = page(slots={"boot": 2 << 20, "root": 80 << 20})
    p.start("--install", server.url("big.lbu"), reason="requested")
    p.run.wait_for(lambda run: run.progress("write"))
    seen = set()
    while p.run.running() and len(seen) < 3:
        try:
            s = p.status()
        except OSError:
            break
        if s["progress"] and s["progress"]["step"] == "write":
            seen.add(s["progress"]["durable_bytes"])
        time.sleep(0.3)
    assert len(seen) >= 3, "it moves"
    p.run.kill()


# ---- uploads ------------------------------------------------------------------


def test_bundle_that_is_uploaded_is_installed(page, packed, images):
    p = page().start()
    around = p.device.guarded(images[2])
    status, answer = p.post("/upload", packed[2].read_bytes())
    assert (status, answer["code"]) == (200, "installed"), p.run.text()
    assert p.run.wait() == 0, p.run.text()
    assert p.device.holds(images[2]) and p.device.guarded(images[2]) == around
    assert p.device.state() == "trial" and p.device.env()["lifeboat_boot"] == "main"


def test_bundle_of_a_form_is_installed_without_javascript(page, packed, images):
    p = page().start()
    body, kind = form({"code": CODE.lower().replace("-", " "), "bundle": packed[2].read_bytes()})
    status, headers, answer = p.ask("POST", "/upload", body, Content_Type=kind)
    assert status == 200 and headers["Content-Type"].startswith("text/html"), answer
    assert b"installed" in answer and p.run.wait() == 0
    assert p.device.holds(images[2])


def test_upload_is_streamed_and_never_stored(page, large_packed, large_images):
    """More than the serving process may have of memory, and no file grows."""
    p = page(slots={"boot": 2 << 20, "root": 80 << 20}).start()
    assert large_packed.stat().st_size > 32 << 20
    with large_packed.open("rb") as f:
        status, _, answer = p.ask("POST", "/upload", f, timeout=240, X_Lifeboat_Code=CODE,
                                  Content_Length=str(large_packed.stat().st_size))
    assert status in (200, 202), answer
    assert p.run.wait(240) == 0, p.run.text()
    assert p.device.holds(large_images)


@pytest.mark.parametrize("how, code", [("foreign", "signature-invalid"), ("garbage", "malformed"),
                                       ("product", "wrong-product"), ("flipped", "digest-mismatch")])
def test_bad_bundle_is_refused_in_the_same_words(page, keys, images, written, how, code):
    bad = {"foreign": lambda: bundles.write(images[2], bundles.Key.new(), 2),
           "garbage": lambda: b"this is no bundle" * 1000,
           "product": lambda: bundles.write(images[2], keys, 2, product="other"),
           "flipped": lambda: bundles.flip(written[2], "root.zst")}[how]()
    p = page().start()
    before = p.device.main_digest()
    status, answer = p.post("/upload", bad)
    assert status == 422 and f"[{code}]" in answer["text"], answer
    if how != "flipped":
        assert p.device.main_digest() == before


def test_upload_that_breaks_off_leaves_main_and_says_what_to_do(page, packed, images):
    p = page(idle_s=0).start()
    data = packed[2].read_bytes()
    with socket.create_connection(("127.0.0.1", p.port), 30) as s:
        s.sendall(f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Lifeboat-Code: {CODE}\r\n"
                  f"Content-Length: {len(data)}\r\n\r\n".encode() + data[:len(data) // 2])
        p.run.wait_for(lambda run: run.progress("write"))
    p.run.wait_for(lambda run: any("send the same bundle again" in e.get("text", "") for e in run.events))
    assert p.device.state() == "updating" and p.device.env()["lifeboat_boot"] == "recovery"
    status, answer = p.post("/upload", data)
    assert status == 200, answer
    assert p.run.wait() == 0 and p.device.holds(images[2])
    last = p.run.progress("planned")[-1]
    assert last["skip_bytes"] > 0, "what was written is not written again"


@pytest.mark.parametrize("as_form", [False, True], ids=["bytes", "form"])
def test_upload_that_stands_still_is_given_up(page, packed, images, as_form):
    """Also when the client keeps its connection, as a laptop that fell asleep does."""
    p = page(idle_s=0, stall_s=2).start()
    data = packed[2].read_bytes()
    body, kind = form({"code": CODE, "bundle": data}) if as_form else (data, "application/octet-stream")
    with socket.create_connection(("127.0.0.1", p.port), 30) as s:
        s.sendall(f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Lifeboat-Code: {CODE}\r\nContent-Type: {kind}\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:len(body) // 2])
        p.run.wait_for(lambda run: any("stood still" in e.get("text", "") for e in run.events))
        before = cpu_seconds(p.server_pid())
        time.sleep(1)
        assert cpu_seconds(p.server_pid()) - before < 0.5, "waiting costs nothing"
    assert p.post("/upload", data)[0] == 200
    assert p.run.wait() == 0 and p.device.holds(images[2])


@pytest.mark.parametrize("as_form", [False, True], ids=["bytes", "form"])
def test_upload_that_drips_is_given_up(page, packed, images, as_form):
    """A byte now and then keeps the connection alive, and would keep everybody else out for ever."""
    p = page(idle_s=0, stall_s=2).start()
    data = packed[2].read_bytes()
    body, kind = form({"code": CODE, "bundle": data}) if as_form else (data, "application/octet-stream")
    with socket.create_connection(("127.0.0.1", p.port), 30) as s:
        s.sendall(f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Lifeboat-Code: {CODE}\r\nContent-Type: {kind}\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:2000])
        end = time.monotonic() + 60
        for byte in body[2000:]:
            if any("came too slowly" in e.get("text", "") for e in p.run.events):
                break
            assert time.monotonic() < end, p.run.text()
            try:
                s.send(bytes([byte]))
            except OSError:
                pass    # it was hung up on: the words follow
            time.sleep(0.1)
    assert p.post("/upload", data)[0] == 200
    assert p.run.wait() == 0 and p.device.holds(images[2])


def test_state_on_the_page_is_the_one_on_record(page, packed, images):
    """While main is written it is not called confirmed any more; a new serving process knows it too."""
    p = page(idle_s=0).start()
    assert p.status()["device"]["state"] == "confirmed"
    data = packed[2].read_bytes()
    with socket.create_connection(("127.0.0.1", p.port), 30) as s:
        s.sendall(f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Lifeboat-Code: {CODE}\r\n"
                  f"Content-Length: {len(data)}\r\n\r\n".encode() + data[:len(data) // 2])
        p.run.wait_for(lambda run: run.progress("write"))
        until_page_says(p, "updating")
    os.kill(p.server_pid(), signal.SIGKILL)
    until_page_says(p, "updating")
    assert p.post("/upload", data)[0] == 200
    assert p.run.wait() == 0 and p.device.holds(images[2])


def until_page_says(p, state):
    end = time.monotonic() + 60
    while True:
        try:
            device = p.status()["device"]
        except (OSError, http.client.HTTPException):
            device = None
        if device and device["state"] == state:
            return
        assert time.monotonic() < end, device
        time.sleep(0.1)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_upload_does_not_wait_for_silent_servers(page, make_server, packed, images):
    server = make_server().start()
    urls = [server.url("a.lbu"), server.url("b.lbu")]
    server.stop()
    p = page(give_up_s=600, url_s=60, retry_max_s=60).start("--install", urls[0], reason="requested")
    p.run.wait_for_code("source-interrupted")
    started = time.monotonic()
    status, answer = p.post("/upload", packed[2].read_bytes())
    assert status == 200, answer
    assert time.monotonic() - started < 30
    assert p.run.wait() == 0 and p.device.holds(images[2])


def test_second_upload_at_the_same_time_is_told_that_it_is_too_late(page, packed):
    p = page().start()
    data = packed[2].read_bytes()
    with socket.create_connection(("127.0.0.1", p.port), 30) as s:
        s.sendall(f"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Lifeboat-Code: {CODE}\r\n"
                  f"Content-Length: {len(data)}\r\n\r\n".encode() + data[:1000])
        while not p.status()["upload"]:
            time.sleep(0.02)
        status, answer = p.post("/upload", data)
        assert (status, answer["code"]) == (409, "busy")


# ---- who may ----------------------------------------------------------------------


def test_nothing_changes_without_the_code(page, packed):
    p = page().start()
    for path in ("/upload", "/cancel", "/reboot"):
        status, answer = p.post(path, packed[2].read_bytes() if path == "/upload" else b"", code="AAAA-AAAA")
        assert (status, answer["code"]) == (403, "code-wrong")
    body, kind = form({"code": "wrong", "bundle": packed[2].read_bytes()})
    assert p.ask("POST", "/upload", body, Content_Type=kind)[0] == 403
    body, kind = form({"bundle": packed[2].read_bytes(), "code": CODE})
    assert p.ask("POST", "/upload", body, Content_Type=kind)[0] == 403, "the code comes first"
    assert p.run.running() and "source" not in p.run.codes()


def test_codes_cannot_be_tried_out(page):
    p = page().start()
    statuses = [p.post("/cancel", code=f"{n:08d}")[0] for n in range(14)]
    assert statuses[:10] == [403] * 10 and set(statuses[10:]) == {429}
    assert p.post("/cancel")[0] == 429, "not even the right one, for a minute"
    c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=30, source_address=("127.0.0.2", 0))
    c.request("POST", "/cancel", headers={"X-Lifeboat-Code": CODE})
    assert c.getresponse().status == 202, "others are not kept out"
    c.close()


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"},
                                     {"Origin": "https://127.0.0.1"}])
def test_other_sites_cannot_speak_for_the_person(page, packed, headers):
    p = page().start()
    assert p.post("/upload", packed[2].read_bytes(), **headers)[0] == 403
    assert p.post("/reboot", **headers)[0] == 403
    assert p.run.running()


def test_own_origin_is_allowed(page):
    p = page().start()
    p.run.wait_for_code("waiting")
    assert p.post("/cancel", Origin=f"http://127.0.0.1:{p.port}")[0] == 202
    assert p.run.wait() == 3


@pytest.mark.parametrize("host, status", [("evil.example", 421), ("127.0.0.1.evil.example", 421), ("localhost:80", 200),
                                          ("10.0.2.15", 200), ("[fe80::1]:8080", 200), ("unit-7.lan", 200)])
def test_names_that_somebody_else_could_own_are_not_served(page, host, status):
    p = page(web={"name": "unit-7.lan"}).start()
    for path in ("/", "/status.json"):
        assert p.get(path, Host=host)[0] == status


def open_files(pid):
    """What its descriptors stand for; one may be closed while they are listed."""
    links = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(file.readlink())
    assert links
    return links


def test_serving_process_has_no_rights(page):
    p = page().start()
    child = p.server_pid()
    status = Path(f"/proc/{child}/status").read_text()
    assert "\nNoNewPrivs:\t1\n" in status
    if Path("/proc/self").owner() == "root":
        assert "\nUid:\t65534\t65534\t65534\t65534\n" in status and "\nGroups:\t \n" in status
        assert "\nCapEff:\t0000000000000000\n" in status
        assert os.readlink(f"/proc/{child}/root") != "/" and not os.listdir(f"/proc/{child}/root")
        for folder in Path("/run").glob("lifeboat-page.*"):     # of another test, perhaps
            end = time.monotonic() + 60
            while folder.exists():
                assert time.monotonic() < end, "nothing is left of its folder"
                time.sleep(0.02)
    links = open_files(child)
    assert not any(str(x).startswith(str(p.device.folder)) for x in links), links


def test_update_goes_on_when_the_serving_process_dies(page, packed, images):
    p = page().start()
    p.run.wait_for_code("waiting")
    child = p.server_pid()
    os.kill(child, signal.SIGKILL)
    end = time.monotonic() + 30
    while True:
        try:
            status, answer = p.post("/upload", packed[2].read_bytes())
            break
        except (OSError, http.client.HTTPException):
            assert time.monotonic() < end
            time.sleep(0.1)
    assert status == 200, answer
    assert p.run.wait() == 0 and p.device.holds(images[2])


# ---- limits -----------------------------------------------------------------------


@pytest.mark.parametrize("request_bytes, status", [
    (b"BREW / HTTP/1.1\r\nHost: 1.1.1.1\r\n\r\n", b"405"),
    (b"GET / HTTP/1.1\r\n\r\n", b"400"),
    (b"GET http://1.1.1.1/ HTTP/1.1\r\nHost: 1.1.1.1\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: 1.1.1.1\r\nHost: 2.2.2.2\r\n\r\n", b"400"),
    (b"GET / HTTP/1.1\r\nHost: 1.1.1.1\r\n folded: x\r\n\r\n", b"400"),
    (b"GET /" + b"a" * 100 + b" HTTP/1.1\r\nHost: 1.1.1.1\r\n\r\n", b"431"),
    (b"GET / HTTP/1.1\r\nHost: 1.1.1.1\r\nX: " + b"a" * 5000 + b"\r\n\r\n", b"431"),
    (b"GET /etc/passwd HTTP/1.1\r\nHost: 1.1.1.1\r\n\r\n", b"404"),
    (b"GET /../recovery.json HTTP/1.1\r\nHost: 1.1.1.1\r\n\r\n", b"404"),
    (b"POST / HTTP/1.1\r\nHost: 1.1.1.1\r\nContent-Length: 0\r\n\r\n", b"405"),
    (b"POST /upload HTTP/1.1\r\nHost: 1.1.1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
    (b"POST /upload HTTP/1.1\r\nHost: 1.1.1.1\r\nContent-Length: 99999999999999\r\n\r\n", b"413"),
    (b"POST /upload HTTP/1.1\r\nHost: 1.1.1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
    (b"POST /upload HTTP/1.1\r\nHost: 1.1.1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
    (b"POST /cancel HTTP/1.1\r\nHost: 1.1.1.1\r\nContent-Length: 4000\r\n\r\n", b"413"),
], ids=lambda x: x[:40].decode("latin-1") if isinstance(x, bytes) else str(x))
def test_odd_requests_get_a_clear_answer(page, request_bytes, status):
    p = page().start()
    assert p.raw(request_bytes).split(b" ")[1] == status
    assert p.get("/")[0] == 200


def test_many_silent_connections_do_not_keep_others_out_for_long(page):
    p = page().start()
    silent = [socket.create_connection(("127.0.0.1", p.port), 5) for _ in range(12)]
    try:
        assert p.ask("GET", "/status.json", timeout=60)[0] == 200
    finally:
        for s in silent:
            s.close()


# ---- cancel, restart ------------------------------------------------------------------


def test_update_is_cancelled_before_its_first_write(page, make_server, packed):
    server = make_server().start()
    url = server.url("r2.lbu")
    server.stop()
    p = page(give_up_s=600).start("--install", url, reason="requested")
    p.run.wait_for_code("source-interrupted")
    before = p.device.main_digest()
    assert p.post("/cancel")[0] == 202
    assert p.run.wait() == 3, p.run.text()
    assert p.device.main_digest() == before
    assert p.device.record(RESULT)["code"] == "cancelled" and p.device.state() == "confirmed"
    assert p.device.env()["lifeboat_boot"] == "main"


def test_update_is_not_cancelled_after_its_first_write(page, server, large_packed, large_images):
    server.put("big.lbu", large_packed)
    server.change("limit_rate 8m;")
    p = page(slots={"boot": 2 << 20, "root": 80 << 20}, retry_min_ms=1000)
    p.start("--install", server.url("big.lbu"), reason="requested")
    p.run.wait_for(lambda run: run.progress("write"))
    p.post("/cancel")
    p.run.wait_for_code("cancelled")
    assert p.run.wait(120) == 0, p.run.text()
    assert p.device.holds(large_images)


def test_update_that_is_resumed_is_not_cancelled(page, server, large_packed, large_images):
    server.put("big.lbu", large_packed)
    server.change("limit_rate 8m;")
    p = page(slots={"boot": 2 << 20, "root": 80 << 20}, retry_min_ms=1000)
    p.start("--install", server.url("big.lbu"), reason="requested")
    p.run.wait_for(lambda run: run.progress("write"))
    old = p.server_pid()
    p.run.kill()
    while Path(f"/proc/{old}").exists():
        time.sleep(0.01)
    p.start(reason="requested")
    assert p.post("/cancel")[0] == 202
    assert p.run.wait(120) == 0, p.run.text()
    assert "cancelled" in p.run.codes() and p.device.holds(large_images)


def test_restart_in_the_middle_goes_on_afterwards(page, server, large_packed, large_images):
    server.put("big.lbu", large_packed)
    server.change("limit_rate 8m;")
    p = page(slots={"boot": 2 << 20, "root": 80 << 20})
    p.start("--install", server.url("big.lbu"), reason="requested")
    p.run.wait_for(lambda run: run.progress("write"))
    assert p.post("/reboot")[0] == 202
    assert p.run.wait(60) == 4, p.run.text()
    assert p.device.state() == "updating"
    status, run = p.device.run(timeout=120)
    assert status == 0 and p.device.holds(large_images)
