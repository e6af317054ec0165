//! What kind of failure an error of ureq, rustls or the system is. Words and advice are
//! `failure`'s.

use std::io;
use std::net::IpAddr;

use ureq::Timeout;

use super::early::{Cause, Early, Step};
use super::route::{has_no_file_left, has_route, is_out_of_files};
use super::stream::is_no_way;
use crate::record::Family;
use crate::secrets::one_line;

/// What kept an exchange from bringing an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    NoNetwork,
    /// This machine has no way to addresses of that family, and one to the other's.
    NoWayOf(Family),
    NoNameServer,
    NoSuchHost,
    NoAddress,
    /// A DNS server answers with an address that the name cannot have.
    Blocked(IpAddr),
    Refused,
    Unreachable,
    Prohibited,
    NoThread,
    NoFile,
    TimedOut(Phase),
    Closed,
    Tls(rustls::Error),
    /// The proxy answered with that status.
    Proxy(u16),
    TooLarge,
    NotText,
    NotHttp,
    NoTime,
    /// What the system said, one line.
    Other(String),
}

/// What took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Before(Step),
    Sending,
    Waiting,
    Reading,
}

/// What an error means.
pub fn kind_of(error: &ureq::Error) -> Kind {
    if let Some(early) = Early::of(error) {
        return kind_of_early(early);
    }
    match error {
        ureq::Error::Timeout(step) => Kind::TimedOut(match step {
            Timeout::SendRequest | Timeout::SendBody => Phase::Sending,
            Timeout::RecvBody => Phase::Reading,
            _ => Phase::Waiting,
        }),
        ureq::Error::Protocol(_) | ureq::Error::BodyStalled => Kind::NotHttp,
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => Kind::TooLarge,
        ureq::Error::Io(error) => kind_of_io(error),
        _ => Kind::Other("the request could not be made".into()),
    }
}

fn kind_of_early(early: &Early) -> Kind {
    let kind = match &early.cause {
        Cause::TimedOut => Kind::TimedOut(Phase::Before(early.step)),
        Cause::NoAddress => Kind::NoAddress,
        Cause::NoThread => Kind::NoThread,
        Cause::Refused(status) => Kind::Proxy(*status),
        Cause::NotHttp => Kind::NotHttp,
        Cause::Io(error) if early.step == Step::Resolve => kind_of_look_up(error),
        Cause::Io(error) => kind_of_io(error),
    };
    if let Some(address) = early.blocked.filter(|_| may_be_a_block(&kind)) {
        return Kind::Blocked(address);
    }
    match (&kind, early.family) {
        // No name server is what one sees first where there is no network at all.
        (Kind::NoNameServer | Kind::Unreachable, _)
            if !has_route(Family::V4) && !has_route(Family::V6) =>
        {
            Kind::NoNetwork
        }
        (Kind::Unreachable | Kind::Prohibited, Some(family)) if !has_route(family) => {
            Kind::NoWayOf(family)
        }
        _ => kind,
    }
}

/// Whether a failure may come of a DNS server's wrong answer: not one of this machine's own limits,
/// and not one of dates, since a server that shows a certificate for that name is no block.
fn may_be_a_block(kind: &Kind) -> bool {
    use rustls::CertificateError as Certificate;
    !matches!(
        kind,
        Kind::NoThread
            | Kind::NoFile
            | Kind::Tls(rustls::Error::InvalidCertificate(
                Certificate::Expired
                    | Certificate::ExpiredContext { .. }
                    | Certificate::NotValidYet
                    | Certificate::NotValidYetContext { .. }
            ))
    )
}

fn kind_of_io(error: &io::Error) -> Kind {
    if let Some(cause) = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        return Kind::Tls(cause.clone());
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Kind::Refused,
        io::ErrorKind::PermissionDenied => Kind::Prohibited,
        _ if is_no_way(error) => Kind::Unreachable,
        _ if is_out_of_files(error) => Kind::NoFile,
        io::ErrorKind::AddrNotAvailable => Kind::Unreachable,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Kind::Closed,
        io::ErrorKind::InvalidData => Kind::NotText,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Kind::TimedOut(Phase::Waiting),
        // The system's own words. A library's may be a form for programmers.
        _ if error.raw_os_error().is_some() => Kind::Other(one_line(&error.to_string())),
        _ => Kind::Other("the connection failed".into()),
    }
}

