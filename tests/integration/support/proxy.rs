//! An HTTP proxy as `HTTPS_PROXY` names one: CONNECT, with or without a password, and a table of
//! where each host and port really is. It passes bytes on unread, as a real one does.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::http::{self, Answer};

/// The Authorization that the proxy wants: `pi:pr0xy/P@ss` in base64.
pub const USER_PASSWORD: &str = "pi:pr0xy%2FP%40ss";
pub const PASSWORD: &str = "pr0xy/P@ss";
const BASIC: &str = "Basic cGk6cHIweHkvUEBzcw==";

struct Shared {
    /// From `host:port` to a port of 127.0.0.1; `*` stands for every other one.
    table: Vec<(String, u16)>,
    wants_password: bool,
    asked: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// The proxy; it stops when dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    pub fn start(table: &[(&str, u16)]) -> Self {
        Self::start_as(table, false)
    }

    pub fn with_password(table: &[(&str, u16)]) -> Self {
        Self::start_as(table, true)
    }

    fn start_as(table: &[(&str, u16)], wants_password: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            table: table.iter().map(|&(name, port)| (name.to_owned(), port)).collect(),
            wants_password,
            asked: Mutex::default(),
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
                // An error ends this one tunnel, which its client then sees.
                std::thread::spawn(move || drop(serve(stream, &own)));
            }
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn url_with(&self, user_password: &str) -> String {
        format!("http://{user_password}@{}", self.address)
    }

    /// The request line of each request, oldest first, and whether it had the right password.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            // A panic of the acceptor was printed by its own thread.
            drop(acceptor.join());
        }
    }
}

fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let Some(request) = http::read_request(&mut reader)? else { return Ok(()) };
    let may = !shared.wants_password || request.header("proxy-authorization") == Some(BASIC);
    let line = format!("{} {}", request.method, request.target);
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    let mut client = client;
    if !may {
        let answer = Answer::new(407, "text/plain", "who are you?")
            .with("Proxy-Authenticate", "Basic realm=\"tests\"");
        return client.write_all(&answer.to_bytes());
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
        return client.write_all(&Answer::new(502, "text/plain", "no way there").to_bytes());
    };
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut back, mut forth) = (server.try_clone()?, server);
    let answers = {
        let mut client = client.try_clone()?;
        std::thread::spawn(move || {
            drop(io::copy(&mut back, &mut client));
            drop(client.shutdown(Shutdown::Write));
        })
    };
    // What was read ahead of the end of the CONNECT request belongs to the tunnel.
    let early = reader.buffer().to_vec();
    forth.write_all(&early)?;
    drop(io::copy(reader.get_mut(), &mut forth));
    drop(forth.shutdown(Shutdown::Write));
    drop(answers.join());
    Ok(())
}
