#!/usr/bin/env bash
# Tests what a person starts first: what try.sh, test.sh and soak.sh say on a machine that lacks
# something, and the whole of try.sh as a user without rights: not root, no way to become root, and
# a system that is read-only for it. It must not change anything of the machine.
#
#     tests/scripts/run.sh [--quick]        without the whole of try.sh
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${PYTHON:-python3}

die() {
    printf 'tests/scripts/run.sh: %s\n' "$1" >&2
    exit 1
}

work=$(mktemp -d)
child=
# shellcheck disable=SC2317  # the traps call it
clean_up() {
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null || :
        wait "$child" || :
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# What would give rights, or needs them, writes down that it was called. `apt-get download` needs
# none.
mkdir "$work/traps"
apt_get=$(command -v apt-get) || apt_get=false
for program in sudo su doas pkexec apt apt-get dpkg; do
    cat >"$work/traps/$program" <<TEXT
#!/bin/sh
case "$program \$1" in 'apt-get download') exec $apt_get "\$@" ;; esac
echo "$program \$*" >>"$work/called"
exit 1
TEXT
    chmod 755 "$work/traps/$program"
done

# unprivileged COMMAND…: as uid 1000 with no capability and no way to get one. For root in a user
# namespace, so that the user owns what root owns, the toolchain and the target folder; what belongs
# to the system is read-only.
unprivileged() {
    # shellcheck disable=SC2016  # for the shell inside
    local confine='
        for folder in /usr /etc /var/lib /var/cache; do
            mount --bind "$folder" "$folder"
            mount -o remount,bind,ro "$folder"
        done
        exec unshare --user --map-user=1000 --map-group=1000 \
            setpriv --no-new-privs --inh-caps=-all "$@"'
    set -- env -u SUDO_USER PATH="$work/traps:$PATH" "$@"
    if [ "$(id -u)" = 0 ]; then
        set -- unshare --mount --propagation private sh -euc "$confine" sh "$@"
    else
        set -- setpriv --no-new-privs "$@"
    fi
    "$@" </dev/null &
    child=$!
    local status=0
    wait "$child" || status=$?
    child=
    return "$status"
}

export PYTHONDONTWRITEBYTECODE=1
"$python" -m unittest discover --quiet --start-directory "$root/tests/scripts" ||
    die 'what the scripts say before they build anything is wrong; see above'

# shellcheck disable=SC2016
unprivileged sh -c '
    [ "$(id -u)" != 0 ] || { echo "it is root" >&2; exit 1; }
    ! touch /etc/autodns-test 2>/dev/null || { echo "it can write /etc" >&2; exit 1; }
' || die 'no user without rights can be made here (unshare and setpriv of util-linux)'

for script in try test soak; do
    unprivileged "$root/scripts/$script.sh" --preflight ||
        die "scripts/$script.sh wants something that this user has not; see above"
done
if [ "${1:-}" != --quick ]; then
    # The cache may be empty: what try.sh installs for itself needs no rights either.
    unprivileged "$root/scripts/try.sh" || die 'scripts/try.sh fails for a user without rights'
fi
[ ! -e "$work/called" ] || die "this was called: $(cat "$work/called")"
