# The second third of the script that deploy-pi.sh runs on the Pi: the phases "commit" and
# "uninstall", which run as root with --system. Plain POSIX sh. A failure at any point must leave
# the Pi as it was. Each failure is one line on stderr and exit status 9.
# shellcheck shell=sh disable=SC2016,SC2154  # code for another shell; variables of pi-places.sh

# --- phase: commit ------------------------------------------------------------------------------

path_of() {
    case $1 in
        binary) printf '%s' "$binary" ;;
        config) printf '%s' "$config" ;;
        credentials) printf '%s' "$credentials" ;;
        environment) printf '%s' "$environment" ;;
        deployed) printf '%s' "$deployed" ;;
        cron) printf '%s' "$cron_file" ;;
    esac
}

# sibling NAME new|old: prints the path of the new or old version of a file, in the same folder.
# cron ignores names in /etc/cron.d that begin with a dot.
sibling() {
    path=$(path_of "$1")
    printf '%s/.%s.%s' "${path%/*}" "${path##*/}" "$2"
}

undo() {
    for name in $swapped; do
        path=$(path_of "$name")
        if [ -e "$(sibling "$name" old)" ]; then
            mv -f "$(sibling "$name" old)" "$path"
        else
            rm -f "$path"
        fi
    done
    for name in $prepared; do
        rm -f "$(sibling "$name" new)" "$(sibling "$name" old)"
    done
    printf '%s' "$made" | while IFS= read -r made_folder; do
        rmdir "$made_folder"
    done
}

undo_and_fail() {
    undo
    fail "$*; nothing was changed"
}

