# Part "ansible": a real ansible-core runs the role of packaging/ansible. First with cron on an
# emulated Pi with a 64-bit system, then with a timer on a machine under systemd. Sourced by run.sh;
# prepare.sh makes the roots for both, with Python, and installs ansible-core.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016  # shared variables; scripts for other shells

# With this name the runs start at second 3, so that tests that wait for cron wait only briefly.
fleet_host=kitchen

test_ansible() {
    local reflect ansible control release changed
    ansible=$(ansible_folder)
    test_text_of_role
    start_aws
    make_resources
    start_reflector reflector 192.175.48.7
    reflect=$answer
    make_control_machine
    make_release "$version"
    test_role_on_pi
    test_role_under_systemd
}

# --- the control machine ------------------------------------------------------------------------

# The files that a person makes from the examples: the playbook, an inventory, a key in a vault.
make_control_machine() {
    control=$scratch/control
    release=$control/dist
    mkdir -p "$control"/host_vars/$fleet_host "$release" "$scratch/home"
    cp "$repo/packaging/ansible/playbook.yml" "$control/"
    cp -r "$repo/packaging/ansible/roles" "$control/"
    echo 'not a word of it' >"$control/vault_password"
    cat >"$control/ansible.cfg" <<TEXT
[defaults]
vault_password_file = $control/vault_password
display_skipped_hosts = false
[ssh_connection]
pipelining = true
control_path_dir = $scratch/cp
TEXT
    cat >"$control/plain.yml" <<TEXT
autodns_access_key_id: $key
autodns_secret_access_key: $secret
TEXT
    as_admin ansible-vault encrypt --output "host_vars/$fleet_host/vault.yml" plain.yml
    expect "the vault is made" 0 "$status"
    rm "$control/plain.yml"
}

# as_admin COMMAND…: runs it on the control machine, without this machine's environment.
as_admin() {
    run bash -c 'cd "$1" && shift && exec "$@"' bash "$control" \
        env -i HOME="$scratch/home" PATH="$ansible/bin:/usr/bin:/bin" LC_ALL=C.UTF-8 TERM=dumb \
        TMPDIR="$scratch" ANSIBLE_CONFIG="$control/ansible.cfg" "$@"
}

# make_inventory PORT KNOWN_HOSTS SCHEDULE: makes the fleet, with one machine at this port.
make_inventory() {
    cat >"$control/hosts.yml" <<TEXT
pis:
  hosts:
    $fleet_host:
      ansible_host: 127.0.0.1
      ansible_port: $1
      ansible_user: pi
      ansible_python_interpreter: /usr/bin/python3
      ansible_ssh_private_key_file: $scratch/key
      ansible_ssh_common_args: -o IdentitiesOnly=yes -o UserKnownHostsFile=$2
  vars:
    autodns_version: $version
    autodns_release: dist
    autodns_sha256sums: "{{ lookup('ansible.builtin.file', playbook_dir ~ '/dist/SHA256SUMS') }}"
    autodns_schedule: $3
    autodns_environment:
      AWS_ENDPOINT_URL: $endpoint
      ODD: "a b%c'd\"e\$HOME;f\\\\g!h"
    autodns_config:
      hosted_zone_id: $zone
      dns_name: home.example.com
      topic_arn: $topic
      alert_lock: /tmp/autodns_alert.lock
      reflect_url: $reflect
TEXT
}

# make_release VERSION [TAIL]: adds the files of a release. TAIL is appended to its programs.
make_release() {
    local target name
    for target in aarch64-unknown-linux-musl x86_64-unknown-linux-musl; do
        name=autodns-$1-$target
        mkdir -p "$scratch/$name"
        { cat "$repo/target/pi/$target/autodns" && printf %s "${2:-}"; } >"$scratch/$name/autodns"
        chmod 755 "$scratch/$name/autodns"
        tar -C "$scratch" -czf "$release/$name.tar.gz" "$name"
    done
    (cd "$release" && sha256sum -- *.tar.gz >SHA256SUMS)
}

