# The first third of what deploy-pi.sh runs on the Pi: where everything has its place there, and the
# line for cron. deploy-pi.sh puts the settings in front of it. Plain POSIX sh. It must change
# nothing.
# shellcheck shell=sh disable=SC2034,SC2119,SC2120,SC2154  # what the other parts use, and the
#   settings: shown system user home stage interval with_config with_credentials with_environment
#   uninstall force

# A cron line is known as ours by its end, whatever an earlier version wrote before it; to cron's
# shell it is a comment.
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

# The layout that the program finds without being told: credentials beside the configuration. The
# folder is never ~/.aws, which is the user's own.
if [ "$system" = yes ]; then
    binary=/usr/local/bin/autodns
    folder=/etc/autodns
    cron_file=/etc/cron.d/autodns
else
    binary=$home/.local/bin/autodns
    folder=$home/.config/autodns
    cron_file=
fi
config=$folder/autodns.json
credentials=$folder/credentials
environment=$folder/environment
deployed=$folder/deployed

# Where earlier versions put these with --system.
old_config=/usr/local/etc/autodns.json
old_credentials=/usr/local/etc/autodns.credentials
old_deployed=/usr/local/etc/autodns.deployed

deployed_at_old_place() { [ "$system" = yes ] && [ -e "$old_deployed" ]; }

# Prints which file a deployment that brings none goes on with; $1 is its place, $2 the old one.
kept() {
    if [ -e "$1" ]; then
        printf '%s' "$1"
    elif deployed_at_old_place && [ -e "$2" ]; then
        printf '%s' "$2"
    fi
}

# --- the line for cron --------------------------------------------------------------------------

# A number that differs from host to host and stays the same on each: the identity of the system,
# the board's serial number, and the name, so that Pis whose cards were copied from one another
# still differ.
own_number() {
    {
        cat /etc/machine-id /proc/device-tree/serial-number 2>/dev/null
        uname -n
    } | tr -d '\000' | cksum | cut -d ' ' -f 1
}

cron_minutes() {
    minute=$(awk "BEGIN { print $(own_number) % $interval }")
    case $interval in
        1) echo '*' ;;
        60) echo "$minute" ;;
        *) echo "$minute-59/$interval" ;;
    esac
}

# cron starts all lines of a minute at its first second, on all Pis, so the line itself waits for a
# second of the Pi's own. The interval is a divisor of 60, so this part of the number says nothing
# of the minute, and does not change with the interval.
cron_second() { awk "BEGIN { print int($(own_number) / 60) % 60 }"; }

# When that is, for a person.
cron_when() {
    if [ "$interval" = 1 ]; then
        echo "second $(cron_second) of each minute"
    else
        echo "second $(cron_second) of the minutes $(cron_minutes)"
    fi
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

# The command for a shell of any kind, with the arguments of this function before the configuration.
# Variables come from their file: on a command line they would be in `ps` for every user.
command_line() {
    if [ "$with_environment" = yes ]; then
        printf '%s ' /bin/sh -c "'set -a; . \"\$0\"; exec \"\$@\"'" "$(quoted "$environment")"
    fi
    printf '%s ' "$(quoted "$binary")" "$@"
    quoted "$config"
}

# The line for cron; $1 is the user column of a file in /etc/cron.d, or empty.
cron_line() {
    command=$(command_line)
    if [ "$messages" = log ]; then
        command="$command 2>&1 | logger -t autodns"
    fi
    # cron takes a bare % for the end of the command, and removes the backslash before one.
    printf '%s * * * * %ssleep %s; %s\n' "$(cron_minutes)" "${1:+$1 }" "$(cron_second)" \
        "$(printf '%s' "$command $mark" | sed 's/%/\\%/g')"
}

# Prints what becomes of what the program says: cron mails it, or throws it away where there is no
# program to mail it with or the crontab wants no mail. The table is the user's crontab, if any.
messages_of_cron() {
    if [ -x /usr/sbin/sendmail ] && ! printf '%s' "$table" | unmailed; then
        echo mail
    elif (PATH=/usr/bin:/bin && command -v logger) >/dev/null; then
        echo log
    else
        echo lost
    fi
}

# Whether the last MAILTO above our line, or the last one of all, is empty.
unmailed() {
    mark=$mark awk '
        {
            mark = ENVIRON["mark"]
            at = length($0) - length(mark) + 1
            if (at > 0 && substr($0, at) == mark) exit
        }
        /^[ \t]*MAILTO[ \t]*=/ {
            value = $0
            sub(/^[^=]*=/, "", value)
            gsub(/[ \t"\047]/, "", value)
            empty = value == ""
        }
        END { exit !empty }
    '
}
