//! The wordings that many scenarios meet, in one place: what is said of an address that could not
//! be learnt, of records that could not be listed or changed, of an alert that could not be sent.
//! Each is asserted whole by the scenarios that use it.

use super::http::Family;

/// What the usual reflector's failure is called on stderr, up to the reason.
pub fn unlearnt(family: Family) -> String {
    let (record, family) = match family {
        Family::V4 => ("A", "IPv4"),
        Family::V6 => ("AAAA", "IPv6"),
    };
    format!(
        "autodns: home.example.com {record}: could not learn the public {family} address from \
         {{reflector}}/reflect/v1: "
    )
}

/// What is said of a reflector that answers `out of order`.
pub fn out_of_order(family: Family) -> String {
    unlearnt(family)
        + "it answered \"out of order\", which is no address; check the reflector, and the key in \
           reflect_url if it has one\n"
}

/// What a failed list is called on stderr, up to the reason.
pub const UNLISTED: &str =
    "autodns: home.example.com A: could not list the records of hosted zone {zone}: ";

/// What a failed change is called on stderr, up to the reason.
pub const UNCHANGED: &str =
    "autodns: home.example.com A: could not change the record in hosted zone {zone}: ";

/// What a change that may have been made is called on stderr, up to the reason.
pub const UNCONFIRMED: &str = "autodns: home.example.com A: could not confirm the change of the \
                               record in hosted zone {zone}: ";

/// What an alert that could not be sent is called on stderr, up to the reason.
pub const UNPUBLISHED: &str =
    "autodns: home.example.com: the alert: could not publish to {topic}: ";
