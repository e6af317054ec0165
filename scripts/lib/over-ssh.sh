# The connection of deploy-pi.sh to the Pi: sends the phases of pi-*.sh, shows their output and
# keeps the facts that they report. Sourced by deploy-pi.sh. Everything that the Pi sends is checked
# before it reaches the terminal or a command line: see strip_controls and fact.
# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with deploy-pi.sh

# --- the connection -----------------------------------------------------------------------------

# All steps share one connection if possible, so that a password is asked for once; a Pi Zero needs
# seconds per connection. ssh programs for Windows have the options but cannot share. For other ssh
# programs, first_contact finds out.
choose_connection() {
    case $(uname -s):$(ssh -V 2>&1 </dev/null) in
        CYGWIN* | MINGW* | MSYS* | *Windows*) connect_per_step ;;
        *) share_connection ;;
    esac
}

# In ssh the first of two equal options wins, so the caller's options come first.
# ${a[@]+…}: bash 3.2 treats an empty array as unset.
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

connect_per_step() {
    sharing=no
    set_ssh_command
}

end_connection() {
    if [[ $sharing == yes ]]; then
        "${ssh_command[@]}" -O exit -- "$login$host" </dev/null >/dev/null 2>&1 || :
    fi
}

# Runs the probe. It changes nothing, so it can be repeated: if it fails with a shared connection
# and neither the Pi nor a known error of ssh gives the cause, it runs again without sharing. Opens
# a second session immediately, because some ssh programs fail only there.
first_contact() {
    if [[ -e $shared/unshared ]]; then
        connect_per_step
    fi
    if phase probe; then
        if [[ $sharing == no ]] ||
            "${ssh_command[@]}" -T -- "$login$host" true </dev/null >/dev/null 2>&1; then
            note_connection
            return 0
        fi
    elif [[ $sharing == no || $status == unfinished ]] || find_remote_error || find_ssh_error; then
        return 1
    fi
    end_connection
    connect_per_step
    phase probe || return 1
    note_connection
}

# Notes once for all Pis that connections cannot be shared. The next Pis do not try to share.
note_connection() {
    if [[ $sharing == yes || -e $shared/unshared ]]; then
        return
    fi
    : >"$shared/unshared"
    echo "$destination: note: ssh cannot use one connection for all steps here, so each step logs" \
        "in again; copy your SSH key to the Pi (ssh-copy-id), or type the password each time"
}

# --- what is sent -------------------------------------------------------------------------------

# Quotes any text as one word of a POSIX shell; of any shell if the text has no ' ! or \.
quoted() { printf "'%s'" "$(printf '%s' "$1" | LC_ALL=C sed "s/'/'\\\\''/g")"; }

yes_if() { if [[ -n $1 ]]; then echo yes; else echo no; fi; }

# The script for the Pi: the settings, then the part that never changes.
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

# Runs a phase on the Pi as the user who logs in. The script goes through stdin, because not every
# login shell could parse it.
remote() { remote_script | "${ssh_command[@]}" -T -- "$login$host" "sh -s $1"; }

# Runs a phase as root with --system. sudo may need stdin for the password, so the script is a file
# on the Pi, copied with the others.
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

# Asks for the password for sudo. The password goes through stdin, because `ps` shows command lines.
# sudo could ask on a terminal of the Pi, but the Pi could then write anything to this terminal.
ask_password() {
    for _ in 1 2 3; do
        read -rs -p "sudo on $destination asks for the password of $user: " password ||
            fail "$destination: no password was given"
        echo >&2
        if printf '%s\n' "$password" | "${ssh_command[@]}" -T -- "$login$host" \
            "env LC_ALL=C sudo -S -p '' true" >/dev/null 2>"$scratch/raw"; then
            return
        fi
        strip_controls <"$scratch/raw" >"$scratch/err"
        grep -qiE 'try again|incorrect password|no password' "$scratch/err" || fail_with_cause 1
        echo "deploy-pi.sh: $destination: that is not the password" >&2
    done
    fail "$destination: sudo did not accept the password; nothing was changed"
}

# --- what is received ---------------------------------------------------------------------------

