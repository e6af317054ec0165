#!/usr/bin/env bash
# Builds the static binaries for Raspberry Pis. Checks that each is linked statically and is for the
# right processor. Must not install anything outside the cache folder.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/build-pi.sh [options] [TARGET…]

TARGET is one of these; without one, the three for Pis are built:
  aarch64-unknown-linux-musl      Pi 3, 4, 5, Zero 2 with a 64-bit system
  armv7-unknown-linux-musleabihf  Pi 2, 3, 4, Zero 2 with a 32-bit system
  arm-unknown-linux-musleabihf    Pi 1, Zero, Zero W
  x86_64-unknown-linux-musl       a PC

  --way cross          build with cross, in a Docker or Podman container
  --way source         also build the standard library, as for a release
  --pages             write the sizes into docs/install.md, between its markers
  --check TARGET FILE  build nothing: check that FILE is a static binary for TARGET
  -h, --help           show this help

Without --way, it builds with cross if a container engine answers, else from source.
Each binary is copied to target/pi/TARGET/autodns. cargo's own files go to target/pi/build, or to
$CARGO_TARGET_DIR/pi if that is set.
TEXT
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/autodns}
pi_targets=(
    aarch64-unknown-linux-musl
    armv7-unknown-linux-musleabihf
    arm-unknown-linux-musleabihf
)

fail() {
    echo "build-pi.sh: $*" >&2
    exit 1
}

pis_of() {
    case $1 in
        aarch64-unknown-linux-musl) echo "3, 4, 5, Zero 2 (64-bit system)" ;;
        armv7-unknown-linux-musleabihf) echo "2, 3, 4, Zero 2 (32-bit system)" ;;
        arm-unknown-linux-musleabihf) echo "1, Zero, Zero W" ;;
        x86_64-unknown-linux-musl) echo "(a PC)" ;;
        *) fail "unknown target $1; see --help" ;;
    esac
}

# --- the two ways -------------------------------------------------------------------------------

# Succeeds if cross can build here, else sets reason.
can_cross() {
    local engine
    for engine in ${CROSS_CONTAINER_ENGINE:-docker podman}; do
        if command -v cross >/dev/null && "$engine" info >/dev/null 2>&1; then
            return
        fi
    done
    reason="it needs cross (cargo install cross), and Docker or Podman running"
    return 1
}

# Sets source_rustc and source_cargo if this machine can build from source, else sets reason. Tries
# the toolchain in use, then Debian's compiler in /usr/bin, which can be there beside rustup.
can_source() {
    local rustc sysroot
    for rustc in rustc /usr/bin/rustc; do
        source_rustc=$(command -v "$rustc") || continue
        source_cargo=$(command -v "${rustc%rustc}cargo") || continue
        sysroot=$(cd "$repo" && "$rustc" --print sysroot 2>/dev/null) || continue
        [[ ! -f $sysroot/lib/rustlib/src/rust/library/Cargo.lock ]] || return 0
    done
    reason="no compiler here has the source of the standard library (rustup component add \
rust-src; on Debian: apt-get install rustc-web cargo-web rust-web-src)"
    return 1
}

# Sets way to the first way that works here. Fails with the reason of each if none does.
choose_way() {
    local candidate reason reasons=
    for candidate in ${wanted_way:-cross source}; do
        "can_$candidate" && way=$candidate && return
        reasons+=${reasons:+; }"not with $candidate: $reason"
    done
    fail "cannot build here: $reasons"
}

