#!/usr/bin/env bash
# Makes a certificate for trying TLS: self-signed, so browsers warn. For real ones: docs/tls.md.
set -euo pipefail

usage() {
    cat >&2 <<'END_OF_USAGE'
usage: config/tls/self-signed.sh DIRECTORY [HOST…]

Makes DIRECTORY/tls.crt and DIRECTORY/tls.key for localhost, 127.0.0.1 and each HOST, which is a
name or an address. Nothing is overwritten.
END_OF_USAGE
    exit 2
}

fail() {
    echo "self-signed.sh: $1" >&2
    exit 1
}

[ $# -ge 1 ] || usage
case "$1" in "" | -*) usage ;; esac
directory=$1
shift
command -v openssl >/dev/null || fail "openssl is missing; on Debian and Ubuntu: apt-get install openssl"

names=DNS:localhost,IP:127.0.0.1
for host in "$@"; do
    if [[ $host =~ ^[0-9]+(\.[0-9]+){3}$ || $host =~ ^[0-9A-Fa-f:]*:[0-9A-Fa-f:]*$ ]]; then
        names+=,IP:$host
    elif [[ $host =~ ^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$ ]]; then
        names+=,DNS:$host
    else
        fail "$host is neither a name nor an address"
    fi
done

crt=$directory/tls.crt
key=$directory/tls.key
for file in "$crt" "$key"; do
    ! [ -e "$file" ] || fail "$file is there already; move it away first"
done
if ! [ -d "$directory" ]; then
    mkdir -p "$directory"
    chmod 0755 "$directory"
fi

# Both or none, and the key is never readable for others.
umask 077
new=$(mktemp -d "$directory/.new.XXXXXX")
trap 'rm -rf "$new"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 365 \
    -subj /CN=localhost -addext "subjectAltName=$names" \
    -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
    -keyout "$new/tls.key" -out "$new/tls.crt" 2>/dev/null ||
    fail "openssl makes no certificate for $names"
chmod 0644 "$new/tls.crt"
chmod 0640 "$new/tls.key"

# nginx in the container is in this group, and in no other that could read the key.
group=65532
if [ "$(id -u)" = 0 ]; then
    chgrp "$group" "$new/tls.key"
fi
mv "$new/tls.key" "$key"
mv "$new/tls.crt" "$crt"

echo "Made $crt and $key, valid for a year, for:$(printf ' %s' localhost 127.0.0.1 "$@")"
if [ "$(id -u)" != 0 ]; then
    echo "nginx in the container must be able to read the key: sudo chgrp $group '$key'"
fi
case "$(stat -c %A "$directory")" in
    *[xt]) ;;
    *) echo "nginx in the container must be able to enter the directory: chmod o+x '$directory'" ;;
esac
