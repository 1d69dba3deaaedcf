#!/usr/bin/env bash
# Installs what the tests need on Debian or Ubuntu and runs them.
#
#   ./test.sh                   everything
#   ./test.sh quick             all that needs no browser, no Docker and no root, and no minute of all cores
#   ./test.sh soak [MINUTES]    load and random faults for so long (30)
#   ./test.sh install           installs what all of them need, and runs none
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    echo "usage: ./test.sh [quick | soak [MINUTES] | install]" >&2
    exit 2
}

fail() {
    echo "test.sh: $1" >&2
    exit 1
}

quick=
case "$*" in
    "" | install) ;;
    quick | soak) quick=1 ;;
    soak\ [1-9] | soak\ [1-9][0-9] | soak\ [1-9][0-9][0-9]) quick=1 ;;
    *) usage ;;
esac

. config/packages.sh

made=()
declare -A beside=()
finish() {
    local job
    for job in "${beside[@]}"; do
        as_root kill -- "-$job" 2>/dev/null || true
        wait "$job" || true
    done
    [ "${#made[@]}" = 0 ] || as_root rm -f "${made[@]}"
}
trap finish EXIT

command -v cargo >/dev/null || fail "cargo is missing; install Rust from https://rustup.rs"

# Debian has nginx and redis-server where an ordinary user's PATH does not look.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# Each command the tests run, and the package that has it.
needed=(
    cc:gcc curl:curl jq:jq openssl:openssl sqlite3:sqlite3 strace:strace shellcheck:shellcheck systemd-analyze:systemd
    redis-server:redis-server faketime:faketime nginx:nginx-light promtool:prometheus python3:python3
    prometheus:prometheus prometheus-redis-exporter:prometheus-redis-exporter
    prometheus-nginx-exporter:prometheus-nginx-exporter docker-compose:docker-compose script:bsdutils
    haproxy:haproxy caddy:caddy
    # The commands of its server are in no PATH.
    '/usr/lib/postgresql/1[4-7]/bin/initdb:postgresql' prometheus-postgres-exporter:prometheus-postgres-exporter
    # A mail server; it has no command that Debian's python3 would not need as well.
    /usr/lib/python3/dist-packages/aiosmtpd/smtp.py:python3-aiosmtpd
)
[ -n "$quick" ] || needed+=(
    chromium:chromium chromedriver:chromium-driver
    dockerd:docker.io docker:docker.io debootstrap:debootstrap
    c++:g++ git:git ip:iproute2 iptables:iptables nsenter:util-linux pgrep:procps
    nft:nftables ufw:ufw fail2ban-regex:fail2ban rsyslogd:rsyslog logger:bsdutils
    /usr/lib/nginx/modules/ngx_http_modsecurity_module.so:libnginx-mod-http-modsecurity
    /usr/share/modsecurity-crs/owasp-crs.load:modsecurity-crs
)

