#!/usr/bin/env bash
# Runs autodns many times against an emulated AWS (moto, with signatures checked) and reflectors on
# loopback, by ways that misbehave at random: resets, delays, 5xx, throttling, garbage, lies, a
# wrong clock. After each run the record, the lock, the mail, what was said and what was left behind
# are held against the rules in tests/soak/rules.py; the first run that breaks one is printed, with
# how to repeat it, and ends the soak with exit code 1.
#
#     scripts/soak.sh [--runs N] [--seed S] [--workers W] [--keep-going]
#
# Tests ${AUTODNS}, if that is set, else builds the release binary. It needs Python 3.11 or later;
# the first run installs moto, outside the repository. tests/soak/soak.py does the work.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

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
