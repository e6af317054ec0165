#!/usr/bin/env bash
# Makes the Python environment that holds the emulator (moto) and prints its absolute path, the only
# line on stdout; anything else it has to say is trouble and goes to stderr.
#
#     python="$(tests/moto/setup.sh)/bin/python"
#
# The environment is kept outside the repository, under ${AUTODNS_CACHE:-~/.cache/autodns}, in a
# folder named after the content of requirements.txt and the version of Python: a change of either
# makes a new one and leaves the old alone, since another checkout may still use it. This script
# must not start the emulator, and must not install anything outside its folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}

die() {
    printf 'setup.sh: %s\n' "$1" >&2
    exit 1
}

# Another project's modules must not shadow the pinned ones, neither while installing nor later.
unset PYTHONPATH PYTHONHOME

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
    die "$python cannot be run; install Python 3.11 or later, or name one with PYTHON=…"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$python is $version, and moto needs Python 3.11 or later; name one with PYTHON=…"

cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-${HOME:?is not set, nor is AUTODNS_CACHE}/.cache}/autodns}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
key=$(sha256sum <"$here/requirements.txt" | cut -c 1-16)
environment=$cache/moto-py$version-$key

# The mark is written last, so an environment that has it is whole; the interpreter it was made from
# may have been removed since, which the second test finds.
ready() {
    [ -f "$environment/complete" ] && "$environment/bin/python" -c '' 2>/dev/null
}

if ! ready; then
    # Only one may build. Whoever waited finds the work done and does not do it again. The children
    # inherit the lock, so an installation that outlives this script is waited for as well.
    exec 9>"$environment.lock"
    flock 9
    if ! ready; then
        rm -rf "$environment"
        log=$environment.log
        "$python" -m venv "$environment" >"$log" 2>&1 || {
            cat "$log" >&2
            die "$python cannot make a virtual environment (Debian: apt-get install python3-venv)"
        }
        "$environment/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
            --require-hashes --requirement "$here/requirements.txt" >"$log" 2>&1 || {
            cat "$log" >&2
            die "pip could not install $here/requirements.txt; what it said is above"
        }
        rm -f "$log"
        : >"$environment/complete"
    fi
fi

printf '%s\n' "$environment"
