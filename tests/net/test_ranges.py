# SPDX-License-Identifier: GPL-2.0-or-later
"""Ranges: what arrives is what was asked for, for as few requests as possible."""

import pytest
from netlab import digest, httpcat


def check(lab, lines, *ranges):
    assert [line["code"] for line in lines] == ["ok"] * len(ranges)
    for line, (start, end) in zip(lines, ranges):
        want = lab.bundle[start:end]
        assert line["got"] == len(want)
        assert line["sha256"] == digest(want)
    return lines[-1]


def test_ranges_in_any_order(lab):
    size = len(lab.bundle)
    lines = httpcat("asan", lab.url("plain"), "1000:100000", "0:1", f"{size - 5}:5",
                    "2000000:300000")
    last = check(lab, lines, (1000, 101000), (0, 1), (size - 5, size), (2000000, 2300000))
    assert last["requests"] == 4 and not last["sequential"]
    assert last["fetched"] == 100000 + 1 + 5 + 300000


def test_whole_file_and_its_end(lab):
    size = len(lab.bundle)
    lines = httpcat("asan", lab.url("plain"), "0:end", f"{size}:10", f"{size + 1}:10")
    check(lab, lines, (0, size), (size, size), (size, size))
    assert lines[-1]["requests"] == 1


def test_behind_the_end_without_knowing_the_size(lab):
    lines = httpcat("asan", lab.url("plain"), f"{len(lab.bundle)}:10")
    assert lines[0]["code"] == "ok" and lines[0]["got"] == 0


def test_empty_file(lab):
    lines = httpcat("asan", lab.url("plain", "/empty"), "0:end")
    assert lines[0]["code"] == "ok" and lines[0]["got"] == 0


def test_range_over_the_end_gets_what_there_is(lab):
    size = len(lab.bundle)
    check(lab, httpcat("asan", lab.url("plain"), f"{size - 10}:1000"), (size - 10, size))


def test_small_gap_is_read_over(lab):
    lines = httpcat("asan", lab.url("plain"), "0:end", "0:2000")
    assert lines[1]["requests"] == 2
    # asked for to the end, read in part, then a little further on
    lines = httpcat("asan", lab.url("plain"), "0:200000", "200000:1000", "201000:10")
    assert lines[-1]["requests"] == 3


def test_one_connection_serves_many_ranges(lab, line):
    proxy = line()
    ranges = [f"{i * 100000}:5000" for i in range(20)]
    lines = httpcat("asan", proxy.url(), *ranges)
    check(lab, lines, *[(i * 100000, i * 100000 + 5000) for i in range(20)])
    assert lines[-1]["requests"] == 20
    assert proxy.connections == 1


def test_server_without_ranges_is_read_through(lab):
    lines = httpcat("asan", lab.url("plain", "/norange/bundle.lbu"), "1000:100000",
                    "2000000:300000", "500:600")
    check(lab, lines, (1000, 101000), (2000000, 2300000), (500, 1100))
    assert all(line["sequential"] for line in lines)
    assert lines[0]["requests"] == 1
    assert lines[1]["requests"] == 1, "forward: the same answer is read on"
    assert lines[2]["requests"] == 2, "back: from the start again"
    assert lines[2]["fetched"] >= 2300000 + 1100


def test_without_strong_etag(lab):
    lines = httpcat("asan", lab.url("plain", "/weak/bundle.lbu"), "5:1000", "10000:1000")
    check(lab, lines, (5, 1005), (10000, 11000))


@pytest.mark.parametrize("server", ["rsa12", "rsa13", "ecdsa12", "ecdsa13"])
def test_ranges_over_tls(lab, server):
    lines = httpcat("asan", "-c", lab.ca, lab.url(server), "1000:100000", "2000000:300000")
    last = check(lab, lines, (1000, 101000), (2000000, 2300000))
    assert last["fetched"] == 400000


def test_ca_from_memory(lab):
    check(lab, httpcat("asan", "-C", lab.ca, lab.url("both"), "0:end"), (0, len(lab.bundle)))


def test_slow_reader_holds_the_server_back(lab):
    lines = httpcat("asan", "-p", "20", lab.url("plain"), "0:1500000")
    check(lab, lines, (0, 1500000))


def test_slow_server_is_waited_for(lab):
    """nginx gives 204,800 bytes at every turn of a whole second, and at once: the fourth is due
    two seconds after the request at the earliest."""
    lines = httpcat("asan", "-s", "5000", lab.url("plain", "/slow/bundle.lbu"), "0:700000")
    check(lab, lines, (0, 700000))
    assert lines[0]["ms"] > 1500
