#!/usr/bin/env bash
# What a request costs, function by function: callgrind on a release build with debug symbols.
#   ./bench/profile.sh ping, or another name in bench/instructions.json
source "$(dirname "$0")/lib.sh"
[ $# = 1 ] || fail "usage: bench/profile.sh ping, or another name in bench/instructions.json"

need_python
need cc:gcc valgrind:valgrind redis-server:redis-server
need_postgresql
echo "== building with debug symbols"
CARGO_PROFILE_RELEASE_DEBUG=line-tables-only CARGO_TARGET_DIR=$bench/profiling \
    cargo build --release --locked --quiet || fail "Footfall does not build"
PYTHONPATH=bench exec python3 -m footfall_bench profile "$1"
