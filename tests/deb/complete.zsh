# Prints how a real interactive zsh completes a line, one match per line. The zsh runs on a separate
# terminal. Must not know which matches are right.
#
# usage: zsh -f complete.zsh FOLDER_OF_COMPLETIONS LINE SCRATCH_FILE

zmodload zsh/zpty
local matches=$3
: >$matches

# Every completion function calls compadd at its end. This compadd first records the matches. With
# -O, -A or -D, compadd only computes matches for a later call, so they are not recorded.
zpty shell "MATCHES=${(q)matches} zsh -f -i"
zpty -w shell "fpath=(${(q)1} \$fpath)"
zpty -w shell '
autoload -Uz compinit && compinit -u -D
compadd() {
    if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)(| )* ]]; then
        local -a __hits
        builtin compadd -A __hits "$@"
        print -rl -- $__hits >>$MATCHES
    fi
    builtin compadd "$@"
}
complete-and-tell() { zle list-choices; print -r -- "end of the list" >>$MATCHES }
zle -N complete-and-tell
bindkey "^I" complete-and-tell
print -r -- "ready for it" >>$MATCHES'
wait_for() {
    repeat 200; do
        if grep -qx $1 $matches; then return; fi
        zpty -r -t shell >/dev/null
        sleep 0.1
    done
    print -u 2 "complete.zsh: timed out waiting for: $1"
    exit 1
}
wait_for 'ready for it'
zpty -n -w shell $2$'\t'
wait_for 'end of the list'
zpty -d shell
sed '/^ready for it$/d; /^end of the list$/d; /^$/d' $matches | LC_ALL=C sort -u
