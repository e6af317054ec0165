# Checks, before anything is built, that this machine has what a script needs. Prints everything
# that is missing in one line, with the command that installs it. Sourced by try.sh, test.sh and
# soak.sh. Must run on the bash 3.2 of macOS, so that it can say there what is missing. Never calls
# sudo. Installs packages only as root, and only if the script asks for that.
# shellcheck shell=bash disable=SC2154  # root: the repository's folder, set by the caller

# The minimum version of Rust is in Cargo.toml.
min_python=3.11

missing='' packages='' commands=''

# add_missing ITEM: adds it to the list of what is missing.
add_missing() {
    missing="$missing${missing:+, }$1"
}

advise_package() {
    case " $packages " in
        *" $1 "*) ;;
        *) packages="$packages${packages:+ }$1" ;;
    esac
}

advise_command() {
    case "$commands" in
        *"$1"*) ;;
        *) commands="$commands${commands:+ && }$1" ;;
    esac
}

# version_is VERSION LEAST: whether VERSION is LEAST or later. Both are numbers with dots.
version_is() {
    awk -v version="$1" -v least="$2" 'BEGIN {
        split(version, a, "."); split(least, b, ".")
        for (i = 1; i <= 3; i++) if (a[i] + 0 != b[i] + 0) exit !(a[i] + 0 > b[i] + 0)
    }'
}

# --- arguments ------------------------------------------------------------------------------------

# With --preflight, the script ends after this check.
only_preflight=no

# read_arguments NAME ARGUMENT…: reads the arguments of the script NAME if it has only these two
# options. Calls the script's usage.
read_arguments() {
    local name=$1
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            --preflight) only_preflight=yes ;;
            -h | --help)
                usage
                exit
                ;;
            *)
                printf '%s: there is no option %s; see scripts/%s --help\n' "$name" "$1" "$name" >&2
                exit 2
                ;;
        esac
        shift
    done
}

# --- what a script may need -----------------------------------------------------------------------

needs_linux() {
    case $(uname -s) in
        Linux) ;;
        Darwin)
            add_missing 'Linux (this is macOS: run it in a Linux virtual machine or container)'
            ;;
        *) add_missing "Linux (this is $(uname -s))" ;;
    esac
}

# needs_program NAME PACKAGE: PACKAGE is Debian's name. /usr/sbin is not on every user's PATH.
needs_program() {
    if [ -z "$(PATH=$PATH:/usr/sbin:/sbin command -v "$1")" ]; then
        add_missing "$1"
        advise_package "$2"
    fi
}

# Rust, the C compiler that a crate calls, and the linker that rustc calls.
needs_rust() {
    local least found
    least=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml")
    found=$(cd "$root" && cargo --version 2>/dev/null) || found=
    found=${found#cargo }
    found=${found%% *}
    if [ -z "$found" ]; then
        add_missing "Rust $least or later"
    elif ! version_is "$found" "$least"; then
        add_missing "Rust $least or later (this is $found)"
    fi
    if [ -z "$found" ] || ! version_is "$found" "$least"; then
        if [ -n "$(command -v rustup)" ]; then
            advise_command 'rustup update stable && rustup default stable'
        else
            advise_command "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
        fi
    fi
    needs_program cc gcc
}

# needs_rust_component COMPONENT PROGRAM: from rustup, or from a package if Rust is from packages.
needs_rust_component() {
    if [ -n "$(command -v cargo)" ] && ! (cd "$root" && "$2" --version) >/dev/null 2>&1; then
        add_missing "Rust's $1"
        if [ -n "$(command -v rustup)" ]; then
            advise_command "rustup component add $1"
        else
            advise_package "${1/clippy/rust-clippy}"
        fi
    fi
}

# Sets PYTHON to one that is new enough: $PYTHON if the caller set it, else python3, else another
# one on PATH.
needs_python() {
    local candidate version
    for candidate in "${PYTHON:-python3}" ${PYTHON:-python3.14 python3.13 python3.12 python3.11}; do
        version=$(python_version "$candidate") || version=
        if [ -n "$version" ] && version_is "$version" "$min_python"; then
            export PYTHON=$candidate
            if ! "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
                add_missing "Python's venv"
                case $candidate in
                    python3 | */python3) advise_package python3-venv ;;
                    *) advise_package "python$version-venv" ;;
                esac
            fi
            return
        fi
    done
    version=$(python_version "${PYTHON:-python3}") || version=
    if [ -n "$version" ]; then
        add_missing "Python $min_python or later (${PYTHON:-python3} is $version)"
    elif [ -n "${PYTHON:-}" ]; then
        add_missing "Python $min_python or later ($PYTHON does not run)"
    else
        add_missing "Python $min_python or later"
    fi
    if [ -z "${PYTHON:-}" ] && has_package "python$min_python"; then
        advise_package "python$min_python python$min_python-venv"
    elif [ -z "$version" ] && [ -n "$(command -v apt-get)" ] && [ -z "${PYTHON:-}" ] &&
        version_is "$(package_version python3)" "$min_python"; then
        advise_package 'python3 python3-venv'
    else
        advise_command "PYTHON=/path/to/python3.12 ${0}"
    fi
}

