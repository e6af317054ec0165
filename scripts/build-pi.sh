#!/usr/bin/env bash
# Builds the static binaries for Raspberry Pis, and vouches for each: linked statically, and for
# the processor it was asked for. It takes the first way that this machine has, says which and why
# not the others, and installs nothing outside the cache folder.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/build-pi.sh [options] [TARGET…]

TARGET is one of these; without one, the three of the Pis are built:
  aarch64-unknown-linux-musl      Pi 3, 4, 5, Zero 2 with a 64-bit system
  armv7-unknown-linux-musleabihf  Pi 2, 3, 4, Zero 2 with a 32-bit system
  arm-unknown-linux-musleabihf    Pi 1, Zero, Zero W
  x86_64-unknown-linux-musl       no Pi: any PC

  --way cross|zigbuild|source  this way only, and fail where it is not open
  --readme                     write the sizes into docs/install.md, between its markers
  --check TARGET FILE          build nothing: see whether FILE is a binary fit for TARGET
  -h, --help

Each binary is copied to target/pi/TARGET/autodns. cargo's own files go to target/pi/build, or to
$CARGO_TARGET_DIR/pi where that is set.
TEXT
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/autodns}

# zig and cargo-zigbuild from PyPI, each with its version and checksums.
zig_requirements=$repo/scripts/pi/requirements.txt

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
        aarch64-*) echo "3, 4, 5, Zero 2 (64-bit system)" ;;
        armv7-*) echo "2, 3, 4, Zero 2 (32-bit system)" ;;
        arm-*) echo "1, Zero, Zero W" ;;
        x86_64-*) echo "(a PC)" ;;
        *) return 1 ;;
    esac
}

# --- the three ways -----------------------------------------------------------------------------
# Each way_is_open_… takes a target; where the way is closed it says why on stdout and fails.

way_is_open_cross() {
    local engine engines=()
    if ! command -v cross >/dev/null; then
        echo "cross is not installed (cargo install cross)"
        return 1
    fi
    if [[ -n ${CROSS_CONTAINER_ENGINE:-} ]]; then
        engines=("$CROSS_CONTAINER_ENGINE")
    else
        engines=(docker podman)
    fi
    for engine in "${engines[@]}"; do
        if "$engine" info >/dev/null 2>&1; then
            return 0
        fi
    done
    echo "no container engine answers (tried: ${engines[*]})"
    return 1
}

way_is_open_zigbuild() {
    if ! command -v rustup >/dev/null; then
        echo "there is no rustup to provide Rust's library for the target"
        return 1
    fi
    if ! grep -qx "$1" <<<"$(cd "$repo" && rustup target list --installed 2>/dev/null)"; then
        echo "rustup has no library for the target (rustup target add $1)"
        return 1
    fi
    zig_is_there
}

way_is_open_source() {
    if ! find_compiler_with_source; then
        echo "no compiler here has its library's source (rustup component add rust-src;" \
            "on Debian: apt-get install rustc-web cargo-web rust-web-src)"
        return 1
    fi
    zig_is_there
}

zig_is_there() {
    if command -v cargo-zigbuild >/dev/null && command -v zig >/dev/null; then
        return 0
    fi
    if [[ -x $cache/zig/bin/cargo-zigbuild ]] || python3 -m venv --help >/dev/null 2>&1; then
        return 0
    fi
    echo "cargo-zigbuild and zig are not installed, nor Python 3 with venv to fetch them"
    return 1
}

# Sets source_rustc and source_cargo. The toolchain in use comes first; the second pair is where
# Debian puts its own compiler, beside any rustup.
find_compiler_with_source() {
    local rustc cargo sysroot
    for rustc in rustc /usr/bin/rustc; do
        cargo=${rustc%rustc}cargo
        if ! command -v "$rustc" >/dev/null || ! command -v "$cargo" >/dev/null; then
            continue
        fi
        sysroot=$(cd "$repo" && "$rustc" --print sysroot 2>/dev/null) || continue
        if [[ -f $sysroot/lib/rustlib/src/rust/library/Cargo.lock ]]; then
            source_rustc=$(command -v "$rustc")
            source_cargo=$(command -v "$cargo")
            return 0
        fi
    done
    return 1
}

