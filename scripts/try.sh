#!/usr/bin/env bash
# Shows autodns on this machine: builds it, and lets it keep a record up to date in an emulated AWS
# (moto, which checks signatures and policies) while a reflector on loopback works, breaks and works
# again. Prints what a user sees and checks it: the first difference ends the script with one line
# on stderr and exit code 1, so that the script is also a test.
#
# It must not touch AWS or any setting of its user: its servers listen on 127.0.0.1 only, its files
# are in a temporary folder, and autodns gets a separate environment. All of that is removed when
# the script ends, also after an error or a signal. It does not need root and does not call sudo.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/try.sh [--preflight]

Builds autodns and lets it keep a record up to date in an emulated AWS on this machine, step by
step. It needs no AWS account and no root, and changes nothing outside the repository's target/ and
${AUTODNS_CACHE:-~/.cache/autodns}, where the first run installs the emulator.

  --preflight  only print what is missing on this machine
  -h, --help   show this help

It needs Linux, Rust with a C compiler, and Python 3.11 or later with venv. Set PYTHON=… to use a
Python other than python3.
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
finish_preflight try.sh

name=home.example.com
old=192.0.2.1
# autodns rejects addresses that are not public, including those for documentation. These two are
# public by IANA's registry, and no host uses them: their network (AS112, RFC 7534) only receives
# DNS queries that should not have left a private network.
new=192.175.48.7
newer=192.175.48.8
apikey=verysecret

unset AWS_PROFILE
endpoint='' reflect_url=''
work='' running='' servers=()

# Clean-up and errors

