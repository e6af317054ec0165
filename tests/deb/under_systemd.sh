# The second half of the part "deb": a Debian for this machine's processor, with systemd as its
# first process. There the package's timer really starts its service, with all restrictions of the
# unit. Sourced by run.sh. test-pi.sh removes the cgroup of systemd.
# shellcheck shell=bash disable=SC2016,SC2034,SC2119,SC2120,SC2154  # variables and calls elsewhere

# --- the system ---------------------------------------------------------------------------------

# boot_systemd [KIND]: starts systemd in a root of this kind, which prepare.sh has made.
boot_systemd() {
    root=$scratch/systemd
    mkdir -p "$root"
    mount -t tmpfs -o size=1g,mode=755 tmpfs "$root"
    tar -C "$root" -xzf "$(root_archive "$(dpkg --print-architecture)" "${1:-systemd}")"
    mkdir -p "$root"/{dev,proc,sys,run}
    echo raspberrypi >"$root/etc/hostname"
    echo 127.0.0.1 raspberrypi localhost >"$root/etc/hosts"
    echo nameserver 127.0.0.1 >"$root/etc/resolv.conf"
    echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
    in_cgroups bash -euc '
        mkdir -p "$1"
        echo 0 >"$1/cgroup.procs"
        exec unshare --mount --pid --ipc --uts --cgroup --fork --kill-child=KILL \
            bash -euc "$2" bash "$3"' bash \
        "${AUTODNS_TEST_CGROUP/test/test-${1:-systemd}}" "$first_steps" "$root" \
        >"$scratch/systemd.log" 2>&1 </dev/null &
    poll 30 "systemd to start" finds_systemd $!
    poll 90 "systemd to be up" is_up
}

# Does what a container manager does before it starts systemd. $1 is the root.
first_steps='
    cd "$1"
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755 tmpfs run
    mount -t tmpfs -o mode=755 tmpfs dev
    for device in null zero full random urandom tty; do
        : >"dev/$device"
        mount --bind "/dev/$device" "dev/$device"
    done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    exec env -i container=autodns-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        chroot . /lib/systemd/systemd --system --log-target=journal'

# finds_systemd PROCESS: sets init to the systemd that PROCESS has started in the new namespaces.
finds_systemd() {
    init=$(pgrep --parent "$(pgrep --parent "$1" || echo "$1")" --exact systemd ||
        pgrep --parent "$1" --exact systemd)
}

is_up() { [[ $(inside systemctl is-system-running 2>/dev/null) == running ]]; }

# inside COMMAND…: runs it in that system, as root.
inside() {
    nsenter --target "$init" --mount --pid --ipc --uts --cgroup --root --wd=/ \
        env -i HOME=/ PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"
}

# configure LOCK: writes the configuration where the service reads it.
configure() {
    write_config "$scratch/autodns.json" "$reflect" "$1"
    install -m 644 "$scratch/autodns.json" "$root/etc/autodns/autodns.json"
}

# drop_in UNIT NAME: writes stdin to a drop-in, like `systemctl edit`.
drop_in() {
    mkdir -p "$root/etc/systemd/system/$1.d"
    cat >"$root/etc/systemd/system/$1.d/$2.conf"
    inside systemctl daemon-reload
}

# Prints the journal of the unit: the messages of the program and of systemd.
journal() { inside journalctl --unit autodns.service --output cat --no-pager --quiet; }

show() { inside systemctl show --value --property "$1" "$2"; }

state() { echo "$(inside systemctl is-enabled "$1") $(inside systemctl is-active "$1")"; }

# ran_since MOMENT: whether the service started after MOMENT and has ended.
ran_since() {
    [[ $(show ExecMainStartTimestampMonotonic autodns.service) -gt $1 &&
        $(show ActiveState autodns.service) != activating ]]
}

# ended_with "RESULT STATUS": whether the last run ended like this, and no other has started.
ended_with() {
    [[ "$(show Result autodns.service) $(show ExecMainStatus autodns.service)" == "$1" ]]
}

# wait_for_runs NUMBER: waits until the timer has started so many more runs.
wait_for_runs() {
    local moment left
    for ((left = $1; left > 0; left--)); do
        moment=$(show ExecMainStartTimestampMonotonic autodns.service)
        poll 60 "the timer to start the service" ran_since "$moment"
    done
}

