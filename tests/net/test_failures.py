# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong between here and a server, and which of it is final."""

import contextlib
import os
import socket
import socketserver
import struct
import threading
import time

import pytest
from netlab import BadLine, digest, httpcat
from ports import free_port


def first(url, *options):
    return httpcat("asan", *options, url, "0:1000")[0]


@pytest.mark.parametrize("status", [408, 416, 425, 429, 500, 503])
def test_busy_servers_are_tried_again(lab, status):
    line = first(lab.url("plain", f"/{status}"))
    assert line["code"] == "source-interrupted"
    assert str(status) in line["text"] and "localhost" in line["text"]


@pytest.mark.parametrize("status", [403, 404])
def test_other_4xx_are_refusals(lab, status):
    line = first(lab.url("plain", f"/{status}"))
    assert line["code"] == "source-refused" and str(status) in line["text"]


def test_retry_after(lab):
    line = httpcat("asan", "-g", "", lab.url("plain", "/503"))[0]
    assert line["code"] == "source-interrupted" and line["retry_after"] == 17
    assert "17 s" in line["text"]
    assert first(lab.url("plain", "/503"))["retry_after"] == 17
    assert first(lab.url("plain", "/500"))["retry_after"] == 0


def test_query_never_reaches_a_sentence(lab):
    line = first(lab.url("plain", "/404?token=secret"))
    assert "secret" not in line["text"]


def test_nobody_listens():
    line = first(f"http://localhost:{free_port()}/x")
    assert line["code"] == "source-interrupted"


def test_unknown_host():
    assert first("http://no-such-host.invalid/x")["code"] == "source-interrupted"


def test_other_schemes():
    assert httpcat("asan", "ftp://localhost/x", "0:1")[0]["code"] == "invalid-argument"
    assert httpcat("asan", "file:///etc/passwd", "0:1")[0]["code"] == "invalid-argument"


@pytest.mark.parametrize("server", ["plain", "both"])
def test_five_redirects_and_no_more(lab, server):
    line = first(lab.url(server, "/hop5"), "-c", lab.ca)
    assert line["code"] == "ok" and line["sha256"] == digest(lab.bundle[:1000])
    assert first(lab.url(server, "/hop6"), "-c", lab.ca)["code"] == "source-refused"
    assert first(lab.url(server, "/loop"), "-c", lab.ca)["code"] == "source-refused"


def test_redirect_is_remembered(lab):
    lines = httpcat("asan", lab.url("plain", "/hop1"), "0:10", "100000:10", "500000:10")
    assert lines[-1]["code"] == "ok" and lines[-1]["requests"] == 4


def test_never_from_https_to_http(lab):
    line = first(lab.url("both", "/to-plain"), "-c", lab.ca)
    assert line["code"] == "source-refused" and "https to http" in line["text"]
    assert first(lab.url("plain", "/nowhere"))["code"] == "source-refused"


def test_token_goes_to_the_first_host_only(lab):
    token = ("-H", "X-Token: secret")
    assert first(lab.url("plain", "/token/bundle.lbu"))["code"] == "source-refused"
    assert first(lab.url("plain", "/token/bundle.lbu"), *token)["code"] == "ok"
    assert first(lab.url("plain", "/to-self"), *token)["code"] == "ok"
    assert first(lab.url("plain", "/to-other"), *token)["code"] == "ok"
    # proves that the other host would have noticed
    assert first(lab.url("other", "/notoken/bundle.lbu"), *token)["code"] == "source-refused"


def test_header_injection(lab):
    line = httpcat("asan", "-H", "X-A: b\r\nX-B: c", lab.url("plain"), "0:1")[0]
    assert line["code"] == "invalid-argument"


def test_cut_connection_resumes_where_it_was(lab, line):
    proxy = line((700000, "cut"), (300, "cut"), (1000000, "cut"))
    got = httpcat("asan", "-n", "3", proxy.url(), "0:end")[0]
    assert got["code"] == "ok" and got["sha256"] == digest(lab.bundle)
    assert proxy.connections == 4
    # nothing was fetched twice but what was on its way
    assert got["fetched"] <= len(lab.bundle) + 3 * 65536


def with_hosts(file):
    """What runs a command that sees @file as /etc/hosts."""
    return ["unshare", "--mount", "sh", "-ec", 'mount --bind "$0" /etc/hosts; exec "$@"', file]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a namespace")
