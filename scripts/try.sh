#!/usr/bin/env bash
# Tries autodns out on this machine: builds it, and has it keep a record up to date in an emulated
# AWS (moto, with signatures and policies checked) while a reflector on loopback works, breaks and
# works again. Shows what a user sees, and checks it: the first thing that is not as it should be
# ends the script with one line on stderr and exit code 1, so that this is a test as well.
#
# It must not touch anything of AWS's, nor any setting of whoever runs it: what it starts listens on
# 127.0.0.1 only, its files are in a temporary folder, and autodns gets an environment of its own.
# All of that is gone when the script ends, however it ends. It needs no root and calls no sudo.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/try.sh [--preflight]

Builds autodns and lets it keep a record up to date in an emulated AWS on this machine, step by
step. It needs no AWS account and no root, and changes nothing outside the repository's target/ and
${AUTODNS_CACHE:-~/.cache/autodns}, where the first run installs the emulator.

  --preflight  say what this machine lacks, if anything, and end
  -h, --help

It needs Linux, Rust with a C compiler, and Python 3.11 or later with venv; PYTHON=… names another
Python than python3.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# shellcheck source=scripts/lib/preflight.sh
source "$root/scripts/lib/preflight.sh"
read_arguments try.sh "$@"
needs_linux
needs_folders
needs_rust
needs_python
needs_program flock util-linux
settle try.sh

name=home.example.com
old=192.0.2.1
# autodns refuses addresses that are not public, those for documentation among them. These two are
# public by IANA's registry of special addresses, and yet no one's: their block (AS112, RFC 7534)
# only takes in DNS queries that should never have left someone's own network.
new=192.175.48.7
newer=192.175.48.8
apikey=verysecret

unset AWS_PROFILE
endpoint='' reflect_url=''
work='' attended='' servers=()

# Clean-up and failure

cleanup() {
    trap '' HUP INT TERM
    for group in $attended "${servers[@]}"; do
        kill -- "-$group" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    [ -z "$work" ] || rm -rf "$work"
}

trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
work=$(mktemp -d "${TMPDIR:-/tmp}/autodns-try.XXXXXX")
# The stdin of the servers, which end when it does: they outlive not even a script that is killed.
mkfifo "$work/hold"
exec {hold}<>"$work/hold"

