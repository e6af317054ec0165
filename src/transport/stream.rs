//! A connection as ureq's `Transport`, with or without TLS, whose reads and writes all end by one
//! deadline. Does not choose the server.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, StreamOwned};
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::buffers::InOut;
use super::lookup::without_brackets;
use super::route::is_unreachable;
use super::via::{LastVia, Via};
use crate::deadline::Deadline;
use crate::record::Family;

/// How many addresses of a host are tried at most. ureq has no room for more.
pub const MAX_ADDRESSES: usize = 16;

/// Opens a TCP connection to the first of `addresses` that accepts one by `end`. Each address gets
/// an equal share of the remaining time, so that a silent address leaves time for the others. If
/// all addresses fail, returns the first error of the host itself, or else the first error.
pub fn connect(addresses: &[SocketAddr], end: Deadline) -> io::Result<TcpStream> {
    let addresses = addresses.get(..MAX_ADDRESSES).unwrap_or(addresses);
    let mut first: Option<io::Error> = None;
    for (index, address) in addresses.iter().enumerate() {
        let left = end.share(addresses.len() - index).left();
        let connected = if left.is_zero() {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            TcpStream::connect_timeout(address, left)
        };
        match connected {
            Ok(stream) => return stream.set_nodelay(true).map(|()| stream),
            Err(error) if first.as_ref().is_none_or(is_unreachable) && !is_unreachable(&error) => {
                first = Some(error);
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

/// A TCP connection with up to two nested TLS sessions: one with an https proxy, and inside it one
/// with the server.
pub enum Stream {
    Plain(TcpStream, Deadline),
    Tls(Box<StreamOwned<ClientConnection, Stream>>),
}

impl Stream {
    pub fn into_tls(mut self, tls: &Arc<ClientConfig>, host: &str) -> io::Result<Self> {
        let name = ServerName::try_from(without_brackets(host).to_owned())
            .map_err(|_| io::Error::other("the host's name cannot be in a certificate"))?;
        let mut session = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut self)?;
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(session, self))))
    }

    /// Makes all further reads and writes end by `moment`.
    pub fn until(&mut self, moment: Deadline) {
        match self {
            Self::Plain(_, end) => *end = moment,
            Self::Tls(tls) => tls.sock.until(moment),
        }
    }

    /// The negotiated version of TLS, as in `TLS 1.3`.
    pub fn version(&self) -> Option<&'static str> {
        let Self::Tls(tls) = self else { return None };
        Some(match tls.conn.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        })
    }

    pub fn family(&self) -> Option<Family> {
        self.tcp().peer_addr().ok().map(|peer| Family::of(peer.ip()))
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream, _) => stream,
            Self::Tls(tls) => tls.sock.tcp(),
        }
    }

    /// Whether the connection is open and has no unread bytes. Bytes before a request mean that the
    /// connection cannot be used again.
    fn is_idle(&self) -> bool {
        let tcp = self.tcp();
        let peek = || {
            tcp.set_nonblocking(true)?;
            let peeked = tcp.peek(&mut [0]);
            tcp.set_nonblocking(false)?;
            peeked
        };
        peek().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream, end) => in_time(*end, |left| {
                stream.set_read_timeout(Some(left))?;
                stream.read(buffer)
            }),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream, end) => in_time(*end, |left| {
                stream.set_write_timeout(Some(left))?;
                stream.write(buffer)
            }),
            Self::Tls(tls) => tls.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream, _) => stream.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// Makes one system call that ends by `end`, and repeats it if a signal interrupts it.
fn in_time(
    end: Deadline,
    mut call: impl FnMut(Duration) -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        let left = end.left();
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match call(left) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            result => return result,
        }
    }
}

/// A connection that ureq uses for one or more requests.
pub struct Connection {
    stream: Stream,
    buffers: InOut,
    via: Via,
    last: LastVia,
}

impl Connection {
    /// `via` describes the connection. Each request over the connection copies `via` to `last`.
    pub fn new(stream: Stream, via: Via, last: LastVia) -> Self {
        Self { stream, buffers: InOut::new(), via, last }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&self.via);
        self.stream.until(Deadline::after(*timeout.after));
        let output = self.buffers.output();
        let output = output.get(..amount).unwrap_or(output);
        // Without the flush, TLS reports a connection error only at the next call.
        self.stream
            .write_all(output)
            .and_then(|()| self.stream.flush())
            .map_err(|error| of_exchange(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.until(Deadline::after(*timeout.after));
        let amount = self
            .stream
            .read(self.buffers.input_append_buf())
            .map_err(|error| of_exchange(error, timeout))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.is_idle()
    }

    fn is_tls(&self) -> bool {
        self.via.tls.is_some()
    }
}

fn of_exchange(error: io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => ureq::Error::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::{Duration, Instant};

    #[test]
    fn failed_address_is_followed_by_the_next_address() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let good = listener.local_addr().unwrap();
        let refusing = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        // TCP to a broadcast address fails with EACCES or ENETUNREACH, depending on the system.
        let prohibited: SocketAddr = "255.255.255.255:9".parse().unwrap();
        let end = Deadline::after(Duration::from_secs(20));
        assert!(connect(&[prohibited, refusing, good], end).is_ok());
        for addresses in [[prohibited, refusing], [refusing, prohibited]] {
            let error = connect(&addresses, end).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{addresses:?}");
        }
        assert!(is_unreachable(&connect(&[prohibited], end).unwrap_err()));
        assert!(connect(&[], end).is_err());
    }

    #[test]
    fn silent_addresses_leave_time_for_the_last_address() {
        // A listener whose backlog is full does not respond to further connections.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let silent = listener.local_addr().unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&silent, Duration::from_millis(300)) {
            held.push(stream);
        }
        let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut addresses = vec![silent; 15];
        addresses.push(open.local_addr().unwrap());
        let began = Instant::now();
        assert!(connect(&addresses, Deadline::after(Duration::from_secs(3))).is_ok());
        assert!(began.elapsed() < Duration::from_secs(3));
        let began = Instant::now();
        let error = connect(&[silent; 15], Deadline::after(Duration::from_secs(1))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(2));
    }
}
