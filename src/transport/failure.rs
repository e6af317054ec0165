//! Why an exchange brought no answer: ureq's and rustls's errors in the words of a message, with
//! what to do, and whether the server may have had the request. Sends nothing.

use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use ureq::Timeout;

use crate::clock::timestamp;
use crate::record::Family;

/// Why an exchange brought no answer. Shown, it is a phrase such as "connection refused".
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    /// The proxy that it happened on the way to, if it did not happen behind it.
    proxy: Option<String>,
    source: ureq::Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NoSuchHost,
    NoAddressOfFamily(Option<Family>),
    Refused,
    Unreachable,
    TimedOut(Timeout),
    Closed,
    Untrusted,
    CertificateTime,
    Tls,
    Proxy,
    TooLarge,
    NotText,
    NotHttp,
    Other,
}

impl Failure {
    pub(super) fn new(source: ureq::Error, family: Option<Family>, proxy: Option<&str>) -> Self {
        let kind = match kind_of(&source) {
            Kind::NoAddressOfFamily(_) => Kind::NoAddressOfFamily(family),
            kind => kind,
        };
        // Where there is a proxy, it is the only one that this machine itself looks up and calls.
        let before_the_proxy = matches!(
            kind,
            Kind::NoSuchHost
                | Kind::NoAddressOfFamily(_)
                | Kind::Refused
                | Kind::Unreachable
                | Kind::TimedOut(Timeout::Resolve | Timeout::Connect)
        );
        let proxy = proxy.filter(|_| before_the_proxy).map(Into::into);
        Self { kind, proxy, source }
    }

    /// Whether an answer came whose body cannot be read: too large, or no text.
    pub(super) const fn is_about_the_body(&self) -> bool {
        matches!(self.kind, Kind::TooLarge | Kind::NotText)
    }

    /// Whether the server may have had the whole request, so that a change may have been made.
    #[must_use]
    pub const fn may_have_arrived(&self) -> bool {
        !matches!(
            self.kind,
            Kind::NoSuchHost
                | Kind::NoAddressOfFamily(_)
                | Kind::Refused
                | Kind::Unreachable
                | Kind::TimedOut(Timeout::Resolve | Timeout::Connect)
                | Kind::Untrusted
                | Kind::CertificateTime
                | Kind::Proxy
        )
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self.kind {
            _ if self.proxy.is_some() => "check HTTPS_PROXY and NO_PROXY",
            Kind::NoSuchHost => "check the name, and that this machine's DNS works",
            Kind::NoAddressOfFamily(_) => "use a server that has one, or leave the record type out",
            Kind::Refused => "check the address and the port, and that the server runs",
            Kind::Unreachable => "check that this machine has a route to the Internet",
            Kind::TimedOut(_) | Kind::Closed => "check the connection; the next run tries again",
            Kind::Untrusted => "check who answers there; a CA of your own goes into AWS_CA_BUNDLE",
            Kind::CertificateTime => "check this machine's clock, then the certificate",
            Kind::Tls => "check that a TLS server answers there",
            Kind::Proxy => "check HTTPS_PROXY and NO_PROXY",
            Kind::TooLarge | Kind::NotText | Kind::NotHttp => "check who answers there",
            Kind::Other => "the next run tries again",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(proxy) = &self.proxy {
            write!(f, "the proxy {proxy}: ")?;
        }
        match self.kind {
            Kind::NoSuchHost => f.write_str("the host's name could not be resolved"),
            Kind::NoAddressOfFamily(family) => f.write_str(match family {
                Some(Family::V4) => "the host's name has no IPv4 address (no A record)",
                Some(Family::V6) => "the host's name has no IPv6 address (no AAAA record)",
                None => "the host's name has no address",
            }),
            Kind::Refused => f.write_str("connection refused"),
            Kind::Unreachable => f.write_str("network unreachable"),
            Kind::TimedOut(step) => f.write_str(match step {
                Timeout::Resolve => "timed out while resolving the host's name",
                Timeout::Connect => "timed out while connecting",
                _ => "timed out while waiting for the answer",
            }),
            Kind::Closed => f.write_str("the connection was closed before the answer was whole"),
            Kind::Untrusted => match tls_cause(&self.source) {
                Some(cause) => write!(f, "the server's certificate is not trusted ({cause})"),
                None => f.write_str("the server's certificate is not trusted"),
            },
            Kind::CertificateTime => match tls_cause(&self.source) {
                Some(rustls::Error::InvalidCertificate(cause)) => f.write_str(&validity(cause)),
                _ => f.write_str("the server's certificate is not valid now"),
            },
            Kind::Tls => match tls_cause(&self.source) {
                Some(cause) => write!(f, "no TLS connection ({cause})"),
                None => f.write_str("no TLS connection"),
            },
            Kind::Proxy => f.write_str("the proxy made no connection"),
            Kind::TooLarge => f.write_str("the answer is too large"),
            Kind::NotText => f.write_str("the answer is not UTF-8"),
            Kind::NotHttp => f.write_str("the answer is not HTTP"),
            Kind::Other => self.source.fmt(f),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// What a certificate's dates say beside this machine's clock, either of which may be wrong.
fn validity(cause: &rustls::CertificateError) -> String {
    use rustls::CertificateError::{ExpiredContext, NotValidYetContext};
    let date = |time: rustls::pki_types::UnixTime| {
        timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs()))
    };
    let (phrase, edge, time) = match cause {
        ExpiredContext { time, not_after } => ("expired on", not_after, time),
        NotValidYetContext { time, not_before } => ("is not valid before", not_before, time),
        _ => return format!("the server's certificate is not valid now ({cause})"),
    };
    format!(
        "the server's certificate {phrase} {}, and this machine's clock says {}",
        date(*edge),
        date(*time)
    )
}

fn kind_of(error: &ureq::Error) -> Kind {
    use rustls::CertificateError as Certificate;
    match error {
        // ureq says this when the look-up worked and the family asked for was not in it.
        ureq::Error::HostNotFound => Kind::NoAddressOfFamily(None),
        ureq::Error::Timeout(step) => Kind::TimedOut(*step),
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => Kind::Proxy,
        ureq::Error::Protocol(_) => Kind::NotHttp,
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => Kind::TooLarge,
        _ => match tls_cause(error) {
            Some(rustls::Error::InvalidCertificate(
                Certificate::Expired
                | Certificate::ExpiredContext { .. }
                | Certificate::NotValidYet
                | Certificate::NotValidYetContext { .. },
            )) => Kind::CertificateTime,
            Some(rustls::Error::InvalidCertificate(_)) => Kind::Untrusted,
            Some(_) => Kind::Tls,
            None => match error {
                ureq::Error::Io(error) => kind_of_io(error),
                _ => Kind::Other,
            },
        },
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
        // The standard library gives a failed name look-up no kind and no number of the system's.
        _ if error.raw_os_error().is_none() && error.to_string().contains("lookup") => {
            Kind::NoSuchHost
        }
        _ => Kind::Other,
    }
}

/// The TLS library's own error, which ureq hands over wrapped in an I/O error.
fn tls_cause(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}
