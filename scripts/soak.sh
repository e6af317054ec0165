#!/usr/bin/env bash
# Runs autodns many times against an emulated AWS (moto, with signatures checked) and reflectors on
# loopback, by ways that misbehave at random: resets, delays, 5xx, throttling, garbage, lies, a
# wrong clock. After each run the record, the lock, the mail, what was said and what was left behind
# are held against the rules in tests/soak/rules.py; the first run that breaks one is printed, with
# how to repeat it, and ends the soak with exit code 1.
#
# tests/soak/soak.py does the work.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/soak.sh [--preflight] [--runs N] [--seed S] [--workers W] [--keep-going]

Runs autodns N times (10000) against an emulated AWS that misbehaves at random, and checks each run.

  --runs N      how many runs
  --seed S      where everything random comes from; the same seed makes the same runs
  --workers W   how many runs at the same time
  --keep-going  do not stop at the first run that breaks a rule
  --preflight   say what this machine lacks, if anything, and end
  -h, --help

It tests ${AUTODNS} if that is set, else it builds the release binary. It needs Linux, Rust with a C
compiler, and Python 3.11 or later with venv; the first run installs the emulator into
${AUTODNS_CACHE:-~/.cache/autodns}. It needs no root and calls no sudo.
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
settle soak.sh

die() {
    printf 'soak.sh: %s\n' "$1" >&2
    exit 1
}

program=${AUTODNS:-}
if [ -z "$program" ]; then
    cargo build --manifest-path "$root/Cargo.toml" --release --locked --quiet ||
        die "autodns could not be built; what cargo said is above"
    program=$(cd "${CARGO_TARGET_DIR:-$root/target}/release" && pwd)/autodns
fi
[ -x "$program" ] || die "$program is no program"
environment=$("$root/tests/moto/setup.sh") || die "moto could not be set up; the reason is above"
python=$environment/bin/python
export PYTHONDONTWRITEBYTECODE=1

"$python" -m unittest discover --quiet --start-directory "$root/tests/soak" ||
    die "the rules themselves do not hold; what is wrong with them is above"
exec "$python" "$root/tests/soak/soak.py" --program "$program" "$@"
