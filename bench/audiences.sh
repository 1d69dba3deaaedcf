#!/usr/bin/env bash
# How fast audiences of ten million visits are counted and listed, on both databases.
# Writes audiences.md in docs/benchmarks.
#   ./bench/audiences.sh          4 minutes, on a machine that does nothing else; much longer when it makes its visits, once,
#                                 in target/bench/audiences (5 GB)
#   ./bench/audiences.sh quick    a trial with fewer visits: writes to target/bench/results
source "$(dirname "$0")/lib.sh"
[ $# = 0 ] || [ "$*" = quick ] || fail "usage: bench/audiences.sh [quick]"

need_python
need cc:gcc redis-server:redis-server
need_postgresql
build_service
install_python
measure audiences "$@"
