#!/usr/bin/env bash
# Makes all files of a release in a folder, on any machine in the same way as in the workflow: an
# archive per target, the Debian packages, the bundle for deploy-pi.sh, and SHA256SUMS. The same
# sources and binaries give the same bytes. Must not publish or test anything; scripts/test-pi.sh
# release tests the files.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/release.sh [--ready] FOLDER
       scripts/release.sh --check-tag TAG

  FOLDER           where the files go; it must not exist yet
  --ready          build nothing: pack the binaries in target/pi
  --check-tag TAG  only check that TAG is the version in Cargo.toml
  -h, --help       show this help

Without --ready, it builds all four binaries from source (scripts/build-pi.sh).
TEXT
}

fail() {
    echo "release.sh: $*" >&2
    exit 1
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$repo/Cargo.toml" | head -n 1)
targets=(
    aarch64-unknown-linux-musl
    armv7-unknown-linux-musleabihf
    arm-unknown-linux-musleabihf
    x86_64-unknown-linux-musl
)

folder=
ready=
while (($#)); do
    case $1 in
        --ready) ready=yes ;;
        --check-tag)
            (($# == 2)) || fail "--check-tag needs a tag, and nothing after it"
            [[ $2 == "v$version" ]] || fail "the tag is $2, but Cargo.toml has the version $version"
            exit
            ;;
        -h | --help)
            usage
            exit
            ;;
        -*) fail "there is no option $1; see --help" ;;
        *)
            [[ -z $folder ]] || fail "name only one folder, not $folder and $1"
            folder=$1
            ;;
    esac
    shift
done
[[ -n $folder ]] || fail "name the folder to make; see --help"
[[ ! -e $folder ]] || fail "$folder exists already; remove it, or name another"

# Every file in the archives gets the time of the last commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repo" log -1 --format=%ct)} ||
    fail "cannot get the time of the last commit; set SOURCE_DATE_EPOCH"
export SOURCE_DATE_EPOCH
umask 022

# The files go to a temporary folder beside $folder, which is renamed at the end. So $folder never
# has half a release.
mkdir -p "$(dirname "$folder")"
made=$(mktemp -d "$folder.XXXXXX") || fail "cannot make a folder beside $folder"
trap 'rm -rf "$made"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [[ -z $ready ]]; then
    "$repo/scripts/build-pi.sh" --way source "${targets[@]}"
fi
for target in "${targets[@]}"; do
    binary=$repo/target/pi/$target/autodns
    [[ -f $binary ]] || fail "target/pi/$target/autodns does not exist; leave out --ready"
    "$repo/scripts/build-pi.sh" --check "$target" "$binary" >/dev/null
    if LC_ALL=C readelf -SW "$binary" | grep -q '\.symtab'; then
        fail "$binary is not stripped"
    fi
done

# shellcheck source=scripts/lib/pack-release.sh
source "$repo/scripts/lib/pack-release.sh"
mkdir "$made/work" "$made/dist"
"$repo/scripts/lib/third-party.py" >"$made/notices"
for target in "${targets[@]}"; do
    pack_archive "$target"
done
pack_bundle
"$repo/scripts/package-deb.sh" --ready --to "$made/dist" >/dev/null
(cd "$made/dist" && LC_ALL=C && sha256sum -- *.tar.gz *.deb >SHA256SUMS)
chmod 755 "$made/dist"
mv -T "$made/dist" "$folder"
(cd "$folder" && wc -c -- *.tar.gz *.deb)
