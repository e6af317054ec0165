//! A fake reflector. It answers with one address over IPv4 and another over IPv6, or with the
//! reply that a test scripts for a family. It records its requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::ca::Certificate;
use super::http::{Family, Reply, Request, Response};
use super::server::{Listen, Protocol, Server};

/// A name that the tests' hosts file maps to both loopback addresses.
pub const HOST: &str = "reflect.example.net";
/// The secret in the usual URL, percent-encoded.
pub const SECRET_QUERY: &str = "v3ry%2FSecret%2BValue";
/// The same secret, decoded.
pub const SECRET_DECODED: &str = "v3ry/Secret+Value";

/// The form of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The form of the PHP reflector: `error` and `your_ip` among other members.
    YourIp,
    Ip,
    Bare,
}

pub fn address_response(form: Form, address: &str) -> Response {
    match form {
        Form::YourIp => Response::json(&json!({
            "error": "", "forwarded": 0, "forwarded_for": "", "your_ip": address
        })),
        Form::Ip => Response::json(&json!({ "ip": address })),
        Form::Bare => Response::text(format!("{address}\n")),
    }
}

#[derive(Default)]
struct Script {
    /// The replies over IPv4 (index 0) and over IPv6 (index 1).
    usual: [Option<Reply>; 2],
    next: [VecDeque<Reply>; 2],
    /// The replies for paths other than the usual one.
    paths: BTreeMap<String, Reply>,
}

/// The server. It stops when dropped.
pub struct FakeReflector {
    server: Server,
    script: Arc<Mutex<Script>>,
}

impl FakeReflector {
    /// Listens on both families with TLS and answers 192.175.48.7 and `2620:4f:8000::7`. IANA lists
    /// both addresses as globally reachable, and no host has them.
    pub fn start() -> Self {
        Self::start_as(Listen::Both, Protocol::Tls(Certificate::Good))
    }

    pub fn start_as(listen: Listen, protocol: Protocol) -> Self {
        let script = Arc::new(Mutex::new(Script::default()));
        let shared = Arc::clone(&script);
        let server = Server::start(listen, protocol, move |request| response(&shared, request));
        let reflector = Self { server, script };
        reflector.says(Family::V4, "192.175.48.7");
        reflector.says(Family::V6, "2620:4f:8000::7");
        reflector
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The usual URL, with a secret in its query.
    pub fn url(&self) -> String {
        self.url_of(HOST)
    }

    pub fn url_of(&self, host: &str) -> String {
        format!("{}/reflect/v1?apikey={SECRET_QUERY}", self.server.url(host))
    }

    pub fn says(&self, family: Family, address: &str) {
        self.replies(family, address_response(Form::YourIp, address));
    }

    /// Makes every later request of a family fail: the answer is the text `out of order`.
    pub fn fails(&self, family: Family) {
        self.replies(family, Response::text("out of order"));
    }

    /// Sets the reply to every later request of a family.
    pub fn replies(&self, family: Family, reply: impl Into<Reply>) {
        self.lock().usual[family as usize] = Some(reply.into());
    }

    /// Sets the reply to the next request of a family. Several replies queue up.
    pub fn once(&self, family: Family, reply: impl Into<Reply>) {
        self.lock().next[family as usize].push_back(reply.into());
    }

    /// Sets the reply to every request for `target`, a path with its query.
    pub fn at(&self, target: &str, reply: impl Into<Reply>) {
        self.lock().paths.insert(target.to_owned(), reply.into());
    }

    /// `GET target` of each request, oldest first.
    pub fn request_lines(&self) -> Vec<String> {
        let requests = self.server.requests();
        requests.iter().map(|request| format!("{} {}", request.method, request.target)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn response(script: &Mutex<Script>, request: &Request) -> Reply {
    let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(reply) = script.paths.get(&request.target) {
        return reply.clone();
    }
    let family = request.family as usize;
    if let Some(reply) = script.next[family].pop_front() {
        return reply;
    }
    script.usual[family].clone().expect("every family has its usual reply")
}
