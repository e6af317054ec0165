# Fetches what the Raspberry Pi test needs and keeps it in the cache folder: root file systems for
# the emulated Pis, a kernel for the virtual machine, ansible-core. Installs Debian packages.
# Sourced by test-pi.sh. Must leave no mount or registration that forget_emulators and
# forget_cgroups do not remove.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016  # variables shared with the other files

suite=bookworm
declare -A root_packages=(
    [pi]='openssh-server,cron,ca-certificates,sudo,fish,tcsh'
    [systemd]='adduser,systemd'
    [ansible]='openssh-server,cron,ca-certificates,sudo,python3,systemd'
)

# Prints the address of a Debian mirror, from this machine's apt sources.
debian_mirror() {
    if [[ -n ${AUTODNS_DEBIAN_MIRROR:-} ]]; then
        echo "$AUTODNS_DEBIAN_MIRROR"
        return
    fi
    apt-get indextargets --format '$(REPO_URI) $(LABEL) $(COMPONENT)' 'Identifier: Packages' |
        awk '$2 == "Debian" && $3 == "main" { print $1; exit }' | grep . ||
        fail "there is no Debian mirror in apt's sources here; name one in AUTODNS_DEBIAN_MIRROR"
}

# install_packages PACKAGE…: installs those that are missing.
install_packages() {
    local package missing=()
    for package; do
        if [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) != 'install ok installed' ]]
        then
            missing+=("$package")
        fi
    done
    if ((${#missing[@]} == 0)); then
        return
    fi
    if ((EUID != 0)); then
        fail "Debian packages are missing; run as root: apt-get install ${missing[*]}"
    fi
    say "installing ${missing[*]}"
    {
        apt-get update &&
            DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
                "${missing[@]}"
    } >"$scratch/apt.log" 2>&1 || {
        tail -n 20 "$scratch/apt.log" >&2
        fail "apt could not install ${missing[*]}"
    }
}

# Installs a compiler with the source of the standard library, which build-pi.sh needs, if there is
# none.
install_compiler_with_source() {
    if [[ ! -f $(rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/Cargo.lock ]]; then
        install_packages rustc-web cargo-web rust-web-src
    fi
}

# Prints the folder of ansible-core. It is named after the versions in it, so that other versions
# get a new folder.
ansible_folder() {
    local key
    key=$(cat "$repo/tests/pi/requirements.txt" <(python3 --version) | cksum)
    echo "$cache/ansible-${key%% *}"
}

# Installs ansible-core in a separate environment. The file "complete" is written last, so an
# environment with it is complete.
make_ansible() {
    local ansible
    ansible=$(ansible_folder)
    (
        exec 9>"$ansible.lock"
        flock 9
        if [[ -f $ansible/complete ]]; then
            exit
        fi
        say "installing ansible-core"
        rm -rf "$ansible"
        {
            python3 -m venv "$ansible" &&
                "$ansible/bin/pip" install --quiet --no-input --disable-pip-version-check \
                    --require-hashes --requirement "$repo/tests/pi/requirements.txt" &&
                : >"$ansible/complete"
        } >"$scratch/ansible.log" 2>&1 || {
            cat "$scratch/ansible.log" >&2
            exit 1
        }
    ) || fail "ansible-core cannot be installed"
}

# --- programs for other processors --------------------------------------------------------------
# These registrations make the kernel run such programs with qemu. The flags O and C let programs
# like crontab and sudo keep their rights; the registrations of Debian's package do not have them. F
# opens qemu at once, so that it is also found inside another root.

emulators=(
    'arm:\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00'
    'aarch64:\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
)
# Ignores the byte for the operating system, and matches both programs and libraries.
emulator_mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'

# Keeps binfmt_misc mounted in a separate namespace until forget_emulators or the end of this shell:
# current kernels remove the registrations with the last mount.
hold_binfmt() {
    local deadline=$((SECONDS + 10))
    mkdir -p "$scratch/binfmt"
    mkfifo "$scratch/binfmt.hold"
    unshare --mount --propagation private bash -euc '
        mount -t binfmt_misc binfmt_misc "$1"
        : >"$1.mounted"
        exec cat' bash "$scratch/binfmt" \
        <"$scratch/binfmt.hold" >/dev/null 2>"$scratch/binfmt.err" &
    binfmt_holder=$!
    exec {binfmt_hold}>"$scratch/binfmt.hold"
    until [[ -e $scratch/binfmt.mounted ]]; do
        if ((SECONDS >= deadline)) || ! kill -0 "$binfmt_holder" 2>/dev/null; then
            cat "$scratch/binfmt.err" >&2
            fail "cannot mount binfmt_misc, which the emulated Pis need"
        fi
        sleep 0.1
    done
}

# with_binfmt COMMAND…: runs it in the folder of binfmt_misc.
with_binfmt() {
    nsenter --target "$binfmt_holder" --mount bash -euc 'cd "$1"; shift; "$@"' bash \
        "$scratch/binfmt" "$@"
}

# Also removes the registrations of killed runs, whose process id no longer exists.
register_emulators() {
    local entry name
    hold_binfmt
    with_binfmt bash -euc '
        for entry in autodns-test-*-*; do
            number=${entry#autodns-test-}
            if [[ -f $entry && ! -d /proc/${number%%-*} ]]; then
                echo -1 >"$entry"
            fi
        done' || fail "cannot clean up binfmt_misc"
    for entry in "${emulators[@]}"; do
        name=${entry%%:*}
        with_binfmt bash -euc 'printf %s "$1" >register' bash \
            ":autodns-test-$$-$name:M::${entry#*:}:$emulator_mask:/usr/bin/qemu-$name-static:OCF" ||
            fail "the kernel does not accept qemu-$name-static for $name programs"
    done
}

forget_emulators() {
    with_binfmt bash -euc '
        for entry in "autodns-test-$1-"*; do
            if [[ -f $entry ]]; then
                echo -1 >"$entry"
            fi
        done' bash "$$" 2>/dev/null || :
    exec {binfmt_hold}>&-
    kill "$binfmt_holder" 2>/dev/null || :
}

# --- cgroups ------------------------------------------------------------------------------------
# systemd needs its own cgroup. Cgroups outlive the namespaces.

# in_cgroups COMMAND…: runs it in the root folder of the cgroups, mounted for this command only.
in_cgroups() {
    mkdir -p "$scratch/cgroups"
    unshare --mount --propagation private bash -euc '
        mount -t cgroup2 cgroup2 "$1"
        cd "$1"
        shift
        exec "$@"' bash "$scratch/cgroups" "$@"
}

# Removes the cgroup of this run when its processes have ended, and those of killed runs, whose
# process id no longer exists.
forget_cgroups() {
    in_cgroups bash -uc '
        for group in autodns-test-*; do
            number=${group##*-}
            if [[ ! -d $group || ( $number != "$1" && -d /proc/$number ) ]]; then
                continue
            fi
            for attempt in {1..50}; do
                find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
                [[ -d $group ]] || break
                sleep 0.1
            done
        done' bash "$$" || :
}

# --- root file systems, and the kernel ----------------------------------------------------------

# root_archive ARCHITECTURE [KIND]: prints its file. It is named after its packages, so that another
# list of packages gets a new archive.
root_archive() {
    local kind=${2:-pi} key
    key=$(cksum <<<"${root_packages[$kind]}")
    echo "$cache/$kind-root-$suite-$1-${key%% *}.tar.gz"
}

# make_root ARCHITECTURE [KIND]: packs a small Debian, which Raspberry Pi OS is based on, without
# documents and caches. KIND is pi (with sshd, cron and several login shells), systemd, or ansible
# (with what Ansible needs on a host).
make_root() {
    local architecture=$1 kind=${2:-pi} archive root mirror
    archive=$(root_archive "$architecture" "$kind")
    if [[ -f $archive ]]; then
        return
    fi
    mirror=$(debian_mirror) || exit 1
    root=$scratch/debootstrap-$kind-$architecture
    # In separate namespaces, which remove its mounts and processes when it is ended.
    unshare --mount --pid --fork --kill-child=KILL --mount-proc debootstrap \
        --arch="$architecture" --variant=minbase --include="${root_packages[$kind]}" \
        "$suite" "$root" "$mirror" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        fail "debootstrap could not make a root for $architecture"
    }
    tar -C "$root" -c --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' \
        --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
        --exclude='./usr/share/locale/*' --exclude='./proc/*' --exclude='./dev/*' . |
        gzip -1 >"$archive.new"
    mv "$archive.new" "$archive"
    rm -rf "$root"
}

# Unpacks Debian's kernel for ARMv7 and the modules for a network card from its package. apt runs
# without the settings of this machine.
make_kernel() {
    local kernel=$cache/pi-kernel
    if [[ -f $kernel/complete ]]; then
        return
    fi
    rm -rf "$kernel"
    mkdir -p "$kernel"
    fetch_kernel "$kernel" "$scratch/apt" >"$scratch/kernel.log" 2>&1 || {
        tail -n 20 "$scratch/kernel.log" >&2
        fail "Debian's ARMv7 kernel could not be fetched"
    }
    rm -rf "$scratch/apt"
    : >"$kernel/complete"
}

fetch_kernel() {
    local kernel=$1 apt=$2 mirror package module options
    options=(
        -q -o APT::Architecture=armhf -o APT::Architectures::=armhf -o APT::Sandbox::User=
        -o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache"
        -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
    )
    mirror=$(debian_mirror) || return 1
    mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,image}
    : >"$apt/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
        >"$apt/sources.list"
    apt-get "${options[@]}" update || return 1
    package=$(apt-cache "${options[@]}" depends linux-image-armmp |
        sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p')
    (cd "$apt" && apt-get "${options[@]}" download "$package") || return 1
    dpkg -x "$apt"/linux-image-*.deb "$apt/image" || return 1
    cp "$apt"/image/boot/vmlinuz-* "$kernel/vmlinuz" || return 1
    for module in "${guest_modules[@]}"; do
        find "$apt/image/lib/modules" -name "$module.ko" -exec cp {} "$kernel/" \;
        [[ -f $kernel/$module.ko ]] || return 1
    done
}
