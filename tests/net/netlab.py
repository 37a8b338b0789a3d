# SPDX-License-Identifier: GPL-2.0-or-later
"""A small internet on loopback: a CA, a real nginx, and a line that breaks."""

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
from ports import free_port  # noqa: E402

HOST = "localhost"


class Authority:
    """A certificate authority made with openssl, which can also backdate."""

    def __init__(self, folder, name):
        self.folder = folder
        self.pem = folder / "ca.pem"
        folder.mkdir()
        (folder / "index").write_text("")
        (folder / "serial").write_text("01\n")
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\n"
            f"database={folder}/index\nserial={folder}/serial\nnew_certs_dir={folder}\n"
            "default_md=sha256\npolicy=any\nunique_subject=no\ncopy_extensions=copy\n"
            "[any]\ncommonName=supplied\n")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-subj", f"/CN={name}", "-days", "3650",
                     "-keyout", folder / "ca.key", "-out", self.pem)

    def openssl(self, *args):
        subprocess.run(["openssl", *map(str, args)], check=True, cwd=self.folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def issue(self, name, kind, dns=HOST, start="20200101000000Z", end="20490101000000Z"):
        """(certificate, key) files for a server."""
        key, req, crt = (self.folder / f"{name}.{x}" for x in ("key", "req", "crt"))
        how = {"rsa": ["-newkey", "rsa:2048"],
               "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}[kind]
        self.openssl("req", *how, "-nodes", "-subj", f"/CN={dns}",
                     "-addext", f"subjectAltName=DNS:{dns}", "-keyout", key, "-out", req)
        self.openssl("ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem",
                     "-keyfile", "ca.key", "-startdate", start, "-enddate", end,
                     "-in", req, "-out", crt)
        return crt, key


LOCATIONS = """
    location /norange/ { alias %(root)s/; max_ranges 0; }
    location /slow/ { alias %(root)s/; limit_rate 200k; }
    location /weak/ { alias %(root)s/; etag off; add_header ETag 'W/"weak"'; }
    location /token/ { if ($http_x_token != "secret") { return 401; } alias %(root)s/; }
    location /notoken/ { if ($http_x_token != "") { return 418; } alias %(root)s/; }
    location = /404 { return 404; }
    location = /403 { return 403; }
    location = /408 { return 408; }
    location = /416 { return 416; }
    location = /425 { return 425; }
    location = /429 { add_header Retry-After 7 always; return 429; }
    location = /500 { return 500; }
    location = /503 { add_header Retry-After 17 always; return 503; }
    location = /hop1 { return 302 /bundle.lbu; }
    location = /hop2 { return 301 /hop1; }
    location = /hop3 { return 307 /hop2; }
    location = /hop4 { return 308 /hop3; }
    location = /hop5 { return 303 /hop4; }
    location = /hop6 { return 302 /hop5; }
    location = /loop { return 302 /loop; }
    location = /nowhere { return 302 ftp://localhost/x; }
    location = /to-plain { return 302 http://localhost:%(plain)d/bundle.lbu; }
    location = /to-other { return 302 http://localhost:%(other)d/notoken/bundle.lbu; }
    location = /to-self { return 302 /token/bundle.lbu; }
    location = /gzip { default_type text/plain; add_header Content-Encoding gzip;
                       return 200 "not really"; }
"""


class Nginx:
    """One nginx with a plain server, a second host, and one server per certificate."""

    def __init__(self, folder, root, certificates):
        self.ports = {name: free_port() for name in ["plain", "other", *certificates]}
        names = {"root": root, **self.ports}
        servers = [f"server {{ listen 127.0.0.1:{self.ports[n]}; root {root}; "
                   f"{LOCATIONS % names} }}" for n in ("plain", "other")]
        servers += [
            f"server {{ listen 127.0.0.1:{self.ports[n]} ssl; root {root};"
            f" ssl_certificate {crt}; ssl_certificate_key {key}; ssl_protocols {protocol};"
            f" {LOCATIONS % names} }}" for n, (protocol, (crt, key)) in certificates.items()]
        conf = folder / "nginx.conf"
        conf.write_text(
            "daemon off; master_process off; pid nginx.pid; error_log error.log;\n"
            "events { worker_connections 64; }\n"
            "http { access_log access.log; sendfile on; keepalive_timeout 30;\n"
            + "".join(f"{kind}_temp_path tmp;\n" for kind in
                      ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            + "\n".join(servers) + "\n}\n")
        self.folder = folder
        self.process = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", str(folder), "-c", str(conf), "-e", "error.log"])
        for port in self.ports.values():
            wait_for_port(port)

    def url(self, server, path="/bundle.lbu"):
        scheme = "http" if server in ("plain", "other") else "https"
        return f"{scheme}://{HOST}:{self.ports[server]}{path}"

    def log(self):
        time.sleep(0.05)
        return (self.folder / "access.log").read_text().splitlines()

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def wait_for_port(port):
    for _ in range(3000):
        with socket.socket() as s:
            if not s.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


class BadLine:
    """A TCP proxy. Connection n passes on faults[n] = (bytes, what) of the answer:
    "cut" closes then, "stall" goes silent; later connections are left alone."""

    def __init__(self, target_port, faults, on_fault=lambda: None, address=("127.0.0.1", 0)):
        self.target, self.faults, self.on_fault = target_port, list(faults), on_fault
        self.connections = 0
        self.listener = socket.create_server(address)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, path="/bundle.lbu"):
        return f"http://{HOST}:{self.port}{path}"

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            fault = self.faults[self.connections] if self.connections < len(self.faults) else None
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self.answer, args=(server, client, fault),
                             daemon=True).start()

    @staticmethod
    def forward(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass

    def answer(self, server, client, fault):
        left, what = fault or (None, None)
        try:
            while data := server.recv(65536 if left is None else min(65536, max(left, 1))):
                if left is not None and left <= 0:
                    break
                client.sendall(data)
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        break
            if what == "stall":
                self.on_fault()
                time.sleep(30)
            elif what == "cut":
                self.on_fault()
                client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        client.close()
        server.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)    # who waits in accept() wakes up
        self.listener.close()


class Canned:
    """A server that answers each connection with the next of the given bytes."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def url(self, path="/x"):
        return f"http://{HOST}:{self.port}{path}"

    def serve(self):
        for answer in self.answers:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                request = b""
                while b"\r\n\r\n" not in request:
                    data = client.recv(4096)
                    if not data:
                        break
                    request += data
                self.requests.append(request.decode("latin-1"))
                try:
                    client.sendall(answer)
                except OSError:
                    pass

    def close(self):
        self.listener.close()


def httpcat(variant, *args, inside=()):
    """Runs tests/net/httpcat.c; its JSON lines. @inside: words that run a command elsewhere."""
    build = os.environ.get("LB_BUILD", "build")
    run = subprocess.run([*inside, f"{build}/{variant}/bin/httpcat", *map(str, args)], timeout=120,
                         stdout=subprocess.PIPE, check=False)
    assert run.returncode == 0, f"httpcat failed: {run.returncode}"
    return [json.loads(line) for line in run.stdout.splitlines()]


def digest(data):
    return hashlib.sha256(data).hexdigest()
