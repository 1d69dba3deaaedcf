#!/usr/bin/env bash
# Installs what the tests need on Debian or Ubuntu and runs them.
#
#   ./test.sh          everything
#   ./test.sh quick    all that needs neither a browser nor Docker
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    echo "usage: ./test.sh [quick]" >&2
    exit 2
}

fail() {
    echo "test.sh: $1" >&2
    exit 1
}

quick=
case "${1-}" in
    "") ;;
    quick) quick=1 ;;
    *) usage ;;
esac
[ $# -le 1 ] || usage

command -v cargo >/dev/null || fail "cargo is missing; install Rust from https://rustup.rs"

# Debian has nginx and redis-server where an ordinary user's PATH does not look.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# Each command the tests run, and the package that has it.
needed=(
    cc:gcc curl:curl jq:jq openssl:openssl sqlite3:sqlite3 shellcheck:shellcheck systemd-analyze:systemd
    redis-server:redis-server faketime:faketime nginx:nginx-light promtool:prometheus python3:python3
    prometheus:prometheus prometheus-redis-exporter:prometheus-redis-exporter
    prometheus-nginx-exporter:prometheus-nginx-exporter
)
[ -n "$quick" ] || needed+=(
    chromium:chromium chromedriver:chromium-driver
    dockerd:docker.io docker:docker.io docker-compose:docker-compose debootstrap:debootstrap
    ip:iproute2 iptables:iptables nsenter:util-linux pgrep:procps
)

packages=()
for entry in "${needed[@]}"; do
    command -v "${entry%%:*}" >/dev/null || packages+=("${entry##*:}")
done
# Debian's compiler comes without the headers and start files of the C library.
[ -e /usr/include/stdio.h ] || packages+=(libc6-dev)
# Debian's python3 can make a virtual environment only with this package.
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)

sudo=()
if [ "$(id -u)" != 0 ] && { [ -z "$quick" ] || [ "${#packages[@]}" -gt 0 ]; }; then
    command -v sudo >/dev/null || fail "this installs packages and starts Docker engines, so it needs sudo, or root"
    sudo=(sudo "PATH=$PATH" "HOME=$HOME")
fi
if [ "${#packages[@]}" -gt 0 ]; then
    command -v apt-get >/dev/null || fail "please install: ${packages[*]}"
    echo "== installing ${packages[*]}"
    # The tests start servers of their own; the packages must not start theirs.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
        "${sudo[@]}" chmod +x "$policy"
        trap '"${sudo[@]}" rm -f "$policy"' EXIT
    fi
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
fi

python=target/python
if grep -v '^#' tests/requirements.txt | grep -qvxFf <("$python/bin/pip" freeze 2>/dev/null); then
    echo "== installing the tools of tests/requirements.txt"
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet --requirement tests/requirements.txt
fi

echo "== tests"
if [ -n "$quick" ]; then
    cargo test --locked -- --skip browser::
    exit
fi
cargo test --locked

echo "== tests of the stack"
# They take turns: there is one port 80.
"${sudo[@]}" tests/stack/engines.sh \
    cargo test --locked --test stack -- --ignored --test-threads=1
