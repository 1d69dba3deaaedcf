#!/usr/bin/env bash
# Starts Footfall on this machine, and stops it.
set -euo pipefail
# With it, cd might go elsewhere, and say where.
unset CDPATH
cd "$(dirname "$0")"

usage() {
    cat >&2 <<'END'
usage: ./start.sh [local [REPLICAS] | basic | nginx | monitoring | full | swarm | stop]

  (nothing)      full where a Docker engine answers, else local
  local          from source, without Docker: one process, or several behind nginx
  basic          Docker: Footfall and Redis, on http://localhost:8000
  nginx          Docker: replicas behind nginx, on http://localhost, with PostgreSQL
  monitoring     Docker: basic, with Prometheus and Grafana
  full           Docker: nginx, Redis, PostgreSQL, Prometheus, Grafana; in development also a catcher of mails
  swarm          Docker Swarm: the stack of compose/docker-compose.swarm.yaml
  stop           stops what was started with Docker; no data is deleted

REPLICAS=5 ./start.sh full starts five replicas; TLS_DIR=… adds TLS (docs/tls.md).
END
    exit 2
}

fail() {
    echo "start.sh: $1" >&2
    exit 1
}

# Of lines; `wc -l` pads its number on macOS.
count() { awk 'END { print NR }'; }

port_answers() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; } # ADDRESS PORT

# From source -------------------------------------------------------------------------------------

# Debian's gcc comes without the headers and start files of the C library.
compiles() { command -v cc >/dev/null && cc -E -x c - <<<'#include <stdio.h>' >/dev/null 2>&1; }

require_compiler() {
    ! compiles || return 0
    . config/packages.sh
    if can_install; then
        echo "A C compiler is missing: installing gcc and libc6-dev with apt-get."
        install_packages gcc libc6-dev || true
    fi
    compiles || fail "a C compiler is missing; on Debian and Ubuntu: apt-get install gcc libc6-dev; on macOS: xcode-select --install"
}

build_local() {
    command -v cargo >/dev/null || fail "cargo is missing; install Rust from https://rustup.rs"
    require_compiler
    echo "Building and starting the local service; the first build takes some minutes."
    cargo build --profile start --locked
    # Wrong settings end here, with one message each, before anything is started.
    local settings
    settings=$(target/start/footfall config FOOTFALL_LISTEN FOOTFALL_OPS_LISTEN FOOTFALL_ADMIN_USERNAME)
    { read -r listen; read -r ops_listen; read -r username; } <<<"$settings"
}

first_url() { # ADDRESSES
    tr ',' '\n' <<<"$1" | sed -n 's|^ *tcp:\([^ ]*\).*|http://\1|p' | head -n 1
}

print_local() { # PUBLIC INTERNAL
    echo
    [ -z "$1" ] || echo "  Home page    $1/"
    [ -z "$1" ] || echo "  Console      $1/console/"
    [ -z "$1" ] || echo "  Swagger UI   $1/swagger/"
    [ -z "$2" ] || echo "  Metrics      $2/metrics"
    echo "  Log in       as $username; the password is that of .env, as shipped: password"
    echo
    echo "Ctrl-C stops it; counts are kept."
    echo
}

start_local() {
    build_local
    print_local "$(first_url "$listen")" "$(first_url "$ops_listen")"
    exec target/start/footfall serve
}

# Several replicas that share the embedded database, behind an nginx of their own.
start_local_replicas() { # REPLICAS
    PATH="$PATH:/usr/sbin:/sbin"
    # Not installed here: Debian's package would be started at each boot, on port 80.
    command -v nginx >/dev/null || fail "nginx is missing, which replicas stand behind; on Debian and Ubuntu: apt-get install nginx-light"
    build_local
    local public port address replica tries
    public=$(first_url "$listen")
    [ -n "$public" ] || fail "FOOTFALL_LISTEN has no tcp: address for nginx to listen on"
    port=${public##*:}
    address=${public#http://} address=${address%:*} address=${address#[} address=${address%]}
    case "$address" in
        "" | 0.0.0.0 | ::) address=127.0.0.1 ;;
    esac
    processes=() nginx=""
    # Paths below it are in nginx's configuration and in FOOTFALL_LISTEN, where others mean something.
    [[ ${TMPDIR-} =~ ^/[A-Za-z0-9/._+-]*$ ]] || TMPDIR=/tmp
    run=$(mktemp -d "$TMPDIR/footfall.XXXXXX")
    trap stop_local EXIT
    trap 'exit 0' INT TERM HUP
    mkdir "$run/sockets"
    configure_nginx "${public#http://}"
    nginx -t -q -e stderr -c "$run/nginx.conf" || fail "nginx cannot start; its message is above"
    # Not before nginx has tried the address: one of another machine might take minutes to answer.
    ! port_answers "$address" "$port" || fail "port $port is in use; say another: FOOTFALL_LISTEN=tcp:127.0.0.1:8080 ./start.sh local $1"
    # The X-Request-ID that nginx sends is its own (config/nginx/routes.conf).
    export FOOTFALL_LISTEN="unix:$run/sockets/{slot}.sock" FOOTFALL_OPS_LISTEN="unix:$run/ops-{pid}.sock" \
        FOOTFALL_PROXY_REQUEST_ID=on
    # Shorter than nginx waits for an answer, unless somebody has chosen another: when the store
    # hangs, it is the replica that asked it who says that the outcome is unknown.
    if target/start/footfall config | grep -q '^FOOTFALL_STORE_TIMEOUT .* built-in default$'; then
        export FOOTFALL_STORE_TIMEOUT=700ms
    fi
    # Links in mails lead to nginx, unless somebody has said where to.
    if target/start/footfall config | grep -q '^FOOTFALL_PUBLIC_URL .*built-in default$'; then
        export FOOTFALL_PUBLIC_URL=$public
        case "$public" in
            http://0.0.0.0:* | 'http://[::]:'*) FOOTFALL_PUBLIC_URL=http://localhost:$port ;;
        esac
    fi
    # In process groups of their own: Ctrl-C is for this script alone, which ends them in their order.
    set -m
    for ((replica = 0; replica < $1; replica++)); do
        target/start/footfall serve &
        processes+=($!)
    done
    set +m
    # Clients of an nginx with nobody behind it would see 502. Ten seconds at most: a replica that
    # cannot count may leave its slot to the others.
    for ((tries = 0; tries < 100; tries++)); do
        require_all
        [ "$(find "$run/sockets" -type s | count)" -lt "$1" ] || break
        sleep 0.1
    done
    set -m
    nginx -e stderr -c "$run/nginx.conf" &
    set +m
    nginx=$!
    processes+=("$nginx")
    print_local "$public" ""
    # The bash of macOS has no `wait -n`.
    while :; do
        require_all
        sleep 0.5
    done
}

configure_nginx() { # ADDRESS
    sed "s|/run/footfall/|$run/sockets/|" config/nginx/footfall.conf >"$run/footfall.conf"
    cat >"$run/nginx.conf" <<END
$([ "$(id -u)" != 0 ] || echo "user root;")
daemon off;
# A slow client does not keep Ctrl-C waiting.
worker_shutdown_timeout 10s;
pid $run/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
    client_body_temp_path $run/client_body; proxy_temp_path $run/proxy;
    fastcgi_temp_path $run/fastcgi; uwsgi_temp_path $run/uwsgi; scgi_temp_path $run/scgi;
    access_log off;
    include $run/footfall.conf;
    server {
        listen $1;
        set \$footfall footfall;
        include "$PWD/config/nginx/routes.conf";
    }
}
END
}

