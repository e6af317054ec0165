# The first half of the part "deb": the armhf package on an emulated Pi without systemd. Installs
# the package, runs it like its service, upgrades, removes and purges it. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with the other files

# dpkg_in_pi ARGUMENT…: runs dpkg in the system that the command in enter leads into. Sets out, err
# and status.
dpkg_in_pi() {
    run "${enter[@]}" env -i HOME=/ PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive dpkg "$@"
}

# expect_installation PACKAGE_FILE: expects that dpkg installs it without errors or warnings.
expect_installation() {
    cp "$1" "$root/autodns.deb"
    dpkg_in_pi --install /autodns.deb
    expect "dpkg --install ${1##*/}" "0 " "$status $err"
    rm "$root/autodns.deb"
}

version_in_pi() { "${enter[@]}" dpkg-query --show autodns | cut -f 2; }

# All files that the package could leave behind. Leaves out the files of dpkg, logs and accounts.
files_in_pi() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./var/lib/dpkg \
        -o -path ./var/log -o -path ./var/cache -o -path ./run \) -prune -o \
        ! -path './etc/passwd*' ! -path './etc/shadow*' ! -path './etc/group*' \
        ! -path './etc/gshadow*' ! -path './etc/subuid*' ! -path './etc/subgid*' \
        ! -path ./etc ! -path ./.pwd.lock ! -path ./etc/.pwd.lock -printf '%m %U:%G %p %l\n') |
        LC_ALL=C sort
}

# owners PATH…: prints mode, owner and path.
owners() { chroot "$root" stat -c '%a %U:%G %n' "$@"; }

# unit_says KEY: prints its value in the installed unit.
unit_says() { sed -n "s/^$1=//p" "$root/usr/lib/systemd/system/autodns.service"; }

# as_service VARIABLE…: does one run with the unit's user and command.
as_service() {
    local command
    read -ra command <<<"$(unit_says ExecStart)"
    run chroot --userspec="$(unit_says User):$(unit_says Group)" "$root" env -i \
        HOME=/var/lib/autodns PATH=/usr/bin:/bin "$@" "${command[@]}"
}

