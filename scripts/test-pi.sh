#!/usr/bin/env bash
# The Raspberry Pi test: builds the three binaries, holds them against their budget, runs each on an
# emulated processor through the whole main job, deploys to whole emulated Pis, lives with the
# Debian packages, and boots one binary in 2040 and in 1970. It installs what it needs, keeps what
# is slow to make in the cache folder, and takes away all else that it made on this machine, also
# when it fails or is interrupted. Nothing of it leaves loopback once the fetching is done.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/test-pi.sh [PART…]

PART is one of these; without one, all are run:
  main    each binary, under qemu-user, does the main job against the emulated AWS
  twice   the armv7 binary, built again in another folder, has the same bytes
  clock   the armv7 binary on a real armv7 kernel in 2040 and 1970
  armhf   deploy-pi.sh on an emulated Pi with a 32-bit system (needs root)
  arm64   the same, shorter, with a 64-bit system (needs root)
  deb     the Debian packages, on an emulated Pi and under a systemd (needs root)
  ansible the role for Ansible, on an emulated Pi and under a systemd (needs root)
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
# A fresh clone finds the compiled dependencies of the last one.
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
# wants PART…: whether any of them is to be run.
wants() {
    local part
    for part; do
        if [[ " ${parts[*]} " == *" $part "* ]]; then return; fi
    done
    return 1
}

# Emulated Pis need root. In CI, a missing part is an error.
if ((EUID != 0)) && wants armhf arm64 deb ansible release; then
    if [[ -n ${CI:-} ]]; then
        fail "in CI it must run as root: the emulated Pis need mounts and namespaces"
    fi
    say "not root: leaves out armhf, arm64, deb, ansible and release, which need emulated Pis"
    kept=()
    for part in "${parts[@]}"; do
        case $part in
            main | twice | clock) kept+=("$part") ;;
        esac
    done
    ((${#kept[@]})) || fail "nothing is left to run"
    parts=("${kept[@]}")
fi

scratch=$(mktemp -d)
children=()
registered=
leave() {
    local child
    trap '' INT TERM
    for child in ${children[@]+"${children[@]}"}; do
        # The kernel ends the namespaces with their first process: processes, mounts and all.
        pkill -KILL -P "$child" || :
        kill -KILL "$child" 2>/dev/null || :
    done
    if [[ -n $registered ]]; then
        forget_emulators
    fi
    if wants deb ansible release; then
        forget_cgroups
    fi
    wait
    rm -rf --one-file-system "$scratch"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- what is needed -----------------------------------------------------------------------------

began=$SECONDS
packages=(binutils qemu-user-static)
if wants clock; then
    packages+=(cpio openssl qemu-system-arm)
fi
if ((EUID == 0)); then
    packages+=(debootstrap iproute2 openssh-client openssl procps util-linux)
fi
if wants deb; then
    packages+=(fish groff lintian man-db mandoc zsh)
fi
if wants deb ansible release; then
    # The static x86-64 binary is built then, and what its quiet run takes is measured.
    packages+=(openssl strace time valgrind)
    export AUTODNS_TEST_CGROUP=autodns-test-$$
fi
install_packages "${packages[@]}"
install_compiler_with_source
python=$("$repo/tests/moto/setup.sh")/bin/python
if wants ansible; then
    make_ansible
fi
if wants clock; then
    make_kernel
fi
if wants armhf arm64 deb ansible release; then
    # Before debootstrap, which runs programs of the other processor.
    registered=yes
    register_emulators
    (
        if wants armhf deb release; then make_root armhf; fi
        if wants arm64; then make_root arm64; fi
        if wants deb release; then make_root "$(dpkg --print-architecture)" systemd; fi
        if wants ansible; then
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
if wants deb ansible release; then
    "$repo/scripts/build-pi.sh" --way source x86_64-unknown-linux-musl
    budgeted+=(x86_64-unknown-linux-musl)
fi
say "built in $((SECONDS - began)) s"
began=$SECONDS
PYTHON=$python "$repo/scripts/budget.sh" "${budgeted[@]}" ||
    fail "bigger or slower than budgeted; each line above that says OVER says what"
say "within budget, as measured in $((SECONDS - began)) s"
if [[ -n ${roots:-} ]]; then
    began=$SECONDS
    wait "$roots" || {
        cat "$scratch/roots.log" >&2
        fail "there is no root for the emulated Pis"
    }
    children=()
    say "waited $((SECONDS - began)) s more for the roots of the emulated Pis"
fi

# --- the parts ----------------------------------------------------------------------------------

# Namespaces of their own: no network but loopback, and nothing that outlives them but the folders
# that something was mounted on: these are removed with the rest of scratch.
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
((failed == 0)) || fail "failed after $((SECONDS - began)) s; what failed is named above"
passed=$({ cat "$scratch"/{first,rest}.log 2>/dev/null || :; } |
    sed -n 's/^test-pi\.sh: [a-z0-9]*: \([0-9]*\) checks passed.*/\1/p' |
    awk '{ sum += $1 } END { print sum + 0 }')
say "all parts in $((SECONDS - began)) s"
echo "$passed passed, 0 failed"
