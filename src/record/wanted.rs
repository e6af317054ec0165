//! The wanted records and the address of each: the public address, or the address of another host
//! behind the same prefix. Pure; knows nothing of the records in Route 53.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use crate::cidr::prefix_length;
use crate::record::{DnsName, RecordKey, RecordType};

/// A record that follows the public address.
#[derive(Clone, Debug)]
pub struct WantedRecord {
    pub key: RecordKey,
    /// The host's part of the address. If `None`, the address is the public address itself.
    pub suffix: Option<Suffix>,
}

impl WantedRecord {
    /// The address of this record, given the `public` address of its family.
    pub fn address(&self, public: IpAddr) -> IpAddr {
        match (self.suffix, public) {
            (Some(suffix), IpAddr::V6(public)) => suffix.behind_prefix_of(public).into(),
            _ => public,
        }
    }

    /// A record of each of `types` for each of `names`, and an AAAA record for each of `hosts`. The
    /// error is a host that has one already.
    pub fn all(
        names: &[DnsName],
        types: &[RecordType],
        hosts: Vec<(DnsName, Suffix)>,
    ) -> Result<Vec<Self>, String> {
        let types: BTreeSet<RecordType> = types.iter().copied().collect();
        let record = |name: &DnsName, record_type, suffix| Self {
            key: RecordKey { name: name.clone(), record_type },
            suffix,
        };
        let mut records: Vec<Self> = names
            .iter()
            .flat_map(|name| types.iter().map(move |&record_type| record(name, record_type, None)))
            .collect();
        for (name, suffix) in hosts {
            let host = record(&name, RecordType::Aaaa, Some(suffix));
            if records.iter().any(|record| record.key == host.key) {
                return Err(format!(
                    "\"ipv6_hosts\" names {name}, which has an AAAA record by dns_name and \
                     record_types"
                ));
            }
            records.push(host);
        }
        Ok(records)
    }
}

/// The part of a host's IPv6 address that stays when the provider changes the prefix. Behind a
/// prefix of 64 bits it is the interface identifier (RFC 4291, section 2.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suffix {
    bits: u128,
    /// The bits of the prefix, set.
    mask: u128,
}

/// The default length of the prefix of a home network, in bits.
const DEFAULT_LENGTH: u32 = 64;

impl Suffix {
    /// Reads `::211:32ff:fe12:3456`, or `::1:211:32ff:fe12:3456/56` with the length of the prefix.
    /// The error is a phrase to follow the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        const SHAPE: &str = "must be an address without its prefix, as in ::211:32ff:fe12:3456, \
                             or ::1:211:32ff:fe12:3456/56 behind a prefix of 56 bits";
        let (suffix, length) = match text.split_once('/') {
            Some((suffix, length)) => (suffix, prefix_length(length).ok_or(SHAPE)?),
            None => (text, DEFAULT_LENGTH),
        };
        let bits = suffix.parse::<Ipv6Addr>().map_err(|_| SHAPE)?.to_bits();
        if !(1..128).contains(&length) {
            return Err("must have a prefix of 1 to 127 bits".into());
        }
        let mask = u128::MAX << (128 - length);
        if bits & mask != 0 {
            return Err(format!("must have only zeros in the {length} bits of the prefix"));
        }
        if bits == 0 {
            return Err("must name a host: it has only zeros".into());
        }
        Ok(Self { bits, mask })
    }

    /// The host's address on the connection where a machine has `address`.
    pub fn behind_prefix_of(self, address: Ipv6Addr) -> Ipv6Addr {
        Ipv6Addr::from_bits(address.to_bits() & self.mask | self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_address_is_prefix_and_suffix() {
        let found = "2001:db8:1:2ff:aaaa:bbbb:cccc:dddd".parse().unwrap();
        for (suffix, expected) in [
            ("::211:32ff:fe12:3456", "2001:db8:1:2ff:211:32ff:fe12:3456"),
            ("::1", "2001:db8:1:2ff::1"),
            ("::1/64", "2001:db8:1:2ff::1"),
            ("::0001/064", "2001:db8:1:2ff::1"),
            ("::3:211:32ff:fe12:3456/56", "2001:db8:1:203:211:32ff:fe12:3456"),
            ("0:0:1:2:3:4:5:6/32", "2001:db8:1:2:3:4:5:6"),
            ("::192.0.2.1", "2001:db8:1:2ff::c000:201"),
            ("::1/127", "2001:db8:1:2ff:aaaa:bbbb:cccc:dddd"),
            ("7fff::1/1", "7fff::1"),
        ] {
            let host = Suffix::parse(suffix).unwrap().behind_prefix_of(found);
            assert_eq!(host.to_string(), expected, "{suffix}");
        }
    }

    #[test]
    fn suffix_that_does_not_fit_is_rejected() {
        let shape = "must be an address without its prefix, as in ::211:32ff:fe12:3456, or \
                     ::1:211:32ff:fe12:3456/56 behind a prefix of 56 bits";
        let length = "must have a prefix of 1 to 127 bits";
        for (text, error) in [
            ("", shape),
            ("192.0.2.1", shape),
            ("211:32ff:fe12:3456", shape),
            ("::1%eth0", shape),
            ("::1/", shape),
            ("::1/+64", shape),
            ("::1/64/64", shape),
            ("::1/4294967296", shape),
            ("::1/0", length),
            ("::1/128", length),
            ("fe80::211:32ff:fe12:3456", "must have only zeros in the 64 bits of the prefix"),
            ("::1:0:0:0:1", "must have only zeros in the 64 bits of the prefix"),
            ("::100:0:0:0:1/56", "must have only zeros in the 56 bits of the prefix"),
            ("::", "must name a host: it has only zeros"),
        ] {
            assert_eq!(Suffix::parse(text), Err(error.into()), "{text}");
        }
    }
}
