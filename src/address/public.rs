//! Decides whether an address is public, that is, reachable from the Internet, by a table of IANA's
//! special-purpose registries.

use std::net::{IpAddr, Ipv4Addr};

use crate::cidr::Cidr;

/// The kind of an address that a provider shares among its customers (RFC 6598).
pub const CGNAT: &str = "CGNAT (shared with the provider's other customers)";

/// CIDRs and their kind. `None` marks the globally reachable part of a larger CIDR. The first CIDR
/// that contains an address decides.
///
/// IPv4: IANA's IPv4 Special-Purpose Address Registry, the multicast CIDR (RFC 5771) and the relay
/// anycast of the withdrawn 6to4 (RFC 7526). IPv6: IANA's IPv6 registry; all addresses outside the
/// global unicast space `2000::/3` (RFC 4291) are rejected.
const KINDS: &[(Cidr, Option<&str>)] = &[
    (Cidr::v4([0, 0, 0, 0], 8), Some("\"this network\"")),
    (Cidr::v4([10, 0, 0, 0], 8), Some("private")),
    (Cidr::v4([100, 64, 0, 0], 10), Some(CGNAT)),
    (Cidr::v4([127, 0, 0, 0], 8), Some("loopback")),
    (Cidr::v4([169, 254, 0, 0], 16), Some("link-local")),
    (Cidr::v4([172, 16, 0, 0], 12), Some("private")),
    (Cidr::v4([192, 0, 0, 9], 32), None),
    (Cidr::v4([192, 0, 0, 10], 32), None),
    (Cidr::v4([192, 0, 0, 0], 24), Some("reserved for protocol assignments")),
    (Cidr::v4([192, 0, 2, 0], 24), Some("documentation")),
    (Cidr::v4([192, 88, 99, 0], 24), Some("6to4 relay")),
    (Cidr::v4([192, 168, 0, 0], 16), Some("private")),
    (Cidr::v4([198, 18, 0, 0], 15), Some("benchmarking")),
    (Cidr::v4([198, 51, 100, 0], 24), Some("documentation")),
    (Cidr::v4([203, 0, 113, 0], 24), Some("documentation")),
    (Cidr::v4([224, 0, 0, 0], 4), Some("multicast")),
    (Cidr::v4([255, 255, 255, 255], 32), Some("broadcast")),
    (Cidr::v4([240, 0, 0, 0], 4), Some("reserved")),
    (Cidr::v6(&[], 128), Some("unspecified")),
    (Cidr::v6(&[0, 0, 0, 0, 0, 0, 0, 1], 128), Some("loopback")),
    (Cidr::v6(&[0, 0, 0, 0, 0, 0xffff], 96), Some("IPv4-mapped")),
    (Cidr::v6(&[0x64, 0xff9b], 96), Some("IPv4/IPv6 translation")),
    (Cidr::v6(&[0x64, 0xff9b, 1], 48), Some("IPv4/IPv6 translation")),
    (Cidr::v6(&[0x100], 64), Some("discard-only")),
    (Cidr::v6(&[0x2001, 1, 0, 0, 0, 0, 0, 1], 128), None),
    (Cidr::v6(&[0x2001, 1, 0, 0, 0, 0, 0, 2], 128), None),
    (Cidr::v6(&[0x2001, 1, 0, 0, 0, 0, 0, 3], 128), None),
    (Cidr::v6(&[0x2001, 3], 32), None),
    (Cidr::v6(&[0x2001, 4, 0x112], 48), None),
    (Cidr::v6(&[0x2001, 0x20], 28), None),
    (Cidr::v6(&[0x2001, 0x30], 28), None),
    (Cidr::v6(&[0x2001], 32), Some("Teredo")),
    (Cidr::v6(&[0x2001, 2], 48), Some("benchmarking")),
    (Cidr::v6(&[0x2001], 23), Some("reserved for protocol assignments")),
    (Cidr::v6(&[0x2001, 0xdb8], 32), Some("documentation")),
    (Cidr::v6(&[0x2002], 16), Some("6to4")),
    (Cidr::v6(&[0x3fff], 20), Some("documentation")),
    (Cidr::v6(&[0x2000], 3), None),
    (Cidr::v6(&[0xfc00], 7), Some("unique-local")),
    (Cidr::v6(&[0xfe80], 10), Some("link-local")),
    (Cidr::v6(&[0xfec0], 10), Some("site-local")),
    (Cidr::v6(&[0xff00], 8), Some("multicast")),
    (Cidr::v6(&[], 0), Some("outside the global unicast space 2000::/3")),
];

/// The kind of an address that is not public, as in "private"; `None` if it is public.
pub fn not_public(address: IpAddr) -> Option<&'static str> {
    KINDS.iter().find(|(cidr, _)| cidr.contains(address)).and_then(|&(_, kind)| kind)
}

