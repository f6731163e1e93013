#!/usr/bin/env python3
"""Log lines in random Apache formats, and what the package `apachelogs` finds in them.

Usage: apachelogs.py SEED FORMATS LINES DIRECTORY

Writes for each format number N: `N.format`, `N.log` and `N.jsonl`, one object of expected values per line.
Formats are put together from the directives that a profile is made of, in random order, with others around them;
values are hostile: quotes, backslashes, controls, any byte. They are escaped as Apache's `ap_escape_logitem` does.
Exit status 3: there is no such package.
"""

import json
import pathlib
import random
import sys
from datetime import datetime, timedelta, timezone

# This file has the package's name, and its directory comes first where modules are looked for.
sys.path.pop(0)

try:
    from apachelogs import LogParser
except ImportError:
    sys.exit(3)

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
C_ESCAPES = {8: "\\b", 10: "\\n", 13: "\\r", 9: "\\t", 11: "\\v", 34: '\\"', 92: "\\\\"}


def escaped(value: bytes) -> str:
    """As Apache prints text that a client sent."""
    return "".join(
        C_ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in value
    )


class Values:
    """The values of one request, each as Apache prints it."""

    def __init__(self, rng: random.Random):
        self.rng = rng

    def text(self, blanks=True, but=b"") -> str:
        if self.rng.random() < 0.1:
            return "-"
        plain = b"abcXYZ019/._-;=%()" + (b"    " if blanks else b"")
        hostile = b'"\\\t\n\x01\x7f\xc3\xa9\xff?'
        count = self.rng.randint(1, 24)
        made = bytes(
            self.rng.choice(hostile if self.rng.random() < 0.15 else plain) for _ in range(count)
        )
        made = bytes(byte for byte in made if byte not in but).strip()
        return escaped(made) if made not in (b"", b"-") else "x"

    def word(self) -> str:
        return self.text(blanks=False)

    def cookie(self) -> str:
        return self.text(blanks=False, but=b";")

    def address(self) -> str:
        if self.rng.random() < 0.3:
            return f"2001:db8::{self.rng.randrange(1, 0xFFFF):x}:{self.rng.randrange(1, 0xFFFF):x}"
        return f"{self.rng.choice([192, 198, 203])}.0.{self.rng.randrange(2, 9)}.{self.rng.randrange(255)}"

    def number(self, most=10**7) -> str:
        return str(self.rng.randrange(most))

    def size(self) -> str:
        return "-" if self.rng.random() < 0.1 else str(self.rng.randrange(1, 10**7))

    def status(self) -> str:
        return str(self.rng.choice([200, 204, 206, 301, 302, 304, 400, 404, 408, 499, 500, 503]))

    def path(self) -> str:
        return "/" + self.text(blanks=False, but=b'?"\\ ').lstrip("-")

    def query(self) -> str:
        return self.rng.choice(["", "?", "?a=b&c=%20d", "?q=" + self.text(blanks=False, but=b'?"\\ ')])

    def method(self) -> str:
        return self.rng.choice(["GET", "POST", "HEAD", "PROPFIND", "M-SEARCH"])

    def protocol(self) -> str:
        return self.rng.choice(["HTTP/1.0", "HTTP/1.1", "HTTP/2.0"])

    def request(self) -> str:
        if self.rng.random() < 0.03:
            return "-"
        target = self.path() + self.query()
        if self.rng.random() < 0.1:
            target += " and " + self.text(but=b"?")
        return f"{self.method()} {target} {self.protocol()}"

    def user(self) -> str:
        return self.rng.choice(["-", "-", '""', "jo", "jo ann 17", self.text(but=b"[")])

    def moment(self) -> datetime:
        zone = timezone(timedelta(minutes=self.rng.choice([0, 60, -210, 330, 765, -720])))
        seconds = self.rng.randrange(0, 2 * 10**9)
        return datetime.fromtimestamp(seconds, zone).replace(microsecond=self.rng.randrange(10**6))


