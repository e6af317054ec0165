# Part "release": the files of a release. Makes them twice, checks them, then installs them without
# Rust: the archive, the bundle and the package on an emulated Pi, the archive and the package also
# under systemd. Every command comes from the text in the archive or package. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016  # variables shared with the other files

# --- texts --------------------------------------------------------------------------------------

# block FILE NUMBER [SECTION]: prints the commands of an indented block. NUMBER counts the blocks
# from the heading SECTION (a line in capitals), or from the beginning.
block() {
    local commands
    commands=$(awk -v wanted="$2" -v section="${3:-}" '
        /^[A-Z][A-Z, ]+$/ { heading = $0; number = 0; inside = 0; next }
        section != "" && heading != section { next }
        /^    / {
            if (!inside) number++
            inside = 1
            if (number == wanted) print substr($0, 5)
            next
        }
        { inside = 0 }' "$1")
    [[ -n $commands ]] || give_up "${1##*/} has no block $2 in ${3:-it}"
    echo "$commands"
}

# Prints the number of blocks in each section of a text. The tests below run or name each block.
blocks() {
    awk '
        /^[A-Z][A-Z, ]+$/ {
            inside = 0
            if (began) printf "%d ", number
            number = 0
            began = 1
            next
        }
        /^    / { if (!inside) number++; inside = 1; next }
        { inside = 0 }
        END { print number }' "$1"
}

# --- without Rust -------------------------------------------------------------------------------

# Makes a folder for PATH with all programs except Rust.
make_tools() {
    local folder
    mkdir "$scratch/tools"
    for folder in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
        find "$folder" -mindepth 1 -maxdepth 1 ! -name '*rust*' ! -name '*cargo*' \
            -exec ln -sf -t "$scratch/tools" {} + 2>/dev/null || :
    done
    run env PATH="$scratch/tools" bash -c 'type -P rustc cargo rustup'
    expect "there is no Rust" "1 " "$status $out"
}

# in_bundle COMMAND: runs it in the unpacked bundle, with the address and the key of this Pi.
in_bundle() {
    local command=$1 typed='./deploy-pi.sh '
    command=${command/pi@raspberrypi.local/pi@127.0.0.1}
    command=${command/"$typed"/"$typed${login[*]} "}
    run env -i -C "$bundle" HOME="$scratch/home" PATH="$scratch/tools" TMPDIR="$scratch" TERM=dumb \
        setsid --wait bash -c "$command"
}

# --- the parts ----------------------------------------------------------------------------------

test_release() {
    # Another part's Pi may still be there: emulated_pi.sh has 2222, ansible.sh 2223.
    local dist=$scratch/dist rustc=rustc root port=2224 reflect enter
    local zone topic queue key secret
    [[ -f $(rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/Cargo.lock ]] ||
        rustc=/usr/bin/rustc
    test_release_files "$dist" "$rustc"
    start_aws
    start_reflector reflector 192.175.48.7
    reflect=$answer
    make_tools
    make_pi armhf
    start_cron
    test_archive_on_pi
    test_bundle_on_pi
    test_package_by_its_text
    test_release_under_systemd
}

test_release_files() {
    local dist=$1 rustc=$2
    "$repo/scripts/release.sh" --ready "$dist" >/dev/null
    "$repo/scripts/release.sh" --ready "$scratch/again" >/dev/null
    run diff -r "$dist" "$scratch/again"
    expect "a release has the same bytes again" "0 " "$status $out$err"
    rm -r "$scratch/again"
    run "$repo/tests/release/archives.sh" "$dist" "$rustc"
    if [[ $status != 0 ]]; then echo "$out$err" >&2; fi
    expect_match "tests/release/archives.sh" "0 archives\.sh: [0-9]+ checks passed" "$status $out"
    out=${out#archives.sh: }
    passed=$((passed + ${out%% *}))
}

# write_files LOCK: makes new resources in AWS, and the configuration and credentials for them.
write_files() {
    make_resources
    tell_reflector "$reflect" '{"mode":"ok","address":"192.175.48.7"}'
    write_config "$scratch/autodns.json" "$reflect" "$1"
    write_credentials "$scratch/credentials"
}

# The archive, with cron.
test_archive_on_pi() {
    local name=autodns-$version-armv7-unknown-linux-musleabihf install section line
    write_files /tmp/release.lock
    install -m 644 -o 1000 "$dist/$name.tar.gz" "$root$pi_home/"
    run_pasted pi "tar -xzf $name.tar.gz && rm $name.tar.gz"
    expect "the archive unpacks on the Pi" "0 " "$status $out$err"
    install=$root$pi_home/$name/INSTALL.txt
    expect "the blocks of INSTALL.txt" "3 4 4 1 0" "$(blocks "$install")"

    section="BEFORE YOU START"
    run_pasted pi "cd $name; $(block "$install" 1 "$section")"
    expect "the program runs" "0 autodns $version" "$status $out$err"
    expect "the table names the archives" "$(cd "$dist" && printf '%s\n' autodns-*-linux-*.tar.gz |
        sed "s/^autodns-$version-//; s/\.tar\.gz$//" | LC_ALL=C sort)" \
        "$(block "$install" 2 "$section" | cut -d' ' -f1 | LC_ALL=C sort)"
    run_pasted pi "cd $name; $(block "$install" 3 "$section")"
    expect_match "the policy of the example" '0 \{.*route53:ChangeResourceRecordSets.*' \
        "$status $out$err"

    section="WITH CRON, FOR ONE USER, WITHOUT ROOT"
    run_pasted pi "cd $name; $(block "$install" 1 "$section")"
    expect "the files are installed" "0 " "$status $out$err"
    expect "their modes" "755 1000 home/pi/.local/bin/autodns
700 1000 home/pi/.config/autodns
600 1000 home/pi/.config/autodns/autodns.json
600 1000 home/pi/.config/autodns/credentials" "$(modes home/pi/.local/bin/autodns \
        home/pi/.config/autodns home/pi/.config/autodns/{autodns.json,credentials})"
    cat "$scratch/autodns.json" >"$root$pi_home/.config/autodns/autodns.json"
    cat "$scratch/credentials" >"$root$pi_home/.config/autodns/credentials"
    expect_check "INSTALL.txt's check" pi "cd $name; $(block "$install" 2 "$section")"

    echo '0 0 1 1 * true # my own' | on_pi pi 'crontab -'
    run_pasted pi "cd $name; $(block "$install" 3 "$section")"
    expect "the cron line is made" "0 " "$status $out$err"
    line=$(crontab_of pi)
    expect_match "the crontab" '0 0 1 1 \* true # my own
[0-4]-59/5 \* \* \* \* sleep [0-9]+; /home/pi/.local/bin/autodns'\
' /home/pi/.config/autodns/autodns.json 2>&1 \| logger -t autodns # autodns, by hand' "$line"
    run_pasted pi "cd $name; $(block "$install" 3 "$section")"
    expect "pasting again replaces the line" "$line" "$(crontab_of pi)"
    echo fedcba9876543210fedcba9876543210 >"$root/etc/machine-id"
    run_pasted pi "cd $name; $(block "$install" 3 "$section")"
    expect "another machine gets another time" another \
        "$([[ $(crontab_of pi) == "$line" ]] || echo another)"
    crontab_of pi | sed 's|^[0-9]-59/5|*|; s/sleep [0-9]*;/sleep 1;/' | on_pi pi 'crontab -'
    poll 100 "cron to change the record" record_says "$zone" 192.175.48.7

    tell_reflector "$reflect" '{"mode":"broken"}'
    poll 100 "cron to send an alert" alert_came "$queue"
    expect_alert_command "the alert's command" pi "$(command_of_alert)"

    run_pasted pi "cd $name; $(block "$install" 4 "$section")"
    expect "INSTALL.txt's removal" "0 " "$status $out$err"
    expect "the crontab after it" '0 0 1 1 * true # my own' "$(crontab_of pi)"
    expect "no file is left" '' "$(cd "$root$pi_home" &&
        find .local .config -name '*autodns*')"
    on_pi pi 'crontab -r'

    run_pasted pi "cd $name; $(block "$install" 1 "MANUAL PAGES AND COMPLETIONS")"
    expect "pages and completions are installed" "0 " "$status $out$err"
    expect "their paths" "bash-completion/completions/autodns
fish/vendor_completions.d/autodns.fish
man/man1/autodns.1
man/man5/autodns.json.5
zsh/site-functions/_autodns" "$(cd "$root/usr/local/share" &&
        find . -type f -printf '%P\n' | LC_ALL=C sort)"
    find "$root/usr/local/share" -type f -delete
    rm -r "${root:?}$pi_home/$name"
}

# The bundle, unpacked into an empty folder of this machine and used without Rust.
test_bundle_on_pi() {
    local bundle=$scratch/bundle/autodns-$version-deploy checked
    write_files /tmp/bundle.lock
    mkdir "$scratch/bundle"
    tar -C "$scratch/bundle" -xzf "$dist/autodns-$version-deploy.tar.gz"
    cp "$scratch"/{autodns.json,credentials} "$bundle/"
    expect "the blocks of README.txt" 6 "$(blocks "$bundle/README.txt")"
    in_bundle "./deploy-pi.sh --help"
    expect_match "deploy-pi.sh in the bundle" $'0 usage: .*deploy-pi\\.sh .*' "$status $out"

    # Blocks 1 and 2 are not run: the list of files, and ssh-copy-id, which asks for a password.
    in_bundle "$(block "$bundle/README.txt" 3)"
    expect "a deployment from the bundle" "0 " "$status $err"
    expect "the bundle builds nothing" '' "$(grep -i -e cargo -e build-pi <<<"$out" || :)"
    cmp "$bundle/bin/armv7/autodns" "$root$pi_home/.local/bin/autodns" ||
        give_up "the bundle installed the wrong program"
    checked=$(block "$bundle/README.txt" 4)
    expect "it ends with the command of README.txt" "$checked" "$(sed -n '$s/^  //p' <<<"$out")"
    expect_check "README.txt's check" pi "$checked"
    in_bundle "$(block "$bundle/README.txt" 5)"
    expect "an upgrade from the bundle" "0 " "$status $err"
    cmp "$scratch/autodns.json" "$root$pi_home/.config/autodns/autodns.json" ||
        give_up "the upgrade changed the configuration"
    expect_check "the check after the upgrade" pi "$checked"
    in_bundle "$(block "$bundle/README.txt" 6)"
    expect "a removal from the bundle" "0 " "$status $err"
    expect "no file is left" '' "$(cd "$root$pi_home" &&
        find .local .config -name '*autodns*')$(crontab_of pi)"
}

