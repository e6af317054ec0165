# The first half of the part "deb": the armhf package on an emulated Pi, where no systemd runs:
# installed, run as its service would run it, upgraded, removed, purged. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with the other files

# dpkg_in_pi ARGUMENT…: in the system that the words of enter lead into; leaves what came of it in
# out, err and status.
dpkg_in_pi() {
    run "${enter[@]}" env -i HOME=/ PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive dpkg "$@"
}

# installs PACKAGE_FILE: by dpkg, without a complaint.
installs() {
    cp "$1" "$root/autodns.deb"
    dpkg_in_pi --install /autodns.deb
    expect "dpkg --install ${1##*/}" "0 " "$status $err"
    rm "$root/autodns.deb"
}

version_in_pi() { "${enter[@]}" dpkg-query --show autodns | cut -f 2; }

# What a package of autodns could leave behind: everything but dpkg's own books and logs.
files_in_pi() {
    (cd "$root" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./var/lib/dpkg \
        -o -path ./var/log -o -path ./var/cache -o -path ./run \) -prune -o \
        ! -path './etc/passwd*' ! -path './etc/shadow*' ! -path './etc/group*' \
        ! -path './etc/gshadow*' ! -path './etc/subuid*' ! -path './etc/subgid*' \
        ! -path ./etc ! -path ./.pwd.lock ! -path ./etc/.pwd.lock -printf '%m %U:%G %p %l\n') |
        LC_ALL=C sort
}

# What the package makes, with whose it is.
owners() { chroot "$root" stat -c '%a %U:%G %n' "$@"; }

# The keys of the installed unit, as far as they matter without systemd.
unit_says() { sed -n "s/^$1=//p" "$root/usr/lib/systemd/system/autodns.service"; }

# as_service VARIABLE…: one run with the unit's user, variables and command.
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
    # Who reads an alert logs in as this user.
    chroot "$root" useradd --create-home --shell /bin/bash pi
    echo 'pi ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/test"
    before=$(files_in_pi)

    # It does not share /etc/autodns with what `deploy-pi.sh --system` put there.
    echo '0 0 1 1 * pi /usr/local/bin/autodns # autodns, by deploy-pi.sh' >"$root/etc/cron.d/autodns"
    cp "$packages/autodns_$version-1_armhf.deb" "$root/autodns.deb"
    dpkg_in_pi --install /autodns.deb
    expect_match "beside a deployment into the system" "1 .*autodns: /etc/cron\.d/autodns shows that\
 'deploy-pi\.sh --system' installed autodns here\. .*" "$status $err"
    rm "$root/autodns.deb" "$root/etc/cron.d/autodns"
    expect "nothing of it is installed" "$before" "$(files_in_pi)"

    installs "$packages/autodns_$version-1_armhf.deb"
    expect "what is whose" "755 root:root /usr/bin/autodns
