#!/usr/bin/env bash
# Fails if a number exceeds benches/budget.toml by more than the slack there (3 %): the size of a
# binary in target/pi, or the cost of a quiet run of the static x86-64 binary. The head of
# budget.toml says how to raise a number.
#
#     scripts/budget.sh [--update] [TARGET…]
#
# Needs Python 3.11 and openssl, and for x86_64 also valgrind, strace and GNU time. Builds nothing:
# run scripts/build-pi.sh --way source first. benches/budget.py does the work.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}

die() {
    printf 'budget.sh: %s\n' "$1" >&2
    exit 1
}

if [[ " $* " == *' x86_64-'* || " $* " != *'-musl'* ]]; then
    for tool in openssl valgrind strace /usr/bin/time; do
        command -v "$tool" >/dev/null ||
            die "$tool is missing; on Debian: apt-get install openssl strace time valgrind"
    done
fi
export PYTHONDONTWRITEBYTECODE=1
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$python is older than Python 3.11; name a newer one with PYTHON=…"
"$python" -m unittest discover --quiet --start-directory "$root/benches" ||
    die "the tests of budget.py fail; their errors are above"
exec "$python" "$root/benches/budget.py" --binaries "$root/target/pi" "$@"
