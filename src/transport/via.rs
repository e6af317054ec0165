//! How an exchange went: over what connection, and how long it took. Filled in by whoever connects
//! and sends; decides nothing.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::proxy::Proxy;
use crate::record::Family;

/// How an exchange went. Shown, it is a phrase such as ` over IPv4 with TLS 1.3 in 41 ms`, with a
/// blank in front. The default says nothing of a connection: there was none.
#[derive(Clone, Debug, Default)]
pub struct Via {
    /// The address family of the connection, which may be the proxy's.
    pub(super) family: Option<Family>,
    /// The version of TLS that the server itself agreed on, as in `TLS 1.3`.
    pub(super) tls: Option<&'static str>,
    pub(super) proxy: Option<Arc<Proxy>>,
    /// From the look-up of the name to the body's last byte.
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

/// What the last request of a client went over: its connections write it, the client reads it.
#[derive(Clone, Debug, Default)]
pub struct LastVia(Arc<Mutex<Via>>);

impl LastVia {
    pub fn lock(&self) -> MutexGuard<'_, Via> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
