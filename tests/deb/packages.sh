# Part "deb": the Debian packages. Makes them twice, checks them, then installs and uses them on an
# emulated Pi and under systemd. Sourced by run.sh.
# shellcheck shell=bash disable=SC2034,SC2154  # variables shared with the other files

test_packages() {
    local packages=$scratch/packages again=$scratch/again package
    "$repo/scripts/package-deb.sh" --ready --to "$packages" >/dev/null
    "$repo/scripts/package-deb.sh" --ready --to "$again" >/dev/null
    for package in "$packages"/*.deb; do
        run cmp "$package" "$again/${package##*/}"
        expect "${package##*/} has the same bytes again" "0 " "$status $out$err"
    done

    run "$repo/tests/deb/lint.sh" "$packages"
    if [[ -n $err ]]; then echo "$err" >&2; fi
    expect_match "tests/deb/lint.sh" "0 lint\.sh: [0-9]+ checks passed" "$status $out"
    out=${out#lint.sh: }
    passed=$((passed + ${out%% *}))

    # The next version, with the same binary.
    "$repo/scripts/package-deb.sh" --ready --to "$packages" --revision 2 \
        armhf "$(dpkg --print-architecture)" >/dev/null
    start_aws
    test_package_on_pi
    test_package_under_systemd
}
