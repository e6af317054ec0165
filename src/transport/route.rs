//! What this machine's kernel says about the ways from it: routes of each family, and whether a
//! further file can be opened. Sends nothing.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::stream::is_no_way;
use crate::record::Family;

/// Whether the kernel knows a way to the Internet over `family`. Connecting a datagram socket only
/// looks the route up. Where it cannot be told (no file descriptor is left, for one), there is one.
pub fn has_route(family: Family) -> bool {
    // Addresses for documentation (RFC 5737, RFC 3849), which no network has more to say about.
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

/// Whether the kernel knows a way to the Internet over IPv6 alone.
pub fn is_ipv6_only() -> bool {
    !has_route(Family::V4) && has_route(Family::V6)
}

/// Whether this process, or the whole machine, has as many files open as it may.
pub fn is_out_of_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// The same, where the C library hides why a look-up failed.
pub fn has_no_file_left() -> bool {
    File::open("/dev/null").is_err_and(|error| is_out_of_files(&error))
}
