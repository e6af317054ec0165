//! The parts of a record set: name, type, TTL and values. Each is normalised once, so that `==` is
//! right everywhere else. Knows nothing of requests, files or policy about overwriting.

pub mod plan;
pub mod wanted;

use std::fmt;
use std::net::IpAddr;

use crate::error::SetupError;

/// A domain name as Route 53 stores it: lower case, without the trailing dot, and every byte
/// outside `a-z0-9-_.` as `\ooo` (three octal digits), so that two spellings of one name are equal.
///
/// Source: "DNS domain name format" in the Route 53 developer guide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DnsName(String);

/// Longest name in bytes without the trailing dot (RFC 1035, 255 octets on the wire).
const MAX_NAME: usize = 253;
/// Longest label in bytes (RFC 1035).
const MAX_LABEL: usize = 63;

impl DnsName {
    /// Parses a name from a configuration: in any case, with or without the trailing dot, with `*`
    /// (or `\052`) only as the whole first label. The error is a phrase that follows the key.
    pub fn from_config(text: &str) -> Result<Self, SetupError> {
        if !text.is_ascii() {
            return Err(SetupError::new("is not ASCII").advise("write the name in its xn-- form"));
        }
        let name = Self::from_route53(text)?;
        let whole = text.strip_suffix('.').unwrap_or(text);
        let host = ["*.", "\\052."].iter().find_map(|wildcard| whole.strip_prefix(wildcard));
        let strange = |byte: &u8| !is_plain(*byte) && *byte != b'.';
        match host.unwrap_or(whole).bytes().find(strange) {
            None => Ok(name),
            Some(b'*') => Err("has a * that is not the whole of its first label".into()),
            Some(byte) => {
                Err(format!("has the character {:?}, which no host name has", char::from(byte))
                    .into())
            }
        }
    }

    /// Parses a name in the spelling of Route 53's responses.
    pub fn from_route53(text: &str) -> Result<Self, String> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err("is empty".into());
        }
        let mut name = String::with_capacity(text.len());
        let mut total = 0;
        for label in text.split('.') {
            if !name.is_empty() {
                name.push('.');
                total += 1;
            }
            let start = total;
            for byte in unescape(label)? {
                total += 1;
                push_escaped(&mut name, byte.to_ascii_lowercase());
            }
            if total == start {
                return Err("has an empty label (two dots in a row, or one in front)".into());
            }
            if total - start > MAX_LABEL {
                return Err(format!("has a label of over {MAX_LABEL} bytes"));
            }
        }
        if total > MAX_NAME {
            return Err(format!("is longer than {MAX_NAME} bytes"));
        }
        Ok(Self(name))
    }

    /// Whether it is `zone` or a name below it.
    pub fn is_within(&self, zone: &Self) -> bool {
        // A dot inside a label is escaped, so every dot here separates labels.
        let below = self.0.strip_suffix(&zone.0);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }

    /// The normalised form without the trailing dot, as the IAM condition key
    /// `route53:ChangeResourceRecordSetsNormalizedRecordNames` has it.
    pub fn normalised(&self) -> &str {
        &self.0
    }
}

/// Shows a leading `\052` as `*`.
impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.strip_prefix("\\052.") {
            Some(rest) => write!(f, "*.{rest}"),
            None => f.write_str(&self.0),
        }
    }
}

/// The types of record set that hold one public address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordType {
    A,
    Aaaa,
}

impl RecordType {
    /// The spelling of DNS and Route 53, upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }

    /// The address family of the values.
    pub const fn family(self) -> Family {
        match self {
            Self::A => Family::V4,
            Self::Aaaa => Family::V6,
        }
    }

    /// Reads `A` or `AAAA`, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::A, Self::Aaaa].into_iter().find(|t| t.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// The time for which resolvers may cache a record, in seconds: 1 to 2147483647.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl(u32);

impl Ttl {
    /// The TTL of a new record if the configuration has none: ten minutes.
    pub const DEFAULT: Self = Self(600);
    /// The greatest TTL of DNS (RFC 2181, section 8).
    pub const MAX: u32 = 2_147_483_647;

    /// `seconds` as a TTL, or `None` outside 1 to [`Ttl::MAX`].
    pub fn new(seconds: u64) -> Option<Self> {
        u32::try_from(seconds).ok().filter(|s| (1..=Self::MAX).contains(s)).map(Self)
    }

    /// Parses a TTL of Route 53, where it may also be 0.
    pub fn from_route53(text: &str) -> Option<Self> {
        text.parse().ok().filter(|&seconds| seconds <= Self::MAX).map(Self)
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name and type of a record that autodns keeps up to date.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordKey {
    pub name: DnsName,
    pub record_type: RecordType,
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.record_type)
    }
}

/// A record set as autodns writes it, with one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRecord {
    pub key: RecordKey,
    pub ttl: Ttl,
    pub address: IpAddr,
}

/// A record set as Route 53 lists it, of any type. Members that an UPSERT of autodns would delete
/// are kept by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    pub name: DnsName,
    /// `A`, `CNAME`, `TXT`, …
    pub record_type: String,
    /// `None` for an alias.
    pub ttl: Option<Ttl>,
    /// In the listed order; empty for an alias.
    pub values: Vec<String>,
    /// The names of the members beyond Name, Type, TTL and `ResourceRecords`.
    pub other_members: Vec<String>,
}

impl RecordSet {
    /// Whether the name and the type are those of `key`.
    pub fn is_of(&self, key: &RecordKey) -> bool {
        self.name == key.name && self.record_type == key.record_type.as_str()
    }

