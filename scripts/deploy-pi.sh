#!/usr/bin/env bash
# Puts autodns on a Raspberry Pi over ssh and has its cron run it: finds out which binary the Pi
# needs, builds it, copies it, tries it there, and only then puts it in place. What runs on the Pi
# is scripts/lib/pi-remote.sh. This file must not change the Pi but through that, and whatever
# fails leaves the Pi as it was, with one clear line and a non-zero exit status.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/deploy-pi.sh [options] [user@]host

  -p PORT, -i IDENTITY, -o SSH_OPTION   for ssh and scp alike
  --config FILE        the configuration; without it, the one on the Pi is kept
  --credentials FILE   an AWS credentials file for autodns alone; without it, one deployed
                       earlier is kept, or else autodns looks where AWS's tools look
  --binary FILE        copy this one, and build nothing
  --interval MINUTES   how often cron runs it: a divisor of 60 (default 5)
  --env NAME=VALUE     a variable for the cron line and the try-out, such as AWS_PROFILE or
                       HTTPS_PROXY; repeatable; give all of them at each deployment
  --system             by sudo: /usr/local/bin, /usr/local/etc and /etc/cron.d; otherwise
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
scp_options=()
config=
credentials=
binary=
interval=5
variables=()
system=no
force=no
uninstall=no

# The cron line and the try-out carry these, so each must be able to pass through both.
check_variable() {
    local name=${1%%=*}
    [[ $1 == *=* && $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] ||
        fail "--env wants NAME=VALUE, not $1"
    case $name in
        AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN)
            fail "--env $name would show a secret to every user of the Pi; use --credentials"
            ;;
    esac
    [[ $1 != *[[:cntrl:]]* && $1 != *\\* ]] ||
        fail "--env $name: cron can carry neither a backslash nor a control character"
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
        -p) ssh_options+=(-p "$value") && scp_options+=(-P "$value") ;;
        -i | -o) ssh_options+=("$option" "$value") && scp_options+=("$option" "$value") ;;
        --config) config=$value ;;
        --credentials) credentials=$value ;;
        --binary) binary=$value ;;
        --interval) interval=$value ;;
        --env) check_variable "$value" && variables+=("$value") ;;
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
for program in ssh scp; do
    command -v "$program" >/dev/null || fail "$program is not installed here"
done

# ssh wants a bare IPv6 address, scp one in brackets.
host=${destination##*@}
login=${destination%"$host"}
host=${host#[}
host=${host%]}
scp_host=$host
if [[ $host == *:* ]]; then
    scp_host="[$host]"
fi

# --- talking to the Pi --------------------------------------------------------------------------

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
scp_command=(scp -q ${scp_options[@]+"${scp_options[@]}"} "${own_options[@]}")

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

# A word for a POSIX shell, whatever is in it.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

yes_if() { if [[ -n $1 ]]; then echo yes; else echo no; fi; }

# The script for the Pi: the settings, then the part that is the same each time.
remote_script() {
    local environment='' variable
    for variable in ${variables[@]+"${variables[@]}"}; do
        environment+="$(quoted "$variable") "
    done
    cat <<TEXT
shown=$(quoted "$destination")
system=$system uninstall=$uninstall force=$force interval=$interval
user=$(quoted "${user:-}") home=$(quoted "${home:-}") stage=$(quoted "$stage")
with_config=$(yes_if "$config") with_credentials=$(yes_if "$credentials")
environment=$(quoted "$environment")
TEXT
    cat "$repo/scripts/lib/pi-remote.sh"
}

# Runs a phase on the Pi as the user who logs in. The script goes in through stdin, so that the
# login shell, whichever it is, has nothing to misread.
remote() { remote_script | "${ssh_command[@]}" -T -- "$login$host" "sh -s $1"; }

# Runs a phase as root where --system asks for it. A sudo that wants a password needs a terminal,
# and with it stdin; then the script goes in as an argument.
remote_as_root() {
    case $sudo in
        free) remote_script | "${ssh_command[@]}" -T -- "$login$host" "sudo -n sh -s $1" ;;
        password)
            "${ssh_command[@]}" -tt -- "$login$host" \
                "sudo -p 'sudo on the Pi asks for your password: '" \
                "sh -c $(quoted "$(remote_script)") sh $1"
            ;;
        *) remote "$1" ;;
    esac
}

