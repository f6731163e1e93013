"""What benches/speed.sh runs: corpora, commands, medians, ratios, and a record of the run."""

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

MEGABYTE = 1e6
CUSTOM = (
    '$time_iso8601 $remote_addr $request_method "$request_uri" $server_protocol $status $body_bytes_sent '
    '$request_time "$http_referer" "$http_user_agent"'
)

# Name of a log: flags of the generator.
LOGS = {
    "combined": ["--clients", "200000"],
    "clients": ["--clients", "3000000", "--brief"],
    "custom": ["--clients", "200000", "--format", "custom"],
    "json": ["--clients", "200000", "--format", "json"],
}


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--size", required=True)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", action="store_true")
    return parser.parse_args()


def corpus(generate, scratch, name, size, flags):
    """Makes a log where it is not there yet."""
    log = scratch / f"{name}-{size}.log"
    if not log.exists():
        # Under another name until it is complete, so that an interrupted run leaves nothing that looks like a log.
        part = log.with_suffix(".part")
        subprocess.run([generate, "corpus", "--out", part, "--bytes", size, "--seed", "1", *flags], check=True)
        part.rename(log)
    return log


def gzipped(log):
    compressed = log.with_name(f"{log.name}.gz")
    if not compressed.exists():
        part = compressed.with_suffix(".part")
        with open(part, "wb") as out:
            subprocess.run(["gzip", "-c", log], stdout=out, check=True)
        part.rename(compressed)
    return compressed


def count_lines(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 22), b""))


def measure(command, scratch):
    """Runs a command, its log in the page cache; its CPU seconds, wall seconds and peak memory in MB, or None when it
    fails."""
    # Before every run: the other logs, read in between, may have taken the place of this one.
    for log in (part for part in command if isinstance(part, Path) and part.suffix in (".log", ".gz")):
        count_lines(log)
    errors = scratch / "stderr.txt"
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    command = [str(part) for part in command]
    started = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    # wait4 gives the usage of this one child, not the sum over all.
    _, status, usage = os.wait4(child, 0)
    wall_s = time.perf_counter() - started
    if status != 0:
        print(f"{' '.join(command)}: exit code {os.waitstatus_to_exitcode(status)}", file=sys.stderr)
        print(errors.read_text(errors="replace"), file=sys.stderr)
        return None
    # Linux counts the peak in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss * unit / MEGABYTE


def cpu_model():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def said(*command):
    try:
        lines = subprocess.run(command, capture_output=True, text=True).stdout.strip().splitlines()
    except OSError:
        return ""
    return lines[0].rstrip(".") if lines else ""


def commands(options, logs, packed):
    """Name of a row: its log, its size in bytes once decompressed, and its command."""
    analyzer, generate = options.programs / "analyzer", options.programs / "examples" / "generate"
    profile = ["-o", options.scratch / "out.yaml", "--quiet"]
    combined, clients, custom, json = (logs[name] for name in LOGS)
    sizes = {name: os.path.getsize(log) for name, log in logs.items()}
    one, two = ["--threads", "1"], ["--threads", "2"]
    rows = {
        "fields": ("combined", [analyzer, "inspect", combined, *one]),
        "fields, custom": ("custom", [analyzer, "inspect", custom, "--log-format", CUSTOM, *one]),
        "fields, JSON": ("json", [analyzer, "inspect", json, *one]),
        "fields, JSON log_format": ("json", [analyzer, "inspect", json, "--from", "samples/nginx.conf:shop_json", *one]),
        "profile": ("combined", [analyzer, "profile", combined, *profile, *one]),
        "profile, 2 threads": ("combined", [analyzer, "profile", combined, *profile, *two]),
        "profile, 3M clients": ("clients", [analyzer, "profile", clients, *profile, *one]),
        "gzip decoder alone": ("combined", [generate, "decode", packed]),
        "fields, gzip, 2 threads": ("combined", [analyzer, "inspect", packed, *two]),
    }
    others = {
        "goaccess": [
            "goaccess", combined, "--log-format=COMBINED", "--no-progress", "-o", options.scratch / "out.json",
        ],
        "agrind": ["agrind", "-f", combined, "* | apache | count by status"],
    }
    if not options.only:
        rows |= {name: ("combined", command) for name, command in others.items() if shutil.which(name)}
    return {name: (log, sizes[log], command) for name, (log, command) in rows.items()}