# All end with the first that does.
require_all() {
    local process name=replica status=0
    for process in "${processes[@]}"; do
        ! kill -0 "$process" 2>/dev/null || continue
        [ "$process" != "$nginx" ] || name=nginx
        wait "$process" || status=$?
        fail "a process has ended ($name, exit code $status); its message is above"
    done
}

stop_local() {
    trap '' INT TERM HUP
    # nginx goes first, so that no client meets a replica that is gone. More than once: a QUIT that
    # comes before nginx has its handler may be lost, and one that was stopped would not hear of it.
    # Its workers take 10 seconds at most.
    local tries
    for ((tries = 0; tries < 150; tries++)); do
        if [ -z "$nginx" ] || ! kill -QUIT "$nginx" 2>/dev/null; then break; fi
        kill -CONT -- "-$nginx" 2>/dev/null || true
        sleep 0.1
    done
    # Its workers outlive a master that was killed.
    [ -z "$nginx" ] || kill -KILL -- "-$nginx" 2>/dev/null || true
    if [ "${#processes[@]}" != 0 ]; then
        kill "${processes[@]}" 2>/dev/null || true
        # One that was stopped would not hear of it.
        kill -CONT "${processes[@]}" 2>/dev/null || true
    fi
    wait || true
    rm -rf "$run"
}

# Docker ------------------------------------------------------------------------------------------

project=footfall

# As a command of Docker's name, or as the engine behind Docker's own command.
is_podman() {
    # Else the complaint that there is none would be searched, with the path of this script in it.
    command -v docker >/dev/null && [[ $(docker --version 2>&1; docker version --format '{{range .Server.Components}}{{.Name}} {{end}}' 2>&1) == *[Pp]odman* ]]
}

