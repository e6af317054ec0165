//! A threaded server on loopback: HTTP or HTTPS, on IPv4, IPv6 or both with one port. It passes
//! each request to a closure and records connections, handshakes and requests. It accepts every
//! well-formed request.

use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::ca::{self, Certificate};
use super::http::{self, End, Family, Reply, Request};

/// Where a server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    V4,
    V6,
    Both,
}

/// What a server speaks: HTTP or HTTPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Plain,
    Tls(Certificate),
}

/// What the server has counted so far.
#[derive(Debug, Default)]
struct Counters {
    connections: AtomicUsize,
    /// The connections that are still open.
    open: AtomicUsize,
    handshakes: AtomicUsize,
    failed_handshakes: AtomicUsize,
}

struct Shared {
    counters: Counters,
    requests: Mutex<Vec<Request>>,
    /// What was wrong with each invalid request. Each entry fails the test.
    violations: Mutex<Vec<String>>,
    stop: AtomicBool,
    tls: Option<Arc<ServerConfig>>,
    handler: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
}

/// The server. It stops when dropped.
pub struct Server {
    port: u16,
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    acceptors: Vec<JoinHandle<()>>,
}

impl Server {
    pub fn start(
        listen: Listen,
        protocol: Protocol,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listeners = bind(listen);
        let addresses: Vec<SocketAddr> =
            listeners.iter().map(|listener| listener.local_addr().expect("bound")).collect();
        let shared = Arc::new(Shared {
            counters: Counters::default(),
            requests: Mutex::default(),
            violations: Mutex::default(),
            stop: AtomicBool::new(false),
            tls: match protocol {
                Protocol::Plain => None,
                Protocol::Tls(certificate) => Some(ca::server_config(certificate)),
            },
            handler: Box::new(handler),
        });
        let acceptors = listeners
            .into_iter()
            .map(|listener| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || accept(&listener, &shared))
            })
            .collect();
        Self { port: addresses[0].port(), addresses, shared, acceptors }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub fn url(&self, host: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{host}:{}", self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn violations(&self) -> Vec<String> {
        self.shared.violations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.counters.connections.load(Ordering::SeqCst)
    }

    /// Waits until no connection is open. Then every request of a killed client has been handled: a
    /// TLS connection that was never accepted carries no request.
    #[track_caller]
    pub fn wait_until_idle(&self) {
        let start = Instant::now();
        while self.shared.counters.open.load(Ordering::SeqCst) > 0 {
            assert!(start.elapsed() < Duration::from_secs(30), "a connection stays open");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Completed TLS handshakes.
    pub fn handshakes(&self) -> usize {
        self.shared.counters.handshakes.load(Ordering::SeqCst)
    }

    pub fn failed_handshakes(&self) -> usize {
        self.shared.counters.failed_handshakes.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for address in &self.addresses {
            // Wakes the acceptor. If that fails, its thread ends with the process.
            drop(TcpStream::connect_timeout(address, Duration::from_secs(1)));
        }
        for acceptor in self.acceptors.drain(..) {
            // The thread of the acceptor has printed its own panic.
            drop(acceptor.join());
        }
    }
}

fn bind(listen: Listen) -> Vec<TcpListener> {
    let v4 = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let v6 = |port| TcpListener::bind((Ipv6Addr::LOCALHOST, port));
    match listen {
        Listen::V4 => vec![v4(0).expect("a port on 127.0.0.1")],
        Listen::V6 => vec![v6(0).expect("a port on [::1]")],
        Listen::Both => {
            // A port that is free on one family may be in use on the other. Try another one.
            for _ in 0..100 {
                let first = v4(0).expect("a port on 127.0.0.1");
                let port = first.local_addr().expect("bound").port();
                if let Ok(second) = v6(port) {
                    return vec![first, second];
                }
            }
            panic!("no port is free on both 127.0.0.1 and [::1]");
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        let Ok((stream, peer)) = listener.accept() else { continue };
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let number = shared.counters.connections.fetch_add(1, Ordering::SeqCst) + 1;
        shared.counters.open.fetch_add(1, Ordering::SeqCst);
        let family = if peer.is_ipv4() { Family::V4 } else { Family::V6 };
        let shared = Arc::clone(shared);
        // Not joined: it ends with its client, a child process that its test waits for.
        std::thread::spawn(move || {
            serve(stream, number, family, &shared);
            shared.counters.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// An error ends its connection only. The client sees it, and the test asserts the result.
fn serve(stream: TcpStream, number: usize, family: Family, shared: &Shared) {
    let Ok(raw) = stream.try_clone() else { return };
    // A test never waits for a peer that is gone.
    let limit = Some(Duration::from_mins(2));
    if stream.set_read_timeout(limit).and(stream.set_nodelay(true)).is_err() {
        return;
    }
    match &shared.tls {
        None => {
            let mut buffered = BufReader::new(stream);
            let end = answer_requests(&mut buffered, number, family, None, shared);
            finish(&raw, end);
        }
        Some(config) => {
            let Ok(mut connection) = ServerConnection::new(Arc::clone(config)) else { return };
            let mut stream = stream;
            while connection.is_handshaking() {
                if connection.complete_io(&mut stream).is_err() {
                    shared.counters.failed_handshakes.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
            shared.counters.handshakes.fetch_add(1, Ordering::SeqCst);
            let name = connection.server_name().map(str::to_owned);
            let mut buffered = BufReader::new(StreamOwned::new(connection, stream));
            let end = answer_requests(&mut buffered, number, family, name.as_deref(), shared);
            if end == End::Close {
                let tls = buffered.get_mut();
                tls.conn.send_close_notify();
                // The client may be gone already.
                drop(tls.conn.complete_io(&mut tls.sock));
            }
            finish(&raw, end);
        }
    }
}

/// Answers requests until the client or a reply ends the connection. Returns how to end it.
fn answer_requests<S: Read + Write>(
    stream: &mut BufReader<S>,
    number: usize,
    family: Family,
    server_name: Option<&str>,
    shared: &Shared,
) -> End {
    loop {
        let mut request = match http::read_request(stream) {
            Ok(Some(request)) => request,
            Ok(None) => return End::Close,
            Err(error) => {
                if error.kind() == io::ErrorKind::InvalidData {
                    let mut violations =
                        shared.violations.lock().unwrap_or_else(PoisonError::into_inner);
                    violations.push(error.to_string());
                }
                return End::Close;
            }
        };
        request.connection = number;
        request.family = family;
        request.server_name = server_name.map(str::to_owned);
        shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        let reply = (shared.handler)(&request);
        if http::write_reply(stream.get_mut(), &reply).is_err() {
            return End::Close;
        }
        match reply.end() {
            None => {}
            Some(end) => return end,
        }
    }
}

fn finish(stream: &TcpStream, end: End) {
    if end == End::Reset {
        // With a linger time of 0 the kernel sends a reset when the last handle is dropped.
        let no_time = Some(Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(stream, no_time).expect("SO_LINGER");
    }
}

/// A port of 127.0.0.1 that refuses every connection: its socket is bound and does not listen. The
/// port stays reserved while this value lives.
pub struct Refusing {
    _socket: rustix::fd::OwnedFd,
    port: u16,
}

impl Refusing {
    pub fn new() -> Self {
        use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let name = getsockname(&socket).expect("its name");
        let port = SocketAddr::try_from(name).expect("an internet address").port();
        Self { _socket: socket, port }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A port of 127.0.0.1 on which connections open and no byte comes: the kernel completes the
/// handshake, and nothing accepts the connection.
pub struct Silent(TcpListener);

impl Silent {
    pub fn start() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on 127.0.0.1"))
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("bound").port()
    }
}
