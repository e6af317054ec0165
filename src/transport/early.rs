//! What goes wrong before a byte of the request is sent: marked as such, so that a message can say
//! for certain that nothing has happened.

use std::fmt;
use std::io;
use std::net::IpAddr;

use crate::record::Family;

/// A step on the way to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Looking the host's name up.
    Resolve,
    /// TCP, and what is said to a proxy.
    Connect,
    /// TLS.
    Handshake,
}

/// Why a step failed.
#[derive(Debug)]
pub enum Cause {
    /// The system or the TLS library said no.
    Io(io::Error),
    /// The time was over.
    TimedOut,
    /// The name has no address of the family that connections may have.
    NoAddress,
    /// The system started no thread.
    NoThread,
    /// The proxy refused with this HTTP status.
    Refused(u16),
    /// The proxy's answer is not HTTP.
    NotHttp,
}

/// What went wrong before a byte of the request was sent.
#[derive(Debug)]
pub struct Early {
    /// Where.
    pub step: Step,
    /// Whether it was on the way to the proxy, or the proxy itself that refused.
    pub to_proxy: bool,
    /// Why.
    pub cause: Cause,
    /// The address that shows that a DNS server blocks the host's name.
    pub blocked: Option<IpAddr>,
    /// The family of all addresses that were tried, if it is the same.
    pub family: Option<Family>,
}

impl Early {
    /// A failure on the way to the server itself.
    pub const fn new(step: Step, cause: Cause) -> Self {
        Self { step, to_proxy: false, cause, blocked: None, family: None }
    }

    /// A failure of the system or of TLS; one for lack of time is told apart.
    pub fn io(step: Step, error: io::Error) -> Self {
        let late = matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock);
        Self::new(step, if late { Cause::TimedOut } else { Cause::Io(error) })
    }

    /// The same, on the way to the proxy.
    pub fn of_proxy(self) -> Self {
        Self { to_proxy: true, ..self }
    }

    /// What went wrong, if it did so before a byte of the request was sent.
    pub fn of(error: &ureq::Error) -> Option<&Self> {
        match error {
            ureq::Error::Other(error) => error.downcast_ref(),
            _ => None,
        }
    }
}

impl From<Early> for ureq::Error {
    fn from(early: Early) -> Self {
        Self::Other(Box::new(early))
    }
}

/// Never shown: its words are the failure's, which has seen through the library's error by then.
impl fmt::Display for Early {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no connection")
    }
}

impl std::error::Error for Early {}
