# Part "twice": a build in another folder gives the same bytes, and scripts/verify-release.sh
# reports a difference. Sourced by run.sh; needs no root.
# shellcheck shell=bash disable=SC2154  # variables shared with the other files

test_twice() {
    local target=armv7-unknown-linux-musleabihf released=$scratch/autodns-1.2.3
    local changed=$scratch/changed said="the same bytes as built from these sources"
    local binary=$repo/target/pi/$target/autodns sum
    mkdir "$released"
    cp "$binary" "$released/autodns"
    tar -C "$scratch" -czf "$released.tar.gz" "${released##*/}"
    cp "$binary" "$changed"
    printf '\0' >>"$changed"
    sum=$(sha256sum "$binary" | cut -d' ' -f1)

    # One build for all three files. It is offline, because the crates are already downloaded.
    CARGO_NET_OFFLINE=true run "$repo/scripts/verify-release.sh" "$target" \
        "$binary" "$released.tar.gz" "$changed"
    expect "two folders give the same bytes, and one more byte is reported" \
        "1 $binary: $said
$released.tar.gz: $said
$changed: NOT $said: its SHA-256 is $(sha256sum "$changed" | cut -d' ' -f1),\
 and that of the build is $sum" "$status $out"
}
