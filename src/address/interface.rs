//! Chooses the IPv6 address to publish among the addresses of an interface, from Linux's table
//! `/proc/net/if_inet6`. The choice is pure; only [`address_of`] reads.

use std::fmt::Write;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};

use super::public::not_public;
use crate::record::Family;
use crate::transport::source_address;

const TABLE: &str = "/proc/net/if_inet6";
const INTERFACES: &str = "/sys/class/net";

/// The flags of an address that matter here: `IFA_F_*` in `linux/if_addr.h`.
const FLAGS: [(u8, &str); 5] = [
    (TEMPORARY, "temporary"),
    (FAILED, "failed duplicate detection"),
    (DEPRECATED, "deprecated"),
    (TENTATIVE, "tentative"),
    (PERMANENT, "permanent"),
];
const TEMPORARY: u8 = 0x01;
const FAILED: u8 = 0x08;
const DEPRECATED: u8 = 0x20;
const TENTATIVE: u8 = 0x40;
const PERMANENT: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub address: Ipv6Addr,
    /// The lower eight `IFA_F_*` bits.
    pub flags: u8,
}

/// The address of `interface` to publish. `unfit` returns the reason if an address may not be
/// published. The error is a phrase that lists the addresses of the interface.
///
/// Temporary (privacy) addresses, deprecated, tentative, failed and link-local addresses are never
/// chosen. Of the others, the order of preference is: a public address, an address in the /64 that
/// the kernel would send from, a manually configured (permanent) address, the numerically smallest
/// address. So each run chooses the same address.
pub fn address_of(
    interface: &str,
    unfit: impl Fn(Ipv6Addr) -> Option<String>,
) -> Result<Ipv6Addr, String> {
    let table = match fs::read_to_string(TABLE) {
        Ok(table) => table,
        // A kernel without IPv6 has no such table.
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("{TABLE} cannot be read: {error}")),
    };
    let entries = parse(&table, interface)?;
    if entries.is_empty() && fs::symlink_metadata(format!("{INTERFACES}/{interface}")).is_err() {
        return Err(format!("there is no such interface; there are {}", interfaces()));
    }
    // It shows which prefix is in use while a provider replaces one prefix with another.
    let source = match source_address(Family::V6) {
        Ok(IpAddr::V6(address)) => Some(address),
        _ => None,
    };
    choose(&entries, source, unfit)
}

