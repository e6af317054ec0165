# Part "armhf": deploy-pi.sh with unusual Pis: other login shells, banners, start-up files that end
# the shell, sudo with a password, hostile responses, cron without mail. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016  # shared variables; scripts for the Pi's shell

# A program that prints nothing and records the output of `ps` during its dry run: the processes on
# this machine and on the Pi.
make_silent_program() {
    cat >"$1" <<'TEXT'
#!/bin/sh
[ "$1" != --version ] || exec echo silent
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' >/var/log/seen
TEXT
}

# login_shell SHELL: sets guest's shell. Each prints a greeting without a newline.
login_shell() {
    chroot "$root" usermod -s "$1" guest >/dev/null
    # Some shells create files at their first start.
    ssh "${login[@]}" guest@127.0.0.1 true >/dev/null 2>&1 </dev/null
}

deploy_silent() {
    deploy_as guest --binary "$scratch/silent" --config "$scratch/my:config.json" "$@"
}

test_login_shells() {
    local shell home=$root/home/guest before
    cp -a "$home" "$scratch/guest"
    make_silent_program "$scratch/silent"
    install -m 666 /dev/null "$root/var/log/seen"
    mkdir -p "$home/.config/fish"
    echo 'printf "Welcome to my Pi: "; echo "a warning" >&2' |
        tee "$home/.bashrc" "$home/.config/fish/config.fish" >/dev/null
    echo 'printf "Welcome to my Pi: "' >"$home/.tcshrc"
    chroot "$root" chown -R guest: /home/guest
    for shell in /bin/sh /bin/bash /usr/bin/fish /usr/bin/tcsh; do
        login_shell "$shell"
        before=$(snapshot)
        ODD="$odd_value" deploy_silent --env ODD
        expect "a deployment to a login shell $shell" "0 " "$status $err"
        expect "its output with $shell" "guest@127.0.0.1: a dry run there:
silent
$(placed "$(minutes 5)" guest "/bin/sh -c 'set -a; . \"\$0\"; exec \"\$@\"'\
 /home/guest/.config/autodns/environment /home/guest/.local/bin/autodns check\
 /home/guest/.config/autodns/autodns.json" /home/guest/.local/bin/autodns \
            /home/guest/.config/autodns/{autodns.json,environment} \
            'a line in the crontab of guest')" "$out"
        expect "the file of variables with $shell" "$odd_value" \
            "$(on_pi guest '. .config/autodns/environment; printf %s "$ODD"')"
        expect "no variable is in ps with $shell" '' \
            "$(grep -aF "${odd_value:0:8}" "$root/var/log/seen" || :)"
        deploy_as guest --uninstall
        expect "the end with $shell" 0 "$status"
        expect "the Pi after it with $shell" "$before" "$(snapshot)"
    done
    test_password_for_sudo
    test_shell_that_ends
    chroot "$root" usermod -s /bin/sh guest
    rm -r "$home"
    cp -a "$scratch/guest" "$home"
}

# deploy_typing PASSWORD OPTION…: deploys as guest with --system and types this password.
deploy_typing() {
    printf %s "$1" >"$scratch/typed"
    shift
    run plain "$python" "$repo/tests/pi/typing.py" 'password of guest: ' "$scratch/typed" \
        "$repo/scripts/deploy-pi.sh" "${login[@]}" --system "$@" guest@127.0.0.1
}

test_password_for_sudo() {
    local shell before
    # The step that runs as root calls sync.
    printf '#!/bin/sh\ncat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n" >>/var/log/seen\n' \
        >"$root/usr/local/bin/sync"
    chmod 755 "$root/usr/local/bin/sync"
    for shell in /bin/bash /usr/bin/fish /usr/bin/tcsh; do
        login_shell "$shell"
        before=$(snapshot)
        deploy_typing "$guest_password" --binary "$scratch/silent" \
            --config "$scratch/my:config.json" --env "ODD=$odd_value"
        expect "a password for sudo with $shell" "0 sudo on guest@127.0.0.1 asks for the password\
 of guest: " "$status $(grep -o '^sudo on .*' <<<"$out")"
        expect "cron's file with $shell" "$(minutes 5) * * * * guest sleep $(second);\
 /bin/sh -c 'set -a; . \"\$0\"; exec \"\$@\"' /etc/autodns/environment\
 /usr/local/bin/autodns /etc/autodns/autodns.json 2>&1 |\
 logger -t autodns # autodns, by deploy-pi.sh" "$(grep -v '^#' "$root/etc/cron.d/autodns")"
        expect "the system's variables with $shell" "$odd_value" \
            "$(on_pi guest '. /etc/autodns/environment; printf %s "$ODD"')"
        expect_match "ps during the step that runs as root with $shell" \
            $'.*sudo\n-S\n.*' "$(tr -d '\0' <"$root/var/log/seen")"
        expect "no password is in ps with $shell" '' \
            "$(grep -aF "$guest_password" "$root/var/log/seen" || :)"
        : >"$root/var/log/seen"
        deploy_typing "$guest_password" --uninstall
        expect "the end of the system's with $shell" 0 "$status"
        expect "the Pi after it with $shell" "$before" "$(snapshot)"
    done
    deploy_typing wrong --binary "$scratch/silent" --config "$scratch/my:config.json"
    expect "a wrong password" "1 deploy-pi.sh: guest@127.0.0.1: sudo did not accept the password;\
 nothing was changed" "$status $(tail -n 1 <<<"$out")"
    expect "the Pi after a wrong password" "$before" "$(snapshot)"
    rm "$root/usr/local/bin/sync"
}

