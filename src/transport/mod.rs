//! Makes one HTTP exchange. Only this folder uses ureq and rustls. It owns timeouts, the address
//! family of a connection, the size limit of a response body, trust roots, the proxy and redirects.
//! It never retries, and it does not know AWS or reflectors.

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
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Version};
use rustls::ClientConfig;
use ureq::Agent;
use ureq::config::{AutoHeaderValue, Config};

use connect::Dialer;
use kind::Kind;
use proxy::Proxy;
use url::SecretUrl;
use via::LastVia;

use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::record::Family;

pub use error::{Error, NO_NETWORK, NO_NETWORK_ADVICE};
pub use issuer::shown_name;
pub use route::{is_ipv6_only, source_address};
pub use via::Via;

const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Limit for opening a connection, including TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Limit for sending the head of a request, and again for sending its body.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Limit for receiving the whole head of a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Limit for the whole exchange, from the look-up of the name to the last byte of the body.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// With less time left than this, no request is sent: even a server at home would respond too late.
const MIN_TIMEOUT: Duration = Duration::from_millis(10);

/// The size in bytes of the input buffer and of the output buffer of a connection.
const BUFFER: usize = 1 << 14;
/// The maximum size in bytes of the head of a response. The head must fit into the buffer.
const MAX_HEAD: usize = BUFFER / 2;
const MAX_REDIRECTS: usize = 2;
const USER_AGENT: &str = concat!("autodns/", env!("CARGO_PKG_VERSION"));

/// The settings that all connections of a run share: the trusted roots and the proxy.
#[derive(Clone, Debug)]
pub struct Network {
    tls: Arc<ClientConfig>,
    proxy: Option<Arc<Proxy>>,
    /// One line per part of the environment that is ignored, for `--verbose`.
    pub notes: Vec<String>,
}

impl Network {
    /// Reads `HTTPS_PROXY`, `NO_PROXY` and the trusted roots: `AWS_CA_BUNDLE`, else
    /// `SSL_CERT_FILE`, else the built-in Mozilla roots.
    pub fn from_environment(environment: &Environment) -> Result<Self, SetupError> {
        let (tls, note) = trust::client_config(environment)?;
        let (proxy, mut notes) = Proxy::read(environment)?;
        notes.extend(note);
        Ok(Self { tls, proxy: proxy.map(Arc::new), notes })
    }

    /// The password for the proxy, if one is set. Messages must not show it.
    pub fn proxy_password(&self) -> Option<&str> {
        self.proxy.as_ref().and_then(|proxy| proxy.password())
    }

    /// Creates a client that connects directly to the server, over `family` only.
    pub fn direct(&self, family: Family) -> Client {
        self.client(Some(family), None)
    }

    /// Creates a client that uses either family, and the proxy if one is set.
    pub fn proxied(&self) -> Client {
        self.client(None, self.proxy.clone())
    }

    /// Whether `HTTPS_PROXY` sets a proxy, even if `NO_PROXY` excludes every host.
    pub const fn has_proxy(&self) -> bool {
        self.proxy.is_some()
    }

    fn client(&self, family: Option<Family>, proxy: Option<Arc<Proxy>>) -> Client {
        let last = LastVia::default();
        let dialer = Dialer { tls: Arc::clone(&self.tls), proxy, family, last: Arc::clone(&last) };
        let config = Config::builder()
            // No compression, so that a small body cannot expand into a large one.
            .accept_encoding(AutoHeaderValue::None)
            .http_status_as_error(false)
            .max_response_header_size(MAX_HEAD)
            .max_redirects(0)
            // `Dialer` connects to the proxy instead of ureq. ureq restarts its timeout at each
            // read of the proxy's response, so a proxy that sends byte by byte could stall it.
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
        Client { agent: Agent::with_parts(config, dialer.clone(), dialer), last }
    }
}