def main():
    options = arguments()
    generate = options.programs / "examples" / "generate"
    logs = {name: corpus(generate, options.scratch, name, options.size, flags) for name, flags in LOGS.items()}
    packed = gzipped(logs["combined"])
    lines = {name: count_lines(log) for name, log in logs.items()}

    report = []

    def say(text=""):
        print(text, flush=True)
        report.append(text)

    date, commit = time.strftime("%Y-%m-%d"), said("git", "rev-parse", "--short", "HEAD") or "unknown"
    changed = " with changes" if said("git", "status", "--porcelain", "--untracked-files=no") else ""
    say(f"{date}, commit {commit}{changed}, {cpu_model()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    say("; ".join(filter(None, (said(p, "--version") for p in (options.programs / "analyzer", "goaccess", "agrind")))))
    for name, log in logs.items():
        say(f"{name}: {os.path.getsize(log) / MEGABYTE:.1f} MB, {lines[name]:,} lines")

    rows = {}
    todo = commands(options, logs, packed)
    for _ in range(options.runs):
        for name, (_, _, command) in todo.items():
            rows.setdefault(name, []).append(measure(command, options.scratch))

    say(f"\nmedians of {options.runs} runs, taking turns")
    say(f"{'row':<24} {'CPU s':>8} {'wall s':>8} {'GB/CPU s':>9} {'GB/wall s':>10} {'peak MB':>8}")
    medians = {}
    for name, results in rows.items():
        if None in results:
            say(f"{name:<24} failed")
            continue
        cpu_s, wall_s, peak_mb = medians[name] = tuple(statistics.median(column) for column in zip(*results))
        gigabytes = todo[name][1] / 1e9
        say(f"{name:<24} {cpu_s:8.2f} {wall_s:8.2f} {gigabytes / cpu_s:9.2f} {gigabytes / wall_s:10.2f} {peak_mb:8.0f}")

    say()
    for what, (one, one_column), (other, other_column) in [
        ("CPU seconds, goaccess / profile", ("goaccess", 0), ("profile", 0)),
        ("CPU seconds, agrind / fields", ("agrind", 0), ("fields", 0)),
        ("wall seconds, profile with 1 / 2 threads", ("profile", 1), ("profile, 2 threads", 1)),
        ("wall seconds, gzip decoder alone / with fields", ("gzip decoder alone", 1), ("fields, gzip, 2 threads", 1)),
    ]:
        if one in medians and other in medians:
            say(f"{what}: {medians[one][one_column] / medians[other][other_column]:.2f}")
    if {"profile", "profile, 3M clients"} <= medians.keys():
        speed = {name: todo[name][1] / medians[name][0] for name in ("profile", "profile, 3M clients")}
        say(f"bytes per CPU second, 3M clients / 200,000: {speed['profile, 3M clients'] / speed['profile']:.2f}")
    for name, log in [("profile", "combined"), ("profile, 3M clients", "clients")]:
        if name in medians:
            allowed = 256 + 24 * lines[log] / MEGABYTE
            say(f"peak MB of {name}: {medians[name][2]:.0f} of {allowed:.0f} (256 MB + 24 B per line)")

    if options.large:
        large = corpus(generate, options.scratch, "large", "5GB", ["--clients", "1000000"])
        command = [options.programs / "analyzer", "profile", large, "-o", options.scratch / "large.yaml"]
        for memory in ([], ["--memory", "512M"]):
            result = measure([*command, "--quiet", *memory], options.scratch)
            if result:
                cpu_s, wall_s, peak_mb = result
                say(f"5 GB {' '.join(memory) or 'without a limit'}: CPU {cpu_s:.1f} s, wall {wall_s:.1f} s, peak {peak_mb:.0f} MB")

    say("\ncommands")
    for name, (_, _, command) in todo.items():
        say(f"{name}: {' '.join(re.sub('^.*/', '', str(part)) for part in command)}")
    say("\nCPU s, wall s, peak MB of each run")
    for name, results in rows.items():
        say(f"{name}: {'; '.join('failed' if r is None else ', '.join(f'{x:.2f}' for x in r) for r in results)}")
    record = Path("benches/runs") / f"{date}-{commit}.txt"
    record.write_text("\n".join(report) + "\n")
    print(f"\nwritten to {record}")


main()
