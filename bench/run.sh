#!/usr/bin/env bash
# Compares Footfall with others, all in one session, and writes docs/benchmarks/results.md; then measures the
# record as record.sh does, and writes docs/benchmarks/record.md; and the figures of the README.
#   ./bench/run.sh          under 30 minutes, on a machine that does nothing else; 20 more at the first time
#   ./bench/run.sh quick    under 4 minutes, a trial of the suite: writes to target/bench/results
# With BENCH_PREVIOUS=/path/to/footfall an earlier revision takes part, too.
# docs/benchmarks/README.md says what is measured and how.
source "$(dirname "$0")/lib.sh"
[ $# = 0 ] || [ "$*" = quick ] || fail "usage: bench/run.sh [quick]"

need_python
need cc:gcc nginx:nginx-light redis-server:redis-server
need_postgresql
build_service
build_tools
install_python
install_fastify
measure run "$@"
