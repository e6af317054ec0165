//! Why an exchange brought no answer, as a message has it: a row per kind with its words, what to
//! do, and whether to try again; and whether the server may have had the request. Sends nothing.

use std::borrow::Cow;
use std::fmt;

use super::certificate;
use super::kind::{Kind, Phase};
use super::lookup::is_public_name;
use super::proxy::Proxy;
use crate::record::Family;
use crate::retry::Retry;

/// Every request fails alike then, so a run says this once.
pub const NO_NETWORK: &str = "no network: this machine has no route to the Internet";
pub const NO_NETWORK_ADVICE: &str = "check the cable or the Wi-Fi, and the router";

/// Why an exchange brought no answer. Shown, it is a phrase such as "connection refused".
#[derive(Debug)]
pub struct Error(Box<Failure>);

#[derive(Debug)]
struct Failure {
    kind: Kind,
    row: Row,
    /// Whether a byte of the request may have been sent. It depends on when the error came: most
    /// kinds may come before and after.
    sent: bool,
    /// The proxy that it happened on the way to, if it did not happen behind it.
    proxy: Option<String>,
}

/// One kind of failure.
#[derive(Debug)]
struct Row {
    words: Cow<'static, str>,
    advice: Cow<'static, str>,
    retry: Retry,
}

impl Error {
    /// A failure at or before the server that the URL calls `host`; `family` is the one that
    /// connections may have, if they are restricted to one.
    pub(super) fn new(kind: Kind, sent: bool, host: &str, family: Option<Family>) -> Self {
        let row = row(&kind, host, family);
        Self(Box::new(Failure { kind, row, sent, proxy: None }))
    }

    /// A failure on the way to the proxy, or the proxy's own. The server has nothing of the
    /// request then.
    pub(super) fn of_proxy(kind: Kind, proxy: &Proxy) -> Self {
        let mut error = Self::new(kind, false, proxy.host(), None);
        if is_about_the_way(&error.0.kind) {
            error.0.row.advice = "check HTTPS_PROXY and NO_PROXY".into();
        }
        error.0.proxy = Some(proxy.to_string());
        error
    }

    /// What ureq says of an exchange with `host`, or this program's own error that it hands on.
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

    /// There was no time left to begin.
    pub(super) fn no_time() -> Self {
        Self::new(Kind::NoTime, false, "", None)
    }

    /// Whether an answer came whose body cannot be read: too large, or no text.
    pub(super) fn is_about_the_body(&self) -> bool {
        matches!(self.0.kind, Kind::TooLarge | Kind::NotText)
    }

    /// Whether the body of the answer has more bytes than were asked for.
    pub fn is_too_large(&self) -> bool {
        matches!(self.0.kind, Kind::TooLarge)
    }

    /// Whether this machine has no network at all: every other exchange fails alike.
    pub fn is_no_network(&self) -> bool {
        matches!(self.0.kind, Kind::NoNetwork)
    }

    /// Whether it is this machine that has no way to any server of the family that was asked for:
    /// every other server of it fails alike.
    pub fn is_no_way(&self) -> bool {
        matches!(self.0.kind, Kind::NoNetwork | Kind::NoWayOf(_))
    }

    /// Whether the name was looked up, and there is no host of that name.
    pub fn is_no_such_host(&self) -> bool {
        matches!(self.0.kind, Kind::NoSuchHost)
    }

    /// Whether the server may have had the whole request, so that a change may have been made.
    pub fn may_have_arrived(&self) -> bool {
        self.0.sent
    }

    /// Whether it may work in a moment.
    pub fn retry(&self) -> Retry {
        self.0.row.retry
    }

    /// What a person can do about it.
    pub fn advice(&self) -> &str {
        &self.0.row.advice
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(proxy) = &self.0.proxy {
            write!(f, "the proxy {proxy}: ")?;
        }
        f.write_str(&self.0.row.words)
    }
}

impl std::error::Error for Error {}

impl From<Error> for ureq::Error {
    fn from(error: Error) -> Self {
        Self::Other(Box::new(error))
    }
}

