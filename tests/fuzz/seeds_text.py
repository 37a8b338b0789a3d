# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeds of texts: channel files, response headers, URLs, configuration, JSON."""
import json

from seedlib import HERE, LBC, LBU, changed, dump, members, put


def channel_seeds():
    good = json.loads(members(LBC)["channel.json"])
    put("channel", "golden", LBC, 0x80)
    put("channel", "golden-text", members(LBC)["channel.json"])
    put("channel", "bundle", LBU[:4096], 0x80)
    put("channel", "changed", LBC.replace(b'"sequence":12', b'"sequence":13'), 0x80)
    for i in (1, 2, 5, 30, 60, 90):
        put("channel", f"nomem-{i}", dump(good), i)
    for i in range(24, 100, 4):
        put("channel", f"nomem-{i}", dump(changed(good, releases=good["releases"][:1])), i)
    for name in good:
        put("channel", "no-" + name, dump(changed(good, **{name: None})))
        put("channel", "odd-" + name, dump(changed(good, **{name: {"x": 1}})))
    for name in good["releases"][0]:
        one = good["releases"][0]
        put("channel", "release-no-" + name, dump(changed(good, releases=[changed(one, **{name: None})])))
        put("channel", "release-odd-" + name,
            dump(changed(good, releases=[changed(one, **{name: {"x": 1}})])))
    one = good["releases"][0]
    put("channel", "format-2", dump(changed(good, format=2)))
    put("channel", "product", dump(changed(good, product="..")))
    put("channel", "critical-known", dump(changed(good, critical=["releases"])))
    put("channel", "critical-unknown", dump(changed(good, critical=["teleport"])))
    put("channel", "critical-odd", dump(changed(good, critical=[1])))
    put("channel", "empty", dump(changed(good, releases=[])))
    put("channel", "order", dump(changed(good, releases=good["releases"][::-1])))
    tiny = {"release": 1, "version": "", "hardware": [], "min_release": 0, "url": "a", "size": 1,
            "manifest": "00" * 32, "created": 0}
    put("channel", "64", dump(changed(good, releases=64 * [tiny])))
    put("channel", "65", dump(changed(good, releases=65 * [{}])))
    for name, names in (("many", 33 * ["a"]), ("odd", ["a b"]), ("number", [1])):
        put("channel", "hardware-" + name, dump(changed(good, releases=[changed(one, hardware=names)])))
    put("channel", "same-number", dump(changed(good, releases=[
        changed(one, hardware=["other,board"]), one])))
    for name, url in (("up", "../x"), ("scheme", "ftp://x/y"), ("root", "/x"), ("server", "//x/y")):
        put("channel", "url-" + name, dump(changed(good, releases=[changed(one, url=url)])))
    visit_seeds(good)


def visit_seeds(good):
    """Requests for recovery."""
    def visits(name, *listed, mode=0, **more):
        put("channel", "visit-" + name, dump(changed(good, recovery=list(listed), **more)), mode)

    one = {"id": "repair-7", "until": good["created"] + 86400, "serials": ["SN-0001", "SN-0002"]}
    visits("good", one, changed(one, id="repair-8"))
    visits("critical", one, critical=["recovery"])
    visits("none")
    put("channel", "visit-odd", dump(changed(good, recovery="SN-0001")))
    for name in one:
        visits("no-" + name, changed(one, **{name: None}))
        visits("odd-" + name, changed(one, **{name: {"x": 1}}))
    visits("twice", one, one)
    visits("id", changed(one, id="-7"))
    visits("until", changed(one, until=good["created"] + 40 * 86400))
    for name, serials in (("none", []), ("star", ["*"]), ("number", [7]), ("33", 33 * ["a"]), ("long", [64 * "a"])):
        visits("serials-" + name, changed(one, serials=serials))
    visits("16", *(changed(one, id=f"r{i}") for i in range(16)))
    visits("17", *(changed(one, id=f"r{i}") for i in range(17)))
    visits("unknown-field", changed(one, reason="leak"))
    for i in range(28, 36):
        visits(f"nomem-{i}", changed(one, serials=["b"]), mode=i, releases=[])