/// Looks up the addresses of `host`, sorted, within the look-up limit and by `deadline`.
pub fn addresses_of_host(host: &str, deadline: Deadline) -> Result<Vec<IpAddr>, Error> {
    let end = deadline.min(Deadline::after(RESOLVE_TIMEOUT));
    let found =
        lookup::addresses_of(host, 0, end).map_err(|kind| Error::new(kind, false, host, None))?;
    let mut addresses: Vec<IpAddr> = found.iter().map(SocketAddr::ip).collect();
    addresses.sort_unstable();
    Ok(addresses)
}

/// Sends requests, and reuses connections that are still open.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    last: LastVia,
}

/// A complete response with any status.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub version: Version,
    pub headers: HeaderMap,
    /// The body as UTF-8. Empty if the status is an error and the body could not be read.
    pub body: String,
    pub via: Via,
}

impl Response {
    /// Whether the response gives the length of its body: by `Content-Length`, or by `chunked` as
    /// its only transfer coding (RFC 9112, section 6.3). Otherwise the body ends when the
    /// connection closes, so a truncated body looks complete. With another transfer coding, the
    /// length would be that of the encoded body. HTTP/1.0 has no transfer codings.
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
    /// Sends `request` to `url` and follows redirects. Returns the response of the last server and
    /// the URLs of all servers, in order. The URL comes from the configuration key `key`, which the
    /// advice about a redirect names. For `max_body` and `deadline` see [`Client::send`].
    pub fn follow(
        &self,
        mut request: Request<Vec<u8>>,
        url: &SecretUrl,
        key: &'static str,
        max_body: u64,
        deadline: Deadline,
    ) -> Result<(Response, Vec<SecretUrl>), Error> {
        let failed = |problem| Error::new(Kind::Redirect { problem, key }, true, "", None);
        let mut urls = Vec::new();
        let mut next = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            next.apply_to(&mut request);
            let response = self.send(request.clone(), max_body, deadline)?;
            let redirect = next.redirect(response.status, &response.headers);
            urls.push(next);
            next = match redirect {
                None => return Ok((response, urls)),
                Some(next) => next.map_err(failed)?,
            };
            // Only these two keep the method and the body (RFC 9110, section 15.4).
            if !matches!(response.status, 307 | 308) {
                *request.method_mut() = Method::GET;
                request.headers_mut().remove(CONTENT_TYPE);
                request.body_mut().clear();
            }
        }
        Err(failed("it redirects more than 2 times"))
    }

    /// Sends `request` and reads the response by `deadline`. The body may have at most `max_body`
    /// bytes.
    pub fn send(
        &self,
        request: Request<Vec<u8>>,
        max_body: u64,
        deadline: Deadline,
    ) -> Result<Response, Error> {
        let left = deadline.left();
        if left < MIN_TIMEOUT {
            return Err(Error::new(Kind::NoTime, false, "", None));
        }
        let host = request.uri().host().unwrap_or_default().to_owned();
        let failed = |error| Error::of_exchange(error, &host);
        let began = Instant::now();
        let time = Some(left.min(EXCHANGE_TIMEOUT));
        let request = self.agent.configure_request(request).timeout_global(time).build();
        let (parts, body) = request.into_parts();
        let response = if body.is_empty() {
            self.agent.run(Request::from_parts(parts, ()))
        } else {
            self.agent.run(Request::from_parts(parts, body))
        };
        let (parts, body) = response.map_err(failed)?.into_parts();
        let body = match body.into_with_config().limit(max_body).read_to_string().map_err(failed) {
            // The body of an error page is not needed: the status is enough.
            Err(failure) if failure.is_about_the_body() && !parts.status.is_success() => {
                String::new()
            }
            body => body?,
        };
        let (status, version) = (parts.status.as_u16(), parts.version);
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let via = Via { took: began.elapsed(), ..last };
        Ok(Response { status, version, headers: parts.headers, body, via })
    }
}
