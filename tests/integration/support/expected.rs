//! The wordings that many scenarios meet, in one place: what is said of an address that could not
//! be learnt, of records that could not be listed or changed, of an alert that could not be sent.
//! Each is asserted whole by the scenarios that use it.

use super::http::Family;

/// What the usual reflector's failure is called on stderr, up to the reason.
pub fn address_failed(family: Family) -> String {
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
    address_failed(family)
        + "it answered 12 bytes of text, not an address; check the reflector, and the key in \
           reflect_url if it has one\n"
}

/// What a failed list is called on stderr, up to the reason.
pub const LIST_FAILED: &str =
    "autodns: home.example.com A: could not list the records of hosted zone {zone}: ";

/// What a failed change is called on stderr, up to the reason.
pub const CHANGE_FAILED: &str =
    "autodns: home.example.com A: could not change the record in hosted zone {zone}: ";

/// What a change that may have been made is called on stderr, up to the reason.
pub const UNCONFIRMED: &str = "autodns: home.example.com A: could not confirm the change of the \
                               record in hosted zone {zone}: ";

/// What an alert that could not be sent is called on stderr, up to the reason.
pub const PUBLISH_FAILED: &str =
    "autodns: home.example.com: the alert: could not publish to {topic}: ";

/// What is advised where the user's policy allows too little, and the end of its line.
pub const REPLACE_POLICY: &str = "replace the policy of this IAM user by what this command prints: \
                                  sudo {program} policy {home}/autodns.json\n";

/// What is said of a server whose certificate that CA issued, and the end of its line.
pub fn untrusted_server(issuer: &str) -> String {
    format!(
        "the server's certificate is not trusted: it is issued by \"{issuer}\", which is not a \
         trusted root; check who answers there; a CA of your own goes into AWS_CA_BUNDLE\n"
    )
}

/// What a run over IPv4 says that trusts neither the reflector nor AWS, all of it.
pub fn nothing_trusted(issuer: &str) -> String {
    let why = untrusted_server(issuer);
    format!(
        "{}{why}{LIST_FAILED}{{aws}}: {why}{PUBLISH_FAILED}{{aws}}: {why}",
        address_failed(Family::V4)
    )
}
