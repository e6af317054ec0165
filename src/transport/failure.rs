//! Why an exchange brought no answer: ureq's and rustls's errors in the words of a message, with
//! what to do, whether the server may have had the request, and whether it may work in a moment.
//! Sends nothing.

use std::fmt;
use std::time::{Duration, SystemTime};

use rustls::CertificateError as Certificate;

use super::connect::{Early, Step};
use super::kind::{Kind, Phase, has_route, kind_of, tls_cause};
use super::trust::UnknownIssuer;
use crate::clock::timestamp;
use crate::record::Family;
use crate::retry::Again;

/// Why an exchange brought no answer. Shown, it is a phrase such as "connection refused".
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    /// Whether not a byte of the request was sent.
    early: bool,
    /// The proxy that it happened on the way to, if it did not happen behind it.
    proxy: Option<String>,
    source: Option<ureq::Error>,
}

impl Failure {
    pub(super) fn new(source: ureq::Error, family: Option<Family>, proxy: Option<&str>) -> Self {
        let early = Early::of(&source);
        let kind = match kind_of(&source) {
            Kind::NoAddressOfFamily(_) => Kind::NoAddressOfFamily(family),
            // No name server is what one sees first where there is no network at all.
            Kind::NoNameServer | Kind::Unreachable if !has_route() => Kind::NoNetwork,
            kind => kind,
        };
        // Where there is a proxy, it is the only one that this machine itself looks up and calls.
        let before_the_proxy = matches!(
            kind,
            Kind::NoNetwork
                | Kind::NoNameServer
                | Kind::NoSuchHost
                | Kind::NoAddressOfFamily(_)
                | Kind::Refused
                | Kind::Unreachable
                | Kind::TimedOut(Phase::Before(Step::Resolve | Step::Connect))
        );
        let proxy = proxy.filter(|_| before_the_proxy).map(Into::into);
        Self { kind, early: early.is_some(), proxy, source: Some(source) }
    }

    /// There was no time left to begin.
    pub(super) const fn no_time() -> Self {
        Self { kind: Kind::NoTime, early: true, proxy: None, source: None }
    }

    /// Whether an answer came whose body cannot be read: too large, or no text.
    pub(super) const fn is_about_the_body(&self) -> bool {
        matches!(self.kind, Kind::TooLarge | Kind::NotText)
    }

    /// Whether the server may have had the whole request, so that a change may have been made.
    #[must_use]
    pub const fn may_have_arrived(&self) -> bool {
        !self.early
    }

