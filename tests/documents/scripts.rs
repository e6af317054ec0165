//! Runs the scripts for `address_command` that docs/configuration.md shows, with fakes of the
//! programs that they call. The fakes answer in the form of a real FRITZ!Box and a real ubus.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::pages::blocks;
use crate::program::read;

/// A fake curl in front of a FRITZ!Box. It answers the action that the header and the body name.
const CURL: &str = r#"#!/bin/sh
for word; do
    case $word in
        'SOAPAction: '*'#GetExternalIPAddress') action=GetExternalIPAddress ;;
        'SOAPAction: '*'#X_AVM_DE_GetExternalIPv6Address')
            action=X_AVM_DE_GetExternalIPv6Address ;;
        *'<u:'*) body=$word ;;
        http://*) url=$word ;;
    esac
done
[ "$url" = http://fritz.box:49000/igdupnp/control/WANIPConn1 ] || exit 6
case $body in *"<u:$action"*) ;; *) exit 22 ;; esac
case $action in
    GetExternalIPAddress) tag=NewExternalIPAddress value=198.51.100.7 ;;
    *) tag=NewExternalIPv6Address value=2001:db8::7 ;;
esac
cat <<TEXT
<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<u:${action}Response xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1">
<$tag>$value</$tag>
</u:${action}Response>
</s:Body></s:Envelope>
TEXT
"#;

const UBUS: &str = r#"#!/bin/sh
case "$*" in
    'call network.interface.wan status')
        echo '{"up":true,"ipv4-address":[{"address":"198.51.100.7","mask":24}]}' ;;
    'call network.interface.wan6 status')
        echo '{"up":true,"ipv6-address":[{"address":"2001:db8::7","mask":64}]}' ;;
    *) exit 4 ;;
esac
"#;

const JSONFILTER: &str = r#"#!/bin/sh
case "$*" in
    '-e @["ipv4-address"][0].address') member=ipv4-address ;;
    '-e @["ipv6-address"][0].address') member=ipv6-address ;;
    *) exit 1 ;;
esac
sed -n "s/.*\"$member\":\[{\"address\":\"\([^\"]*\)\".*/\1/p"
"#;

/// Writes a script of the page into the folder as a program.
fn script(name: &str, folder: &Path) -> std::path::PathBuf {
    let page = read("docs/configuration.md");
    let comment = format!("run by tests/documents/scripts.rs: {name}");
    let text = blocks(&page)
        .into_iter()
        .find(|block| block.comment.as_deref() == Some(comment.as_str()))
        .unwrap_or_else(|| panic!("no script {name}"))
        .text;
    program(folder, name, &text)
}

fn program(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).expect("a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
    path
}

#[test]
fn router_script_prints_the_address_of_the_family() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("curl", CURL), ("ubus", UBUS), ("jsonfilter", JSONFILTER)] {
        program(folder.path(), name, text);
    }
    for name in ["fritzbox", "openwrt"] {
        let script = script(name, folder.path());
        for (family, address) in [("4", "198.51.100.7"), ("6", "2001:db8::7")] {
            let run = Command::new(&script)
                .env_clear()
                .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
                .env("AUTODNS_FAMILY", family)
                .output()
                .expect("the script runs");
            let said = String::from_utf8_lossy(&run.stdout);
            assert_eq!(said.trim(), address, "{name}, IPv{family}: {run:?}");
            assert!(run.status.success() && run.stderr.is_empty(), "{name}: {run:?}");
        }
    }
}

#[test]
fn fritzbox_script_prints_nothing_when_curl_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    program(folder.path(), "curl", "#!/bin/sh\nexit 7\n");
    let run = Command::new(script("fritzbox", folder.path()))
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .env("AUTODNS_FAMILY", "4")
        .output()
        .expect("the script runs");
    assert!(run.stdout.is_empty(), "{run:?}");
}
