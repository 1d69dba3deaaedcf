# What the scripts of this folder share. Each of them sources it and is then in the project's folder.
# shellcheck shell=bash
set -euo pipefail

fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# The program of an earlier revision that takes part, if one is named. A relative path is meant from where one is.
if [ -n "${BENCH_PREVIOUS:-}" ]; then
    [[ -f $BENCH_PREVIOUS && -x $BENCH_PREVIOUS ]] ||
        fail "BENCH_PREVIOUS is $BENCH_PREVIOUS, which is no program"
    BENCH_PREVIOUS=$(realpath "$BENCH_PREVIOUS")
    export BENCH_PREVIOUS
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bench=target/bench
# Where Debian has nginx; the PATH of those who are not root may lack it.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# No caches in the source tree.
export PYTHONPYCACHEPREFIX=$PWD/$bench/pycache

# need COMMAND:PACKAGE …: installs the packages whose commands are missing.
need() {
    local entry packages=()
    for entry in "$@"; do
        command -v "${entry%%:*}" >/dev/null || packages+=("${entry##*:}")
    done
    [ "${#packages[@]}" -gt 0 ] || return 0
    install "${packages[@]}"
    hash -r
    for entry in "$@"; do
        command -v "${entry%%:*}" >/dev/null ||
            fail "${entry##*:} is installed, but ${entry%%:*} cannot be found"
    done
}

# install PACKAGE …
install() {
    local sudo=() policy=/usr/sbin/policy-rc.d
    command -v apt-get >/dev/null || fail "please install: $*"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "to install $* it needs sudo, or root"
        sudo=(sudo)
    fi
    echo "== installing $*"
    "${sudo[@]}" apt-get update -qq
    # The runs start servers of their own; the packages' own must not hold what these measure on, nor
    # leave one to be started at the next boot, as Debian's of PostgreSQL would.
    local clusters=/etc/postgresql-common/createcluster.d/footfall-bench.conf made=("$clusters")
    [ -e "$policy" ] || made+=("$policy")
    # shellcheck disable=SC2064  # filled in now: the variables are local
    trap "${sudo[*]} rm -f ${made[*]}" EXIT
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
        "${sudo[@]}" chmod +x "$policy"
    fi
    "${sudo[@]}" mkdir -p "${clusters%/*}"
    echo 'create_main_cluster = false' | "${sudo[@]}" tee "$clusters" >/dev/null
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        "$@" >/dev/null || fail "could not install $*"
    "${sudo[@]}" rm -f "${made[@]}"
    trap - EXIT
}

need_postgresql() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || install postgresql
}

need_python() {
    need python3:python3
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "python3 is $(python3 --version | cut -d' ' -f2); 3.11 or later is needed"
}

build_service() {
    # Debian's own Rust is too old, so there is no package to install.
    command -v cargo >/dev/null || fail "Rust is missing; Cargo.toml says from which version on"
    [ -e /usr/include/stdio.h ] || install libc6-dev
    echo "== building"
    # Where it is looked for, whatever the user's own builds are set to.
    CARGO_TARGET_DIR=$PWD/target cargo build --release --locked --quiet || fail "Footfall does not build"
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
        python3 -c 'import ensurepip, venv' 2>/dev/null || install python3-venv
        python3 -m venv "$python"
        "$python/bin/pip" install --quiet --requirement bench/requirements.txt ||
            fail "could not install bench/requirements.txt"
    fi
}

# Node.js comes with the Python packages. Modules are found beside the program, so that is copied.
install_fastify() {
    # What the modules are from. It is written last: an installation that broke off is none.
    local place=$bench/fastify installed=$bench/fastify/installed.json
    mkdir -p "$place"
    cp bench/fastify/server.mjs "$place"
    if ! cmp -s bench/fastify/package-lock.json "$installed"; then
        echo "== installing bench/fastify/package-lock.json"
        cp bench/fastify/package*.json "$place"
        PATH="$PWD/$bench/python/bin:$PATH" npm --prefix "$place" ci \
            --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null ||
            fail "could not install bench/fastify/package-lock.json"
        cp bench/fastify/package-lock.json "$installed"
    fi
}

# measure COMMAND …: the measuring itself. It stops what it started when it is told to end.
measure() {
    PYTHONPATH=bench exec "$bench/python/bin/python" -m footfall_bench "$@"
}