/// Whether DNS said that there is no such name, or said nothing. The standard library keeps only
/// the words of the C library: glibc's and musl's for `EAI_NONAME` and `EAI_NODATA`.
fn kind_of_look_up(error: &io::Error) -> Kind {
    let words = error.to_string();
    let definite = ["not known", "does not resolve", "No address associated", "no usable address"];
    // Without a file the C library cannot read where names are, and may take them for unknown.
    if is_out_of_files(error) || has_no_file_left() {
        Kind::NoFile
    } else if definite.iter().any(|phrase| words.contains(phrase)) {
        Kind::NoSuchHost
    } else {
        Kind::NoNameServer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_that_failed_is_told_from_a_name_that_is_not_there() {
        let kind = |words: &str| {
            let message = format!("failed to lookup address information: {words}");
            kind_of_look_up(&io::Error::other(message))
        };
        for (words, expected) in [
            // glibc
            ("Name or service not known", Kind::NoSuchHost),
            ("No address associated with hostname", Kind::NoSuchHost),
            ("Temporary failure in name resolution", Kind::NoNameServer),
            ("Non-recoverable failure in name resolution", Kind::NoNameServer),
            // musl
            ("Name does not resolve", Kind::NoSuchHost),
            ("Name has no usable address", Kind::NoSuchHost),
            ("Try again", Kind::NoNameServer),
            ("Non-recoverable error", Kind::NoNameServer),
        ] {
            assert_eq!(kind(words), expected, "{words}");
        }
    }

    #[test]
    fn errors_of_the_system_are_told_apart() {
        for (errno, expected) in [
            (libc::ECONNREFUSED, Kind::Refused),
            (libc::ENETUNREACH, Kind::Unreachable),
            (libc::EHOSTUNREACH, Kind::Unreachable),
            (libc::EADDRNOTAVAIL, Kind::Unreachable),
            (libc::EAFNOSUPPORT, Kind::Unreachable),
            (libc::ENETDOWN, Kind::Unreachable),
            (libc::EACCES, Kind::Prohibited),
            (libc::EPERM, Kind::Prohibited),
            (libc::EMFILE, Kind::NoFile),
            (libc::ENFILE, Kind::NoFile),
            (libc::ECONNRESET, Kind::Closed),
            (libc::ETIMEDOUT, Kind::TimedOut(Phase::Waiting)),
            (libc::ENOBUFS, Kind::Other("No buffer space available (os error 105)".into())),
        ] {
            assert_eq!(kind_of_io(&io::Error::from_raw_os_error(errno)), expected, "{errno}");
        }
        assert_eq!(kind_of_look_up(&io::Error::from_raw_os_error(libc::EMFILE)), Kind::NoFile);
        let foreign = io::Error::other(ureq::Error::HostNotFound);
        assert_eq!(kind_of_io(&foreign), Kind::Other("the connection failed".into()));
    }

    #[test]
    fn what_hides_in_a_step_is_seen_through() {
        let kind = |early: Early| kind_of(&early.into());
        let cases = [
            (Early::new(Step::Resolve, Cause::NoThread), Kind::NoThread),
            (
                Early::new(Step::Connect, Cause::TimedOut),
                Kind::TimedOut(Phase::Before(Step::Connect)),
            ),
            (Early::new(Step::Connect, Cause::Refused(407)), Kind::Proxy(407)),
            (
                Early {
                    blocked: Some(IpAddr::from([0, 0, 0, 0])),
                    ..Early::new(Step::Connect, Cause::TimedOut)
                },
                Kind::Blocked(IpAddr::from([0, 0, 0, 0])),
            ),
            (
                Early {
                    blocked: Some(IpAddr::from([10, 0, 0, 1])),
                    ..Early::new(
                        Step::Handshake,
                        Cause::Io(io::Error::other(rustls::Error::from(
                            rustls::CertificateError::Expired,
                        ))),
                    )
                },
                Kind::Tls(rustls::CertificateError::Expired.into()),
            ),
        ];
        for (early, expected) in cases {
            assert_eq!(kind(early), expected);
        }
    }
}
