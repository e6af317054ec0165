//! Checks of `address::reflector` and `address::interface`: the sources of the public address.

use std::net::{IpAddr, Ipv6Addr};

use autodns::parts::Secrets;
use autodns::parts::interface;
use autodns::parts::not_public;
use autodns::parts::read_response;
use serde_json::Value;

/// An address is accepted only if the whole body is the address. No response can make autodns print
/// the key of its request.
pub fn reflector_answer(data: &[u8]) {
    let Ok(body) = str::from_utf8(data) else { return };
    let mut secrets = Secrets::default();
    secrets.add_query("apikey=very%20secret&pin=s3cr3t-pin");
    for status in [200, 403] {
        for whole in [true, false] {
            let read = read_response(status, body, whole, &secrets);
            assert_eq!(read, read_response(status, body, whole, &secrets), "read twice");
            match read {
                Ok(address) => {
                    assert_eq!(status, 200, "an address from the body of an error");
                    assert_said(body, address);
                }
                Err((cause, _)) => {
                    super::assert_phrase(&cause);
                    for secret in ["very secret", "very%20secret", "s3cr3t-pin"] {
                        assert!(!cause.contains(secret), "a key is shown: {cause}");
                    }
                }
            }
        }
    }
    if let Ok(address) = read_response(200, body, false, &secrets) {
        assert_eq!(read_response(200, body, true, &secrets), Ok(address));
        for beginning in super::beginnings(body) {
            let cut = read_response(200, beginning, false, &secrets);
            assert!(cut.is_err() || cut == Ok(address), "cut off: {beginning:?} is {cut:?}");
        }
    }
}

/// Asserts that the whole body is `address`, as text or as one member of JSON.
fn assert_said(body: &str, address: IpAddr) {
    let body = body.trim_start_matches('\u{feff}').trim();
    if body.parse() == Ok(address) {
        return;
    }
    let json: Value = serde_json::from_str(body).expect("neither an address nor JSON");
    let said = ["your_ip", "ip"].iter().find(|key| !json[**key].is_null()).expect("a member");
    assert_eq!(json[*said].as_str().and_then(|text| text.parse().ok()), Some(address));
    let error = json["error"].as_str().unwrap_or_default();
    assert!(error.trim().is_empty() && json["error"] != true, "a response with an error");
}

/// The kernel's flags of addresses that must not be published: temporary, failed duplicate
/// detection, deprecated, tentative (`linux/if_addr.h`).
const UNFIT: u8 = 0x01 | 0x08 | 0x20 | 0x40;

/// The chosen address is in the table, has no flag of [`UNFIT`], and is the same for any order of
/// the lines.
pub fn if_inet6(data: &[u8]) {
    let Ok(table) = str::from_utf8(data) else { return };
    let public = |address: Ipv6Addr| not_public(address.into()).map(Into::into);
    let entries = match interface::parse(table, "eth0") {
        Ok(entries) => entries,
        Err(problem) => {
            return assert_eq!(problem, "/proc/net/if_inet6 has a row that cannot be read");
        }
    };
    assert_eq!(Ok(&entries), interface::parse(table, "eth0").as_ref(), "read twice");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|row| row.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|row| row.last() == Some(&"eth0"))
        .collect();
    assert_eq!(entries.len(), rows.len(), "each row of eth0 is an address");
    for (entry, row) in entries.iter().zip(&rows) {
        let (bits, flags) = (entry.address.to_bits(), entry.flags);
        assert_eq!(row[0].to_ascii_lowercase(), format!("{bits:032x}"));
        assert_eq!(row[4].to_ascii_lowercase(), format!("{flags:02x}"));
    }
    let mut backwards = entries.clone();
    backwards.reverse();
    // The kernel can send from any of the addresses.
    let source = entries.last().map(|entry| entry.address);
    let choose = |rows: &[interface::Entry], any: bool| {
        interface::choose(rows, source, |address| public(address).filter(|_| !any))
    };
    for any in [false, true] {
        let (chosen, again) = (choose(&entries, any), choose(&backwards, any));
        let good = entries.iter().filter(|entry| {
            entry.flags & UNFIT == 0
                && entry.address.segments()[0] & 0xffc0 != 0xfe80
                && (any || public(entry.address).is_none())
        });
        match chosen {
            Ok(address) => {
                assert!(good.clone().any(|entry| entry.address == address), "{address}");
                let by_hand = |address| {
                    good.clone().any(|entry| entry.address == address && entry.flags & 0x80 != 0)
                };
                let public_one = good.clone().any(|entry| public(entry.address).is_none());
                assert_eq!(public_one, public(address).is_none(), "a public address wins");
                let of_source = |address: Ipv6Addr| {
                    source.is_some_and(|source| source.segments()[..4] == address.segments()[..4])
                };
                let publics = || {
                    good.clone()
                        .map(|entry| entry.address)
                        .filter(|&other| public(other).is_none() == public_one)
                };
                let source_one = publics().any(of_source);
                assert_eq!(source_one, of_source(address), "the kernel's prefix wins");
                let peers = || publics().filter(|&other| of_source(other) == source_one);
                assert_eq!(peers().any(by_hand), by_hand(address), "a manual address wins");
                assert_eq!(again, Ok(address), "in any order");
            }
            Err(problem) => {
                assert_eq!(good.count(), 0, "there was a good address: {problem}");
                assert!(!problem.contains(char::is_control));
                assert!(again.is_err(), "in any order");
                for entry in &entries {
                    assert!(problem.contains(&entry.address.to_string()), "not listed");
                }
                assert!(!problem.contains("()"), "without a reason: {problem}");
            }
        }
    }
}
