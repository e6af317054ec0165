#!/usr/bin/env bash
# Runs autodns many times against reflectors and an emulated AWS (moto, which checks signatures) on
# loopback. Both misbehave at random: resets, delays, 5xx, throttling, garbage, wrong addresses, a
# wrong clock. After each run it checks the record, the lock, the mail, the output and leftover
# files against the rules in tests/soak/rules.py. It prints the first run that breaks a rule and how
# to repeat it, and ends with exit code 1.
#
# tests/soak/soak.py does the work.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/soak.sh [--preflight] [--runs N] [--seed S] [--workers W] [--keep-going]

Runs autodns N times (10000) against an emulated AWS that misbehaves at random, and checks each run.

  --runs N      how many runs
  --seed S      seed of all random choices; the same seed makes the same runs
  --workers W   how many runs at the same time
  --keep-going  do not stop at the first run that breaks a rule
  --preflight   only print what is missing on this machine
  -h, --help    show this help

It tests ${AUTODNS} if that is set, else it builds the release binary. It needs Linux, Rust with a C
compiler, and Python 3.11 or later with venv. The first run installs the emulator into
${AUTODNS_CACHE:-~/.cache/autodns}. It does not need root and does not call sudo.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# shellcheck source=scripts/lib/preflight.sh
source "$root/scripts/lib/preflight.sh"
needs_linux
needs_folders
[ -n "${AUTODNS:-}" ] || needs_rust
needs_python
needs_program flock util-linux
for argument; do
    case $argument in
        -h | --help)
            usage
            exit
            ;;
        --preflight) only_preflight=yes ;;
    esac
done
finish_preflight soak.sh

die() {
    printf 'soak.sh: %s\n' "$1" >&2
    exit 1
}

program=${AUTODNS:-}
if [ -z "$program" ]; then
    cargo build --manifest-path "$root/Cargo.toml" --release --locked --quiet ||
        die "autodns could not be built; cargo's error is above"
    program=$(cd "${CARGO_TARGET_DIR:-$root/target}/release" && pwd)/autodns
fi
[ -x "$program" ] || die "$program is not a program"
environment=$("$root/tests/moto/setup.sh") || die "moto could not be set up; the cause is above"
python=$environment/bin/python
export PYTHONDONTWRITEBYTECODE=1

"$python" -m unittest discover --quiet --start-directory "$root/tests/soak" ||
    die "the tests of the rules fail; their errors are above"
exec "$python" "$root/tests/soak/soak.py" --program "$program" "$@"
