#!/usr/bin/env bash
# Compares one quiet run of autodns (the record is right and is not changed) with programs that do
# the same with boto3, curl and the AWS SDK. All run in turn against the same server on loopback.
# Measures time, instructions, memory, system calls, bytes and size. Prints a Markdown table and
# adds it at the top of benches/results.md. docs/benchmarks.md explains the rows.
#
#     scripts/bench.sh [--rounds N] [--alone] [--no-record] [--pages]
#
# Builds and measures the static x86-64 binary of a release. Counts the instructions of the armv7
# binary too if it is in target/pi. ${AUTODNS} names another program to measure. As root, installs
# missing packages with apt. Keeps the other programs in ${AUTODNS_CACHE:-~/.cache/autodns}/bench.
# benches/bench.py does the work. Other work on the machine changes the times, not the counts.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/autodns}
mkdir -p "$cache"
export AUTODNS_CACHE=$cache
export PYTHONDONTWRITEBYTECODE=1
target=x86_64-unknown-linux-musl
armv7=$repo/target/pi/armv7-unknown-linux-musleabihf/autodns

fail() {
    echo "bench.sh: $*" >&2
    exit 1
}

say() { echo "bench.sh: $*" >&2; }

# shellcheck source=tests/pi/prepare.sh
source "$repo/tests/pi/prepare.sh"

scratch=$(mktemp -d)
child=
clean_up() {
    trap '' INT TERM
    if [[ -n $child ]]; then
        # It removes its own folder.
        kill -TERM "$child" 2>/dev/null || :
        wait "$child" || :
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

python=${PYTHON:-python3}
case " $* " in
    *' -h '* | *' --help '*)
        exec "$python" "$repo/benches/bench.py" --program - --cache - --help
        ;;
esac
[[ $(uname -m) == x86_64 ]] || fail "this machine is not x86_64, and the measured binary needs it"
install_packages binutils curl gcc jq libc6-dev openssl python3-venv qemu-user strace time valgrind

program=${AUTODNS:-}
if [[ -z $program ]]; then
    install_compiler_with_source
    CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/cargo} \
        "$repo/scripts/build-pi.sh" --way source "$target" >&2
    program=$repo/target/pi/$target/autodns
fi
[[ -x $program ]] || fail "$program is not a program"
options=()
if [[ -f $armv7 ]]; then
    options+=(--armv7 "$armv7")
else
    say "the instructions of the armv7 binary are not counted; build it first:" \
        "scripts/build-pi.sh --way source armv7-unknown-linux-musleabihf"
fi
"$python" "$repo/benches/bench.py" --program "$program" --cache "$cache/bench" \
    ${options[@]+"${options[@]}"} "$@" &
child=$!
status=0
wait "$child" || status=$?
child=
(exit "$status")
