# An emulated Pi: a Debian root with its own sshd, cron and sudo, whose programs qemu runs, and the
# functions to deploy to it and to inspect it. Sourced by run.sh, whose namespaces remove everything
# here when they end: mounts, processes, ports, the host name. It must not test anything.
# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with the other files

port=2222
pi_home=/home/pi
guest_password="it's a secret"

# --- the Pi -------------------------------------------------------------------------------------

# The system without running processes.
unpack_pi() {
    local architecture=$1 kind=${2:-pi}
    root=$scratch/root
    mkdir -p "$root"
    # On a tmpfs, because ext4 has 64-bit offsets in folders. With these, 32-bit programs under qemu
    # cannot list a folder, and cron would find no crontab.
    mount -t tmpfs -o size=1g,mode=755 tmpfs "$root"
    tar -C "$root" -xzf "$(root_archive "$architecture" "$kind")"
    mkdir -p "$root"/{proc,dev,run/sshd}
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    hostname raspberrypi
    echo 127.0.0.1 raspberrypi localhost >"$root/etc/hosts"
    # With this machine id, cron lines start at second 3, so that tests wait only briefly.
    echo 0123456789abcdef0123456789abcd03 >"$root/etc/machine-id"
}

# make_pi ARCHITECTURE [KIND]
make_pi() {
    local user
    unpack_pi "$@"
    # pi and second may use sudo freely, as on Raspberry Pi OS; guest must give a password.
    mkdir -p "$root/etc/ssh/keys"
    ssh-keygen -q -t ed25519 -N '' -f "$scratch/key"
    ssh-keygen -q -t ed25519 -N '' -f "$scratch/other_key"
    for user in pi second guest; do
        chroot "$root" useradd --create-home --shell /bin/sh "$user"
        # sshd rejects an account with a locked password.
        chroot "$root" usermod -p '*' "$user"
        cp "$scratch/key.pub" "$root/etc/ssh/keys/$user"
        # A pasted command has no variables of cron. It finds the endpoint here.
        point_at_aws "/home/$user" "$user"
    done
    chroot "$root" usermod -p "$(openssl passwd -6 "$guest_password")" guest
    # Writes messages for the system's log to a file, because no log daemon runs here.
    printf '#!/bin/sh\n{ echo "$*"; cat; } >>/var/log/logged\n' >"$root/usr/bin/logger"
    install -m 666 /dev/null "$root/var/log/logged"
    printf '%s ALL=(ALL) %s\n' pi NOPASSWD:ALL second NOPASSWD:ALL guest ALL \
        >"$root/etc/sudoers.d/test"
    {
        printf '[127.0.0.1]:%s ' "$port"
        cut -d' ' -f1-2 "$root/etc/ssh/ssh_host_ed25519_key.pub"
    } >"$scratch/known_hosts"
    login=(-p "$port" -i "$scratch/key" -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes
        -o "UserKnownHostsFile=$scratch/known_hosts")
    # The keys are outside the homes, because tests mount file systems over the homes.
    chroot "$root" /usr/sbin/sshd -D -p "$port" -o ListenAddress=127.0.0.1 -o UsePAM=no \
        -o AuthorizedKeysFile=/etc/ssh/keys/%u -o PidFile=none 2>"$scratch/sshd.log" &
    poll 30 "the Pi's sshd" sshd_answers
}

# point_at_aws HOME USER: gives a user of the Pi a profile that leads to the emulated AWS.
point_at_aws() {
    mkdir -p "$root$1/.aws"
    printf '[default]\nendpoint_url = %s\n' "$endpoint" >"$root$1/.aws/config"
    chroot "$root" chown -R "$2:" "$1/.aws"
}

