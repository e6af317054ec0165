//! How a connection is made: looking the name up, TCP, TLS, each within its time. What goes wrong
//! before a byte of the request is sent is marked as such ([`Early`]), so that a message can say
//! for sure that nothing has happened. Sends no request itself.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use http::Uri;
use http::uri::Scheme;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, StreamOwned};
use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    TcpConnector, Transport, TransportAdapter,
};

/// A step on the way to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Looking the host's name up.
    Resolve,
    /// TCP, and the way through a proxy.
    Connect,
    /// TLS.
    Handshake,
}

/// What went wrong before a byte of the request was sent.
#[derive(Debug)]
pub struct Early {
    pub step: Step,
    pub source: ureq::Error,
}

impl Early {
    /// What went wrong, if it did so before a byte of the request was sent.
    pub fn of(error: &ureq::Error) -> Option<&Self> {
        match error {
            ureq::Error::Other(error) => error.downcast_ref(),
            _ => None,
        }
    }

    fn mark(step: Step, source: ureq::Error) -> ureq::Error {
        if Self::of(&source).is_some() {
            return source;
        }
        ureq::Error::Other(Box::new(Self { step, source }))
    }
}

impl fmt::Display for Early {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for Early {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// As many of a host's addresses are tried; ureq has room for no more.
const MOST_ADDRESSES: usize = 16;

/// The system's own look-up, in a thread, since it cannot be told to end in time.
#[derive(Debug)]
pub struct Lookup;

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let no_host = || ureq::Error::BadUri("no host or no port".into());
        let host = uri.host().ok_or_else(no_host)?;
        let usual = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => Some(443),
            Some(scheme) if *scheme == Scheme::HTTP => Some(80),
            _ => None,
        };
        let port = uri.port_u16().or(usual).ok_or_else(no_host)?;
        let found = addresses_of(host, port, *timeout.after)?;
        let mut kept = self.empty();
        for address in config.ip_family().keep_wanted(found.into_iter()).take(MOST_ADDRESSES) {
            kept.push(address);
        }
        if kept.is_empty() {
            return Err(Early::mark(Step::Resolve, ureq::Error::HostNotFound));
        }
        Ok(kept)
    }
}

/// The addresses of a host's name, each once.
pub fn addresses(host: &str, time: Duration) -> Result<Vec<IpAddr>, ureq::Error> {
    let found = addresses_of(host, 0, time)?;
    let mut addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

/// Agrees on TLS with the server of `uri`, and asks it for nothing. Each step has `time`: the
/// look-up, TCP to each address, TLS.
pub fn handshake(
    tls: &Arc<ClientConfig>,
    uri: &Uri,
    time: Duration,
) -> Result<&'static str, ureq::Error> {
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(443);
    let found = addresses_of(host, port, time)?;
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in found {
        match TcpStream::connect_timeout(&address, time) {
            Ok(stream) => {
                return agree(session(tls, host)?, stream, time)
                    .map_err(|error| Early::mark(Step::Handshake, error.into()));
            }
            Err(error) => last = error,
        }
    }
    Err(Early::mark(Step::Connect, last.into()))
}

/// A handshake to its end. Answers with the protocol's version.
fn agree(
    mut session: ClientConnection,
    mut stream: TcpStream,
    time: Duration,
) -> io::Result<&'static str> {
    let end = Instant::now() + time;
    while session.is_handshaking() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        stream.set_write_timeout(Some(left))?;
        if session.wants_write() {
            session.write_tls(&mut stream)?;
        } else if session.read_tls(&mut stream)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        } else if let Err(error) = session.process_new_packets() {
            // The other side is told why, if it still listens.
            let _ = session.write_tls(&mut stream);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
    }
    session.send_close_notify();
    let _ = session.write_tls(&mut stream);
    Ok(match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    })
}

fn session(tls: &Arc<ClientConfig>, host: &str) -> io::Result<ClientConnection> {
    let name = ServerName::try_from(bare(host).to_owned()).map_err(io::Error::other)?;
    ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)
}

/// Where a host of a URL is: an address as it stands, a name looked up.
fn addresses_of(host: &str, port: u16, time: Duration) -> Result<Vec<SocketAddr>, ureq::Error> {
    match bare(host).parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => {
            look_up(host.into(), port, time).map_err(|error| Early::mark(Step::Resolve, error))
        }
    }
}

fn look_up(host: String, port: u16, time: Duration) -> Result<Vec<SocketAddr>, ureq::Error> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs();
        // Nobody listens any more when it took too long.
        let _ = sender.send(found.map(Iterator::collect));
    })?;
    match receiver.recv_timeout(time) {
        Ok(found) => Ok(found?),
        Err(_) => Err(ureq::Error::Timeout(ureq::Timeout::Resolve)),
    }
}

/// An IPv6 address without the brackets that a URL has around it.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Connections through a proxy or not, with TLS where the URL is https.
pub fn connector(tls: Arc<ClientConfig>) -> impl Connector<Out = impl Transport> {
    let way = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default());
    Marking(Step::Handshake, Marking(Step::Connect, way).chain(Tls(tls)))
}

/// Marks what its connector fails with as of that step.
#[derive(Debug)]
struct Marking<C>(Step, C);

impl<C: Connector> Connector for Marking<C> {
    type Out = C::Out;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        self.1.connect(details, chained).map_err(|error| Early::mark(self.0, error))
    }
}

/// Puts TLS around a connection, where the URL is https.
struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let mut conn = session(&self.0, details.uri.host().unwrap_or_default())?;
        let mut sock = TransportAdapter::new(transport.boxed(), Arc::clone(&details.current_time));
        // What TCP left of the time that a connection has.
        let spent = match details.now {
            time::Instant::Exact(started) => started.elapsed(),
            time::Instant::AlreadyHappened | time::Instant::NotHappening => Duration::ZERO,
        };
        let left = details.timeout.after.saturating_sub(spent);
        sock.set_timeout(NextTimeout { after: left.into(), ..details.timeout });
        while conn.is_handshaking() {
            conn.complete_io(&mut sock)?;
        }
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(TlsTransport { buffers, stream: StreamOwned { conn, sock } })))
    }
}

/// A connection inside TLS.
struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output();
        self.stream.write_all(output.get(..amount).unwrap_or(output))?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
