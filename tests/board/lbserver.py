# SPDX-License-Identifier: GPL-2.0-or-later
"""A real nginx with TLS, for tests and demonstrations.

    certificate = Certificate.issue(folder, ca_stem)            # for 10.0.2.2 and 127.0.0.1
    with Server(folder, root, certificate, rate="400k") as server:
        print(server.url("channel.lbc"))                        # as the guest sees it
        server.stop(); server.start()                           # same port
        for request in server.requests(): ...

The log counts bytes that nginx handed to its socket. The socket's buffer is kept
small (sndbuf), so that what a killed client never saw is at most some 10 KB per
connection: the figures are upper bounds.
"""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from ports import free_port  # noqa: E402

GUEST_VIEW_OF_HOST = "10.0.2.2"
BUILT_IN = "10.0.2.100"     # of recovery-knows.itb; see relay.py
NGINX = "/usr/sbin/nginx"

CONFIG = """\
daemon off;
user root;
worker_processes 1;
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 64; }}
http {{
    log_format counted escape=json '{{"time":$msec,"status":$status,"method":"$request_method",'
        '"uri":"$uri","range":"$http_range","sent":$bytes_sent,"body":$body_bytes_sent,'
        '"seconds":$request_time,"agent":"$http_user_agent"}}';
    access_log requests.log counted;
    types {{ }}
    default_type application/octet-stream;
    client_body_temp_path tmp;
    proxy_temp_path tmp;
    fastcgi_temp_path tmp;
    uwsgi_temp_path tmp;
    scgi_temp_path tmp;
    sendfile off;
    output_buffers 1 16k;
    server {{
        listen 127.0.0.1:{port} {tls} sndbuf=16k;
        root {root};
        {certificate}
        ssl_buffer_size 4k;
        {extra}
        location / {{ {limit} }}
        location ~ \\.lbc$ {{ limit_rate 0; }}
    }}
}}
"""


class ServerError(AssertionError):
    """nginx did not do what was asked."""


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)
    if done.returncode:
        raise ServerError(f"{' '.join(str(c) for c in command)}: {done.stderr.strip()}")
    return done.stdout


class Certificate:
    """A server's key and certificate in files."""

    def __init__(self, key, chain):
        self.key, self.chain = Path(key), Path(chain)

    @classmethod
    def issue(cls, folder, ca, name="server", addresses=(GUEST_VIEW_OF_HOST, BUILT_IN, "127.0.0.1"),
              hosts=(), dates=None):
        """@ca: path without suffix of .key and .crt; @dates: ("YYYYMMDDHHMMSSZ", same)."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        key, request, out = (folder / f"{name}.{s}" for s in ("key", "csr", "crt"))
        run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        run("openssl", "req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        names = ",".join([f"IP:{a}" for a in addresses] + [f"DNS:{h}" for h in hosts])
        start, end = dates or ("20200101000000Z", "20991231000000Z")
        # the one command that takes dates in the past
        for file, text in (("index.txt", ""), ("serial", os.urandom(8).hex() + "\n"), ("ca.cnf", f"""\
[ca]
default_ca = it
[it]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
x509_extensions = server
unique_subject = no
[any]
commonName = supplied
[server]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = {names}
""")):
            (folder / file).write_text(text)
        run("openssl", "ca", "-batch", "-config", folder / "ca.cnf", "-cert", f"{ca}.crt",
            "-keyfile", f"{ca}.key", "-startdate", start, "-enddate", end, "-notext",
            "-in", request, "-out", out)
        return cls(key, out)

    @classmethod
    def make_ca(cls, stem):
        """A certification authority that no device knows."""
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "3650", "-subj", "/CN=somebody else", "-keyout", f"{stem}.key",
            "-out", f"{stem}.crt")
        return stem


class Request:
    """A line of the log: what was asked for, and how much went to the socket."""

    def __init__(self, line):
        entry = json.loads(line)
        self.time, self.status, self.seconds = entry["time"], entry["status"], entry["seconds"]
        self.method, self.path, self.agent = entry["method"], entry["uri"], entry["agent"]
        self.body_bytes, self.sent_bytes = entry["body"], entry["sent"]
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", entry["range"])
        self.offset = int(match.group(1)) if match and self.status == 206 else 0

    def __repr__(self):
        return f"<{self.status} {self.path} from {self.offset}, {self.body_bytes} bytes>"


class Server:
    """nginx on a port of its own; start and stop it as often as wanted."""

    def __init__(self, work, root, certificate=None, port=None, rate=None, extra=""):
        """@rate: bytes a second of one connection, such as "400k"; @extra: nginx directives."""
        self.work = Path(work).resolve()
        (self.work / "tmp").mkdir(parents=True, exist_ok=True)
        self.root = Path(root).resolve()
        self.port = port or free_port()
        self.certificate, self.rate, self.extra = certificate, rate, extra
        self._nginx = None
        self.log_path = self.work / "requests.log"
        self.log_path.unlink(missing_ok=True)

    def url(self, name=""):
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://{GUEST_VIEW_OF_HOST}:{self.port}/{name}"

    def _write_config(self):
        certificate = ""
        if self.certificate:
            certificate = (f"ssl_certificate {self.certificate.chain.resolve()}; "
                           f"ssl_certificate_key {self.certificate.key.resolve()};")
        (self.work / "nginx.conf").write_text(CONFIG.format(
            port=self.port, tls="ssl" if self.certificate else "", root=self.root,
            certificate=certificate, extra=self.extra,
            limit=f"limit_rate {self.rate};" if self.rate else ""))

    def start(self):
        assert not self._nginx, "runs already"
        self._write_config()
        command = [NGINX, "-p", f"{self.work}/", "-c", f"{self.work}/nginx.conf",
                   "-e", f"{self.work}/error.log"]
        with open(self.work / "stderr.log", "w", encoding="utf-8") as errors:
            self._nginx = subprocess.Popen(command, stderr=errors, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end and self._nginx.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise ServerError(f"nginx does not answer: {(self.work / 'stderr.log').read_text()}")

    def stop(self):
        """At once: connections are closed in the middle."""
        if self._nginx:
            self._nginx.send_signal(signal.SIGTERM)
            self._nginx.wait(60)
            self._nginx = None

    def change(self, **settings):
        """Stops, changes certificate, rate or extra, and starts again."""
        self.stop()
        for name, value in settings.items():
            assert hasattr(self, name), name
            setattr(self, name, value)
        return self.start()

    def __enter__(self):
        return self.start() if not self._nginx else self

    def __exit__(self, *_):
        self.stop()

    def requests(self, path=None):
        """Finished requests, oldest first."""
        if not self.log_path.exists():
            return []
        whole, _, _ = self.log_path.read_text(encoding="utf-8").rpartition("\n")
        found = [Request(line) for line in whole.splitlines() if line.startswith("{")]
        return [r for r in found if path is None or r.path == path]
