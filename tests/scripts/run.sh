#!/usr/bin/env bash
# Tests the scripts that a new user starts: what try.sh, test.sh and soak.sh print if something is
# missing, and the whole of try.sh as a user without rights. That user is not root, cannot become
# root, and cannot write to the system's folders. Must not change the machine.
#
#     tests/scripts/run.sh [--quick]        --quick leaves out the whole of try.sh
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

# Replaces the programs that give rights or need them by one that records each call, except
# `apt-get download`, which needs no rights.
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

# unprivileged COMMAND…: runs it as uid 1000 with no capability and no way to get one. If the caller
# is root, this happens in a user namespace. There, uid 1000 owns root's files: it needs the
# toolchain and the target folder. The system's folders are read-only.
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
    die 'the tests of --preflight failed; see above'

# shellcheck disable=SC2016
unprivileged sh -c '
    [ "$(id -u)" != 0 ] || { echo "it is root" >&2; exit 1; }
    ! touch /etc/autodns-test 2>/dev/null || { echo "it can write /etc" >&2; exit 1; }
' || die 'cannot run as a user without rights here (with unshare and setpriv of util-linux)'

for script in try test soak; do
    unprivileged "$root/scripts/$script.sh" --preflight ||
        die "scripts/$script.sh needs something that this user does not have; see above"
done
if [ "${1:-}" != --quick ]; then
    # The cache can be empty, because try.sh needs no rights to fill it.
    unprivileged "$root/scripts/try.sh" || die 'scripts/try.sh fails for a user without rights'
fi
[ ! -e "$work/called" ] || die "a script called: $(cat "$work/called")"
