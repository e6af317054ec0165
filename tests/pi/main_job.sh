# Part "main": each of the three binaries does the whole main job against the emulated AWS, on a
# processor emulated by qemu: a change, no change, one alert, recovery, a wrong secret. Sourced by
# run.sh; needs no root.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016  # variables shared with the other files

# The emulated processor of a Pi Zero faults on the instructions of newer processors, which a binary
# for it must not have.
emulator_of() {
    case $1 in
        aarch64-*) emulator=(qemu-aarch64-static) ;;
        armv7-*) emulator=(qemu-arm-static -cpu cortex-a7) ;;
        arm-*) emulator=(qemu-arm-static -cpu arm1176) ;;
    esac
}

# Runs the program under test, without this machine's environment.
autodns() {
    env -i HOME="$scratch/home" PATH=/usr/bin:/bin AWS_ENDPOINT_URL="$endpoint" \
        AWS_SHARED_CREDENTIALS_FILE="$credentials" \
        "${emulator[@]}" "$repo/target/pi/$target/autodns" "$@"
}

# requests KEY_ID: prints method and status of the requests with this key since the last call.
requests() {
    awk -v key="$1" '$NF == key { sub(/[?].*/, "", $2); print $1, $3 }' "$scratch/requests" |
        sort | uniq -c | sed 's/^ *//'
    : >"$scratch/requests"
}

test_main_job() {
    local target reflect lock config credentials emulator
    mkdir -p "$scratch/home"
    start_aws
    start_reflector reflector 192.175.48.7
    reflect=$answer
    for target in "${targets[@]}"; do
        emulator_of "$target"
        make_resources
        lock=$scratch/$target.lock
        config=$scratch/$target.json
        credentials=$scratch/$target.credentials
        write_config "$config" "$reflect" "$lock"
        write_credentials "$credentials"
        tell_reflector "$reflect" '{"mode":"ok","address":"192.175.48.7"}'
        : >"$scratch/requests"

        run autodns --version
        expect "$target: --version" "0 autodns $version " "$status $out $err"

        run autodns --dry-run "$config"
        expect "$target: a dry run" "0 home.example.com A: 192.0.2.1 -> 192.175.48.7 " \
            "$status $out $err"
        expect "$target: the requests of a dry run" "1 GET 200" "$(requests "$key")"
        expect "$target: a dry run changes nothing" "$(record 192.0.2.1)" \
            "$(moto_aws "$endpoint" records "$zone")"

        run autodns "$config"
        expect "$target: a change is silent" "0  " "$status $out $err"
        expect "$target: the requests of a change" $'1 GET 200\n1 POST 200' "$(requests "$key")"
        expect "$target: a change changes the record" "$(record 192.175.48.7)" \
            "$(moto_aws "$endpoint" records "$zone")"

        run autodns "$config"
        expect "$target: no change is silent" "0  " "$status $out $err"
        expect "$target: no change sends no change request" "1 GET 200" "$(requests "$key")"

        tell_reflector "$reflect" '{"mode":"broken"}'
        run autodns "$config"
        expect "$target: a broken reflector" "1 " "$status $out"
        expect_match "$target: a broken reflector is named" \
            'autodns: home\.example\.com A: [^'$'\n'']+' "$err"
        expect "$target: an alert" 1 "$(alerts "$queue")"
        run autodns "$config"
        expect "$target: still broken" "1 " "$status $out"
        expect "$target: no second alert" 0 "$(alerts "$queue")"

        tell_reflector "$reflect" '{"mode":"ok","address":"192.175.48.8"}'
        run autodns "$config"
        expect "$target: recovery is silent" "0  " "$status $out $err"
        expect "$target: recovery removes the lock" no "$([[ -e $lock ]] && echo yes || echo no)"
        expect "$target: recovery changes the record" "$(record 192.175.48.8)" \
            "$(moto_aws "$endpoint" records "$zone")"

        sed -i 's/^aws_secret_access_key = .*/aws_secret_access_key = wrong/' "$credentials"
        tell_reflector "$reflect" '{"address":"192.175.48.9"}'
        run autodns "$config"
        expect "$target: a wrong secret" "1 " "$status $out"
        expect_match "$target: a wrong secret is named" \
            'autodns: home\.example\.com A: [^'$'\n'']*SignatureDoesNotMatch.*' "$err"
        expect "$target: a wrong secret changes nothing" "$(record 192.175.48.8)" \
            "$(moto_aws "$endpoint" records "$zone")"
    done
}
