#!/usr/bin/env bash
# Makes Debian packages of the static binaries, for Raspberry Pi OS and Debian. The same sources and
# binaries give the same packages, byte for byte. Needs dpkg-deb but not debhelper: the maintainer
# scripts in packaging/debian contain the code that debhelper would add. Must not test the packages;
# scripts/test-pi.sh deb does that.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/package-deb.sh [options] [ARCH…]

ARCH is one of these; without one, all three are made:
  armhf   every 32-bit Raspberry Pi OS (the ARMv6 binary)
  arm64   Pis with a 64-bit system
  amd64   PCs

  --ready            build nothing: package the binaries in target/pi
  --way WAY          passed on to build-pi.sh
  --revision NUMBER  the revision of the package, default 1
  --to FOLDER        where the packages go, default target/debian
  -h, --help         show this help

Each package is named autodns_VERSION_ARCH.deb.
TEXT
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() {
    echo "package-deb.sh: $*" >&2
    exit 1
}

target_of() {
    case $1 in
        armhf) echo arm-unknown-linux-musleabihf ;;
        arm64) echo aarch64-unknown-linux-musl ;;
        amd64) echo x86_64-unknown-linux-musl ;;
        *) return 1 ;;
    esac
}

architectures=()
ready=
way=()
revision=1
folder=$repo/target/debian
while (($#)); do
    case $1 in
        --ready) ready=yes ;;
        --way | --revision | --to)
            (($# > 1)) || fail "$1 needs a value"
            case $1 in
                --way) way=(--way "$2") ;;
                --revision) revision=$2 ;;
                --to) folder=$2 ;;
            esac
            shift
            ;;
        -h | --help)
            usage
            exit
            ;;
        -*) fail "there is no option $1; see --help" ;;
        *)
            target_of "$1" >/dev/null || fail "unknown architecture $1; see --help"
            architectures+=("$1")
            ;;
    esac
    shift
done
if ((${#architectures[@]} == 0)); then
    architectures=(armhf arm64 amd64)
fi
[[ $revision =~ ^[1-9][0-9]*$ ]] || fail "--revision needs a number, not $revision"
command -v dpkg-deb >/dev/null || fail "dpkg-deb is missing; it is in the package dpkg"

# Debian sorts 1.0.0~rc.1 before 1.0.0, but 1.0.0-rc.1 after it.
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$repo/Cargo.toml" | head -n 1)
version=${version//-/\~}-$revision
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repo" log -1 --format=%ct)} ||
    fail "cannot get the time of the last commit; set SOURCE_DATE_EPOCH"
export SOURCE_DATE_EPOCH

targets=()
for architecture in "${architectures[@]}"; do
    targets+=("$(target_of "$architecture")")
done
if [[ -z $ready ]]; then
    "$repo/scripts/build-pi.sh" ${way[@]+"${way[@]}"} "${targets[@]}"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
umask 022

# put MODE SOURCE PLACE: copies a file into the package.
put() { install -D -m "$1" "$repo/$2" "$tree/$3"; }

# put_gzipped PLACE: compresses stdin into the package. The same bytes give the same file.
put_gzipped() {
    mkdir -p "$tree/${1%/*}"
    gzip -9n >"$tree/$1"
}

# fill NAME=VALUE…: prints stdin with each @NAME@ replaced by its value.
fill() {
    local text pair
    text=$(cat)
    for pair; do
        text=${text//"@${pair%%=*}@"/"${pair#*=}"}
    done
    printf '%s\n' "$text"
}

# The licence in the format of debian/copyright: lines are indented, and a dot is an empty line.
licence() { sed -n '/^Permission/,$p' "$repo/LICENSE" | sed 's/^$/./; s/^/ /'; }

# Prints the value for Installed-Size. It does not depend on this machine's file system: a file
# counts as its size in kB, rounded up; anything else counts as 1 kB.
kilobytes() {
    find "$1" -mindepth 1 \( -type f -printf '%s\n' \) -o -printf '1\n' |
        awk '{ sum += int(($1 + 1023) / 1024) } END { print sum }'
}

package() {
    local architecture=$1 binary=$2 tree=$scratch/$1 doc=usr/share/doc/autodns product
    mkdir "$tree"
    chmod 755 "$tree"
    install -D -m 755 "$binary" "$tree/usr/bin/autodns"
    put 644 packaging/systemd/autodns.service usr/lib/systemd/system/autodns.service
    put 644 packaging/systemd/autodns.timer usr/lib/systemd/system/autodns.timer
    put 644 packaging/credentials usr/share/autodns/credentials
    put 644 packaging/debian/lintian-overrides usr/share/lintian/overrides/autodns
    put 644 packaging/completions/autodns.bash usr/share/bash-completion/completions/autodns
    put 644 packaging/completions/_autodns usr/share/zsh/vendor-completions/_autodns
    put 644 packaging/completions/autodns.fish usr/share/fish/vendor_completions.d/autodns.fish
    put_gzipped usr/share/man/man1/autodns.1.gz <"$repo/packaging/man/autodns.1"
    put_gzipped usr/share/man/man5/autodns.json.5.gz <"$repo/packaging/man/autodns.json.5"
    install -d -m 750 "$tree/etc/autodns"

    put 644 packaging/autodns.json "$doc/examples/autodns.json"
    put 644 packaging/debian/README.Debian "$doc/README.Debian"
    put_gzipped "$doc/THIRD-PARTY-NOTICES.txt.gz" <"$scratch/notices"
    put_gzipped "$doc/changelog.gz" <"$repo/CHANGELOG.md"
    fill VERSION="$version" DATE="$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" \
        <"$repo/packaging/debian/changelog" | put_gzipped "$doc/changelog.Debian.gz"
    fill LICENSE="$(licence)" <"$repo/packaging/debian/copyright" >"$tree/$doc/copyright"

    mkdir "$tree/DEBIAN"
    fill VERSION="$version" ARCHITECTURE="$architecture" \
        SIZE="$(kilobytes "$tree")" \
        <"$repo/packaging/debian/control" >"$tree/DEBIAN/control"
    put 755 packaging/debian/preinst DEBIAN/preinst
    put 755 packaging/debian/postinst DEBIAN/postinst
    put 755 packaging/debian/prerm DEBIAN/prerm
    put 755 packaging/debian/postrm DEBIAN/postrm
    (cd "$tree" && find etc usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) \
        >"$tree/DEBIAN/md5sums"

    find "$tree" -exec touch --no-dereference -d "@$SOURCE_DATE_EPOCH" {} +
    product=$folder/autodns_${version}_$architecture.deb
    mkdir -p "$folder"
    # Every dpkg can read xz. This machine's dpkg could choose zstd.
    dpkg-deb --root-owner-group -Zxz --build "$tree" "$product.new" >/dev/null
    mv -f "$product.new" "$product"
    rm -rf "$tree"
    printf '%-48s %8d bytes\n' "${product#"$repo/"}" "$(wc -c <"$product")"
}

"$repo/scripts/lib/third-party.py" >"$scratch/notices"
for architecture in "${architectures[@]}"; do
    target=$(target_of "$architecture")
    binary=$repo/target/pi/$target/autodns
    [[ -f $binary ]] || fail "target/pi/$target/autodns does not exist; leave out --ready"
    "$repo/scripts/build-pi.sh" --check "$target" "$binary" >/dev/null
    package "$architecture" "$binary"
done
