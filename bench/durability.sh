#!/usr/bin/env bash
# What waiting for replicas of Redis costs (FOOTFALL_WAIT_REPLICAS), against not waiting, in one run. About a minute.
source "$(dirname "$0")/lib.sh"

need_python
need cc:gcc redis-server:redis-server
build_service
build_tools
install_python
measure durability