def test_server_that_moved_is_found_by_its_name(lab, line, tmp_path):
    """The first connection after the move goes to the new address, not to a remembered one."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 moving.test\n")

    def move():
        hosts.write_text("127.0.0.2 moving.test\n")
        old.close()

    old = line((300_000, "cut"), on_fault=move)
    new = line(address=("127.0.0.2", old.port))
    got = httpcat("asan", "-n", "1", f"http://moving.test:{old.port}/bundle.lbu", "0:end",
                  inside=with_hosts(hosts))[0]
    assert got["code"] == "ok" and got["sha256"] == digest(lab.bundle)
    assert (old.connections, new.connections) == (1, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a namespace")
def test_sentence_is_about_the_last_try(tmp_path):
    """A kept connection is lost, and then the name cannot be resolved: that is what counts."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 going.test\n")
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_once():
        client, _ = listener.accept()
        client.recv(65536)
        client.sendall(b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-9/100\r\n"
                       b"Content-Length: 10\r\n\r\n0123456789")
        client.recv(65536)
        hosts.write_text("")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()

    server = threading.Thread(target=answer_once, daemon=True)
    server.start()
    got = httpcat("asan", f"http://going.test:{listener.getsockname()[1]}/x", "0:10", "50:10",
                  inside=with_hosts(hosts))
    server.join(10)
    listener.close()
    assert [line["code"] for line in got] == ["ok", "source-interrupted"]
    assert "resolve" in got[1]["text"]


def test_cut_without_retry_is_told(lab, line):
    got = httpcat("asan", line((700000, "cut")).url(), "0:end")[0]
    assert got["code"] == "source-interrupted" and 600000 < got["got"] <= 700000


def test_cut_on_a_server_without_ranges(lab, line):
    proxy = line((700000, "cut"))
    got = httpcat("asan", "-n", "1", proxy.url("/norange/bundle.lbu"), "100:end")[0]
    assert got["code"] == "ok" and got["sha256"] == digest(lab.bundle[100:])
    assert got["sequential"] and got["fetched"] >= len(lab.bundle) + 600000


def test_tls_connection_that_ends_is_told_in_words(lab):
    proxy = BadLine(lab.ports["both"], [(100_000, "cut")])
    got = httpcat("asan", "-c", lab.ca, proxy.url().replace("http:", "https:"), "0:end")[0]
    proxy.close()
    assert got["code"] == "source-interrupted" and "closed too early" in got["text"]


def test_stall_is_noticed_in_time(lab, line):
    got = httpcat("asan", "-s", "3000", line((100000, "stall")).url(), "0:end")[0]
    assert got["code"] == "source-interrupted" and "no byte" in got["text"]
    assert 90000 < got["got"] <= 100000 and 2900 <= got["ms"] < 25000   # then the line is cut


def test_stall_before_the_answer(lab, line):
    got = httpcat("asan", "-s", "3000", "-t", "3000", "-n", "1", line((1, "stall")).url(), "0:1000")
    assert got[0]["code"] == "ok" and got[0]["ms"] >= 2900


def test_another_file_under_the_same_url(lab, line):
    path = lab.root / "changing.lbu"
    path.write_bytes(lab.bundle)

    def change():
        other = lab.root / "other.tmp"
        other.write_bytes(os.urandom(len(lab.bundle)))
        os.utime(other, (1, 1))
        other.rename(path)

    proxy = line((500000, "cut"), on_fault=change)
    got = httpcat("asan", "-n", "3", proxy.url("/changing.lbu"), "0:end")[0]
    assert got["code"] == "bundle-changed" and got["got"] < 500000


def test_another_size_under_the_same_url(lab, line):
    path = lab.root / "growing.lbu"
    path.write_bytes(lab.bundle)
    proxy = line((500000, "cut"), on_fault=lambda: path.write_bytes(lab.bundle + b"x"))
    got = httpcat("asan", "-n", "3", proxy.url("/growing.lbu"), "0:end")[0]
    assert got["code"] == "bundle-changed"


