# The manual installation of README.md on an emulated Pi: its files, its cron line, and the commands
# that the page and an alert name. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with the other files

# by_hand PATTERN: the only indented line of README.md's section that matches.
by_hand() {
    local lines
    lines=$(sed -n '/^### By hand$/,/^## /p' "$repo/README.md" | sed -n 's/^    //p' | grep -E "$1")
    [[ -n $lines && $lines != *$'\n'* ]] || give_up "README.md has no one line by hand for $1"
    echo "$lines"
}

test_installation_by_hand() {
    local zone topic queue key secret
    make_resources
    tell_reflector "$reflect" '{"mode":"ok","address":"192.175.48.7"}'
    write_config "$scratch/autodns.json" "$reflect" /tmp/by_hand.lock
    write_credentials "$scratch/credentials"
    run ssh "${login[@]}" pi@127.0.0.1 "$(by_hand '^ssh .*mkdir' | sed "s/^[^']*'\(.*\)'$/\1/")"
    expect "the folders are made" "0 " "$status $err"
    run scp -q "${login[@]/#-p/-P}" "$binary" pi@127.0.0.1:.local/bin/autodns
    expect "the program is copied" "0 " "$status $err"
    run scp -q "${login[@]/#-p/-P}" "$scratch"/{autodns.json,credentials} \
        pi@127.0.0.1:.config/autodns/
    expect "the files are copied" "0 " "$status $err"
    run ssh "${login[@]}" pi@127.0.0.1 "$(by_hand '^ssh .*chmod' | sed "s/^[^']*'\(.*\)'$/\1/")"
    expect "only pi may read them" "0 600 1000 home/pi/.config/autodns/autodns.json
600 1000 home/pi/.config/autodns/credentials" \
        "$status $(modes home/pi/.config/autodns/{autodns.json,credentials})"
    checks "the command by hand" pi "$(by_hand ' check ')"

    by_hand '/5 \* \* \* \* ' | sed 's/^[^ ]*/*/' | on_pi pi 'crontab -'
    poll 90 "cron to change the record" record_says "$zone" 192.175.48.7
    tell_reflector "$reflect" '{"mode":"broken"}'
    poll 90 "cron to send an alert" alert_came "$queue"
    pastes "the command of the alert by hand" pi "$(command_of_alert)"
}