python_version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# Whether apt knows the package. It knows none before `apt-get update`.
has_package() { [ -n "$(package_version "$1")" ]; }

package_version() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null |
        sed -n 's/^ *Candidate: \([0-9][0-9.]*\).*/\1/p'
}

# cargo and the emulator are built in these folders. After a run as root, root owns them.
needs_folders() {
    local cache=${AUTODNS_CACHE:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/autodns}
    local target=${CARGO_TARGET_DIR:-$root/target}
    if ! can_write "$cache"; then
        add_missing "a cache folder that $(id -un 2>/dev/null || id -u) can write ($cache)"
        advise_command "export AUTODNS_CACHE=/tmp/autodns-$(id -u)"
    fi
    if ! can_write "$target"; then
        add_missing "a build folder that $(id -un 2>/dev/null || id -u) can write ($target)"
        advise_command "export CARGO_TARGET_DIR=/tmp/autodns-target-$(id -u)"
    fi
}

# can_write FOLDER: whether this user can write to it, or make it in the nearest existing parent.
can_write() {
    local folder=$1
    until [ -e "$folder" ] || [ "$folder" = / ] || [ "$folder" = . ]; do
        folder=$(dirname "$folder")
    done
    [ -d "$folder" ] && [ -w "$folder" ]
}

# Each run in the tests gets a separate /etc.
needs_namespaces() {
    local setting
    if unshare -rmu true 2>/dev/null ||
        { [ "$(id -u)" = 0 ] && unshare -mu true 2>/dev/null; }; then
        return
    fi
    if [ -z "$(command -v unshare)" ]; then
        needs_program unshare util-linux
        return
    fi
    add_missing 'user namespaces for everybody'
    for setting in kernel.apparmor_restrict_unprivileged_userns=0 \
        kernel.unprivileged_userns_clone=1; do
        if [ -e "/proc/sys/$(printf '%s' "${setting%=*}" | tr . /)" ]; then
            advise_command "$(as_root "sysctl -w $setting")"
        fi
    done
}

# needs_download PACKAGE PROGRAM: the program, or Debian's package of it. The package is not
# installed but unpacked into the cache, which any user can do after `apt-get update`.
needs_download() {
    local system
    # shellcheck source=/dev/null
    system=$(. /etc/os-release 2>/dev/null && printf '%s-%s' "${ID:-}" "${VERSION_ID:-}")
    if [ -n "$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$2")" ] ||
        [ -d "${AUTODNS_CACHE:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/autodns}/$1-$system" ] ||
        apt-get download --print-uris "$1" >/dev/null 2>&1; then
        return
    fi
    add_missing "$2"
    if [ -n "$(command -v apt-get)" ]; then
        advise_command "$(as_root 'apt-get update')"
    else
        advise_package "$1"
    fi
}

# --- the result -----------------------------------------------------------------------------------

# Prints a command for root as this user can type it: with sudo only if sudo is installed.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        printf '%s' "$1"
    elif [ -n "$(command -v sudo)" ]; then
        printf 'sudo %s' "$1"
    else
        printf "su -c '%s'" "$1"
    fi
}

# finish_preflight NAME [install]: ends the script NAME if something is missing, after one line with
# the command that installs it. With "install", installs missing packages if it runs as root. If
# nothing is missing, returns, or ends the script after --preflight.
finish_preflight() {
    local advice
    if [ -z "$missing" ]; then
        end_preflight "$1"
        return
    fi
    if [ "${2:-}" = install ] && [ "$(id -u)" = 0 ] && [ -z "$commands" ] && [ -n "$packages" ] &&
        [ -n "$(command -v apt-get)" ]; then
        printf '%s: installing %s\n' "$1" "$packages" >&2
        # shellcheck disable=SC2086  # a list of words
        if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
            --no-install-recommends $packages >/dev/null; then
            missing='' packages=''
            end_preflight "$1"
            return
        fi
        printf '%s: apt-get could not install %s; its error is above\n' "$1" "$packages" >&2
        exit 1
    fi
    if [ -n "$packages" ] && [ -n "$(command -v apt-get)" ]; then
        # First, because rustup or a newer Python may need one of these packages.
        advice=$(as_root "apt-get install $packages")
        commands="$advice${commands:+ && }$commands"
    elif [ -n "$packages" ] && [ "$(uname -s)" = Linux ]; then
        commands="(your package manager's names for: $packages)${commands:+ && }$commands"
    fi
    printf '%s: missing: %s%s%s\n' "$1" "$missing" "${commands:+; install: }" "$commands" >&2
    exit 1
}

end_preflight() {
    if [ "$only_preflight" = yes ]; then
        printf '%s: nothing is missing\n' "$1"
        exit
    fi
}