# Tells in one line why ssh or scp gave up; $1 is its exit status, $scratch/err has its words.
explain() {
    local status=$1 words
    # The part on the Pi has said it already, in a line of its own; with a terminal for sudo it
    # has been seen already, too.
    if grep '^deploy-pi\.sh: ' "$scratch/err" >&2 || [[ $status == 9 ]]; then
        exit 1
    fi
    words=$(grep -v '^[[:space:]]*$' "$scratch/err" | tail -n 1 | tr -d '\r') || :
    case $words in
        *'Permission denied ('* | *'Too many authentication failures'*)
            words="the login was refused: ${words##*: }; name the right key with -i" ;;
        *'Host key verification failed'*)
            words="its host key is not the known one, or not known yet; log in once by hand" ;;
        *'resolve hostname'*) words="no machine has that name: ${words##*: }" ;;
        *refused | *'timed out'* | *unreachable* | *'No route'*)
            words="it cannot be reached: ${words##*: }; is it on, and is this sshd's port?" ;;
        '') words="ssh ended with status $status" ;;
    esac
    fail "$destination: $words"
}

fact() { sed -n "s/^@$1=//p" "$scratch/facts" | tail -n 1; }

# --- the steps ----------------------------------------------------------------------------------

remote probe >"$scratch/facts" 2>"$scratch/err" || explain $?
user=$(fact user)
home=$(fact home)
sudo=$(fact sudo)
[[ -n $user && -n $home ]] || fail "$destination: its shell did not answer; does ssh get one there?"
if [[ $sudo == password && ! -t 0 ]]; then
    fail "$destination: sudo asks for a password there, and here is no terminal to ask on"
fi
note=$(fact note)
if [[ -n $note ]]; then
    echo "$destination: note: $note"
fi

if [[ $uninstall == yes ]]; then
    remote_as_root uninstall 2>"$scratch/err" || explain $?
    exit
fi

if [[ -z $binary ]]; then
    target=$(fact target)
    if [[ $target == unknown ]]; then
        fail "$destination: no binary is made for $(fact machine); give one with --binary"
    fi
    echo "$destination: $(fact machine): wants $target"
    "$repo/scripts/build-pi.sh" "$target" || fail "there is no binary for $destination"
    binary=$repo/target/pi/$target/autodns
fi

# Under fixed names, because scp takes a name with a colon in it for a host.
mkdir -m 700 "$scratch/files"
install -m 700 "$binary" "$scratch/files/autodns"
if [[ -n $config ]]; then
    install -m 600 "$config" "$scratch/files/autodns.json"
fi
if [[ -n $credentials ]]; then
    install -m 600 "$credentials" "$scratch/files/credentials"
fi

remote stage >"$scratch/facts" 2>"$scratch/err" || explain $?
stage=$(fact stage)
[[ $stage == .autodns-deploy.* ]] || fail "$destination: it made no folder to copy into"

if ! "${scp_command[@]}" "$scratch"/files/* "$login$scp_host:$stage/" 2>"$scratch/err"; then
    words=$(tail -n 1 "$scratch/err" | tr -d '\r')
    # scp's "Failure" tells little; the room left on the disk often tells the rest.
    remote space >"$scratch/facts" 2>/dev/null || :
    needed=$(($(cat "$scratch"/files/* | wc -c) / 1024 + 1))
    fail "$destination: copying to $home failed: ${words##*: }; $(fact free) kB are free there," \
        "$needed are needed; nothing was changed"
fi

echo "$destination: a dry run there:"
status=0
remote try 2>"$scratch/err" || status=$?
if ((status)); then
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

remote_as_root commit 2>"$scratch/err" || explain $?
