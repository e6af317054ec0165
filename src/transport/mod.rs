//! One HTTP exchange: the only folder that names ureq. It owns time-outs, the address family of a
//! connection, the cap on an answer's body, trust roots and the proxy. It never retries, follows
//! no redirect, and knows neither AWS nor reflectors.

mod failure;
mod proxy;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Uri};
use ureq::config::{Config, IpFamily};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::environment::Environment;
use crate::error::Error;
use crate::record::Family;

pub use failure::Failure;

/// How long a connection, TLS included, may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a name may take to resolve.
const RESOLVE: Duration = Duration::from_secs(10);
/// How long one whole exchange may take, from the look-up of the name to the body's last byte.
const EXCHANGE: Duration = Duration::from_secs(20);

/// What every connection of a run shares: whom to trust, and the proxy on the way to AWS.
#[derive(Clone, Debug)]
pub struct Network {
    roots: RootCerts,
    proxy: Option<Proxy>,
}

impl Network {
    /// Reads `AWS_CA_BUNDLE` (else `SSL_CERT_FILE`, else the built-in Mozilla roots are used) and
    /// `HTTPS_PROXY` with `NO_PROXY`.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let bundle = ["AWS_CA_BUNDLE", "SSL_CERT_FILE"]
            .into_iter()
            .find_map(|variable| environment.get(variable).map(|path| (variable, path)));
        let roots = match bundle {
            Some((variable, path)) => read_roots(variable, Path::new(path))?,
            None => RootCerts::WebPki,
        };
        Ok(Self { roots, proxy: proxy::read_proxy(environment)? })
    }

    /// The proxy's password, if it has one: a secret that messages must not show.
    #[must_use]
    pub fn proxy_password(&self) -> Option<&str> {
        self.proxy.as_ref().and_then(Proxy::password)
    }

    /// A client whose connections go straight to the server, over `family` only.
    #[must_use]
    pub fn direct(&self, family: Family) -> Client {
        self.client(Some(family), None)
    }

    /// A client for AWS: over either family, through the proxy where one is set. `HTTPS_PROXY` says
    /// nothing about an endpoint that is not https.
    #[must_use]
    pub fn proxied(&self, https: bool) -> Client {
        self.client(None, self.proxy.clone().filter(|_| https))
    }

    fn client(&self, family: Option<Family>, proxy: Option<Proxy>) -> Client {
        let via = proxy.as_ref().map(|proxy| format!("{}:{}", proxy.host(), proxy.port()));
        let agent = Config::builder()
            .http_status_as_error(false)
            .ip_family(match family {
                None => IpFamily::Any,
                Some(Family::V4) => IpFamily::Ipv4Only,
                Some(Family::V6) => IpFamily::Ipv6Only,
            })
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(EXCHANGE))
            .timeout_resolve(Some(RESOLVE))
            .tls_config(TlsConfig::builder().root_certs(self.roots.clone()).build())
            .user_agent(concat!("autodns/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Client { agent, family, proxy: via }
    }
}

/// Connections to one kind of server; a connection that is open is used again.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    /// The one family that connections may have, if they are restricted to one.
    family: Option<Family>,
    /// The host and port of the proxy, if there is one on the way.
    proxy: Option<String>,
}

/// An answer, whatever its status, read whole.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body: UTF-8, within the cap that the request named.
    pub body: String,
}

impl Answer {
    /// Whether the answer said how long its body is. If not, the body ends where the connection
    /// does, and one that was cut off on the way looks whole.
    #[must_use]
    pub fn says_its_length(&self) -> bool {
        self.headers.contains_key(CONTENT_LENGTH) || self.headers.contains_key(TRANSFER_ENCODING)
    }
}

impl Client {
    /// Sends `request` and reads its answer, of which at most `cap` bytes of body.
    pub fn send(&self, request: Request<Vec<u8>>, cap: u64) -> Result<Answer, Failure> {
        let failed = |source| Failure::new(source, self.family, self.proxy.as_deref());
        let (parts, body) = request.into_parts();
        let answer = if body.is_empty() {
            self.agent.run(Request::from_parts(parts, ()))
        } else {
            self.agent.run(Request::from_parts(parts, body))
        };
        let (parts, body) = answer.map_err(failed)?.into_parts();
        let body = match body.into_with_config().limit(cap).read_to_string().map_err(failed) {
            // The page that comes with a failure may be anything; its status says enough.
            Err(failure) if failure.is_about_the_body() && !parts.status.is_success() => {
                String::new()
            }
            body => body?,
        };
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

/// The certificates of a PEM file that takes the place of the built-in roots.
fn read_roots(variable: &'static str, path: &Path) -> Result<RootCerts, Error> {
    let wrong = |problem: String, source: Option<crate::error::Cause>| Error::Environment {
        variable,
        problem: format!("{}: {problem}", path.display()),
        source,
    };
    let pem = std::fs::read(path)
        .map_err(|error| wrong(format!("cannot be read: {error}"), Some(error.into())))?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in ureq::tls::parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(wrong("is not a PEM file".into(), Some(error.into()))),
        }
    }
    if certificates.is_empty() {
        return Err(wrong("holds no PEM certificate".into(), None));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

/// Whether the port of a URL, if it names one, is one: `http::Uri` takes 99999 for none at all.
#[must_use]
pub fn has_possible_port(uri: &Uri) -> bool {
    let behind_host = uri.authority().map_or("", |authority| {
        let host_and_port = authority.as_str().rsplit('@').next().unwrap_or_default();
        host_and_port.get(authority.host().len()..).unwrap_or_default()
    });
    behind_host.is_empty() || uri.port_u16().is_some_and(|port| port > 0)
}
