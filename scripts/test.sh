#!/usr/bin/env bash
# Runs all checks that a change must pass: format, lints, licences, all tests of the program (unit,
# whole runs against servers on loopback, moto), the AWS side, and the demonstration. Installs
# nothing into the repository. A part that cannot run is a failure.
#
# Does not need root and does not call sudo: it first prints what is missing. If it runs as root, as
# in a CI container, it installs the missing Debian packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

usage() {
    cat <<'TEXT'
usage: scripts/test.sh [--preflight]

Runs all checks and tests that one machine can run. It takes about ten minutes the first time.

  --preflight  only print what is missing on this machine
  -h, --help   show this help

It needs Linux with user namespaces (or root), Rust with clippy and rustfmt, a C compiler, Python
3.11 or later with venv, shellcheck, zsh, iproute2 and openssl. If nginx and Caddy are not
installed, it unpacks them from Debian's packages. It installs into
${AUTODNS_CACHE:-~/.cache/autodns}.
TEXT
}

# shellcheck source=scripts/lib/preflight.sh
source scripts/lib/preflight.sh
read_arguments test.sh "$@"
needs_linux
needs_folders
needs_rust
needs_rust_component clippy cargo-clippy
needs_rust_component rustfmt cargo-fmt
needs_python
needs_program git git
needs_program flock util-linux
needs_program shellcheck shellcheck
# The tests give some runs a separate network, make unusual certificates, and paste into zsh.
needs_program ip iproute2
needs_program openssl openssl
needs_program zsh zsh
needs_namespaces
needs_download nginx nginx
needs_download caddy caddy
finish_preflight test.sh install

cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/autodns}
deny_version=0.20.2

part() {
    printf '\n== %s\n' "$1"
    shift
    local start=$SECONDS
    "$@" || { printf 'scripts/test.sh: failed: %s\n' "$*" >&2; exit 1; }
    printf -- '-- %d s\n' $((SECONDS - start))
}

lint_scripts() {
    git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck
}

check_dependencies() {
    local root=$cache/cargo-deny-$deny_version
    local deny=("$root/bin/cargo-deny" --config packaging/deny.toml --log-level error)
    if [ ! -x "${deny[0]}" ]; then
        cargo install --quiet --locked --root "$root" --version "$deny_version" cargo-deny
    fi
    # The advisory database is a separate repository that not every machine can fetch.
    "${deny[@]}" check licenses bans sources
    if "${deny[@]}" fetch db >/dev/null 2>&1; then
        "${deny[@]}" check advisories
    else
        echo 'advisories: not checked, because their database cannot be fetched from here'
    fi
}

part 'cargo fmt' cargo fmt --check
part 'cargo fmt, tests/fuzz/' cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
for peer in bare sdk; do
    part "cargo fmt, $peer" cargo fmt --check --manifest-path "benches/peers/$peer/Cargo.toml"
done
part 'cargo clippy' cargo clippy --locked --all-targets --quiet -- -D warnings
part 'shellcheck' lint_scripts
part 'cargo deny' check_dependencies
part 'cargo test' cargo test --locked --quiet
part 'cargo build --release' cargo build --locked --release --quiet
export AUTODNS=${CARGO_TARGET_DIR:-$PWD/target}/release/autodns
part 'the AWS side: tests/aws/run.sh' tests/aws/run.sh
part 'the demonstration, by a user without rights: tests/scripts/run.sh' tests/scripts/run.sh
part 'a short soak: scripts/soak.sh' scripts/soak.sh --runs 150 --seed 1
echo
echo 'scripts/test.sh: all passed'
