#!/usr/bin/env python3
"""Writes seeds for a fuzz target: `seeds.py TARGET DIRECTORY [PAGE]`.

They come out of the repository itself: the blocks of docs/formats.md (or PAGE), each under the `#### label` of its
format, and lines of the sample log, written again in other formats.
"""

import bz2
import gzip
import hashlib
import itertools
import json
import lzma
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINE = re.compile(
    r'(?P<client>\S+) - (?P<user>\S+) \[(?P<time>[^]]+)\] "(?P<method>\S+) (?P<path>[^ ?"]+)(?:\?(?P<query>\S*))? '
    r'(?P<protocol>\S+)" (?P<status>\d+) (?P<bytes>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)" (?P<seconds>\S+)$'
)
MAP = "t=time:iso:end m=method p=url s=status c=client d=duration:ms a=user_agent r=referer b=bytes_out"


def blocks(page):
    """(label, language, text) of every fenced block; the label is None above the first one."""
    label = language = None
    text = []
    for line in page.read_text().splitlines():
        if language is None and line.startswith("#### "):
            label = line[5:].strip(" `")
        elif language is None and line.startswith("```"):
            language, text = line[3:].strip(), []
        elif line == "```":
            yield label, language, "\n".join(text)
            language = None
        elif language is not None:
            text.append(line)


def records(count):
    """Every so many lines of the sample, so that there are pages, robots, and lines that are broken."""
    with gzip.open(ROOT / "samples/shop.access.log.gz", "rb") as log:
        lines = itertools.islice(log, 0, None, 5003)
        lines = [line.decode("latin-1").rstrip("\n") for line in lines]
    found = [match.groupdict() | {"line": match.group()} for match in map(LINE.match, lines) if match]
    return found[:count]


def target_of(record):
    return record["path"] + ("?" + record["query"] if record["query"] else "")


def written(record):
    """The record by the label of a format."""
    target, iso = target_of(record), "2026-11-02T00:00:07Z"
    clf = f'{record["client"]} - {record["user"]} [{record["time"]}] "{record["method"]} {target} {record["protocol"]}"'
    combined = f'{clf} {record["status"]} {record["bytes"]} "{record["referer"]}" "{record["agent"]}"'
    plain = {
        "t": iso, "m": record["method"], "p": target, "s": int(record["status"]), "c": record["client"],
        "d": float(record["seconds"]) * 1000, "a": record["agent"], "r": record["referer"], "b": int(record["bytes"]),
    }
    return {
        "nginx:common": f'{clf} {record["status"]} {record["bytes"]}',
        "nginx:combined": combined,
        "nginx:shop": record["line"],
        "traefik:clf": f'{combined} 7 "web@docker" "http://192.0.2.9:80" 12ms',
        "docker": json.dumps({"log": combined + "\n", "stream": "stdout", "time": iso}),
        "cri": f"{iso} stdout F {combined}",
        "syslog": f"<134>Nov  2 00:00:07 web1 nginx[7]: {combined}",
        "ltsv": "\t".join(f"{key}:{value}" for key, value in plain.items()),
        "logfmt": " ".join(f'{key}="{value}"' for key, value in plain.items()),
        "json": json.dumps(plain),
    }


W3C = "#Version: 1.0\n#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status sc-bytes time-taken cs(User-Agent)"


def w3c(record):
    agent = record["agent"].replace(" ", "+")
    return (
        f'2026-11-02 00:00:07 {record["client"]} {record["method"]} {record["path"]} {record["query"] or "-"} '
        f'{record["status"]} {record["bytes"]} 12 {agent}'
    )


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def proto(number, value):
    """A field of Protocol Buffers: bytes, text, a small number, or a fixed one of eight bytes as ("fixed", n)."""
    if isinstance(value, tuple):
        return varint(number << 3 | 1) + value[1].to_bytes(8, "little")
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def otlp(record):
    texts = {"http.request.method": record["method"], "url.path": record["path"], "client.address": record["client"],
             "user_agent.original": record["agent"]}
    attributes = [proto(1, key) + proto(2, proto(1, value)) for key, value in texts.items()]
    attributes.append(proto(1, "http.response.status_code") + proto(2, proto(3, int(record["status"]))))
    start = 1_793_577_601_000_000_000
    span = proto(1, b"\1" * 16) + proto(2, b"\2" * 8) + proto(5, "GET /") + proto(6, 2)
    span += proto(7, ("fixed", start)) + proto(8, ("fixed", start + 12_000_000))
    span += b"".join(proto(9, attribute) for attribute in attributes)
    service = proto(1, proto(1, "service.name") + proto(2, proto(1, "shop")))
    return proto(1, proto(1, service) + proto(2, proto(2, span)))


def seeds(target, page):
    found, lines = list(blocks(page)), records(12)
    logs = [(label, text) for label, language, text in found if label and language in ("log", "json", "text", "")]
    formats = [text for _, language, text in found if language in ("nginx", "apache", "haproxy", "squid", "yaml", "text")]
    texts = [text for _, text in logs] + [W3C + "\n" + "\n".join(map(w3c, lines))]
    for label in written(lines[0]):
        texts.append("\n".join(written(record)[label] for record in lines))
    match target:
        case "lines":
            for label, text in logs:
                yield f"{label}\n{text}"
            for record in lines:
                yield from (f"{label}\n{text}" for label, text in written(record).items())
        case "headed":
            for text in texts:
                yield text
                # A header may stand apart from its lines.
                yield text.replace("\n", "\n\n", 2 if text.startswith("#") else 1)
        case "mapped":
            yield from (f"{MAP}\n{text}" for text in texts)
        case "log_format":
            examples = "\n".join(text for _, text in logs)[:4000]
            for text in formats:
                # One directive is one line here.
                for directive in re.split(r"\n(?=\S)", text):
                    yield re.sub(r"'\s*\n\s*'", "", directive).replace("\n", " ") + "\n" + examples
            for label, _ in logs:
                yield f"{label}\n{examples}"
            for record in lines:
                shop = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time'
                yield shop + "\n" + record["line"]
                yield '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %T\n' + record["line"]
        case "configuration":
            yield (ROOT / "samples/nginx.conf").read_text()
            yield from formats
        case "document":
            yield from (f"{label}\n{text}" for label, text in logs)
            yield from (b"otlp:proto\n" + otlp(record) for record in lines)
        case "input":
            for text in texts:
                data = text.encode() + b"\n"
                yield data
                yield from (compress(data) for compress in (gzip.compress, bz2.compress, lzma.compress))
                events = [{"id": "1", "timestamp": 1, "message": line} for line in text.splitlines()]
                yield json.dumps({"messageType": "DATA_MESSAGE", "logEvents": events})
                yield json.dumps([{"textPayload": line} for line in text.splitlines()])
                yield "".join(f"__CURSOR=s\nMESSAGE={line}\n\n" for line in text.splitlines())
            for record in lines:
                yield from written(record).values()
                yield otlp(record)
        case _:
            sys.exit(f"seeds.py: found the target `{target}`, expected one of those in fuzz/targets")


def main():
    target, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    page = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else ROOT / "docs/formats.md"
    directory.mkdir(parents=True, exist_ok=True)
    for seed in seeds(target, page):
        data = seed if isinstance(seed, bytes) else seed.encode()
        (directory / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


main()
