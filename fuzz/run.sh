#!/usr/bin/env bash
# Runs every fuzz target in turn.
#
#   fuzz/run.sh [SECONDS]    SECONDS for each target; 60 unless told
set -euo pipefail
cd "$(dirname "$0")"

fail() {
    echo "fuzz/run.sh: $1" >&2
    exit 1
}

seconds=${1-60}
[[ $# -le 1 && $seconds =~ ^[1-9][0-9]*$ ]] || {
    echo "usage: fuzz/run.sh [SECONDS]" >&2
    exit 2
}
command -v cargo >/dev/null || fail "cargo is missing; install Rust from https://rustup.rs"
command -v c++ >/dev/null || fail "c++ is missing; install g++ (libFuzzer is C++)"
cargo fuzz --version >/dev/null 2>&1 || fail "cargo-fuzz is missing; cargo install cargo-fuzz"

# The address sanitizer needs a nightly compiler; without one the targets do without it. All code here
# is safe Rust, so what they look for are panics and broken properties.
fuzz=(cargo fuzz run --sanitizer none)
if cargo +nightly --version >/dev/null 2>&1; then
    fuzz=(cargo +nightly fuzz run)
fi

for path in fuzz_targets/*.rs; do
    target=$(basename "$path" .rs)
    echo "== $target"
    mkdir -p "corpus/$target"
    # New finds go to the first folder.
    "${fuzz[@]}" "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=4096 -print_final_stats=1
done
