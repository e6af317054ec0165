# The installation by hand on an emulated Pi, with the commands of docs/install.md: the files, the
# cron line, the check, and the command in an alert. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with the other files

# by_hand PATTERN: prints the only line of the page's section that matches, without leading spaces.
by_hand() {
    local lines
    lines=$(sed -n '/^## The tarball$/,/^## [^T]/s/^ *//p' "$repo/docs/install.md" | grep -E "$1")
    [[ -n $lines && $lines != *$'\n'* ]] ||
        give_up "docs/install.md does not have exactly one line by hand for $1"
    echo "$lines"
}

# Prints the lines that install the files of the tarball.
installing() {
    sed -n '/^## The tarball$/,/^## [^T]/{/^install /p}' "$repo/docs/install.md" | grep .
}

test_installation_by_hand() {
    local zone topic queue key secret folder=home/pi/unpacked
    make_resources
    tell_reflector "$reflect" '{"mode":"ok","address":"192.175.48.7"}'
    write_config "$scratch/autodns.json" "$reflect" /tmp/by_hand.lock
    write_credentials "$scratch/credentials"
    # The files of the tarball. The example and the template are already replaced by real ones.
    mkdir "$root/$folder"
    cp "$binary" "$scratch"/{autodns.json,credentials} "$root/$folder/"
    chroot "$root" chown -R pi: "/$folder"
    run ssh "${login[@]}" pi@127.0.0.1 "cd ~/unpacked && set -e
$(installing)"
    expect "the lines that install it" "0  " "$status $out $err"
    rm -r "${root:?}/$folder"
    expect "only pi may read the files" "600 1000 home/pi/.config/autodns/autodns.json
600 1000 home/pi/.config/autodns/credentials" \
        "$(modes home/pi/.config/autodns/{autodns.json,credentials})"
    expect_check "the command by hand" pi "$(by_hand 'autodns check ')"
    alert_came "$queue" || give_up "check --alert sent nothing"

    by_hand '/5 \* \* \* \* ' | sed 's/^[^ ]*/*/; s/sleep [0-9]*/sleep 1/' | on_pi pi 'crontab -'
    poll 90 "cron to change the record" record_says "$zone" 192.175.48.7
    tell_reflector "$reflect" '{"mode":"broken"}'
    poll 90 "cron to send an alert" alert_came "$queue"
    expect_alert_command "the command of the alert by hand" pi "$(command_of_alert)"
}