def header_seeds():
    def lines(name, *text):
        folder = HERE / "corpus" / "headers"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ("seed-" + name)).write_bytes(b"".join(t.encode() + b"\r\n" for t in text))

    lines("range", "HTTP/1.1 206 Partial Content", "Server: nginx", "Content-Range: bytes 0-499/1234",
          'ETag: "5f3-abc"', "Content-Encoding: identity", "Retry-After: 120", "", "ETag: \"late\"")
    lines("redirect", "HTTP/1.1 302 Found", 'ETag: "one"', "", "HTTP/2 200", 'etag:"two"', "")
    lines("unsatisfied", "HTTP/1.1 416 x", "Content-Range: bytes */1234", "")
    lines("ranges-odd", "Content-Range: bytes 5-4/9", "Content-Range: bytes 0-9/9",
          "Content-Range: bytes 0-1/*", "Content-Range: bytes */*", "Content-Range: octets 0-1/2",
          "Content-Range: bytes x", "Content-Range: bytes 1", "Content-Range: bytes 1-",
          "Content-Range: bytes 0-1", "Content-Range: bytes 0-1/", "Content-Range: bytes 0-1/2 x",
          "Content-Range: bytes 0-9223372036854775807/9223372036854775807",
          "Content-Range: bytes 99999999999999999999-1/2", "Content-Range:\t bytes\t0-0/1")
    lines("etags-odd", 'ETag: W/"weak"', "ETag: bare", 'ETag: "a b"', 'ETag: "a"b"', 'ETag: "', 'ETag: ""',
          'ETag: "' + "x" * 125 + '"', 'ETag: "' + "x" * 126 + '"', 'ETag: "\x7f"')
    lines("retry", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", "Retry-After: 99999999", "Retry-After: 1 ",
          "Retry-After:", "Content-Encoding: gzip", "Content-Encoding: identity, gzip")
    (HERE / "corpus" / "headers" / "seed-no-end").write_bytes(b"HTTP/1.1 200\nETag: \"x")


def request_seeds():
    def head(name, *lines):
        folder = HERE / "corpus" / "request"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ("seed-" + name)).write_bytes(b"".join(t.encode("latin-1") + b"\r\n" for t in (*lines, "")))

    head("get", "GET /status.json?x HTTP/1.1", "Host: 10.0.0.7:80", "Accept: */*")
    head("upload", "POST /upload HTTP/1.1", "Host: localhost", "Origin: http://localhost", "Content-Length: 12",
         "X-Lifeboat-Code: ABCD-EFGH", "Content-Type: application/octet-stream", "Expect: 100-continue")
    head("form", "POST /cancel HTTP/1.0", "Host: [fe80::1]:80", "Content-Length: 14",
         "Content-Type: application/x-www-form-urlencoded; charset=utf-8")
    head("multipart", "POST /upload HTTP/1.1", "Host: unit-7.lan", 'Content-Type: multipart/form-data; x=y; boundary="--a"')
    head("head", "HEAD / HTTP/1.1", "Host: evil.example", "Transfer-Encoding: chunked", "Content-Type: text/plain")
    head("boundary-none", "POST / HTTP/1.1", "Host: a", "Content-Type: multipart/form-data; x=y")
    head("boundary-quote", "POST / HTTP/1.1", "Host: a", 'Content-Type: multipart/form-data; boundary=a"b')
    head("boundary-long", "POST / HTTP/1.1", "Host: a", "Content-Type: multipart/form-data; boundary=" + 71 * "b")
    for name, line in {
            "host-none": "X: y", "host-empty": "Host:", "host-long": "Host: " + 128 * "h", "host-blank": "Host: a b",
            "length-odd": "Content-Length: 1x", "length-long": "Content-Length: 1234567890123456",
            "expect": "Expect: x", "blank": "A b: c", "folded": " a: b", "no-colon": "abc", "return": "a: b\rc",
            "nul": "a: \0", "long": "a: " + 5000 * "x"}.items():
        head("odd-" + name, "GET / HTTP/1.1", *([] if name.startswith("host-") else ["Host: a"]), line)
    for field in ("Host: a", "Origin: http://a", "X-Lifeboat-Code: a", "Content-Length: 1", "Content-Type: a/b",
                  "Expect: 100-continue"):
        head("twice-" + field.split(":")[0].lower(), "GET / HTTP/1.1", "Host: a", *(2 * [field]))
    for name, line in {"method": " / HTTP/1.1", "target": "GET x HTTP/1.1", "version": "GET / HTTP/2",
                       "path": "GET /" + 70 * "p" + " HTTP/1.1", "high": "GET /\xe4 HTTP/1.1", "none": "GET"}.items():
        head("line-" + name, line, "Host: a")
    (HERE / "corpus" / "request" / "seed-bare").write_bytes(b"GET / HTTP/1.1\nHost: a\n\n")
    (HERE / "corpus" / "request" / "seed-open").write_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n")


