#!/usr/bin/env bash
# Puts autodns on a Raspberry Pi over ssh and has its cron run it: finds out which binary the Pi
# needs, builds it, copies it, tries it there, and only then puts it in place. What runs on the Pi
# is scripts/lib/pi-*.sh. This file must not change the Pi but through that, and whatever fails
# leaves the Pi as it was, with one clear line and a non-zero exit status. It must put no secret on a
# command line, neither here nor on the Pi, and must not trust what the Pi answers.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/deploy-pi.sh [options] [user@]host

  -p PORT, -i IDENTITY, -o SSH_OPTION   for ssh
  --config FILE        the configuration; without it, the one on the Pi is kept
  --credentials FILE   an AWS credentials file for autodns alone; without it, one deployed
                       earlier is kept, or else autodns looks where AWS's tools look
  --binary FILE        copy this one, and build nothing
  --interval MINUTES   how often cron runs it: a divisor of 60 (default 5)
  --env NAME=VALUE     a variable for autodns, such as AWS_PROFILE or HTTPS_PROXY, kept in a file
                       of mode 0600; repeatable; give all of them at each deployment
  --env NAME           the same with the value that NAME has here: `ps` shows an option's value
  --system             by sudo: /usr/local/bin, /etc/autodns and /etc/cron.d; otherwise
                       ~/.local/bin, ~/.config/autodns and the user's own crontab
  --force              put it in place although its dry run fails, or cron is not running
  --uninstall          take away what this script put there, and nothing else
  -h, --help
TEXT
}

fail() {
    echo "deploy-pi.sh: $*" >&2
    exit 1
}

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# --- the command line ---------------------------------------------------------------------------

destination=
ssh_options=()
config=
credentials=
binary=
interval=5
variables=()
system=no
force=no
uninstall=no

# Adds a variable, given as NAME=VALUE or as the NAME of one that is set here.
add_variable() {
    local name=${1%%=*} variable=$1
    [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || fail "--env wants NAME=VALUE or NAME, not $1"
    case $name in
        AWS_ACCESS_KEY_ID | AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN)
            fail "--env takes no $name; put the key into a file and name that with --credentials" ;;
    esac
    if [[ $1 != *=* ]]; then
        variable=$name=$(printenv "$name") || fail "--env $name: it is not set here"
    fi
    [[ $variable != *[[:cntrl:]]* ]] || fail "--env $name: its value has a control character"
    variables+=("$variable")
}

while (($#)); do
    option=$1
    shift
    case $option in
        # -p2222 and --config=FILE are what people type as well.
        -[pio]?*) set -- "${option:2}" "$@" && option=${option:0:2} ;;
        --*=*) set -- "${option#*=}" "$@" && option=${option%%=*} ;;
    esac
    case $option in
        -p | -i | -o | --config | --credentials | --binary | --interval | --env)
            (($#)) || fail "$option wants a value; see --help"
            value=$1
            shift
            ;;
    esac
    case $option in
        -p | -i | -o) ssh_options+=("$option" "$value") ;;
        --config) config=$value ;;
        --credentials) credentials=$value ;;
        --binary) binary=$value ;;
        --interval) interval=$value ;;
        --env) add_variable "$value" ;;
        --system) system=yes ;;
        --force) force=yes ;;
        --uninstall) uninstall=yes ;;
        -h | --help)
            usage
            exit
            ;;
        -*) fail "there is no option $option; see --help" ;;
        *)
            [[ -z $destination ]] || fail "one host at a time, not $destination and $option"
            destination=$option
            ;;
    esac
done
[[ -n $destination ]] || fail "name the Pi: [user@]host; see --help"
case $interval in
    1 | 2 | 3 | 4 | 5 | 6 | 10 | 12 | 15 | 20 | 30 | 60) ;;
    *) fail "--interval wants a divisor of 60, not $interval" ;;
esac
for file in "$config" "$credentials" "$binary"; do
    [[ -z $file || (-f $file && -r $file) ]] || fail "cannot read $file"
done
if [[ $uninstall == yes && -n $config$credentials$binary ]]; then
    fail "--uninstall copies nothing, so give no file with it"
fi
command -v ssh >/dev/null || fail "ssh is not installed here"

# ssh wants a bare IPv6 address; people also write it in brackets.
host=${destination##*@}
login=${destination%"$host"}
host=${host#[}
host=${host%]}

# --- the steps ----------------------------------------------------------------------------------

# shellcheck source=scripts/lib/over-ssh.sh
source "$repo/scripts/lib/over-ssh.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/autodns.XXXXXX")
stage=
# The first of two equal options wins with ssh, so the caller's own go before these. One
# connection serves all steps: a password is asked for once, and a Pi Zero needs seconds for each.
own_options=(
    -o ConnectTimeout=20
    -o ServerAliveInterval=15
    -o LogLevel=ERROR
    -o ControlMaster=auto
    -o "ControlPath=$scratch/s"
    -o ControlPersist=60
)
# ${a[@]+…}: the bash that macOS still ships calls an empty array unset.
ssh_command=(ssh ${ssh_options[@]+"${ssh_options[@]}"} "${own_options[@]}")

