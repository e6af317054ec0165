//! A CIDR, as in `198.51.100.0/24`: parsing, and whether it contains an address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    first: IpAddr,
    length: u32,
}

impl Cidr {
    /// Parses `ADDRESS/LENGTH`. The error is a phrase that follows the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let shape = "is not a network, as in 198.51.100.0/24 or 2001:db8::/32";
        let (address, length) = text.split_once('/').ok_or(shape)?;
        let first: IpAddr = address.parse().map_err(|_| shape)?;
        let length = prefix_length(length).filter(|&l| l <= bits_of(first)).ok_or(shape)?;
        let cidr = Self { first, length };
        if left_aligned(first).checked_shl(length).unwrap_or(0) == 0 {
            Ok(cidr)
        } else {
            Err("has host bits set, so it is not a network")
        }
    }

    /// The CIDR of this prefix length that contains `address`; `None` if the length is too large.
    pub fn around(address: IpAddr, length: u32) -> Option<Self> {
        (length <= bits_of(address)).then_some(Self { first: address, length })
    }

    /// The CIDR that contains only `address`.
    pub const fn only(address: IpAddr) -> Self {
        Self { first: address, length: bits_of(address) }
    }

    /// An IPv4 CIDR. No host bits may be set.
    pub const fn v4(octets: [u8; 4], length: u32) -> Self {
        let [a, b, c, d] = octets;
        Self { first: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length }
    }

    /// An IPv6 CIDR whose address is these 16-bit groups and then zeros. No host bits may be set.
    pub const fn v6(groups: &[u16], length: u32) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < groups.len() {
            bits |= (groups[index] as u128) << (112 - 16 * index);
            index += 1;
        }
        Self { first: IpAddr::V6(Ipv6Addr::from_bits(bits)), length }
    }

    /// False for an address of the other family.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differing = left_aligned(address) ^ left_aligned(self.first);
        self.has_family_of(address) && differing.leading_zeros() >= self.length
    }

    /// Whether the CIDR and `address` are of the same family.
    pub const fn has_family_of(&self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

/// Parses the length of a prefix, in bits. `parse` alone would also accept a sign.
pub fn prefix_length(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

const fn bits_of(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The bits of an address, shifted to the most significant end.
const fn left_aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => (address.to_bits() as u128) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cidr_contains_addresses_with_its_prefix() {
        for (cidr, address, holds) in [
            ("198.51.100.0/24", "198.51.100.0", true),
            ("198.51.100.0/24", "198.51.100.255", true),
            ("198.51.100.0/24", "198.51.101.0", false),
            ("198.51.100.7/32", "198.51.100.7", true),
            ("198.51.100.7/32", "198.51.100.6", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::1/128", "2001:db8::1", true),
            ("2001:db8::1/128", "2001:db8::2", false),
            ("::/0", "ffff::", true),
            ("::/0", "0.0.0.0", false),
        ] {
            let parsed = Cidr::parse(cidr).unwrap();
            assert_eq!(parsed.to_string(), cidr);
            assert_eq!(parsed.contains(address.parse().unwrap()), holds, "{cidr} {address}");
        }
    }

    #[test]
    fn text_that_is_not_a_cidr_is_rejected() {
        let shape = "is not a network, as in 198.51.100.0/24 or 2001:db8::/32";
        let host_bits = "has host bits set, so it is not a network";
        for (text, problem) in [
            ("", shape),
            ("198.51.100.0", shape),
            ("198.51.100.0/", shape),
            ("198.51.100.0/33", shape),
            ("198.51.100.0/+8", shape),
            ("198.51.100/24", shape),
            ("2001:db8::/129", shape),
            ("198.51.100.7/24", host_bits),
            ("1.0.0.0/0", host_bits),
            ("2001:db8::1/127", host_bits),
        ] {
            assert_eq!(Cidr::parse(text), Err(problem), "{text}");
        }
    }
}