# Puts cargo-zigbuild and zig on PATH. A stamp names what the environment was made of, so that
# another pin, or an installation broken off half-way, makes it anew.
enter_zig() {
    # Zig's caches belong into ours, not into wherever it would put them by itself.
    export ZIG_GLOBAL_CACHE_DIR=$cache/zig-cache CARGO_ZIGBUILD_CACHE_DIR=$cache/zigbuild-cache
    if command -v cargo-zigbuild >/dev/null && command -v zig >/dev/null; then
        return
    fi
    local dir=$cache/zig stamp
    stamp=$(cksum <"$zig_requirements")
    mkdir -p "$cache"
    (
        # Only one run at a time makes it; another one waits here and then finds it made.
        if command -v flock >/dev/null; then
            exec 9>"$dir.lock"
            flock 9
        fi
        [[ $(cat "$dir/stamp" 2>/dev/null) != "$stamp" ]] || exit 0
        echo "build-pi.sh: fetching zig and cargo-zigbuild into $dir"
        rm -rf "$dir"
        python3 -m venv "$dir" >&2 ||
            fail "cannot make $dir; on Debian: apt-get install python3-venv"
        "$dir/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
            --requirement "$zig_requirements" >&2 ||
            fail "pip could not install $zig_requirements; its message is above"
        # cargo-zigbuild looks for `zig` before it asks Python; the wheel only brings a module.
        printf '#!/bin/sh\nexec "%s" -m ziglang "$@"\n' "$dir/bin/python" >"$dir/bin/zig"
        chmod +x "$dir/bin/zig"
        echo "$stamp" >"$dir/stamp"
    ) || exit 1
    PATH=$dir/bin:$PATH
}

# Sets flags, of rustc, to what makes the code small, whatever the way; Cross.toml says the same.
# The program aborts on a panic, so tables for unwinding are dead weight, in C as well. The machine
# outliner, which LLVM uses by itself for aarch64, makes one function of instructions that recur.
# sha2 has its rounds as loops. Thumb-2 is a third smaller than ARM code. rustc warns that it may
# change what `thumb-mode` means: the check of the product, and test-pi.sh, would notice.
no_tables=(-fno-unwind-tables -fno-asynchronous-unwind-tables)
set_flags() {
    flags=(
        -Cforce-unwind-tables=no
        '--cfg=sha2_backend_soft="compact"'
    )
    if [[ $1 == arm* ]]; then
        flags+=(-Cllvm-args=-enable-machine-outliner=always)
    fi
    if [[ $1 == armv7-* ]]; then
        flags+=(-Ctarget-feature=+thumb-mode)
    fi
}

# Compiles a file of scripts/pi for the target, and prints where that is. The name has a sum of the
# file, so that another one is linked anew: cargo does not look into what it links.
object_of() {
    local target=$1 source=$repo/scripts/pi/$2.c made_for object
    case $target in
        aarch64-*) made_for=(-target aarch64-linux-musl) ;;
        armv7-*) made_for=(-target arm-linux-musleabihf -mcpu=generic+v7a) ;;
        arm-*) made_for=(-target arm-linux-musleabihf -mcpu=arm1176jzf_s) ;;
        x86_64-*) made_for=(-target x86_64-linux-musl) ;;
    esac
    object=$target_dir/source/objects/$target/$2-$(cksum "$source" | cut -d' ' -f1).o
    mkdir -p "${object%/*}"
    zig cc "${made_for[@]}" -Os -ffunction-sections "${no_tables[@]}" -c "$source" \
        -o "$object.new" >&2 || fail "zig could not compile $source"
    mv "$object.new" "$object"
    echo "$object"
}

