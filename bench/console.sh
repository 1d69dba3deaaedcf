#!/usr/bin/env bash
# How fast the pages of the console are made with ten million visits and a thousand counters, what home weighs, and what
# 200 live pages cost, on both databases. Writes console.md in docs/benchmarks.
#   ./bench/console.sh          on a machine that does nothing else; has the visits of audiences.sh, which are made once
#   ./bench/console.sh quick    a trial with fewer visits: writes to target/bench/results
source "$(dirname "$0")/lib.sh"
[ $# = 0 ] || [ "$*" = quick ] || fail "usage: bench/console.sh [quick]"

need_python
need cc:gcc redis-server:redis-server
need_postgresql
build_service
build_tools
install_python
measure console "$@"