# A start-up file that ends the shell makes ssh end with 0 and run nothing.
test_shell_that_ends() {
    echo exec true | tee "$home/.config/fish/config.fish" "$home/.tcshrc" >/dev/null
    echo exit >"$home/.bashrc"
    for shell in /bin/bash /usr/bin/fish /usr/bin/tcsh; do
        chroot "$root" usermod -s "$shell" guest
        expect_failure "$shell that ends immediately" "its login shell did not run the script; .*" \
            deploy_silent
    done
}

# make_hostile_shell LINE…: makes a login shell that answers the probe with these lines.
make_hostile_shell() {
    printf '#!/bin/sh\ncat <<"TEXT"\n\n@begin=probe\n%s\n@done=probe\nTEXT\n' \
        "$(printf '%s\n' '@home=/home/guest' '@user=guest' \
            '@target=armv7-unknown-linux-musleabihf' '@machine=armv7l, 32-bit programs' "$@")" \
        >"$root/usr/local/bin/hostile"
    chmod 755 "$root/usr/local/bin/hostile"
}

# A response of a Pi reaches a command line or a terminal only if it has the expected form.
test_hostile_pi() {
    local name value before
    make_hostile_shell
    chroot "$root" usermod -s /usr/local/bin/hostile guest
    while IFS='=' read -r name value; do
        make_hostile_shell "@$name=$(printf %b "$value")"
        expect_failure "a hostile $name" "it sent an invalid value for $name: .*" \
            deploy_as guest --config "$scratch/my:config.json"
    done <<'TEXT'
target=--pages
target=x86_64-unknown-linux-musl
target=armv7-unknown-linux-musleabihf --pages
machine=\033]0;title\a, 32-bit programs
note=\033[2Jnothing to see
user=guest;reboot
user=-l
home=relative
home=/home/guest'; reboot; '
TEXT
    printf '#!/bin/sh\nprintf "\\033[2J\\302\\2332Jdeploy-pi.sh: gone\\n" >&2; exit 1\n' \
        >"$root/usr/local/bin/hostile"
    expect_failure "a hostile complaint" '\[2J\?2Jdeploy-pi\.sh: gone' \
        deploy_as guest --config "$scratch/my:config.json"
    rm "$root/usr/local/bin/hostile"
    chroot "$root" usermod -s /bin/sh guest

    cat >"$scratch/hostile" <<'TEXT'
#!/bin/sh
printf '%s\033[2J\r\302\2332J\n@done=try\n' "$1"
TEXT
    before=$(snapshot)
    deploy_as guest --binary "$scratch/hostile" --config "$scratch/my:config.json"
    expect "the output of a hostile dry run" "0 guest@127.0.0.1: a dry run there:
--version[2J?2J
--dry-run[2J?2J" "$status $(head -n 3 <<<"$out")"
    deploy_as guest --uninstall
    expect "the Pi after a hostile dry run" "$before" "$(snapshot)"
}

# cron_line_after: guest's deployed cron line without its minutes.
cron_line_after() { crontab_of guest | sed -n 's/^[^ ]* \* \* \* \* //p'; }

# If cron mails the output of a program, the line has no redirection. If no output can be kept, the
# deployment reports that.
test_messages_of_cron() {
    local before line
    line="sleep $(second); /home/guest/.local/bin/autodns"
    line+=" /home/guest/.config/autodns/autodns.json"
    make_silent_program "$scratch/silent"
    before=$(snapshot)
    install -m 755 /bin/true "$root/usr/sbin/sendmail"
    # As an earlier version wrote it, without a second.
    echo '4-59/5 * * * * /home/guest/.local/bin/autodns /old.json # autodns, by deploy-pi.sh' |
        on_pi guest 'crontab -'
    deploy_silent
    expect "an earlier version's line is replaced" 1 "$(crontab_of guest | wc -l)"
    expect "a cron that mails" "0 $line # autodns, by deploy-pi.sh" "$status $(cron_line_after)"
    expect "a cron that mails gives no note" '' "$(grep 'cron mails' <<<"$out" || :)"
    deploy_as guest --uninstall
    printf 'MAILTO=""\n' | on_pi guest 'crontab -'
    deploy_silent
    expect "a crontab that turns mail off" \
        "0 $line 2>&1 | logger -t autodns # autodns, by deploy-pi.sh" "$status $(cron_line_after)"
    printf 'MAILTO=""\nMAILTO=me\n' | on_pi guest 'crontab -'
    deploy_silent
    expect "a crontab that turns mail off and on" "0 $line # autodns, by deploy-pi.sh" \
        "$status $(cron_line_after)"
    on_pi guest 'crontab -r'
    rm "$root/usr/sbin/sendmail"
    mv "$root/usr/bin/logger" "$root/usr/bin/logger.away"
    deploy_silent
    expect "neither mail nor logger" "0 $line # autodns, by deploy-pi.sh" \
        "$status $(cron_line_after)"
    expect_match "the note without mail and logger" "guest@127\.0\.0\.1: cron mails nothing there,\
 and there is no logger: the messages of autodns are lost, .*" "$(grep 'cron mails' <<<"$out")"
    mv "$root/usr/bin/logger.away" "$root/usr/bin/logger"
    deploy_as guest --uninstall
    expect "the Pi after it" "$before" "$(snapshot)"
}