engine_answers() { command -v docker >/dev/null && docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

require_engine() {
    command -v docker >/dev/null || fail "docker is missing; see https://docs.docker.com/engine/install/, or run ./start.sh local"
    ! is_podman || fail "docker is Podman here, and the stacks are made for Docker's own engine: install that, see https://docs.docker.com/engine/install/, or run ./start.sh local"
    local answer version major minor
    answer=$(docker version --format '{{.Server.Version}}' 2>&1) ||
        fail "no Docker engine answers (${answer##*$'\n'}); start it, or run ./start.sh local"
    version=${answer##*$'\n'}
    [[ $version =~ ^[0-9]+\.[0-9]+ ]] || return 0
    IFS=. read -r major minor _ <<<"$version"
    ((major > 20 || (major == 20 && minor >= 10))) ||
        fail "the Docker engine is $version; the stack needs 20.10 or newer"
}

# Compose v2, or docker-compose 1.29.
find_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    elif command -v docker-compose >/dev/null; then
        compose=(docker-compose)
        local version
        version=$(docker-compose version --short)
        [[ $version == 1.29.* || $version == [2-9]* || $version == v[2-9]* ]] ||
            fail "docker-compose is $version; the stack needs 1.29 or newer"
    else
        fail "neither docker compose nor docker-compose is there; see https://docs.docker.com/compose/install/"
    fi
    [ -e .env ] || fail ".env is missing; get it back with: git checkout .env"
    compose+=(--project-name "$project" --env-file .env)
}

# The stacks with a database give replicas settings (of accounts) that an older image refuses as misspelt.
require_newer() { # IMAGE
    local help
    help=$(docker run --rm --network none "$1" migrate --help 2>/dev/null) || return 0
    [[ $help != *Usage:* || $help == *--public-url* ]] ||
        fail "nothing was started: the image $1 is older than this checkout, and knows no accounts; name a newer one, or for footfall:latest: docker build -f docker/Dockerfile.optimized -t footfall:latest ."
}

# What Compose makes of its files, the environment and .env: `image IMAGE`, `redis URL`, `database URL`,
# `owner URL`, `profile NAME`, `public URL`, `smtp set` and, of each published port, `port SERVICE TARGET PORT ADDRESS`. Both docker-compose 1.29 and Compose v2 print
# services two spaces deep and what they have four; a port is a map, to 1.29 also
# ADDRESS:PORT:TARGET/tcp.
stack_values() {
    "${compose[@]}" "${files[@]}" config | awk '
        /^[^ ]/ { section = $1 }
        section != "services:" { next }
        /^  [^ ]/ { service = $1; sub(/:.*/, "", service) }
        /^    [^ -]/ { key = $1 }
        { gsub(/["\047]/, "") }
        service == "footfall" && key == "image:" { print "image", $2 }
        service == "footfall" && key == "environment:" && $1 == "REDIS_URL:" { print "redis", $2 }
        service == "footfall" && key == "environment:" && $1 == "DATABASE_URL:" { print "database", $2 }
        service == "footfall" && key == "environment:" && $1 == "FOOTFALL_ENV:" { print "profile", $2 }
        service == "footfall" && key == "environment:" && $1 == "FOOTFALL_PUBLIC_URL:" { print "public", $2 }
        service == "footfall" && key == "environment:" && $1 ~ /^FOOTFALL_SMTP_URL(_FILE)?:$/ && $2 != "" { print "smtp set" }
        service == "init-database" && key == "environment:" && $1 == "DATABASE_URL:" { print "owner", $2 }
        key != "ports:" { next }
        sub(/^ *- /, "") { address = published = target = "" }
        $1 == "host_ip:" { address = $2 }
        $1 == "published:" { published = $2 }
        $1 == "target:" { target = $2 }
        /\/(tcp|udp)$/ {
            sub(/\/.*/, "")
            parts = split($0, part, ":")
            target = part[parts]
            published = part[parts - 1]
            address = substr($0, 1, length($0) - length(published ":" target) - 1)
        }
        published != "" && target != "" { print "port", service, target, published, address; target = "" }'
}

ask_compose() {
    values=$(stack_values) || fail "the settings of the stack are wrong; the reason is above"
}

# A value of these: the rest of the line that begins so.
value_of() { sed -n "s/^$1 //p" <<<"$values"; } # WHAT

# Those of nginx first, HTTP before TLS.
published_ports() { value_of port | sort -k 2,2n; }

# The machine itself, as a container would look for it: there it is the container.
require_reachable() { # NAME URL WHAT
    local itself
    itself=$(printf '%s\n' "$2" | tr '[:upper:]' '[:lower:]' | awk '
        /^[a-z+]*unix:/ { print "a Unix socket"; exit }
        {
            sub(/^[^:]*:\/\//, "")
            sub(/[\/?#].*/, "")
            sub(/.*@/, "")
            hosts = split($0, host, ",")
        }
        END {
            for (i = 1; i <= hosts; i++) {
                sub(/:[0-9]*$/, "", host[i])
                if (host[i] ~ /^(([^:]*\.)?localhost[46]?(\.localdomain[46]?)?|ip6-(localhost|loopback)|127[.0-9]*|0|0\.0\.0\.0)\.?$/ ||
                    host[i] ~ /^\[[0:]*:[0:]*1?\]$/ || host[i] ~ /^\[[0:]*:ffff:(127\.[.0-9]*|7f..:[0-9a-f]*)\]$/) {
                    print host[i]
                    exit
                }
            }
        }')
    [ -z "$itself" ] || fail "$1 leads to $itself, which in a container is the container itself: unset it to use the $3 of the stack, or name an address that containers reach, such as that of this machine in its network (with Docker Desktop host.docker.internal)"
}

# Compose and Swarm have the same volumes: two Redis on one would destroy it.
require_no_other() { # LABEL NAME
    [ -z "$(docker ps -aq --filter "label=$1=$project" --filter status=running)" ] ||
        fail "$2 runs here, with the same volumes; ./start.sh stop first"
}

is_running() { # SERVICE
    [ -n "$(docker ps -q --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$1")" ]
}

# Checks each port that the stack would publish.
require_ports() { # STACK
    local service target port address setting hint
    while read -r service target port address; do
        setting="" hint=""
        case "$service:$target" in
            nginx:80) setting=HTTP_PORT hint=8080 ;;
            nginx:443) setting=HTTPS_PORT hint=8443 ;;
        esac
        [[ $port =~ ^[1-9][0-9]*$ ]] || fail "${setting:-the port of $service} is $port; say one port"
        case "$address" in
            "" | 0.0.0.0 | ::) address=127.0.0.1 ;;
        esac
        if ! is_running "$service" && port_answers "$address" "$port"; then
            fail "port $port is in use by something else; stop that${setting:+, or say another: $setting=$hint ./start.sh $1}"
        fi
    done < <(published_ports)
}

# Service, state and health of all containers of the project.
containers() {
    docker ps -a --filter "label=com.docker.compose.project=$project" \
        --format '{{.Label "com.docker.compose.service"}} {{.State}} {{.Status}}'
}

# Waits until every container is healthy, for two minutes at most, and leaves in $waiting which are
# not. The database alone is no reason to fail: visits are counted without.
wait_until_healthy() {
    local said="" tries
    for ((tries = 0; tries < 240; tries++)); do
        waiting=$(containers | awk '
            $1 ~ /^init/ && $2 == "exited" && /Exited \(0\)/ { next }
            $2 == "running" && !/\((unhealthy|health: starting)\)/ { next }
            { print $1 }' | sort -u | tr '\n' ' ')
        [ -n "$waiting" ] || return 0
        [ "$waiting" = "$said" ] || echo "Waiting for: $waiting"
        said=$waiting
        sleep 0.5
    done
    ! tr ' ' '\n' <<<"$waiting" | grep -qvxE '(postgres|init-database|postgres-exporter)?'
}

give_up() {
    echo >&2
    containers | awk '$1 != "init" && ($2 != "running" || /unhealthy/) { print $1 }' | sort -u | while read -r service; do
        echo "The last words of $service:" >&2
        "${compose[@]}" "${files[@]}" logs --tail=5 --no-color "$service" >&2 || true
    done
    if [ -z "$was_running" ]; then
        "${compose[@]}" "${files[@]}" down --remove-orphans >/dev/null 2>&1 || true
        fail "the stack did not start; it was taken down again, its data is kept"
    fi
    fail "the stack did not start as a whole; docker ps -a shows what runs"
}

require_slots() { # REPLICAS
    if ! [[ $1 =~ ^[1-9][0-9]?$ ]] || (($1 > 32)); then
        fail "$1 replicas: there are slots for 1 to 32"
    fi
}

# Unless told otherwise, a start again changes neither the number of replicas nor TLS.
keep_what_runs() {
    local nginx replicas
    replicas=$(docker ps -q --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.service=footfall | count)
    nginx=$(docker ps -q --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.service=nginx)
    [ -n "$nginx" ] || return 0
    [ "$replicas" = 0 ] || REPLICAS=${REPLICAS:-$replicas}
    if [ -z "${TLS_DIR+set}" ]; then
        TLS_DIR=$(docker inspect --format \
            '{{range .Mounts}}{{if eq .Destination "/etc/nginx/tls"}}{{.Source}}{{end}}{{end}}' "$nginx")
    fi
}

use_tls() {
    local directory
    directory=$(cd "$TLS_DIR" 2>/dev/null && pwd) || fail "TLS_DIR: there is no directory $TLS_DIR"
    if ! [ -e "$directory/tls.crt" ] || ! [ -e "$directory/tls.key" ]; then
        fail "TLS_DIR: $directory has no tls.crt and tls.key; config/tls/self-signed.sh makes them"
    fi
    export TLS_DIR=$directory
    files+=(-f compose/docker-compose.tls.yaml)
}

refuse_settings() {
    [ -n "$was_running" ] || "${compose[@]}" "${files[@]}" down >/dev/null 2>&1 || true
    [ -z "$(value_of owner)" ] || require_newer "$image"
    fail "nothing was started; the reason is above, settings are in .env"
}

start_compose() { # STACK
    require_engine
    find_compose
    require_no_other com.docker.stack.namespace "the Swarm stack"
    local name=$1 scale values image answer environment="" username=""
    keep_what_runs
    scale=${REPLICAS:-2}
    case "$1" in
        basic) files=(-f compose/docker-compose.yaml) ;;
        *) files=(-f "compose/docker-compose.$1.yaml") ;;
    esac
    case "$1" in
        basic | monitoring)
            scale=1
            [ "${REPLICAS:-1}" = 1 ] || fail "several replicas stand behind nginx: ./start.sh nginx, or full"
            files+=(-f compose/docker-compose.direct.yaml)
            ;;
        *)
            [ -z "${TLS_DIR-}" ] || use_tls
            ;;
    esac
    require_slots "$scale"
    was_running=$(docker ps -q --filter "label=com.docker.compose.project=$project")
    ask_compose
    if [ "$name" = full ] && [ "$(value_of profile)" = development ] && [ -z "$(value_of smtp)" ]; then
        files+=(-f compose/docker-compose.mail.yaml)
        ask_compose
    fi
    [[ $values == *"port "* ]] || fail "this shows no published port, which is not understood: ${compose[*]} ${files[*]} config"
    require_reachable REDIS_URL "$(value_of redis)" Redis
    require_reachable DATABASE_URL "$(value_of database)" PostgreSQL
    require_reachable DATABASE_OWNER_URL "$(value_of owner)" PostgreSQL
    require_ports "$name"
    local base="" open=""
    find_address
    # In production nobody guesses it: links in mails open accounts. Nor where it would be what replicas
    # take anyway: to Compose alone (`docker-compose up --scale`) it would look like another setting, and
    # all replicas would be made anew at once.
    if [ -z "$(value_of public)" ] && [ "$(value_of profile)" != production ] && [ "$base" != http://localhost ]; then
        export FOOTFALL_PUBLIC_URL=$base
    fi

    image=$(value_of image)
    if docker image inspect "$image" >/dev/null 2>&1; then
        :
    elif [ "$image" != footfall:latest ]; then
        docker pull "$image" || fail "there is no image $image here, and it cannot be pulled"
    else
        echo "Building the image from source; this takes some minutes, once."
        "${compose[@]}" "${files[@]}" build footfall || fail "the image was not built; the reason is above"
    fi
    trap 'echo; echo "Interrupted." >&2; give_up' INT TERM
    [ -z "$(value_of owner)" ] || make_passwords
    # Wrong settings, and demo secrets in production, end here with one message each.
    local asked=("${compose[@]}" "${files[@]}" run --rm --no-deps -T footfall config)
    if answer=$("${asked[@]}" FOOTFALL_ENV FOOTFALL_ADMIN_USERNAME 2>/dev/null); then
        { read -r environment; read -r username; } <<<"$answer"
    else
        # An image that is older than this script may know no names here.
        answer=$("${asked[@]}") || refuse_settings
        environment=$(awk '$1 == "FOOTFALL_ENV" { print $2 }' <<<"$answer")
        username="the one account"
    fi

    echo "Starting the stack '$name', replicas: $scale."
    "${compose[@]}" "${files[@]}" up -d --remove-orphans --scale "footfall=$scale" || give_up
    local waiting=""
    wait_until_healthy || give_up
    trap - INT TERM
    print_stack "$name"
    [ -z "$waiting" ] ||
        fail "visits are counted, but the database is not ready (${waiting% }): docs/postgres.md, \"When something is wrong\""
}

# Of PostgreSQL's roles, each in a file that containers may read and, but for the user of this script,
# nobody else on this machine may reach. What is there is never changed.
make_passwords() {
    local folder=config/postgres/secrets name
    chmod 700 "$folder" || fail "$folder is to be open to you alone, and chmod 700 does not make it so"
    for name in database_password database_owner_password database_monitor_password; do
        if [ -f "$folder/$name" ] && [ -s "$folder/$name" ]; then continue; fi
        # An engine that was started without it has made a folder of this name.
        rmdir "$folder/$name" 2>/dev/null || true
        { random_key | tr -d '\n' >"$folder/$name.new" && chmod 444 "$folder/$name.new" &&
            mv -f "$folder/$name.new" "$folder/$name"; } || fail "$folder/$name was not made; the reason is above"
        echo "Made the password $folder/$name."
        ! docker volume inspect "${project}_postgres" >/dev/null 2>&1 ||
            echo "The volume ${project}_postgres is older, and has another: docs/postgres.md, \"Change the passwords\"." >&2
    done
}

# Sets base to where the stack is found, and open if others reach it.
find_address() {
    local target port address
    # Of HTTP and TLS, TLS is shown.
    while read -r _ target port address; do
        case "$address" in
            127.0.0.1 | ::1) address=localhost ;;
            127.*) ;;
            "" | 0.0.0.0 | ::) address=localhost open=1 ;;
            *:*) address="[$address]" open=1 ;;
            *) open=1 ;;
        esac
        case "$target" in
            80 | 8000) base=http://$address:$port ;;
            443) base=https://$address:$port ;;
        esac
    done < <(published_ports)
    case "$base" in
        http:*:80) base=${base%:80} ;;
        https:*:443) base=${base%:443} ;;
    esac
}

