# Functions for all parts of the Raspberry Pi test: assertions on whole outputs, polling with a
# deadline, the emulated AWS and the reflector. Sourced by run.sh. Must not test anything.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016  # variables shared with the other files

passed=0

# Ends the test. The parts run in run.sh's own shell, so its trap cleans up.
give_up() {
    echo "test-pi.sh: FAILED in part $part: $*" >&2
    exit 1
}

# expect WHAT EXPECTED ACTUAL: asserts that the two texts are equal.
expect() {
    if [[ $2 != "$3" ]]; then
        diff -u --label expected --label found <(printf '%s\n' "$2") <(printf '%s\n' "$3") >&2 || :
        give_up "$1"
    fi
    passed=$((passed + 1))
}

# expect_match WHAT PATTERN ACTUAL: asserts that the whole text matches the extended regular
# expression.
expect_match() {
    if [[ ! $3 =~ ^($2)$ ]]; then
        printf 'expected something like: %s\nfound: %s\n' "$2" "$3" >&2
        give_up "$1"
    fi
    passed=$((passed + 1))
}

# Runs a command to its end and sets out, err and status.
run() {
    status=0
    "$@" >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
    out=$(cat "$scratch/out")
    err=$(cat "$scratch/err")
}

# poll SECONDS WHAT COMMAND…: waits until the command succeeds.
poll() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        ((SECONDS < deadline)) || give_up "timed out waiting for $what"
        sleep 0.2
    done
}

has_line() { [[ -s $1 ]]; }

# start NAME COMMAND…: starts a server that prints one line when it is ready, and sets answer to
# that line. The server ends with this shell, when its stdin closes.
start() {
    local name=$1
    shift
    mkfifo "$scratch/$name.stdin"
    "$@" <"$scratch/$name.stdin" >"$scratch/$name.line" 2>"$scratch/$name.err" &
    # Keeps stdin open while this shell runs. Nothing is written to it.
    exec {hold}>"$scratch/$name.stdin"
    poll 60 "$name to answer" has_line "$scratch/$name.line"
    answer=$(cat "$scratch/$name.line")
}

# --- the emulated AWS, and the reflector --------------------------------------------------------

moto_aws() { "$python" "$repo/tests/moto/moto_aws.py" "$@"; }

start_aws() {
    start aws "$python" "$repo/tests/moto/moto_aws.py" serve --log "$scratch/requests"
    endpoint=$answer
}

# Makes a zone, a record with 192.0.2.1, a topic with a queue, and users with keys.
make_resources() {
    local made
    made=$(moto_aws "$endpoint" create)
    zone=$(field "$made" zone_id)
    topic=$(field "$made" topic_arn)
    queue=$(field "$made" queue_url)
    key=$(field "$made" users.good.key_id)
    secret=$(field "$made" users.good.secret)
}

# field JSON PATH: prints the value at a dotted path.
field() {
    "$python" -c '
import functools, json, sys
print(functools.reduce(lambda value, name: value[name], sys.argv[2].split("."),
                       json.loads(sys.argv[1])))' "$1" "$2"
}

record_says() { [[ $(moto_aws "$endpoint" records "$1") == "$(record "$2")" ]]; }

# record ADDRESS: the output of `moto_aws.py records` if the zone has only this record.
record() {
    printf '[{"name": "home.example.com.", "type": "A", "ttl": 300, "values": ["%s"]}]' "$1"
}

# alerts QUEUE: prints the number of messages since the last call.
alerts() {
    moto_aws "$endpoint" messages "$1" |
        "$python" -c 'import json, sys; print(len(json.load(sys.stdin)))'
}

# alert_came QUEUE: whether a message came since the last call. Sets messages to all of them.
alert_came() {
    messages=$(moto_aws "$endpoint" messages "$1")
    [[ $messages != '[]' ]]
}

# Prints the command that the only message in messages advises.
command_of_alert() {
    "$python" -c '
import json, re, sys
[alert] = json.loads(sys.argv[1])
lines = re.findall(r"^ +((?:sudo |/|autodns ).*)$", alert["message"], re.MULTILINE)
[command] = [line for line in lines if "--dry-run" in line]
print(command)' "$messages"
}

# start_reflector NAME ADDRESS: sets answer to its URL.
start_reflector() {
    start "$1" "$python" "$repo/tests/moto/reflector.py" --address "$2"
}

# tell_reflector URL JSON: changes its responses.
tell_reflector() {
    "$python" - "$1" "$2" <<'PY'
import sys, urllib.parse, urllib.request
control = urllib.parse.urljoin(sys.argv[1], "/control")
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
    urllib.request.Request(control, sys.argv[2].encode(), method="POST"), timeout=10)
PY
}

# write_config FILE REFLECT_URL LOCK
write_config() {
    cat >"$1" <<TEXT
{
    "hosted_zone_id": "$zone",
    "dns_name": "home.example.com",
    "topic_arn": "$topic",
    "alert_lock": "$3",
    "reflect_url": "$2"
}
TEXT
}

write_credentials() {
    printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$key" "$secret" >"$1"
}