def multipart_seeds():
    folder = HERE / "corpus" / "multipart"
    folder.mkdir(parents=True, exist_ok=True)
    part = b'Content-Disposition: form-data; name="code"\r\n\r\nABCD'
    bundle = b'content-disposition: form-data; name="bundle"; filename="b"\r\nX: y\r\n\r\npay\r\n--Xy\r\nload'
    good = b"--XyZ\r\n" + part + b"\r\n--XyZ\r\n" + bundle + b"\r\n--XyZ--"
    for name, data in {
            "good": b"\xff" + good, "pieces": b"\x03" + good, "single": b"\x00" + good,
            "value": b"\xff" + good + 300 * b" " + b"&a=b&code=%41+%4a%4F",
            "value-bad": b"\x20" + b"--XyZ--" + 64 * b"x" + b"&code=%4",
            "value-odd": b"\x20" + b"--XyZ--" + 64 * b"x" + b"&code=%00", "value-long": b"\x20--XyZ--" + 64 * b"x" +
            b"&code=12345678901234567", "value-hex": b"\x20--XyZ--" + 64 * b"x" + b"&code=%g1&code=x",
            "cut": b"\xff" + good[:60], "text": b"\xffhello", "odd-end": b"\xff--XyZ!!",
            "no-name": b"\xff--XyZ\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XyZ--",
            "open-name": b'\xff--XyZ\r\nContent-Disposition: x; name="abc\r\n\r\nx\r\n--XyZ--',
            "long-name": b'\xff--XyZ\r\nContent-Disposition: x; name="' + 40 * b"n" + b'"\r\n\r\nx\r\n--XyZ--',
            "long-head": b"\xff--XyZ\r\n" + 1100 * b"h", "empty": b""}.items():
        (folder / ("seed-" + name)).write_bytes(data)


def url_seeds():
    folder = HERE / "corpus" / "url"
    folder.mkdir(parents=True, exist_ok=True)
    base = "https://u.example/stable/channel.lbc"
    cases = {
        "relative": (base, "a.lbu"), "root": (base, "/a.lbu"), "absolute": (base, "http://b.example/a"),
        "file": ("file:///media/channel.lbc", "a.lbu"), "file-absolute": (base, "file:///a"),
        "up": (base, "../a"), "scheme": (base, "ftp://x/y"), "server": (base, "//x/y"), "empty": (base, ""),
        "blank": (base, "a b"), "quote": (base, 'a"b'), "high": (base, "a\u00e9"),
        "no-path": ("https://u.example", "a.lbu"), "query": ("https://u.example/a/b?c=d/e", "f.lbu"),
        "query-first": ("https://u.example?a/b", "f.lbu"), "fragment": ("http://u.example/a#b/c", "d"),
        "user": ("https://me:secret@u.example:8443/a/", "b?c#d"), "no-base": ("channel.lbc", "a.lbu"),
        "long": (base, "a" * 490), "longest": (base, "a" * 485), "ipv6": ("http://[::1]:80/a", "b"),
        "port": ("https://u.example:443/a", "https://u.example/b"), "colon": (base, "a:b"),
        "upper": ("HTTPS://U.EXAMPLE/a", "b"), "mail": (base, "@evil.example/a"),
        "join": ("https://u.example", ".evil.example/a"), "join-user": ("https://u.example", "@evil/a"),
        "question": (base, "?a"), "hash": (base, "#a"), "secrets": ("https://me:secret@u.example/a?token=b#c", "ftp://a@b@c/d?e"),
        "secret-path": ("https://u.example/a@b/c", "https://a/@/?"),
        "control": ("http://u.example/\x01\x7f", "a"),
    }
    for name, (a, b) in cases.items():
        (folder / ("seed-" + name)).write_bytes(f"{a}\n{b}".encode())
    (folder / "seed-one-line").write_bytes(base.encode())
    (folder / "seed-nothing").write_bytes(b"")


