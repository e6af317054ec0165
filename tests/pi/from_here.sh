# Part "armhf": deploy-pi.sh on different machines of the user: a bundle on a machine without Rust,
# the old bash and the tools of macOS, an ssh that cannot share a connection, several Pis at once.
# Sourced by run.sh. AUTODNS_OLD_BASH can name a bash 3.2, and AUTODNS_BSD_TOOLS a folder with tools
# of a BSD. Without them this uses the machine's own, and only checks the options of the tools. Both
# were tested, with bash 3.2.48 and FreeBSD's tools built for Linux. A real Mac and a real Windows
# were not tested.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016  # shared variables; scripts for other shells

test_from_here() {
    make_silent_program "$scratch/silent"
    install -m 666 /dev/null "$root/var/log/seen"
    make_bundle
    test_old_syntax
    test_bundle
    test_ssh_without_sharing
    test_several
    rm "$root/var/log/seen"
}

# Makes the bundle of a release, and the folder with the tools for its PATH.
make_bundle() {
    local name
    bundle=$scratch/autodns-$version-deploy
    mkdir -p "$bundle"/{lib,bin/armv6,bin/armv7,bin/aarch64} "$scratch/tools"
    cp "$repo/scripts/deploy-pi.sh" "$bundle/"
    cp "$repo"/scripts/lib/{over-ssh,pi-places,pi-commit,pi-remote}.sh "$bundle/lib/"
    cp "$repo/target/pi/arm-unknown-linux-musleabihf/autodns" "$bundle/bin/armv6/"
    cp "$repo/target/pi/armv7-unknown-linux-musleabihf/autodns" "$bundle/bin/armv7/"
    cp "$repo/target/pi/aarch64-unknown-linux-musl/autodns" "$bundle/bin/aarch64/"
    for name in cat dirname grep head install mkdir mktemp printenv rm sed tail tr uname wc; do
        ln -s "$repo/tests/pi/bsd_tool.sh" "$scratch/tools/$name"
    done
    ln -s "${AUTODNS_OLD_BASH:-$(command -v bash)}" "$scratch/tools/bash"
    ln -s "$(command -v ssh)" "$scratch/tools/ssh"
}

# from_bundle OPTION…: runs deploy-pi.sh of the bundle with only those tools.
from_bundle() {
    run /usr/bin/env -i HOME="$scratch/home" PATH="$scratch/tools" TMPDIR="$scratch" TERM=dumb \
        BEHIND="${AUTODNS_BSD_TOOLS:-/usr/bin}" /usr/bin/setsid --wait \
        "$bundle/deploy-pi.sh" "${login[@]}" "$@"
    notes=$(sed -n '/: note: /p' <<<"$out")
    out=$(sed '/: note: /d' <<<"$out")
}

# bash 3.2 has none of this syntax.
test_old_syntax() {
    local newer='mapfile|readarray|(declare|local|typeset) -[Agn]|coproc|&>>|\|&|;;?&'
    newer+='|\$\{[^}]*(\^|,,|@[A-Z]\})|\[\[ -[vR] |printf -v|wait -n|exec \{|\$EPOCH|BASHPID'
    expect "syntax that bash 3.2 lacks" '' \
        "$(grep -nE "$newer" "$repo"/scripts/{deploy-pi,lib/over-ssh}.sh || :)"
}

# Deploys the binaries of the bundle, without Rust and without the repository.
test_bundle() {
    local before
    before=$(snapshot)
    from_bundle --config "$config" --credentials "$credentials" \
        --env "AWS_ENDPOINT_URL=$endpoint" pi@127.0.0.1
    expect "a deployment from a bundle" \
        "0 pi@127.0.0.1: armv7l, 32-bit programs: needs armv7-unknown-linux-musleabihf" \
        "$status $err$(head -n 1 <<<"$out")"
    cmp "$bundle/bin/armv7/autodns" "$root$pi_home/.local/bin/autodns" ||
        give_up "the wrong binary was installed"
    expect_check "the check that it names" pi "$(sed -n '$s/^  //p' <<<"$out")"
    from_bundle --uninstall pi@127.0.0.1
    expect "an uninstallation from a bundle" "0 " "$status $err"
    mv "$bundle/bin/armv7/autodns" "$scratch/away"
    expect_failure "an incomplete bundle" ".*/bin/armv7/autodns is missing; unpack the bundle .*" \
        from_bundle --config "$config" pi@127.0.0.1
    mv "$scratch/away" "$bundle/bin/armv7/autodns"
    rm -f "$root$pi_home/ticks"
    expect "the Pi after it" "$before" "$(snapshot)"
}

# make_ssh LINE…: makes an ssh that runs these lines of sh before the real ssh. It records each call
# that should share a connection.
make_ssh() {
    rm "$scratch/tools/ssh"
    : >"$scratch/shared"
    {
        echo '#!/bin/sh'
        printf 'shared=%s\n' "$scratch/shared"
        cat <<'TEXT'
sharing=no
case $* in *Control*) sharing=yes; echo once >>"$shared" ;; esac
TEXT
        printf '%s\n' "$@" "exec $(command -v ssh) \"\$@\""
    } >"$scratch/tools/ssh"
    chmod +x "$scratch/tools/ssh"
}

