#!/usr/bin/env bash
# Measures the analyzer as a whole process, beside GoAccess and, where it is installed, angle-grinder: same files,
# same run, taking turns. Prints medians of CPU seconds (user + system), wall seconds and peak memory, and ratios;
# keeps them with the raw rows in benches/runs/DATE-COMMIT.txt.
#
# usage: benches/speed.sh [-n RUNS] [-s SIZE] [-d DIR] [-l] [-o]
#   RUNS  times each command runs (3)
#   SIZE  least size of each log (1GB); logs are made of a seed and kept
#   DIR   where (target/bench); one in memory, as /dev/shm/bench, where the system drops what it has cached
#   -l    also the large log of 5 GB, once, within 512 MB of memory
#   -o    without other programs
set -euo pipefail

usage() {
    sed -n 's/^# \{0,1\}//; 2,11p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

missing() {
    printf 'benches/speed.sh: %s\n' "$1" >&2
    exit 2
}

runs=3
size=1GB
scratch=
options=()
while getopts 'n:s:d:lo' option; do
    case $option in
        n) runs=$OPTARG ;;
        s) size=$OPTARG ;;
        d) scratch=$(realpath -m -- "$OPTARG") ;;
        l) options+=(--large) ;;
        o) options+=(--only) ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
[[ $# -eq 0 && $runs =~ ^[1-9][0-9]*$ ]] || usage
command -v python3 >/dev/null || missing 'python3 is missing; Debian: apt-get install python3'

cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=${CARGO_TARGET_DIR:-target}
scratch=${scratch:-$target/bench}
mkdir -p "$scratch" benches/runs
cargo build --quiet --release -p analyzer --bin analyzer --example generate
exec python3 benches/speed.py "$target/release" "$scratch" --runs "$runs" --size "$size" "${options[@]}"
