#!/usr/bin/env bash
# Packs the binaries under target/pi for a release: one .tar.gz a target, with README, LICENSE, the
# example configuration and its schema, a Debian package for each architecture, and SHA256SUMS over
# all. It builds nothing, and packs nothing that build-pi.sh --check does not pass or that is not
# stripped.
#
# usage: scripts/lib/pack-release.sh FOLDER      (which must not exist yet)
set -euo pipefail

fail() {
    echo "pack-release.sh: $*" >&2
    exit 1
}

(($# == 1)) || fail "name the folder to make"
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mkdir "$1" || fail "cannot make $1"
dist=$(cd "$1" && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$repo/Cargo.toml" | head -n 1)
targets=(
    aarch64-unknown-linux-musl
    armv7-unknown-linux-musleabihf
    arm-unknown-linux-musleabihf
    x86_64-unknown-linux-musl
)
# The same sources give the same archives: the time is that of the commit, and the owner nobody's.
time=@$(git -C "$repo" log -1 --format=%ct) || fail "there is no commit to take the time from"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for target in "${targets[@]}"; do
    binary=$repo/target/pi/$target/autodns
    "$repo/scripts/build-pi.sh" --check "$target" "$binary"
    if LC_ALL=C readelf -SW "$binary" | grep -q '\.symtab'; then
        fail "$binary is not stripped"
    fi
    name=autodns-$version-$target
    mkdir "$scratch/$name"
    install -m 755 "$binary" "$scratch/$name/autodns"
    install -m 644 "$repo/README.md" "$repo/LICENSE" "$repo/packaging/autodns.json" \
        "$repo/schema/autodns.schema.json" "$scratch/$name/"
    tar -C "$scratch" --sort=name --owner=0 --group=0 --numeric-owner --mtime="$time" -c "$name" |
        gzip -9n >"$dist/$name.tar.gz"
done
"$repo/scripts/package-deb.sh" --ready --to "$dist"
(cd "$dist" && sha256sum -- *.tar.gz *.deb >SHA256SUMS)
ls -l "$dist"