# What the servers had to complain of may be the reason, so it is shown first.
die() {
    local log
    for log in "$work"/*.log; do
        [ ! -s "$log" ] || sed "s|^|$(basename "$log" .log): |" "$log" >&2
    done
    printf 'try.sh: %s\n' "$1" >&2
    exit 1
}

# What is shown

steps=0
heading() {
    steps=$((steps + 1))
    printf '\n%d. %s\n\n' "$steps" "$1"
}

say() {
    printf '    %s\n' "$1"
}

# An empty line stays empty.
indent() {
    sed 's/^./    &/'
}

# What is run

# Runs a command to its end. In the background, since a shell that waits hears of an interrupt at
# once, and one that runs a command only when that has ended; and in a process group of its own, so
# that it can be ended with all that it started.
attend() {
    local code=0
    set -m
    "$@" </dev/null {hold}>&- &
    set +m
    attended=$!
    wait "$attended" || code=$?
    attended=
    return "$code"
}

# start VARIABLE NAME COMMAND…: starts a server; the line that it announces itself with goes into
# VARIABLE.
start() {
    local variable=$1 server=$2 line
    shift 2
    mkfifo "$work/$server.announcement"
    set -m
    "$@" <"$work/hold" >"$work/$server.announcement" 2>"$work/$server.log" {hold}>&- &
    set +m
    servers+=("$!")
    IFS= read -r -t 60 line <"$work/$server.announcement" || die "the $server did not start"
    printf -v "$variable" '%s' "$line"
}

moto_aws() {
    "$python" "$root/tests/moto/moto_aws.py" "$endpoint" "$@" || die "moto_aws.py $1 failed"
}

# python_says CODE ARGUMENT…: what a few lines of Python print; an interrupt ends them in silence.
python_says() {
    "$python" -c "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)$1" "${@:2}"
}

# A member of the resources' description, found by the keys that lead to it.
member() {
    python_says '
import functools, json, sys
resources = json.load(open(sys.argv[1], encoding="utf-8"))
print(functools.reduce(lambda found, key: found[key], sys.argv[2:], resources))' \
        "$work/resources.json" "$@"
}

# control JSON: tells the reflector what to answer from now on.
control() {
    python_says '
import sys, urllib.request as request
direct = request.build_opener(request.ProxyHandler({}))
direct.open(sys.argv[1], sys.argv[2].encode(), timeout=30)' \
        "${reflect_url%%/reflect*}/control" "$1" || die "the reflector takes no orders"
}

# autodns EXIT_CODE ARGUMENT…: runs the program, shows the command and what came of it. It gets no
# variable but those given here; its keys are in the .aws folder of its home, as on a real machine.
autodns() {
    local expected=$1 code=0 shown=autodns
    local environment=(HOME="$work/home" PATH="$PATH" AWS_ENDPOINT_URL="$endpoint")
    shift
    if [ -n "${AWS_PROFILE:-}" ]; then
        environment+=(AWS_PROFILE="$AWS_PROFILE")
        shown="AWS_PROFILE=$AWS_PROFILE autodns"
    fi
    say "\$ $shown $*"
    : >"$work/requests"
    attend timeout 120 env --ignore-environment --chdir="$work" "${environment[@]}" \
        "$program" "$@" >"$work/stdout" 2>"$work/stderr" || code=$?
    cat "$work/stdout" "$work/stderr" | indent
    if [ -s "$work/stdout" ] || [ -s "$work/stderr" ]; then
        say "(exit code $code)"
    else
        say "(no output, exit code $code)"
    fi
    no_secret_in "$work/stdout" "$work/stderr"
    [ "$code" = "$expected" ] || die "autodns ended with exit code $code, and not with $expected"
}

# What is checked

no_secret_in() {
    local secret
    for secret in "$apikey" "$(member users good secret)" "$wrong_secret"; do
        if grep -qF -e "$secret" "$@"; then
            die "a secret is in what autodns says"
        fi
    done
}

silent() {
    [ ! -s "$work/stdout" ] || die "autodns printed something, and it should be silent"
    [ ! -s "$work/stderr" ] || die "autodns complained, and it should be silent"
}

# complains TEXT…: on stderr only, and each text is in it.
complains() {
    local text
    [ ! -s "$work/stdout" ] || die "autodns printed something on stdout, and it should be on stderr"
    for text in "autodns: $name A: " "$@"; do
        grep -qF -e "$text" "$work/stderr" || die "'$text' should be in what autodns complains of"
    done
}

# record ADDRESS: shows the zone, which must hold the one record with this address and its old TTL.
record() {
    local expected="$name. 300 IN A $1" found
    found=$(moto_aws records "$zone_id" | python_says '
import json, sys
for row in json.load(sys.stdin):
    print(row["name"], row["ttl"], "IN", row["type"], *row["values"])')
    say "In the zone now: ${found:-nothing}"
    [ "$found" = "$expected" ] || die "the zone should hold '$expected'"
}

# Shows what AWS was asked since the last run began, which is one thing.
asked_once() {
    say "What AWS was asked:"
    cut -d ' ' -f 1-3 "$work/requests" | indent | indent
    [ "$(wc -l <"$work/requests")" = 1 ] || die "AWS should have been asked once"
}

no_message() {
    moto_aws messages "$queue_url" >"$work/messages"
    say "The topic's subscriber got nothing."
    [ "$(cat "$work/messages")" = '[]' ] || die "and yet it got $(cat "$work/messages")"
}

# message TEXT…: shows the one message that the topic's subscriber got; each text is in it.
message() {
    local text
    moto_aws messages "$queue_url" >"$work/messages.json"
    python_says '
import json, sys
received = json.load(sys.stdin)
for message in received:
    print("Subject: {subject}\n\n{message}".format_map(message).rstrip("\n"))
sys.exit(len(received) != 1)' <"$work/messages.json" >"$work/messages" ||
        die "the topic's subscriber should have one message: $(cat "$work/messages.json")"
    say "The topic's subscriber got:"
    printf '\n'
    indent <"$work/messages" | indent
    printf '\n'
    no_secret_in "$work/messages"
    for text in "$@"; do
        grep -qF -e "$text" "$work/messages" || die "'$text' should be in that message"
    done
}

# The tale

heading "Building autodns and setting up the emulator (a few minutes the first time)"
say '$ cargo build --release --locked'
attend cargo build --manifest-path "$root/Cargo.toml" --release --locked ||
    die "autodns could not be built; what cargo said is above"
program=$(cd "${CARGO_TARGET_DIR:-$root/target}/release" && pwd)/autodns
[ -x "$program" ] || die "cargo built no $program"
attend "$root/tests/moto/setup.sh" >"$work/environment" ||
    die "the emulator could not be set up; the reason is above"
python=$(cat "$work/environment")/bin/python

start endpoint emulator "$python" "$root/tests/moto/moto_aws.py" serve --log "$work/requests"
start reflect_url reflector "$python" "$root/tests/moto/reflector.py" \
    --address "$new" --apikey "$apikey"
moto_aws create --name "$name" --address "$old" >"$work/resources.json"
zone_id=$(member zone_id)
queue_url=$(member queue_url)

# Two profiles: the user's own, and one whose secret is not the one that belongs to the key.
wrong_secret=wrong-$(member users good secret | tr 'A-Za-z' 'N-ZA-Mn-za-m')
mkdir -p "$work/home/.aws"
cat >"$work/home/.aws/credentials" <<END
[default]
aws_access_key_id = $(member users good key_id)
aws_secret_access_key = $(member users good secret)

[wrong]
aws_access_key_id = $(member users good key_id)
aws_secret_access_key = $wrong_secret
END
cat >"$work/autodns.json" <<END
{
    "hosted_zone_id": "$zone_id",
    "dns_name": "$name",
    "topic_arn": "$(member topic_arn)",
    "alert_lock": "$work/autodns_alert.lock",
    "reflect_url": "$reflect_url"
}
END
say "Route 53, SNS and IAM, emulated: $endpoint"
say "A reflector that says this line's address is $new: ${reflect_url%%/reflect*}"
say "A user whose key is in ~/.aws/credentials and who may list and change records, and publish."
printf '\n'
say '$ cat autodns.json'
indent <"$work/autodns.json"

heading "The record before"
record "$old"

heading "A wrong secret gets nowhere: the emulator checks signatures as AWS does"
AWS_PROFILE=wrong autodns 1 autodns.json
complains SignatureDoesNotMatch
record "$old"
no_message

heading "What would be done"
autodns 0 --dry-run autodns.json
[ "$(cat "$work/stdout" "$work/stderr")" = "$name A: $old -> $new" ] ||
    die "a dry run should print '$name A: $old -> $new', and nothing else"
record "$old"

heading "The first run puts the record right and says nothing"
autodns 0 autodns.json
silent
record "$new"

heading "A second run finds nothing to do: it asks AWS once and says nothing"
autodns 0 autodns.json
silent
asked_once
record "$new"
no_message

heading "The reflector breaks: a line on stderr, which cron would mail, and one alert"
control '{"mode": "broken"}'
autodns 1 autodns.json
complains 'out of order'
message "$name" 'out of order'
record "$new"
[ -e "$work/autodns_alert.lock" ] || die "the alert's lock should be there, and it is not"

heading "It is still broken at the next run: stderr says so again, and no second alert is sent"
autodns 1 autodns.json
complains 'out of order'
no_message
record "$new"

heading "The reflector works again, with a new address: the record follows, and a message says so"
control "{\"mode\": \"ok\", \"address\": \"$newer\"}"
autodns 0 autodns.json
silent
message "$name" 'is up to date again'
record "$newer"
[ ! -e "$work/autodns_alert.lock" ] || die "the alert's lock should be gone, and it is not"

printf '\nAll of it went as it should.\n'