# --- the test -----------------------------------------------------------------------------------

test_package_under_systemd() {
    local enter=(inside) package architecture
    architecture=$(dpkg --print-architecture)
    package=$packages/autodns_$version-1_$architecture.deb
    make_resources
    start_reflector systemd_reflector 192.175.48.7
    reflect=$answer
    boot_systemd

    expect_installation "$package"
    expect "the timer is off" $'disabled inactive' "$(state autodns.timer)"
    # Without a check of the man pages, because this small Debian has no man. lint.sh checks them.
    run inside systemd-analyze --man=no verify \
        /usr/lib/systemd/system/autodns.{service,timer}
    expect "systemd-analyze verify" "0 " "$status $out$err"
    run inside systemd-analyze security --offline=yes --no-pager \
        /usr/lib/systemd/system/autodns.service
    expect "systemd-analyze security, as README.Debian quotes it" \
        "$(sed -n 's/.*exposure level of \([0-9.]*\)\..*/\1/p' \
            "$repo/packaging/debian/README.Debian") OK" \
        "$(sed -n 's/.*Overall exposure level for autodns.service: \([0-9.]* [A-Z]*\).*/\1/p' \
            <<<"$out")"

    # Without a configuration, systemd skips the service silently.
    run inside systemctl start autodns.service
    expect "without a configuration" "0 no" "$status $(show ConditionResult autodns.service)"
    expect "without a configuration the journal is empty" "" "$(journal)"

    test_sandbox
    test_timer
    test_lock_in_tmp
    test_package_lifetime
}

# A spy runs instead of the program and records what the service may do and see.
test_sandbox() {
    configure /var/lib/autodns/alert.lock
    cat >"$root/usr/local/bin/spy" <<'TEXT'
#!/bin/sh
exec >/tmp/seen 2>&1
echo "$(id -un) $HOME $(env | grep -c ^AWS_)"
grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/self/status | tr '\t' ' '
for folder in /etc /etc/autodns /usr /var /var/lib /run /home ~root /dev/shm \
    /tmp /var/tmp /var/lib/autodns; do
    if (: >"$folder/spy") 2>/dev/null; then echo "writes $folder"; rm "$folder/spy"; fi
done
for file in /etc/autodns/credentials /etc/autodns/autodns.json /etc/resolv.conf /etc/hosts \
    /proc/net/if_inet6 /sys/class/net/lo/ifindex /proc/sys/kernel/hostname; do
    cat "$file" >/dev/null || echo "cannot read $file"
done
if kill -0 1 2>/dev/null || [ -d /proc/1 ]; then echo "sees others"; fi
unshare --user true 2>/dev/null && echo "makes namespaces"
cat /proc/sys/kernel/hostname
TEXT
    chmod 755 "$root/usr/local/bin/spy"
    drop_in autodns.service spy <<'TEXT'
[Service]
ExecStart=
ExecStart=/usr/local/bin/spy
TEXT
    run inside systemctl start autodns.service
    expect "the spy runs" "0 " "$status $err"
    expect "the rights of the service" "autodns /var/lib/autodns 0
CapEff: 0000000000000000
CapBnd: 0000000000000000
NoNewPrivs: 1
Seccomp: 2
writes /tmp
writes /var/tmp
writes /var/lib/autodns
raspberrypi" "$(cat "$root/tmp/seen")"
    expect "other users cannot read its files" "600 autodns:autodns /tmp/seen" \
        "$(inside stat -c '%a %U:%G %n' /tmp/seen)"
    rm -r "$root/tmp/seen" "$root/etc/systemd/system/autodns.service.d"
}

