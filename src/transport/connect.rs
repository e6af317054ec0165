//! Opens a connection: look-up of the name, TCP, a proxy and TLS, all by one deadline. Sends no
//! request to the server.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use http::Uri;
use rustls::ClientConfig;
use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout};

use super::error::Error;
use super::kind::{Kind, Phase};
use super::lookup::{addresses_of, blocking_address};
use super::proxy::Proxy;
use super::stream::{self, Connection, MAX_ADDRESSES, Stream};
use super::url::{is_https, port_of};
use super::via::{LastVia, Via};
use super::{CONNECT_TIMEOUT, RESOLVE_TIMEOUT, tunnel};
use crate::deadline::Deadline;
use crate::record::Family;

/// How connections to servers are made: the TLS settings, the proxy and the address family.
#[derive(Clone)]
pub struct Dialer {
    pub tls: Arc<ClientConfig>,
    pub proxy: Option<Arc<Proxy>>,
    /// The only address family that connections may use; `None` allows both.
    pub family: Option<Family>,
    /// The connection that the last request used.
    pub last: LastVia,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

impl Dialer {
    fn proxy_for(&self, uri: &Uri) -> Option<&Arc<Proxy>> {
        self.proxy.as_ref().filter(|proxy| proxy.serves(uri))
    }

    /// Connects to the server of `uri`: at `addresses`, or through the proxy if `uri` has one.
    fn dial(&self, uri: &Uri, addresses: &[SocketAddr], end: Deadline) -> Result<Stream, Error> {
        let host = uri.host().unwrap_or_default();
        // With a proxy there are no addresses, so a DNS block cannot be detected.
        let failed =
            |kind: Kind| self.unsent(kind.or_blocked(blocking_address(host, addresses)), host);
        let tcp = match self.proxy_for(uri) {
            Some(proxy) => {
                self.dial_through(proxy, uri, end).map_err(|kind| Error::of_proxy(kind, proxy))?
            }
            None => tcp(addresses, end).map_err(failed)?,
        };
        if !is_https(uri) {
            return Ok(tcp);
        }
        tcp.into_tls(&self.tls, host)
            .map_err(|error| failed(Kind::unsent(Phase::Handshake, &error)))
    }

    fn dial_through(&self, proxy: &Proxy, uri: &Uri, end: Deadline) -> Result<Stream, Kind> {
        let host = &proxy.host;
        let tcp = tcp(&addresses_of(host, proxy.port, end)?, end)?;
        let stream = if proxy.https {
            tcp.into_tls(&self.tls, host).map_err(|error| Kind::unsent(Phase::Handshake, &error))?
        } else {
            tcp
        };
        let target = format!("{}:{}", uri.host().unwrap_or_default(), port_of(uri));
        tunnel::open(stream, proxy, &target)
    }

    fn unsent(&self, kind: Kind, host: &str) -> Error {
        Error::new(kind, false, host, self.family)
    }
}

fn tcp(addresses: &[SocketAddr], end: Deadline) -> Result<Stream, Kind> {
    match stream::connect(addresses, end) {
        Ok(tcp) => Ok(Stream::Plain(tcp, end)),
        Err(error) => {
            Err(Kind::unsent(Phase::Connecting, &error).or_no_route(family_of(addresses)))
        }
    }
}

fn family_of(addresses: &[SocketAddr]) -> Option<Family> {
    let first = Family::of(addresses.first()?.ip());
    addresses.iter().all(|address| Family::of(address.ip()) == first).then_some(first)
}

impl Resolver for Dialer {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut kept = self.empty();
        if self.proxy_for(uri).is_some() {
            // The proxy looks the name up. The DNS server of this machine may not know the name.
            return Ok(kept);
        }
        let host = uri.host().unwrap_or_default();
        let end = Deadline::after((*timeout.after).min(RESOLVE_TIMEOUT));
        let found =
            addresses_of(host, port_of(uri), end).map_err(|kind| self.unsent(kind, host))?;
        let is_wanted = |address: &SocketAddr| {
            self.family.is_none_or(|family| family == Family::of(address.ip()))
        };
        for address in found.into_iter().filter(is_wanted).take(MAX_ADDRESSES) {
            kept.push(address);
        }
        if kept.is_empty() {
            return Err(self.unsent(Kind::NoAddress, host).into());
        }
        Ok(kept)
    }
}

impl Connector for Dialer {
    type Out = Connection;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Connection>, ureq::Error> {
        let end = Deadline::after((*details.timeout.after).min(CONNECT_TIMEOUT));
        let uri = details.uri;
        let stream = self.dial(uri, &details.addrs, end)?;
        let via = Via {
            family: stream.family(),
            tls: stream.version().filter(|_| is_https(uri)),
            proxy: self.proxy_for(uri).cloned(),
            ..Via::default()
        };
        Ok(Some(Connection::new(stream, via, self.last.clone())))
    }
}
