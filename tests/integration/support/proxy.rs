//! A fake HTTP proxy for `HTTPS_PROXY`. It answers CONNECT, with or without a password, and maps
//! each host and port to a port of 127.0.0.1. It passes bytes on unread. It may speak TLS itself,
//! and a test may script a response in place of a tunnel.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};

use super::ca::{self, Certificate};
use super::http::{self, Reply, Response};

/// The user name and the password that the proxy requires, percent-encoded for a URL.
pub const USER_PASSWORD: &str = "pi:pr0xy%2FP%40ss";
/// The password, decoded.
pub const PASSWORD: &str = "pr0xy/P@ss";
/// The header that the proxy requires: `pi:pr0xy/P@ss` in base64.
const BASIC: &str = "Basic cGk6cHIweHkvUEBzcw==";

struct Shared {
    /// Maps `host:port` to a port of 127.0.0.1. `*` matches every other host and port.
    table: Vec<(String, u16)>,
    needs_password: bool,
    /// The replies to the next requests in place of a tunnel, in order.
    once: Mutex<VecDeque<Reply>>,
    /// The reply to all other requests in place of a tunnel, if any.
    always: Mutex<Option<Reply>>,
    tls: Option<Certificate>,
    request_lines: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// The proxy. It stops when dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    pub fn start(table: &[(&str, u16)]) -> Self {
        Self::start_as(table, false, None)
    }

    /// A proxy that speaks TLS itself.
    pub fn behind_tls(table: &[(&str, u16)], certificate: Certificate) -> Self {
        Self::start_as(table, false, Some(certificate))
    }

    pub fn with_password(table: &[(&str, u16)]) -> Self {
        Self::start_as(table, true, None)
    }

    fn start_as(table: &[(&str, u16)], needs_password: bool, tls: Option<Certificate>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            table: table.iter().map(|&(name, port)| (name.to_owned(), port)).collect(),
            needs_password,
            once: Mutex::default(),
            always: Mutex::default(),
            tls,
            request_lines: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || {
            loop {
                let Ok((stream, _)) = listener.accept() else { continue };
                if own.stop.load(Ordering::SeqCst) {
                    return;
                }
                let own = Arc::clone(&own);
                // An error ends this tunnel only. Its client sees that.
                std::thread::spawn(move || drop(serve(stream, &own)));
            }
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    pub fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// `HOST:PORT`, as messages name the proxy.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Sets the reply to the next request, in place of a tunnel.
    pub fn once(&self, reply: impl Into<Reply>) {
        self.shared.once.lock().unwrap_or_else(PoisonError::into_inner).push_back(reply.into());
    }

    /// Sets the reply to every request, in place of a tunnel.
    pub fn always(&self, reply: impl Into<Reply>) {
        *self.shared.always.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply.into());
    }

    pub fn url_with(&self, user_password: &str) -> String {
        format!("http://{user_password}@{}", self.address)
    }

    /// Method and target of each request, oldest first.
    pub fn request_lines(&self) -> Vec<String> {
        self.shared.request_lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            // The thread of the acceptor has printed its own panic.
            drop(acceptor.join());
        }
    }
}

fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    let Some(certificate) = shared.tls else {
        let raw = client.try_clone()?;
        return response(client, &raw, shared);
    };
    let connection = ServerConnection::new(ca::server_config(certificate))
        .map_err(|error| io::Error::other(error.to_string()))?;
    let raw = client.try_clone()?;
    response(StreamOwned::new(connection, client), &raw, shared)
}

fn response<S: Read + Write>(client: S, raw: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    let Some(request) = http::read_request(&mut reader)? else { return Ok(()) };
    let is_allowed = !shared.needs_password || request.header("proxy-authorization") == Some(BASIC);
    let line = format!("{} {}", request.method, request.target);
    shared.request_lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    let once = shared.once.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let always = || shared.always.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(reply) = once.or_else(always) {
        return http::write_reply(reader.get_mut(), &reply);
    }
    if !is_allowed {
        let response = Response::new(407, "text/plain", "who are you?")
            .with("Proxy-Authenticate", "Basic realm=\"tests\"");
        return reader.get_mut().write_all(&response.to_bytes());
    }
    let port = (request.method == "CONNECT")
        .then(|| {
            let entry = |name: &str| {
                shared.table.iter().find(|(key, _)| key == name).map(|(_, port)| *port)
            };
            entry(&request.target).or_else(|| entry("*"))
        })
        .flatten();
    let Some(port) = port else {
        let response = Response::new(502, "text/plain", "no way there");
        return reader.get_mut().write_all(&response.to_bytes());
    };
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    reader.get_mut().write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    reader.get_mut().flush()?;
    if shared.tls.is_some() {
        return exchange(reader, raw, server);
    }
    let (mut back, mut forth) = (server.try_clone()?, server);
    let responses = {
        let mut client = raw.try_clone()?;
        std::thread::spawn(move || {
            drop(io::copy(&mut back, &mut client));
            drop(client.shutdown(Shutdown::Write));
        })
    };
    // Bytes read past the end of the CONNECT request belong to the tunnel.
    let early = reader.buffer().to_vec();
    forth.write_all(&early)?;
    drop(io::copy(reader.get_mut(), &mut forth));
    drop(forth.shutdown(Shutdown::Write));
    drop(responses.join());
    Ok(())
}

/// Passes bytes on in both directions. One thread does both, since a TLS connection has one state.
fn exchange<S: Read + Write>(
    mut client: BufReader<S>,
    raw: &TcpStream,
    mut server: TcpStream,
) -> io::Result<()> {
    let turn = Some(Duration::from_millis(5));
    raw.set_read_timeout(turn)?;
    server.set_read_timeout(turn)?;
    let mut buffer = vec![0; 1 << 14];
    loop {
        for to_server in [true, false] {
            let read = if to_server { client.read(&mut buffer) } else { server.read(&mut buffer) };
            match read {
                Ok(0) => return Ok(()),
                Ok(amount) if to_server => server.write_all(&buffer[..amount])?,
                Ok(amount) => {
                    client.get_mut().write_all(&buffer[..amount])?;
                    client.get_mut().flush()?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
