//! Classifies errors of ureq, rustls and the system. The module `error` has their texts and advice.

use std::fs::File;
use std::io;
use std::net::IpAddr;

use ureq::Timeout;

use super::route::{has_route, is_unreachable};
use crate::record::Family;
use crate::secrets::one_line;

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    NoNetwork,
    /// This machine has no route for this address family, but has one for the other family.
    NoRoute(Family),
    NoNameServer,
    NoSuchHost,
    NoAddress,
    /// A DNS server returned this address, which the name cannot have.
    Blocked(IpAddr),
    Refused,
    Unreachable,
    Prohibited,
    NoThread,
    NoFile,
    TimedOut(Phase),
    Closed,
    Tls(rustls::Error),
    /// The proxy responded to CONNECT with this status.
    Proxy(u16),
    TooLarge,
    NotText,
    NotHttp,
    NoTime,
    /// A redirect that is not followed, from the URL of the configuration key `key`.
    Redirect {
        problem: &'static str,
        key: &'static str,
    },
    /// The text of another error, as one line.
    Other(String),
}

/// The step of an exchange that timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Resolving,
    /// TCP, and CONNECT with a proxy.
    Connecting,
    Handshake,
    Sending,
    Waiting,
    Reading,
}

impl Kind {
    /// Classifies the error of an exchange whose request may have been sent.
    pub fn of_exchange(error: &ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(step) => Self::TimedOut(match step {
                Timeout::SendRequest | Timeout::SendBody => Phase::Sending,
                Timeout::RecvBody => Phase::Reading,
                _ => Phase::Waiting,
            }),
            ureq::Error::Protocol(_) | ureq::Error::BodyStalled => Self::NotHttp,
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
                Self::TooLarge
            }
            ureq::Error::Io(error) => kind_of_io(error),
            _ => Self::Other("the request could not be made".into()),
        }
    }

    /// Classifies the error of a `phase` before the request was sent.
    pub fn unsent(phase: Phase, error: &io::Error) -> Self {
        match kind_of_io(error) {
            Self::TimedOut(_) => Self::TimedOut(phase),
            kind => kind.or_no_network(),
        }
    }

    pub fn of_look_up(error: &io::Error) -> Self {
        kind_of_look_up(error).or_no_network()
    }

    /// Returns `NoNetwork` if no family has a route: the first symptom of that is often that no
    /// name server responds. Returns other errors unchanged.
    fn or_no_network(self) -> Self {
        match self {
            Self::NoNameServer | Self::Unreachable
                if !has_route(Family::V4) && !has_route(Family::V6) =>
            {
                Self::NoNetwork
            }
            kind => kind,
        }
    }

    /// Returns `NoRoute(family)` if the error is about the route and `family` has none. `family` is
    /// the one that all tried addresses share. Returns other errors unchanged.
    pub fn or_no_route(self, family: Option<Family>) -> Self {
        match (self, family) {
            (Self::Unreachable | Self::Prohibited, Some(family)) if !has_route(family) => {
                Self::NoRoute(family)
            }
            (kind, _) => kind,
        }
    }

    /// Returns `Blocked` if there is an `address` that shows a DNS block and the block can cause
    /// the error. Returns other errors unchanged.
    pub fn or_blocked(self, address: Option<IpAddr>) -> Self {
        address.filter(|_| may_be_a_block(&self)).map_or(self, Self::Blocked)
    }
}

/// Whether a wrong address from a DNS server can cause this error. A limit of this machine has
/// another cause. So has a certificate with wrong dates: it is for the right name.
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
        _ if is_unreachable(error) => Kind::Unreachable,
        _ if is_out_of_files(error) => Kind::NoFile,
        io::ErrorKind::AddrNotAvailable => Kind::Unreachable,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Kind::Closed,
        io::ErrorKind::InvalidData => Kind::NotText,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Kind::TimedOut(Phase::Waiting),
        // Only the texts of the system are shown. The texts of a library may be for programmers.
        _ if error.raw_os_error().is_some() => Kind::Other(one_line(&error.to_string())),
        _ => Kind::Other("the connection failed".into()),
    }
}

fn is_out_of_files(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Distinguishes a name that does not exist from a DNS server that did not respond. The standard
/// library keeps only the text of the C library, so this looks for the texts of glibc and musl for
/// `EAI_NONAME` and `EAI_NODATA`.
fn kind_of_look_up(error: &io::Error) -> Kind {
    let words = error.to_string();
    let definite = ["not known", "does not resolve", "No address associated", "no usable address"];
    // Without a file descriptor the C library cannot read its configuration, and may report that
    // an existing name does not exist. It hides the cause, so this tries to open a file.
    let opened = File::open("/dev/null");
    if is_out_of_files(error) || opened.is_err_and(|error| is_out_of_files(&error)) {
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
    fn failed_look_up_differs_from_a_missing_name() {
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
    fn each_system_error_has_its_kind() {
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
    fn time_out_before_the_request_keeps_its_phase() {
        let late = io::Error::from(io::ErrorKind::TimedOut);
        for phase in [Phase::Connecting, Phase::Handshake] {
            assert_eq!(Kind::unsent(phase, &late), Kind::TimedOut(phase));
        }
    }

    #[test]
    fn error_with_a_blocked_name_becomes_the_block() {
        let block = Some(IpAddr::from([0, 0, 0, 0]));
        let tls = |error: rustls::CertificateError| Kind::Tls(error.into());
        for (kind, block, expected) in [
            (Kind::Refused, None, Kind::Refused),
            (Kind::Refused, block, Kind::Blocked(IpAddr::from([0, 0, 0, 0]))),
            (
                tls(rustls::CertificateError::UnknownIssuer),
                block,
                Kind::Blocked(IpAddr::from([0, 0, 0, 0])),
            ),
            (tls(rustls::CertificateError::Expired), block, tls(rustls::CertificateError::Expired)),
            (Kind::NoFile, block, Kind::NoFile),
        ] {
            assert_eq!(kind.or_blocked(block), expected);
        }
    }
}