def config_seeds():
    good = {
        "_": "a remark", "product": "example", "hardware": ["vendor,board-rev2", "vendor,board"], "floor": 3,
        "state": {"path": "/dev/mmcblk0p3"},
        "environment": [{"path": "/dev/mmcblk0", "offset": 1048576, "size": 16384}, "/dev/mtd1"],
        "slots": {"boot": "/dev/mmcblk0p4", "root": {"path": "/dev/mmcblk0p5"}},
        "keys": "/etc/lifeboat/keys", "ca": "/etc/lifeboat/ca.pem", "agent": {}, "recovery": {}}
    put("config", "good", dump(good))
    put("config", "no-file", b"", 0xff)
    put("config", "empty", b"")
    put("config", "no-json", b"{")
    put("config", "too-big", b'{"_":"' + b"x" * 65536 + b'"}')
    for i in (1, 2, 3, 10, 40):
        put("config", f"nomem-{i}", dump(good), i)
    for name in good:
        put("config", "no-" + name, dump(changed(good, **{name: None})))
        put("config", "odd-" + name, dump(changed(good, **{name: 1.5})))
    for name, fields in {
        "unknown": {"colour": 1}, "product": {"product": "/"}, "hardware": {"hardware": ["a b"]},
        "hardware-many": {"hardware": list("abcde")}, "relative": {"state": "dev"},
        "long": {"state": "/" + "x" * 255}, "region-unknown": {"state": {"path": "/a", "colour": 1}},
        "region-no-path": {"state": {"offset": 1}}, "region-size": {"state": {"path": "/a", "size": -1}},
        "region-offset": {"state": {"path": "/a", "offset": "1"}}, "region-path": {"state": {"path": 1}},
        "one-copy": {"environment": ["/a"]}, "copy-odd": {"environment": ["/a", 1]},
        "copy-first-odd": {"environment": [1, "/a"]}, "slot-name": {"slots": {"A": "/a"}},
        "slot-odd": {"slots": {"a": 1}}, "slots-many": {"slots": {"s%d" % i: "/a" for i in range(17)}},
        "keys-list": {"keys": ["/a", "/b"]}, "keys-none": {"keys": []}, "keys-odd": {"keys": ["/a", 1]},
        "keys-many": {"keys": ["/%d" % i for i in range(9)]}, "keys-relative": {"keys": "a"},
        "floor": {"floor": -1},
    }.items():
        put("config", name, dump(changed(good, **fields)))


def json_seeds():
    for name, text in {
        "members": b'{"n":7,"t":true,"s":"text","h":"%s","o":{"a":[1,[2,{"b":null}]]},"l":[]}' % (b"ab" * 32),
        "numbers": b'{"a":9007199254740991,"b":9007199254740992,"c":-1,"d":1.5,"e":1e3,"f":1e999}',
        "strings": b'{"a":"\xc3\xa9\xe2\x9a\x93\xf0\x9f\x9b\x9f","b":"\\u0041\\ud83d\\udedf\\n","c":"' +
                   b"x" * 40 + b'"}',
        "utf8-odd": b'{"a":"\xc3","b":"\xff","c":"\xc0\x80","d":"\xed\xa0\x80","e":"\xf4\x90\x80\x80",' +
                    b'"f":"\x7f","g":"\xe2\x9a"}',
        "hex-odd": b'{"a":"%s","b":"%sg","c":"AB"}' % (b"zz" * 32, b"a" * 63),
        "deep-8": b'{"a":[[[[[[[1]]]]]]]}', "deep-9": b'{"a":[[[[[[[[1]]]]]]]]}', "nul": b'{"a":"\0"}',
        "nul-escaped": b'{"a":"\\u0000"}', "nul-no": b'{"a":"\\\\u0000"}', "twice": b'{"a":1,"b":{"c":1,"c":2}}',
        "list": b"[1]", "text-behind": b"{} x", "space-behind": b"{} \r\n\t", "empty": b"", "open": b'{"a":"',
        "escape-last": b'{"a":"\\', "brackets": b"}]}", "string": b'"a"', "number": b"1", "bom": b"\xef\xbb\xbf{}",
    }.items():
        put("json", name, text)
    put("json", "nomem-1", b'{"a":"b"}', 1)
    put("json", "nomem-3", b'{"a":"b"}', 3)
    put("json", "too-big", b"{" + b" " * 65536 + b"}")
