//! Asks the kernel whether each address family has a route, and whether the process can open
//! another file. Sends nothing.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::stream::is_no_way;
use crate::record::Family;

/// Whether the kernel has a route to the Internet over `family`. Connecting a datagram socket only
/// looks up the route. If the test fails for another reason (no file descriptor is left), the
/// result is true.
pub fn has_route(family: Family) -> bool {
    // Addresses for documentation (RFC 5737, RFC 3849): only a default route should cover them.
    let (here, there): (SocketAddr, SocketAddr) = match family {
        Family::V4 => ((Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::new(192, 0, 2, 1), 53).into()),
        Family::V6 => (
            (Ipv6Addr::UNSPECIFIED, 0).into(),
            (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 53).into(),
        ),
    };
    match UdpSocket::bind(here).and_then(|socket| socket.connect(there)) {
        Ok(()) => true,
        Err(error) => !is_no_way(&error),
    }
}

/// Whether the kernel has a route to the Internet over IPv6 and none over IPv4.
pub fn is_ipv6_only() -> bool {
    !has_route(Family::V4) && has_route(Family::V6)
}

/// Whether the error means that this process or the machine has reached its limit of open files.
pub fn is_out_of_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether opening a file fails because of the limit of open files. For look-ups, where the C
/// library hides the cause of an error.
pub fn has_no_file_left() -> bool {
    File::open("/dev/null").is_err_and(|error| is_out_of_files(&error))
}
