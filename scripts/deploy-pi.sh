#!/usr/bin/env bash
# Installs autodns on Raspberry Pis over ssh, with a cron line. For each Pi it finds the right
# binary, takes it from the bundle of this script or builds it in a checkout, copies it, tests it on
# the Pi, and only then installs it. lib/pi-*.sh runs on the Pi, and nothing else changes the Pi. If
# a step fails, the Pi stays as it was, and the script prints one line and exits with a non-zero
# status. This file must put no secret on a command line, neither here nor on the Pi, and must not
# trust the output of the Pi. It must run with bash 3.2 and the tools of macOS and the BSDs.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: deploy-pi.sh [options] [user@]host…

Deploys to the hosts one after the other. A host that fails does not stop the others; the exit
status is the worst, and with several hosts the last lines say what became of each.

  -p PORT, -i IDENTITY, -o SSH_OPTION   for ssh
  --config FILE        the configuration; without it, the one on the Pi is kept
  --credentials FILE   an AWS credentials file only for autodns; without it, one deployed
                       earlier is kept, or else autodns looks where AWS's tools look
                       In both names, %h stands for the host: --config '%h.json'
  --binary FILE        copy this binary, not the one of this bundle, and build nothing
  --interval MINUTES   how often cron runs it: a divisor of 60 (default 5)
  --env NAME=VALUE     a variable for autodns, such as AWS_PROFILE or HTTPS_PROXY, kept in a file
                       of mode 0600; repeatable; give all of them at each deployment
  --env NAME           the same with the value that NAME has here, which `ps` does not show
  --system             with sudo: /usr/local/bin, /etc/autodns and /etc/cron.d; otherwise
                       ~/.local/bin, ~/.config/autodns and the user's own crontab
  --force              install it even if its dry run fails or cron is not running
  --uninstall          remove only what this script installed
  -h, --help           show this help
TEXT
}

# The file for the error of the current Pi, for its line in the result. Empty outside the work on a
# Pi.
reason=

# Ends the work on one Pi, or the script if no work on a Pi has begun.
fail() {
    echo "deploy-pi.sh: $*" >&2
    if [[ -n $reason ]]; then
        printf '%s\n' "${*#"$destination: "}" >"$reason"
    fi
    exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# --- the command line ---------------------------------------------------------------------------

destinations=()
ssh_options=()
config=
credentials=
binary=
interval=5
variables=()
system=no
force=no
uninstall=no

# Adds a variable: NAME=VALUE, or the NAME of a variable that is set here.
add_variable() {
    local name=${1%%=*} variable=$1
    [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || fail "--env needs NAME=VALUE or NAME, not $1"
    case $name in
        AWS_ACCESS_KEY_ID | AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN)
            fail "--env does not accept $name; put the key into a file for --credentials" ;;
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
        # Also accepts -p2222 and --config=FILE.
        -[pio]?*) set -- "${option:2}" "$@" && option=${option:0:2} ;;
        --*=*) set -- "${option#*=}" "$@" && option=${option%%=*} ;;
    esac
    case $option in
        -p | -i | -o | --config | --credentials | --binary | --interval | --env)
            (($#)) || fail "$option needs a value; see --help"
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
        '') fail "name the Pi: [user@]host; see --help" ;;
        *) destinations+=("$option") ;;
    esac
done
((${#destinations[@]})) || fail "name the Pi: [user@]host; see --help"
case $interval in
    1 | 2 | 3 | 4 | 5 | 6 | 10 | 12 | 15 | 20 | 30 | 60) ;;
    *) fail "--interval needs a divisor of 60, not $interval" ;;
esac
if [[ $uninstall == yes && -n $config$credentials$binary ]]; then
    fail "--uninstall needs no files; leave out --config, --credentials and --binary"
fi
command -v ssh >/dev/null || fail "ssh is not installed here"

# Sets host and login. ssh needs an IPv6 address without brackets; people also write it with them.
split_destination() {
    host=${1##*@}
    login=${1%"$host"}
    host=${host#[}
    host=${host%]}
}

# fill_in_host FILE: the file's name with the host in place of %h.
fill_in_host() {
    local rest=$1 name=
    while [[ $rest == *%h* ]]; do
        name+=${rest%%%h*}$host
        rest=${rest#*%h}
    done
    printf '%s' "$name$rest"
}

# Checks all files before the first Pi is changed, because a misspelt name is not an error of a Pi.
for destination in "${destinations[@]}"; do
    split_destination "$destination"
    for file in "$(fill_in_host "$config")" "$(fill_in_host "$credentials")" "$binary"; do
        [[ -z $file || (-f $file && -r $file) ]] || fail "cannot read $file"
    done
done

# --- the work on one Pi -------------------------------------------------------------------------

# shellcheck source=scripts/lib/over-ssh.sh
source "$here/lib/over-ssh.sh"

# shellcheck disable=SC2317  # a trap calls it
clean_up() {
    trap '' INT TERM
    if [[ -n $stage ]]; then
        remote clean >/dev/null 2>&1 || :
    fi
    end_connection
    rm -rf "$scratch"
}

# Runs in a subshell that ends at the first error.
deploy_to_one() {
    destination=$1
    split_destination "$destination"
    config=$(fill_in_host "$config")
    credentials=$(fill_in_host "$credentials")
    mkdir "$scratch"
    stage=
    trap clean_up EXIT
    # A trap runs with the redirections of the interrupted step, which would hide the line.
    exec 9>&2
    trap 'echo "deploy-pi.sh: interrupted" >&9; exit 130' INT
    trap 'echo "deploy-pi.sh: interrupted" >&9; exit 143' TERM

    first_contact || fail_with_cause "$status"
    read_facts
    mkdir -m 700 "$scratch/files"
    if [[ $uninstall == yes ]]; then
        uninstall_there
    else
        gather_files
        copy_files
        try_there
        if [[ $sudo == password ]]; then
            ask_password
        fi
        phase commit remote_as_root || fail_with_cause "$status"
        printf '%s is in place\n' "${version:-autodns}" >"$reason"
    fi
}

# Keeps the facts that the Pi reported, and prints a note about each unusual one.
read_facts() {
    user=$(fact user '[A-Za-z_][A-Za-z0-9_.-]*')
    # The value becomes part of commands for the login shell: see quoted.
    home=$(fact home "/[^'!\\]*")
    sudo=
    if [[ $system == yes ]]; then
        sudo=$(fact sudo 'root|free|password')
    fi
    target=$(fact target '(aarch64|armv7|arm)-unknown-linux-musl(eabihf)?|unknown')
    machine=$(fact machine '[A-Za-z0-9_.-]+, (32|64|unknown)-bit programs')
    note=$(fact note 'crontab|cron\.d|timer')
    [[ -n $user && -n $home ]] ||
        fail "$destination: its login shell did not answer; check that ssh starts a shell there"
    if [[ $sudo == password && ! -t 0 ]]; then
        fail "$destination: sudo asks for a password there; run this in a terminal"
    fi
    case $note in
        crontab) note="the crontab of $user has another line that names autodns; it is kept" ;;
        cron.d) note="/etc/cron.d/autodns also runs autodns; it is kept" ;;
        timer) note="the timer of the Debian package autodns also runs autodns; it is kept" ;;
    esac
    if [[ -n $note ]]; then
        echo "$destination: note: $note"
    fi
}