def clock(layout: str):
    """Prints a moment as Apache would with `layout`, tokens of Apache's own included."""

    def show(moment: datetime) -> str:
        epoch = (moment - EPOCH) // timedelta(microseconds=1)
        own = {
            "sec": str(epoch // 10**6),
            "msec": str(epoch // 1000),
            "usec": str(epoch),
            "msec_frac": f"{epoch // 1000 % 1000:03}",
            "usec_frac": f"{epoch % 10**6:06}",
        }
        return own.get(layout) or moment.strftime(layout)

    return show


# Formats of the time, as pieces: a string is text, a pair is a directive and the layout that it prints.
TIMES = [
    [("%t", "[%d/%b/%Y:%H:%M:%S %z]")],
    [("%{%d/%b/%Y %T}t", "%d/%b/%Y %H:%M:%S"), ".", ("%{msec_frac}t", "msec_frac"), " ", ("%{%z}t", "%z")],
    [("%{%Y-%m-%dT%H:%M:%S%z}t", "%Y-%m-%dT%H:%M:%S%z")],
    [("%{sec}t", "sec")],
    [("%{msec}t", "msec")],
    [("%{usec}t", "usec")],
    [("%{%A %d %B %Y, %I:%M:%S %p %z}t", "%A %d %B %Y, %I:%M:%S %p %z")],
    [("%{%Y-%j %H:%M:%S}t", "%Y-%j %H:%M:%S"), ("%{%z}t", "%z")],
    [("%{begin:%F %T %z}t", "%Y-%m-%d %H:%M:%S %z")],
    [("%{end:%F %T %z}t", "%Y-%m-%d %H:%M:%S %z")],
    [("%{%y%m%d}t", "%y%m%d"), " at ", ("%{%R:%S%z}t", "%H:%M:%S%z")],
]

# Directives, how to make a value, and what the value is for: the name of the expected field.
CLIENTS = [("%h", "address", "client"), ("%a", "address", "client")]
REQUESTS = [
    [('"%r"', "request", "request")],
    [("%m", "method", "method"), " ", ("%U", "path", "path"), ("%q", "query", "query"), " ", ("%H", "protocol", None)],
    ['"', ("%m", "method", "method"), " ", ("%U", "path", "path"), ("%q", "query", "query"), '"'],
]
STATUSES = ["%>s", "%s"]
SIZES = [("%b", "size", "bytes_out"), ("%B", "number", "bytes_out"), ("%O", "number", "bytes_out")]
TIMINGS = [("%D", 1), ("%Dus", 1), ("%{us}T", 1), ("%{ms}T", 1000), ("%T", 10**6), ("%{s}T", 10**6)]
OTHERS = [
    ("%l", "word", None),
    ("%I", "number", "bytes_in"),
    ('"%{Referer}i"', "text", "referer"),
    ('"%{User-Agent}i"', "text", "user_agent"),
    ('"%!200,304{user-agent}i"', "text", None),
    ("%400,501{Via}i", "word", None),
    ("%{sid}C", "cookie", "identity"),
    ("%v:%p", "host", None),
    ("%X", "connection", None),
    ("%k", "number", None),
    ("%P", "number", None),
    ("%{UNIQUE_ID}e", "id", "request_id"),
    ("100%%", "percent", None),
    ('"%f"', "text", None),
    ("(%{note}n)", "word", None),
    ("|%R|", "handler", None),
]


def compose(rng: random.Random):
    """A list of pieces: text, or (directive, function that makes the printed value, expected field)."""
    groups = [
        [rng.choice(CLIENTS)],
        [("%l", "word", None), " ", ("%u", "user", "user"), " ", ("time", TIMES[0])]
        if rng.random() < 0.4
        else [("time", rng.choice(TIMES))],
        rng.choice(REQUESTS),
        [(rng.choice(STATUSES), "status", "status")],
        [rng.choice(SIZES)],
    ]
    if rng.random() < 0.6:
        directive, unit = rng.choice(TIMINGS)
        groups.append([(directive, "number", ("duration_us", unit))])
    groups += [[other] for other in rng.sample(OTHERS, rng.randint(0, 8))]
    rng.shuffle(groups)
    return groups


def printed(directive: str, value: str) -> str:
    """The directive's text with its value in the place of the directive: quotes and units stay."""
    if directive == "%Dus":
        return value + "us"
    before, after = directive[: directive.index("%")], ""
    if directive[-1] in '"|)':
        after = directive[-1]
    return before + value + after


def make_format(groups) -> str:
    parts = []
    for group in groups:
        text = ""
        for piece in group:
            if isinstance(piece, str):
                text += piece
            elif piece[0] == "time":
                text += "".join(part if isinstance(part, str) else part[0] for part in piece[1])
            else:
                text += piece[0]
        parts.append(text)
    return " ".join(parts)


def make_line(groups, values: Values) -> str:
    parts = []
    for group in groups:
        text = ""
        for piece in group:
            if isinstance(piece, str):
                text += piece
            elif piece[0] == "time":
                moment = values.moment()
                text += "".join(
                    part if isinstance(part, str) else clock(part[1])(moment) for part in piece[1]
                )
            else:
                directive, kind, _ = piece
                if kind == "host":
                    text += f"www{values.rng.randrange(9)}.example.com:{values.rng.choice([80, 443])}"
                elif kind == "connection":
                    text += values.rng.choice("X+-")
                elif kind == "percent":
                    text += "100%"
                elif kind == "id":
                    text += f"aB3@{values.rng.randrange(10**9)}-Z"
                elif kind == "handler":
                    text += f"|{values.rng.choice(['-', 'proxy:unix:/run/php.sock', 'cgi-script'])}|"
                else:
                    text += printed(directive, getattr(values, kind)())
        parts.append(text)
    return " ".join(parts)


def expected(entry, groups) -> dict:
    """What the package found, under the names of the analyzer."""
    found = {}
    directives = dict(entry.directives)

    def value(directive):
        got = directives[directive]
        return got.decode("latin-1") if isinstance(got, bytes) else got

    for group in groups:
        for piece in group:
            if isinstance(piece, str):
                continue
            if piece[0] == "time":
                names = [name for name in ("request_time", "begin_request_time", "end_request_time")]
                moment = next(t for t in (getattr(entry, name, None) for name in names) if t is not None)
                if moment.tzinfo is None:
                    moment = moment.replace(tzinfo=timezone.utc)
                found["stamp_us"] = (moment - EPOCH) // timedelta(microseconds=1)
                continue
            directive, _, field = piece
            if field is None:
                continue
            bare = "%D" if directive == "%Dus" else directive.strip('"|()')
            if isinstance(field, tuple):
                found[field[0]] = value(bare) * field[1]
            else:
                found[field] = value(bare)
    if "path" in found:
        found["target"] = found.pop("path") + (found.pop("query") or "")
    if "bytes_out" in found and found["bytes_out"] is None:
        found["bytes_out"] = 0
    if "request" in found:
        words = (found.pop("request") or "").split(" ")
        if len(words) > 2:
            found["method"], found["target"] = words[0], " ".join(words[1:-1])
    return found


def main():
    seed, formats, lines, directory = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    folder = pathlib.Path(directory)
    for number in range(formats):
        rng = random.Random(f"{seed} {number}")
        groups = compose(rng)
        text = make_format(groups)
        parser = LogParser(text, encoding="bytes")
        values = Values(rng)
        made = [make_line(groups, values) for _ in range(lines)]
        (folder / f"{number}.format").write_text(text)
        (folder / f"{number}.log").write_text("\n".join(made) + "\n")
        with open(folder / f"{number}.jsonl", "w") as out:
            for line in made:
                out.write(json.dumps(expected(parser.parse(line), groups)) + "\n")


main()
