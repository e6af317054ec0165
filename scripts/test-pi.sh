#!/usr/bin/env bash
# The Raspberry Pi test. Builds the binaries, checks them against their budget, and runs the parts
# that usage() lists on emulated processors and Pis. Installs the packages that it needs. Keeps in
# the cache folder what is slow to make, and removes everything else that it made on this machine,
# also when it fails or is interrupted. After the downloads, no traffic leaves loopback.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/test-pi.sh [PART…]

PART is one of these; without one, all are run:
  main    each binary does the main job against the emulated AWS, under qemu-user
  twice   the armv7 binary, built again in another folder, has the same bytes
  clock   the armv7 binary runs on a real armv7 kernel in the years 2040 and 1970
  armhf   deploy-pi.sh on an emulated Pi with a 32-bit system (needs root)
  arm64   the same with a 64-bit system and fewer tests (needs root)
  deb     the Debian packages, on an emulated Pi and under systemd (needs root)
  ansible the Ansible role, on an emulated Pi and under systemd (needs root)
  release the files of a release, installed as their texts say, without Rust (needs root)
TEXT
}

fail() {
    echo "test-pi.sh: $*" >&2
    exit 1
}

say() { echo "test-pi.sh: $*"; }

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/autodns}
mkdir -p "$cache"
export AUTODNS_CACHE=$cache
# Outside the clone, so that the next clone reuses the compiled dependencies.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/cargo}

# shellcheck source=tests/pi/prepare.sh
source "$repo/tests/pi/prepare.sh"
# shellcheck source=tests/pi/clock.sh
source "$repo/tests/pi/clock.sh"

parts=()
for argument; do
    case $argument in
        main | twice | clock | armhf | arm64 | deb | ansible | release) parts+=("$argument") ;;
        -h | --help)
            usage
            exit
            ;;
        *) fail "there is no part $argument; see --help" ;;
    esac
done
if ((${#parts[@]} == 0)); then
    parts=(armhf main clock arm64 deb ansible release twice)
fi
# runs_any PART…: whether at least one of these parts will run.
runs_any() {
    local part
    for part; do
        if [[ " ${parts[*]} " == *" $part "* ]]; then return; fi
    done
    return 1
}

# Emulated Pis need root. In CI, a missing part is an error.
if ((EUID != 0)) && runs_any armhf arm64 deb ansible release; then
    if [[ -n ${CI:-} ]]; then
        fail "this must run as root in CI: the emulated Pis need mounts and namespaces"
    fi
    say "armhf, arm64, deb, ansible and release do not run, because their emulated Pis need root"
    kept=()
    for part in "${parts[@]}"; do
        case $part in
            main | twice | clock) kept+=("$part") ;;
        esac
    done
    ((${#kept[@]})) || fail "no part is left to run; run this as root"
    parts=("${kept[@]}")
fi

scratch=$(mktemp -d)
children=()
registered=
clean_up() {
    local child
    trap '' INT TERM
    for child in ${children[@]+"${children[@]}"}; do
        # When the first process of the namespaces ends, the kernel ends all their processes and
        # mounts.
        pkill -KILL -P "$child" || :
        kill -KILL "$child" 2>/dev/null || :
    done
    if [[ -n $registered ]]; then
        forget_emulators
    fi
    if runs_any deb ansible release; then
        forget_cgroups
    fi
    wait
    rm -rf --one-file-system "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- preparation --------------------------------------------------------------------------------

began=$SECONDS
packages=(binutils qemu-user-static)
if runs_any clock; then
    packages+=(cpio openssl qemu-system-arm)
fi
if ((EUID == 0)); then
    packages+=(debootstrap iproute2 openssh-client openssl procps util-linux)
fi
if runs_any deb; then
    packages+=(fish groff lintian man-db mandoc zsh)
fi
if runs_any deb ansible release; then
    # These parts build the static x86-64 binary, and its quiet run is measured.
    packages+=(openssl strace time valgrind)
    export AUTODNS_TEST_CGROUP=autodns-test-$$
fi
install_packages "${packages[@]}"
install_compiler_with_source
python=$("$repo/tests/moto/setup.sh")/bin/python
if runs_any ansible; then
    make_ansible
fi
if runs_any clock; then
    make_kernel
fi
if runs_any armhf arm64 deb ansible release; then
    # Before debootstrap, which runs programs for the other processor.
    registered=yes
    register_emulators
    (
        if runs_any armhf deb release; then make_root armhf; fi
        if runs_any arm64; then make_root arm64; fi
        if runs_any deb release; then make_root "$(dpkg --print-architecture)" systemd; fi
        if runs_any ansible; then
            make_root "$(dpkg --print-architecture)" ansible
            make_root arm64 ansible
        fi
    ) >"$scratch/roots.log" 2>&1 &
    roots=$!
    children+=("$roots")
fi
say "prepared in $((SECONDS - began)) s"

# --- the binaries -------------------------------------------------------------------------------

began=$SECONDS
"$repo/scripts/build-pi.sh" --way source
budgeted=(aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf arm-unknown-linux-musleabihf)
if runs_any deb ansible release; then
    "$repo/scripts/build-pi.sh" --way source x86_64-unknown-linux-musl
    budgeted+=(x86_64-unknown-linux-musl)
fi
say "built in $((SECONDS - began)) s"
began=$SECONDS
PYTHON=$python "$repo/scripts/budget.sh" "${budgeted[@]}" ||
    fail "the budget is exceeded; see the lines with OVER above"
say "within budget, measured in $((SECONDS - began)) s"
if [[ -n ${roots:-} ]]; then
    began=$SECONDS
    wait "$roots" || {
        cat "$scratch/roots.log" >&2
        fail "the root file systems for the emulated Pis could not be made; the cause is above"
    }
    children=()
    say "waited $((SECONDS - began)) s more for the root file systems of the emulated Pis"
fi

# --- the parts ----------------------------------------------------------------------------------

# The parts run in separate namespaces: their only network is loopback, and their processes and
# mounts end with them. The empty mount points are removed with the rest of scratch.
run_parts() {
    export TMPDIR=$scratch
    if ((EUID == 0)); then
        exec unshare --mount --net --pid --uts --fork --kill-child=KILL --mount-proc \
            bash -euc 'ip link set lo up; exec "$@"' bash \
            "$repo/tests/pi/run.sh" "$cache" "$python" "$@"
    else
        exec "$repo/tests/pi/run.sh" "$cache" "$python" "$@"
    fi
}

# The 32-bit Pi mostly waits for cron. The other parts run in the meantime and print afterwards.
first=()
rest=()
for part in "${parts[@]}"; do
    if [[ $part == armhf ]]; then first+=("$part"); else rest+=("$part"); fi
done
began=$SECONDS
if ((${#first[@]})); then
    run_parts "${first[@]}" >"$scratch/first.log" 2>&1 &
    children+=($!)
fi
if ((${#rest[@]})); then
    run_parts "${rest[@]}" >"$scratch/rest.log" 2>&1 &
    children+=($!)
fi
failed=0
for child in "${children[@]}"; do
    wait "$child" || failed=1
done
children=()
cat "$scratch"/{first,rest}.log 2>/dev/null || :
((failed == 0)) || fail "failed after $((SECONDS - began)) s; the cause is above"
passed=$({ cat "$scratch"/{first,rest}.log 2>/dev/null || :; } |
    sed -n 's/^test-pi\.sh: [a-z0-9]*: \([0-9]*\) checks passed.*/\1/p' |
    awk '{ sum += $1 } END { print sum + 0 }')
say "all parts in $((SECONDS - began)) s"
echo "$passed passed, 0 failed"
