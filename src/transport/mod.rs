//! One HTTP exchange: the only folder that names ureq and rustls. It owns time-outs, the address
//! family of a connection, the cap on an answer's body, trust roots and the proxy. It never
//! retries, follows no redirect, and knows neither AWS nor reflectors.

mod buffers;
mod certificate;
mod connect;
mod crypto;
mod error;
mod issuer;
mod kind;
mod lookup;
mod proxy;
mod route;
mod stream;
mod trust;
mod tunnel;
pub mod url;
mod via;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Version};
use ureq::config::{AutoHeaderValue, Config, IpFamily};
use ureq::{Agent, AsSendBody};

use connect::Way;
use proxy::Proxy;
use via::LastVia;

use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::record::Family;

pub use error::{Error, NO_NETWORK, NO_NETWORK_ADVICE};
pub use issuer::shown_name;
pub use route::is_ipv6_only;
pub use via::Via;

/// How long a name may take to look up.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sending may take, the head and the body of a request each.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer may keep waiting for itself, to the end of its head.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the body of an answer may take to its last byte.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one whole exchange may take, from the look-up of the name to the body's last byte.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Less time than this is none: not even a server in the house would answer.
const MIN_TIMEOUT: Duration = Duration::from_millis(10);

/// The bytes that a connection reads or writes at once, each in a buffer of its own.
const BUFFER: usize = 1 << 14;
/// The most bytes that the head of an answer may have; it must fit the buffer.
const MAX_HEAD: usize = BUFFER / 2;
const USER_AGENT: &str = concat!("autodns/", env!("CARGO_PKG_VERSION"));

/// What every connection of a run shares: whom to trust, and the proxy on the way to AWS.
#[derive(Clone, Debug)]
pub struct Network {
    direct: Way,
    proxied: Way,
    notes: Vec<String>,
}

impl Network {
    /// Reads `AWS_CA_BUNDLE` (else `SSL_CERT_FILE`, else the built-in Mozilla roots are used) and
    /// `HTTPS_PROXY` with `NO_PROXY`.
    pub fn from_environment(environment: &Environment) -> Result<Self, SetupError> {
        let (tls, note) = trust::client_config(environment)?;
        let (proxy, mut notes) = Proxy::read(environment)?;
        notes.extend(note);
        let direct = Way { tls, proxy: None, family: None, last: LastVia::default() };
        let proxied = Way { proxy: proxy.map(Arc::new), ..direct.clone() };
        Ok(Self { direct, proxied, notes })
    }

    /// What of the environment is ignored, a line each, for `--verbose`.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The proxy's password, if it has one: a secret that messages must not show.
    pub fn proxy_password(&self) -> Option<&str> {
        self.proxied.proxy.as_ref().and_then(|proxy| proxy.password())
    }

    /// A client whose connections go straight to the server, over `family` only.
    pub fn direct(&self, family: Family) -> Client {
        Self::client(Some(family), self.direct.clone())
    }

    /// A client for AWS: over either family, through the proxy where one is set. `HTTPS_PROXY` says
    /// nothing about an endpoint that is not https.
    pub fn proxied(&self, https: bool) -> Client {
        Self::client(None, if https { self.proxied.clone() } else { self.direct.clone() })
    }

    /// Whether a proxy is set, for whatever hosts.
    pub const fn has_proxy(&self) -> bool {
        self.proxied.proxy.is_some()
    }

    fn client(family: Option<Family>, way: Way) -> Client {
        let way = Way { family, last: LastVia::default(), ..way };
        let config = Config::builder()
            // Nothing here unpacks: a small body must not become a large one.
            .accept_encoding(AutoHeaderValue::None)
            .http_status_as_error(false)
            .max_response_header_size(MAX_HEAD)
            .ip_family(match family {
                None => IpFamily::Any,
                Some(Family::V4) => IpFamily::Ipv4Only,
                Some(Family::V6) => IpFamily::Ipv6Only,
            })
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The way knows its proxy itself: ureq's own gives every read of the proxy's answer a
            // time-out of its own, and one byte at a time never ends.
            .proxy(None)
            .timeout_resolve(Some(RESOLVE_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_send_request(Some(SEND_TIMEOUT))
            .timeout_send_body(Some(SEND_TIMEOUT))
            .timeout_recv_response(Some(RESPONSE_TIMEOUT))
            .timeout_recv_body(Some(BODY_TIMEOUT))
            .timeout_global(Some(EXCHANGE_TIMEOUT))
            .user_agent(USER_AGENT)
            .build();
        let agent = Agent::with_parts(config, way.clone(), way.clone());
        Client { agent, way }
    }
}

/// The addresses of a host's name.
pub fn addresses_of_host(host: &str, deadline: Deadline) -> Result<Vec<IpAddr>, Error> {
    let end = deadline.min(Deadline::after(RESOLVE_TIMEOUT));
    let found =
        lookup::addresses_of(host, 0, end).map_err(|kind| Error::new(kind, false, host, None))?;
    let mut addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
    addresses.sort_unstable();
    Ok(addresses)
}

/// Connections to one kind of server; a connection that is open is used again.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    way: Way,
}

/// An answer, whatever its status, read whole.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The version of HTTP that it was written in.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The body: UTF-8, within the cap that the request named.
    pub body: String,
    /// How the exchange went.
    pub via: Via,
}

impl Response {
    /// Whether the answer said how long its body is: by `Content-Length`, or by chunks and nothing
    /// else (RFC 9112, section 6.3). If not, the body ends where the connection does, and one that
    /// was cut off on the way looks whole. With any other transfer coding the length is that of
    /// something else. HTTP/1.0 knows no transfer codings.
    pub fn has_length(&self) -> bool {
        let mut codings = self.headers.get_all(TRANSFER_ENCODING).iter();
        match (codings.next(), codings.next()) {
            (None, _) => self.headers.contains_key(CONTENT_LENGTH),
            (Some(coding), None) => {
                self.version >= Version::HTTP_11
                    && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
            }
            _ => false,
        }
    }
}

impl Client {
    /// Sends `request` and reads its answer, of which at most `cap` bytes of body, by `deadline`.
    pub fn send(
        &self,
        request: Request<Vec<u8>>,
        cap: u64,
        deadline: Deadline,
    ) -> Result<Response, Error> {
        let left = deadline.left();
        if left < MIN_TIMEOUT {
            return Err(Error::no_time());
        }
        let (parts, body) = request.into_parts();
        if body.is_empty() {
            self.run(Request::from_parts(parts, ()), cap, left)
        } else {
            self.run(Request::from_parts(parts, body), cap, left)
        }
    }

    fn run(
        &self,
        request: Request<impl AsSendBody>,
        cap: u64,
        left: Duration,
    ) -> Result<Response, Error> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let failed = |error| Error::of_exchange(error, &host);
        let began = Instant::now();
        let time = Some(left.min(EXCHANGE_TIMEOUT));
        let request = self.agent.configure_request(request).timeout_global(time).build();
        let (parts, body) = self.agent.run(request).map_err(failed)?.into_parts();
        let body = match body.into_with_config().limit(cap).read_to_string().map_err(failed) {
            // The page that comes with a failure may be anything; its status says enough.
            Err(failure) if failure.is_about_the_body() && !parts.status.is_success() => {
                String::new()
            }
            body => body?,
        };
        let (status, version) = (parts.status.as_u16(), parts.version);
        let via = Via { took: began.elapsed(), ..self.way.last.lock().clone() };
        Ok(Response { status, version, headers: parts.headers, body, via })
    }
}