# Tests the ssh of Windows, the same with an unknown version, and the ssh of Cygwin and Git for
# Windows, where only the second session fails.
test_ssh_without_sharing() {
    local kind tries before words
    before=$(snapshot)
    for kind in Windows other Cygwin; do
        case $kind in
            Windows)
                tries=0
                words='[ "$1" != -V ] || { echo "OpenSSH_for_Windows_9.5p1" >&2; exit; }'
                ;;&
            other)
                tries=1
                words=
                ;;&
            Windows | other)
                make_ssh "$words" '[ $sharing = no ] || {' \
                    '    echo "getsockname failed: Not a socket" >&2; exit 255; }'
                ;;
            Cygwin)
                tries=2
                words='mux_client_request_session: read from master failed'
                make_ssh '[ $sharing = no ] || [ "$(/usr/bin/wc -l <"$shared")" = 1 ] || {' \
                    "    echo '$words' >&2; exit 255; }"
                ;;
        esac
        from_bundle --binary "$scratch/silent" --config "$config" \
            guest@127.0.0.1 second@127.0.0.1
        expect "without sharing ($kind)" "0 
guest@127.0.0.1: done: silent is in place
second@127.0.0.1: done: silent is in place" "$status $err"$'\n'"$(tail -n 2 <<<"$out")"
        expect_match "the note about it ($kind)" \
            'guest@127\.0\.0\.1: note: ssh cannot use one connection [^'$'\n'']*' \
            "$(grep 'one connection' <<<"$notes")"
        # The end of a shared connection is one more call.
        expect "how often sharing is tried ($kind)" "$tries" \
            "$(grep -c . "$scratch/shared" | sed "s/^$((tries + 1))\$/$tries/")"
        from_bundle --uninstall guest@127.0.0.1 second@127.0.0.1
        expect "the end without sharing ($kind)" "0 " "$status $err"
        expect "the Pi after it ($kind)" "$before" "$(snapshot)"
    done
    # An error with another cause is not retried.
    words='ssh: connect to host pi: Connection refused'
    make_ssh '[ "$1" = -V ] || {' "    echo '$words' >&2; exit 255; }"
    expect_failure "no route without a second attempt" \
        "it cannot be reached: Connection refused; .*" \
        from_bundle --uninstall pi@127.0.0.1
    rm "$scratch/tools/ssh"
    ln -s "$(command -v ssh)" "$scratch/tools/ssh"
}

# A configuration per host, one unreachable host, and a result line for each.
test_several() {
    local before deploying status=0
    before=$(snapshot)
    cp "$config" "$scratch/127.0.0.1.json"
    expect_failure "a missing configuration for one host" "cannot read .*/127\.0\.0\.2\.json" \
        from_bundle --config "$scratch/%h.json" pi@127.0.0.1 pi@127.0.0.2
    echo '{}' >"$scratch/127.0.0.2.json"
    from_bundle --binary "$scratch/silent" --config "$scratch/%h.json" \
        second@127.0.0.1 pi@127.0.0.2 guest@127.0.0.1
    expect "one of three is unreachable" "1 deploy-pi.sh: pi@127.0.0.2: it cannot be reached:\
 Connection refused; is it on, and is this sshd's port?" "$status $err"
    expect "the result of each" "second@127.0.0.1: done: silent is in place
pi@127.0.0.2: failed: it cannot be reached: Connection refused; is it on, and is this sshd's port?
guest@127.0.0.1: done: silent is in place" "$(tail -n 3 <<<"$out")"
    expect "there are no notes" '' "$notes"
    cmp "$config" "$root/home/guest/.config/autodns/autodns.json" ||
        give_up "guest got another configuration"
    from_bundle --uninstall second@127.0.0.1 guest@127.0.0.1
    expect "the end of both" "0 
second@127.0.0.1: done: autodns is not installed any more
guest@127.0.0.1: done: autodns is not installed any more" \
        "$status $err"$'\n'"$(tail -n 2 <<<"$out")"
    from_bundle --binary "$scratch/silent" --config "$config" second@127.0.0.1 guest@127.0.0.1
    expect "one configuration for both" "deploy-pi.sh: note: all 2 Pis get the same record from\
 $config; with %h in its name each gets its own" "$notes"
    from_bundle --uninstall second@127.0.0.1 guest@127.0.0.1
    expect "the Pi after several" "$before" "$(snapshot)"

    rm -f "$root/tmp/hangs"
    printf '#!/bin/sh\n[ "$1" = --version ] && exit\n: >/tmp/hangs\nexec sleep 60\n' \
        >"$scratch/hanging"
    plain "$repo/scripts/deploy-pi.sh" "${login[@]}" --config "$config" \
        --binary "$scratch/hanging" pi@127.0.0.1 guest@127.0.0.1 \
        >"$scratch/out" 2>"$scratch/err" &
    poll 60 "the dry run to hang" test -e "$root/tmp/hangs"
    deploying=$(pgrep -f "bash .*/scripts/deploy-pi\.sh" | head -n 1)
    kill -TERM -- "-$deploying"
    wait $! || status=$?
    expect "two interrupted" "143 deploy-pi.sh: interrupted
pi@127.0.0.1: interrupted
guest@127.0.0.1: not tried" "$status $(cat "$scratch/err")"$'\n'"$(tail -n 2 "$scratch/out")"
    rm "$root/tmp/hangs"
    expect "two interrupted leave nothing" "$before" "$(snapshot)"
}