/// Whether it is about where the proxy is, and not about what it or this machine said.
const fn is_about_the_way(kind: &Kind) -> bool {
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

fn row(kind: &Kind, host: &str, family: Option<Family>) -> Row {
    let never = |words: &'static str, advice: &'static str| Row {
        words: words.into(),
        advice: advice.into(),
        retry: Retry::Never,
    };
    let soon = |words: &'static str, advice: &'static str| Row {
        retry: Retry::Transient,
        ..never(words, advice)
    };
    let connection = "check the connection; the next run tries again";
    match kind {
        Kind::NoNetwork => soon(NO_NETWORK, NO_NETWORK_ADVICE),
        Kind::NoWayOf(Family::V6) => never(
            "this machine has no IPv6",
            if family.is_some() {
                "set IPv6 up, or leave AAAA out of record_types and remove ipv6_hosts"
            } else {
                "use a server that has an IPv4 address"
            },
        ),
        // A connection at home may lose its IPv4 for a moment; whether it has IPv6 is for long.
        Kind::NoWayOf(Family::V4) => soon(
            "this machine has no IPv4",
            if family.is_some() {
                "leave A out of record_types"
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
        Kind::NoAddress => never(
            match family {
                Some(Family::V4) => "the host's name has no IPv4 address (no A record)",
                Some(Family::V6) => "the host's name has no IPv6 address (no AAAA record)",
                None => "the host's name has no address",
            },
            "use a server that has one, or leave the record type out",
        ),
        Kind::Blocked(address) => Row {
            words: format!(
                "your DNS server blocks this name (Pi-hole, an ad blocker): it answers {address}"
            )
            .into(),
            ..never("", "allow the name in the settings of that DNS server")
        },
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
            "this machine starts no further thread",
            "check its memory, and the limit that ulimit -u shows",
        ),
        Kind::NoFile => soon(
            "this machine opens no further file: no file descriptor is left",
            "check the limit that ulimit -n shows, and which program has so many files open",
        ),
        Kind::TimedOut(phase) => soon(timed_out(*phase), connection),
        Kind::Closed => soon("the connection was closed before the answer was whole", connection),
        Kind::Tls(error) => {
            let (words, advice) = certificate::words(error, host);
            Row { words, advice, retry: Retry::Never }
        }
        Kind::Proxy(status) => of_proxy(*status),
        Kind::TooLarge => never("the answer is too large", "check who answers there"),
        Kind::NotText => never("the answer is not UTF-8", "check who answers there"),
        Kind::NotHttp => never("the answer is not HTTP", "check who answers there"),
        Kind::NoTime => never(
            "the time for this run was over",
            "the next run tries again; --deadline gives a run more time",
        ),
        Kind::Other(words) => {
            Row { words: words.clone().into(), ..soon("", "the next run tries again") }
        }
    }
}

fn timed_out(phase: Phase) -> &'static str {
    match phase {
        Phase::Resolving => "timed out while looking the host's name up",
        Phase::Connecting => "timed out while connecting",
        Phase::Handshake => "timed out while agreeing on TLS with the server",
        Phase::Sending => "timed out while sending the request",
        Phase::Waiting => "timed out while waiting for the answer",
        Phase::Reading => "timed out while reading the answer",
    }
}

/// What a proxy said to CONNECT.
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
            format!("it made no connection to the host ({status})"),
            if Retry::of_status(status) == Retry::Never {
                "check HTTPS_PROXY and NO_PROXY"
            } else {
                "check the proxy; the next run tries again"
            },
        ),
        _ => (format!("it made no connection ({status})"), "check HTTPS_PROXY and NO_PROXY"),
    };
    Row { words: words.into(), advice: advice.into(), retry: Retry::of_status(status) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_from_before_the_request_rule_out_that_it_arrived() {
        let unsent = Error::new(Kind::Closed, false, "a.example", None);
        let unreadable = ureq::Error::Other("of a library".into());
        for (error, words, may_have_arrived) in [
            (unsent.into(), "the connection was closed before the answer was whole", false),
            (
                ureq::Error::Io(std::io::ErrorKind::ConnectionReset.into()),
                "the connection was closed before the answer was whole",
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
