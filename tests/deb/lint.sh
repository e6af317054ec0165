#!/usr/bin/env bash
# Checks the Debian packages without installing them: lintian, the man pages, and the completions in
# their real shells. Must not install anything. Fails if a tool is missing.
#
# usage: tests/deb/lint.sh FOLDER      (with the three packages that scripts/package-deb.sh made)
# shellcheck disable=SC2034,SC2154  # variables shared with tests/pi/lib.sh
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(cd "${1:?name the folder with the packages}" && pwd)
part=deb
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# shellcheck source=tests/pi/lib.sh
source "$here/../pi/lib.sh"
for tool in dpkg-deb lintian mandoc man zsh fish; do
    command -v "$tool" >/dev/null ||
        give_up "$tool is missing: apt-get install lintian mandoc man-db groff zsh fish"
done

# Uses Debian's rules, also on a machine with another system. Warnings fail too: the package's
# overrides name each exception and its reason.
test_lintian() {
    local package
    for package in "$folder"/autodns_*_{armhf,arm64,amd64}.deb; do
        run lintian --allow-root --profile debian --fail-on error,warning "$package"
        expect "lintian on ${package##*/}" "0 " "$status $out$err"
    done
}

# Ignores STYLE messages about other packages' pages that are not on this machine.
test_manuals() {
    local page
    mkdir "$scratch/man"
    for page in autodns.1 autodns.json.5; do
        gzip -dc "$tree/usr/share/man/man${page##*.}/$page.gz" >"$scratch/man/$page"
        run mandoc -T lint -W style "$scratch/man/$page"
        expect "mandoc on $page" "" \
            "$(grep -v -e ': STYLE: referenced manual not found' -e 'outdated mandoc.db' \
                <<<"$out$err" || :)"
        run env LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 \
            man --warnings -E UTF-8 -l -Tutf8 -Z "$scratch/man/$page"
        expect "man on $page" "0 " "$status $err"
    done
}

# --- completions --------------------------------------------------------------------------------
# Each function prints the sorted words that its shell offers for a line, one per line.

offered_by_bash() {
    # shellcheck disable=SC2016  # it is that bash's to expand
    bash --norc -uc '
        source "$1"
        shift
        [[ $(complete -p autodns) == "complete -F _autodns autodns" ]] || exit
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _autodns
        ((${#COMPREPLY[@]} == 0)) || printf "%s\n" "${COMPREPLY[@]}"' bash \
        "$tree/usr/share/bash-completion/completions/autodns" "$@" | LC_ALL=C sort -u
}

# Removes the descriptions, and the slash after a folder.
offered_by_fish() {
    HOME=$scratch/home fish --no-config -c "
        source $tree/usr/share/fish/vendor_completions.d/autodns.fish
        complete -C '$*'" | sed 's/\t.*//; s|/$||' | LC_ALL=C sort -u
}

offered_by_zsh() {
    timeout 60 zsh -f "$here/complete.zsh" "$tree/usr/share/zsh/vendor-completions" "$*" \
        "$scratch/matches"
}

# expect_completions LINE WORD…: expects that all three shells offer exactly these words at the end
# of the line.
expect_completions() {
    local line=$1 shell words
    shift
    IFS=' ' read -ra words <<<"$line"
    if [[ $line == *' ' ]]; then words+=(''); fi
    for shell in bash fish zsh; do
        run "offered_by_$shell" "${words[@]}"
        expect "$shell on '$line'" "0 $(printf '%s\n' "$@" | LC_ALL=C sort)" "$status $out$err"
    done
}

test_completions() {
    mkdir -p "$scratch/home" "$scratch/work/folder"
    cd "$scratch/work"
    touch home.json office.json
    expect_completions 'autodns ' check policy help version folder home.json office.json
    expect_completions 'autodns p' policy
    expect_completions 'autodns --' --dry-run --verbose --deadline --help --version
    expect_completions 'autodns --d' --dry-run --deadline
    expect_completions 'autodns check --' \
        --alert --write --json --verbose --deadline --help --version
    expect_completions 'autodns policy --' --help --version
    expect_completions 'autodns check ' folder home.json office.json
    expect_completions 'autodns policy o' office.json
    expect_completions 'autodns --verbose h' help home.json
    expect_completions 'autodns --verbose c' check
    expect_completions 'autodns --verbose check --a' --alert
    expect_completions 'autodns --deadline 20 p' policy
    expect_completions 'autodns help ' check policy
    expect_completions 'autodns home.json o' office.json
    expect_completions 'autodns --deadline ' ''
}

tree=$scratch/tree
dpkg-deb -x "$(echo "$folder"/autodns_*_amd64.deb)" "$tree"
test_lintian
test_manuals
test_completions
echo "lint.sh: $passed checks passed"
