# Completion of autodns for bash: options, commands where a command is allowed, and files. Must also
# work without the package bash-completion.
# shellcheck shell=bash

_autodns() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' words name
    local -i at first=0
    COMPREPLY=()
    # The command is the first word that is neither an option nor the value of --deadline.
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
            --) first=$at ;;
            -* | =) continue ;;
            *)
                case ${COMP_WORDS[at - 1]} in
                    --deadline | =) continue ;;
                esac
                first=$at
                case ${COMP_WORDS[at]} in
                    check | policy | help | version) command=${COMP_WORDS[at]} ;;
                esac
                ;;
        esac
        break
    done
    case $command:$before in
        :--deadline | check:--deadline) return ;;
    esac
    if [[ $word == -* ]]; then
        case $command in
            check) words='--alert --write --json --verbose --deadline --help --version -v' ;;
            policy | help | version) words='--help --version' ;;
            *) words='--dry-run --verbose --deadline --help --version -n -v -h -V' ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        return
    fi
    if ((first == 0)); then
        mapfile -t COMPREPLY < <(compgen -W 'check policy help version' -- "$word")
    fi
    case $command in
        help)
            mapfile -t COMPREPLY < <(compgen -W 'check policy' -- "$word")
            return
            ;;
        version) return ;;
    esac
    # A configuration: names that end in .json, and folders on the way to one.
    compopt -o filenames 2>/dev/null
    while IFS= read -r name; do
        if [[ -d $name || $name == *.json ]]; then
            COMPREPLY+=("$name")
        fi
    done < <(compgen -f -- "$word")
}

complete -F _autodns autodns
