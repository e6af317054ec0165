#!/bin/sh
# Stands in for a tool of macOS and the BSDs, under the tool's name. Accepts only the options that
# all of them have, then runs this machine's tool. Tests start deploy-pi.sh with only these tools on
# PATH. A tool that is not listed here does not exist. Must not change the output of a tool, except
# that wc pads its numbers as theirs does.
set -eu

name=${0##*/}
complain() {
    echo "$name: illegal option -- $1" >&2
    exit 64
}

# letters: options without a value. valued: options with a value.
letters=
valued=
case $name in
    cat | dirname | printenv) ;;
    grep) letters=EFcinqsvx valued=e ;;
    head | tail) valued=n ;;
    install) valued=m ;;
    mkdir) letters=p valued=m ;;
    mktemp) letters=d ;;
    rm) letters=fr ;;
    sed) letters=En valued=e ;;
    tr) letters=d ;;
    uname) letters=s ;;
    wc) letters=c ;;
    *) complain "there is no $name" ;;
esac

# Options end at the first operand. Only GNU tools accept options after it.
expected=option
for argument; do
    case $expected:$argument in
        value:*) expected=option ;;
        option:-- | option:- | option:[!-]* | option:) expected=operand ;;
        option:-*)
            rest=${argument#-}
            while [ -n "$rest" ]; do
                letter=${rest%"${rest#?}"}
                rest=${rest#?}
                case $letter in
                    [$valued]) [ -n "$rest" ] || expected=value; rest= ;;
                    [$letters]) ;;
                    *) complain "$letter" ;;
                esac
            done
            ;;
        operand:-?*) complain "$argument after an operand" ;;
    esac
done
if [ "$name" = wc ]; then
    "$BEHIND/wc" "$@" | sed 's/^/    /'
    exit
fi
exec "$BEHIND/$name" "$@"
