#!/usr/bin/env bash
# Runs the tests of the AWS side and of the reflectors: the template, its policy and its function,
# nginx and Caddy, and autodns against all of them.
#
#     AUTODNS=target/release/autodns tests/aws/run.sh [PYTEST-ARGUMENT]...
#
# Installs what is missing into ${AUTODNS_CACHE:-~/.cache/autodns}: Python packages, and nginx and
# Caddy, unpacked from Debian's packages. Must not install anything elsewhere, start a service or
# leave a process behind. Everything it runs listens only on loopback.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() {
    printf 'run.sh: %s\n' "$1" >&2
    exit 1
}

# --- the program under test ---------------------------------------------------------------------

autodns=${AUTODNS:-}
[ -n "$autodns" ] || die 'AUTODNS is not set; build autodns with cargo and set it to the program'
if [ ! -f "$autodns" ] || [ ! -x "$autodns" ]; then
    die "AUTODNS is $autodns, which is not a program"
fi
AUTODNS=$(cd "$(dirname "$autodns")" && pwd)/$(basename "$autodns")
export AUTODNS

# --- the cache folder, and a folder for this run ------------------------------------------------

cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-${HOME:?is not set, nor is AUTODNS_CACHE}/.cache}/autodns}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

work=$(mktemp -d)
tests=
# shellcheck disable=SC2317  # the traps call it
clean_up() {
    if [ -n "$tests" ]; then
        # pytest ends the servers that it started, and then itself.
        kill -TERM "$tests" 2>/dev/null || :
        wait "$tests" || :
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# keep FROM TO: moves a complete folder. If another run has made TO already, keeps that one.
keep() {
    mv -T "$1" "$2" 2>/dev/null || [ -d "$2" ] || die "cannot write $2"
}

# --- Python packages ----------------------------------------------------------------------------

environment=$("$here/../moto/setup.sh")
python=$environment/bin/python
key=$(sha256sum <"$here/requirements.txt" | cut -c 1-16)
runner=$cache/pytest-${environment##*/}-$key
if [ ! -d "$runner" ]; then
    "$python" -m pip install --quiet --no-input --disable-pip-version-check --no-deps \
        --require-hashes --target "$work/runner" --requirement "$here/requirements.txt" \
        >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "pip could not install $here/requirements.txt; its error is above"
    }
    keep "$work/runner" "$runner"
fi

# --- web servers --------------------------------------------------------------------------------

download() (cd "$work" && apt-get download "$1")

# fetch PACKAGE FOLDER: downloads a Debian package and unpacks it. Does not install it, because that
# would start its service. On a new machine, `apt-get update` must run first, which needs root.
fetch() {
    command -v apt-get >/dev/null || die "there is no $1 and no apt-get to fetch it; install $1"
    if ! download "$1" >"$work/log" 2>&1; then
        [ "$(id -u)" = 0 ] || die "apt-get cannot download $1; as root: apt-get update"
        { apt-get update && download "$1"; } >"$work/log" 2>&1 || {
            cat "$work/log" >&2
            die "apt-get could not download $1; its error is above"
        }
    fi
    dpkg-deb --extract "$work/$1"_*.deb "$work/$1"
    keep "$work/$1" "$2"
}

# provide NAME PATH_IN_PACKAGE ARGUMENT: sets AUTODNS_TEST_<NAME> to the program on PATH, or to that
# of Debian's package. Checks that it runs with the argument.
provide() {
    local name=$1 inside=$2 program folder
    program=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$name") || {
        # shellcheck source=/dev/null
        folder=$cache/$name-$(. /etc/os-release && printf '%s-%s' "$ID" "${VERSION_ID:-}")
        [ -d "$folder" ] || fetch "$name" "$folder"
        program=$folder/$inside
    }
    "$program" "$3" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "$program does not run; try: apt-get install $name"
    }
    export "AUTODNS_TEST_${name^^}=$program"
}

provide nginx usr/sbin/nginx -v
provide caddy usr/bin/caddy version

# --- the tests ----------------------------------------------------------------------------------

# In the background, so that the traps run immediately after a signal.
PYTHONPATH=$runner PYTHONDONTWRITEBYTECODE=1 "$python" -m pytest -q -p no:cacheprovider \
    --rootdir "$here" --basetemp "$work/tmp" "$@" "$here" &
tests=$!
status=0
wait "$tests" || status=$?
tests=
exit "$status"