leave() {
    trap '' INT TERM
    if [[ -n $stage ]]; then
        remote clean >/dev/null 2>&1 || :
    fi
    "${ssh_command[@]}" -O exit -- "$login$host" >/dev/null 2>&1 || :
    rm -rf "$scratch"
}
trap leave EXIT
# A trap runs with the redirections of the step that it interrupts, which would swallow the line.
exec 9>&2
trap 'echo "deploy-pi.sh: interrupted" >&9; exit 130' INT
trap 'echo "deploy-pi.sh: interrupted" >&9; exit 143' TERM

phase probe || explain "$status"
user=$(fact user '[A-Za-z_][A-Za-z0-9_.-]*')
# It becomes part of commands for the login shell: see quoted.
home=$(fact home "/[^'!\\]*")
sudo=
if [[ $system == yes ]]; then
    sudo=$(fact sudo 'root|free|password')
fi
target=$(fact target '(aarch64|armv7|arm)-unknown-linux-musl(eabihf)?|unknown')
machine=$(fact machine '[A-Za-z0-9_.-]+, (32|64|unknown)-bit programs')
note=$(fact note 'crontab|cron\.d|timer')
[[ -n $user && -n $home ]] || fail "$destination: its shell did not answer; does ssh get one there?"
if [[ $sudo == password && ! -t 0 ]]; then
    fail "$destination: sudo asks for a password there, and here is no terminal to ask on"
fi
case $note in
    crontab) note="the crontab of $user has another line that names autodns; it stays" ;;
    cron.d) note="/etc/cron.d/autodns is there as well; it stays" ;;
    timer) note="the timer of the Debian package autodns is on as well; it stays" ;;
esac
if [[ -n $note ]]; then
    echo "$destination: note: $note"
fi

mkdir -m 700 "$scratch/files"
if [[ $uninstall == no ]]; then
    if [[ -z $binary ]]; then
        if [[ $target == unknown || -z $target ]]; then
            fail "$destination: no binary is made for ${machine:-it}; give one with --binary"
        fi
        echo "$destination: $machine: wants $target"
        "$repo/scripts/build-pi.sh" "$target" || fail "there is no binary for $destination"
        binary=$repo/target/pi/$target/autodns
    fi
    install -m 700 "$binary" "$scratch/files/autodns"
    if [[ -n $config ]]; then
        install -m 600 "$config" "$scratch/files/autodns.json"
    fi
    if [[ -n $credentials ]]; then
        install -m 600 "$credentials" "$scratch/files/credentials"
    fi
    if ((${#variables[@]})); then
        for variable in "${variables[@]}"; do
            printf '%s=%s\n' "${variable%%=*}" "$(quoted "${variable#*=}")"
        done | (umask 077 && cat >"$scratch/files/environment")
    fi
fi

# Copies what is in $scratch/files, and the script for root, into a new private folder there. Not by
# scp or sftp, which take what a login shell prints first for a part of their protocol.
copy_files() {
    local file words bytes
    phase stage || explain "$status"
    stage=$(fact stage '\.autodns-deploy\.[A-Za-z0-9]+')
    [[ -n $stage ]] || fail "$destination: it made no folder to copy into"
    (umask 077 && remote_script >"$scratch/files/script")
    bytes=$(cat "$scratch"/files/* | wc -c | tr -d ' ')
    for file in "$scratch"/files/*; do
        if ! "${ssh_command[@]}" -T -- "$login$host" \
            "cat >$(quoted "$home/$stage/${file##*/}")" <"$file" >/dev/null 2>"$scratch/raw"; then
            words=$(plain <"$scratch/raw" | tail -n 1)
            phase space || :
            fail "$destination: copying to $home failed: ${words##*: }; $(fact free '[0-9]+') kB" \
                "are free there, $((bytes / 1024 + 1)) are needed; nothing was changed"
        fi
    done
    phase arrived || explain "$status"
    [[ $(fact bytes '[0-9]+') == "$bytes" ]] ||
        fail "$destination: copying to $home failed: not all of it arrived; nothing was changed"
}

if [[ $uninstall == yes ]]; then
    if [[ $sudo == free || $sudo == password ]]; then
        copy_files
    fi
    if [[ $sudo == password ]]; then
        ask_password
    fi
    phase uninstall remote_as_root || explain "$status"
    exit
fi

copy_files
echo "$destination: a dry run there:"
if ! phase try; then
    if [[ $force == no ]]; then
        if grep -q '^deploy-pi\.sh: ' "$scratch/err"; then
            words=$(grep '^deploy-pi\.sh: ' "$scratch/err" | tail -n 1)
            echo "$words; nothing was changed (--force would do it all the same)" >&2
            exit 1
        fi
        explain "$status"
    fi
    grep '^deploy-pi\.sh: ' "$scratch/err" >&2 || :
    echo "$destination: going on all the same, as --force says"
fi

if [[ $sudo == password ]]; then
    ask_password
fi
phase commit remote_as_root || explain "$status"