# Makes folder $1 and its missing parents with mode $2. Records each of them for undo and for
# --uninstall, the newest first.
make_folder() {
    if [ -d "$1" ]; then
        return
    fi
    above=${1%/*}
    if [ -n "$above" ]; then
        make_folder "$above" "$2"
    fi
    output=$(mkdir -m "$2" "$1" 2>&1) || undo_and_fail "cannot make $1: $(cause "$output")"
    made="$1
$made"
}

# prepare NAME MODE OWNER COMMAND…: writes the output of the command to a temporary file beside
# NAME, with that mode, and with that owner if it is not empty. NAME itself does not change yet.
prepare() {
    name=$1 mode=$2 new_owner=$3
    shift 3
    new=$(sibling "$name" new)
    prepared="$prepared $name"
    rm -f "$new"
    output=$({ "$@" >"$new"; } 2>&1) || undo_and_fail "cannot write $new: $(cause "$output")"
    output=$(chmod "$mode" "$new" 2>&1) || undo_and_fail "cannot set the mode: $(cause "$output")"
    if [ -n "$new_owner" ]; then
        output=$(chown "$new_owner" "$new" 2>&1) ||
            undo_and_fail "cannot give $new to $new_owner: $output"
    fi
    # Write it to the card now: after a power cut, a renamed file could otherwise be empty.
    sync "$new" 2>/dev/null || sync
}

# as_user COMMAND [ARGUMENT]: runs a line of sh as the user who logged in. That user owns the folder
# of the copied files and can put a link there at any moment. If root opened a file there, a link
# could make it copy /etc/shadow to a file that the user can read. So root never opens a path in
# that folder: a process with only the user's rights reads the bytes.
as_user() {
    if [ "$(id -u)" = 0 ] && [ "$user" != root ]; then
        su -s /bin/sh -c "$1" "$user" "$2" </dev/null
    else
        sh -c "$1" "$2" </dev/null
    fi
}

# Only root can write to this folder. Otherwise a user could put a link where root then writes.
only_root_writes() { [ -n "$(find "$1/." -prune -user root ! -perm -020 ! -perm -002)" ]; }

# Like prepare, with the copied file $4 as content.
prepare_copied() {
    as_user 'test -f "$0" && test -r "$0"' "$from/$4" 2>/dev/null ||
        undo_and_fail "$user cannot read the copied file $4 any more"
    prepare "$1" "$2" "$3" as_user 'cat <"$0"' "$from/$4"
}

# Like prepare, with the file $3 of an earlier version as content.
prepare_old() {
    if deployed_at_old_place && [ -e "$3" ] && [ ! -e "$(path_of "$1")" ]; then
        prepare "$1" 600 "$2" cat "$3"
        moved="$moved $1"
    fi
}

# A rename is one step: a reader gets either the old file or the new one.
swap() {
    path=$(path_of "$1")
    if [ -e "$path" ]; then
        old=$(sibling "$1" old)
        rm -f "$old"
        output=$({ ln "$path" "$old" || cp -p "$path" "$old"; } 2>&1) ||
            undo_and_fail "cannot keep the old $path meanwhile: $(cause "$output")"
    fi
    swapped="$1 $swapped"
    output=$(mv -f "$(sibling "$1" new)" "$path" 2>&1) ||
        undo_and_fail "cannot put $path in place: $(cause "$output")"
}

# Whether the list $1 has the line $2.
lists() { printf '%s\n' "$1" | grep -qxF "$2"; }

is_prepared() { case " $prepared " in *" $1 "*) ;; *) return 1 ;; esac }

# The files that --uninstall removes: those of earlier deployments and of this one.
manifest() {
    {
        printf '%s\n' "$listed" | grep -vxF "file $environment"
        echo "file $binary"
        printf '%s\n' "$old_listed" | grep '^folder '
        if lists "$old_listed" "file $old_config" && is_prepared config; then
            echo "file $config"
        fi
        if lists "$old_listed" "file $old_credentials" && is_prepared credentials; then
            echo "file $credentials"
        fi
        if [ "$with_config" = yes ]; then echo "file $config"; fi
        if [ "$with_credentials" = yes ]; then echo "file $credentials"; fi
        if [ "$with_environment" = yes ]; then echo "file $environment"; fi
        printf '%s' "$made" | sed 's/^/folder /'
    } | awk 'NF && !seen[$0]++'
}

# Removes the files that this deployment replaced under another name. The deployment is complete by
# now, so a file that cannot be removed is not an error.
remove_replaced() {
    if [ "$with_environment" = no ] && lists "$listed" "file $environment"; then
        rm -f "$environment"
    fi
    if deployed_at_old_place; then
        for name in config credentials; do
            old=$old_config
            [ "$name" = config ] || old=$old_credentials
            case " $moved " in
                *" $name "*) rm -f "$old" ;;
                *) if lists "$old_listed" "file $old"; then rm -f "$old"; fi ;;
            esac
        done
        rm -f "$old_deployed"
    fi
}

commit() {
    # From here on the phase completes or undoes its work even if the connection breaks.
    trap '' HUP INT TERM PIPE
    made='' prepared='' swapped='' moved='' table=''
    from=$home/$stage
    owner=
    folder_mode=700
    if [ "$system" = yes ]; then
        owner=$user
        folder_mode=755
    fi
    listed=$(cat "$deployed" 2>/dev/null) || :
    old_listed=
    if deployed_at_old_place; then
        old_listed=$(cat "$old_deployed") || fail "cannot read $old_deployed"
    fi

    make_folder "${binary%/*}" 755
    make_folder "$folder" "$folder_mode"
    if [ "$system" = yes ] && ! only_root_writes "$folder"; then
        undo_and_fail "users other than root can write to $folder; run sudo chown root $folder &&" \
            "sudo chmod go-w $folder"
    fi
    prepare_copied binary 755 '' autodns
    if [ "$with_config" = yes ]; then
        prepare_copied config 600 "$owner" autodns.json
    else
        prepare_old config "$owner" "$old_config"
    fi
    if [ "$with_credentials" = yes ]; then
        prepare_copied credentials 600 "$owner" credentials
    else
        prepare_old credentials "$owner" "$old_credentials"
    fi
    if [ "$with_environment" = yes ]; then
        prepare_copied environment 600 "$owner" environment
    fi
    prepare deployed 644 '' printf '%s\n' "$(manifest)"
    if [ "$system" = yes ]; then
        messages=$(messages_of_cron)
        prepare cron 600 '' printf '%s\n' "# Each deployment replaces this file. $mark" \
            "$(cron_line "$user")"
    else
        read_crontab || undo_and_fail "the crontab of $user cannot be read: $output"
        messages=$(messages_of_cron)
        line=$(cron_line '')
        edited=$(edited_crontab "$line")
        edited=${edited%x}
    fi

    for name in $prepared; do
        swap "$name"
    done
    if [ "$system" = no ] && [ "$edited" != "$table" ]; then
        output=$(printf '%s' "$edited" | crontab - 2>&1) || {
            output=$(printf '%s' "$output" | tail -n 1)
            undo_and_fail "the crontab of $user cannot be written: $output"
        }
    fi
    for name in $prepared; do
        rm -f "$(sibling "$name" old)"
    done
    remove_replaced
    report
}

# report_file NAME COPIED: prints a line of the list of files. It says where a file comes from that
# was not copied.
report_file() {
    case $2:" $moved " in
        yes:*) origin= ;;
        *" $1 "*) origin=" (moved from /usr/local/etc)" ;;
        *) origin=' (kept as it was)' ;;
    esac
    echo "  $(path_of "$1")$origin"
}

report() {
    echo "$shown: autodns is in place; cron runs it as $user at $(cron_when):"
    echo "  $binary"
    report_file config "$with_config"
    if [ -e "$credentials" ]; then
        report_file credentials "$with_credentials"
    fi
    if [ "$with_environment" = yes ]; then
        echo "  $environment"
    fi
    if [ "$system" = yes ]; then
        echo "  $cron_file"
    else
        echo "  a line in the crontab of $user"
    fi
    case $messages in
        log)
            echo "$shown: cron mails nothing there, so messages go to the system log; to read" \
                "them, run on the Pi:"
            echo "  $(log_command)"
            ;;
        lost)
            echo "$shown: cron mails nothing there, and there is no logger: the messages of" \
                "autodns are lost, except its alerts; install it: sudo apt install bsdutils"
            ;;
    esac
    echo "$shown: to check everything that a run needs, run on the Pi:"
    echo "  $(command_line check)"
}

# Prints the command that shows the log to $user. Only these groups can read the whole log.
log_command() {
    case " $(id -Gn "$user") " in
        *' adm '* | *' systemd-journal '* | *' root '*) sudo= ;;
        *) sudo=$(command -v sudo >/dev/null && echo 'sudo ') ;;
    esac
    if command -v journalctl >/dev/null; then
        echo "${sudo}journalctl -t autodns"
    elif [ ! -e /var/log/syslog ] && [ -e /var/log/messages ]; then
        echo "${sudo}grep autodns /var/log/messages"
    else
        echo "${sudo}grep autodns /var/log/syslog"
    fi
}

# --- phase: uninstall ---------------------------------------------------------------------------

# Removes the cron line first, so that cron does not start a removed program. Only a cron line that
# is already sleeping still starts it, once. Removes the list of files last, so that an interrupted
# removal can be repeated.
uninstall() {
    gone=no
    if [ "$system" = yes ]; then
        if [ -e "$cron_file" ] && grep -qF "$mark" "$cron_file"; then
            remove "$cron_file"
        fi
    elif command -v crontab >/dev/null; then
        read_crontab || fail "the crontab of $user cannot be read: $output; nothing was changed"
        edited=$(edited_crontab '')
        edited=${edited%x}
        if [ "$edited" != "$table" ]; then
            if [ -n "$edited" ]; then
                output=$(printf '%s' "$edited" | crontab - 2>&1)
            else
                output=$(crontab -r 2>&1)
            fi || fail "the crontab of $user cannot be written: $output; nothing was changed"
            gone=yes
            echo "$shown: removed a line in the crontab of $user"
        fi
    fi
    remove_listed "$deployed"
    if [ "$system" = yes ]; then
        remove_listed "$old_deployed"
    fi
    if [ "$gone" = no ]; then
        echo "$shown: deploy-pi.sh has installed nothing there"
    fi
}

# Removes the files in the list $1 of an earlier deployment, and the list.
remove_listed() {
    if [ ! -e "$1" ]; then
        return
    fi
    list=$(cat "$1") || fail "cannot read $1"
    while read -r kind path; do
        if [ "$kind" = file ]; then
            remove "$path"
        fi
    done <<TEXT
$list
TEXT
    remove "$1"
    # Removes the innermost folder first. A folder with other files in it stays.
    printf '%s\n' "$list" | sort -r | while read -r kind path; do
        if [ "$kind" = folder ]; then
            rmdir "$path" 2>/dev/null || :
        fi
    done
}

remove() {
    if [ -e "$1" ]; then
        output=$(rm -f "$1" 2>&1) || fail "cannot remove $1: $(cause "$output")"
        gone=yes
        echo "$shown: removed $1"
    fi
}