build() {
    local way=$1 target=$2 common flags object thumb=()
    common=(--release --target "$target" --target-dir "$target_dir/$way")
    if [[ -f $repo/Cargo.lock ]]; then
        common+=(--locked)
    fi
    # A caller's own flags would replace these, or bind the product to the caller's processor.
    unset CARGO_ENCODED_RUSTFLAGS RUSTFLAGS CARGO_BUILD_RUSTFLAGS CARGO_BUILD_TARGET
    export "CFLAGS_${target//-/_}=${no_tables[*]}"
    set_flags "$target"
    cd "$repo"
    case $way in
        cross)
            # The flags come from Cross.toml, as for anyone who calls cross by hand.
            cross build "${common[@]}"
            ;;
        zigbuild)
            enter_zig
            CARGO_ENCODED_RUSTFLAGS=$(encoded "${flags[@]}") cargo zigbuild "${common[@]}"
            ;;
        source)
            enter_zig
            # link-self-contained=no: zig supplies the C start-up files, which come with a
            # ready-made library only. location-detail=none: a panic keeps its words, and loses file
            # and line. What is for the linker is for zig's own C library, which it makes anew; -Oz
            # would take 7 kB more there, and cost a run 5 % more instructions, in memcpy.
            flags+=(-Clink-self-contained=no -Zlocation-detail=none)
            flags+=("${no_tables[@]/#/-Clink-arg=}")
            object=$(object_of "$target" left-out) || exit 1
            flags+=(-Clink-arg="$object")
            if [[ $target == arm-* ]]; then
                object=$(object_of "$target" atomics) || exit 1
                flags+=(-Clink-arg="$object")
                thumb=("${thumb_on_armv6[@]}")
            fi
            # RUSTC_BOOTSTRAP: -Zbuild-std is not stable yet. RUST_LIBC_…: the libc crate uses
            # musl's 64-bit time on 32-bit processors, which ends only long after January 2038.
            env RUSTC_BOOTSTRAP=1 RUSTC="$source_rustc" RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1 \
                CARGO_ENCODED_RUSTFLAGS="$(encoded "${flags[@]}")" \
                "$source_cargo" zigbuild "${common[@]}" "${thumb[@]}" \
                -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
            ;;
    esac
}

# As cargo wants flags that may hold spaces.
encoded() {
    local IFS=$'\x1f'
    echo "$*"
}

# ARMv6 has the first Thumb, which makes the binary a quarter smaller. Where that lacks something,
# as it does atomics (see scripts/pi/atomics.c), LLVM calls a function. compiler_builtins stays ARM
# code, as its assembly is; which is why this is not among the flags, which are for every crate.
thumb_on_armv6=(
    -Zprofile-rustflags
    --config 'profile.release.rustflags=["-Ctarget-feature=+thumb-mode"]'
    --config 'profile.release.package.compiler_builtins.rustflags=[]'
    --config 'profile.release.build-override.rustflags=[]'
)

name_of_way() {
    case $1 in
        cross) echo "cross, in a container" ;;
        zigbuild) echo "cargo-zigbuild with rustup's library" ;;
        source)
            echo "the compiler with its library's source," \
                "$("$source_rustc" --version | cut -d' ' -f1-2) at $source_rustc"
            ;;
    esac
}

# Sets way; says which it is and why not the ones before it.
choose_way() {
    local target=$1 candidate why
    way=
    for candidate in cross zigbuild source; do
        if [[ -n $wanted_way && $candidate != "$wanted_way" ]]; then
            continue
        fi
        # Not in a subshell: the source way leaves the names of its compiler behind.
        if "way_is_open_$candidate" "$target" >"$scratch/why"; then
            way=$candidate
            break
        fi
        why=$(cat "$scratch/why")
        echo "build-pi.sh: $target: not by $candidate: $why"
    done
    [[ -n $way ]] || fail "$target: no way to build it is open here; each line above says why"
    echo "build-pi.sh: $target: by $(name_of_way "$way")"
}

# --- the check of a product ---------------------------------------------------------------------

check() {
    local target=$1 file=$2 header program dynamic attributes machine class arch
    command -v readelf >/dev/null || fail "readelf is missing; on Debian: apt-get install binutils"
    [[ -f $file ]] || fail "$file is not there"
    header=$(LC_ALL=C readelf -hW "$file" 2>&1) || fail "$file is not an ELF file"
    program=$(LC_ALL=C readelf -lW "$file")
    dynamic=$(LC_ALL=C readelf -dW "$file")
    attributes=$(LC_ALL=C readelf -AW "$file")

    case $target in
        aarch64-*) class=ELF64 machine=AArch64 ;;
        arm*) class=ELF32 machine=ARM ;;
        x86_64-*) class=ELF64 machine="Advanced Micro Devices X86-64" ;;
    esac
    if ! grep -qE "^ *Class: +$class$" <<<"$header" ||
        ! grep -qE "^ *Machine: +$machine$" <<<"$header"; then
        fail "$file is not for $target: it is for $(sed -n 's/^ *Machine: *//p' <<<"$header")"
    fi
    grep -qE '^ *Type: +(EXEC|DYN)' <<<"$header" || fail "$file is not a program"
    if grep -q 'INTERP' <<<"$program" || grep -q '(NEEDED)' <<<"$dynamic"; then
        fail "$file is not linked statically: it needs a loader, or libraries of the Pi"
    fi

    [[ $target == arm* ]] || return 0
    grep -q 'hard-float ABI' <<<"$header" || fail "$file is not of the hard-float ABI"
    arch=$(sed -n 's/^ *Tag_CPU_arch: //p' <<<"$attributes")
    case $target:$arch in
        armv7-*:v7) ;;
        arm-*:v6 | arm-*:v6K | arm-*:v6KZ | arm-*:v5TE | arm-*:v5TEJ | arm-*:v4T) ;;
        *) fail "$file is not for $target: its instruction set is tagged ${arch:-with nothing}" ;;
    esac
}

