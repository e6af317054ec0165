# The part of deploy-pi.sh that runs on the Pi. It is sent through ssh and never kept there;
# deploy-pi.sh puts the settings it reads in front of it and names one of the phases at the end.
# Plain POSIX sh. It must change nothing but what the phase is for, and whatever fails half-way
# must leave the Pi as it was. Each failure is one line on stderr and exit status 9.
# shellcheck shell=sh disable=SC2154  # the settings: shown system user home stage interval
#                                       environment with_config with_credentials uninstall force

# A cron line is known as ours by its end; to cron's shell it is a comment.
mark='# autodns, by deploy-pi.sh'

fail() {
    printf 'deploy-pi.sh: %s: %s\n' "$shown" "$*" >&2
    exit 9
}

# The end of a program's complaint: "mkdir: cannot create …: No space left" -> "No space left".
cause() { printf '%s' "${1##*: }"; }

# One shell word, quoted only where it has to be.
quoted() {
    case $1 in
        '' | *[!A-Za-z0-9_./:@%+,=-]*)
            printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
            ;;
        *) printf '%s' "$1" ;;
    esac
}

# Only the probe learns the home folder by itself; a phase that runs as root is told whose it is.
home=${home:-$HOME}

# Where everything has its place. The credentials' folder is never ~/.aws: that is the user's own.
if [ "$system" = yes ]; then
    binary=/usr/local/bin/autodns
    config=/usr/local/etc/autodns.json
    credentials=/usr/local/etc/autodns.credentials
    deployed=/usr/local/etc/autodns.deployed
    cron_file=/etc/cron.d/autodns
else
    binary=$home/.local/bin/autodns
    config=$home/.config/autodns/autodns.json
    credentials=$home/.config/autodns/credentials
    deployed=$home/.config/autodns/deployed
    cron_file=
fi

# --- facts --------------------------------------------------------------------------------------

# The Rust target for the programs this system runs. The kernel does not decide: a 64-bit kernel
# often carries a 32-bit system, and uname then tells of the kernel only.
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

# Spread over the hosts, the same each time on one: the identity of the system, the board's serial
# number, and the name, so that Pis whose cards were copied from one another still differ.
cron_minutes() {
    number=$({
        cat /etc/machine-id /proc/device-tree/serial-number 2>/dev/null
        uname -n
    } | tr -d '\000' | cksum | cut -d ' ' -f 1)
    minute=$(awk "BEGIN { print $number % $interval }")
    case $interval in
        1) echo '*' ;;
        60) echo "$minute" ;;
        *) echo "$minute-59/$interval" ;;
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

# Sets table to the user's crontab, to the byte. "Cannot read it" must never pass for "empty":
# the next step would overwrite it.
read_crontab() {
    if table=$(crontab -l 2>/dev/null && echo x); then
        table=${table%x}
        return 0
    fi
    table=
    words=$(LC_ALL=C crontab -l 2>&1 </dev/null) || :
    case $words in
        *'no crontab for'* | *'No such file'*) return 0 ;;
    esac
    return 1
}

# Prints table with our line changed to $1, or taken away where $1 is empty; all else as it is.
# The x keeps the line breaks at the end through a command substitution.
edited_crontab() {
    printf '%s' "$table" | line=$1 mark=$mark awk '
        {
            mark = ENVIRON["mark"]
            at = length($0) - length(mark) + 1
            if (at > 0 && substr($0, at) == mark) {
                if (ENVIRON["line"] != "" && !done) print ENVIRON["line"]
                done = 1
            } else print
        }
        END { if (ENVIRON["line"] != "" && !done) print ENVIRON["line"] }
    '
    echo x
}

