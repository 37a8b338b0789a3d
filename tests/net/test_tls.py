# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates: each thing that can be wrong has its code and its sentence."""

import calendar

import pytest
from netlab import httpcat

TLS = ["12", "13"]
EXPIRY = calendar.timegm((2025, 6, 1, 0, 0, 0))


def first(lab, server, *options):
    return httpcat("asan", *options, lab.url(server), "0:1000")[0]


@pytest.mark.parametrize("tls", TLS)
def test_unknown_ca(lab, tls):
    line = first(lab, f"stranger{tls}", "-c", lab.ca)
    assert line["code"] == "certificate-untrusted"
    assert "localhost" in line["text"] and "trusted CA" in line["text"]
    assert line["fetched"] == 0


@pytest.mark.parametrize("tls", TLS)
def test_other_name(lab, tls):
    line = first(lab, f"othername{tls}", "-c", lab.ca)
    assert line["code"] == "certificate-untrusted"
    assert "elsewhere.example" in line["text"]


@pytest.mark.parametrize("tls", TLS)
def test_expired_is_judged_by_the_floor_only(lab, tls):
    server = f"expired{tls}"
    line = first(lab, server, "-c", lab.ca, "-f", EXPIRY + 1)
    assert line["code"] == "certificate-expired"
    assert "2025-06-01 00:00:00" in line["text"]
    # the machine's own clock is far behind that date, and must not count
    assert first(lab, server, "-c", lab.ca, "-f", EXPIRY)["code"] == "ok"
    assert first(lab, server, "-c", lab.ca)["code"] == "ok"


@pytest.mark.parametrize("tls", TLS)
def test_not_yet_valid_is_ignored(lab, tls):
    assert first(lab, f"future{tls}", "-c", lab.ca)["code"] == "ok"


@pytest.mark.parametrize("tls", TLS)
def test_expired_and_unknown_ca_is_untrusted(lab, tls):
    line = first(lab, f"expired{tls}", "-c", lab.stranger, "-f", EXPIRY + 1)
    assert line["code"] == "certificate-untrusted"


def test_expired_ca(lab):
    line = first(lab, "both", "-c", lab.ca, "-f", calendar.timegm((2045, 1, 1, 0, 0, 0)))
    assert line["code"] == "certificate-expired"


def test_https_without_ca_is_refused(lab):
    line = first(lab, "both")
    assert line["code"] == "certificate-untrusted" and line["requests"] == 0


def test_missing_ca_file(lab):
    line = httpcat("asan", "-c", "/nonexistent", lab.url("both"), "0:1000")[0]
    assert line["code"] == "invalid-argument" and "/nonexistent" in line["text"]


def test_malformed_ca(lab, tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n")
    for option in ("-c", "-C"):
        line = httpcat("asan", option, path, lab.url("both"), "0:1000")[0]
        assert line["code"] == "invalid-argument"


def test_plain_server_on_the_https_port(lab):
    url = lab.url("plain").replace("http:", "https:")
    assert httpcat("asan", "-c", lab.ca, url, "0:10")[0]["code"] == "source-interrupted"


def test_a_new_connection_is_judged_again(lab):
    lines = httpcat("asan", "-c", lab.ca, lab.url("both"), "0:end", "5:10", "100:200")
    assert [line["code"] for line in lines] == ["ok"] * 3
