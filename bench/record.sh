#!/usr/bin/env bash
# What recording visits costs, whether it keeps up, what visits take in PostgreSQL and how fast they are read.
# Writes docs/benchmarks/record.md; run.sh does the same after its comparison.
#   ./bench/record.sh          some 3 minutes, on a machine that does nothing else; 17 more when it makes its year
#                              of ten million visits, once, in target/bench/year
#   ./bench/record.sh quick    a minute, a trial: writes to target/bench/results
source "$(dirname "$0")/lib.sh"
[ $# = 0 ] || [ "$*" = quick ] || fail "usage: bench/record.sh [quick]"

need_python
need cc:gcc redis-server:redis-server
need_postgresql
build_service
build_tools
install_python
measure record "$@"