cleanup() {
    trap '' HUP INT TERM
    for group in $running "${servers[@]}"; do
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
# The stdin of the servers. They end when it closes, even if the script is killed.
mkfifo "$work/hold"
exec {hold}<>"$work/hold"

# Prints the errors of the servers first, because they may be the cause.
die() {
    local log
    for log in "$work"/*.log; do
        [ ! -s "$log" ] || sed "s|^|$(basename "$log" .log): |" "$log" >&2
    done
    printf 'try.sh: %s\n' "$1" >&2
    exit 1
}

# Output

steps=0
heading() {
    steps=$((steps + 1))
    printf '\n%d. %s\n\n' "$steps" "$1"
}

say() {
    printf '    %s\n' "$1"
}

# Does not indent an empty line.
indent() {
    sed 's/^./    &/'
}

# Commands

# Runs a command to its end. It runs in the background, because a shell handles an interrupt
# immediately only while it waits. It runs in its own process group, so that it can be ended with
# all its child processes.
run_to_end() {
    local code=0
    set -m
    "$@" </dev/null {hold}>&- &
    set +m
    running=$!
    wait "$running" || code=$?
    running=
    return "$code"
}

# start VARIABLE NAME COMMAND…: starts a server and sets VARIABLE to its first line of output.
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

# python_says CODE ARGUMENT…: prints the output of a few lines of Python. An interrupt ends them
# without a message.
python_says() {
    "$python" -c "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)$1" "${@:2}"
}

# member KEY…: prints the value at this path of keys in the description of the resources.
member() {
    python_says '
import functools, json, sys
resources = json.load(open(sys.argv[1], encoding="utf-8"))
print(functools.reduce(lambda found, key: found[key], sys.argv[2:], resources))' \
        "$work/resources.json" "$@"
}

# control JSON: sets the responses of the reflector from now on.
control() {
    python_says '
import sys, urllib.request as request
direct = request.build_opener(request.ProxyHandler({}))
direct.open(sys.argv[1], sys.argv[2].encode(), timeout=30)' \
        "${reflect_url%%/reflect*}/control" "$1" || die "the reflector could not be controlled"
}

# autodns EXIT_CODE ARGUMENT…: runs the program, and prints the command and its result. The program
# gets only the variables given here. Its keys are in the .aws folder of its home, as on a real
# machine.
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
    run_to_end timeout 120 env --ignore-environment --chdir="$work" "${environment[@]}" \
        "$program" "$@" >"$work/stdout" 2>"$work/stderr" || code=$?
    cat "$work/stdout" "$work/stderr" | indent
    if [ -s "$work/stdout" ] || [ -s "$work/stderr" ]; then
        say "(exit code $code)"
    else
        say "(no output, exit code $code)"
    fi
    no_secret_in "$work/stdout" "$work/stderr"
    [ "$code" = "$expected" ] || die "autodns ended with exit code $code instead of $expected"
}

# Checks

no_secret_in() {
    local secret
    for secret in "$apikey" "$(member users good secret)" "$wrong_secret"; do
        if grep -qF -e "$secret" "$@"; then
            die "the output of autodns contains a secret"
        fi
    done
}

expect_silence() {
    [ ! -s "$work/stdout" ] || die "autodns should print nothing, but it did"
    [ ! -s "$work/stderr" ] || die "autodns should print no error, but it did"
}

# expect_error TEXT…: checks that stdout is empty and stderr has each text.
expect_error() {
    local text
    [ ! -s "$work/stdout" ] || die "autodns should print errors on stderr, not on stdout"
    for text in "autodns: $name A: " "$@"; do
        grep -qF -e "$text" "$work/stderr" || die "the error of autodns should contain '$text'"
    done
}

# expect_record ADDRESS: prints the zone. It must have one record, with this address and the old
# TTL.
expect_record() {
    local expected="$name. 300 IN A $1" found
    found=$(moto_aws records "$zone_id" | python_says '
import json, sys
for row in json.load(sys.stdin):
    print(row["name"], row["ttl"], "IN", row["type"], *row["values"])')
    say "In the zone now: ${found:-nothing}"
    [ "$found" = "$expected" ] || die "the zone should contain '$expected'"
}

# Prints the request to AWS since the last run began, which must be the only one.
expect_one_request() {
    say "The requests to AWS:"
    cut -d ' ' -f 1-3 "$work/requests" | indent | indent
    [ "$(wc -l <"$work/requests")" = 1 ] || die "AWS should get exactly one request"
}

expect_no_message() {
    moto_aws messages "$queue_url" >"$work/messages"
    say "The topic's subscriber got nothing."
    [ "$(cat "$work/messages")" = '[]' ] || die "the subscriber got $(cat "$work/messages")"
}

# expect_message TEXT…: prints the only message that the topic's subscriber got. It must have each
# text.
expect_message() {
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
        grep -qF -e "$text" "$work/messages" || die "that message should contain '$text'"
    done
}

# The demonstration

heading "Building autodns and setting up the emulator (a few minutes the first time)"
say '$ cargo build --release --locked'
run_to_end cargo build --manifest-path "$root/Cargo.toml" --release --locked ||
    die "autodns could not be built; cargo's error is above"
program=$(cd "${CARGO_TARGET_DIR:-$root/target}/release" && pwd)/autodns
[ -x "$program" ] || die "cargo built no $program"
run_to_end "$root/tests/moto/setup.sh" >"$work/environment" ||
    die "the emulator could not be set up; the cause is above"
python=$(cat "$work/environment")/bin/python

start endpoint emulator "$python" "$root/tests/moto/moto_aws.py" serve --log "$work/requests"
start reflect_url reflector "$python" "$root/tests/moto/reflector.py" \
    --address "$new" --apikey "$apikey"
moto_aws create --name "$name" --address "$old" >"$work/resources.json"
zone_id=$(member zone_id)
queue_url=$(member queue_url)

# Two profiles: a valid one, and one with a wrong secret for its key.
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
say "A reflector that says that this connection's address is $new: ${reflect_url%%/reflect*}"
say "A user whose key is in ~/.aws/credentials and who may list and change records, and publish."
printf '\n'
say '$ cat autodns.json'
indent <"$work/autodns.json"

heading "The record before"
expect_record "$old"

heading "A wrong secret is rejected: the emulator checks signatures as AWS does"
AWS_PROFILE=wrong autodns 1 autodns.json
expect_error SignatureDoesNotMatch
expect_record "$old"
expect_no_message

heading "A dry run prints the change and changes nothing"
autodns 0 --dry-run autodns.json
[ "$(cat "$work/stdout" "$work/stderr")" = "$name A: $old -> $new" ] ||
    die "a dry run should print '$name A: $old -> $new', and nothing else"
expect_record "$old"

heading "The first run updates the record and prints nothing"
autodns 0 autodns.json
expect_silence
expect_record "$new"

heading "A second run finds nothing to do: it sends AWS one request and prints nothing"
autodns 0 autodns.json
expect_silence
expect_one_request
expect_record "$new"
expect_no_message

heading "The reflector breaks: a line on stderr, which cron would mail, and one alert"
control '{"mode": "broken"}'
autodns 1 autodns.json
expect_error 'out of order'
expect_message "$name" 'out of order'
expect_record "$new"
[ -e "$work/autodns_alert.lock" ] || die "the alert's lock should exist"

heading "It is still broken at the next run: stderr says so again, and no second alert is sent"
autodns 1 autodns.json
expect_error 'out of order'
expect_no_message
expect_record "$new"

heading "The reflector works again, with a new address: the record follows, and a message says so"
control "{\"mode\": \"ok\", \"address\": \"$newer\"}"
autodns 0 autodns.json
expect_silence
expect_message "$name" 'is up to date again'
expect_record "$newer"
[ ! -e "$work/autodns_alert.lock" ] || die "the alert's lock should be gone"

printf '\nAll steps passed.\n'
