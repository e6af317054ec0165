# Completion of autodns for fish: the options, the commands where a command may stand, and files.

function __autodns_command
    set -l words (commandline -opc)
    set -q words[2]; and contains -- $words[2] check policy; and echo $words[2]
end

function __autodns_command_is
    contains -- $argv[1] (__autodns_command)
end

function __autodns_is_first
    test (count (commandline -opc)) -eq 1
end

complete -c autodns -f
complete -c autodns -k -a '(__fish_complete_suffix .json)'
complete -c autodns -n __autodns_is_first -a check \
    -d 'Look at everything that a run needs, change nothing'
complete -c autodns -n __autodns_is_first -a policy -d 'Print the smallest IAM policy that will do'

complete -c autodns -n 'not __autodns_command >/dev/null' -s n -l dry-run \
    -d 'Say what a run would do, change nothing'
complete -c autodns -n 'not __autodns_command >/dev/null' -s v -l verbose \
    -d 'Tell each step on standard error'
complete -c autodns -n 'not __autodns_command >/dev/null' -l deadline -x \
    -d 'End a configuration after so many seconds (default 90)'
complete -c autodns -n '__autodns_command_is check' -l alert \
    -d 'Send a test message to the topic as well'
complete -c autodns -n '__autodns_command_is check' -l json \
    -d 'Print what was found as JSON'
complete -c autodns -s h -l help -d 'Print the help'
complete -c autodns -s V -l version -d 'Print the version'
