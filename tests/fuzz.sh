#!/usr/bin/env bash
# Feeds every reader what the fuzzer makes up of the seeds: `bash tests/fuzz.sh [SECONDS PER TARGET] [TARGET...]`.
# Needs `cargo install cargo-fuzz`; works with a stable compiler. What is found stands under `tests/fuzz/artifacts/`.
# Exit status: 0 nothing found, 1 a finding, 2 cargo-fuzz is missing.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-300}
shift || true
targets=("$@")
if [[ ${#targets[@]} -eq 0 ]]; then
    targets=(lines headed mapped log_format configuration document input)
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    printf 'tests/fuzz.sh: cargo-fuzz is missing; cargo install cargo-fuzz --locked\n' >&2
    exit 2
fi
# The sanitizers are options of the compiler that only this variable opens to a stable one.
export RUSTC_BOOTSTRAP=1

for target in "${targets[@]}"; do
    printf '\n== %s, %s s\n' "$target" "$seconds"
    mkdir -p "fuzz/corpus/$target"
    python3 fuzz/seeds.py "$target" "fuzz/corpus/$target"
    cargo fuzz run --fuzz-dir fuzz "$target" -- -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=4096 \
        -print_final_stats=1 2>&1 | grep -E '^(==|stat::|#[0-9]+.*DONE|SUMMARY|artifact|thread|panicked|Done)' || {
        printf 'tests/fuzz.sh: %s ended with a finding\n' "$target" >&2
        exit 1
    }
done