# Puts zig and cargo-zigbuild on PATH, from PyPI with pinned checksums. zig is the C compiler and
# the linker of the source way. The stamp stands for the pinned versions: if it differs or is
# missing, the environment is made again.
enter_zig() {
    local dir=$cache/zig requirements=$repo/scripts/pi/requirements.txt stamp
    stamp=$(cksum <"$requirements")
    mkdir -p "$cache"
    (
        # One run installs. The others wait here, then find it installed.
        exec 9>"$dir.lock"
        if command -v flock >/dev/null; then flock 9; fi
        [[ $(cat "$dir/stamp" 2>/dev/null) != "$stamp" ]] || exit 0
        echo "build-pi.sh: installing zig and cargo-zigbuild into $dir"
        rm -rf "$dir"
        python3 -m venv "$dir" >&2 || fail "no venv; on Debian: apt-get install python3-venv"
        "$dir/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
            -r "$requirements" >&2 || fail "pip could not install them; its message is above"
        # cargo-zigbuild looks for `zig` before it asks Python. The wheel has only a module.
        printf '#!/bin/sh\nexec "%s" -m ziglang "$@"\n' "$dir/bin/python" >"$dir/bin/zig"
        chmod +x "$dir/bin/zig"
        echo "$stamp" >"$dir/stamp"
    ) || exit 1
    export ZIG_GLOBAL_CACHE_DIR=$cache/zig-cache CARGO_ZIGBUILD_CACHE_DIR=$cache/zigbuild-cache
    PATH=$dir/bin:$PATH
}

# Builds target. The binary is then in $target_dir/$way/$target/release.
build() {
    local flags no_tables=(-fno-unwind-tables -fno-asynchronous-unwind-tables)
    local common=(--release --locked --target "$target" --target-dir "$target_dir/$way")
    # The caller's flags would replace these, or make a binary for the caller's processor only.
    unset CARGO_ENCODED_RUSTFLAGS RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET
    cd "$repo"
    if [[ $way == cross ]]; then
        # Cross.toml has the flags.
        cross build "${common[@]}"
        return
    fi
    enter_zig
    flags=(
        # A panic ends the program, so the tables for unwinding are not needed: saves 20 kB.
        -Cforce-unwind-tables=no "${no_tables[@]/#/-Clink-arg=}"
        # sha2 runs its rounds in loops instead of unrolled: saves 7 kB.
        '--cfg=sha2_backend_soft="compact"'
        # zig provides the C start-up files. A standard library built from source has none.
        -Clink-self-contained=no
        # A panic message keeps its text but loses the file and the line.
        -Zlocation-detail=none
    )
    # Thumb-2, like Debian's armhf: saves 300 kB. rustc warns that the meaning of `thumb-mode` may
    # change; the check below and the emulated runs of test-pi.sh would notice that.
    [[ $target != armv7-* ]] || flags+=(-Ctarget-feature=+thumb-mode)
    # RUSTC_BOOTSTRAP: -Zbuild-std is not stable yet. RUST_LIBC_…: 64-bit time of musl on 32-bit
    # processors, so that the binary still works after January 2038.
    env "CFLAGS_${target//-/_}=${no_tables[*]}" \
        RUSTC_BOOTSTRAP=1 RUSTC="$source_rustc" RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1 \
        CARGO_ENCODED_RUSTFLAGS="$(IFS=$'\x1f' && echo "${flags[*]}")" \
        "$source_cargo" zigbuild "${common[@]}" \
        -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
}

# --- checks and sizes ---------------------------------------------------------------------------

# check TARGET FILE: fails if FILE is not a static program for the target's processor.
check() {
    local target=$1 file=$2 header machine found arch
    command -v readelf >/dev/null || fail "readelf is missing; on Debian: apt-get install binutils"
    [[ -f $file ]] || fail "$file does not exist"
    header=$(LC_ALL=C readelf -hW "$file" 2>&1) || fail "$file is not an ELF file"
    case $target in
        aarch64-*) machine="ELF64 AArch64" ;;
        arm*) machine="ELF32 ARM" ;;
        x86_64-*) machine="ELF64 Advanced Micro Devices X86-64" ;;
    esac
    found=$(sed -nE 's/^ *(Class|Machine): *//p' <<<"$header" | paste -sd ' ' -)
    [[ $found == "$machine" ]] || fail "$file is not for $target: it is for $found"
    grep -qE '^ *Type: +(EXEC|DYN)' <<<"$header" || fail "$file is not a program"
    if LC_ALL=C readelf -ldW "$file" | grep -E 'INTERP|\(NEEDED\)' >/dev/null; then
        fail "$file is not linked statically: it needs a loader or libraries on the Pi"
    fi
    [[ $target == arm* ]] || return 0
    grep -q 'hard-float ABI' <<<"$header" || fail "$file does not use the hard-float ABI"
    arch=$(LC_ALL=C readelf -AW "$file" | sed -n 's/^ *Tag_CPU_arch: //p')
    case $target:$arch in
        armv7-*:v7) ;;
        arm-*:v6 | arm-*:v6K | arm-*:v6KZ | arm-*:v5TE | arm-*:v5TEJ | arm-*:v4T) ;;
        *) fail "$file is not for $target: its instruction set is ${arch:-unknown}" ;;
    esac
}