print_stack() { # STACK
    echo
    echo "  Home page    $base/"
    echo "  Console      $base/console/"
    echo "  Swagger UI   $base/swagger/"
    case "$1" in
        monitoring | full)
            echo "  Prometheus   http://localhost:9090/"
            echo "  Grafana      http://localhost:3000/    as admin; the password is GRAFANA_PASSWORD of .env, as shipped: password"
            ;;
    esac
    [[ $values != *"port mail "* ]] || echo "  Mails        http://localhost:8025/    all of them: they are caught, and sent to nobody"
    echo "  Log in       as $username; the password is that of .env, as shipped: password"
    echo
    if [ "$environment" != production ] && [ -n "$open" ]; then
        echo "These are demo secrets, and others in your network reach this port: docs/operations.md, \"For production\"."
    fi
    echo "./start.sh stop stops it; counts are kept."
}

# Swarm -------------------------------------------------------------------------------------------

# In one line: base64 breaks lines after 76 characters, and this has 64.
random_key() { head -c 48 /dev/urandom | base64; }

# A secret of this name, from VALUE where it is given. An existing one is never changed.
ensure_secret() { # NAME VALUE VARIABLE
    local value=$2
    if docker secret inspect "$1" >/dev/null 2>&1; then
        [ -z "$2" ] || fail "the secret $1 is there already and cannot change; unset $3, or say another name (docs/swarm.md)"
        return
    fi
    [ -n "$value" ] || value=$(random_key)
    printf %s "$value" | docker secret create "$1" - >/dev/null || fail "the secret $1 was not made; the reason is above"
    case "${2:+given} $3" in
        # People log in with these.
        " FOOTFALL_ADMIN_PASSWORD" | " GRAFANA_PASSWORD") echo "Made the secret $1; it is shown this once: $value" ;;
        *) echo "Made the secret $1." ;;
    esac
}