# play OPTION…: runs the playbook and checks that it shows no secret. Sets changed to the tasks that
# changed something, one per line.
play() {
    as_admin ansible-playbook -i hosts.yml playbook.yml "$@"
    changed=$(awk '
        /^TASK \[/ { task = $0; sub(/^TASK \[(autodns : )?/, "", task); sub(/\].*/, "", task) }
        /^changed: / && task != last { print task; last = task }
    ' <<<"$out")
    expect "a play shows no secret: $*" '' "$(grep -F -e "$secret" -e "a b%c" <<<"$out$err" || :)"
}

# expect_play WHAT CHANGED OPTION…: expects a play that succeeds and changes exactly that.
expect_play() {
    local what=$1 expected=$2
    shift 2
    play "$@"
    if [[ $status != 0 ]]; then
        echo "$out$err" >&2
    fi
    expect "$what: the exit status" 0 "$status"
    expect "$what: the changed tasks" "$expected" "$changed"
}

# expect_play_error WHAT PATTERN OPTION…: expects a play that fails with this error and changes
# nothing on the host.
expect_play_error() {
    local what=$1 pattern=$2 before
    shift 2
    before=$(host_snapshot)
    play "$@"
    expect "$what: the exit status" 2 "$status"
    # Ansible breaks long lines.
    expect_match "$what: the error" ".*$pattern.*" "$(tr -s ' \n' ' ' <<<"$out$err")"
    expect "$what: the host is unchanged" "$before" "$(host_snapshot)"
}

# Everything that a role could change: kind, mode, owner, contents.
host_snapshot() {
    (
        cd "$root" || exit
        shopt -s nullglob
        places=(etc/autodns* etc/cron.d etc/systemd/system usr/local var/lib/autodns* \
            etc/passwd etc/group)
        find "${places[@]}" -printf '%y %m %U:%G %p %l\n'
        find "${places[@]}" -type f -exec cksum {} +
    ) | LC_ALL=C sort
}

# --- the parts ----------------------------------------------------------------------------------

# The role's unit equals that of the Debian package, except for paths and user. The role's README.md
# lists all its variables.
test_text_of_role() {
    local settings='^(ExecStart|EnvironmentFile|User|Group|ConditionPathExists|Documentation)='
    settings+='|^[#{]|^$'
    expect "the unit of the role" \
        "$(grep -vE "$settings" "$repo/packaging/systemd/autodns.service")" \
        "$(grep -vE "$settings" \
            "$repo/packaging/ansible/roles/autodns/templates/autodns.service.j2")"
    expect "the variables in the role's README.md" \
        "$(sed -n 's/^\(autodns_[a-z0-9_]*\):.*/\1/p' \
            "$repo/packaging/ansible/roles/autodns/defaults/main.yml" | sort)" \
        "$(grep -o '^| `autodns_[^|]*' "$repo/packaging/ansible/README.md" |
            grep -o 'autodns_[a-z0-9_]*' | sort)"
}

# own_moment: prints "MINUTE SECOND" of the host with a run every five minutes.
own_moment() {
    echo "$(($(own_number_of_host) % 5)) $(($(own_number_of_host) / 60 % 60))"
}

own_number_of_host() { echo $((16#$(printf %s "$fleet_host" | sha256sum | cut -c 1-8))); }

# check_of_readme PATTERN: prints the only indented line of the role's README.md that matches.
check_of_readme() {
    local lines
    lines=$(sed -n 's/^    //p' "$repo/packaging/ansible/README.md" | grep -E "$1")
    [[ -n $lines && $lines != *$'\n'* ]] ||
        give_up "the role's README.md does not have exactly one line for $1"
    echo "$lines"
}

everything_new='Make the user
Make the state folder
Make the folder of the configuration
Install the program
Install the credentials
Install the variables
Install the configuration'

# Emulation takes minutes, so this only tests what needs a Pi.
test_role_on_pi() {
    # Another part's Pi may still be there.
    local port=2223 before first url user
    make_pi arm64 ansible
    start_cron
    make_inventory "$port" "$scratch/known_hosts" cron
    before=$(host_snapshot)

    expect_play "check mode on a new Pi" "$everything_new
Write the file for cron" --check --diff
    expect "check mode changes nothing" "$before" "$(host_snapshot)"

    expect_play "the first run" "$everything_new
Write the file for cron" --diff -e autodns_interval=1
    user=$(chroot "$root" id -u autodns)
    expect "the modes" "755 0 usr/local/bin/autodns
755 0 etc/autodns
600 $user etc/autodns/autodns.json
600 $user etc/autodns/credentials
600 $user etc/autodns/environment
600 0 etc/cron.d/autodns" "$(modes usr/local/bin/autodns etc/autodns \
        etc/autodns/{autodns.json,credentials,environment} etc/cron.d/autodns)"
    cmp "$repo/target/pi/aarch64-unknown-linux-musl/autodns" "$root/usr/local/bin/autodns" ||
        give_up "the wrong program was installed"
    expect_check "the check command in README.md" pi "$(check_of_readme '^sudo .*environment')"
    poll 120 "cron to change the record" record_says "$zone" 192.175.48.7

    first=$(host_snapshot)
    expect_play "the second run" "" --diff -e autodns_interval=1
    expect "the second run changes nothing" "$first" "$(host_snapshot)"

    # The next release, from a web server.
    make_release 9.9.9 upgrade
    start web python3 -u -m http.server --bind 127.0.0.1 --directory "$release" 0
    url=$(sed -n 's/.*(\(http.*\)\/).*/\1/p' <<<"$answer")
    expect_play "an upgrade" "Install the program" --diff -e autodns_interval=1 \
        -e autodns_version=9.9.9 -e "autodns_release=$url"
    expect "the program of the upgrade" upgrade "$(tail -c 7 "$root/usr/local/bin/autodns")"
}

# A wrong input gives an error and replaces nothing.
test_role_refuses() {
    local sums
    expect_play_error "a misspelt key" 'dnsname' \
        -e '{"autodns_config": {"dnsname": "home.example.com"}}'
    expect_play_error "a secret as a variable" 'put the key into autodns_access_key_id' \
        -e '{"autodns_environment": {"AWS_SECRET_ACCESS_KEY": "x"}}'
    printf 'not a program\n' >"$control/program"
    expect_play_error "a program that does not run" 'Exec format error' -e autodns_version= \
        -e autodns_binary=program
    expect_play_error "a program with a wrong checksum" \
        'not have the checksum in autodns_binary_sha256' \
        -e autodns_version= -e autodns_binary=program -e "autodns_binary_sha256=$(printf '%064d' 0)"
    sums=$(sed 's/^......../00000000/' "$release/SHA256SUMS" | "$python" -c '
import json, sys
print(json.dumps({"autodns_sha256sums": sys.stdin.read()}))')
    expect_play_error "a release with a wrong checksum" \
        'not have the checksum in SHA256SUMS' -e "$sums"
    expect_play_error "a release that is not in SHA256SUMS" \
        'has no checksum for autodns-1\.1\.1-x86_64' \
        -e autodns_version=1.1.1
    : >"$root/var/lib/dpkg/info/autodns.list"
    expect_play_error "the Debian package" \
        'the Debian package autodns has its files in /etc/autodns there'
    rm "$root/var/lib/dpkg/info/autodns.list"
}

# Under a real systemd, on this machine's own processor.
test_role_under_systemd() {
    local minute second before first run
    start_sshd_under_systemd
    make_inventory 22 "$scratch/systemd_hosts" timer
    read -r minute second <<<"$(own_moment)"
    before=$(host_snapshot)

    expect_play "check mode on a new machine" "$everything_new
Write the units" --check
    expect "check mode changes nothing on it" "$before" "$(host_snapshot)"
    expect_play "the first run with a timer" "$everything_new
Write the units
Turn the timer on"
    expect "the timer is on" "enabled active" "$(state autodns.timer)"
    expect "the timer has the host's minute and second" "OnCalendar=*:$minute/5:$second" \
        "$(grep '^OnCalendar=' "$root/etc/systemd/system/autodns.timer")"
    expect_match "the next time is at that second" ".*:0*$second .*" \
        "$(show NextElapseUSecRealtime autodns.timer)"
    run inside systemd-analyze --man=no verify /etc/systemd/system/autodns.{service,timer}
    expect "systemd-analyze verify" "0 " "$status $out$err"
    first=$(host_snapshot)
    expect_play "the second run with a timer" ""
    expect_play "check mode on an installed machine" "" --check --diff
    expect "both change nothing" "$first" "$(host_snapshot)"

    tell_reflector "$reflect" '{"mode":"ok","address":"192.175.48.9"}'
    run inside systemctl start autodns.service
    expect "the service runs" "0 " "$status $err"
    expect "the service changes the record" "$(record 192.175.48.9)" \
        "$(moto_aws "$endpoint" records "$zone")"
    expect "a variable in the file is unchanged" "a b%c'd\"e\$HOME;f\\g!h" \
        "$(chroot "$root" sh -c '. /etc/autodns/environment; printf %s "$ODD"')"
    drop_in autodns.service spy <<<$'[Service]\nExecStart=\nExecStart=/usr/bin/printenv ODD'
    run inside systemctl start autodns.service
    expect "a variable passes systemd unchanged" "0 a b%c'd\"e\$HOME;f\\g!h" \
        "$status $(journal | grep -F "'d" | tail -n 1)"
    rm -r "$root/etc/systemd/system/autodns.service.d"
    inside systemctl daemon-reload

    test_role_refuses
    expect_play "another interval of the timer" "Write the units
Turn the timer on" -e autodns_interval=60
    minute=$(($(own_number_of_host) % 60))
    expect "the timer of the other interval" "OnCalendar=*:$minute:$second" \
        "$(grep '^OnCalendar=' "$root/etc/systemd/system/autodns.timer")"
    expect_play "cron in place of the timer" "Turn the timer off
Remove the units
Write the file for cron" -e autodns_schedule=cron
    read -r minute second <<<"$(own_moment)"
    expect "the timer is gone" "inactive" "$(inside systemctl is-active autodns.timer)"
    run='sleep '$second'; /bin/sh -c '\''set -a; . "$0"; exec "$@"'\'
    run+=" /etc/autodns/environment /usr/local/bin/autodns /etc/autodns/autodns.json"
    expect "the file for cron" "$minute-59/5 * * * * autodns $run 2>&1 | logger -t autodns" \
        "$(grep -v '^#' "$root/etc/cron.d/autodns")"
    point_at_aws /var/lib/autodns autodns
    expect_play "variables that are no longer given" "Remove variables that are no longer given
Remove the file for cron
Write the units
Turn the timer on" -e '{"autodns_environment": {}}'
    expect_play "the removal of all" "Turn the timer off
Remove the units
Remove the files of the role
Remove the folder of the configuration" -e autodns_state=absent
    expect "the machine after the removal" "$(grep -vE 'etc/(passwd|group)' <<<"$before")" \
        "$(host_snapshot | grep -vE 'etc/(passwd|group)')"
}

# Starts the machine and its sshd. The user pi may use sudo without a password and has the same SSH
# key as on the emulated Pi.
start_sshd_under_systemd() {
    boot_systemd ansible
    inside useradd --create-home --shell /bin/sh pi
    inside usermod -p '*' pi
    install -d -m 700 "$root/home/pi/.ssh"
    install -m 600 "$scratch/key.pub" "$root/home/pi/.ssh/authorized_keys"
    inside chown -R pi: /home/pi/.ssh
    echo 'pi ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/test"
    echo "127.0.0.1 $(cut -d' ' -f1-2 "$root/etc/ssh/ssh_host_ed25519_key.pub")" \
        >"$scratch/systemd_hosts"
    poll 30 "its sshd" is_open 22
}

is_open() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