sshd_answers() { (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

start_cron() {
    chroot "$root" /usr/sbin/cron -f 2>"$scratch/cron.log" &
    poll 30 "the Pi's cron" has_line "$root/run/crond.pid"
}

# on_pi USER COMMAND: runs it on the Pi, without ssh.
on_pi() { chroot "$root" su -s /bin/sh "$1" -c "cd; $2"; }

# run_pasted USER COMMAND: runs it on the Pi in a login shell, like a person who pastes it.
run_pasted() { run env -i PATH="$PATH" TERM=dumb chroot "$root" su - "$1" -c "$2"; }

# expect_alert_command WHAT USER COMMAND: runs the command of an alert while the reflector still
# fails. It must fail only at the reflector, so it finds and can read the configuration and the
# credentials.
expect_alert_command() {
    run_pasted "$2" "$3"
    expect_match "$1, pasted: $3" "1 .*autodns: home\.example\.com A: [^"$'\n'"]*127\.0\.0\.1.*" \
        "$status $out$err"
    expect "$1 reaches the emulated AWS" '' "$(grep -F amazonaws.com <<<"$out$err" || :)"
}

# expect_check WHAT USER COMMAND: runs the `autodns check` that a deployment or a page names. It
# must succeed.
expect_check() {
    run_pasted "$2" "$3"
    expect_match "$1, pasted: $3" "0 .*ok +credentials .*" "$status $out$err"
}

# Prints the user's crontab like `crontab -l`, without the lines that crontab adds at the top.
crontab_of() { sed '1,3{/^# /d}' "$root/var/spool/cron/crontabs/$1" 2>/dev/null || :; }

# Everything that a deployment could change: kind, mode, owner, contents. Files that cron writes are
# excluded.
snapshot() {
    local user
    (
        cd "$root" || exit
        shopt -s nullglob
        places=(home usr/local etc/cron.d etc/autodns*)
        find "${places[@]}" var/spool/cron ! -path 'home/*/ticks' -printf '%y %m %U:%G %p %l\n'
        find "${places[@]}" -type f ! -path 'home/*/ticks' -exec cksum {} +
    ) | LC_ALL=C sort
    for user in pi second; do
        crontab_of "$user"
    done
}

# --- deploying to it ----------------------------------------------------------------------------

# deploy_as USER OPTION…: sets out, err and status, and moves the deployment's notes from out to
# notes. There is a note about the other line in the crontab that names autodns.
deploy_as() {
    local user=$1
    shift
    run plain "$repo/scripts/deploy-pi.sh" "${login[@]}" "$@" "$user@127.0.0.1"
    notes=$(sed -n '/: note: /p' <<<"$out")
    out=$(sed '/: note: /d' <<<"$out")
}

deploy() { deploy_as pi --binary "$binary" "$@"; }

# plain COMMAND…: runs it without a terminal and without this machine's environment, except ODD, for
# the option that reads a variable from the environment.
plain() {
    env -i HOME="$scratch/home" PATH="$PATH" TMPDIR="$scratch" TERM=dumb \
        AUTODNS_CACHE="$cache" CARGO_TARGET_DIR="$CARGO_TARGET_DIR" \
        RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" \
        CARGO_NET_OFFLINE=true ${ODD+"ODD=$ODD"} setsid --wait "$@"
}

# expect_failure WHAT PATTERN COMMAND…: expects one line that matches, status 1, and an unchanged
# Pi.
expect_failure() {
    local what=$1 pattern=$2 before
    shift 2
    before=$(snapshot)
    run "$@"
    expect_match "$what: one line" "deploy-pi\.sh: ((pi|guest)@127\.0\.0\.1: )?$pattern" "$err"
    expect "$what: the exit status" 1 "$status"
    expect "$what: the Pi is unchanged" "$before" "$(snapshot)"
}

# Computes this Pi's number, minutes and second independently of deploy-pi.sh.
own_number() { printf '%s\nraspberrypi\n' "$(cat "$root/etc/machine-id")" | cksum | cut -d' ' -f1; }

minutes() { echo "$(($(own_number) % $1))-59/$1"; }

second() { echo "$(($(own_number) / 60 % 60))"; }

# modes PATH…: mode and owner of files in the Pi.
modes() { (cd "$root" && stat -c '%a %u %n' "$@"); }

# placed MINUTES USER CHECK FILE…: prints the expected output of a successful deployment on a Pi
# without a mail program. CHECK is the command at its end.
placed() {
    local when="the minutes $1" user=$2 check=$3
    if [[ $1 == '*' ]]; then
        when='each minute'
    fi
    shift 3
    echo "$user@127.0.0.1: autodns is in place; cron runs it as $user at second $(second) of $when:"
    printf '  %s\n' "$@"
    echo "$user@127.0.0.1: cron mails nothing there, so messages go to the system log; to read\
 them, run on the Pi:"
    echo "  sudo grep autodns /var/log/syslog"
    echo "$user@127.0.0.1: to check everything that a run needs, run on the Pi:"
    echo "  $check"
}

# Prints the last deployment's output after its dry run.
after_dry_run() { sed -n '/: autodns is in place/,$p' <<<"$out"; }

# ticks_reach NUMBER: whether cron has run the user's other line this often, and our line has ended.
ticks_reach() {
    [[ $(wc -l 2>/dev/null <"$root$pi_home/ticks") -ge $1 ]] &&
        ! pgrep -f "$pi_home/.local/bin/autodns" >/dev/null
}
