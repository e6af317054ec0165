#!/usr/bin/env bash
# Runs parts of the Raspberry Pi test, one after the other. Only scripts/test-pi.sh may start it,
# because that prepares the files and the namespaces. Must not install or fetch anything.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
# From test-pi.sh: the folder of the prepared files, and the Python with moto.
cache=${1:?} python=${2:?}
shift 2

targets=(
    aarch64-unknown-linux-musl
    armv7-unknown-linux-musleabihf
    arm-unknown-linux-musleabihf
)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$repo/Cargo.toml" | head -n 1)

# shellcheck source=tests/pi/lib.sh
source "$here/lib.sh"
# shellcheck source=tests/pi/prepare.sh
source "$here/prepare.sh"
# shellcheck source=tests/pi/main_job.sh
source "$here/main_job.sh"
# shellcheck source=tests/pi/twice.sh
source "$here/twice.sh"
# shellcheck source=tests/pi/clock.sh
source "$here/clock.sh"
# shellcheck source=tests/pi/emulated_pi.sh
source "$here/emulated_pi.sh"
# shellcheck source=tests/pi/refusals.sh
source "$here/refusals.sh"
# shellcheck source=tests/pi/shells.sh
source "$here/shells.sh"
# shellcheck source=tests/pi/from_here.sh
source "$here/from_here.sh"
# shellcheck source=tests/pi/by_hand.sh
source "$here/by_hand.sh"
# shellcheck source=tests/pi/deploying.sh
source "$here/deploying.sh"
# shellcheck source=tests/pi/ansible.sh
source "$here/ansible.sh"
# shellcheck source=tests/deb/on_pi.sh
source "$here/../deb/on_pi.sh"
# shellcheck source=tests/deb/under_systemd.sh
source "$here/../deb/under_systemd.sh"
# shellcheck source=tests/deb/packages.sh
source "$here/../deb/packages.sh"
# shellcheck source=tests/release/on_pi.sh
source "$here/../release/on_pi.sh"

top=$(mktemp -d)
trap 'rm -rf --one-file-system "$top" 2>/dev/null || :' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for part; do
    began=$SECONDS
    scratch=$top/$part
    mkdir -p "$scratch/home"
    passed=0
    case $part in
        main) test_main_job ;;
        twice) test_twice ;;
        clock) test_clock ;;
        deb) test_packages ;;
        ansible) test_ansible ;;
        release) test_release ;;
        armhf | arm64) test_emulated_pi "$part" ;;
    esac
    echo "test-pi.sh: $part: $passed checks passed in $((SECONDS - began)) s"
done