def answer(status, headers, body):
    lines = [f"HTTP/1.1 {status} X", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


@pytest.mark.parametrize("content_range", [
    "bytes 1-999/5000", "bytes 0-1000/5000", "bytes 0-999/500", "bytes 9-0/5000", "bytes 0-999",
    "bytes 00000000000000000000000000000000099-999/5000", "bytes -999/5000", "chars 0-999/5000",
    "bytes 0-99999999999999999999/5000", "bytes 0-999/5000x", "",
])
def test_content_range_must_be_what_was_asked_for(canned, content_range):
    server = canned(answer(206, [f"Content-Range: {content_range}", "Content-Length: 1000"],
                           bytes(1000)))
    line = first(server.url())
    assert line["code"] == "source-refused" and line["got"] == 0


def test_more_bytes_than_announced_are_not_taken(canned):
    server = canned(answer(206, ["Content-Range: bytes 0-999/5000"], bytes(4000)))
    line = httpcat("asan", server.url(), "0:1000")[0]
    assert line["got"] == 0 and line["code"] == "source-refused"


def test_fewer_bytes_than_announced_are_an_interruption(canned):
    server = canned(answer(206, ["Content-Range: bytes 0-999/5000"], bytes(400)))
    line = first(server.url())
    assert line["got"] == 400 and line["code"] == "source-interrupted"


def test_server_that_serves_shorter_ranges(canned):
    server = canned(answer(206, ["Content-Range: bytes 0-399/5000", "ETag: \"a\""], bytes(400)),
                    answer(206, ["Content-Range: bytes 400-999/5000", "ETag: \"a\""], bytes(600)))
    line = first(server.url())
    assert line["code"] == "ok" and line["got"] == 1000
    assert "If-Range: \"a\"" in server.requests[1]
    assert "Range: bytes=400-999" in server.requests[1]


def test_416_that_contradicts_itself_does_not_loop(canned):
    server = canned(answer(416, ["Content-Range: bytes */5000"], b""))
    assert first(server.url())["code"] == "source-interrupted"


def test_compressed_answer_is_refused(lab):
    assert first(lab.url("plain", "/gzip"))["code"] == "source-refused"


def test_endless_head_is_bounded(canned):
    server = canned(answer(200, ["X-%d: %s" % (i, "y" * 1000) for i in range(2000)], b""))
    assert first(server.url())["code"] == "source-interrupted"


def test_status_without_meaning_here(canned):
    for status in (204, 304, 300, 999):
        server = canned(answer(status, [], b""))
        assert first(server.url())["code"] != "ok"


# lb_http_get() and lb_http_get_range()


def test_get_small_file_and_not_again(lab):
    got = httpcat("asan", "-g", "", "-c", lab.ca, lab.url("both", "/channel.json"))[0]
    assert got["code"] == "ok" and got["status"] == 200
    assert got["sha256"] == digest(b'{"hello": 1}\n') and got["etag"]
    again = httpcat("asan", "-g", got["etag"], "-c", lab.ca, lab.url("both", "/channel.json"))[0]
    assert again["code"] == "ok" and again["status"] == 304 and again["got"] == 0


def test_get_too_large(lab):
    assert httpcat("asan", "-g", "", lab.url("plain"))[0]["code"] == "image-too-large"


def test_get_range_proves_ranges(lab):
    got = httpcat("asan", "-r", "500:1000", lab.url("plain"))[0]
    assert got["ranges"] and got["total"] == len(lab.bundle)
    assert got["sha256"] == digest(lab.bundle[500:1500])
    got = httpcat("asan", "-r", "500:1000", lab.url("plain", "/norange/bundle.lbu"))[0]
    assert got["code"] == "ok" and not got["ranges"] and got["got"] == 0
    assert got["total"] == len(lab.bundle)


def test_get_range_of_a_truncated_file(lab):
    got = httpcat("asan", "-r", f"{len(lab.bundle)}:10", lab.url("plain"))[0]
    assert got["code"] == "truncated"


class Trickler(socketserver.ThreadingTCPServer):
    """Sends @first, then a header line every @pause_s seconds, for ever."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, first, pause_s):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.recv(4096)
                with contextlib.suppress(OSError):
                    self.request.sendall(first(self.server))
                    for n in range(1000):
                        time.sleep(pause_s)
                        self.request.sendall(b"X-%d: y\r\n" % n)

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/bundle.lbu"


def test_head_that_never_ends_is_given_up():
    server = Trickler(lambda _: b"HTTP/1.1 206 Partial Content\r\n", 0.1)
    got = first(server.url(), "-t", "500", "-s", "1000")
    server.shutdown()
    assert got["code"] == "source-interrupted"
    assert 1400 < got["ms"] < 25000


def test_redirects_share_one_limit():
    """Each hop ends in time, all of them together do not."""
    def hop(server):
        time.sleep(0.6)
        return (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n"
                b"Location: %s\r\n\r\n" % server.url().encode())

    server = Trickler(hop, 0.1)
    got = first(server.url(), "-t", "500", "-s", "1000")
    server.shutdown()
    assert got["code"] == "source-interrupted"
    assert 1400 < got["ms"] < 25000
