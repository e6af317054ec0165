# Packs the archives of a release: one per target, and the bundle for deploy-pi.sh. Sourced by
# release.sh, which builds and checks the binaries. Must not build anything.
# shellcheck shell=bash disable=SC2154  # variables shared with release.sh

# put MODE SOURCE PLACE: copies a file into the current archive.
put() { install -D -m "$1" "$repo/$2" "$tree/$3"; }

# put_text SOURCE PLACE: copies a text with the version and the target filled in.
put_text() {
    sed -e "s/@VERSION@/$version/g" -e "s/@TARGET@/${target:-}/g" "$repo/$1" >"$tree/$2"
    chmod 644 "$tree/$2"
}

# Each archive needs these: the licences require that they come with the program.
put_licences() {
    put 644 LICENSE LICENSE
    install -m 644 "$made/notices" "$tree/THIRD-PARTY-NOTICES.txt"
}

begin() {
    tree=$made/work/$1
    mkdir "$tree"
}

# Sorts the files, and sets one time and no owner, so that the same files give the same archive.
finish() {
    local name=${tree##*/}
    tar -C "$made/work" --format=ustar --sort=name --owner=0 --group=0 --numeric-owner \
        --mtime="@$SOURCE_DATE_EPOCH" -c "$name" | gzip -9n >"$made/dist/$name.tar.gz"
    rm -r "$tree"
}

pack_archive() {
    local target=$1 tree page
    begin "autodns-$version-$target"
    put 755 "target/pi/$target/autodns" autodns
    put_licences
    put_text packaging/INSTALL.txt INSTALL.txt
    put 644 packaging/autodns.json autodns.json
    put 644 packaging/credentials credentials
    put 644 schema/autodns.schema.json autodns.schema.json
    for page in autodns.1 autodns.json.5; do
        put 644 "packaging/man/$page" "man/$page"
    done
    put 644 packaging/completions/_autodns completions/_autodns
    put 644 packaging/completions/autodns.bash completions/autodns.bash
    put 644 packaging/completions/autodns.fish completions/autodns.fish
    # /usr/bin belongs to the Debian package. An installation by hand goes to /usr/local.
    put 644 packaging/systemd/autodns.service systemd/autodns.service
    sed -i 's|^ExecStart=/usr/bin/|ExecStart=/usr/local/bin/|' "$tree/systemd/autodns.service"
    put 644 packaging/systemd/autodns.timer systemd/autodns.timer
    finish
}

pack_bundle() {
    local tree target='' part
    begin "autodns-$version-deploy"
    put 755 scripts/deploy-pi.sh deploy-pi.sh
    for part in over-ssh pi-places pi-commit pi-remote; do
        put 644 "scripts/lib/$part.sh" "lib/$part.sh"
    done
    put 755 target/pi/arm-unknown-linux-musleabihf/autodns bin/armv6/autodns
    put 755 target/pi/armv7-unknown-linux-musleabihf/autodns bin/armv7/autodns
    put 755 target/pi/aarch64-unknown-linux-musl/autodns bin/aarch64/autodns
    put 644 cloudformation/autodns.yaml cloudformation/autodns.yaml
    put 644 packaging/autodns.json autodns.json
    put 644 packaging/credentials credentials
    put_text packaging/DEPLOY.txt README.txt
    put_licences
    finish
}
