#!/usr/bin/env bash
# What identities cost Redis: memory and CPU per visit, without and with them, in one run.
# Needs wrk and redis-server; builds the release binary. Takes under a minute.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in cargo wrk redis-server redis-cli curl jq; do
    command -v "$tool" >/dev/null || { echo "identities.sh: $tool is missing" >&2; exit 1; }
done
cargo build --release --locked --quiet

work=$(mktemp -d)
redis_port=6391
address=127.0.0.1:8391
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$work"' EXIT

redis-server config/redis.conf --port $redis_port --dir "$work" >/dev/null &
until redis-cli -p $redis_port ping >/dev/null 2>&1; do sleep 0.1; done
env -i REDIS_URL=redis://127.0.0.1:$redis_port FOOTFALL_ENV=testing FOOTFALL_OPS_LISTEN= \
    FOOTFALL_LISTEN=tcp:$address target/release/footfall >"$work/log" &
until curl -sf "http://$address/api/ping" >/dev/null; do sleep 0.1; done

token=$(curl -s "http://$address/auth/login" -H 'Content-Type: application/json' \
    -d '{"username":"admin","password":"password"}' | jq -r .token)

# Each wrk thread numbers its requests, and so each has a key of its own.
cat >"$work/keys.lua" <<'LUA'
local threads = 0
function setup(thread) thread:set('id', threads); threads = threads + 1 end
function init() sent = 0 end
function request()
    sent = sent + 1
    wrk.headers['Idempotency-Key'] = os.getenv('RUN') .. '-' .. id .. '-' .. sent
    return wrk.format()
end
LUA

info() { redis-cli -p $redis_port info "$1" | tr -d '\r' | awk -F: -v key="$2" '$1 == key { print $2 }'; }
cpu() { info cpu used_cpu_user_main_thread; }
system() { info cpu used_cpu_sys_main_thread; }
visits() { curl -s "http://$address/api/counters/visits" -H "Authorization: Bearer $token" | jq .visits; }

measure() {
    local name=$1 connections=$2
    shift 2
    local visits0 memory0 cpu0 system0
    visits0=$(visits) memory0=$(info memory used_memory) cpu0=$(cpu) system0=$(system)
    wrk -t 2 -c "$connections" -d 5s -H "Authorization: Bearer $token" "$@" "http://$address/api/count" >"$work/wrk"
    if grep -E 'Non-2xx|Socket errors' "$work/wrk" >&2; then
        echo "identities.sh: requests failed" >&2
        exit 1
    fi
    awk -v name="$name" -v connections="$connections" \
        -v visits="$(($(visits) - visits0))" -v memory="$(($(info memory used_memory) - memory0))" \
        -v cpu0="$cpu0" -v cpu="$(cpu)" -v sys0="$system0" -v sys="$(system)" 'BEGIN {
        printf "| %s | %d | %d | %.1f | %.2f |\n", name, connections, visits / 5,
            memory / visits, (cpu - cpu0 + sys - sys0) * 1e6 / visits
    }'
}

# The first visit creates the counter.
curl -sf "http://$address/api/count" -H "Authorization: Bearer $token" >/dev/null
echo "| Visits | Connections | Visits per second | Bytes of Redis memory per visit | µs of Redis CPU per visit |"
echo "| --- | --- | --- | --- | --- |"
for connections in 8 64; do
    measure "without identity" $connections
    RUN=$connections measure "each with its own key" $connections -s "$work/keys.lua"
done