test_package_on_pi() {
    local before kept enter
    make_resources
    start_reflector pi_reflector 192.175.48.7
    reflect=$answer
    unpack_pi armhf
    enter=(chroot "$root")
    # The person who reads an alert logs in as this user.
    chroot "$root" useradd --create-home --shell /bin/bash pi
    echo 'pi ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/test"
    before=$(files_in_pi)

    # The package does not share /etc/autodns with `deploy-pi.sh --system`.
    echo '0 0 1 1 * pi /usr/local/bin/autodns # autodns, by deploy-pi.sh' \
        >"$root/etc/cron.d/autodns"
    cp "$packages/autodns_$version-1_armhf.deb" "$root/autodns.deb"
    dpkg_in_pi --install /autodns.deb
    expect_match "an installation after deploy-pi.sh --system" "1 .*autodns: /etc/cron\.d/autodns\
 shows that 'deploy-pi\.sh --system' installed autodns here\. .*" "$status $err"
    rm "$root/autodns.deb" "$root/etc/cron.d/autodns"
    expect "a refused package installs no file" "$before" "$(files_in_pi)"

    expect_installation "$packages/autodns_$version-1_armhf.deb"
    expect "the modes and owners" "755 root:root /usr/bin/autodns
750 root:autodns /etc/autodns
600 autodns:autodns /etc/autodns/credentials
700 autodns:autodns /var/lib/autodns
644 root:root /usr/lib/systemd/system/autodns.service
644 root:root /usr/lib/systemd/system/autodns.timer" "$(owners /usr/bin/autodns /etc/autodns \
        /etc/autodns/credentials /var/lib/autodns \
        /usr/lib/systemd/system/autodns.{service,timer})"
    expect "the files in /etc/autodns" credentials "$(ls -A "$root/etc/autodns")"
    expect_match "the user" 'autodns:x:[0-9]+:[0-9]+:autodns,*:/var/lib/autodns:/usr/sbin/nologin' \
        "$(grep '^autodns:' "$root/etc/passwd")"
    expect "the timer is off" "" "$(find "$root/etc/systemd" -name 'autodns*')"
    cmp "$repo/target/pi/arm-unknown-linux-musleabihf/autodns" "$root/usr/bin/autodns" ||
        give_up "the package contains the wrong binary"
    run chroot "$root" su -s /bin/sh -c 'cat /etc/autodns/credentials' nobody
    expect "other users cannot read the credentials" 1 "$status"

    # A configuration, but the template for the credentials has no key yet.
    write_config "$scratch/autodns.json" "$reflect" /var/lib/autodns/alert.lock
    install -m 640 "$scratch/autodns.json" "$root/etc/autodns/autodns.json"
    chroot "$root" chgrp autodns /etc/autodns/autodns.json
    as_service "AWS_ENDPOINT_URL=$endpoint"
    expect "without a key" "2 " "$status $out"
    expect_match "without a key, the error names the file" \
        'autodns: no AWS credentials found: .*/etc/autodns/credentials has no key.*' "$err"

    # Writes into the existing file, like an editor or cp, which keeps its mode and owner.
    write_credentials "$scratch/credentials"
    cat "$scratch/credentials" >"$root/etc/autodns/credentials"
    point_at_aws /var/lib/autodns autodns
    expect_check "the command of README.Debian" pi "$(sed -n \
        's|^    \(sudo -u autodns /usr/bin/autodns check .*\)|\1|p' \
        "$repo/packaging/debian/README.Debian")"
    as_service "AWS_ENDPOINT_URL=$endpoint"
    expect "a change is silent" "0  " "$status $out $err"
    expect "a change changes the record" "$(record 192.175.48.7)" \
        "$(moto_aws "$endpoint" records "$zone")"

    tell_reflector "$reflect" '{"mode":"broken"}'
    as_service "AWS_ENDPOINT_URL=$endpoint"
    expect "a broken reflector" "1 " "$status $out"
    alert_came "$queue" || give_up "there is no alert"
    expect_alert_command "the command of the alert" pi "$(command_of_alert)"
    kept=$(owners /etc/autodns /etc/autodns/autodns.json /etc/autodns/credentials \
        /var/lib/autodns /var/lib/autodns/alert.lock)
    expect "its lock" "600 autodns:autodns /var/lib/autodns/alert.lock" "$(tail -n 1 <<<"$kept")"

    expect_installation "$packages/autodns_$version-2_armhf.deb"
    expect "the upgrade" "$version-2" \
        "$(version_in_pi)"
    expect "an upgrade keeps modes and owners" "$kept" "$(owners /etc/autodns \
        /etc/autodns/autodns.json /etc/autodns/credentials /var/lib/autodns \
        /var/lib/autodns/alert.lock)"
    cmp "$scratch/autodns.json" "$root/etc/autodns/autodns.json" ||
        give_up "the upgrade changed the configuration"
    cmp "$scratch/credentials" "$root/etc/autodns/credentials" ||
        give_up "the upgrade changed the key"
    as_service "AWS_ENDPOINT_URL=$endpoint"
    expect "no second alert after the upgrade" "1 0" "$status $(alerts "$queue")"

    # The package keeps changes of the administrator.
    chmod 700 "$root/etc/autodns"
    rm "$root/etc/autodns/credentials"
    expect_installation "$packages/autodns_$version-2_armhf.deb"
    expect "an upgrade keeps a changed mode" "700 root:autodns /etc/autodns" \
        "$(owners /etc/autodns)"
    expect "an upgrade does not restore a removed file" autodns.json "$(ls -A "$root/etc/autodns")"

    dpkg_in_pi --remove autodns
    expect_match "dpkg --remove" "0 (dpkg: warning: while removing autodns, directory '[a-z/]+' \
not empty so not removed)?" "$status $err"
    expect "the files that a removal keeps" "./etc/autodns
./etc/autodns/autodns.json
./var/lib/autodns
./var/lib/autodns/.aws
./var/lib/autodns/.aws/config
./var/lib/autodns/alert.lock" "$(LC_ALL=C comm -13 <(echo "$before") <(files_in_pi) |
        awk '{ print $3 }' | grep -v '^\./var/lib/systemd' | LC_ALL=C sort)"
    expect_installation "$packages/autodns_$version-2_armhf.deb"
    expect "a new installation keeps these files" "autodns.json" "$(ls -A "$root/etc/autodns")"

    # dpkg removes an empty folder with the package. The next installation makes it again.
    rm "$root/etc/autodns/autodns.json"
    dpkg_in_pi --remove autodns
    expect "a removal removes an empty folder" no \
        "$([[ -e $root/etc/autodns ]] && echo yes || echo no)"
    expect_installation "$packages/autodns_$version-2_armhf.deb"
    expect "an installation makes the folder again" "750 root:autodns /etc/autodns" \
        "$(owners /etc/autodns)"

    dpkg_in_pi --purge autodns
    expect_match "dpkg --purge" "0 (dpkg: warning: while removing autodns, directory '[a-z/]+' \
not empty so not removed)?" "$status $err"
    expect "the files that a purge leaves" "" "$(diff <(echo "$before") <(files_in_pi) || :)"
    expect "a purge keeps the user" 1 "$(grep -c '^autodns:' "$root/etc/passwd")"
}
