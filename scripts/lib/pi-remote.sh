# The last third of the script that deploy-pi.sh runs on the Pi: the phases that change only the
# folder of the copied files, and the choice of the phase. ssh sends it; the Pi does not keep it.
# Plain POSIX sh. Each failure is one line on stderr and exit status 9.
# shellcheck shell=sh disable=SC2016,SC2154  # code for another shell; variables of pi-places.sh

# --- facts --------------------------------------------------------------------------------------

# The Rust target for the programs of this system. uname is not enough: it describes the kernel, and
# a 64-bit kernel often runs a 32-bit system.
rust_target() {
    bits=$(getconf LONG_BIT 2>/dev/null) || bits=
    if [ -z "$bits" ]; then
        # The fifth byte of an ELF file: 1 is 32-bit, 2 is 64-bit.
        case $(dd if=/bin/sh bs=1 skip=4 count=1 2>/dev/null | od -An -tu1 | tr -d ' ') in
            1) bits=32 ;;
            2) bits=64 ;;
        esac
    fi
    case $(uname -m):$bits in
        aarch64:64 | arm64:64) echo aarch64-unknown-linux-musl ;;
        aarch64:32 | arm64:32 | armv7*:* | armv8*:32) echo armv7-unknown-linux-musleabihf ;;
        armv6*:*) echo arm-unknown-linux-musleabihf ;;
        *) echo unknown ;;
    esac
}

cron_runs() {
    for file in /run/crond.pid /var/run/crond.pid /var/run/cron.pid; do
        if [ -s "$file" ] && read -r pid <"$file" && [ -d "/proc/$pid" ]; then
            return 0
        fi
    done
    if grep -qsxE 'cron|crond|fcron' /proc/[0-9]*/comm; then
        return 0
    fi
    for unit in cron.service crond.service cronie.service cron.target; do
        if systemctl --quiet is-active "$unit" 2>/dev/null; then
            return 0
        fi
    done
    return 1
}

# --- phase: probe -------------------------------------------------------------------------------

# Writes nothing. Prints facts as @name=value. Start-up files of the shell may print other lines.
probe() {
    echo "@home=$HOME"
    echo "@user=$(id -un)"
    echo "@target=$(rust_target)"
    echo "@machine=$(uname -m), $(getconf LONG_BIT 2>/dev/null || echo unknown)-bit programs"
    if [ "$system" = yes ]; then
        if [ "$(id -u)" = 0 ]; then
            echo "@sudo=root"
        elif ! command -v sudo >/dev/null; then
            fail "there is no sudo; leave out --system, or log in as root"
        elif sudo -n true 2>/dev/null; then
            echo "@sudo=free"
        else
            echo "@sudo=password"
        fi
    fi
    if [ "$uninstall" = yes ]; then
        return
    fi

    if [ "$system" = yes ]; then
        if [ ! -d /etc/cron.d ]; then
            fail "there is no cron that reads /etc/cron.d; install one: sudo apt install cron"
        fi
        if [ -e "$cron_file" ] && [ -r "$cron_file" ] && ! grep -qF "$mark" "$cron_file"; then
            fail "$cron_file exists and is not from this script; move it away first"
        fi
        case $(dpkg-query -W -f '${Status}' autodns 2>/dev/null) in
            *' installed' | *' config-files')
                fail "the Debian package autodns has its files in $folder there; leave out" \
                    "--system, or first remove the package and its files: sudo apt purge autodns"
                ;;
        esac
        if [ -d "$folder" ] && [ ! -x "$folder" ]; then
            fail "$(id -un) has no access to $folder; move it away first"
        fi
    else
        if ! command -v crontab >/dev/null; then
            fail "there is no cron (no crontab command); install it: sudo apt install cron"
        fi
        if ! read_crontab; then
            fail "the crontab of $(id -un) cannot be read: $output"
        fi
    fi
    if [ "$force" = no ] && ! cron_runs; then
        fail "cron is not running; start it: sudo systemctl enable --now cron (or use --force)"
    fi
    if [ "$with_config" = no ] && [ -z "$(kept "$config" "$old_config")" ]; then
        fail "$config does not exist yet; name the configuration to install with --config"
    fi
    for file in "$binary" "$config" "$credentials" "$environment"; do
        if [ -d "$file" ]; then
            fail "$file is a folder; move it away first"
        fi
    done
    note_others
}

