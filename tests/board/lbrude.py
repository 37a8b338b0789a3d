# SPDX-License-Identifier: GPL-2.0-or-later
"""An HTTPS server that misbehaves as it is told, one request after the other.

    with Rude(folder, certificate) as server:
        server.watch(Bundle(path))
        server.head += [status(503, Retry_After="1"), cut(100)]    # before the payload
        server.payload += [part(300_000), status(404), reset(5000)]

What recovery asks of the watched bundle is answered by what stands first in the
queue, and then properly, but no answer holds bytes both before and behind the
payload's start: so it is known which queue is asked. `always` answers when no queue
does, `paths` for single files. A changed certificate or rate, or a file with another
content, holds for the next connection or answer.
"""
import http.server
import socket
import ssl
import struct
import threading
import time
from pathlib import Path

from lbserver import GUEST_VIEW_OF_HOST

PIECE_BYTES = 2048


# --- answers: each takes a Request

def good(request):
    request.answer_file()


def part(count):
    """At most @count bytes of what was asked for; an orderly answer, after which more is asked."""
    return lambda request: request.answer_file(last=request.first + count - 1)


def cut(count):
    """Announces everything, sends @count bytes of it and hangs up."""
    return lambda request: request.answer_file(cut=count)


def reset(count):
    """The same, but the connection is reset: what was under way is lost."""
    return lambda request: request.answer_file(cut=count, reset=True)


def whole(count=None):
    """No ranges: 200 and the file from its start; hangs up after @count bytes."""
    return lambda request: request.answer_file(ranges=False, cut=count)


def swap(count, data):
    """@count bytes of the file, then another one's: it was overwritten while it was sent."""
    def answer(request):
        at = request.first + count
        request.answer_file(data=request.data[:at] + data[at:])
    return answer


def status(code, **headers):
    """An error page; a header's name is written with _ for -."""
    def answer(request):
        request.answer(code, b"not what you want\n", headers)
    return answer


def redirect(code, url):
    return status(code, Location=url)


def present(certificate):
    """Hangs up without a byte; the next connection meets another certificate."""
    def answer(request):
        request.handler.server.owner.certificate = certificate
        request.handler.close_connection = True
    return answer


# --- the server

class Request:
    """A GET for a file: what was asked for, and the means to answer."""

    def __init__(self, handler, data, etag):
        self.handler, self.data, self.etag = handler, data, etag
        self.agent = handler.headers.get("User-Agent", "")
        wanted = handler.headers.get("Range", "")
        self.ranged = wanted.startswith("bytes=") and \
            handler.headers.get("If-Range", etag) == etag
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        self.first = int(first or 0)
        self.last = int(last) if last else None
        self.status = self.sent = 0

    def answer(self, code, body=b"", headers=None, cut=None, reset=False):
        self.status = code
        self.handler.send_response(code)
        for name, value in (headers or {}).items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.send_header("Content-Length", str(len(body)))
        self.handler.end_headers()
        self.write(body[:cut])
        if cut is not None and cut < len(body):
            self.handler.hang_up(reset)

    def answer_file(self, last=None, data=None, ranges=True, cut=None, reset=False):
        data = self.data if data is None else data
        ends = [e for e in (self.last, last, len(data) - 1) if e is not None]
        headers = {"ETag": self.etag} if self.etag else {}
        if not (ranges and self.ranged and self.handler.server.owner.ranges):
            return self.answer(200, data, headers, cut, reset)
        if self.first >= len(data):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        headers["Content-Range"] = f"bytes {self.first}-{min(ends)}/{len(data)}"
        return self.answer(206, data[self.first:min(ends) + 1], headers, cut, reset)

    def write(self, body):
        rate = self.handler.server.owner.rate
        step = PIECE_BYTES if rate else 65536
        for at in range(0, len(body), step):
            self.handler.wfile.write(body[at:at + step])
            self.sent += len(body[at:at + step])
            if rate:
                time.sleep(step / rate)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.owner.serve(self)

    def hang_up(self, reset):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = True

    def log_message(self, *_):
        pass


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, owner, address):
        self.owner, self.open = owner, set()
        super().__init__(address, Handler)

    def get_request(self):
        sock, peer = super().get_request()
        self.open.add(sock)
        certificate = self.owner.certificate
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.chain, certificate.key)
            self.open.discard(sock)
            sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            self.open.add(sock)
        return sock, peer

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """A client that hangs up or does not like the certificate is part of the test."""


class Rude:
    """Looks like lbserver.Server to a Field; runs in this process, in this network."""

    def __init__(self, root, certificate=None, host=GUEST_VIEW_OF_HOST, address="127.0.0.1",
                 port=0):
        """@host: as clients call it; @address: what it listens on; @port 0: any."""
        self.root = Path(root).resolve()
        self.certificate, self.host, self.address = certificate, host, address
        self.rate = None            # bytes a second of one connection
        self.always = None          # how everybody is answered, when no queue is in charge
        self.paths = {}             # path: how it is answered
        self.etags = self.ranges = True
        self.head, self.payload = [], []
        self.log = []               # finished Requests, with .path
        self._watched, self._payload_at = None, 0
        self._listener = Listener(self, (address, port))
        self.port = self._listener.server_port
        self._run()

    def _run(self):
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, name=""):
        return f"http{'s' if self.certificate else ''}://{self.host}:{self.port}/{name}"

    def watch(self, bundle):
        """The queues are for this lbtraffic.Bundle."""
        self._watched, self._payload_at = f"/{bundle.path.name}", bundle.payload[0][0]

    def start(self):
        assert not self._listener, "runs already"
        self._listener = Listener(self, (self.address, self.port))
        self._run()

    def stop(self):
        """At once: connections are closed in the middle."""
        if not self._listener:
            return
        self._listener.shutdown()
        self._listener.server_close()
        for sock in list(self._listener.open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._listener = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _choose(self, request, path):
        if path == self._watched and request.agent.startswith("lifeboat-recovery"):
            queue = self.payload if request.first >= self._payload_at else self.head
            if queue:
                return queue.pop(0)
            if request.first < self._payload_at and not self.always:
                return part(self._payload_at - request.first)
        return self.paths.get(path) or self.always or good

    def _tag(self, file):
        stat = file.stat()
        return f'"{stat.st_size:x}-{stat.st_mtime_ns:x}"' if self.etags else ""

    def serve(self, handler):
        path = handler.path.partition("?")[0]
        file = self.root / path.lstrip("/")
        if file.is_file():      # its content is of this moment, whatever the answer does to it
            request = Request(handler, file.read_bytes(), self._tag(file))
            answer = self._choose(request, path)
        else:
            request = Request(handler, b"", "")
            answer = self.paths.get(path) or self.always or status(404)
        request.path = path
        try:
            answer(request)
        finally:
            self.log.append(request)

    def requests(self, path=None, agent="lifeboat-recovery"):
        """Finished requests of that client, oldest first."""
        return [r for r in self.log
                if r.agent.startswith(agent) and (path is None or r.path == path)]
