//! What a record set is made of: its name, type, TTL and values, each normalised once, so that
//! `==` is right everywhere else. Knows nothing of requests, files or policy about overwriting.

pub mod plan;
pub mod wanted;

use std::fmt;
use std::net::IpAddr;

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
    /// Reads the name of an address record as a person writes it in a configuration: any case,
    /// with or without the trailing dot, `*` (or `\052`) as the whole first label. The error is a
    /// phrase that says what is wrong, to be put behind the name of the key.
    pub fn from_config(text: &str) -> Result<Self, String> {
        if !text.is_ascii() {
            return Err("is not ASCII; write the name in its xn-- form".into());
        }
        let name = Self::from_route53(text)?;
        let whole = text.strip_suffix('.').unwrap_or(text);
        let host = ["*.", "\\052."].iter().find_map(|wildcard| whole.strip_prefix(wildcard));
        let strange = |byte: &u8| !is_plain(*byte) && *byte != b'.';
        match host.unwrap_or(whole).bytes().find(strange) {
            None => Ok(name),
            Some(b'*') => Err("has a * that is not the whole of its first label".into()),
            Some(byte) => {
                Err(format!("has the character {:?}, which no host name has", char::from(byte)))
            }
        }
    }

    /// Reads a name as Route 53's answers spell it.
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
        // A dot inside a label is escaped, so every dot here divides labels.
        let below = self.0.strip_suffix(&zone.0);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }

    /// The normalised form without the trailing dot, as the IAM condition key
    /// `route53:ChangeResourceRecordSetsNormalizedRecordNames` has it.
    pub fn normalised(&self) -> &str {
        &self.0
    }
}

/// The form a person knows: a leading `\052` is shown as `*`.
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
    /// An IPv4 address.
    A,
    /// An IPv6 address.
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

    /// The address family that records of this type are asked over.
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

/// An address family. The two never wait for, stop or hide each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of `address`.
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

/// How long a resolver may keep an answer, in seconds: 1 to 2147483647.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl(u32);

impl Ttl {
    /// The TTL of a record that autodns creates when its configuration names none: ten minutes.
    pub const DEFAULT: Self = Self(600);
    /// The greatest TTL that DNS knows (RFC 2181, section 8).
    pub const MAX: u32 = 2_147_483_647;

    /// `seconds` as a TTL, or `None` outside 1 to [`Ttl::MAX`].
    pub fn new(seconds: u64) -> Option<Self> {
        u32::try_from(seconds).ok().filter(|s| (1..=Self::MAX).contains(s)).map(Self)
    }

    /// Reads a TTL that Route 53 states. It also has 0 there, which a person may have set.
    pub fn from_route53(text: &str) -> Option<Self> {
        text.parse().ok().filter(|&seconds| seconds <= Self::MAX).map(Self)
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One record this program looks after.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordKey {
    /// The name.
    pub name: DnsName,
    /// The type.
    pub record_type: RecordType,
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.record_type)
    }
}

/// A record set as this program writes it: one address and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRecord {
    /// Its name and type.
    pub key: RecordKey,
    /// Its TTL.
    pub ttl: Ttl,
    /// Its one value.
    pub address: IpAddr,
}

/// A record set as Route 53 lists it. It may be anything, so its type stays text, and members
/// that this program would lose by an UPSERT are kept by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Its name.
    pub name: DnsName,
    /// Its type as listed: `A`, `CNAME`, `TXT`, …
    pub record_type: String,
    /// Its TTL; an alias has none.
    pub ttl: Option<Ttl>,
    /// Its values, in the order listed; an alias has none.
    pub values: Vec<String>,
    /// The names of the members beyond Name, Type, TTL and `ResourceRecords`.
    pub other_members: Vec<String>,
}

impl RecordSet {
    /// Whether it is the record set of `key`: the name and the type are the same.
    pub fn is_of(&self, key: &RecordKey) -> bool {
        self.name == key.name && self.record_type == key.record_type.as_str()
    }

    /// The values for a message: the first five of an address record. What records of other types
    /// hold is not shown: it may be anything.
    pub fn shown_values(&self, between: &str) -> String {
        if RecordType::parse(&self.record_type).is_none() {
            return String::new();
        }
        let first: Vec<&str> = self.values.iter().take(MAX_SHOWN).map(String::as_str).collect();
        let more = if self.values.len() > MAX_SHOWN { "..." } else { "" };
        first.join(between) + more
    }
}

/// How many values of a record set a message shows.
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

/// The bytes of `text` with each `\ooo` read back.
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
    fn few_values_of_addresses_alone_are_shown() {
        let record = |record_type: &str, count: usize| RecordSet {
            name: DnsName::from_config("home.example.com").unwrap(),
            record_type: record_type.into(),
            ttl: None,
            values: (1..=count).map(|number| format!("192.0.2.{number}")).collect(),
            other_members: Vec::new(),
        };
        assert_eq!(record("A", 2).shown_values(", "), "192.0.2.1, 192.0.2.2");
        assert_eq!(
            record("A", 400).shown_values(" "),
            "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5..."
        );
        assert_eq!(record("TXT", 2).shown_values(", "), "");
    }

    #[test]
    fn impossible_names_are_refused_with_the_reason() {
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
            assert_eq!(DnsName::from_config(spelling), Err(reason.into()), "{spelling}");
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
    fn the_longest_names_are_possible() {
        let label = "a".repeat(63);
        let name = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        assert_eq!(name.len(), 253);
        assert_eq!(DnsName::from_config(&format!("{name}.")).unwrap().normalised(), name);
    }

    #[test]
    fn names_in_answers_may_hold_any_byte() {
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