750 root:autodns /etc/autodns
600 autodns:autodns /etc/autodns/credentials
700 autodns:autodns /var/lib/autodns
644 root:root /usr/lib/systemd/system/autodns.service
644 root:root /usr/lib/systemd/system/autodns.timer" "$(owners /usr/bin/autodns /etc/autodns \
        /etc/autodns/credentials /var/lib/autodns \
        /usr/lib/systemd/system/autodns.{service,timer})"
    expect "what is in /etc/autodns" credentials "$(ls -A "$root/etc/autodns")"
    expect_match "the user" 'autodns:x:[0-9]+:[0-9]+:autodns,*:/var/lib/autodns:/usr/sbin/nologin' \
        "$(grep '^autodns:' "$root/etc/passwd")"
    expect "the timer is off" "" "$(find "$root/etc/systemd" -name 'autodns*')"
    cmp "$repo/target/pi/arm-unknown-linux-musleabihf/autodns" "$root/usr/bin/autodns" ||
        give_up "another binary is in the package"
    run chroot "$root" su -s /bin/sh -c 'cat /etc/autodns/credentials' nobody
    expect "nobody else reads the credentials" 1 "$status"

    # Not configured yet: the template has no key in it.
    write_config "$scratch/autodns.json" "$reflect" /var/lib/autodns/alert.lock
    install -m 640 "$scratch/autodns.json" "$root/etc/autodns/autodns.json"
    chroot "$root" chgrp autodns /etc/autodns/autodns.json
    as_service "AWS_ENDPOINT_URL=$endpoint"
    expect "without a key" "2 " "$status $out"
    expect_match "without a key, it says where it looked" \
        'autodns: no AWS credentials found: .*/etc/autodns/credentials has no key.*' "$err"

    # Written into the file that is there, as an editor or cp does, which keeps whose it is.
    write_credentials "$scratch/credentials"
    cat "$scratch/credentials" >"$root/etc/autodns/credentials"
    point_at_aws /var/lib/autodns autodns
    checks "the command of README.Debian" pi "$(sed -n \
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
    pastes "the command of the alert" pi "$(command_of_alert)"
    kept=$(owners /etc/autodns /etc/autodns/autodns.json /etc/autodns/credentials \
        /var/lib/autodns /var/lib/autodns/alert.lock)
    expect "its lock" "600 autodns:autodns /var/lib/autodns/alert.lock" "$(tail -n 1 <<<"$kept")"

    installs "$packages/autodns_$version-2_armhf.deb"
    expect "the upgrade" "$version-2" \
        "$(version_in_pi)"
    expect "an upgrade keeps modes and owners" "$kept" "$(owners /etc/autodns \
        /etc/autodns/autodns.json /etc/autodns/credentials /var/lib/autodns \
        /var/lib/autodns/alert.lock)"
    cmp "$scratch/autodns.json" "$root/etc/autodns/autodns.json" || give_up "the config is changed"
    cmp "$scratch/credentials" "$root/etc/autodns/credentials" || give_up "the key is changed"
    as_service "AWS_ENDPOINT_URL=$endpoint"
    expect "no second alert after the upgrade" "1 0" "$status $(alerts "$queue")"

    # What the administrator chose otherwise stays that way.
    chmod 700 "$root/etc/autodns"
    rm "$root/etc/autodns/credentials"
    installs "$packages/autodns_$version-2_armhf.deb"
    expect "another mode stays" "700 root:autodns /etc/autodns" "$(owners /etc/autodns)"
    expect "a file that was taken away stays away" autodns.json "$(ls -A "$root/etc/autodns")"

    dpkg_in_pi --remove autodns
    expect_match "dpkg --remove" "0 (dpkg: warning: while removing autodns, directory '[a-z/]+' \
not empty so not removed)?" "$status $err"
    expect "what a removal keeps" "./etc/autodns
./etc/autodns/autodns.json
./var/lib/autodns
./var/lib/autodns/.aws
./var/lib/autodns/.aws/config
./var/lib/autodns/alert.lock" "$(LC_ALL=C comm -13 <(echo "$before") <(files_in_pi) |
        awk '{ print $3 }' | grep -v '^\./var/lib/systemd' | LC_ALL=C sort)"
    installs "$packages/autodns_$version-2_armhf.deb"
    expect "what a removal kept is taken up" "autodns.json" "$(ls -A "$root/etc/autodns")"

    # An emptied folder goes with the package, and is made anew as it has to be.
    rm "$root/etc/autodns/autodns.json"
    dpkg_in_pi --remove autodns
    expect "an emptied folder goes" no "$([[ -e $root/etc/autodns ]] && echo yes || echo no)"
    installs "$packages/autodns_$version-2_armhf.deb"
    expect "the folder is made anew" "750 root:autodns /etc/autodns" "$(owners /etc/autodns)"

    dpkg_in_pi --purge autodns
    expect_match "dpkg --purge" "0 (dpkg: warning: while removing autodns, directory '[a-z/]+' \
not empty so not removed)?" "$status $err"
    expect "what a purge leaves" "" "$(diff <(echo "$before") <(files_in_pi) || :)"
    expect "the user stays" 1 "$(grep -c '^autodns:' "$root/etc/passwd")"
}
