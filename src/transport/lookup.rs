//! Looks a host's name up with the system's own resolver, within a deadline, and tells whether what
//! it answers looks like a block. Opens no connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use super::kind::{Kind, Phase};
use crate::deadline::Deadline;
use crate::detached::{NoResult, within};

/// Names that autodns itself or its documentation knows, and that are on the Internet for
/// certain: a loopback or private address for one of them, or for a name below it, is a block.
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

/// Where a host of a URL is: an address as it stands, a name looked up. Each address is there
/// once, in the resolver's order.
pub fn addresses_of(host: &str, port: u16, end: Deadline) -> Result<Vec<SocketAddr>, Kind> {
    let host = bare(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let name = host.to_owned();
    let look_up = move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
    let found: Vec<SocketAddr> = match within(end, look_up) {
        Ok(found) => found.map_err(|error| Kind::of_look_up(&error))?,
        Err(NoResult::Overdue) => return Err(Kind::TimedOut(Phase::Resolving)),
        Err(NoResult::NoThread) => return Err(Kind::NoThread),
        Err(NoResult::Died) => {
            let died = "the look-up of the host's name ended without a result";
            return Err(Kind::Other(died.into()));
        }
    };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// An IPv6 address without the brackets that a URL has around it.
pub fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether a name is certainly that of a server on the Internet.
pub fn is_public_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    PUBLIC_DOMAINS.iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// The address that shows that a DNS server blocks `host`, if all of its addresses do. `0.0.0.0`
/// and `::` are no host's address, so they are a block for every name. A loopback or private
/// address is one only for a name that is on the Internet for certain: any other name may be that
/// of a server at home.
pub fn block(host: &str, addresses: &[SocketAddr]) -> Option<IpAddr> {
    let first = addresses.first()?.ip();
    if bare(host).parse::<IpAddr>().is_ok() {
        return None;
    }
    let public = is_public_name(host);
    let blocks =
        |address: IpAddr| address.is_unspecified() || (public && is_loopback_or_private(address));
    addresses.iter().all(|address| blocks(address.ip())).then_some(first)
}

fn is_loopback_or_private(address: IpAddr) -> bool {
    let v4 = |address: Ipv4Addr| {
        address.is_loopback() || address.is_private() || address.is_link_local()
    };
    let v6 = |address: Ipv6Addr| {
        address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
    };
    match address.to_canonical() {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_an_address_that_the_name_cannot_have() {
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
            assert_eq!(block(host, &addresses).is_some(), blocked, "{host} {addresses:?}");
        }
    }
}
