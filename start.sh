#!/usr/bin/env bash
# Starts Footfall on this machine.
#
#   ./start.sh [local]    one process from source, counts in data/footfall.db
set -euo pipefail
cd "$(dirname "$0")"

fail() {
    echo "start.sh: $1" >&2
    exit 1
}

start_local() {
    command -v cargo >/dev/null || fail "cargo is missing; install Rust from https://rustup.rs"
    command -v cc >/dev/null || fail "a C compiler is missing; on Debian and Ubuntu: apt-get install gcc libc6-dev"
    echo "Building and starting the local service; the first build takes some minutes."
    cargo build --release --locked
    # Also finds wrong settings, with one message each, before anything is started.
    local settings
    settings=$(target/release/footfall config)
    setting() { awk -v name="$1" '$1 == name { print $2 }' <<<"$settings"; }
    first_url() { setting "$1" | tr ',' '\n' | sed -n 's|^tcp:\(.*\)|http://\1|p' | head -n 1; }
    local public internal
    public=$(first_url FOOTFALL_LISTEN)
    internal=$(first_url FOOTFALL_OPS_LISTEN)
    echo
    [ -z "$public" ] || echo "  Home page    $public/"
    [ -z "$public" ] || echo "  Swagger UI   $public/swagger/"
    [ -z "$internal" ] || echo "  Metrics      $internal/metrics"
    echo "  Log in       as $(setting FOOTFALL_ADMIN_USERNAME); the password is that of .env, as shipped: password"
    echo
    echo "Ctrl-C stops it; counts are kept."
    echo
    exec target/release/footfall serve
}

case "${1-local}" in
    local) start_local ;;
    *)
        echo "usage: ./start.sh [local]" >&2
        exit 2
        ;;
esac
