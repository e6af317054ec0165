# How deploy-pi.sh talks to the Pi: it sends the phases of pi-*.sh there, shows what they print, and
# keeps their answers. Sourced by deploy-pi.sh. Nothing that the Pi sends reaches the terminal or a
# command line unchecked: see plain and fact.
# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with deploy-pi.sh

# A word for a POSIX shell, whatever is in it. Without ' ! and \ in it, it is one for any shell.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

yes_if() { if [[ -n $1 ]]; then echo yes; else echo no; fi; }

# The script for the Pi: the settings, then the part that is the same each time.
remote_script() {
    cat <<TEXT
shown=$(quoted "$destination")
system=$system uninstall=$uninstall force=$force interval=$interval
user=$(quoted "${user:-}") home=$(quoted "${home:-}") stage=$(quoted "$stage")
with_config=$(yes_if "$config") with_credentials=$(yes_if "$credentials")
with_environment=$(yes_if "${variables[*]-}")
TEXT
    cat "$repo"/scripts/lib/pi-{places,commit,remote}.sh
}

# Runs a phase on the Pi as the user who logs in. The script goes in through stdin, so that the
# login shell, whichever it is, has nothing to misread.
remote() { remote_script | "${ssh_command[@]}" -T -- "$login$host" "sh -s $1"; }

# Runs a phase as root where --system asks for it. sudo may need stdin for the password, so the
# script is a file there, copied with the others.
remote_as_root() {
    local script
    script=$(quoted "$home/$stage/script")
    case $sudo in
        free) "${ssh_command[@]}" -T -- "$login$host" "sudo -n sh $script $1" </dev/null ;;
        password)
            printf '%s\n' "$password" |
                "${ssh_command[@]}" -T -- "$login$host" "sudo -S -p '' sh $script $1"
            ;;
        *) remote "$1" ;;
    esac
}

# Asks for the password that sudo wants. It goes through stdin, as no command line may have it. A
# terminal on the Pi, on which sudo could ask by itself, would write to this one what it likes.
ask_password() {
    for _ in 1 2 3; do
        read -rs -p "sudo on $destination asks for the password of $user: " password ||
            fail "$destination: no password was given"
        echo >&2
        if printf '%s\n' "$password" | "${ssh_command[@]}" -T -- "$login$host" \
            "env LC_ALL=C sudo -S -p '' true" >/dev/null 2>"$scratch/raw"; then
            return
        fi
        plain <"$scratch/raw" >"$scratch/err"
        grep -qiE 'try again|incorrect password|no password' "$scratch/err" || explain 1
        echo "deploy-pi.sh: $destination: that is not the password" >&2
    done
    fail "$destination: sudo did not take the password; nothing was changed"
}

# Passes text from the Pi on to the terminal without what a terminal would obey: control characters,
# and of Unicode's the second set of them and those that change the direction of writing.
plain() {
    local LC_ALL=C line
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line//$'\t'/ }
        line=${line//[[:cntrl:]]/}
        line=${line//$'\302'[$'\200'-$'\237']/?}
        line=${line//$'\342\200'[$'\213'-$'\217'$'\252'-$'\256']/?}
        line=${line//$'\342\201'[$'\240'-$'\257']/?}
        printf '%s\n' "$line"
    done
}

# Of the lines of a phase on stdin, keeps the facts in a file and prints the rest. What comes before
# its first line is the login shell's.
listen() {
    local line begun=
    while IFS= read -r line; do
        if [[ -z $begun ]]; then
            [[ $line != "@begin=$1" ]] || begun=yes
        elif [[ $line == @* ]]; then
            printf '%s\n' "$line" >>"$scratch/facts"
        else
            printf '%s\n' "$line"
        fi
    done
}

# phase NAME [RUNNER]: whether the Pi did this, as it says itself in a last line: a login shell may
# well end with 0 and have done nothing. The status is in status, complaints are in $scratch/err.
phase() {
    running=$1
    : >"$scratch/facts"
    echo 0 >"$scratch/status"
    # Without its stderr, on which the shell would tell that a signal ended a part of this.
    {
        { "${2:-remote}" "$1" 2>"$scratch/raw" || echo "$?" >"$scratch/status"; } |
            plain | listen "$1"
    } 2>/dev/null
    plain <"$scratch/raw" >"$scratch/err"
    status=$(cat "$scratch/status")
    if [[ $status == 0 && $(fact 'done') != "$1" ]]; then
        status=unfinished
    fi
    [[ $status == 0 ]]
}

# Tells in one line why a phase failed; $1 is the exit status of ssh, or "unfinished".
explain() {
    local status=$1 words
    # The part on the Pi has said it already, in a line of its own.
    if grep '^deploy-pi\.sh: ' "$scratch/err" >&2; then
        exit 1
    fi
    words=$(grep -v '^[[:space:]]*$' "$scratch/err" | tail -n 1) || :
    if [[ $status == unfinished && $running == probe ]]; then
        fail "$destination: its login shell did not run what it was sent; remove what ends or reads" \
            "stdin in that shell's start-up files there"
    elif [[ $status == unfinished ]]; then
        fail "$destination: it did not confirm that it has done all of it; run this once more"
    fi
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

# fact NAME [PATTERN]: what the Pi said of it, or nothing; it must be of that form to the end.
fact() {
    local value
    value=$(sed -n "s/^@$1=//p" "$scratch/facts" | tail -n 1)
    [[ -z $value || $value =~ ^(${2:-.*})$ ]] ||
        fail "$destination: its answer for $1 is not of the form that it must have: $value"
    printf '%s' "$value"
}
