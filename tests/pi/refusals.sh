# The first half of the part "armhf": all failures of deploy-pi.sh on an emulated Pi. Each prints
# one clear line, exits with a non-zero status, and leaves the Pi unchanged. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154,SC2016  # shared variables; scripts for the Pi's shell

# Without cron on the Pi, and then with a cron that does not run.
test_failures_before_cron() {
    local config=$1
    mv "$root/usr/bin/crontab" "$root/usr/bin/crontab.away"
    expect_failure "no cron" "there is no cron \(no crontab command\); install it: .*" \
        deploy --config "$config"
    mv "$root/usr/bin/crontab.away" "$root/usr/bin/crontab"
    expect_failure "cron is not running" \
        "cron is not running; start it: .*" deploy --config "$config"
}

test_failures() {
    local config=$1 credentials=$2 size half more
    size=$(($(wc -c <"$binary") / 1024))

    expect_failure "no route" "it cannot be reached: Connection refused; is it on, .*" \
        plain "$repo/scripts/deploy-pi.sh" -p 1 --binary "$binary" pi@127.0.0.1
    expect_failure "no network" \
        "pi@192\.0\.2\.1: it cannot be reached: Network is unreachable; .*" \
        plain "$repo/scripts/deploy-pi.sh" --binary "$binary" pi@192.0.2.1
    expect_failure "wrong key" "the login was refused: Permission denied \(publickey.*" \
        plain "$repo/scripts/deploy-pi.sh" -p "$port" -i "$scratch/other_key" \
        -o IdentitiesOnly=yes -o "UserKnownHostsFile=$scratch/known_hosts" \
        --binary "$binary" pi@127.0.0.1
    expect_failure "unknown host key" "its host key is unknown or has changed; .*" \
        plain "$repo/scripts/deploy-pi.sh" -p "$port" -i "$scratch/key" \
        -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/dev/null --binary "$binary" \
        pi@127.0.0.1
    expect_failure "no config" \
        "$pi_home/\.config/autodns/autodns\.json does not exist yet; .*" deploy
    expect_failure "an invalid interval" "--interval needs a divisor of 60, not 7" \
        deploy --interval 7
    expect_failure "a key as a variable" \
        "--env does not accept AWS_SECRET_ACCESS_KEY; put the key into .*" \
        deploy --config "$config" --env AWS_SECRET_ACCESS_KEY=x
    expect_failure "a variable that is not set" "--env NOT_SET_HERE: it is not set here" \
        deploy --config "$config" --env NOT_SET_HERE
    expect_failure "a variable with an escape sequence" \
        "--env ODD: its value has a control character" \
        deploy --config "$config" --env $'ODD=\e[2J'
    expect_failure "an invalid binary" \
        "the binary does not run on the Pi: .*; nothing was changed .*" \
        plain "$repo/scripts/deploy-pi.sh" "${login[@]}" --config "$config" \
        --binary "$config" pi@127.0.0.1
    printf '\nPackage: autodns\nStatus: %s\nVersion: 1\nArchitecture: armhf\n\n' \
        'deinstall ok config-files' >>"$root/var/lib/dpkg/status"
    expect_failure "the files of the Debian package" \
        "the Debian package autodns has its files in /etc/autodns there; leave out --system, .*" \
        deploy --system --config "$config" --credentials "$credentials"
    sed -i '/^Package: autodns$/,/^$/d' "$root/var/lib/dpkg/status"
    mkdir -m 750 "$root/etc/autodns"
    expect_failure "a folder that is closed to the user" \
        "pi has no access to /etc/autodns; move it .*" \
        deploy --system --config "$config" --credentials "$credentials"
    chmod 755 "$root/etc/autodns"
    chroot "$root" chown pi /etc/autodns
    expect_failure "a folder that the user may write to" \
        "users other than root can write to /etc/autodns; run sudo chown root /etc/autodns .*" \
        deploy --system --config "$config" --credentials "$credentials"
    rmdir "$root/etc/autodns"
    expect_failure "sudo with a password" "sudo asks for a password there; run this in a terminal" \
        deploy_as guest --system --config "$config" --binary "$binary"

    half=$((size / 2))
    mount_home "size=${half}k"
    expect_failure "a full disk" "copying to $pi_home failed: .*; [0-9]+ kB are free there, .*" \
        deploy --config "$config" --credentials "$credentials"
    umount "$root$pi_home"
    more=$((size * 3 / 2))
    mount_home "size=${more}k"
    expect_failure "a disk that fills up late" \
        "cannot write $pi_home/\.local/bin/\.autodns\.new: .*" \
        deploy --config "$config" --credentials "$credentials" \
        --env "AWS_ENDPOINT_URL=$endpoint"
    umount "$root$pi_home"
    read_only "$pi_home"
    expect_failure "a read-only home" \
        "cannot make a folder in $pi_home: Read-only file system; .*" \
        deploy --config "$config" --credentials "$credentials"
    umount "$root$pi_home"
    read_only /usr/local
    expect_failure "a read-only system" "cannot write /usr/local/bin/\.autodns\.new: Read-only .*" \
        deploy --system --config "$config" --credentials "$credentials" \
        --env "AWS_ENDPOINT_URL=$endpoint"
    umount "$root/usr/local"
    # Only the last step fails: what was deployed must be removed again.
    read_only /var/spool/cron
    expect_failure "a crontab that cannot be written" "the crontab of pi cannot be written: .*" \
        deploy --config "$config" --credentials "$credentials" \
        --env "AWS_ENDPOINT_URL=$endpoint"
    umount "$root/var/spool/cron"
}

# A dry run of the user replaces a copied file by a link to a file that only root may read.
test_link_in_staging() {
    cat >"$scratch/linking" <<'TEXT'
#!/bin/sh
[ "$1" != --version ] || exit 0
[ ! -e "${0%/*}/credentials" ] || ln -sf /etc/shadow "${0%/*}/credentials"
TEXT
    expect_failure "a link among the copied files" \
        "pi cannot read the copied file credentials any more; nothing was changed" \
        deploy_as pi --system --binary "$scratch/linking" --config "$1" --credentials "$2"
}

# An empty home for pi.
mount_home() { mount -t tmpfs -o "$1,mode=755,uid=1000,gid=1000" tmpfs "$root$pi_home"; }

read_only() {
    mount --bind "$root$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
}

# A hanging dry run is interrupted, as by Ctrl-C: the copied files are removed.
test_interrupt() {
    local config=$1 before deploying status=0
    before=$(snapshot)
    printf '#!/bin/sh\n[ "$1" = --version ] && exit\n: >/tmp/hangs\nexec sleep 60\n' \
        >"$scratch/hanging"
    plain "$repo/scripts/deploy-pi.sh" "${login[@]}" --config "$config" \
        --binary "$scratch/hanging" pi@127.0.0.1 >"$scratch/out" 2>"$scratch/err" &
    poll 60 "the dry run to hang" test -e "$root/tmp/hangs"
    deploying=$(pgrep -f "bash .*/scripts/deploy-pi\.sh" | head -n 1)
    kill -TERM -- "-$deploying"
    wait $! || status=$?
    expect "an interrupted deployment" "143 deploy-pi.sh: interrupted" \
        "$status $(cat "$scratch/err")"
    expect "an interrupted deployment leaves nothing" "$before" "$(snapshot)"
}
