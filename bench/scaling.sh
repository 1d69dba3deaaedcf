#!/usr/bin/env bash
# What grows with what: Redis' work with connections, replicas, counters, identities and distance.
# Writes the tables of docs/scaling.md.
#   ./bench/scaling.sh          under 10 minutes, on a machine that does nothing else
#   ./bench/scaling.sh quick    a minute, a trial: writes to target/bench/results
# With BENCH_PREVIOUS=/path/to/footfall an earlier revision takes part, too.
source "$(dirname "$0")/lib.sh"
[ $# = 0 ] || [ "$*" = quick ] || fail "usage: bench/scaling.sh [quick]"

need_python
need cc:gcc redis-server:redis-server
build_service
build_tools
install_python
measure scaling "$@"
