# The second half of the parts "armhf" and "arm64": successful deployments, and the runs that the
# Pi's own cron then starts. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016  # shared variables; scripts for the Pi's shell

# The part "main" checks the output of the program. Here a spy replaces the program. It records what
# cron passes to a program, and shows that a variable passes crontab, cron and shell unchanged.
odd_value="a b%c'd\"e\$HOME;f\\g!h"
make_spy() {
    cat >"$1" <<'TEXT'
#!/bin/sh
[ "$1" != --version ] || exec echo spy
[ "$1" != --dry-run ] || exit 0
{ env | sort; printf '%s\n' "$@"; } >seen.new
mv seen.new seen
TEXT
}

test_emulated_pi() {
    local architecture=$1 target root binary reflect config credentials before line
    case $architecture in
        armhf) target=armv7-unknown-linux-musleabihf ;;
        arm64) target=aarch64-unknown-linux-musl ;;
    esac
    binary=$repo/target/pi/$target/autodns
    config=$scratch/my:config.json
    credentials=$scratch/credentials
    start_aws
    make_resources
    start_reflector reflector 192.175.48.7
    reflect=$answer
    write_config "$config" "$reflect" /tmp/autodns_alert.lock
    write_credentials "$credentials"
    make_pi "$architecture"
    # An existing crontab, which must stay unchanged.
    printf '# my own\n\nMAILTO=""\n* * * * * date >>ticks # not autodns\n' |
        on_pi pi 'crontab -'
    before=$(snapshot)

    if [[ $architecture == armhf ]]; then
        test_failures_before_cron "$config"
    fi
    start_cron
    if [[ $architecture == armhf ]]; then
        test_failures "$config" "$credentials"
        test_link_in_staging "$config" "$credentials"
        test_hostile_pi
        test_interrupt "$config"
        test_from_here
        test_login_shells
        test_messages_of_cron
        test_deployment
        test_choice_of_binary
    else
        test_short_deployment
        test_installation_by_hand
    fi
}

