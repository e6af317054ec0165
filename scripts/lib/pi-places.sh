# The first third of the script that deploy-pi.sh runs on the Pi: the paths of all files, and the
# line for cron. deploy-pi.sh puts the settings before it. Plain POSIX sh. It must change nothing.
# shellcheck shell=sh disable=SC2034,SC2119,SC2120,SC2154  # names that the other parts use, and the
#   settings: shown system user home stage interval with_config with_credentials with_environment
#   uninstall force

# The end of our cron line, by which every version recognises it. For cron's shell it is a comment.
mark='# autodns, by deploy-pi.sh'

fail() {
    printf 'deploy-pi.sh: %s: %s\n' "$shown" "$*" >&2
    exit 9
}

# The end of a program's error: "mkdir: cannot create …: No space left" -> "No space left".
cause() { printf '%s' "${1##*: }"; }

# One shell word, quoted only if necessary.
quoted() {
    case $1 in
        '' | *[!A-Za-z0-9_./:@%+,=-]*)
            printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
            ;;
        *) printf '%s' "$1" ;;
    esac
}

# The probe finds the home folder. A phase that runs as root gets it as a setting.
home=${home:-$HOME}

# The default layout of the program: credentials beside the configuration. The folder is never
# ~/.aws, which belongs to the user.
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

# Prints the existing file that a deployment without a new one keeps: $1 is its path, $2 the path of
# an earlier version.
kept() {
    if [ -e "$1" ]; then
        printf '%s' "$1"
    elif deployed_at_old_place && [ -e "$2" ]; then
        printf '%s' "$2"
    fi
}

# --- the line for cron --------------------------------------------------------------------------

# Prints a number that differs between hosts and never changes on one host. It comes from the
# machine id, the board's serial number and the host name, so that Pis with copied cards differ too.
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

# On all Pis, cron starts the lines of a minute at its first second. So our line first sleeps until
# the Pi's own second. The interval is a divisor of 60, so this part of the number is independent of
# the minute and does not change with the interval.
cron_second() { awk "BEGIN { print int($(own_number) / 60) % 60 }"; }

# The same time for a person.
cron_when() {
    if [ "$interval" = 1 ]; then
        echo "second $(cron_second) of each minute"
    else
        echo "second $(cron_second) of the minutes $(cron_minutes)"
    fi
}

# Sets table to the exact bytes of the user's crontab. A crontab that cannot be read must not count
# as empty, because the next step would overwrite it.
read_crontab() {
    if table=$(crontab -l 2>/dev/null && echo x); then
        table=${table%x}
        return 0
    fi
    table=
    output=$(LC_ALL=C crontab -l 2>&1 </dev/null) || :
    case $output in
        *'no crontab for'* | *'No such file'*) return 0 ;;
    esac
    return 1
}

# Prints table with our line changed to $1, or removed if $1 is empty. All other lines stay the
# same. The x protects the final line breaks in a command substitution.
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

# Prints the command, quoted for any shell, with the arguments of this function before the
# configuration. The command reads the variables from their file, because `ps` would show every user
# the variables on a command line.
command_line() {
    if [ "$with_environment" = yes ]; then
        printf '%s ' /bin/sh -c "'set -a; . \"\$0\"; exec \"\$@\"'" "$(quoted "$environment")"
    fi
    printf '%s ' "$(quoted "$binary")" "$@"
    quoted "$config"
}

# The line for cron. $1 is the user column of a file in /etc/cron.d, or empty.
cron_line() {
    command=$(command_line)
    if [ "$messages" = log ]; then
        command="$command 2>&1 | logger -t autodns"
    fi
    # In a crontab a bare % ends the command, and cron removes a backslash before a %.
    printf '%s * * * * %ssleep %s; %s\n' "$(cron_minutes)" "${1:+$1 }" "$(cron_second)" \
        "$(printf '%s' "$command $mark" | sed 's/%/\\%/g')"
}

# Prints where the output of the program goes: cron mails it, or discards it if no mail program is
# installed or the crontab turns mail off. The table is the user's crontab, if any.
messages_of_cron() {
    if [ -x /usr/sbin/sendmail ] && ! printf '%s' "$table" | unmailed; then
        echo mail
    elif (PATH=/usr/bin:/bin && command -v logger) >/dev/null; then
        echo log
    else
        echo lost
    fi
}

# Whether the last MAILTO above our line, or the last one in the table, is empty.
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
