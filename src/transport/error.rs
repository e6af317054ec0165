//! The error of an exchange without a usable response. Each kind has its text, advice and retry
//! class. An error also says whether the server may have received the request. Sends nothing.

use std::borrow::Cow;
use std::fmt;

use super::certificate;
use super::kind::{Kind, Phase};
use super::lookup::is_public_name;
use super::proxy::Proxy;
use crate::record::Family;
use crate::retry::Retry;

/// Without a network every request fails with this error, so a run reports it once.
pub const NO_NETWORK: &str = "no network: this machine has no route to the Internet";
pub const NO_NETWORK_ADVICE: &str = "check the cable or the Wi-Fi, and the router";

/// Why an exchange has no usable response. `Display` writes a phrase, as in "connection refused".
#[derive(Debug)]
pub struct Error(Box<Failure>);

#[derive(Debug)]
struct Failure {
    kind: Kind,
    words: Cow<'static, str>,
    advice: Cow<'static, str>,
    retry: Retry,
    /// Whether a byte of the request may have been sent. `kind` does not imply this: most kinds can
    /// occur before and after sending.
    sent: bool,
}

impl Error {
    /// An error of the server with the name `host` in the URL, or of the connection to it. `family`
    /// is the only address family that connections may use; `None` allows both.
    pub(super) fn new(kind: Kind, sent: bool, host: &str, family: Option<Family>) -> Self {
        let (words, advice, retry) = row(&kind, host, family);
        Self(Box::new(Failure { kind, words, advice, retry, sent }))
    }

    /// An error of the proxy, or of the connection to it. The server has received nothing of the
    /// request.
    pub(super) fn of_proxy(kind: Kind, proxy: &Proxy) -> Self {
        let mut failure = Self::new(kind, false, &proxy.host, None).0;
        if may_be_a_wrong_proxy(&failure.kind) {
            failure.advice = "check HTTPS_PROXY and NO_PROXY".into();
        }
        failure.words = format!("the proxy {proxy}: {}", failure.words).into();
        Self(failure)
    }

    /// Converts ureq's error from an exchange with `host`. An `Error` inside it, made before the
    /// request was sent, is returned unchanged.
    pub(super) fn of_exchange(error: ureq::Error, host: &str) -> Self {
        let sent = |error| Self::new(Kind::of_exchange(&error), true, host, None);
        match error {
            ureq::Error::Other(error) => match error.downcast() {
                Ok(unsent) => *unsent,
                Err(error) => sent(ureq::Error::Other(error)),
            },
            error => sent(error),
        }
    }

    /// Whether a response arrived whose body cannot be used: it is too large or not UTF-8.
    pub(super) fn is_about_the_body(&self) -> bool {
        matches!(self.0.kind, Kind::TooLarge | Kind::NotText)
    }

    /// Whether the head or the body of the response exceeds its size limit.
    pub fn is_too_large(&self) -> bool {
        matches!(self.0.kind, Kind::TooLarge)
    }

    /// Whether this machine has no network at all, so that every other exchange fails too.
    pub fn is_no_network(&self) -> bool {
        matches!(self.0.kind, Kind::NoNetwork)
    }

    /// Whether this machine has no route for the address family of the request, so that every other
    /// server fails too.
    pub fn is_no_route(&self) -> bool {
        matches!(self.0.kind, Kind::NoNetwork | Kind::NoRoute(_))
    }

    /// Whether DNS reported that the name does not exist.
    pub fn is_no_such_host(&self) -> bool {
        matches!(self.0.kind, Kind::NoSuchHost)
    }

    /// Whether the server may have received the whole request, so that a change may have been made.
    pub fn may_have_arrived(&self) -> bool {
        self.0.sent
    }

    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The advice for the message, as an imperative phrase.
    pub fn advice(&self) -> &str {
        &self.0.advice
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.words)
    }
}

impl std::error::Error for Error {}

impl From<Error> for ureq::Error {
    fn from(error: Error) -> Self {
        Self::Other(Box::new(error))
    }
}

/// Whether a wrong proxy address can cause this error. Other errors have advice of their own.
const fn may_be_a_wrong_proxy(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::NoNameServer
            | Kind::NoSuchHost
            | Kind::NoAddress
            | Kind::Refused
            | Kind::Unreachable
            | Kind::TimedOut(_)
            | Kind::Closed
            | Kind::NotHttp
    )
}

type Row = (Cow<'static, str>, Cow<'static, str>, Retry);

