//! What kind of failure an error of ureq, rustls or the system is. Words and advice are
//! `failure`'s.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use rustls::CertificateError as Certificate;
use ureq::Timeout;

use super::connect::{Early, Step};
use crate::record::Family;

/// A certificate that ended longer ago than this says more about the clock than about its owner.
/// No public CA gives one for longer (CA/Browser Forum, 398 days at most).
const LONG_AGO: Duration = Duration::from_hours(398 * 24);

/// What kept an exchange from bringing an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    NoNetwork,
    NoNameServer,
    NoSuchHost,
    NoAddressOfFamily(Option<Family>),
    Refused,
    Unreachable,
    TimedOut(Phase),
    Closed,
    Untrusted,
    /// The certificate's dates and the clock do not fit; whether it is likely the clock.
    CertificateTime {
        clock: bool,
    },
    Tls,
    Proxy,
    TooLarge,
    NotText,
    NotHttp,
    NoTime,
    Other,
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
    if let Some(Early { step, source }) = Early::of(error) {
        return match kind_of(source) {
            Kind::TimedOut(_) => Kind::TimedOut(Phase::Before(*step)),
            // A connection that opens and closes at once speaks no TLS, or is cut on the way.
            Kind::Other if *step == Step::Resolve => kind_of_look_up(source),
            kind => kind,
        };
    }
    match error {
        // This is said where the look-up worked and the family asked for was not in it.
        ureq::Error::HostNotFound => Kind::NoAddressOfFamily(None),
        ureq::Error::Timeout(step) => Kind::TimedOut(match step {
            Timeout::SendRequest | Timeout::SendBody => Phase::Sending,
            Timeout::RecvBody => Phase::Reading,
            _ => Phase::Waiting,
        }),
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => Kind::Proxy,
        ureq::Error::Protocol(_) | ureq::Error::BodyStalled => Kind::NotHttp,
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => Kind::TooLarge,
        ureq::Error::Io(io) => match tls_cause(error) {
            Some(rustls::Error::InvalidCertificate(cause)) => kind_of_certificate(cause),
            Some(_) => Kind::Tls,
            None => kind_of_io(io),
        },
        _ => Kind::Other,
    }
}

fn kind_of_certificate(cause: &Certificate) -> Kind {
    match cause {
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            Kind::CertificateTime { clock: true }
        }
        Certificate::ExpiredContext { time, not_after } => Kind::CertificateTime {
            clock: time.as_secs().saturating_sub(not_after.as_secs()) > LONG_AGO.as_secs(),
        },
        Certificate::Expired => Kind::CertificateTime { clock: false },
        _ => Kind::Untrusted,
    }
}

fn kind_of_io(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Kind::Refused,
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::NetworkDown => Kind::Unreachable,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Kind::Closed,
        io::ErrorKind::InvalidData => Kind::NotText,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Kind::TimedOut(Phase::Waiting),
        _ => Kind::Other,
    }
}

/// Whether DNS said that there is no such name, or said nothing. The standard library keeps only
/// the words of the C library: glibc's and musl's for `EAI_NONAME` and `EAI_NODATA`.
fn kind_of_look_up(error: &ureq::Error) -> Kind {
    let words = error.to_string();
    let definite = ["not known", "does not resolve", "No address associated", "no usable address"];
    if definite.iter().any(|phrase| words.contains(phrase)) {
        Kind::NoSuchHost
    } else {
        Kind::NoNameServer
    }
}

/// The TLS library's own error, which comes wrapped in an I/O error.
pub fn tls_cause(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => tls_cause(&Early::of(error)?.source),
    }
}

/// Whether the kernel knows a way to the Internet, over either family. Nothing is sent: connecting
/// a datagram socket only looks the route up.
pub fn has_route() -> bool {
    // Addresses for documentation (RFC 5737, RFC 3849), which no network has more to say about.
    let far: [(SocketAddr, SocketAddr); 2] = [
        ((Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::new(192, 0, 2, 1), 53).into()),
        (
            (Ipv6Addr::UNSPECIFIED, 0).into(),
            (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 53).into(),
        ),
    ];
    far.into_iter()
        .any(|(here, there)| UdpSocket::bind(here).and_then(|socket| socket.connect(there)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_that_failed_is_told_from_a_name_that_is_not_there() {
        let kind = |words: &str| {
            let message = format!("failed to lookup address information: {words}");
            kind_of_look_up(&io::Error::other(message).into())
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
    fn dates_that_no_certificate_has_are_the_clocks() {
        let at =
            |seconds| rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let day = 24 * 60 * 60;
        let expired = |days: u64| Certificate::ExpiredContext {
            time: at(1_790_000_000 + days * day),
            not_after: at(1_790_000_000),
        };
        let early = Certificate::NotValidYetContext { time: at(0), not_before: at(1_790_000_000) };
        for (cause, clock) in [(early, true), (expired(1), false), (expired(400), true)] {
            assert_eq!(kind_of_certificate(&cause), Kind::CertificateTime { clock });
        }
    }
}
