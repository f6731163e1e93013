#!/usr/bin/env bash
# How late the replayer is at 1,000 requests per second: its own report, against the embedded target in a process of its own.
# Usage: benches/replay.sh [REQUESTS_PER_S] [SECONDS]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
rate="${1:-1000}"
seconds="${2:-30}"
work=target/bench
mkdir -p "$work"

cargo build --release --quiet -p analyzer -p replayer
target/release/analyzer profile samples/shop.access.log.gz --from samples/nginx.conf \
    --route '/c/{category}' --quiet -o "$work/shop.yaml"

# The factor that lifts the profile's own peak to the rate asked for.
scale="$(awk -v rate="$rate" '/requests_per_s:/ { gsub(/[{},]/, " "); for (i = 1; i < NF; i++) if ($i == "peak:") print rate / $(i + 1) }' "$work/shop.yaml")"

# An address of the last time would be read before the new one is there.
rm -f "$work/address"
target/release/replayer target "$work/shop.yaml" --listen 127.0.0.1:0 --access-log "$work/target.log" >"$work/address" &
target=$!
trap 'kill -TERM "$target" 2>/dev/null || true' EXIT
until [[ -s $work/address ]]; do sleep 0.05; done
address="$(grep -o '127\.0\.0\.1:[0-9]*' "$work/address" | head -1)"

printf '%s requests/s for %s s, scale %s, %s processors\n\n' "$rate" "$seconds" "$scale" "$(nproc)"
target/release/replayer run "$work/shop.yaml" --target "http://$address" --allow-method POST \
    --scale "$scale" --duration "${seconds}s" --drain 10s --quiet | head -14
