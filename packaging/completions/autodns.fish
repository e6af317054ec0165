# Completion of autodns for fish: options, commands where a command is allowed, and files.

# Prints the first word that is neither an option nor the value of --deadline.
function __autodns_first
    set -l words (commandline -opc)
    set -l before
    for word in $words[2..-1]
        switch $word
            case --
                return
            case '-*'
            case '*'
                if test "$before" != --deadline
                    echo $word
                    return
                end
        end
        set before $word
    end
end

function __autodns_command
    set -l first (__autodns_first)
    set -q first[1]; and contains -- $first check policy help version; and echo $first
end

function __autodns_command_is
    contains -- (__autodns_command) $argv
end

function __autodns_is_first
    not contains -- -- (commandline -opc); and test -z "$(__autodns_first)"
end

complete -c autodns -f
complete -c autodns -k -n 'not __autodns_command_is help version' \
    -a '(__fish_complete_suffix .json)'
complete -c autodns -n '__autodns_is_first; or __autodns_command_is help' -a check \
    -d 'Test everything that a run needs, change nothing'
complete -c autodns -n '__autodns_is_first; or __autodns_command_is help' -a policy \
    -d 'Print the smallest IAM policy'
complete -c autodns -n __autodns_is_first -a help -d 'Print the options of a command'
complete -c autodns -n __autodns_is_first -a version -d 'Print the version'

complete -c autodns -n 'not __autodns_command >/dev/null' -s n -l dry-run \
    -d 'Print what a run would do, change nothing'
complete -c autodns -n 'not __autodns_command_is policy help version' -s v -l verbose \
    -d 'Print each step on standard error'
complete -c autodns -n 'not __autodns_command_is policy help version' -l deadline -x \
    -d 'Time for each file in seconds (default 90)'
complete -c autodns -n '__autodns_command_is check' -l alert \
    -d 'Publish a test message to the topic'
complete -c autodns -n '__autodns_command_is check' -l write \
    -d 'Write each record exactly as it is'
complete -c autodns -n '__autodns_command_is check' -l json \
    -d 'Print one JSON object'
complete -c autodns -s h -l help -d 'Print the help'
complete -c autodns -s V -l version -d 'Print the version'
