#!/usr/bin/env bash
# Instructions per request, counted by callgrind, against those noted in bench/instructions.json.
# They do not depend on how fast or busy the machine is, so this can fail a build.
#   ./bench/instructions.sh           compares; exit 1 if a request costs more than is tolerated
#   ./bench/instructions.sh update    notes what it counts
source "$(dirname "$0")/lib.sh"
[ $# = 0 ] || [ "$*" = update ] || fail "usage: bench/instructions.sh [update]"

need_python
need cc:gcc valgrind:valgrind redis-server:redis-server
build_service
PYTHONPATH=bench exec python3 -m footfall_bench instructions "$@"
