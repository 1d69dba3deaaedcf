#!/usr/bin/env bash
# What identities cost Redis: memory and CPU per visit, without and with them, in one run, with an fsync before each
# answer and without. A minute, two with BENCH_PREVIOUS.
source "$(dirname "$0")/lib.sh"

need_python
need cc:gcc redis-server:redis-server
build_service
build_tools
install_python
measure identities
