#!/usr/bin/env bash
# Checks that released binaries were made from this checkout's sources: builds them again in another
# folder and compares the bytes. Must not change the checkout or leave files behind.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/verify-release.sh TARGET FILE…

TARGET is a target of scripts/build-pi.sh. FILE is a binary for it, or the .tar.gz of a release.
Check out the release's tag first, and use the Rust version that made the release: another
compiler makes other bytes. docs/install.md has the commands.
TEXT
}

fail() {
    echo "verify-release.sh: $*" >&2
    exit 1
}

case ${1:-} in
    -h | --help)
        usage
        exit
        ;;
esac
(($# >= 2)) || fail "name a target and a file; see --help"
target=$1
shift
for file; do
    [[ -f $file ]] || fail "$file does not exist"
done
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Copies the tracked files, including uncommitted changes, to a folder with another name.
copy=$scratch/a-folder-with-another-name
mkdir "$copy"
git -C "$repo" ls-files -z |
    tar -C "$repo" --ignore-failed-read -c --null --files-from - 2>/dev/null | tar -x -C "$copy"
CARGO_TARGET_DIR=$scratch/cargo "$copy/scripts/build-pi.sh" --way source "$target" \
    >"$scratch/log" 2>&1 || {
    tail -n 20 "$scratch/log" >&2
    fail "the sources cannot be built here; the end of the compiler's output is above"
}
built=$copy/target/pi/$target/autodns
sum_of() { sha256sum "$1" | cut -d' ' -f1; }

differ=0
for file; do
    released=$file
    if [[ $file == *.tar.gz ]]; then
        mkdir -p "$scratch/unpacked"
        tar -xzf "$file" -C "$scratch/unpacked" || fail "$file is not an archive"
        released=$(find "$scratch/unpacked" -type f -name autodns -perm -u+x -print -quit)
        [[ -n $released ]] || fail "$file does not contain the program autodns"
    fi
    if cmp -s "$released" "$built"; then
        echo "$file: the same bytes as built from these sources"
    else
        differ=1
        echo "$file: NOT the same bytes as built from these sources: its SHA-256 is" \
            "$(sum_of "$released"), and that of the build is $(sum_of "$built")"
    fi
    rm -rf "$scratch/unpacked"
done
((differ == 0)) || fail "check that the tag and the Rust version are those of the release"
