#!/usr/bin/env bash
# All checks of the repository: format, lints, tests, dependencies.
# Exit status: 0 all passed, 1 or more from the check that failed, 2 when something needed to run them is missing.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Debian keeps nginx where an ordinary user's PATH does not look.
export PATH="$PATH:/usr/sbin:/sbin"

heading() {
    printf '\n== %s\n' "$1"
}

missing() {
    printf 'tests/run.sh: %s\n' "$1" >&2
    exit 2
}

# Runs a command as root: directly, or by sudo when that asks no password.
as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# Debian's way to keep a package from starting its server.
policy=/usr/sbin/policy-rc.d

# Some tests put a real nginx before the analyzer; they start their own on a free port.
install_nginx() {
    local hint='install nginx (Debian: nginx-light; macOS: brew install nginx) and run again'
    command -v apt-get >/dev/null || missing "nginx is missing; $hint"
    as_root true 2>/dev/null || missing "nginx is missing and there are no rights to install it; $hint"

    local ours=''
    if [[ ! -e $policy ]]; then
        ours=yes
        trap 'as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root apt-get update -qq || printf 'tests/run.sh: the package lists could not be refreshed\n' >&2
    local package
    for package in nginx-light nginx; do
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$package" >/dev/null && break
    done
    if [[ -n $ours ]]; then
        as_root rm -f "$policy"
        trap - EXIT
    fi
    command -v nginx >/dev/null || missing "apt-get could not install nginx; $hint"
}

# The analyzer's reading of Apache's formats is compared with a Python package's, in an environment of its own.
install_apachelogs() {
    local environment="${CARGO_TARGET_DIR:-target}/apachelogs"
    if [[ ! -x $environment/bin/python ]]; then
        python3 -m venv "$environment" && "$environment/bin/pip" install --quiet 'apachelogs>=0.6.1,<0.7' || {
            rm -rf "$environment"
            printf 'tests/run.sh: no package apachelogs; its test is skipped\n' >&2
            return
        }
    fi
    LOADPRINT_PYTHON="$(cd "$environment" && pwd)/bin/python"
    export LOADPRINT_PYTHON
}

heading 'nginx'
command -v nginx >/dev/null || install_nginx
nginx -v

heading 'apachelogs'
if command -v python3 >/dev/null; then
    install_apachelogs
else
    printf 'tests/run.sh: no python3; the comparison with apachelogs is skipped\n' >&2
fi

heading 'format'
cargo fmt --all --check

heading 'lints'
cargo clippy --workspace --all-targets -- -D warnings
# As `cargo demo` builds it: without gRPC.
cargo clippy -p replayer --no-default-features -- -D warnings

if cargo nextest --version >/dev/null 2>&1; then
    heading 'tests'
    cargo nextest run --workspace
    heading 'examples in the documentation'
    cargo test --doc --workspace
else
    heading 'tests, and examples in the documentation'
    cargo test --workspace
fi

if cargo deny --version >/dev/null 2>&1; then
    heading 'dependencies'
    cargo deny check bans licenses sources
fi

heading 'all passed'