# The whole lifetime of a deployment, run by cron.
test_deployment() {
    local own='# my own

MAILTO=""
* * * * * date >>ticks # not autodns' line mark='# autodns, by deploy-pi.sh' ticks

    local command files
    command="/bin/sh -c 'set -a; . \"\$0\"; exec \"\$@\"' $pi_home/.config/autodns/environment"
    command+=" $pi_home/.local/bin/autodns"
    files=("$pi_home"/.config/autodns/{autodns.json,credentials})
    line="$command ${files[0]} 2>&1 | logger -t autodns $mark"

    # First every five minutes: the dry run is shown, and nothing changes in AWS.
    deploy --config "$config" --credentials "$credentials" --env "AWS_ENDPOINT_URL=$endpoint"
    expect "the first deployment" "0 " "$status $err"
    expect "the first deployment's note" "pi@127.0.0.1: note: the crontab of pi has another line \
that names autodns; it is kept" "$notes"
    expect "the first deployment's dry run" "pi@127.0.0.1: a dry run there:
autodns $version
home.example.com A: 192.0.2.1 -> 192.175.48.7" \
        "$(sed '/: autodns is in place/,$d; /^autodns: /d' <<<"$out")"
    expect "the first deployment's output" "$(placed "$(minutes 5)" pi \
        "$command check ${files[0]}" "$pi_home/.local/bin/autodns" "${files[@]}" \
        "$pi_home/.config/autodns/environment" "a line in the crontab of pi")" "$(after_dry_run)"
    expect_check "what the first deployment names" pi "$(sed -n '$s/^  //p' <<<"$out")"
    expect "a dry run changes nothing" "$(record 192.0.2.1)" \
        "$(moto_aws "$endpoint" records "$zone")"
    expect "the crontab" "$own
$(minutes 5) * * * * sleep $(second); $line" "$(crontab_of pi)"
    expect "the modes" "755 1000 home/pi/.local/bin/autodns
600 1000 home/pi/.config/autodns/autodns.json
600 1000 home/pi/.config/autodns/credentials
600 1000 home/pi/.config/autodns/environment
700 1000 home/pi/.config/autodns" "$(modes home/pi/.local/bin/autodns \
        home/pi/.config/autodns/{autodns.json,credentials,environment} home/pi/.config/autodns)"
    cmp "$binary" "$root$pi_home/.local/bin/autodns" || give_up "the wrong binary was installed"
    cmp "$config" "$root$pi_home/.config/autodns/autodns.json" ||
        give_up "the wrong configuration was installed"

    # Another Pi has another minute and another second.
    echo 0123456789abcdef0123456789abcdea >"$root/etc/machine-id"
    deploy --env "AWS_ENDPOINT_URL=$endpoint"
    expect "the crontab of another Pi" "$own
$(minutes 5) * * * * sleep $(second); $line" "$(crontab_of pi)"

    # Again, now every minute and without a config: the deployed config is kept. There are no
    # variables any more, so their file is removed.
    deploy --interval 1
    expect "the second deployment" "0 " "$status $err"
    command=$pi_home/.local/bin/autodns
    line="$command ${files[0]} 2>&1 | logger -t autodns $mark"
    expect "the second deployment's output" "$(placed '*' pi "$command check ${files[0]}" \
        "$pi_home/.local/bin/autodns" "${files[@]/%/ (kept as it was)}" \
        "a line in the crontab of pi")" "$(after_dry_run)"
    expect_check "what the second deployment names" pi "$(sed -n '$s/^  //p' <<<"$out")"
    expect "the files after the second deployment" $'autodns.json\ncredentials\ndeployed' \
        "$(ls -A "$root$pi_home/.config/autodns")"
    expect "the crontab after the second deployment" "$own
* * * * * sleep $(second); $line" "$(crontab_of pi)"
    cmp "$config" "$root$pi_home/.config/autodns/autodns.json" ||
        give_up "the configuration was changed"

    # Also deploys the spy, as the other user.
    make_spy "$scratch/spy"
    deploy_as second --binary "$scratch/spy" --config "$config" --interval 1 \
        --env "ODD=$odd_value" --env AWS_PROFILE=home
    expect "the spy's deployment" "0 " "$status $err"

    # cron changes the record automatically.
    poll 90 "cron to change the record" record_says "$zone" 192.175.48.7
    poll 90 "cron to run the spy" test -e "$root/home/second/seen"
    expect "the environment and arguments from cron" "AWS_PROFILE=home
HOME=/home/second
LOGNAME=second
ODD=$odd_value
PATH=/usr/bin:/bin
PWD=/home/second
SHELL=/bin/sh
/home/second/.config/autodns/autodns.json" "$(cat "$root/home/second/seen")"

    # The reflector fails: one alert, and no second one in the next minute.
    tell_reflector "$reflect" '{"mode":"broken"}'
    poll 90 "cron to send an alert" alert_came "$queue"
    ticks=$(wc -l <"$root$pi_home/ticks")
    expect_alert_command "the command of the alert" pi "$(command_of_alert)"
    expect_match "cron's logger gets what autodns says" \
        $'.*\n-t autodns\nautodns: home\\.example\\.com A: .*' $'\n'"$(cat "$root/var/log/logged")"

    # Meanwhile a deployment whose dry run fails changes nothing, unless it is forced.
    expect_failure "a failing dry run" \
        "the dry run failed \(exit status 1\); its output is above; nothing was changed .*" \
        deploy --interval 2
    expect_match "a failing dry run is shown" \
        $'.*\nautodns: home\\.example\\.com A: [^\n]*reflect.*' "$out"
    deploy --force --interval 1
    expect "a forced deployment" \
        "0 deploy-pi.sh: pi@127.0.0.1: the dry run failed (exit status 1); its output is above" \
        "$status $err"
    expect "the crontab after a forced deployment" "$own
* * * * * sleep $(second); $line" "$(crontab_of pi)"

    # A system-wide spy with its own zone replaces the user's.
    deploy_as second --uninstall
    expect "the spy's uninstallation" "0 " "$status $err"
    rm "$root/home/second/seen"

    poll 150 "cron to run twice more" ticks_reach $((ticks + 2))
    expect "no second alert" 0 "$(alerts "$queue")"

    tell_reflector "$reflect" '{"mode":"ok","address":"192.175.48.8"}'
    test_system_deployment
    poll 90 "cron to change the record again" record_says "$zone" 192.175.48.8
    poll 90 "the alert's lock to go" test ! -e "$root/tmp/autodns_alert.lock"

    deploy_as second --system --uninstall
    expect "the uninstallation of the system's" "0 second@127.0.0.1: removed /etc/cron.d/autodns
second@127.0.0.1: removed /usr/local/bin/autodns
second@127.0.0.1: removed /etc/autodns/autodns.json
second@127.0.0.1: removed /etc/autodns/credentials
second@127.0.0.1: removed /etc/autodns/deployed" "$status $out$err"
    deploy_as pi --uninstall
    expect "the uninstallation" "0 pi@127.0.0.1: removed a line in the crontab of pi
pi@127.0.0.1: removed $pi_home/.local/bin/autodns
pi@127.0.0.1: removed $pi_home/.config/autodns/autodns.json
pi@127.0.0.1: removed $pi_home/.config/autodns/credentials
pi@127.0.0.1: removed $pi_home/.config/autodns/deployed" "$status $out$err"
    rm -f "$root$pi_home/ticks"
    expect "the Pi at the end" "$before" "$(snapshot)"
    deploy_as pi --uninstall
    expect "an uninstallation without a deployment" \
        "0 pi@127.0.0.1: deploy-pi.sh has installed nothing there" "$status $out$err"
}

# The files of an earlier version of deploy-pi.sh in /usr/local/etc, for the user second.
make_old_deployment() {
    local etc=$root/usr/local/etc
    install -m 600 -o 1001 -g 1001 "$scratch/second.json" "$etc/autodns.json"
    install -m 600 -o 1001 -g 1001 "$scratch/second.credentials" "$etc/autodns.credentials"
    install -m 755 /dev/null "$root/usr/local/bin/autodns"
    printf 'file /usr/local/%s\n' bin/autodns etc/autodns.json etc/autodns.credentials \
        >"$etc/autodns.deployed"
    echo '0 0 1 1 * second /usr/local/bin/autodns # autodns, by deploy-pi.sh' \
        >"$root/etc/cron.d/autodns"
    chmod 600 "$root/etc/cron.d/autodns"
}