# --- sizes --------------------------------------------------------------------------------------

size_of() { wc -c <"$1" | tr -d ' '; }

megabytes() { awk -v bytes="$1" 'BEGIN { printf "%.2f", bytes / 1000000 }'; }

table_begin='<!-- sizes: written by scripts/build-pi.sh --readme -->'
table_end='<!-- end of sizes -->'

write_table() {
    local readme=$repo/docs/install.md target bytes
    if ! grep -qxF -- "$table_begin" "$readme" || ! grep -qxF -- "$table_end" "$readme"; then
        fail "docs/install.md lacks the markers $table_begin and $table_end"
    fi
    {
        echo "$table_begin"
        echo "| Pi | target | bytes | MB |"
        echo "|---|---|--:|--:|"
        for target in "${targets[@]}"; do
            bytes=$(size_of "$repo/target/pi/$target/autodns")
            echo "| $(pis_of "$target") | \`$target\` | $bytes | $(megabytes "$bytes") |"
        done
        echo "$table_end"
    } >"$scratch/table"
    awk -v begin="$table_begin" -v end="$table_end" -v table="$scratch/table" '
        $0 == begin { while ((getline line < table) > 0) print line; inside = 1 }
        !inside { print }
        $0 == end { inside = 0 }
    ' "$readme" >"$scratch/readme"
    cat "$scratch/readme" >"$readme"
    echo "build-pi.sh: wrote the sizes into docs/install.md"
}

# --- the run ------------------------------------------------------------------------------------

targets=()
wanted_way=
readme=
while (($#)); do
    case $1 in
        --way)
            (($# > 1)) || fail "$1 wants a value"
            wanted_way=$2
            shift
            ;;
        --readme) readme=yes ;;
        --check)
            (($# == 3)) || fail "--check wants a target and a file, and nothing after them"
            pis_of "$2" >/dev/null || fail "$2 is no target of this script; see --help"
            check "$2" "$3"
            echo "build-pi.sh: $3 is fit for $2"
            exit
            ;;
        -h | --help)
            usage
            exit
            ;;
        -*) fail "there is no option $1; see --help" ;;
        *)
            pis_of "$1" >/dev/null || fail "$1 is no target of this script; see --help"
            targets+=("$1")
            ;;
    esac
    shift
done
target_dir=${CARGO_TARGET_DIR:+$CARGO_TARGET_DIR/pi}
target_dir=${target_dir:-$repo/target/pi/build}
# cargo is called from within the repository, so a relative folder must be made absolute first.
[[ $target_dir == /* ]] || target_dir=$PWD/$target_dir
case $wanted_way in
    '' | cross | zigbuild | source) ;;
    *) fail "there is no way $wanted_way: cross, zigbuild or source" ;;
esac
if ((${#targets[@]} == 0)); then
    targets=("${pi_targets[@]}")
fi
if [[ -n $readme && ${targets[*]} != "${pi_targets[*]}" ]]; then
    fail "--readme goes with the three targets of the Pis, so name none"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

report=()
for target in "${targets[@]}"; do
    choose_way "$target"
    (build "$way" "$target") || fail "$target: the build failed; the compiler's words are above"
    built=$target_dir/$way/$target/release/autodns
    check "$target" "$built"
    product=$repo/target/pi/$target/autodns
    mkdir -p "${product%/*}"
    # Copied beside and renamed, so that whoever deploys meanwhile never meets half a file.
    cp "$built" "$product.new"
    mv -f "$product.new" "$product"
    if [[ $way != source && $target == arm* ]]; then
        echo "build-pi.sh: note: this way links a ready-made library, and with it the $target" \
            "binary stops working on 19 January 2038; --way source makes one that does not"
    fi
    bytes=$(size_of "$product")
    report+=("$(printf '%-48s %8d bytes  %s MB' \
        "target/pi/$target/autodns" "$bytes" "$(megabytes "$bytes")")")
done
printf '%s\n' "${report[@]}"
if [[ -n $readme ]]; then
    write_table
fi
