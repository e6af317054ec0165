#!/usr/bin/env bash
# Checks a release without installing it: the list of files, their checksums, and for each archive
# its files, modes and owners, the links in its texts, and its licences. Must not install anything.
# scripts/release.sh makes the folder.
#
# usage: tests/release/archives.sh FOLDER RUSTC    (RUSTC: a compiler with its library's source)
# shellcheck disable=SC2034,SC2154  # variables shared with tests/pi/lib.sh
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
folder=$(cd "${1:?name the folder with the release}" && pwd)
rustc=${2:?name a compiler with the source of its library}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$repo/Cargo.toml" | head -n 1)
targets=(
    aarch64-unknown-linux-musl
    arm-unknown-linux-musleabihf
    armv7-unknown-linux-musleabihf
    x86_64-unknown-linux-musl
)
part=release
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# shellcheck source=tests/pi/lib.sh
source "$here/../pi/lib.sh"

test_files() {
    local target
    expect "the files of the release" "SHA256SUMS
$(printf "autodns-$version-%s.tar.gz\n" "${targets[@]::3}" deploy "${targets[3]}")
$(printf "autodns_$version-1_%s.deb\n" amd64 arm64 armhf)" "$(ls -A "$folder")"
    run env -C "$folder" sha256sum --check --strict SHA256SUMS
    expect "the checksums" "0 $(printf '%s: OK\n' "$folder"/autodns* | sed "s|^$folder/||")" \
        "$status $out$err"
    run bash -c "cd '$scratch' && cp '$folder/SHA256SUMS' . &&
        head -c 1000 '$folder/autodns-$version-deploy.tar.gz' >autodns-$version-deploy.tar.gz &&
        sha256sum --check --ignore-missing SHA256SUMS"
    expect "the checksum of a cut-off file" "1 autodns-$version-deploy.tar.gz: FAILED" \
        "$status $out"
    rm "$scratch"/{SHA256SUMS,autodns-*}
}

# has_notices WHAT FILE: checks the first file against the plan of the build. All others must equal
# the first.
has_notices() {
    if [[ ! -e $scratch/notices ]]; then
        run "$here/notices.py" "$2" "$rustc" "${targets[@]}"
        expect_match "$1: its notices" "0 [0-9]+ crates are named" "$status $out"
        cp "$2" "$scratch/notices"
    fi
    cmp "$2" "$scratch/notices" || give_up "$1 has different notices"
}

# unpack NAME FILE…: unpacks the archive and sets top to the folder. The folder must have the
# archive's name and exactly these files, with one time and no owner. A * marks an executable file.
unpack() {
    local name=$1
    shift
    run tar --utc --full-time --numeric-owner -tvzf "$folder/$name.tar.gz"
    expect "$name: one owner and one time" "0/0 $(TZ=UTC0 git -C "$repo" log -1 \
        --format=%cd --date=format-local:'%Y-%m-%d %H:%M:%S')" \
        "$(awk '{ print $2, $4, $5 }' <<<"$out" | sort -u)"
    expect "$name: its modes" $'-rw-r--r--\n-rwxr-xr-x\ndrwxr-xr-x' \
        "$(cut -d' ' -f1 <<<"$out" | LC_ALL=C sort -u)"
    mkdir "$scratch/empty"
    top=$scratch/empty/$name
    run tar -C "$scratch/empty" -xzf "$folder/$name.tar.gz"
    expect "$name: it unpacks" "0 $name" "$status $(ls "$scratch/empty")"
    expect "$name: its files" "$(printf '%s\n' "$@" | LC_ALL=C sort)" \
        "$(cd "$top" && find . -type f \( -executable -printf '%P*\n' -o -printf '%P\n' \) |
            LC_ALL=C sort)"
    expect "$name: nothing is left to fill in" '' "$(grep -rlI '@[A-Z]*@' "$top" || :)"
    run "$here/links.py" "$top"
    expect_match "$name: no link in its texts is broken" "0 [0-9]+ references" "$status $out$err"
    cmp "$top/LICENSE" "$repo/LICENSE" || give_up "$name has a different LICENSE"
    has_notices "$name" "$top/THIRD-PARTY-NOTICES.txt"
}

test_archives() {
    local target top
    for target in "${targets[@]}"; do
        unpack "autodns-$version-$target" 'autodns*' autodns.json autodns.schema.json credentials \
            INSTALL.txt LICENSE THIRD-PARTY-NOTICES.txt man/autodns.1 man/autodns.json.5 \
            completions/{_autodns,autodns.bash,autodns.fish} systemd/autodns.{service,timer}
        cmp "$top/autodns" "$repo/target/pi/$target/autodns" ||
            give_up "the archive for $target has the wrong program"
        run "$repo/scripts/build-pi.sh" --check "$target" "$top/autodns"
        expect "$target: the program is for this target" 0 "$status"
        expect "$target: INSTALL.txt names it" "autodns $version for $target" \
            "$(head -n 1 "$top/INSTALL.txt")"
        rm -r "$scratch/empty"
    done
}

