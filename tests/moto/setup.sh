#!/usr/bin/env bash
# Makes the Python environment with the emulator (moto) and prints its absolute path as the only
# line on stdout. Errors go to stderr.
#
#     python="$(tests/moto/setup.sh)/bin/python"
#
# The environment is in ${AUTODNS_CACHE:-~/.cache/autodns}, in a folder named after the content of
# requirements.txt and the version of Python. If either changes, this makes a new folder and keeps
# the old one, because another checkout may still use it. Must not start the emulator or install
# anything outside the folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}

die() {
    printf 'setup.sh: %s\n' "$1" >&2
    exit 1
}

# Other modules on these paths must not replace the pinned ones.
unset PYTHONPATH PYTHONHOME

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') ||
    die "$python does not run; install Python 3.11 or later, or name one with PYTHON=…"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$python is $version, and moto needs Python 3.11 or later; name one with PYTHON=…"

cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-${HOME:?is not set, nor is AUTODNS_CACHE}/.cache}/autodns}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
key=$(sha256sum <"$here/requirements.txt" | cut -c 1-16)
environment=$cache/moto-py$version-$key

# The file "complete" is written last, so an environment with it is complete. The second test fails
# if the interpreter that made the environment has been removed since.
ready() {
    [ -f "$environment/complete" ] && "$environment/bin/python" -c '' 2>/dev/null
}

if ! ready; then
    # One run installs. The others wait here, then find it installed. Child processes inherit the
    # lock, so the others also wait for an installation that is still running after this script.
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
            die "pip could not install $here/requirements.txt; its error is above"
        }
        rm -f "$log"
        : >"$environment/complete"
    fi
fi

printf '%s\n' "$environment"
