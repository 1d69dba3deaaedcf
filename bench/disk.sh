#!/usr/bin/env bash
# What waiting for Redis' disk costs counts behind nginx: its files on a disk and in memory, in one run. About two minutes.
source "$(dirname "$0")/lib.sh"

need_python
need cc:gcc nginx:nginx-light redis-server:redis-server
build_service
build_tools
install_python
install_fastify
measure disk