test_bundle() {
    local top target
    unpack "autodns-$version-deploy" 'deploy-pi.sh*' \
        lib/{over-ssh,pi-commit,pi-places,pi-remote}.sh \
        'bin/armv6/autodns*' 'bin/armv7/autodns*' 'bin/aarch64/autodns*' \
        cloudformation/autodns.yaml autodns.json credentials \
        README.txt LICENSE THIRD-PARTY-NOTICES.txt
    for target in aarch64/aarch64-unknown-linux-musl armv6/arm-unknown-linux-musleabihf \
        armv7/armv7-unknown-linux-musleabihf; do
        cmp "$top/bin/${target%/*}/autodns" "$repo/target/pi/${target#*/}/autodns" ||
            give_up "the bundle has the wrong program for ${target%/*}"
    done
    rm -r "$scratch/empty"
}

test_packages() {
    local package top=$scratch/package
    for package in "$folder"/*.deb; do
        dpkg-deb -x "$package" "$top"
        run "$here/links.py" --root "$top"
        expect_match "${package##*/}: no link in its texts is broken" "0 [0-9]+ references" \
            "$status $out$err"
        gzip -dc "$top/usr/share/doc/autodns/THIRD-PARTY-NOTICES.txt.gz" >"$scratch/in_package"
        has_notices "${package##*/}" "$scratch/in_package"
        rm -r "$top" "$scratch/in_package"
    done
}

pinned() { sed -n "/^name = \"$1\"/{n; s/.*\"\(.*\)\"/\1/p}" "$repo/Cargo.lock"; }

# links.py and notices.py must find errors.
test_links_and_notices() {
    mkdir "$scratch/page"
    printf 'See [this](docs/gone.md), man/gone.1 and README.md.\n' >"$scratch/page/INSTALL.txt"
    run "$here/links.py" "$scratch/page"
    expect "broken links" "1 INSTALL.txt: docs/gone.md
INSTALL.txt: docs/gone.md
INSTALL.txt: man/gone.1
INSTALL.txt: README.md" "$status $out"
    rm -r "$scratch/page"
    "$repo/scripts/lib/third-party.py" |
        sed '/^  vsimd /d; /^  hashbrown/d; s/^\(  subtle .*\[\)[0-9]*/\11/' >"$scratch/notices"
    run "$here/notices.py" "$scratch/notices" "$rustc" "${targets[0]}"
    expect "two missing notices and a wrong one" \
        "1 hashbrown, which the standard library uses, is not named
vsimd $(pinned vsimd) of Cargo.lock is not named
the texts of subtle $(pinned subtle) do not look like BSD-3-Clause" "$status $out"
    rm "$scratch/notices"
}

test_tag() {
    run "$repo/scripts/release.sh" --check-tag "v$version"
    expect "the tag of this version" "0 " "$status $out$err"
    run "$repo/scripts/release.sh" --check-tag v99.0.0
    expect "the tag of another version" \
        "1 release.sh: the tag is v99.0.0, but Cargo.toml has the version $version" "$status $err"
    run "$repo/scripts/release.sh" --ready "$folder"
    expect "a folder that exists" \
        "1 release.sh: $folder exists already; remove it, or name another" "$status $err"
}

# The workflows must only call the scripts, so that CI and a person run the same.
test_workflows() {
    local workflows=$repo/.github/workflows
    expect "ci.yml runs what .ci/run runs" "$(grep '^scripts/' "$repo/.ci/run")" \
        "$(sed -n 's|^ *- run: \(scripts/test.*\)|\1|p' "$workflows/ci.yml")"
    expect "the workflows only build, test and pack with scripts" '' "$(grep -nE \
        'cargo (build|test|install)|build-pi|package-deb|tests/|tar -c' "$workflows"/*.yml |
        grep -v hashFiles || :)"
    expect "release.yml runs ci.yml before it publishes" "    uses: ./.github/workflows/ci.yml" \
        "$(grep 'uses: \./' "$workflows/release.yml")"
    expect "actions are pinned by commit" '' "$(grep -hE '^ *-? ?uses: ' "$workflows"/*.yml |
        grep -vE '@[0-9a-f]{40} # v[0-9.]+$|uses: \./' || :)"
}

test_links_and_notices
test_tag
test_workflows
test_files
test_archives
test_bundle
test_packages
echo "archives.sh: $passed checks passed"
