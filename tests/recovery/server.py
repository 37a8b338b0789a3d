# SPDX-License-Identifier: GPL-2.0-or-later
"""A real nginx on loopback, with certificates of a CA made for this run."""

import datetime
import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

sys.path.append(str(Path(__file__).resolve().parents[1]))
from ports import free_port  # noqa: E402


class Authority:
    """A certificate authority; what it issues names 127.0.0.1 and localhost."""

    def __init__(self, folder, name="bench CA"):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.ca_file = folder / "ca.pem"
        cert = (self._builder(self.name, self.key.public_key(), -1, 3650)
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .sign(self.key, hashes.SHA256()))
        self.ca_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject, public, from_days, to_days):
        now = datetime.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name)
                .public_key(public).serial_number(x509.random_serial_number())
                .not_valid_before(now + datetime.timedelta(days=from_days))
                .not_valid_after(now + datetime.timedelta(days=to_days)))

    def issue(self, name, from_days=-1, to_days=30, hosts=("localhost",)):
        """(certificate, key) files for a server."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(h) for h in hosts]
        if "localhost" in hosts:
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        cert = (self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
                              key.public_key(), from_days, to_days)
                .add_extension(x509.SubjectAlternativeName(names), critical=False)
                .sign(self.key, hashes.SHA256()))
        cert_file, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        cert_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                               serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return cert_file, key_file


CONFIG = """
{user}daemon off;
master_process on;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 64; }}
http {{
	access_log off;
	log_format bytes '$request_id|$status|$http_range|$body_bytes_sent|$request_uri';
	client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp; fastcgi_temp_path {dir}/tmp;
	uwsgi_temp_path {dir}/tmp; scgi_temp_path {dir}/tmp;
	server {{
		listen 127.0.0.1:{http} sndbuf=64k;
		listen 127.0.0.1:{https} ssl sndbuf=64k;
		ssl_certificate {cert};
		ssl_certificate_key {key};
		root {www};
		access_log {dir}/access.log bytes;
		{directives}
	}}
	server {{
		listen 127.0.0.1:{idle};
		location / {{ stub_status; }}
	}}
}}
"""


def accepts(worker):
    """Whether that process of nginx may take new connections; one that ends says so in its title."""
    try:
        return b"shutting down" not in Path(f"/proc/{worker}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


class Server:
    """nginx serving @www; start(), stop() and start() again keep the address."""

    def __init__(self, folder, authority, certificate=None):
        self.folder, self.www = folder, folder / "www"
        self.www.mkdir(parents=True, exist_ok=True)
        (folder / "tmp").mkdir(exist_ok=True)
        self.certificate = certificate or authority.issue(f"server-{folder.name}")
        self.http_port, self.https_port, self.idle_port = free_port(), free_port(), free_port()
        self.directives = ""
        self.process = None

    def url(self, name, scheme="https"):
        port = self.https_port if scheme == "https" else self.http_port
        return f"{scheme}://127.0.0.1:{port}/{name}"

    def put(self, name, data):
        """Replaces the file in one step, as a careful publisher does."""
        new = self.www / f".{name}.new"
        if isinstance(data, bytes):
            new.write_bytes(data)
        else:
            shutil.copyfile(data, new)
        os.replace(new, self.www / name)

    def start(self, directives=None):
        if directives is not None:
            self.directives = directives
        self.write_config()
        self.process = subprocess.Popen(
            ["nginx", "-p", self.folder, "-e", self.folder / "error.log",
             "-c", self.folder / "nginx.conf"],
            env={**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.https_port), 1).close()
                return self
            except OSError:
                assert self.process.poll() is None, (self.folder / "error.log").read_text()
                assert time.monotonic() < end, "nginx does not listen"
                time.sleep(0.02)

    def write_config(self):
        cert, key = self.certificate
        (self.folder / "nginx.conf").write_text(CONFIG.format(
            user="user root;\n" if os.geteuid() == 0 else "",
            dir=self.folder, www=self.www, http=self.http_port, https=self.https_port,
            idle=self.idle_port, cert=cert, key=key, directives=self.directives))

    def change(self, directives):
        """Other directives for new connections; old ones are finished by the old worker."""
        self.directives = directives
        self.write_config()
        workers = self.workers()
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60
        while not set(self.workers()) - set(workers) or any(map(accepts, workers)):
            assert time.monotonic() < end, "nginx did not take its new configuration"
            time.sleep(0.02)

    def workers(self):
        pid = self.process.pid
        text = open(f"/proc/{pid}/task/{pid}/children", encoding="ascii").read()
        return [int(p) for p in text.split()]

    def stop(self):
        """At once: connections are cut in the middle of a byte range."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            self.process = None

    def connections(self):
        """How many are open, as nginx knows it, without the one that asks."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.idle_port}/", timeout=60) as answer:
            return int(re.match(rb"Active connections: (\d+)", answer.read()).group(1)) - 1

    def settle(self):
        """When all clients have ended: until nginx has noticed, and has written its log."""
        end = time.monotonic() + 60
        while self.process and self.connections():
            assert time.monotonic() < end, "a connection stays open"
            time.sleep(0.01)

    def requests(self):
        """[(status, first byte of the range or None, body bytes sent)] of clients that have ended."""
        self.settle()
        log = self.folder / "access.log"
        found = []
        for line in log.read_text().splitlines() if log.exists() else []:
            _, status, wanted, sent, _ = line.split("|")
            first = re.match(r"bytes=(\d+)-", wanted)
            found.append((int(status), int(first.group(1)) if first else None, int(sent)))
        return found
