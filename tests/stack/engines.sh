#!/usr/bin/env bash
# Runs a command beside two Docker engines of its own: two machines in the small, each in a network
# namespace, joined by a cable. The command runs on the first machine (so that ports it publishes
# are at localhost, and no port of this host is touched); DOCKER_HOST is its engine, SECOND_ENGINE
# the other's socket. Nothing is pulled: the images are made here, from Debian's packages.
#
#   tests/stack/engines.sh COMMAND…
#   tests/stack/engines.sh --images     runs nothing, and only makes the images
#
# Images and the build cache stay in target/stack for the next run; all else is gone at the end.
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() {
    echo "engines.sh: $1" >&2
    exit 1
}

[ $# -ge 1 ] || fail "which command?"
[ "$(id -u)" = 0 ] || fail "two Docker engines need root: sudo ./test.sh"
PATH="$PATH:/usr/sbin:/sbin"

state=$PWD/target/stack
mkdir -p "$state"
exec 9>"$state/lock"
flock -n 9 || fail "another run has $state"

# A socket's path must be short, and the folder is shared by nobody else.
run=$(mktemp -d -t footfall-engines.XXXXXX)
first=footfall-$$-1 second=footfall-$$-2

inside() { # NAMESPACE COMMAND…: `ip netns exec` would hide the cgroup mounts
    nsenter --net="/run/netns/$1" "${@:2}"
}

start_engine() { # NAME NAMESPACE
    mkdir -p "$state/$1" "$run/$1"
    # A file system view of its own, so that its mounts end with it.
    inside "$2" unshare --mount dockerd --host "unix://$run/$1/docker.sock" \
        --data-root "$state/$1" --exec-root "$run/$1/exec" --pidfile "$run/$1/pid" \
        --log-level warn >"$state/$1.log" 2>&1 9>&- &
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        ! docker -H "unix://$run/$1/docker.sock" version >/dev/null 2>&1 || return 0
        kill -0 $! 2>/dev/null || fail "the engine $1 did not start; $state/$1.log says why"
        sleep 0.1
    done
    fail "the engine $1 does not answer; $state/$1.log says why"
}

# What an earlier run left, if it was cut short.
clean_engine() { # NAME
    local docker=(docker -H "unix://$run/$1/docker.sock")
    "${docker[@]}" swarm leave --force >/dev/null 2>&1 || true
    "${docker[@]}" ps -aq | xargs -r "${docker[@]}" rm -f >/dev/null
    "${docker[@]}" volume ls -q | xargs -r "${docker[@]}" volume rm -f >/dev/null
    "${docker[@]}" network prune -f >/dev/null
}

stop_engine() { # NAME
    local pid
    pid=$(cat "$run/$1/pid" 2>/dev/null) || return 0
    clean_engine "$1" 2>/dev/null || true
    kill "$pid" 2>/dev/null || return 0
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid"
}

stop() {
    trap '' INT TERM
    stop_engine one
    stop_engine two
    # Shims of an engine that was killed outlive it.
    pkill -9 -f -- "$run/" 2>/dev/null || true
    ip netns del "$first" 2>/dev/null || true
    ip netns del "$second" 2>/dev/null || true
    rm -rf "$run" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_machines() { # COMMAND
    ip netns add "$first"
    ip netns add "$second"
    ip -n "$first" link add eth0 type veth peer name eth0 netns "$second"
    ip -n "$first" addr add 10.213.0.1/24 dev eth0
    ip -n "$second" addr add 10.213.0.2/24 dev eth0
    local machine
    for machine in "$first" "$second"; do
        ip -n "$machine" link set lo up
        ip -n "$machine" link set eth0 up
    done
    export DOCKER_HOST=unix://$run/one/docker.sock SECOND_ENGINE=unix://$run/two/docker.sock
    # The engine's own BuildKit asks registries for what is here; its older builder does not.
    export DOCKER_BUILDKIT=0
    start_engine one "$first"
    clean_engine one
    [ "$1" != --images ] || return 0
    start_engine two "$second"
    clean_engine two
}

quietly() {
    "$@" >"$state/build.log" 2>&1 || {
        cat "$state/build.log" >&2
        fail "this failed: $*"
    }
}

packages=ca-certificates,curl,redis-server,nginx-light,prometheus,prometheus-redis-exporter,prometheus-nginx-exporter,busybox-static,gcc,libc6-dev
# Installed on top, where it can be told to make no cluster and to start nothing.
servers=(postgresql prometheus-postgres-exporter python3-aiosmtpd)

import_debian() {
    local root=$state/debian tag
    tag=footfall-tests/debian:$(sha256sum <<<"$packages ${servers[*]}" | cut -c 1-12)
    if [ -n "$(docker images -q "$tag")" ]; then
        docker tag "$tag" footfall-tests/debian
        return
    fi
    echo "== making the base image"
    rm -rf "$root"
    quietly debootstrap --variant=minbase --include="$packages" bookworm "$root" http://deb.debian.org/debian
    mkdir -p "$root/etc/postgresql-common/createcluster.d"
    echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.d/none.conf"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    quietly chroot "$root" apt-get update
    quietly chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${servers[@]}"
    tar -C "$root" --exclude=./var/cache/apt --exclude=./var/lib/apt/lists -c . |
        docker import - "$tag" >/dev/null
    docker tag "$tag" footfall-tests/debian
    rm -rf "$root"
}

# The toolchain of this machine and the crates it has, so that the image needs no network.
import_rust() {
    local version image root=$state/rust
    version=$(rustc --version | cut -d ' ' -f 2)
    image=footfall-tests/rust:$version-$(sha256sum Cargo.lock | cut -c 1-12)
    if [ -z "$(docker images -q "$image")" ]; then
        echo "== making the image of the toolchain"
        cargo fetch --locked --quiet --target x86_64-unknown-linux-gnu
        rm -rf "$root"
        mkdir -p "$root/usr/local/cargo/registry"
        cp -a "$(rustc --print sysroot)/." "$root/usr/local"
        rm -rf "$root/usr/local/share"
        local home=${CARGO_HOME:-$HOME/.cargo}
        cp -a "$home/registry/index" "$home/registry/cache" "$root/usr/local/cargo/registry/"
        [ ! -e "$home/config.toml" ] || cp "$home/config.toml" "$root/usr/local/cargo/"
        printf 'FROM footfall-tests/debian\nCOPY . /\nENV CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true\n' >"$root/Dockerfile"
        quietly docker build -t "$image" "$root"
        rm -rf "$root"
    fi
    docker tag "$image" rust:1.95-bookworm
}

# The names and versions that the stack names; each a stage of tests/stack/images/Dockerfile.
make_stand_ins() {
    local image stage
    {
        sed -n 's/^ *image: \([a-z].*:.*\)/\1/p' compose/services.yaml
        sed -n 's/^FROM \(gcr.*\)/\1/p' docker/Dockerfile
    } | sort -u | while read -r image; do
        stage=${image%%:*}
        stage=${stage##*/}
        case "$stage" in
            redis_exporter) stage=redis-exporter ;;
            nginx-prometheus-exporter) stage=nginx-exporter ;;
            static-debian12) stage=static ;;
        esac
        quietly docker build --network none --target "$stage" -t "$image" tests/stack/images
        echo "$image" >>"$run/images"
    done
}

copy_images() {
    local images
    mapfile -t images < <(cat "$run/images"; echo footfall:latest)
    docker save "${images[@]}" | docker -H "$SECOND_ENGINE" load >/dev/null
}

start_machines "$1"
import_debian
import_rust
make_stand_ins
echo "== building the image from source"
# With a name of its own the stage, and so its layer of dependencies, outlives the cleaning below.
# Containers are in control groups of their own, where being nice counts for nothing: shares do, once
# something else wants the processors.
build=(docker build -f docker/Dockerfile.optimized --build-arg PROFILE=start --cpu-shares 64)
quietly "${build[@]}" --target build -t footfall-tests/build .
quietly "${build[@]}" -t footfall:latest \
    --build-arg "VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" .
# bench/instructions.sh counts what a request costs it.
container=$(docker create footfall:latest)
quietly docker cp "$container:/usr/local/bin/footfall" "$state/footfall"
docker rm "$container" >/dev/null
[ "$1" != --images ] || exit 0
copy_images
docker image prune -f >/dev/null
inside "$first" "$@" 9>&-