# The line for cron; $1 is the user column of a file in /etc/cron.d, or empty.
cron_line() {
    eval "set -- \"\$1\" $environment"
    line="$(cron_minutes) * * * *${1:+ $1}"
    shift
    command=
    if [ "$use_credentials" = yes ]; then
        command="AWS_SHARED_CREDENTIALS_FILE=$(quoted "$credentials") "
    fi
    for word; do
        command="$command${word%%=*}=$(quoted "${word#*=}") "
    done
    command="$command$(quoted "$binary") $(quoted "$config") $mark"
    # cron takes a bare % for the end of the command, and removes the backslash before one.
    printf '%s %s\n' "$line" "$(printf '%s' "$command" | sed 's/%/\\%/g')"
}

# A credentials file of ours is named to the program; without one it looks where AWS's tools look.
choose_credentials() {
    use_credentials=no
    if [ "$with_credentials" = yes ] || [ -e "$credentials" ]; then
        use_credentials=yes
    fi
}

# --- phase: probe -------------------------------------------------------------------------------

# Writes nothing. Prints facts as @name=value, whatever else a shell's start-up files may print.
probe() {
    echo "@home=$HOME"
    echo "@user=$(id -un)"
    echo "@target=$(rust_target)"
    echo "@machine=$(uname -m), $(getconf LONG_BIT 2>/dev/null || echo unknown)-bit programs"
    if [ "$system" = yes ]; then
        if [ "$(id -u)" = 0 ]; then
            echo "@sudo=root"
        elif ! command -v sudo >/dev/null; then
            fail "there is no sudo; leave --system out, or log in as root"
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
            fail "$cron_file is there and not from this script; move it away first"
        fi
    else
        if ! command -v crontab >/dev/null; then
            fail "there is no cron (no crontab command); install it: sudo apt install cron"
        fi
        if ! read_crontab; then
            fail "the crontab of $(id -un) cannot be read: $words"
        fi
    fi
    if [ "$force" = no ] && ! cron_runs; then
        fail "cron is not running; start it: sudo systemctl enable --now cron (or use --force)"
    fi
    if [ "$with_config" = no ] && [ ! -e "$config" ]; then
        fail "$config is not there yet; name the file to put there with --config"
    fi
    for file in "$binary" "$config" "$credentials"; do
        if [ -d "$file" ]; then
            fail "$file is a folder; move it away first"
        fi
    done
    note_others
    echo "@kept=$([ "$with_config" = no ] && echo "$config")"
}

# Two cron lines would do the work twice; only a person can say which one is to go.
note_others() {
    others=
    if command -v crontab >/dev/null && read_crontab; then
        others=$(printf '%s' "$table" | grep -v '^[[:space:]]*#' | grep autodns |
            if [ "$system" = yes ]; then cat; else grep -vF "$mark"; fi)
    fi
    if [ -n "$others" ]; then
        echo "@note=the crontab of $(id -un) has another line that names autodns; it stays"
    elif [ "$system" = no ] && [ -e /etc/cron.d/autodns ]; then
        echo "@note=/etc/cron.d/autodns is there as well; it stays"
    fi
}

# --- phase: stage, space, clean -----------------------------------------------------------------

# A private folder for scp to fill. Leftovers of a deployment whose line broke are removed after a
# day: not sooner, it might still be going on.
stage() {
    cd || fail "cannot enter $HOME"
    find . ! -name . -prune -type d -name '.autodns-deploy.*' -mtime +0 -exec rm -rf {} + \
        2>/dev/null
    if ! words=$(mktemp -d "$HOME/.autodns-deploy.XXXXXX" 2>&1); then
        fail "cannot make a folder in $HOME: $(cause "$words"); nothing was changed"
    fi
    echo "@stage=${words##*/}"
}

space() { echo "@free=$(df -Pk "$HOME/$stage" 2>/dev/null | awk 'NR == 2 { print $4 }')"; }

clean() {
    case $stage in
        .autodns-deploy.?*) rm -rf "${HOME:?}/$stage" ;;
    esac
}

# --- phase: try ---------------------------------------------------------------------------------

# Runs the copied binary with the copied files as cron will: with cron's few variables and no
# others, so that nothing in the user's own environment makes it work here and fail there.
try_out() {
    chmod 700 "$HOME/$stage/autodns"
    if ! words=$("$HOME/$stage/autodns" --version 2>&1); then
        fail "the binary does not run there: $(cause "$words")"
    fi
    printf '%s\n' "$words"
    trial_config=$config
    if [ "$with_config" = yes ]; then
        trial_config=$HOME/$stage/autodns.json
    fi
    choose_credentials
    eval "set -- $environment"
    if [ "$with_credentials" = yes ]; then
        set -- "AWS_SHARED_CREDENTIALS_FILE=$HOME/$stage/credentials" "$@"
    elif [ "$use_credentials" = yes ]; then
        set -- "AWS_SHARED_CREDENTIALS_FILE=$credentials" "$@"
    fi
    status=0
    env -i HOME="$HOME" LOGNAME="$user" SHELL=/bin/sh PATH=/usr/bin:/bin "$@" \
        "$HOME/$stage/autodns" --dry-run --verbose "$trial_config" 2>&1 || status=$?
    if [ "$status" != 0 ]; then
        fail "the dry run failed there (exit status $status), as shown above"
    fi
}

