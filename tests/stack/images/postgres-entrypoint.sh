#!/usr/bin/env bash
# What the official image's entrypoint does at a first start, as far as the stack relies on it.
set -euo pipefail
: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}" "${POSTGRES_INITDB_ARGS:=}"

prepare() { # ARGUMENTS of the server
    local password file
    password=$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")
    [ -n "$password" ] || {
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    }
    eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=<(printf '%s\n' \"\$password\") $POSTGRES_INITDB_ARGS"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    export PGPASSWORD=$password
    pg_ctl -D "$PGDATA" -o "$(printf '%q ' "$@" -c "listen_addresses=" -p 5432)" -w start
    psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -wX -d postgres -v db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    for file in /docker-entrypoint-initdb.d/*; do
        echo "$0: running $file"
        case "$file" in
            *.sql) psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -wX -d "$POSTGRES_DB" -f "$file" ;;
            *) echo "$0: this stand-in runs *.sql only" >&2 && exit 1 ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
}

mkdir -p "$PGDATA" && chmod 700 "$PGDATA"
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    prepare "${@:2}"
fi
exec "$@"
