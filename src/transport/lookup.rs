//! Looks up the name of a host with the system's resolver, by a deadline, and recognises addresses
//! that come from a blocking DNS server. Opens no connection.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::kind::{Kind, Phase};
use crate::deadline::Deadline;
use crate::detached::{NoResult, within};

/// Domains in autodns or its documentation whose hosts are certainly on the Internet. A loopback or
/// private address for one of these domains, or for a name below one, is a block.
const PUBLIC_DOMAINS: [&str; 20] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.jamesoff.net",
    "ipify.org",
    "icanhazip.com",
    "ident.me",
    "ifconfig.co",
    "ifconfig.me",
    "ipinfo.io",
    "myip.com",
    "my-ip.io",
    "seeip.org",
    "dyndns.org",
    "ip.sb",
    "hc-ping.com",
    "healthchecks.io",
];

/// The addresses of the host of a URL, without duplicates, in the order of the resolver. If the
/// host is an address, it is the only result and nothing is looked up.
pub fn addresses_of(host: &str, port: u16, end: Deadline) -> Result<Vec<SocketAddr>, Kind> {
    if let Some(address) = address_in(host) {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let name = host.to_owned();
    let look_up = move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
    let mut found: Vec<SocketAddr> = match within(end, look_up) {
        Ok(found) => found.map_err(|error| Kind::of_look_up(&error))?,
        Err(NoResult::Overdue) => return Err(Kind::TimedOut(Phase::Resolving)),
        Err(NoResult::NoThread) => return Err(Kind::NoThread),
        Err(NoResult::Died) => {
            let died = "the look-up of the host's name ended without a result";
            return Err(Kind::Other(died.into()));
        }
    };
    let mut seen = BTreeSet::new();
    found.retain(|address| seen.insert(*address));
    Ok(found)
}

/// The host of a URL without the brackets around an IPv6 address.
pub fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// The address that a host is, with or without brackets. `None` for a name.
pub fn address_in(host: &str) -> Option<IpAddr> {
    without_brackets(host).parse().ok()
}

/// A private or link-local address.
pub const fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// A name in lower case, without a final dot.
pub fn canonical_name(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Whether a canonical name is `domain` or a name below it.
pub fn is_in_domain(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether `host` is certainly the name of a server on the Internet.
pub fn is_public_name(host: &str) -> bool {
    let host = canonical_name(host);
    PUBLIC_DOMAINS.iter().any(|domain| is_in_domain(&host, domain))
}

/// The first of `addresses`, if all of them show that a DNS server blocks `host`. `0.0.0.0` and
/// `::` are a block for every name, because no host has these addresses. A loopback or private
/// address is a block only for a name that is certainly on the Internet: any other name may be the
/// name of a server at home.
pub fn blocking_address(host: &str, addresses: &[SocketAddr]) -> Option<IpAddr> {
    let first = addresses.first()?.ip();
    if address_in(host).is_some() {
        return None;
    }
    let public = is_public_name(host);
    let is_at_home = |address: IpAddr| address.is_loopback() || is_private(address);
    let blocks = |address: IpAddr| {
        address.is_unspecified() || (public && is_at_home(address.to_canonical()))
    };
    addresses.iter().all(|address| blocks(address.ip())).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_that_a_name_cannot_have_is_a_block() {
        for (host, addresses, blocked) in [
            ("checkip.amazonaws.com", &["0.0.0.0:443"][..], true),
            ("checkip.amazonaws.com.", &["127.0.0.1:443"], true),
            ("Route53.AmazonAWS.com", &["192.168.1.2:443", "[fd00::1]:443"], true),
            ("sns.eu-west-1.api.aws", &["[::]:443", "0.0.0.0:443"], true),
            ("checkip.global.api.aws", &["192.168.1.2:443"], true),
            ("icanhazip.com", &["127.0.0.1:443"], true),
            ("checkip.amazonaws.com", &["0.0.0.0:443", "52.1.2.3:443"], false),
            ("checkip.amazonaws.com", &[], false),
            ("notamazonaws.com", &["127.0.0.1:443"], false),
            ("reflect.example.net", &["0.0.0.0:443"], true),
            ("reflect.example.net", &["[::]:443"], true),
            ("reflect.example.net", &["127.0.0.1:443"], false),
            ("nas.home.arpa", &["192.168.1.2:443"], false),
            ("localhost", &["127.0.0.1:443", "[::1]:443"], false),
            ("0.0.0.0", &["0.0.0.0:443"], false),
            ("[::]", &["[::]:443"], false),
        ] {
            let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(
                blocking_address(host, &addresses).is_some(),
                blocked,
                "{host} {addresses:?}"
            );
        }
    }
}