fn interfaces() -> String {
    let mut names: Vec<String> = fs::read_dir(INTERFACES)
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// Parses the lines of `interface` in the text of `if_inet6`: address, interface index, prefix
/// length, scope and flags in hexadecimal, and the interface's name. The error is a phrase about
/// the table.
pub fn parse(table: &str, interface: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for row in table.lines() {
        let broken = || format!("{TABLE} has a row that cannot be read");
        let fields: Vec<&str> = row.split_ascii_whitespace().collect();
        let &[address, _index, _length, _scope, flags, name] = fields.as_slice() else {
            return Err(broken());
        };
        if name != interface {
            continue;
        }
        // The kernel always writes all digits; Rust would also accept a sign.
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if address.len() != 32 || flags.len() != 2 || !is_hex(address) || !is_hex(flags) {
            return Err(broken());
        }
        let bits = u128::from_str_radix(address, 16).map_err(|_| broken())?;
        let flags = u8::from_str_radix(flags, 16).map_err(|_| broken())?;
        entries.push(Entry { address: Ipv6Addr::from_bits(bits), flags });
    }
    Ok(entries)
}

/// Chooses among `entries` as described at [`address_of`]. `source` is the address that the kernel
/// would send from, on any interface.
pub fn choose(
    entries: &[Entry],
    source: Option<Ipv6Addr>,
    unfit: impl Fn(Ipv6Addr) -> Option<String>,
) -> Result<Ipv6Addr, String> {
    let fit = |entry: &&Entry| {
        entry.flags & (TEMPORARY | FAILED | DEPRECATED | TENTATIVE) == 0
            && !entry.address.is_unicast_link_local()
            && unfit(entry.address).is_none()
    };
    let order = |entry: &&Entry| {
        let public = not_public(entry.address.into()).is_none();
        let elsewhere = source.is_none_or(|source| !share_prefix(entry.address, source));
        (!public, elsewhere, entry.flags & PERMANENT == 0, entry.address)
    };
    entries
        .iter()
        .filter(fit)
        .min_by_key(order)
        .map(|entry| entry.address)
        .ok_or_else(|| describe(entries, unfit))
}

/// Whether two addresses are in one /64, the prefix of a link (RFC 4291, section 2.5.4).
const fn share_prefix(one: Ipv6Addr, other: Ipv6Addr) -> bool {
    one.to_bits() >> 64 == other.to_bits() >> 64
}

/// Lists the addresses with the reason why each cannot be published.
fn describe(entries: &[Entry], unfit: impl Fn(Ipv6Addr) -> Option<String>) -> String {
    if entries.is_empty() {
        return "it has no IPv6 address".into();
    }
    let mut text = String::from("none of its addresses can be published:");
    for (index, Entry { address, flags }) in entries.iter().enumerate() {
        let why = FLAGS
            .iter()
            .find(|&&(flag, _)| flag != PERMANENT && flags & flag != 0)
            .map(|&(_, word)| word.to_owned())
            .or_else(|| unfit(*address))
            .or_else(|| not_public((*address).into()).map(Into::into));
        let comma = if index == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma} {address} ({})", why.unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(table: &str, interface: &str) -> Result<String, String> {
        chosen_from(None, table, interface)
    }

    fn chosen_from(source: Option<&str>, table: &str, interface: &str) -> Result<String, String> {
        let source = source.map(|source| source.parse().unwrap());
        let unfit = |address: Ipv6Addr| not_public(address.into()).map(Into::into);
        choose(&parse(table, interface)?, source, unfit).map(|address| address.to_string())
    }

    /// A Pi on a home connection: a stable, a temporary and a unique-local address.
    const HOME: &str = "\
fe80000000000000ba27ebfffe123456 02 40 20 80   eth0
2a02810d00a41c00ba27ebfffe123456 02 40 00 00   eth0
2a02810d00a41c0084c1f2a3b4c5d6e7 02 40 00 01   eth0
fd0012345678000000000000000000aa 02 40 00 00   eth0
00000000000000000000000000000001 01 80 10 80       lo
";
    /// The provider changed the prefix: the old one is deprecated.
    const RENUMBERED: &str = "\
2a02810d00a41c00ba27ebfffe123456 02 40 00 20   eth0
2a02810d00b52d00ba27ebfffe123456 02 40 00 00   eth0
2a02810d00b52d001111222233334444 02 40 00 01   eth0
fe80000000000000ba27ebfffe123456 02 40 20 80   eth0
";
    /// A server with an address from `DHCPv6`, a manually configured one, and one from SLAAC.
    const SERVER: &str = "\
2a01022808800000000000000000f00d 02 80 00 00   ens3
2a010228088000000000000000000042 02 40 00 80   ens3
2a01022808800000505400fffe9abcde 02 40 00 00   ens3
fe80000000000000505400fffe9abcde 02 40 20 80   ens3
";

    #[test]
    fn stable_global_address_is_chosen() {
        for (table, interface, address) in [
            (HOME, "eth0", "2a02:810d:a4:1c00:ba27:ebff:fe12:3456"),
            (RENUMBERED, "eth0", "2a02:810d:b5:2d00:ba27:ebff:fe12:3456"),
            (SERVER, "ens3", "2a01:228:880::42"),
            // Without the manually configured address, the smallest is chosen.
            (&SERVER.replace("40 00 80", "40 00 60"), "ens3", "2a01:228:880::f00d"),
        ] {
            assert_eq!(chosen(table, interface), Ok(address.into()));
            let mut rows: Vec<&str> = table.lines().collect();
            rows.reverse();
            assert_eq!(chosen(&rows.join("\n"), interface), Ok(address.into()), "in any order");
        }
    }

    /// While a provider replaces one prefix with another, both are valid. The new one is larger.
    const TWO_PREFIXES: &str = "\
2a02810d00a41c00ba27ebfffe123456 02 40 00 00   eth0
2a02810d00b52d00ba27ebfffe123456 02 40 00 00   eth0
2a02810d00b52d001111222233334444 02 40 00 01   eth0
fd0012345678000000000000000000aa 02 40 00 80   eth0
";

    #[test]
    fn prefix_that_the_kernel_sends_from_is_preferred() {
        let old = "2a02:810d:a4:1c00:ba27:ebff:fe12:3456";
        let new = "2a02:810d:b5:2d00:ba27:ebff:fe12:3456";
        for (source, address) in [
            (None, old),
            (Some(old), old),
            (Some(new), new),
            // The kernel sends from the temporary address, which is not published.
            (Some("2a02:810d:b5:2d00:1111:2222:3333:4444"), new),
            // The kernel sends over another interface, as to a VPN.
            (Some("2001:470:1f0b::2"), old),
            // A unique-local source does not win over a public address.
            (Some("fd00:1234:5678::aa"), old),
        ] {
            assert_eq!(chosen_from(source, TWO_PREFIXES, "eth0"), Ok(address.into()), "{source:?}");
        }
        // It also wins over a manually configured address.
        let by_hand = TWO_PREFIXES.replacen("40 00 00", "40 00 80", 1);
        assert_eq!(chosen_from(Some(new), &by_hand, "eth0"), Ok(new.into()));
        assert_eq!(chosen_from(None, &by_hand, "eth0"), Ok(old.into()));
    }

    #[test]
    fn public_address_wins_if_any_address_is_allowed() {
        let any =
            |table: &str| choose(&parse(table, "eth0")?, None, |_| None).map(|a| a.to_string());
        assert_eq!(any(HOME), Ok("2a02:810d:a4:1c00:ba27:ebff:fe12:3456".into()));
        let local = "fe800000000000000000000000000001 02 40 20 80 eth0\n";
        let unique = "fd0012345678000000000000000000aa 02 40 00 00 eth0\n";
        assert_eq!(any(&format!("{local}{unique}")), Ok("fd00:1234:5678::aa".into()));
        let problem = "none of its addresses can be published: fe80::1 (link-local)";
        assert_eq!(any(local), Err(problem.into()));
    }

    #[test]
    fn error_lists_all_addresses_with_their_reasons() {
        let table = "\
fe80000000000000ba27ebfffe123456 02 40 20 80   wlan0
fd0012345678000000000000000000aa 02 40 00 00   wlan0
2a02810d00a41c0084c1f2a3b4c5d6e7 02 40 00 01   wlan0
2a02810d00a41c000000000000000001 02 40 00 20   wlan0
2a02810d00a41c000000000000000002 02 40 00 40   wlan0
2a02810d00a41c000000000000000003 02 40 00 c8   wlan0
";
        assert_eq!(
            chosen(table, "wlan0"),
            Err("none of its addresses can be published: fe80::ba27:ebff:fe12:3456 (link-local), \
                 fd00:1234:5678::aa (unique-local), 2a02:810d:a4:1c00:84c1:f2a3:b4c5:d6e7 \
                 (temporary), 2a02:810d:a4:1c00::1 (deprecated), 2a02:810d:a4:1c00::2 (tentative), \
                 2a02:810d:a4:1c00::3 (failed duplicate detection)"
                .into())
        );
        assert_eq!(chosen(table, "eth0"), Err("it has no IPv6 address".into()));
    }

    #[test]
    fn broken_table_is_an_error_not_an_empty_list() {
        for row in [
            "x",
            "zz 02 40 00 80 eth0",
            "01 02 40 00 80 eth0",
            "+e80000000000000ba27ebfffe123456 02 40 20 80 eth0",
            "fe80000000000000ba27ebfffe123456 02 40 20 +8 eth0",
            "fe80000000000000ba27ebfffe123456 02 40 20 080 eth0",
        ] {
            let problem = "/proc/net/if_inet6 has a row that cannot be read";
            assert_eq!(parse(row, "eth0"), Err(problem.into()), "{row}");
        }
    }
}