# --- phase: commit ------------------------------------------------------------------------------

path_of() {
    case $1 in
        binary) printf '%s' "$binary" ;;
        config) printf '%s' "$config" ;;
        credentials) printf '%s' "$credentials" ;;
        deployed) printf '%s' "$deployed" ;;
        cron) printf '%s' "$cron_file" ;;
    esac
}

# The names beside a file, for its successor and for its predecessor. cron passes over names in
# /etc/cron.d that begin with a dot.
beside() {
    path=$(path_of "$1")
    printf '%s/.%s.%s' "${path%/*}" "${path##*/}" "$2"
}

undo() {
    for name in $swapped; do
        path=$(path_of "$name")
        if [ -e "$(beside "$name" old)" ]; then
            mv -f "$(beside "$name" old)" "$path"
        else
            rm -f "$path"
        fi
    done
    for name in $prepared; do
        rm -f "$(beside "$name" new)" "$(beside "$name" old)"
    done
    printf '%s' "$made" | while IFS= read -r folder; do
        rmdir "$folder"
    done
}

undo_and_fail() {
    undo
    fail "$*; it is as it was"
}

# Makes folder $1 and what is missing above it, with mode $2, remembering each for undo and for
# the day of --uninstall; the newest comes first.
make_folder() {
    if [ -d "$1" ]; then
        return
    fi
    above=${1%/*}
    if [ -n "$above" ]; then
        make_folder "$above" "$2"
    fi
    words=$(mkdir -m "$2" "$1" 2>&1) || undo_and_fail "cannot make $1: $(cause "$words")"
    made="$1
$made"
}

# Writes stdin beside its place under the name new, with mode $2, and owned by $3 if not empty.
# Nobody who looks at the place sees any of it yet.
prepare() {
    new=$(beside "$1" new)
    prepared="$prepared $1"
    rm -f "$new"
    words=$({ cat >"$new"; } 2>&1) || undo_and_fail "cannot write $new: $(cause "$words")"
    words=$(chmod "$2" "$new" 2>&1) || undo_and_fail "cannot set the mode: $(cause "$words")"
    if [ -n "$3" ]; then
        words=$(chown "$3" "$new" 2>&1) || undo_and_fail "cannot give $new to $3: $words"
    fi
    # To the card now: after a power cut a file renamed but not yet written would be empty.
    sync "$new" 2>/dev/null || sync
}

# prepare, from the file $4 that scp brought.
take_up() {
    if [ ! -r "$from/$4" ]; then
        undo_and_fail "the copied file $4 is gone"
    fi
    prepare "$1" "$2" "$3" <"$from/$4"
}

# One step: who opens the place meets the old file or the new one, never half of either.
swap() {
    path=$(path_of "$1")
    if [ -e "$path" ]; then
        rm -f "$(beside "$1" old)"
        words=$({ ln "$path" "$(beside "$1" old)" || cp -p "$path" "$(beside "$1" old)"; } 2>&1) ||
            undo_and_fail "cannot keep the old $path meanwhile: $(cause "$words")"
    fi
    swapped="$1 $swapped"
    words=$(mv -f "$(beside "$1" new)" "$path" 2>&1) ||
        undo_and_fail "cannot put $path in place: $(cause "$words")"
}

# What is ours to take away one day: all that earlier deployments put there, and what this one adds.
manifest() {
    {
        cat "$deployed" 2>/dev/null
        echo "file $binary"
        if [ "$with_config" = yes ]; then echo "file $config"; fi
        if [ "$with_credentials" = yes ]; then echo "file $credentials"; fi
        printf '%s' "$made" | sed 's/^/folder /'
    } | awk '!seen[$0]++'
}

commit() {
    # From here on it ends by itself, well or undone, even when the line breaks.
    trap '' HUP INT TERM PIPE
    made='' prepared='' swapped=''
    from=$home/$stage
    owner=
    folder_mode=700
    if [ "$system" = yes ]; then
        owner=$user
        folder_mode=755
    fi
    choose_credentials

    make_folder "${binary%/*}" 755
    make_folder "${config%/*}" "$folder_mode"
    take_up binary 755 '' autodns
    if [ "$with_config" = yes ]; then take_up config 600 "$owner" autodns.json; fi
    if [ "$with_credentials" = yes ]; then take_up credentials 600 "$owner" credentials; fi
    contents=$(manifest)
    prepare deployed 644 '' <<TEXT
$contents
TEXT
    if [ "$system" = yes ]; then
        line=$(cron_line "$user")
        # Its variables may hold a proxy's password: cron reads it as root, nobody else needs to.
        prepare cron 600 '' <<TEXT
# Written anew by each deployment. $mark
$line
TEXT
    else
        read_crontab || undo_and_fail "the crontab of $user cannot be read: $words"
        line=$(cron_line '')
        edited=$(edited_crontab "$line")
        edited=${edited%x}
    fi

    for name in $prepared; do
        swap "$name"
    done
    if [ "$system" = no ] && [ "$edited" != "$table" ]; then
        words=$(printf '%s' "$edited" | crontab - 2>&1) || {
            words=$(printf '%s' "$words" | tail -n 1)
            undo_and_fail "the crontab of $user cannot be written: $words"
        }
    fi
    for name in $prepared; do
        rm -f "$(beside "$name" old)"
    done

    echo "$shown: autodns is in place; cron runs it as $user at the minutes $(cron_minutes):"
    echo "  $binary"
    echo "  $config$([ "$with_config" = yes ] || echo ' (kept as it was)')"
    if [ "$use_credentials" = yes ]; then
        echo "  $credentials$([ "$with_credentials" = yes ] || echo ' (kept as it was)')"
    fi
    if [ "$system" = yes ]; then
        echo "  $cron_file"
    else
        echo "  a line in the crontab of $user"
    fi
}

# --- phase: uninstall ---------------------------------------------------------------------------

# The cron line goes first, so that cron never starts what is no longer there; the list of what is
# ours goes last, so that a removal broken off half-way can be repeated.
uninstall() {
    gone=no
    if [ "$system" = yes ]; then
        if [ -e "$cron_file" ] && grep -qF "$mark" "$cron_file"; then
            remove "$cron_file"
        fi
    elif command -v crontab >/dev/null; then
        read_crontab || fail "the crontab of $user cannot be read: $words; nothing was changed"
        edited=$(edited_crontab '')
        edited=${edited%x}
        if [ "$edited" != "$table" ]; then
            if [ -n "$edited" ]; then
                words=$(printf '%s' "$edited" | crontab - 2>&1)
            else
                words=$(crontab -r 2>&1)
            fi || fail "the crontab of $user cannot be written: $words; nothing was changed"
            gone=yes
            echo "$shown: took away a line in the crontab of $user"
        fi
    fi
    if [ -e "$deployed" ]; then
        list=$(cat "$deployed") || fail "cannot read $deployed"
        while read -r kind path; do
            if [ "$kind" = file ]; then
                remove "$path"
            fi
        done <<TEXT
$list
TEXT
        remove "$deployed"
        # The innermost first. A folder that got something else in it is no longer ours alone.
        printf '%s\n' "$list" | sort -r | while read -r kind path; do
            if [ "$kind" = folder ]; then
                rmdir "$path" 2>/dev/null || :
            fi
        done
    fi
    if [ "$gone" = no ]; then
        echo "$shown: there is nothing that deploy-pi.sh put there"
    fi
}

remove() {
    if [ -e "$1" ]; then
        words=$(rm -f "$1" 2>&1) || fail "cannot remove $1: $(cause "$words")"
        gone=yes
        echo "$shown: took away $1"
    fi
}

main() {
    umask 077
    PATH=$PATH:/usr/sbin:/sbin
    case $1 in
        probe) probe ;;
        stage) stage ;;
        space) space ;;
        clean) clean ;;
        try) try_out ;;
        commit) commit ;;
        uninstall) uninstall ;;
    esac
}

# Nothing in a phase may read stdin: the script itself comes that way.
main "$1" </dev/null
exit