    /// The first five values of an address record, for a message. Values of other types are not
    /// shown, because they may contain anything.
    pub fn first_values(&self, between: &str) -> String {
        if RecordType::parse(&self.record_type).is_none() {
            return String::new();
        }
        let first: Vec<&str> = self.values.iter().take(MAX_SHOWN).map(String::as_str).collect();
        let more = if self.values.len() > MAX_SHOWN { "..." } else { "" };
        first.join(between) + more
    }
}

/// The number of values of a record set in a message.
const MAX_SHOWN: usize = 5;

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn push_escaped(out: &mut String, byte: u8) {
    if is_plain(byte) {
        out.push(char::from(byte));
    } else {
        out.push('\\');
        for shift in [6, 3, 0] {
            out.push(char::from(b'0' + (byte >> shift & 7)));
        }
    }
}

/// The bytes of `text` with each `\ooo` decoded.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                rest = after;
                (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')
            }
            (b'\\', _) => return Err("has a \\ that no three octal digits follow".into()),
            _ => *first,
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_are_equal() {
        for (spelling, normalised, shown) in [
            ("home.example.com", "home.example.com", "home.example.com"),
            ("Home.Example.COM.", "home.example.com", "home.example.com"),
            ("*.home.example.com", "\\052.home.example.com", "*.home.example.com"),
            ("\\052.home.example.com.", "\\052.home.example.com", "*.home.example.com"),
            ("_dmarc.a-b.example", "_dmarc.a-b.example", "_dmarc.a-b.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            let name = DnsName::from_config(spelling).unwrap();
            assert_eq!(name.normalised(), normalised, "{spelling}");
            assert_eq!(name.to_string(), shown, "{spelling}");
            assert_eq!(Ok(name), DnsName::from_route53(&format!("{normalised}.")), "{spelling}");
        }
    }

    #[test]
    fn message_shows_five_values_of_address_records_only() {
        let record = |record_type: &str, count: usize| RecordSet {
            name: DnsName::from_config("home.example.com").unwrap(),
            record_type: record_type.into(),
            ttl: None,
            values: (1..=count).map(|number| format!("192.0.2.{number}")).collect(),
            other_members: Vec::new(),
        };
        assert_eq!(record("A", 2).first_values(", "), "192.0.2.1, 192.0.2.2");
        assert_eq!(
            record("A", 400).first_values(" "),
            "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5..."
        );
        assert_eq!(record("TXT", 2).first_values(", "), "");
    }

    #[test]
    fn invalid_name_is_rejected_with_the_cause() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = vec!["a".repeat(63); 4].join(".");
        for (spelling, reason) in [
            ("", "is empty"),
            (".", "is empty"),
            ("home..example", "has an empty label (two dots in a row, or one in front)"),
            (".home.example", "has an empty label (two dots in a row, or one in front)"),
            ("home.example..", "has an empty label (two dots in a row, or one in front)"),
            (&long_label, "has a label of over 63 bytes"),
            (&long_name, "is longer than 253 bytes"),
            ("bücher.example", "is not ASCII; write the name in its xn-- form"),
            ("a b.example", "has the character ' ', which no host name has"),
            ("https://home.example", "has the character ':', which no host name has"),
            ("*.", "has a * that is not the whole of its first label"),
            ("a*.example", "has a * that is not the whole of its first label"),
            ("a.*.example", "has a * that is not the whole of its first label"),
            ("a\\9.example", "has a \\ that no three octal digits follow"),
            ("a\\056b.example", "has the character '\\\\', which no host name has"),
            ("\\141.example", "has the character '\\\\', which no host name has"),
        ] {
            let error = DnsName::from_config(spelling).unwrap_err().to_string();
            assert_eq!(error, reason, "{spelling}");
        }
    }

    #[test]
    fn name_is_within_its_zone_by_whole_labels() {
        let name = |text| DnsName::from_route53(text).unwrap();
        for (inner, zone, within) in [
            ("home.example.com", "example.com.", true),
            ("*.home.Example.com", "example.com", true),
            ("example.com", "example.com", true),
            ("home.exmaple.com", "example.com", false),
            ("myexample.com", "example.com", false),
            ("com", "example.com", false),
            ("my\\056example.com", "example.com", false),
        ] {
            assert_eq!(name(inner).is_within(&name(zone)), within, "{inner} {zone}");
        }
    }

    #[test]
    fn name_of_253_bytes_is_valid() {
        let label = "a".repeat(63);
        let name = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        assert_eq!(name.len(), 253);
        assert_eq!(DnsName::from_config(&format!("{name}.")).unwrap().normalised(), name);
    }

    #[test]
    fn name_in_a_response_may_have_any_byte() {
        for name in ["a\\057b.example", "a\\056b.example", "\\303\\274.example"] {
            assert_eq!(DnsName::from_route53(name).unwrap().normalised(), name);
        }
        assert_ne!(DnsName::from_route53("a\\056b.example"), DnsName::from_route53("a.b.example"));
    }

    #[test]
    fn ttl_has_the_bounds_of_dns() {
        for (seconds, good) in
            [(0, false), (1, true), (2_147_483_647, true), (2_147_483_648, false)]
        {
            assert_eq!(Ttl::new(seconds).is_some(), good, "{seconds}");
        }
        assert_eq!(Ttl::from_route53("0").map(|ttl| ttl.to_string()), Some("0".into()));
        assert_eq!(Ttl::from_route53("-1"), None);
    }
}
