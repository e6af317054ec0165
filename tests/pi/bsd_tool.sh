#!/bin/sh
# Stands in for a tool of macOS and the BSDs, under the tool's own name: takes the options that they
# all take and no others, and leaves the work to the tool of this machine. For tests that start
# deploy-pi.sh with a PATH of nothing else. A tool that is not listed here is not there. It must not
# change what a tool prints, with one exception: their wc pads its numbers.
set -eu

name=${0##*/}
complain() {
    echo "$name: illegal option -- $1" >&2
    exit 64
}

# The options that are letters alone, and those that a value follows.
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

# Options end at the first operand: only GNU looks for them behind it.
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
