//! Describes a finished exchange for messages: its connection and its duration. `connect` and the
//! client fill it in. Decides nothing.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::proxy::Proxy;
use crate::record::Family;

/// The connection and the duration of an exchange. `Display` writes a phrase that starts with a
/// space, as in ` over IPv4 with TLS 1.3 in 41 ms`. The default has no connection.
#[derive(Clone, Debug, Default)]
pub struct Via {
    /// The address family of the TCP connection. With a proxy, this is the connection to the proxy.
    pub(super) family: Option<Family>,
    /// The version of TLS with the server, not with a proxy, as in `TLS 1.3`.
    pub(super) tls: Option<&'static str>,
    pub(super) proxy: Option<Arc<Proxy>>,
    /// The time from the look-up of the name to the last byte of the body.
    pub took: Duration,
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(proxy) = &self.proxy {
            write!(f, " through the proxy {proxy}")?;
        }
        match (self.family, self.tls) {
            (Some(family), Some(tls)) => write!(f, " over {family} with {tls}")?,
            (Some(family), None) => write!(f, " over {family} without TLS")?,
            (None, _) => {}
        }
        write!(f, " in {} ms", self.took.as_millis())
    }
}

/// The connection that the last request of a client used. Connections write it, and the client
/// reads it.
pub type LastVia = Arc<Mutex<Via>>;