# Tests the timer of the package, then does the main job with a faster timer.
test_timer() {
    local ahead
    write_credentials "$scratch/credentials"
    cat "$scratch/credentials" >"$root/etc/autodns/credentials"
    drop_in autodns.service endpoint <<<"[Service]
Environment=AWS_ENDPOINT_URL=$endpoint"
    run inside systemctl enable --now autodns.timer
    expect "the timer is turned on" "0 enabled active" "$status $(state autodns.timer)"
    ahead=$(($(date -d "$(show NextElapseUSecRealtime autodns.timer)" +%s) - $(date +%s)))
    expect "the first run is at most ten minutes ahead: $ahead s" 1 \
        "$((ahead >= 0 && ahead <= 600))"

    drop_in autodns.timer fast <<'TEXT'
[Timer]
OnCalendar=
OnCalendar=*:*:0/2
RandomizedDelaySec=0
AccuracySec=1ms
TEXT
    inside systemctl restart autodns.timer
    poll 60 "the timer to change the record" record_says "$zone" 192.175.48.7
    wait_for_runs 2
    expect "runs succeed" "success" "$(show Result autodns.service)"
    expect "successful runs print nothing" "" "$(journal)"

    tell_reflector "$reflect" '{"mode":"broken"}'
    wait_for_runs 3
    expect "one alert" 1 "$(alerts "$queue")"
    expect "its lock" "600 autodns:autodns /var/lib/autodns/alert.lock" \
        "$(inside stat -c '%a %U:%G %n' /var/lib/autodns/alert.lock)"
    # While the next run is active, systemd does not show the result of the last one.
    poll 60 "a failed run to be shown as failed" ended_with "exit-code 1"
    expect_match "the error in the journal" $'autodns: home\\.example\\.com A: [^\n]*' \
        "$(journal | grep '^autodns: ' | sort -u)"

    tell_reflector "$reflect" '{"mode":"ok","address":"192.175.48.8"}'
    poll 60 "the timer to change the record again" record_says "$zone" 192.175.48.8
    wait_for_runs 1
    expect "runs succeed again, with one message" "success 1" \
        "$(show Result autodns.service) $(alerts "$queue")"
    expect "the lock is gone" "" "$(ls -A "$root/var/lib/autodns")"
}

# A lock under /tmp must last from run to run, so the service must not have a private /tmp.
test_lock_in_tmp() {
    local start
    inside systemctl stop autodns.timer
    for start in 1 2 3 4 5 6; do
        run inside systemctl start autodns.service
        expect "start $start in a row is not refused" 0 "$status"
    done
    configure /tmp/autodns_alert.lock
    tell_reflector "$reflect" '{"mode":"broken"}'
    run inside systemctl start autodns.service
    expect "a failing run" "1 1" "$status $(alerts "$queue")"
    expect "its lock in /tmp" "600 autodns:autodns /tmp/autodns_alert.lock" \
        "$(inside stat -c '%a %U:%G %n' /tmp/autodns_alert.lock)"
    run inside systemctl start autodns.service
    expect "a second failing run" "1 0" "$status $(alerts "$queue")"
    tell_reflector "$reflect" '{"mode":"ok"}'
    run inside systemctl start autodns.service
    expect "recovery" "0 1" "$status $(alerts "$queue")"
    expect "the lock in /tmp is gone" "" "$(find "$root/tmp" -name '*autodns*')"
}

# An upgrade keeps the timer running. A removal stops it.
test_package_lifetime() {
    inside systemctl start autodns.timer
    expect_installation "${package/-1_/-2_}"
    expect "the upgrade" "$version-2" "$(version_in_pi)"
    expect "after the upgrade" "enabled active" "$(state autodns.timer)"
    expect "systemd knows the new unit" no "$(show NeedDaemonReload autodns.timer)"
    wait_for_runs 1
    expect "runs succeed after the upgrade" success "$(show Result autodns.service)"

    rm -r "$root/etc/systemd/system/autodns.timer.d"
    dpkg_in_pi --remove autodns
    expect "dpkg --remove" 0 "$status"
    expect "after the removal" "inactive inactive" "$(inside systemctl is-active autodns.timer) \
$(inside systemctl is-active autodns.service)"
    expect "no unit is left enabled" "" \
        "$(find "$root/etc/systemd" -name 'autodns*' ! -name autodns.service.d)"
    expect_installation "${package/-1_/-2_}"
    expect "after a new installation" "disabled inactive" "$(state autodns.timer)"
    dpkg_in_pi --purge autodns
    expect "dpkg --purge" 0 "$status"
    expect "after the purge" "" "$(find "$root/etc/autodns" "$root/var/lib/autodns" \
        "$root/var/lib/systemd" -name '*autodns*' 2>/dev/null)"
}
