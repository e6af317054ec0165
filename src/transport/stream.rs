//! A connection whose every read and write ends by one moment, with or without TLS around it, in
//! the shape that ureq wants. Decides nothing about where it leads.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, StreamOwned};
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};

use super::buffers::InOut;
use super::lookup::bare;
use super::via::{LastVia, Via};
use crate::deadline::Deadline;
use crate::record::Family;

/// At most this many of a host's addresses are tried; ureq has room for no more.
pub const MAX_ADDRESSES: usize = 16;

/// TCP to the first of `addresses` that takes a connection by `end`. Each has an equal share of
/// the time that is left, so that one that is silent leaves the others theirs. Any failure goes on
/// to the next. The error is the one that says most: what an address said itself, before that
/// there is no way to another.
pub fn connect(addresses: &[SocketAddr], end: Deadline) -> io::Result<TcpStream> {
    let addresses = addresses.get(..MAX_ADDRESSES).unwrap_or(addresses);
    let mut worst: Option<io::Error> = None;
    for (index, address) in addresses.iter().enumerate() {
        let left = end.share(addresses.len() - index).left();
        let error = if left.is_zero() {
            io::ErrorKind::TimedOut.into()
        } else {
            match TcpStream::connect_timeout(address, left) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => error,
            }
        };
        if worst.as_ref().is_none_or(|worst| is_no_way(worst) && !is_no_way(&error)) {
            worst = Some(error);
        }
    }
    Err(worst.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

/// Whether it was this machine or a router that said that there is no way to an address.
pub fn is_no_way(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ENETUNREACH
                | libc::EHOSTUNREACH
                | libc::EADDRNOTAVAIL
                | libc::EAFNOSUPPORT
                | libc::ENETDOWN
                | libc::EACCES
                | libc::EPERM
        )
    )
}

/// A TCP connection, perhaps with TLS in it, perhaps with another TLS in that: the proxy's and the
/// server's.
pub enum Stream {
    Plain(TcpStream, Deadline),
    Tls(Box<StreamOwned<ClientConnection, Stream>>),
}

impl Stream {
    /// Agrees on TLS with `host` over this connection.
    pub fn into_tls(mut self, tls: &Arc<ClientConfig>, host: &str) -> io::Result<Self> {
        let name = ServerName::try_from(bare(host).to_owned())
            .map_err(|_| io::Error::other("the host's name cannot be in a certificate"))?;
        let mut session = ClientConnection::new(Arc::clone(tls), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut self)?;
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(session, self))))
    }

    /// From now on, reads and writes end by this moment.
    pub fn until(&mut self, moment: Deadline) {
        match self {
            Self::Plain(_, end) => *end = moment,
            Self::Tls(tls) => tls.sock.until(moment),
        }
    }

    /// The version of TLS that was agreed on, as in `TLS 1.3`.
    pub fn version(&self) -> Option<&'static str> {
        let Self::Tls(tls) = self else { return None };
        Some(match tls.conn.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        })
    }

    /// The address family of the TCP connection.
    pub fn family(&self) -> Option<Family> {
        self.tcp().peer_addr().ok().map(|peer| Family::of(peer.ip()))
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream, _) => stream,
            Self::Tls(tls) => tls.sock.tcp(),
        }
    }

    /// Whether the connection is open and nothing has come that nobody asked for.
    fn is_idle(&self) -> bool {
        let tcp = self.tcp();
        let silent = |tcp: &TcpStream| {
            tcp.set_nonblocking(true)?;
            let read = tcp.peek(&mut [0]);
            tcp.set_nonblocking(false)?;
            read
        };
        matches!(silent(tcp), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
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

/// One call of the system that ends by `end`, begun again where a signal cut it off.
fn in_time(
    end: Deadline,
    mut call: impl FnMut(std::time::Duration) -> io::Result<usize>,
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

/// A connection as ureq uses it.
pub struct Connection {
    stream: Stream,
    buffers: InOut,
    via: Via,
    last: LastVia,
}

impl Connection {
    /// `via` describes the connection; each request over it writes that to `last`.
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
        self.last.lock().clone_from(&self.via);
        self.stream.until(Deadline::after(*timeout.after));
        let output = self.buffers.output();
        let output = output.get(..amount).unwrap_or(output);
        // Without the flush, TLS keeps an error of the connection to itself until the next call.
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
    fn each_failure_goes_on_to_the_next_address() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let good = listener.local_addr().unwrap();
        let refusing = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        // To a broadcast address TCP is prohibited: EACCES or ENETUNREACH, as the system has it.
        let prohibited: SocketAddr = "255.255.255.255:9".parse().unwrap();
        let end = Deadline::after(Duration::from_secs(20));
        assert!(connect(&[prohibited, refusing, good], end).is_ok());
        for addresses in [[prohibited, refusing], [refusing, prohibited]] {
            let error = connect(&addresses, end).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{addresses:?}");
        }
        assert!(is_no_way(&connect(&[prohibited], end).unwrap_err()));
        assert!(connect(&[], end).is_err());
    }

    #[test]
    fn addresses_that_are_silent_share_the_time() {
        // A full backlog answers no further connection.
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