/// Whether no host on any network can have `address`: unspecified ("this network"), multicast,
/// reserved, broadcast, or IPv4-mapped (RFC 4291, section 2.5.5.2). False for loopback, which is an
/// address of this host.
pub fn is_of_no_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] == 0 || address >= Ipv4Addr::new(224, 0, 0, 0),
        IpAddr::V6(address) => {
            address.is_unspecified() || address.is_multicast() || address.to_ipv4_mapped().is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the last address of each CIDR, and its neighbours.
    #[test]
    fn kind_is_right_at_the_edges_of_each_cidr() {
        let private = Some("private");
        let cgnat = Some(CGNAT);
        let documentation = Some("documentation");
        let protocols = Some("reserved for protocol assignments");
        let outside = Some("outside the global unicast space 2000::/3");
        for (address, kind) in [
            ("0.0.0.0", Some("\"this network\"")),
            ("0.255.255.255", Some("\"this network\"")),
            ("1.0.0.0", None),
            ("9.255.255.255", None),
            ("10.0.0.0", private),
            ("10.255.255.255", private),
            ("11.0.0.0", None),
            ("100.63.255.255", None),
            ("100.64.0.0", cgnat),
            ("100.127.255.255", cgnat),
            ("100.128.0.0", None),
            ("127.0.0.1", Some("loopback")),
            ("128.0.0.0", None),
            ("169.254.0.1", Some("link-local")),
            ("172.15.255.255", None),
            ("172.16.0.0", private),
            ("172.31.255.255", private),
            ("172.32.0.0", None),
            ("192.0.0.8", protocols),
            ("192.0.0.9", None),
            ("192.0.0.10", None),
            ("192.0.0.11", protocols),
            ("192.0.1.0", None),
            ("192.0.2.255", documentation),
            ("192.31.196.1", None),
            ("192.88.99.1", Some("6to4 relay")),
            ("192.168.255.255", private),
            ("192.169.0.0", None),
            ("192.175.48.1", None),
            ("198.17.255.255", None),
            ("198.18.0.0", Some("benchmarking")),
            ("198.19.255.255", Some("benchmarking")),
            ("198.20.0.0", None),
            ("198.51.100.7", documentation),
            ("203.0.113.7", documentation),
            ("203.0.114.0", None),
            ("223.255.255.255", None),
            ("224.0.0.0", Some("multicast")),
            ("239.255.255.255", Some("multicast")),
            ("240.0.0.0", Some("reserved")),
            ("255.255.255.254", Some("reserved")),
            ("255.255.255.255", Some("broadcast")),
            ("::", Some("unspecified")),
            ("::1", Some("loopback")),
            ("::2", outside),
            ("::ffff:8.8.8.8", Some("IPv4-mapped")),
            ("64:ff9b::808:808", Some("IPv4/IPv6 translation")),
            ("64:ff9b:1::1", Some("IPv4/IPv6 translation")),
            ("100::1", Some("discard-only")),
            ("100:0:0:1::1", outside),
            ("1fff:ffff::1", outside),
            ("2000::1", None),
            ("2001::1", Some("Teredo")),
            ("2001:0:ffff::1", Some("Teredo")),
            ("2001:1::", protocols),
            ("2001:1::1", None),
            ("2001:1::3", None),
            ("2001:1::4", protocols),
            ("2001:2::1", Some("benchmarking")),
            ("2001:2:1::1", protocols),
            ("2001:3::1", None),
            ("2001:4:112::1", None),
            ("2001:4:113::1", protocols),
            ("2001:10::1", protocols),
            ("2001:20::1", None),
            ("2001:3f:ffff::1", None),
            ("2001:40::1", protocols),
            ("2001:1ff:ffff::1", protocols),
            ("2001:200::1", None),
            ("2001:db7:ffff::1", None),
            ("2001:db8::1", documentation),
            ("2001:db9::1", None),
            ("2002:808:808::1", Some("6to4")),
            ("2003::1", None),
            ("2620:4f:8000::1", None),
            ("3ffe:ffff::1", None),
            ("3fff::1", documentation),
            ("3fff:fff:ffff::1", documentation),
            ("3fff:1000::1", None),
            ("4000::1", outside),
            ("5f00::1", outside),
            ("fbff::1", outside),
            ("fc00::1", Some("unique-local")),
            ("fdff::1", Some("unique-local")),
            ("fe80::1", Some("link-local")),
            ("fec0::1", Some("site-local")),
            ("ff02::1", Some("multicast")),
        ] {
            assert_eq!(not_public(address.parse().unwrap()), kind, "{address}");
        }
    }

    #[test]
    fn address_of_no_host_is_recognised_at_the_edges() {
        for (address, of_no_host) in [
            ("0.0.0.0", true),
            ("0.255.255.255", true),
            ("1.0.0.0", false),
            ("10.1.2.3", false),
            ("127.0.0.1", false),
            ("223.255.255.255", false),
            ("224.0.0.0", true),
            ("240.0.0.1", true),
            ("255.255.255.255", true),
            ("::", true),
            ("::1", false),
            ("::ffff:0.0.0.0", true),
            ("::ffff:9.9.9.9", true),
            ("::fffe:9.9.9.9", false),
            ("fd00::1", false),
            ("fe80::1", false),
            ("ff00::", true),
            ("ff02::1", true),
        ] {
            assert_eq!(is_of_no_host(address.parse().unwrap()), of_no_host, "{address}");
        }
    }

    #[test]
    fn no_cidr_in_the_table_has_host_bits_set() {
        for (cidr, _) in KINDS {
            assert_eq!(Cidr::parse(&cidr.to_string()), Ok(*cidr));
        }
    }
}
