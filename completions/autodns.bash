# Completion of autodns for bash: the options, the commands where a command may stand, and files.
# It must work without the package bash-completion, too.
# shellcheck shell=bash

_autodns() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' words name
    COMPREPLY=()
    if ((COMP_CWORD > 1)); then
        case ${COMP_WORDS[1]} in
            check | policy) command=${COMP_WORDS[1]} ;;
        esac
    fi
    case $command:$before in
        :--deadline) return ;;
    esac
    if [[ $word == -* ]]; then
        case $command in
            check) words='--alert --json --help --version' ;;
            policy) words='--help --version' ;;
            *) words='--dry-run --verbose --deadline --help --version -n -v -h -V' ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        return
    fi
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'check policy' -- "$word")
    fi
    # A configuration: names that end in .json, and folders on the way to one.
    compopt -o filenames 2>/dev/null
    while IFS= read -r name; do
        if [[ -d $name || $name == *.json ]]; then
            COMPREPLY+=("$name")
        fi
    done < <(compgen -f -- "$word")
}

complete -F _autodns autodns