    /// Whether it may work in a moment.
    #[must_use]
    pub const fn again(&self) -> Again {
        match self.kind {
            Kind::NoNetwork
            | Kind::NoNameServer
            | Kind::Refused
            | Kind::Unreachable
            | Kind::TimedOut(_)
            | Kind::Closed
            | Kind::Other => Again::Soon,
            Kind::NoSuchHost
            | Kind::NoAddressOfFamily(_)
            | Kind::Untrusted
            | Kind::CertificateTime { .. }
            | Kind::Tls
            | Kind::Proxy
            | Kind::TooLarge
            | Kind::NotText
            | Kind::NotHttp
            | Kind::NoTime => Again::No,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self.kind {
            Kind::NoNetwork => "check the cable or the Wi-Fi, and the router",
            _ if self.proxy.is_some() => "check HTTPS_PROXY and NO_PROXY",
            Kind::NoNameServer => "check the router, and the name servers in /etc/resolv.conf",
            Kind::NoSuchHost => "check the name",
            Kind::NoAddressOfFamily(_) => "use a server that has one, or leave the record type out",
            Kind::Refused => "check the address and the port, and that the server runs",
            Kind::Unreachable => "check that this machine has a route to the Internet",
            Kind::TimedOut(_) | Kind::Closed => "check the connection; the next run tries again",
            Kind::Untrusted => "check who answers there; a CA of your own goes into AWS_CA_BUNDLE",
            Kind::CertificateTime { clock: true } => "set the clock (timedatectl shows it)",
            Kind::CertificateTime { clock: false } => {
                "check this machine's clock, then the certificate"
            }
            Kind::Tls => "check that a TLS server answers there",
            Kind::Proxy => "check HTTPS_PROXY and NO_PROXY",
            Kind::TooLarge | Kind::NotText | Kind::NotHttp => "check who answers there",
            Kind::NoTime => "the next run tries again; --deadline gives a run more time",
            Kind::Other => "the next run tries again",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(proxy) = &self.proxy {
            write!(f, "the proxy {proxy}: ")?;
        }
        let tls_cause = self.source.as_ref().and_then(tls_cause);
        f.write_str(match self.kind {
            Kind::NoNetwork => "no network: this machine has no route to the Internet",
            Kind::NoNameServer => "no name server answered for the host's name",
            Kind::NoSuchHost => "there is no host of that name",
            Kind::NoAddressOfFamily(Some(Family::V4)) => {
                "the host's name has no IPv4 address (no A record)"
            }
            Kind::NoAddressOfFamily(Some(Family::V6)) => {
                "the host's name has no IPv6 address (no AAAA record)"
            }
            Kind::NoAddressOfFamily(None) => "the host's name has no address",
            Kind::Refused => "connection refused",
            Kind::Unreachable => "network unreachable",
            Kind::TimedOut(Phase::Before(Step::Resolve)) => {
                "timed out while looking the host's name up"
            }
            Kind::TimedOut(Phase::Before(Step::Connect)) => "timed out while connecting",
            Kind::TimedOut(Phase::Before(Step::Handshake)) => {
                "timed out while agreeing on TLS with the server"
            }
            Kind::TimedOut(Phase::Sending) => "timed out while sending the request",
            Kind::TimedOut(Phase::Waiting) => "timed out while waiting for the answer",
            Kind::TimedOut(Phase::Reading) => "timed out while reading the answer",
            Kind::Closed => "the connection was closed before the answer was whole",
            Kind::Untrusted => match tls_cause.map(unknown_issuer) {
                Some(Ok(issuer)) => {
                    return write!(f, "the server's certificate is not trusted: {issuer}");
                }
                Some(Err(cause)) => {
                    return write!(f, "the server's certificate is not trusted ({cause})");
                }
                None => "the server's certificate is not trusted",
            },
            Kind::CertificateTime { clock } => match tls_cause {
                Some(rustls::Error::InvalidCertificate(cause)) => {
                    return f.write_str(&validity(cause, clock));
                }
                _ => "the server's certificate is not valid now",
            },
            Kind::Tls => match tls_cause {
                Some(cause) => return write!(f, "no TLS connection ({cause})"),
                None => "no TLS connection",
            },
            Kind::Proxy => "the proxy made no connection",
            Kind::TooLarge => "the answer is too large",
            Kind::NotText => "the answer is not UTF-8",
            Kind::NotHttp => "the answer is not HTTP",
            Kind::NoTime => "the time for this run was over",
            Kind::Other => match &self.source {
                Some(source) => return source.fmt(f),
                None => "no answer",
            },
        })
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// What a certificate's dates say beside this machine's clock.
fn validity(cause: &Certificate, clock: bool) -> String {
    let (phrase, edge, time) = match cause {
        Certificate::ExpiredContext { time, not_after } => ("expired on", not_after, time),
        Certificate::NotValidYetContext { time, not_before } => {
            ("is not valid before", not_before, time)
        }
        _ => return format!("the server's certificate is not valid now ({cause})"),
    };
    let date = |time: rustls::pki_types::UnixTime| {
        timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs()))
    };
    let (edge, time) = (date(*edge), date(*time));
    if clock {
        format!(
            "this machine's clock is likely wrong: it says {time}, and the server's certificate \
             {phrase} {edge}"
        )
    } else {
        format!("the server's certificate {phrase} {edge}, and this machine's clock says {time}")
    }
}

/// The issuer that nobody trusts, or else the error as it is.
fn unknown_issuer(error: &rustls::Error) -> Result<&UnknownIssuer, &rustls::Error> {
    match error {
        rustls::Error::InvalidCertificate(Certificate::Other(other)) => {
            other.0.downcast_ref().ok_or(error)
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_is_shown_beside_the_certificates_dates() {
        let at =
            |seconds| rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired =
            Certificate::ExpiredContext { time: at(1_824_560_000), not_after: at(1_790_000_000) };
        assert_eq!(
            validity(&expired, true),
            "this machine's clock is likely wrong: it says 2027-10-26 14:13:20 UTC, and the \
             server's certificate expired on 2026-09-21 14:13:20 UTC"
        );
    }
}
