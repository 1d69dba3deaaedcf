# What the scripts of this folder share. Each of them sources it and is then in the project's folder.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bench=target/bench
# No caches in the source tree.
export PYTHONPYCACHEPREFIX=$PWD/$bench/pycache

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# need COMMAND:PACKAGE …: installs the packages whose commands are missing.
need() {
    local entry packages=() sudo=()
    for entry in "$@"; do
        command -v "${entry%%:*}" >/dev/null || packages+=("${entry##*:}")
    done
    [ "${#packages[@]}" -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "please install: ${packages[*]}"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "to install ${packages[*]} it needs sudo, or root"
        sudo=(sudo)
    fi
    echo "== installing ${packages[*]}"
    "${sudo[@]}" apt-get update -qq
    # The runs start servers of their own; the packages' own must not hold what these measure on.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
        made=$policy
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
        "${sudo[@]}" chmod +x "$policy"
    fi
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        "${packages[@]}" >/dev/null || fail "could not install ${packages[*]}"
    [ -z "$made" ] || "${sudo[@]}" rm -f "$made"
}

build_service() {
    # Debian's own Rust is too old, so there is no package to install.
    command -v cargo >/dev/null || fail "Rust is missing; Cargo.toml says from which version on"
    [ -e /usr/include/stdio.h ] || need stdio:libc6-dev
    echo "== building"
    cargo build --release --locked --quiet || fail "Footfall does not build"
}

build_tools() {
    CARGO_TARGET_DIR=$bench/cargo cargo build --release --locked --quiet --manifest-path bench/Cargo.toml ||
        fail "the measuring tools do not build"
}

# What is written in bench/requirements.txt, with matplotlib and the Python contestants.
install_python() {
    local python=$bench/python
    if grep -v '^#' bench/requirements.txt | grep -qvxFf <("$python/bin/pip" freeze 2>/dev/null); then
        echo "== installing bench/requirements.txt"
        python3 -c 'import ensurepip, venv' 2>/dev/null || need ensurepip:python3-venv
        python3 -m venv "$python"
        "$python/bin/pip" install --quiet --requirement bench/requirements.txt ||
            fail "could not install bench/requirements.txt"
    fi
}

# Node.js comes with the Python packages. Modules are found beside the program, so that is copied.
install_fastify() {
    local place=$bench/fastify
    mkdir -p "$place"
    cp bench/fastify/server.mjs "$place"
    if ! cmp -s bench/fastify/package-lock.json "$place/package-lock.json" || [ ! -d "$place/node_modules" ]; then
        echo "== installing bench/fastify/package-lock.json"
        cp bench/fastify/package*.json "$place"
        PATH="$PWD/$bench/python/bin:$PATH" npm --prefix "$place" ci \
            --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null || {
            rm -rf "$place/node_modules"
            fail "could not install bench/fastify/package-lock.json"
        }
    fi
}

# bench COMMAND …: the measuring itself. It stops what it started when it is told to end.
measure() {
    PYTHONPATH=bench exec "$bench/python/bin/python" -m footfall_bench "$@"
}
