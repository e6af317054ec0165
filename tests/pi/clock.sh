# Part "clock": the armv7 binary on a real armv7 kernel, in a virtual machine whose clock says 2040
# and then 1970. qemu's user emulation cannot test this, because it uses this machine's kernel and
# clock. Sourced by run.sh; needs no root. prepare.sh fetches the kernel.
# shellcheck shell=bash disable=SC2034,SC2154,SC2016  # variables shared with the other files

# The address of this machine's loopback in the guest, in qemu's user network.
host_of_guest=10.0.2.2

# Makes a certificate authority and a server certificate that are valid for fifty years from now: in
# 2040 but not in 1970.
make_certificates() {
    local dir=$1
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 18262 \
        -subj "/CN=autodns test CA" -keyout "$dir/ca.key" -out "$dir/ca.pem"
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=host" \
        -keyout "$dir/server.key" -out "$dir/server.csr"
    openssl x509 -req -days 18262 -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
        -CAcreateserial -out "$dir/server.pem" \
        -extfile <(printf 'subjectAltName=IP:%s\nbasicConstraints=CA:FALSE\n' "$host_of_guest")
}

# The modules of the guest's network card, each after its dependencies.
guest_modules=(failover net_failover virtio_mmio virtio_net)

# make_image FOLDER FILE: packs the folder as an initramfs.
make_image() { (cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc --quiet) | gzip -1 >"$2"; }

# boot QEMU_OPTION… -- KERNEL_ARGUMENT…: sets console to the console's text.
boot() {
    local options=()
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    run timeout 120 qemu-system-arm -M virt -cpu cortex-a7 -m 256 -nographic -no-reboot \
        -netdev user,id=net,restrict=off -device virtio-net-device,netdev=net "${options[@]}" \
        -kernel "$kernel/vmlinuz" -initrd "$scratch/image" \
        -append "console=ttyAMA0 quiet panic=-1 rdinit=/init $*"
    expect "qemu-system-arm ends" "0 " "$status $err"
    # The serial console ends lines with CR LF, and some lines are the kernel's.
    console=$(tr -d '\r' <<<"$out" | sed '/^\[ *[0-9]*\.[0-9]*\] /d')
}

test_clock() {
    local kernel=$cache/pi-kernel guest=$scratch/guest zig=$cache/zig/bin/python module
    local aws_front reflector_front reflect path console
    mkdir -p "$guest/tmp"
    start_aws
    make_resources
    start_reflector reflector 192.175.48.7
    reflect=$answer
    run make_certificates "$scratch"
    [[ $status == 0 ]] || give_up "openssl made no certificates: $err"
    start aws_front python3 "$repo/tests/pi/tls_front.py" "$scratch/server.pem" \
        "$scratch/server.key" "${endpoint##*:}"
    aws_front=$answer
    path=${reflect#http://*/}
    reflect=${reflect%"/$path"}
    start reflector_front python3 "$repo/tests/pi/tls_front.py" "$scratch/server.pem" \
        "$scratch/server.key" "${reflect##*:}"
    reflector_front=$answer

    write_config "$guest/autodns.json" "https://$host_of_guest:$reflector_front/$path" /tmp/lock
    write_credentials "$guest/credentials"
    cp "$scratch/ca.pem" "$guest/ca.pem"
    cp "$repo/target/pi/armv7-unknown-linux-musleabihf/autodns" "$guest/autodns"
    for module in "${guest_modules[@]}"; do
        cp "$kernel/$module.ko" "$guest/$module.ko"
        echo "/$module.ko" >>"$guest/modules"
    done
    cat >"$guest/environment" <<TEXT
PATH=/
HOME=/
AWS_ENDPOINT_URL=https://$host_of_guest:$aws_front
AWS_SHARED_CREDENTIALS_FILE=/credentials
AWS_CA_BUNDLE=/ca.pem
TEXT
    printf '/autodns %s\n' --version "--dry-run /autodns.json" /autodns.json /autodns.json \
        >"$guest/runs"
    ZIG_GLOBAL_CACHE_DIR=$cache/zig-cache run "$zig" -m ziglang cc -target arm-linux-musleabihf \
        -mcpu=cortex_a7 -static -Os -Wall -Wextra -Werror -s "$repo/tests/pi/init.c" \
        -o "$guest/init"
    expect "init.c compiles" "0 " "$status $err"
    make_image "$guest" "$scratch/image"

    # 1 January 2040, two years after the end of 32-bit time. The certificates are valid, the
    # signatures have this date, and the run does its whole job.
    boot -- CLOCK=2208988800
    expect "the armv7 binary in 2040" "CLOCK 2040-01-01
RUN /autodns --version
autodns $version
EXIT 0
RUN /autodns --dry-run /autodns.json
home.example.com A: 192.0.2.1 -> 192.175.48.7
EXIT 0
RUN /autodns /autodns.json
EXIT 0
RUN /autodns /autodns.json
EXIT 0" "$console"
    expect "the record in 2040" "$(record 192.175.48.7)" "$(moto_aws "$endpoint" records "$zone")"

    # A Pi without a clock chip after a power cut: the kernel starts in 1970, and no certificate is
    # valid yet. The program must name the clock as the cause.
    printf '/autodns --version\n/autodns /autodns.json\n' >"$guest/runs"
    make_image "$guest" "$scratch/image"
    boot -rtc base=1970-01-02 --
    expect "the armv7 binary in 1970" "CLOCK 1970-01-02
RUN /autodns --version
autodns $version
EXIT 0
RUN /autodns /autodns.json
EXIT 1" "$(grep -v '^autodns: ' <<<"$console")"
    expect_match "the clock is named in 1970" \
        'autodns: home\.example\.com A: .*1970-01-02.*clock.*|.*clock.*1970-01-02.*' \
        "$(grep -m 1 '^autodns: ' <<<"$console")"
}