# Copies text from the Pi to the terminal without the characters that control a terminal: control
# characters of ASCII and Unicode, and characters that change the direction of text.
strip_controls() {
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

# Reads the lines of a phase from stdin, keeps the facts in a file and prints the rest. Lines before
# the first line of the phase come from the login shell and are dropped.
keep_facts() {
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

# phase NAME [RUNNER]: runs a phase. Succeeds only if the Pi confirms it in its last line, because a
# login shell can exit with 0 and do nothing. Sets status; errors are in $scratch/err.
phase() {
    running=$1
    : >"$scratch/facts"
    echo 0 >"$scratch/status"
    # Without stderr, where the shell would report that a signal ended a part of this pipeline.
    {
        { "${2:-remote}" "$1" 2>"$scratch/raw" || echo "$?" >"$scratch/status"; } |
            strip_controls | keep_facts "$1"
    } 2>/dev/null
    strip_controls <"$scratch/raw" >"$scratch/err"
    status=$(cat "$scratch/status")
    if [[ $status == 0 && $(fact 'done') != "$1" ]]; then
        status=unfinished
    fi
    [[ $status == 0 ]]
}

# Whether the phase printed its error; sets error to it.
find_remote_error() {
    error=$(LC_ALL=C sed -n 's/^deploy-pi\.sh: //p' "$scratch/err" | tail -n 1)
    error=${error#"$destination: "}
    [[ -n $error ]]
}

# Whether ssh printed a known error; sets error to the advice.
find_ssh_error() {
    error=$(grep -v '^[[:space:]]*$' "$scratch/err" | tail -n 1) || :
    case $error in
        *'Permission denied ('* | *'Too many authentication failures'*)
            error="the login was refused: ${error##*: }; name the right key with -i" ;;
        *'Host key verification failed'*)
            error="its host key is unknown or has changed; log in once by hand" ;;
        *'resolve hostname'*) error="no machine has that name: ${error##*: }" ;;
        *refused | *'timed out'* | *unreachable* | *'No route'*)
            error="it cannot be reached: ${error##*: }; is it on, and is this sshd's port?" ;;
        *) return 1 ;;
    esac
}

# Prints in one line why a phase failed. $1 is the exit status of ssh, or "unfinished".
fail_with_cause() {
    local status=$1
    if find_remote_error; then
        fail "$destination: $error"
    elif [[ $status == unfinished && $running == probe ]]; then
        fail "$destination: its login shell did not run the script; remove from that shell's" \
            "start-up files what ends the shell or reads stdin"
    elif [[ $status == unfinished ]]; then
        fail "$destination: it did not confirm the step \"$running\"; run deploy-pi.sh again"
    elif find_ssh_error; then
        fail "$destination: $error"
    fi
    fail "$destination: ${error:-ssh ended with status $status}"
}

# Copies the files in $scratch/files, and the script for root, into a new private folder on the Pi.
# Does not use scp or sftp: they would parse the output of a login shell as their protocol.
copy_files() {
    local file bytes
    phase stage || fail_with_cause "$status"
    stage=$(fact stage '\.autodns-deploy\.[A-Za-z0-9]+')
    [[ -n $stage ]] || fail "$destination: it made no folder for the files"
    (umask 077 && remote_script >"$scratch/files/script")
    bytes=$(cat "$scratch"/files/* | wc -c | tr -d ' ')
    for file in "$scratch"/files/*; do
        if ! "${ssh_command[@]}" -T -- "$login$host" \
            "cat >$(quoted "$home/$stage/${file##*/}")" <"$file" >/dev/null 2>"$scratch/raw"; then
            error=$(strip_controls <"$scratch/raw" | tail -n 1)
            phase space || :
            fail "$destination: copying to $home failed: ${error##*: }; $(fact free '[0-9]+') kB" \
                "are free there, $((bytes / 1024 + 1)) are needed; nothing was changed"
        fi
    done
    phase arrived || fail_with_cause "$status"
    [[ $(fact bytes '[0-9]+') == "$bytes" ]] ||
        fail "$destination: copying to $home failed: not all of it arrived; nothing was changed"
}

# fact NAME [PATTERN]: prints the fact from the Pi, or nothing. All of it must match the pattern.
fact() {
    local value
    value=$(LC_ALL=C sed -n "s/^@$1=//p" "$scratch/facts" | tail -n 1)
    [[ -z $value || $value =~ ^(${2:-.*})$ ]] ||
        fail "$destination: it sent an invalid value for $1: $value"
    printf '%s' "$value"
}
