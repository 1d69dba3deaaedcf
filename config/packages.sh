# shellcheck shell=bash
# Installing packages on Debian and Ubuntu; start.sh and test.sh read this.

# sudo asks for a password only where somebody can type one.
as_root() { # COMMAND…
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif (true </dev/tty) 2>/dev/null; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

can_install() {
    command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }
}

install_packages() { # PACKAGE…
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}