# A name for the content of files: other content, other name.
content() { # FILE…
    local digest=(sha256sum)
    # macOS has the other.
    command -v sha256sum >/dev/null || digest=(shasum -a 256)
    cat "$@" | "${digest[@]}" | cut -c 1-12
}

# What the running stack was deployed with is what the next deploy means, unless told otherwise.
keep_what_is_deployed() {
    local service=${project}_footfall name target
    local secrets='{{range .Spec.TaskTemplate.ContainerSpec.Secrets}}{{println .SecretName .File.Name}}{{end}}'
    docker service inspect "$service" >/dev/null 2>&1 || return 0
    deployed() { docker service inspect --format "$1" "${2:-$service}" 2>/dev/null; }
    variable() { # NAME [SERVICE]
        deployed '{{range .Spec.TaskTemplate.ContainerSpec.Env}}{{println .}}{{end}}' "${2:-$service}" | sed -n "s/^$1=//p"
    }
    : "${IMAGE:=$(deployed '{{.Spec.TaskTemplate.ContainerSpec.Image}}')}"
    : "${REPLICAS:=$(deployed '{{.Spec.Mode.Replicated.Replicas}}')}"
    : "${REDIS_REPLICAS:=$(deployed '{{.Spec.Mode.Replicated.Replicas}}' "${project}_redis")}"
    : "${REDIS_URL:=$(variable REDIS_URL)}"
    : "${POSTGRES_REPLICAS:=$(deployed '{{.Spec.Mode.Replicated.Replicas}}' "${project}_postgres")}"
    : "${DATABASE_URL:=$(variable DATABASE_URL)}"
    : "${DATABASE_OWNER_URL:=$(variable DATABASE_URL "${project}_init-database")}"
    : "${POSTGRES_EXPORTER_URI:=$(variable DATA_SOURCE_URI "${project}_postgres-exporter")}"
    : "${REDIS_EXPORTER_ADDR:=$(variable REDIS_EXPORTER_ADDR "${project}_redis-exporter")}"
    : "${ADMIN_USERNAME:=$(variable FOOTFALL_ADMIN_USERNAME)}"
    : "${FOOTFALL_SENTRY_DSN=$(variable FOOTFALL_SENTRY_DSN)}"
    : "${FOOTFALL_STORE_TIMEOUT:=$(variable FOOTFALL_STORE_TIMEOUT)}"
    : "${FOOTFALL_REGISTRATION:=$(variable FOOTFALL_REGISTRATION)}"
    : "${FOOTFALL_PUBLIC_URL:=$(variable FOOTFALL_PUBLIC_URL)}"
    : "${FOOTFALL_MAIL_FROM:=$(variable FOOTFALL_MAIL_FROM)}"
    : "${FOOTFALL_CORS_ORIGINS=$(variable FOOTFALL_CORS_ORIGINS)}"
    : "${FOOTFALL_PASSWORD_MIN_LENGTH:=$(variable FOOTFALL_PASSWORD_MIN_LENGTH)}"
    : "${PROXY_SUBNET:=$(variable FOOTFALL_TRUSTED_PROXIES)}"
    : "${NGINX_CALLER_RATE:=$(variable NGINX_CALLER_RATE "${project}_nginx")}"
    : "${NGINX_CALLER_BURST:=$(variable NGINX_CALLER_BURST "${project}_nginx")}"
    : "${NGINX_ADDRESS_RATE:=$(variable NGINX_ADDRESS_RATE "${project}_nginx")}"
    : "${NGINX_ADDRESS_BURST:=$(variable NGINX_ADDRESS_BURST "${project}_nginx")}"
    : "${NGINX_COLLECT_RATE:=$(variable NGINX_COLLECT_RATE "${project}_nginx")}"
    : "${NGINX_COLLECT_BURST:=$(variable NGINX_COLLECT_BURST "${project}_nginx")}"
    while read -r name target; do
        case "$target" in
            secret_key) : "${SECRET_KEY_NAME:=$name}" ;;
            secret_key_previous) : "${SECRET_KEY_PREVIOUS_NAME:=$name}" ;;
            admin_password) : "${ADMIN_PASSWORD_NAME:=$name}" ;;
            database_password) : "${DATABASE_PASSWORD_NAME:=$name}" ;;
            smtp_url) : "${SMTP_URL_NAME:=$name}" ;;
        esac
    done < <(deployed "$secrets")
    while read -r name target; do
        case "$target" in
            database_owner_password) : "${DATABASE_OWNER_PASSWORD_NAME:=$name}" ;;
            database_monitor_password) : "${DATABASE_MONITOR_PASSWORD_NAME:=$name}" ;;
        esac
    done < <(deployed "$secrets" "${project}_postgres")
    # Once the replicas' password was Grafana's, too: where it is, it stays.
    read -r name target < <(deployed "$secrets" "${project}_grafana") || true
    : "${GRAFANA_PASSWORD_NAME:=$name}"
}

