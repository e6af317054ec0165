# How deploy-pi.sh talks to the Pi: it sends the phases of pi-*.sh there, shows what they print, and
# keeps their answers. Sourced by deploy-pi.sh. Nothing that the Pi sends reaches the terminal or a
# command line unchecked: see plain and fact.
# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with deploy-pi.sh

# --- the connection -----------------------------------------------------------------------------

# One connection serves all steps where that is possible: a password is asked for once, and a Pi
# Zero needs seconds for each. ssh programs made for Windows have the options and cannot do it. With
# others, first_contact finds out.
choose_connection() {
    case $(uname -s):$(ssh -V 2>&1 </dev/null) in
        CYGWIN* | MINGW* | MSYS* | *Windows*) connect_anew ;;
        *) share_connection ;;
    esac
}

# The first of two equal options wins with ssh, so the caller's own go before these.
# ${a[@]+…}: bash 3.2 calls an empty array unset.
set_ssh_command() {
    ssh_command=(
        ssh ${ssh_options[@]+"${ssh_options[@]}"}
        -o ConnectTimeout=20
        -o ServerAliveInterval=15
        -o LogLevel=ERROR
        "$@"
    )
}

share_connection() {
    sharing=yes
    set_ssh_command -o ControlMaster=auto -o "ControlPath=$scratch/s" -o ControlPersist=60
}

connect_anew() {
    sharing=no
    set_ssh_command
}

end_connection() {
    if [[ $sharing == yes ]]; then
        "${ssh_command[@]}" -O exit -- "$login$host" </dev/null >/dev/null 2>&1 || :
    fi
}

# The probe, which changes nothing, and so may be done once more: without sharing, if it fails with
# it and neither the Pi nor a known complaint of ssh says why. A second session is tried at once,
# because some ssh programs fail only there.
first_contact() {
    if [[ -e $everything/unshared ]]; then
        connect_anew
    fi
    if phase probe; then
        if [[ $sharing == no ]] ||
            "${ssh_command[@]}" -T -- "$login$host" true </dev/null >/dev/null 2>&1; then
            note_connection
            return 0
        fi
    elif [[ $sharing == no || $status == unfinished ]] || told_there || told_by_ssh; then
        return 1
    fi
    end_connection
    connect_anew
    phase probe || return 1
    note_connection
}

# Says it once for all Pis, and spares the next ones the attempt.
note_connection() {
    if [[ $sharing == yes || -e $everything/unshared ]]; then
        return
    fi
    : >"$everything/unshared"
    echo "$destination: note: ssh cannot use one connection for all steps here, so it logs in for" \
        "each of them; let the Pi know your SSH key (ssh-copy-id), or type the password each time"
}

# --- what is sent -------------------------------------------------------------------------------

# A word for a POSIX shell, whatever is in it. Without ' ! and \ in it, it is one for any shell.
quoted() { printf "'%s'" "$(printf '%s' "$1" | LC_ALL=C sed "s/'/'\\\\''/g")"; }

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
    cat "$here"/lib/pi-{places,commit,remote}.sh
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

# --- what is answered ---------------------------------------------------------------------------

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

# Whether the part on the Pi has said why it failed; its words are in words.
told_there() {
    words=$(LC_ALL=C sed -n 's/^deploy-pi\.sh: //p' "$scratch/err" | tail -n 1)
    words=${words#"$destination: "}
    [[ -n $words ]]
}

# Whether ssh has said what it is known to say; what to do about it is then in words.
told_by_ssh() {
    words=$(grep -v '^[[:space:]]*$' "$scratch/err" | tail -n 1) || :
    case $words in
        *'Permission denied ('* | *'Too many authentication failures'*)
            words="the login was refused: ${words##*: }; name the right key with -i" ;;
        *'Host key verification failed'*)
            words="its host key is not the known one, or not known yet; log in once by hand" ;;
        *'resolve hostname'*) words="no machine has that name: ${words##*: }" ;;
        *refused | *'timed out'* | *unreachable* | *'No route'*)
            words="it cannot be reached: ${words##*: }; is it on, and is this sshd's port?" ;;
        *) return 1 ;;
    esac
}

# Tells in one line why a phase failed; $1 is the exit status of ssh, or "unfinished".
explain() {
    local status=$1
    if told_there; then
        fail "$destination: $words"
    elif [[ $status == unfinished && $running == probe ]]; then
        fail "$destination: its login shell did not run what it was sent; remove what ends or" \
            "reads stdin in that shell's start-up files there"
    elif [[ $status == unfinished ]]; then
        fail "$destination: it did not confirm that it has done all of it; run this once more"
    elif told_by_ssh; then
        fail "$destination: $words"
    fi
    fail "$destination: ${words:-ssh ended with status $status}"
}

# Copies what is in $scratch/files, and the script for root, into a new private folder there. Not by
# scp or sftp, which take what a login shell prints first for a part of their protocol.
copy_files() {
    local file bytes
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

# fact NAME [PATTERN]: what the Pi said of it, or nothing; it must be of that form to the end.
fact() {
    local value
    value=$(LC_ALL=C sed -n "s/^@$1=//p" "$scratch/facts" | tail -n 1)
    [[ -z $value || $value =~ ^(${2:-.*})$ ]] ||
        fail "$destination: its answer for $1 is not of the form that it must have: $value"
    printf '%s' "$value"
}