# Sets binary to the one for this Pi.
find_binary() {
    local folder
    if [[ $target == unknown || -z $target ]]; then
        fail "$destination: there is no binary for ${machine:-it}; name one with --binary"
    fi
    echo "$destination: $machine: needs $target"
    if [[ ! -d $here/bin && -f $here/build-pi.sh ]]; then
        binary=$here/../target/pi/$target/autodns
        # Built once for all Pis that need it.
        if [[ ! -e $shared/built.$target ]]; then
            "$here/build-pi.sh" "$target" ||
                fail "$destination: its binary could not be built; the cause is above"
            : >"$shared/built.$target"
        fi
        return
    fi
    case $target in
        aarch64-*) folder=aarch64 ;;
        armv7-*) folder=armv7 ;;
        arm-*) folder=armv6 ;;
    esac
    binary=$here/bin/$folder/autodns
    [[ -f $binary ]] ||
        fail "$destination: $binary is missing; unpack the bundle again, or name one with --binary"
}

# Collects the files to copy in a private folder on this machine.
gather_files() {
    local variable
    if [[ -z $binary ]]; then
        find_binary
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
}

try_there() {
    echo "$destination: a dry run there:"
    if phase try; then
        version=$(fact version)
        version=${version:0:60}
        return
    fi
    if [[ $force == no ]]; then
        if find_remote_error; then
            fail "$destination: $error; nothing was changed (use --force to install it anyway)"
        fi
        fail_with_cause "$status"
    fi
    if find_remote_error; then
        echo "deploy-pi.sh: $destination: $error" >&2
    fi
    echo "$destination: installing it anyway, because of --force"
}

uninstall_there() {
    if [[ $sudo == free || $sudo == password ]]; then
        copy_files
    fi
    if [[ $sudo == password ]]; then
        ask_password
    fi
    phase uninstall remote_as_root || fail_with_cause "$status"
    echo "autodns is not installed any more" >"$reason"
}

# --- all of them --------------------------------------------------------------------------------

shared=$(mktemp -d "${TMPDIR:-/tmp}/autodns.XXXXXX")
trap 'rm -rf "$shared"' EXIT
scratch=$shared/pi
interrupted=
trap 'interrupted=130' INT
trap 'interrupted=143' TERM
choose_connection
if [[ -n $config && $config != *%h* ]] && ((${#destinations[@]} > 1)); then
    echo "deploy-pi.sh: note: all ${#destinations[@]} Pis get the same record from $config;" \
        "with %h in its name each gets its own"
fi

results=()
worst=0
for destination in "${destinations[@]}"; do
    if [[ -n $interrupted ]]; then
        results+=("$destination: not tried")
        continue
    fi
    reason=$shared/reason
    : >"$reason"
    # Not in a condition, where `set -e` has no effect.
    set +e
    (
        set -e
        deploy_to_one "$destination"
    )
    status=$?
    set -e
    outcome=$(cat "$reason")
    if [[ -n $interrupted ]]; then
        results+=("$destination: interrupted")
        status=$interrupted
    elif ((status == 0)); then
        results+=("$destination: done: $outcome")
    else
        results+=("$destination: failed: ${outcome:-exit status $status}")
    fi
    if ((status > worst)); then
        worst=$status
    fi
done
if ((${#destinations[@]} > 1)); then
    printf '%s\n' "${results[@]}"
fi
exit "${interrupted:-$worst}"