# The one node that keeps data: a second would begin from nothing.
require_data_node() {
    local nodes
    nodes=$(docker node ls -q --filter node.label=footfall.data=true | count)
    if [ "$nodes" = 0 ]; then
        docker node update --label-add footfall.data=true "$(docker info --format '{{.Swarm.NodeID}}')" >/dev/null
        echo "This node keeps the data (its label is footfall.data=true)."
    elif [ "$nodes" != 1 ]; then
        fail "$nodes nodes have the label footfall.data=true; the data is on one of them: docker node update --label-rm footfall.data NODE"
    fi
}

# Services that are not as they should be, with what they are. Empty: all is well.
unfinished() { # SINCE: an update that ended before is not ours
    # Desired and running tasks, as 2/2; a job has (1/1 completed) behind.
    docker stack services "$project" --format '{{.Name}} {{.Replicas}}' | awk '
        /completed/ { split($3, n, /[(\/]/); if (n[2] > 0) next; print $1; next }
        { split($2, n, "/"); if (n[1] != n[2] || n[2] == 0 && $1 !~ /_(redis|postgres)$/) print $1 }'
    docker stack services -q "$project" | xargs docker service inspect \
        --format '{{.Spec.Name}} {{with .UpdateStatus}}{{.State}} {{.StartedAt.UTC.Format "2006-01-02T15:04:05"}}{{end}}' |
        awk -v since="$1" '$2 == "updating" || $2 != "" && $2 != "completed" && $3 >= since { print $1 ":" $2 }'
}

start_swarm() {
    require_engine
    [ "$(docker info --format '{{.Swarm.ControlAvailable}}')" = true ] ||
        fail "this engine is no manager of a swarm; make it one with: docker swarm init"
    require_no_other com.docker.compose.project "the Compose stack"
    keep_what_is_deployed
    require_reachable REDIS_URL "${REDIS_URL-}" Redis
    require_reachable DATABASE_URL "${DATABASE_URL-}" PostgreSQL
    require_reachable DATABASE_OWNER_URL "${DATABASE_OWNER_URL-}" PostgreSQL
    export REDIS_URL IMAGE=${IMAGE:-footfall:latest} IMAGE_ID DATABASE_URL DATABASE_OWNER_URL
    IMAGE_ID=$(docker image inspect --format '{{.Id}}' "$IMAGE" 2>/dev/null) || {
        docker pull "$IMAGE" || fail "there is no image $IMAGE here, and it cannot be pulled; for footfall:latest: docker build -f docker/Dockerfile.optimized -t footfall:latest ."
        IMAGE_ID=$(docker image inspect --format '{{.Id}}' "$IMAGE")
    }
    # Wrong values end here, and not as a secret that no replica starts with. They are in no
    # command line, which everyone on this machine may read.
    FOOTFALL_ENV=production SECRET_KEY=${SECRET_KEY:-$(random_key)} FOOTFALL_ADMIN_PASSWORD=${FOOTFALL_ADMIN_PASSWORD:-given later} \
        FOOTFALL_ADMIN_USERNAME=${ADMIN_USERNAME:-admin} FOOTFALL_TRUSTED_PROXIES=${PROXY_SUBNET:-10.89.7.0/24} \
        FOOTFALL_SENTRY_DSN=${FOOTFALL_SENTRY_DSN-} FOOTFALL_STORE_TIMEOUT=${FOOTFALL_STORE_TIMEOUT:-700ms} \
        REDIS_URL=${REDIS_URL:-redis://redis:6379} DATABASE_URL=${DATABASE_URL:-postgres://footfall@postgres/footfall} \
        FOOTFALL_DATABASE_PASSWORD=${FOOTFALL_DATABASE_PASSWORD:-given later} \
        FOOTFALL_SMTP_URL=${FOOTFALL_SMTP_URL:-${SMTP_URL_NAME:+smtp://given.later.example}} FOOTFALL_REGISTRATION=${FOOTFALL_REGISTRATION:-invite} \
        FOOTFALL_PUBLIC_URL=${FOOTFALL_PUBLIC_URL-} FOOTFALL_MAIL_FROM=${FOOTFALL_MAIL_FROM:-Footfall <footfall@localhost>} \
        FOOTFALL_CORS_ORIGINS=${FOOTFALL_CORS_ORIGINS-} FOOTFALL_PASSWORD_MIN_LENGTH=${FOOTFALL_PASSWORD_MIN_LENGTH:-15} \
        docker run --rm --network none -e FOOTFALL_ENV -e SECRET_KEY -e FOOTFALL_ADMIN_PASSWORD -e REDIS_URL \
        -e FOOTFALL_SMTP_URL -e FOOTFALL_REGISTRATION -e FOOTFALL_PUBLIC_URL -e FOOTFALL_MAIL_FROM -e FOOTFALL_CORS_ORIGINS -e FOOTFALL_PASSWORD_MIN_LENGTH \
        -e DATABASE_URL -e FOOTFALL_DATABASE_PASSWORD -e FOOTFALL_ADMIN_USERNAME -e FOOTFALL_TRUSTED_PROXIES -e FOOTFALL_SENTRY_DSN -e FOOTFALL_STORE_TIMEOUT "$IMAGE" config >/dev/null || {
        require_newer "$IMAGE"
        fail "nothing was deployed; the reason is above"
    }
    require_data_node
    ensure_secret "${SECRET_KEY_NAME:-footfall_secret_key}" "${SECRET_KEY-}" SECRET_KEY
    ensure_secret "${ADMIN_PASSWORD_NAME:-footfall_admin_password}" "${FOOTFALL_ADMIN_PASSWORD-}" FOOTFALL_ADMIN_PASSWORD
    ensure_secret "${GRAFANA_PASSWORD_NAME:-footfall_grafana_password}" "${GRAFANA_PASSWORD-}" GRAFANA_PASSWORD
    ensure_secret "${DATABASE_PASSWORD_NAME:-footfall_database_password}" "${FOOTFALL_DATABASE_PASSWORD-}" FOOTFALL_DATABASE_PASSWORD
    ensure_secret "${DATABASE_OWNER_PASSWORD_NAME:-footfall_database_owner_password}" "${DATABASE_OWNER_PASSWORD-}" DATABASE_OWNER_PASSWORD
    ensure_secret "${DATABASE_MONITOR_PASSWORD_NAME:-footfall_database_monitor_password}" "${DATABASE_MONITOR_PASSWORD-}" DATABASE_MONITOR_PASSWORD
    # Nobody could make one by chance: without it no mail is sent.
    local files=(-c compose/docker-compose.swarm.yaml)
    if [ -n "${FOOTFALL_SMTP_URL-}${SMTP_URL_NAME-}" ]; then
        SMTP_URL_NAME=${SMTP_URL_NAME:-footfall_smtp_url}
        [ -z "${FOOTFALL_SMTP_URL-}" ] || ensure_secret "$SMTP_URL_NAME" "$FOOTFALL_SMTP_URL" FOOTFALL_SMTP_URL
        files+=(-c compose/docker-compose.swarm-mail.yaml)
    fi
    SECRET_KEY_PREVIOUS_NAME=${SECRET_KEY_PREVIOUS_NAME:-${SECRET_KEY_NAME:-footfall_secret_key}}
    REDIS_CONFIG=$(content config/redis.conf)
    POSTGRES_CONFIG=$(content config/postgres/postgresql.conf config/postgres/initdb.d/*.sql)
    NGINX_CONFIG=$(content config/nginx.conf config/nginx/{footfall,routes,swarm}.conf)
    PROMETHEUS_CONFIG=$(content config/prometheus.yml config/prometheus/rules/*.yml)
    GRAFANA_CONFIG=$(content grafana/provisioning/*/*.yaml grafana/dashboards/*.json)
    export REPLICAS REDIS_REPLICAS REDIS_EXPORTER_ADDR ADMIN_USERNAME FOOTFALL_SENTRY_DSN \
        FOOTFALL_REGISTRATION FOOTFALL_PUBLIC_URL FOOTFALL_MAIL_FROM FOOTFALL_CORS_ORIGINS FOOTFALL_PASSWORD_MIN_LENGTH SMTP_URL_NAME \
        FOOTFALL_STORE_TIMEOUT PROXY_SUBNET SECRET_KEY_NAME \
        NGINX_CALLER_RATE NGINX_CALLER_BURST NGINX_ADDRESS_RATE NGINX_ADDRESS_BURST NGINX_COLLECT_RATE NGINX_COLLECT_BURST \
        SECRET_KEY_PREVIOUS_NAME ADMIN_PASSWORD_NAME GRAFANA_PASSWORD_NAME \
        POSTGRES_REPLICAS POSTGRES_EXPORTER_URI DATABASE_PASSWORD_NAME DATABASE_OWNER_PASSWORD_NAME DATABASE_MONITOR_PASSWORD_NAME \
        REDIS_CONFIG POSTGRES_CONFIG NGINX_CONFIG PROMETHEUS_CONFIG GRAFANA_CONFIG
    local since
    since=$(date -u +%FT%T)
    docker stack deploy --prune --with-registry-auth --resolve-image never \
        "${files[@]}" "$project" || fail "the stack was not deployed; the reason is above"

    local waiting said="" tries
    for ((tries = 0; tries < 1200; tries++)); do
        waiting=$(unfinished "$since" | tr '\n' ' ')
        [ -n "$waiting" ] || break
        [[ $waiting != *:paused* && $waiting != *:rollback_* ]] || break
        [ "$waiting" = "$said" ] || echo "Waiting for: $waiting"
        said=$waiting
        sleep 0.5
    done
    [ -z "$waiting" ] || fail "not as it should be: $waiting; docker stack ps $project says why"
    echo
    echo "  Home page    http://localhost/, and port 80 of every node"
    echo "  Console      http://localhost/console/"
    echo "  Prometheus   port 9090 of the node that keeps the data"
    echo "  Grafana      port 3000 there, as admin; the password is the one it was first deployed with"
    echo "  These two are open to whoever reaches that node: docs/swarm.md, \"Who reaches what\"."
    echo
    echo "./start.sh stop removes the stack; volumes and secrets stay."
}

# Now and then the engine keeps the place of a container that is gone, if it ended just while it was started.
# Its network cannot be removed until that place is given up.
remove_network() { # NETWORK
    ! docker network rm "$1" >/dev/null 2>&1 || return 0
    local container
    for container in $(docker network inspect -f '{{range .Containers}}{{.Name}} {{end}}' "$1"); do
        docker container inspect "$container" >/dev/null 2>&1 || docker network disconnect --force "$1" "$container"
    done
    docker network rm "$1" >/dev/null
}

stop() {
    require_engine
    local stopped=
    if docker stack ls --format '{{.Name}}' 2>/dev/null | grep -qx "$project"; then
        docker stack rm "$project"
        # The command returns at once; a stack deployed before all is gone would find half of it.
        local label="label=com.docker.stack.namespace=$project" tries
        for ((tries = 0; tries < 240; tries++)); do
            [ -n "$(docker ps -q --filter "$label")$(docker network ls -q --filter "$label")" ] || break
            sleep 0.5
        done
        stopped=1
    fi
    local compose_label="label=com.docker.compose.project=$project" service containers networks network
    if [ -n "$(docker ps -aq --filter "$compose_label")" ]; then
        # nginx first, so that no client meets a replica that is gone, and Redis last.
        for service in nginx footfall '' ; do
            containers=$(docker ps -aq --filter "$compose_label" ${service:+--filter "label=com.docker.compose.service=$service"})
            [ -z "$containers" ] || xargs docker stop -t 45 <<<"$containers" >/dev/null
        done
        docker ps -aq --filter "$compose_label" | xargs docker rm >/dev/null
        stopped=1
    fi
    networks=$(docker network ls -q --filter "$compose_label")
    for network in $networks; do
        remove_network "$network"
    done
    if [ -n "$stopped" ]; then
        echo "Stopped. Counts are kept in the volume ${project}_redis."
    else
        echo "Nothing was running."
    fi
}

[ $# -le 2 ] || usage
[ $# -le 1 ] || [ "$1" = local ] || usage
case "${1-}" in
    "")
        if is_podman; then
            echo "docker is Podman here, and the stacks are made for Docker's own engine: starting the local service from source."
            start_local
        elif engine_answers; then
            echo "A Docker engine answers: starting the full stack. ./start.sh local would do without."
            start_compose full
        else
            echo "No Docker engine answers: starting the local service from source."
            start_local
        fi
        ;;
    local)
        require_slots "${2-1}"
        if [ "${2-1}" = 1 ]; then start_local; else start_local_replicas "$2"; fi
        ;;
    basic | nginx | monitoring | full) start_compose "$1" ;;
    swarm) start_swarm ;;
    stop) stop ;;
    *) usage ;;
esac