# With --system, as the user second: first over an earlier version, and then from nothing.
test_system_deployment() {
    local zone topic queue key secret command places
    make_resources
    write_config "$scratch/second.json" "$reflect" /tmp/second.lock
    write_credentials "$scratch/second.credentials"
    command=/usr/local/bin/autodns
    places=(/etc/autodns/{autodns.json,credentials})

    make_old_deployment
    deploy_as second --system --uninstall
    expect "the uninstallation of an old version's" "0 second@127.0.0.1: removed /etc/cron.d/autodns
second@127.0.0.1: removed /usr/local/bin/autodns
second@127.0.0.1: removed /usr/local/etc/autodns.json
second@127.0.0.1: removed /usr/local/etc/autodns.credentials
second@127.0.0.1: removed /usr/local/etc/autodns.deployed" "$status $out$err"
    make_old_deployment
    deploy_as second --system --binary "$binary" --interval 1
    expect "a deployment on top of an earlier version's" "0 " "$status $err"
    expect "its output" "$(placed '*' second "$command check ${places[0]}" "$command" \
        "${places[@]/%/ (moved from /usr/local/etc)}" /etc/cron.d/autodns)" "$(after_dry_run)"
    expect "its modes" "755 0 usr/local/bin/autodns
755 0 etc/autodns
600 1001 etc/autodns/autodns.json
600 1001 etc/autodns/credentials
600 0 etc/cron.d/autodns" "$(modes usr/local/bin/autodns etc/autodns \
        etc/autodns/{autodns.json,credentials} etc/cron.d/autodns)"
    expect "the files left in the old place" '' "$(ls -A "$root/usr/local/etc")"
    expect "its file for cron" "* * * * * second sleep $(second); $command ${places[0]} 2>&1 |\
 logger -t autodns # autodns, by deploy-pi.sh" "$(grep -v '^#' "$root/etc/cron.d/autodns")"
    expect_check "what it names" second "$(sed -n '$s/^  //p' <<<"$out")"

    deploy_as second --system --binary "$binary" --config "$scratch/second.json" --interval 1 \
        --credentials "$scratch/second.credentials"
    expect "another deployment into the system" "0 " "$status $err"
    expect "the other deployment's output" "$(placed '*' second "$command check ${places[0]}" \
        "$command" "${places[@]}" /etc/cron.d/autodns)" "$(after_dry_run)"
    poll 90 "the system's cron to change the record" record_says "$zone" 192.175.48.8

    tell_reflector "$reflect" '{"mode":"broken"}'
    poll 90 "the system's cron to send an alert" alert_came "$queue"
    expect_alert_command "the command of the system's alert" second "$(command_of_alert)"
    tell_reflector "$reflect" '{"mode":"ok"}'
}

# The architecture of the Pi's programs selects the binary, not the architecture of its kernel.
test_choice_of_binary() {
    local machine wanted
    for machine in armv7l aarch64 armv6l; do
        case $machine in
            armv6l) wanted=arm-unknown-linux-musleabihf ;;
            *) wanted=armv7-unknown-linux-musleabihf ;;
        esac
        printf '#!/bin/sh\n[ "$1" = -m ] && exec echo %s\nexec /usr/bin/uname "$@"\n' "$machine" \
            >"$root/usr/local/bin/uname"
        chmod +x "$root/usr/local/bin/uname"
        deploy_as pi --config "$config" --credentials "$credentials" \
            --env "AWS_ENDPOINT_URL=$endpoint"
        [[ $status == 0 ]] || give_up "a deployment to $machine: $err"
        expect "the choice for $machine" \
            "pi@127.0.0.1: $machine, 32-bit programs: needs $wanted" "$(head -n 1 <<<"$out")"
        cmp "$repo/target/pi/$wanted/autodns" "$root$pi_home/.local/bin/autodns" ||
            give_up "$machine got the wrong binary"
    done
    rm "$root/usr/local/bin/uname"
    deploy_as pi --uninstall
    expect "the uninstallation after the choice" 0 "$status"
}

# A short test, since armhf has run the long one: from nothing to a changed record, and back.
test_short_deployment() {
    deploy_as pi --config "$config" --credentials "$credentials" --interval 1 \
        --env "AWS_ENDPOINT_URL=$endpoint"
    [[ $status == 0 ]] || give_up "a deployment: $err"
    expect "the choice" "pi@127.0.0.1: aarch64, 64-bit programs: needs $target" \
        "$(head -n 1 <<<"$out")"
    cmp "$binary" "$root$pi_home/.local/bin/autodns" || give_up "the wrong binary was installed"
    poll 90 "cron to change the record" record_says "$zone" 192.175.48.7
    deploy_as pi --uninstall
    expect "the uninstallation" 0 "$status"
    rm -f "$root$pi_home/ticks"
    expect "the Pi at the end" "$before" "$(snapshot)"
}
