#!/usr/bin/env bash
# Fails where a binary in target/pi, or what a quiet run of the static x86-64 one takes, exceeds
# benches/budget.toml by more than the slack there (3 %); its head says how to raise a number.
#
#     scripts/budget.sh [--update] [TARGET…]
#
# It needs Python 3.11, openssl, and for x86_64 valgrind, strace and GNU time, and builds nothing:
# scripts/build-pi.sh --way source does. benches/budget.py does the work.
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
    die "$python has to be Python 3.11 or later; name another with PYTHON=…"
"$python" -m unittest discover --quiet --start-directory "$root/benches" ||
    die "the budget's own tests do not hold; what is wrong with them is above"
exec "$python" "$root/benches/budget.py" --binaries "$root/target/pi" "$@"
