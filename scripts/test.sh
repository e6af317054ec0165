#!/usr/bin/env bash
# Everything that has to hold before a change lands: format, lints, licences, all tests of the
# program (unit, whole runs against servers on loopback, moto), the AWS side, and the try-out.
# Installs what it needs beside the repository; a part that cannot run is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/autodns}
deny_version=0.20.2

part() {
    printf '\n== %s\n' "$1"
    shift
    local start=$SECONDS
    "$@" || { printf 'scripts/test.sh: failed: %s\n' "$*" >&2; exit 1; }
    printf -- '-- %d s\n' $((SECONDS - start))
}

# Installs the Debian package $2 where there is no command $1.
need() {
    if ! command -v "$1" >/dev/null; then
        apt-get update -qq && apt-get install -y -qq "$2" >/dev/null
    fi
}

lint_scripts() {
    need shellcheck shellcheck
    git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck
}

check_dependencies() {
    local root=$cache/cargo-deny-$deny_version
    local deny=("$root/bin/cargo-deny" --config packaging/deny.toml --log-level error)
    if [ ! -x "${deny[0]}" ]; then
        cargo install --quiet --locked --root "$root" --version "$deny_version" cargo-deny
    fi
    # The advisory database is a repository of its own, which not every machine can fetch.
    "${deny[@]}" check licenses bans sources
    if "${deny[@]}" fetch db >/dev/null 2>&1; then
        "${deny[@]}" check advisories
    else
        echo 'advisories: their database cannot be fetched from here, so they are not checked'
    fi
}

part 'cargo fmt' cargo fmt --check
part 'cargo fmt, tests/fuzz/' cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
part 'cargo fmt, benches/' cargo fmt --check --manifest-path benches/peers/sdk/Cargo.toml
part 'cargo clippy' cargo clippy --locked --all-targets --quiet -- -D warnings
part 'shellcheck' lint_scripts
part 'cargo deny' check_dependencies
# The tests give some runs a network of their own, and make odd certificates.
need ip iproute2
need openssl openssl
part 'cargo test' cargo test --locked --quiet
part 'cargo build --release' cargo build --locked --release --quiet
export AUTODNS=$PWD/target/release/autodns
part 'the AWS side: tests/aws/run.sh' tests/aws/run.sh
part 'the try-out: scripts/try.sh' scripts/try.sh
part 'a short soak: scripts/soak.sh' scripts/soak.sh --runs 150 --seed 1
echo
echo 'scripts/test.sh: all passed'
