#!/usr/bin/env bash
# Instructions per request, counted by callgrind, against those noted in bench/instructions.json.
# They do not depend on how fast or busy the machine is, so this can fail a build.
#   ./bench/instructions.sh           compares; exit 1 if a request costs more than is tolerated
#   ./bench/instructions.sh image     the same with what the tests of the stack have built, for .ci/run
#   ./bench/instructions.sh update    notes what it counts, of the image too if there is one
# With another compiler, valgrind, libc or kind of CPU than noted it counts, and says that it does not compare.
source "$(dirname "$0")/lib.sh"
case "$*" in
    "" | image | update) ;;
    *) fail "usage: bench/instructions.sh [image | update]" ;;
esac

need_python
need cc:gcc valgrind:valgrind redis-server:redis-server
need_postgresql
if [ "$*" = image ]; then
    [ -x target/stack/footfall ] || fail "target/stack/footfall is missing; ./test.sh builds it"
else
    build_service
fi
PYTHONPATH=bench exec python3 -m footfall_bench instructions "$@"