# The package, with the commands of its README.Debian. This Pi runs no systemd, but the next test
# does.
test_package_by_its_text() {
    local package=autodns_$version-1_armhf.deb text
    write_files /var/lib/autodns/alert.lock
    cp "$dist/$package" "$root$pi_home/"
    # Does not compare stderr, because apt warns there that its interface is not stable.
    run_pasted pi "sudo apt install ./$package"
    expect "the package is installed" 0 "$status"
    text=$root/usr/share/doc/autodns/README.Debian
    expect "the blocks of README.Debian" 5 "$(blocks "$text")"
    cp "$scratch"/{autodns.json,credentials} "$root$pi_home/"
    run_pasted pi "$(block "$text" 1)"
    expect "README.Debian's files are installed" "0 " "$status $err"
    point_at_aws /var/lib/autodns autodns
    expect_check "README.Debian's check" pi "$(block "$text" 2)"
    run_pasted pi "sudo apt purge --yes autodns"
    expect "the package is purged" 0 "$status"
}

# --- under systemd ------------------------------------------------------------------------------

# The archive for this machine's processor, and then its package.
test_release_under_systemd() {
    local target package architecture name install section text
    architecture=$(dpkg --print-architecture)
    case $architecture in
        arm64) target=aarch64-unknown-linux-musl ;;
        *) target=x86_64-unknown-linux-musl ;;
    esac
    name=autodns-$version-$target
    package=autodns_$version-1_$architecture.deb
    write_files /var/lib/autodns/alert.lock
    # Not the cgroup of the part "deb", because its systemd may still be running.
    local AUTODNS_TEST_CGROUP=${AUTODNS_TEST_CGROUP/test-/test-release-}
    boot_systemd
    make_sudo
    tar -C "$root/root" -xzf "$dist/$name.tar.gz"
    install=$root/root/$name/INSTALL.txt
    section="WITH SYSTEMD, FOR THE WHOLE MACHINE"
    types "$name" "$(block "$install" 1 "$section")"
    expect "the files are installed" "0 " "$status $out$err"
    cat "$scratch/autodns.json" >"$root/etc/autodns/autodns.json"
    cat "$scratch/credentials" >"$root/etc/autodns/credentials"
    point_at_aws /var/lib/autodns autodns
    types "$name" "$(block "$install" 2 "$section")"
    expect_match "INSTALL.txt's check" $'0 .*ok +credentials .*' "$status $out$err"
    types "$name" "$(block "$install" 3 "$section")"
    expect "the timer is turned on" "0 enabled active" "$status $(state autodns.timer)"
    run inside systemd-analyze --man=no verify /etc/systemd/system/autodns.{service,timer}
    expect "systemd-analyze verify" "0 " "$status $out$err"
    run inside systemctl start autodns.service
    expect "the service runs" "0 " "$status $err"
    expect "it changed the record" yes "$(record_says "$zone" 192.175.48.7 && echo yes)"
    types "$name" "$(block "$install" 4 "$section")"
    expect "INSTALL.txt's removal" 0 "$status"
    expect "no file is left" '' "$(find "$root/etc" "$root/usr" "$root/var/lib" \
        -name '*autodns*'; grep autodns "$root/etc/passwd" || :)"

    write_files /var/lib/autodns/alert.lock
    cp "$dist/$package" "$scratch"/{autodns.json,credentials} "$root/root/"
    types . "sudo dpkg -i $package"
    expect "the package is installed" 0 "$status"
    text=$root/usr/share/doc/autodns/README.Debian
    types . "$(block "$text" 1)"
    expect "README.Debian's files are installed" "0 " "$status $out$err"
    point_at_aws /var/lib/autodns autodns
    types . "$(block "$text" 2)"
    expect_match "README.Debian's check" $'0 .*ok +credentials .*' "$status $out$err"
    types . "$(block "$text" 3)"
    expect "README.Debian's timer is on" "0 enabled active" "$status $(state autodns.timer)"
    block "$text" 4 | drop_in autodns.service override
    block "$text" 5 | drop_in autodns.timer override
    run inside systemd-analyze --man=no verify /usr/lib/systemd/system/autodns.{service,timer}
    expect "README.Debian's drop-ins" "0 " "$status $out$err"
    expect "README.Debian's two configurations" \
        "/usr/bin/autodns /etc/autodns/autodns.json /etc/autodns/office.json" \
        "$(show ExecStart autodns.service | sed -n 's/.*argv\[\]=\([^;]*\) ;.*/\1/p')"
    rm -r "$root/etc/systemd/system/autodns.service.d" "$root/etc/systemd/system/autodns.timer.d"
    inside systemctl daemon-reload
    run inside systemctl start autodns.service
    expect "the package's service runs" "0 " "$status $err"
    expect "the package's service changed the record" yes \
        "$(record_says "$zone" 192.175.48.7 && echo yes)"
}

# Makes a small sudo, because this Debian has none. The caller is root already.
make_sudo() {
    cat >"$root/usr/bin/sudo" <<'TEXT'
#!/bin/sh
[ "$1" = -u ] || exec "$@"
user=$2
shift 2
exec runuser -u "$user" -- env HOME="$(getent passwd "$user" | cut -d: -f6)" "$@"
TEXT
    chmod 755 "$root/usr/bin/sudo"
}

# types FOLDER COMMANDS: runs them in that folder of root's home.
types() { run inside env -C "/root/$1" sh -c "$2"; }
