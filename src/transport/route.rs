//! Asks the kernel whether it has a route to the Internet over an address family, and recognises
//! the errors that say so. Sends nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::record::Family;

/// The address of this machine that the kernel would use for the Internet over `family`. Connecting
/// a datagram socket only looks up the route.
pub fn source_address(family: Family) -> io::Result<IpAddr> {
    // Addresses for documentation (RFC 5737, RFC 3849): only a default route should cover them.
    let (here, there): (SocketAddr, SocketAddr) = match family {
        Family::V4 => ((Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::new(192, 0, 2, 1), 53).into()),
        Family::V6 => (
            (Ipv6Addr::UNSPECIFIED, 0).into(),
            (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 53).into(),
        ),
    };
    let socket = UdpSocket::bind(here)?;
    socket.connect(there)?;
    Ok(socket.local_addr()?.ip())
}

/// Whether the kernel has a route to the Internet over `family`. If the test fails for another
/// reason (no file descriptor is left), the result is true.
pub fn has_route(family: Family) -> bool {
    !source_address(family).is_err_and(|error| is_unreachable(&error))
}

/// Whether the kernel has a route to the Internet over IPv6 and none over IPv4.
pub fn is_ipv6_only() -> bool {
    !has_route(Family::V4) && has_route(Family::V6)
}

/// Whether this machine or a router reported that the address cannot be reached. The host itself
/// did not respond.
pub fn is_unreachable(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ENETUNREACH
                | libc::EHOSTUNREACH
                | libc::EADDRNOTAVAIL
                | libc::EAFNOSUPPORT
                | libc::ENETDOWN
                | libc::EACCES
                | libc::EPERM
        )
    )
}