# Notes what else runs autodns on the Pi. Two of them do the work twice, and only a person can
# decide which one to remove. deploy-pi.sh has the message for each note.
note_others() {
    others=
    if command -v crontab >/dev/null && read_crontab; then
        others=$(printf '%s' "$table" | grep -v '^[[:space:]]*#' | grep autodns |
            if [ "$system" = yes ]; then cat; else grep -vF "$mark"; fi)
    fi
    if [ -n "$others" ]; then
        echo "@note=crontab"
    elif [ "$system" = no ] && [ -e /etc/cron.d/autodns ]; then
        echo "@note=cron.d"
    elif [ -e /etc/systemd/system/timers.target.wants/autodns.timer ]; then
        echo "@note=timer"
    fi
}

# --- phases: stage, arrived, space, clean ---------------------------------------------------------

# Makes a private folder for the copied files. A deployment whose connection broke leaves its folder
# behind. This removes such folders after a day, because a younger one may still be in use.
stage() {
    cd || fail "cannot enter $HOME"
    find . ! -name . -prune -type d -name '.autodns-deploy.*' -mtime +0 -exec rm -rf {} + \
        2>/dev/null
    if ! output=$(mktemp -d "$HOME/.autodns-deploy.XXXXXX" 2>&1); then
        fail "cannot make a folder in $HOME: $(cause "$output"); nothing was changed"
    fi
    echo "@stage=${output##*/}"
}

arrived() { echo "@bytes=$(cat "$HOME/$stage"/* | wc -c | tr -d ' ')"; }

space() { echo "@free=$(df -Pk "$HOME/$stage" 2>/dev/null | awk 'NR == 2 { print $4 }')"; }

clean() {
    case $stage in
        .autodns-deploy.?*) rm -rf "${HOME:?}/$stage" ;;
    esac
}

# --- phase: try ---------------------------------------------------------------------------------

# Runs the copied binary with the copied files like cron does, with only the variables of cron, so
# that the user's environment cannot hide an error.
try_out() {
    from=$HOME/$stage
    chmod 700 "$from/autodns"
    if ! output=$("$from/autodns" --version 2>&1); then
        fail "the binary does not run on the Pi: $(cause "$output")"
    fi
    printf '%s\n' "$output"
    echo "@version=$(printf '%s\n' "$output" | head -n 1)"
    # The program looks for credentials beside the configuration, so both must be in one folder.
    if [ "$with_config" = no ]; then
        copy_for_trial "$(kept "$config" "$old_config")" autodns.json
    fi
    if [ "$with_credentials" = no ]; then
        copy_for_trial "$(kept "$credentials" "$old_credentials")" credentials
    fi
    set -- "$from/autodns" --dry-run --verbose "$from/autodns.json"
    if [ "$with_environment" = yes ]; then
        set -- /bin/sh -c 'set -a; . "$0"; exec "$@"' "$from/environment" "$@"
    fi
    status=0
    env -i HOME="$HOME" LOGNAME="$user" SHELL=/bin/sh PATH=/usr/bin:/bin "$@" 2>&1 || status=$?
    if [ "$status" != 0 ]; then
        fail "the dry run failed (exit status $status); its output is above"
    fi
}

copy_for_trial() {
    if [ -n "$1" ]; then
        output=$(cp "$1" "$from/$2" 2>&1) || fail "cannot read $1: $(cause "$output")"
    fi
}

main() {
    umask 077
    PATH=$PATH:/usr/sbin:/sbin
    # The first line marks the start of the output, after the output of the login shell. The last
    # line confirms that the phase ran to its end.
    printf '\n@begin=%s\n' "$1"
    case $1 in
        probe) probe ;;
        stage) stage ;;
        arrived) arrived ;;
        space) space ;;
        clean) clean ;;
        try) try_out ;;
        commit) commit ;;
        uninstall) uninstall ;;
        *) fail "there is no phase $1" ;;
    esac
    echo "@done=$1"
}

# A phase must not read stdin, because the script itself may come from there.
main "$1" </dev/null
exit
