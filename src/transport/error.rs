//! Why an exchange brought no answer, as a message has it: a row per kind with its words, what to
//! do, and whether to try again; and whether the server may have had the request. Sends nothing.

use std::borrow::Cow;
use std::fmt;

use super::certificate;
use super::early::{Early, Step};
use super::kind::{Kind, Phase, kind_of};
use super::lookup::is_public_name;
use super::proxy::Proxy;
use crate::record::Family;
use crate::retry::Retry;

/// Why an exchange brought no answer. Shown, it is a phrase such as "connection refused".
#[derive(Debug)]
pub struct Error {
    /// Whether not a byte of the request was sent.
    early: bool,
    retry: Retry,
    told: Box<Told>,
}

#[derive(Debug)]
struct Told {
    kind: Kind,
    row: Row,
    /// The proxy that it happened on the way to, if it did not happen behind it.
    proxy: Option<String>,
}

/// Every request fails alike then, so a run says this once.
pub const NO_NETWORK: &str = "no network: this machine has no route to the Internet";
pub const NO_NETWORK_ADVICE: &str = "check the cable or the Wi-Fi, and the router";

/// One kind of failure.
#[derive(Debug)]
struct Row {
    words: Cow<'static, str>,
    advice: Cow<'static, str>,
    retry: Retry,
}

/// What an exchange was for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exchange<'a> {
    /// The one family that connections may have, if they are restricted to one.
    pub family: Option<Family>,
    /// The host that was asked.
    pub host: &'a str,
    /// The proxy, if there is one on the way.
    pub proxy: Option<&'a Proxy>,
}

impl Error {
    pub(super) fn new(error: &ureq::Error, exchange: Exchange<'_>) -> Self {
        let early = Early::of(error);
        let kind = kind_of(error);
        let proxy = exchange.proxy.filter(|_| early.is_some_and(|early| early.to_proxy));
        let mut row =
            row(&kind, Exchange { host: proxy.map_or(exchange.host, Proxy::host), ..exchange });
        if proxy.is_some() && is_about_the_way(&kind) {
            row.advice = "check HTTPS_PROXY and NO_PROXY".into();
        }
        let proxy = proxy.map(ToString::to_string);
        Self::of(kind, row, early.is_some(), proxy)
    }

    fn of(kind: Kind, row: Row, early: bool, proxy: Option<String>) -> Self {
        Self { early, retry: row.retry, told: Box::new(Told { kind, row, proxy }) }
    }

    /// There was no time left to begin.
    pub(super) fn no_time() -> Self {
        let kind = Kind::NoTime;
        let row = row(&kind, Exchange::default());
        Self::of(kind, row, true, None)
    }

    /// Whether an answer came whose body cannot be read: too large, or no text.
    pub(super) fn is_about_the_body(&self) -> bool {
        matches!(self.told.kind, Kind::TooLarge | Kind::NotText)
    }

    /// Whether the body of the answer has more bytes than were asked for.
    pub fn is_too_large(&self) -> bool {
        matches!(self.told.kind, Kind::TooLarge)
    }

    /// Whether this machine has no network at all: every other exchange fails alike.
    pub fn is_no_network(&self) -> bool {
        matches!(self.told.kind, Kind::NoNetwork)
    }

    /// Whether it is this machine that has no way to any server of the family that was asked for:
    /// every other server of it fails alike.
    pub fn is_no_way(&self) -> bool {
        matches!(self.told.kind, Kind::NoNetwork | Kind::NoWayOf(_))
    }

    /// Whether the name was looked up, and there is no host of that name.
    pub const fn is_no_such_host(&self) -> bool {
        matches!(self.told.kind, Kind::NoSuchHost)
    }

    /// Whether the server may have had the whole request, so that a change may have been made.
    pub const fn may_have_arrived(&self) -> bool {
        !self.early
    }

    /// Whether it may work in a moment.
    pub const fn retry(&self) -> Retry {
        self.retry
    }

    /// What a person can do about it.
    pub fn advice(&self) -> &str {
        &self.told.row.advice
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(proxy) = &self.told.proxy {
            write!(f, "the proxy {proxy}: ")?;
        }
        f.write_str(&self.told.row.words)
    }
}

impl std::error::Error for Error {}

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

fn row(kind: &Kind, exchange: Exchange<'_>) -> Row {
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
            if exchange.family.is_some() {
                "leave AAAA out of record_types"
            } else {
                "use a server that has an IPv4 address"
            },
        ),
        // A connection at home may lose its IPv4 for a moment; whether it has IPv6 is for long.
        Kind::NoWayOf(Family::V4) => soon(
            "this machine has no IPv4",
            if exchange.family.is_some() {
                "leave A out of record_types"
            } else if is_public_name(exchange.host) {
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
            match exchange.family {
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
            let (words, advice) = certificate::words(error, exchange.host);
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
        Phase::Before(Step::Resolve) => "timed out while looking the host's name up",
        Phase::Before(Step::Connect) => "timed out while connecting",
        Phase::Before(Step::Handshake) => "timed out while agreeing on TLS with the server",
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