packages=()
for entry in "${needed[@]}"; do
    # An absolute path is that of a file, or a pattern of it, where a package has no command.
    command -v "${entry%%:*}" >/dev/null || [[ $entry == /* && -n $(compgen -G "${entry%%:*}") ]] ||
        packages+=("${entry##*:}")
done
# Debian's compiler comes without the headers and start files of the C library.
[ -e /usr/include/stdio.h ] || packages+=(libc6-dev)
# Debian's python3 can make a virtual environment only with this package.
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)

[ -n "$quick" ] || [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    fail "this starts Docker engines, so it needs sudo, or root"
if [ "${#packages[@]}" -gt 0 ]; then
    can_install || fail "please install: ${packages[*]} (this does it itself where there is apt-get, and root or sudo)"
    echo "== installing ${packages[*]}"
    # The tests start servers of their own; the packages must not start theirs, nor leave one to be
    # started at the next boot, as Debian's of PostgreSQL would.
    policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.d/footfall-tests.conf
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod +x "$policy"
        made+=("$policy")
    fi
    as_root mkdir -p "${clusters%/*}"
    echo 'create_main_cluster = false' | as_root tee "$clusters" >/dev/null
    made+=("$clusters")
    install_packages "${packages[@]}"
fi

python=target/python
if grep -v '^#' tests/requirements.txt | grep -qvxFf <("$python/bin/pip" freeze 2>/dev/null); then
    echo "== installing the tools of tests/requirements.txt"
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet --requirement tests/requirements.txt
fi

axe=target/axe
# What it was installed from is written last: an installation that broke off is none.
if [ -z "$quick" ] && ! cmp -s tests/axe/package-lock.json "$axe/installed.json"; then
    echo "== installing axe-core of tests/axe/package-lock.json"
    mkdir -p "$axe"
    cp tests/axe/package*.json "$axe"
    PATH="$PWD/$python/bin:$PATH" npm --prefix "$axe" ci \
        --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
    cp tests/axe/package-lock.json "$axe/installed.json"
fi

[ "${1-}" != install ] || exit 0
if [ "${1-}" = soak ]; then
    echo "== soak"
    SOAK_MINUTES=${2-30} cargo test --locked --test it -- --ignored --nocapture soak::
    exit
fi
echo "== tests"
# What threads share, in every order: a minute to build, a second to run.
loom=(cargo test --locked --manifest-path tests/loom/Cargo.toml --target-dir target/loom)
# Most tests wait for processes rather than compute.
cores=$(nproc) threads=4
[ -z "$quick" ] || threads=8
export RUST_TEST_THREADS=${RUST_TEST_THREADS-$((cores > threads ? cores : threads))}
if [ -n "$quick" ]; then
    # Storms of visits, random schedules, stores that are filled, all mutations of the alerts, the API by
    # schemathesis, the stacks as docker-compose reads them, servers that die and hang by the dozen.
    busy=(
        counting::sixty_thousand counting::fifteen_thousand counting::a_shuffled_storm model:: failures::
        turns::nobody_is_passed_over overload::floods room:: refusals::alone outages::a_flood
        error_tracking::a_receiver_that_fails conformance:: dotenv::generated_files monitoring::rules::every_wait
        monitoring::rules::the_tests_of monitoring::live companies::more_companies
        start::accounts start::database start::docker start::settings
        cluster:: sentinel:: hung:: unready:: database::outages database_killed::
        mail::kills mail::tls::each_way registration::killed registration::enumeration
        revocation::rounds revocation::failover audit_trail::tampering exactly_once::
    )
    skip=(--skip browser:: --skip the_pages_in_a_browser)
    for test in "${busy[@]}"; do
        skip+=(--skip "$test")
    done
    cargo test --locked -- "${skip[@]}"
    "${loom[@]}"
    exit
fi
# Prepares what later tests need while others run, most of which wait; they go first. Its output is shown
# only if it fails.
prepare() { # NAME COMMAND…
    # A process group of its own, so that all of it can be ended.
    set -m
    nice -n 19 "${@:2}" >"target/$1.log" 2>&1 </dev/null &
    set +m
    beside[$1]=$!
}

prepared() { # NAME
    local status=0
    wait "${beside[$1]}" || status=$?
    unset "beside[$1]"
    [ "$status" = 0 ] || {
        cat "target/$1.log" >&2
        fail "what could not be prepared is target/$1.log, which is above"
    }
}

# Now somebody may be there to type a password.
as_root true
root=()
[ "$(id -u)" = 0 ] || root=(sudo -n)
prepare images "${root[@]}" env "PATH=$PATH" "HOME=$HOME" tests/stack/engines.sh --images
prepare loom "${loom[@]}" --no-run

# A minute of two cores, once: what is built is kept.
echo "== building the release before this one"
PREVIOUS_RELEASE=$(tests/previous.sh)
export PREVIOUS_RELEASE
cargo test --locked
cargo test --locked --test it -- --ignored previous::
prepared loom
"${loom[@]}"

echo "== tests of docs/hardening.md"
as_root env "PATH=$PATH" "HOME=$HOME" cargo test --locked --test it -- --ignored hardening::

echo "== tests of the stack"
prepared images
# They take turns: there is one port 80.
as_root env "PATH=$PATH" "HOME=$HOME" tests/stack/engines.sh \
    cargo test --locked --test stack -- --ignored --test-threads=1
