#!/usr/bin/env bash
# Measures `analyzer profile` as a whole process beside GoAccess: same file, same run, taking turns.
# Prints medians of CPU seconds (user + system), wall seconds and peak memory.
#
# usage: benches/goaccess.sh [-n RUNS] [FILE]
#   RUNS  times each command runs (3)
#   FILE  a log in combined format; without it, 450 MB of 120,000 clients are made in target/bench
set -euo pipefail

usage() {
    sed -n 's/^# \{0,1\}//; 2,7p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

missing() {
    printf 'benches/goaccess.sh: %s\n' "$1" >&2
    exit 2
}

runs=3
while getopts 'n:' option; do
    case $option in
        n) runs=$OPTARG ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
[[ $# -le 1 && $runs =~ ^[1-9][0-9]*$ ]] || usage

log=''
if [[ $# -eq 1 ]]; then
    [[ -r $1 ]] || missing "cannot read \`$1\`"
    log=$(realpath "$1")
fi
command -v goaccess >/dev/null || missing 'goaccess is missing; Debian: apt-get install goaccess; macOS: brew install goaccess'
command -v python3 >/dev/null || missing 'python3 is missing; Debian: apt-get install python3'

cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-target}
scratch=$target/bench
mkdir -p "$scratch"

cargo build --quiet --release -p analyzer
if [[ -z $log ]]; then
    log=$scratch/combined-450MB.log
    if [[ ! -e $log ]]; then
        # Under another name until it is complete, so that an interrupted run leaves nothing that looks like a log.
        cargo run --quiet --release -p analyzer --example generate -- \
            corpus --out "$log.part" --bytes 450MB --clients 120000 --seed 1
        mv "$log.part" "$log"
    fi
fi

exec python3 - "$target/release/analyzer" "$log" "$scratch" "$runs" <<'PYTHON'
import os
import platform
import statistics
import subprocess
import sys
import time

analyzer, log, scratch, runs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
MEGABYTE = 1e6


def measure(command):
    """Runs a command and returns its CPU seconds, wall seconds and peak memory in bytes."""
    errors = os.path.join(scratch, "stderr.txt")
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    started = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    # wait4 gives the usage of this one child, not the sum over all.
    _, status, usage = os.wait4(child, 0)
    wall_s = time.perf_counter() - started
    if status != 0:
        with open(errors, errors="replace") as file:
            sys.exit(f"{' '.join(command)}: exit status {os.waitstatus_to_exitcode(status)}\n{file.read()}")
    # Linux counts the peak in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss * unit


def count_lines(path):
    """Counts the lines, and thereby brings the file into the page cache."""
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 22), b""))


def cpu_model():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def version(command):
    first = subprocess.run([command, "--version"], capture_output=True, text=True).stdout.strip().splitlines()
    return first[0].rstrip(".") if first else command


def profile(threads):
    return [analyzer, "profile", log, "-o", os.path.join(scratch, "out.yaml"), "--threads", str(threads)]


commands = {
    "analyzer, 1 thread": profile(1),
    "analyzer, 2 threads": profile(2),
    "goaccess": [
        "goaccess", log, "--log-format=COMBINED", "--no-progress", "-o", os.path.join(scratch, "out.json"),
    ],
}

size_mb = os.path.getsize(log) / MEGABYTE
lines = count_lines(log)
print(f"{time.strftime('%Y-%m-%d')}, {cpu_model()}, {os.cpu_count()} CPUs")
print(f"{version(analyzer)}; {version('goaccess')}")
print(f"{log}: {size_mb:.1f} MB, {lines:,} lines; medians of {runs} runs each, taking turns")

rows = {name: [] for name in commands}
for _ in range(runs):
    for name, command in commands.items():
        rows[name].append(measure(command))

print(f"\n{'command':<20} {'CPU s':>8} {'wall s':>8} {'peak MB':>8} {'MB per CPU s':>13}")
median = {}
for name, results in rows.items():
    cpu_s, wall_s, peak_bytes = (statistics.median(column) for column in zip(*results))
    median[name] = (cpu_s, wall_s, peak_bytes)
    print(f"{name:<20} {cpu_s:8.2f} {wall_s:8.2f} {peak_bytes / MEGABYTE:8.0f} {size_mb / cpu_s:13.1f}")

one, two, other = (median[name] for name in commands)
allowance_mb = 256 + 24 * lines / MEGABYTE
highest_mb = max(result[2] for result in rows["analyzer, 1 thread"]) / MEGABYTE
print(f"\nCPU seconds, goaccess / analyzer with 1 thread: {other[0] / one[0]:.1f}")
print(f"wall seconds, 1 thread / 2 threads: {one[1] / two[1]:.2f}")
print(
    f"memory with 1 thread: highest peak {highest_mb:.0f} MB, "
    f"allowance 256 MB + 24 B per line = {allowance_mb:.0f} MB: "
    f"{'within' if highest_mb <= allowance_mb else 'ABOVE'}"
)
PYTHON