# Replaces the text between the markers in docs/install.md with a table of the built binaries.
write_page() {
    local begin='<!-- sizes: written by scripts/build-pi.sh --pages -->'
    local page=docs/install.md target bytes
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    {
        printf '| Pi | target | bytes | MB |\n|---|---|--:|--:|\n'
        for target in "${pi_targets[@]}"; do
            bytes=$(wc -c <"$repo/target/pi/$target/autodns")
            awk -v pis="$(pis_of "$target")" -v target="$target" -v bytes="$bytes" \
                'BEGIN { printf "| %s | `%s` | %d | %.2f |\n", pis, target, bytes, bytes / 1e6 }'
        done
    } >"$scratch/table"
    grep -qxF -- "$begin" "$repo/$page" || fail "$page lacks the marker $begin"
    sed -e "\\|^$begin\$|,/^<!-- end of sizes -->\$/{//!d;}" -e "\\|^$begin\$|r $scratch/table" \
        "$repo/$page" >"$scratch/page"
    cat "$scratch/page" >"$repo/$page"
    echo "build-pi.sh: wrote the sizes into $page"
}

# --- the run ------------------------------------------------------------------------------------

targets=() wanted_way='' pages=''
while (($#)); do
    case $1 in
        --way)
            wanted_way=${2:-}
            [[ $wanted_way == cross || $wanted_way == source ]] ||
                fail "--way needs a value: cross or source"
            shift
            ;;
        --pages) pages=yes ;;
        --check)
            (($# == 3)) || fail "--check needs a target and a file, and nothing after them"
            pis_of "$2" >/dev/null
            check "$2" "$3"
            echo "build-pi.sh: $3 is a static binary for $2"
            exit
            ;;
        -h | --help) usage && exit ;;
        -*) fail "there is no option $1; see --help" ;;
        *) pis_of "$1" >/dev/null && targets+=("$1") ;;
    esac
    shift
done
((${#targets[@]})) || targets=("${pi_targets[@]}")
[[ -z $pages || ${targets[*]} == "${pi_targets[*]}" ]] ||
    fail "--pages needs all three binaries; leave out the targets"
target_dir=${CARGO_TARGET_DIR:+$CARGO_TARGET_DIR/pi} target_dir=${target_dir:-$repo/target/pi/build}
# cargo runs in the repository's folder, so a relative path is made absolute first.
[[ $target_dir == /* ]] || target_dir=$PWD/$target_dir

choose_way
for target in "${targets[@]}"; do
    echo "build-pi.sh: $target: building with $way"
    (build) || fail "$target: the build failed; the compiler's error is above"
    built=$target_dir/$way/$target/release/autodns
    check "$target" "$built"
    product=$repo/target/pi/$target/autodns
    mkdir -p "${product%/*}"
    # Copies, then renames, so that a deployment at the same time never reads half a file.
    cp "$built" "$product.new"
    mv -f "$product.new" "$product"
    [[ $way == source || $target != arm* ]] ||
        echo "build-pi.sh: note: this binary for $target stops working on 19 January 2038," \
            "because cross built it; build it with --way source to avoid that"
done
(cd "$repo/target/pi" && for target in "${targets[@]}"; do wc -c "$target/autodns"; done)
[[ -z $pages ]] || write_page