fn row(kind: &Kind, host: &str, family: Option<Family>) -> Row {
    let never = |words: &'static str, advice: &'static str| -> Row {
        (words.into(), advice.into(), Retry::Never)
    };
    let soon = |words: &'static str, advice: &'static str| -> Row {
        (words.into(), advice.into(), Retry::Transient)
    };
    let connection = "check the connection if the next run fails too";
    match kind {
        Kind::NoNetwork => soon(NO_NETWORK, NO_NETWORK_ADVICE),
        Kind::NoRoute(Family::V6) => never(
            "this machine has no IPv6",
            if family.is_some() {
                "set up IPv6, or remove ipv6_hosts and the AAAA in record_types"
            } else {
                "use a server that has an IPv4 address"
            },
        ),
        // Unlike V6, this is transient: a home internet connection can lose IPv4 for a moment, but
        // one without IPv6 stays without it.
        Kind::NoRoute(Family::V4) => soon(
            "this machine has no IPv4",
            if family.is_some() {
                "remove A from record_types"
            } else if is_public_name(host) {
                "set AWS_USE_DUALSTACK_ENDPOINT=true"
            } else {
                "use a server that has an IPv6 address"
            },
        ),
        Kind::NoNameServer => soon(
            "no name server answered for the host's name",
            "check the router, and the name servers in /etc/resolv.conf",
        ),
        Kind::NoSuchHost => never("there is no host of that name", "check the name"),
        Kind::NoAddress => match family {
            Some(Family::V4) => never(
                "the host's name has no IPv4 address (no A record)",
                "use a server that has one, or remove A from record_types",
            ),
            Some(Family::V6) => never(
                "the host's name has no IPv6 address (no AAAA record)",
                "use a server that has one, or remove AAAA from record_types",
            ),
            None => never("the host's name has no address", "check the name"),
        },
        Kind::Blocked(address) => (
            format!(
                "your DNS server blocks this name (Pi-hole, an ad blocker): it answers {address}"
            )
            .into(),
            "allow the name in the settings of that DNS server".into(),
            Retry::Never,
        ),
        Kind::Refused => {
            soon("connection refused", "check the address and the port, and that the server runs")
        }
        Kind::Unreachable => {
            soon("network unreachable", "check that this machine has a route to the Internet")
        }
        Kind::Prohibited => soon(
            "this machine or a router prohibits the connection",
            "check the firewalls of this machine and of the router",
        ),
        Kind::NoThread => soon(
            "this machine could not start another thread",
            "check its memory, and the limit that ulimit -u shows",
        ),
        Kind::NoFile => soon(
            "this machine could not open another file: no file descriptor is left",
            "check the limit that ulimit -n shows, and which program has so many files open",
        ),
        Kind::TimedOut(phase) => soon(timed_out(*phase), connection),
        Kind::Closed => soon("the connection was closed before the response was whole", connection),
        Kind::Tls(error) => {
            let (words, advice) = certificate::words(error, host);
            (words, advice, Retry::Never)
        }
        Kind::Proxy(status) => of_proxy(*status),
        Kind::TooLarge => never("the response is too large", "check who answers there"),
        Kind::NotText => never("the response is not UTF-8", "check who answers there"),
        Kind::NotHttp => never("the response is not HTTP", "check who answers there"),
        Kind::NoTime => {
            never("the time for this run was over", "give the run more time with --deadline")
        }
        Kind::Redirect { problem, key } => {
            ((*problem).into(), format!("check {key}").into(), Retry::Never)
        }
        Kind::Other(words) => (
            words.clone().into(),
            "wait for the next run, which tries again".into(),
            Retry::Transient,
        ),
    }
}

fn timed_out(phase: Phase) -> &'static str {
    match phase {
        Phase::Resolving => "timed out while looking up the host's name",
        Phase::Connecting => "timed out while connecting",
        Phase::Handshake => "timed out while agreeing on TLS with the server",
        Phase::Sending => "timed out while sending the request",
        Phase::Waiting => "timed out while waiting for the response",
        Phase::Reading => "timed out while reading the response",
    }
}

/// The row for a proxy that responded to CONNECT with this status.
fn of_proxy(status: u16) -> Row {
    let (words, advice) = match status {
        407 => (
            "it asks for a user name and a password (407)".into(),
            "check the user name and the password in HTTPS_PROXY",
        ),
        403 => (
            "it forbids connections to this host (403)".into(),
            "allow the host in the proxy, or name it in NO_PROXY",
        ),
        511 => (
            "it wants you to sign in before it lets anything through (511)".into(),
            "sign in to this network",
        ),
        408 | 425 | 429 | 500.. => (
            format!("it did not connect to the host ({status})"),
            if Retry::of_status(status) == Retry::Never {
                "check HTTPS_PROXY and NO_PROXY"
            } else {
                "check the proxy if the next run fails too"
            },
        ),
        _ => (format!("it did not connect ({status})"), "check HTTPS_PROXY and NO_PROXY"),
    };
    (words.into(), advice.into(), Retry::of_status(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unsent_requests_cannot_have_arrived() {
        let unsent = Error::new(Kind::Closed, false, "a.example", None);
        let unreadable = ureq::Error::Other("of a library".into());
        for (error, words, may_have_arrived) in [
            (unsent.into(), "the connection was closed before the response was whole", false),
            (
                ureq::Error::Io(std::io::ErrorKind::ConnectionReset.into()),
                "the connection was closed before the response was whole",
                true,
            ),
            (unreadable, "the request could not be made", true),
        ] {
            let error = Error::of_exchange(error, "a.example");
            assert_eq!(
                (error.to_string().as_str(), error.may_have_arrived()),
                (words, may_have_arrived)
            );
        }
    }
}
