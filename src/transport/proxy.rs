//! Reads the proxy for AWS and heartbeats from `HTTPS_PROXY`, and the hosts that do not use it from
//! `NO_PROXY`. Never quotes the password for the proxy.

use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;

use super::lookup::{address_in, canonical_name, is_in_domain};
use super::url::{has_valid_port, is_https, port_of};
use crate::cidr::Cidr;
use crate::environment::Environment;
use crate::error::SetupError;
use crate::secrets::one_line;

/// A proxy, and the servers that are connected to directly.
#[derive(Clone)]
pub struct Proxy {
    pub host: String,
    pub port: u16,
    /// Whether connections to the proxy itself use TLS.
    pub https: bool,
    user: Option<(String, String)>,
    exceptions: Vec<Exception>,
}

impl Proxy {
    /// Reads `HTTPS_PROXY` (or `https_proxy`) and `NO_PROXY` (or `no_proxy`). The second value has
    /// one line per entry of `NO_PROXY` that cannot be parsed.
    pub fn read(environment: &Environment) -> Result<(Option<Self>, Vec<String>), SetupError> {
        let Some((variable, url)) = environment.first(&["HTTPS_PROXY", "https_proxy"]) else {
            return Ok((None, Vec::new()));
        };
        // The value and the library's error may contain a password, so neither is quoted.
        let wrong = || {
            let problem = "is not the URL of an HTTP proxy, as in http://proxy.example:3128";
            SetupError::variable(variable, problem)
        };
        let parsed = ureq::Proxy::new(url).map_err(|_| wrong())?;
        let https = match parsed.protocol() {
            ureq::ProxyProtocol::Http => false,
            ureq::ProxyProtocol::Https => true,
            _ => return Err(wrong()),
        };
        // With an unencoded / in the password, the parser takes the user name for the host.
        if !has_valid_port(parsed.uri()) || !matches!(parsed.uri().path(), "" | "/") {
            return Err(wrong());
        }
        let (exceptions, notes) = read_exceptions(environment);
        let user = match (parsed.username(), parsed.password()) {
            (None, None) => None,
            (name, password) => {
                Some((name.unwrap_or_default().into(), password.unwrap_or_default().into()))
            }
        };
        let (host, port) = (parsed.host().to_owned(), parsed.port());
        Ok((Some(Self { host, port, https, user, exceptions }), notes))
    }

    /// Whether requests to `uri` go through the proxy. `HTTPS_PROXY` applies only to https.
    pub fn serves(&self, uri: &Uri) -> bool {
        let Some(host) = uri.host().filter(|_| is_https(uri)) else { return false };
        let port = port_of(uri);
        !self.exceptions.iter().any(|exception| exception.covers(host, port))
    }

    pub fn password(&self) -> Option<&str> {
        self.user.as_ref().map(|(_, password)| password.as_str()).filter(|text| !text.is_empty())
    }

    /// The value of a `Proxy-Authorization` header, if there is a user name (RFC 7617).
    pub fn authorization(&self) -> Option<String> {
        let (name, password) = self.user.as_ref()?;
        Some(format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// One entry of `NO_PROXY`. Without a port it covers all ports.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// A name and all names below it. In lower case, without a leading or trailing dot.
    Domain(String),
    Network(Cidr),
}

impl Exception {
    /// Parses an entry as curl, Go and Python's requests do. An entry is `*`, a name, an address
    /// with or without brackets, or a CIDR. A name may start with `.` or `*.` and end with `.`. All
    /// but a CIDR may end with a port.
    fn parse(entry: &str) -> Option<Self> {
        let (host, port) = match entry.rsplit_once(':') {
            // A colon of an IPv6 address is not followed by a port.
            Some((host, port)) if address_of(entry).is_none() && !entry.contains('/') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (entry, None),
        };
        if host == "*" {
            return Some(Self { hosts: Hosts::All, port });
        }
        if let Some(address) = address_of(host) {
            return Some(Self { hosts: Hosts::Network(Cidr::only(address)), port });
        }
        if let Some((address, length)) = host.split_once('/') {
            let cidr = Cidr::around(address_of(address)?, length.parse().ok()?)?;
            return Some(Self { hosts: Hosts::Network(cidr), port });
        }
        let name = host.trim_start_matches("*.").trim_start_matches('.');
        let name = canonical_name(name);
        let fit =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') || !c.is_ascii();
        (!name.is_empty() && name.chars().all(fit))
            .then_some(Self { hosts: Hosts::Domain(name), port })
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match (&self.hosts, address_of(host)) {
            (Hosts::All, _) => true,
            (Hosts::Network(cidr), Some(address)) => cidr.contains(address),
            (Hosts::Domain(name), None) => is_in_domain(&canonical_name(host), name),
            (Hosts::Domain(_), Some(_)) | (Hosts::Network(_), None) => false,
        }
    }
}

/// Like `address_in`, but an IPv4-mapped IPv6 address becomes the IPv4 address.
fn address_of(host: &str) -> Option<IpAddr> {
    address_in(host).map(|address| address.to_canonical())
}

fn read_exceptions(environment: &Environment) -> (Vec<Exception>, Vec<String>) {
    let text = environment.first(&["NO_PROXY", "no_proxy"]).map(|(_, text)| text);
    let (mut exceptions, mut notes) = (Vec::new(), Vec::new());
    for entry in text.unwrap_or_default().split([',', ' ', '\t']).filter(|entry| !entry.is_empty())
    {
        match Exception::parse(entry) {
            Some(exception) => exceptions.push(exception),
            None => notes.push(format!(
                "NO_PROXY: \"{}\" is not a host, an address or a CIDR, and is ignored",
                one_line(entry)
            )),
        }
    }
    (exceptions, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(variables: &[(&str, &str)]) -> Result<(Option<Proxy>, Vec<String>), String> {
        let environment =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Proxy::read(&environment).map_err(|error| error.to_string())
    }

    #[test]
    fn no_proxy_has_the_same_meaning_as_in_other_tools() {
        for (exceptions, url, direct) in [
            ("amazonaws.com", "https://route53.amazonaws.com/", true),
            ("amazonaws.com", "https://amazonaws.com/", true),
            ("amazonaws.com", "https://notamazonaws.com/", false),
            ("amazonaws.com", "https://sns.eu-west-1.amazonaws.com.cn/", false),
            ("AmazonAWS.com.", "https://route53.amazonaws.COM/", true),
            ("amazonaws.com", "https://route53.amazonaws.com./", true),
            (".internal.example", "https://a.internal.example/", true),
            ("*.internal.example", "https://a.internal.example/", true),
            ("x, .internal.example", "https://a.internal.example/", true),
            ("x internal.example", "https://a.internal.example/", true),
            ("*", "https://route53.amazonaws.com/", true),
            ("x,*", "https://127.0.0.1/", true),
            ("127.0.0.1", "https://127.0.0.1:8443/", true),
            ("7.0.0.1", "https://127.0.0.1:8443/", false),
            ("127.0.0.1", "https://127.0.0.11/", false),
            ("127.0.0.1:8443", "https://127.0.0.1:8443/", true),
            ("127.0.0.1:8444", "https://127.0.0.1:8443/", false),
            ("amazonaws.com:443", "https://route53.amazonaws.com/", true),
            ("amazonaws.com:80", "https://route53.amazonaws.com/", false),
            ("amazonaws.com:80", "http://route53.amazonaws.com/", true),
            ("*:8443", "https://127.0.0.1:8443/", true),
            ("::1", "https://[::1]:8443/", true),
            ("[::1]", "https://[::1]:8443/", true),
            ("[::1]:8443", "https://[::1]:8443/", true),
            ("[::1]:8444", "https://[::1]:8443/", false),
            ("0:0:0:0:0:0:0:1", "https://[::1]/", true),
            ("10.0.0.0/8", "https://10.1.2.3/", true),
            ("10.9.9.9/8", "https://10.1.2.3/", true),
            ("10.0.0.0/8", "https://11.1.2.3/", false),
            ("10.0.0.0/8", "https://ten.example/", false),
            ("0.0.0.0/0", "https://11.1.2.3/", true),
            ("0.0.0.0/0", "https://[::1]/", false),
            ("fd00::/8", "https://[fd12::1]/", true),
            ("::/0", "https://[fd12::1]/", true),
            ("", "https://127.0.0.1/", false),
            ("", "http://route53.amazonaws.com/", true),
            (",, ,", "https://127.0.0.1/", false),
        ] {
            let set = [("HTTPS_PROXY", "http://proxy.example:3128"), ("NO_PROXY", exceptions)];
            let (proxy, notes) = proxy(&set).unwrap();
            assert_eq!(notes, Vec::<String>::new(), "{exceptions}");
            assert_eq!(proxy.unwrap().serves(&url.parse().unwrap()), !direct, "{exceptions} {url}");
        }
    }

    #[test]
    fn invalid_entry_of_no_proxy_is_quoted_in_a_note() {
        for entry in
            ["10.0.0.0/33", "10.*", "::1/129", "a/b", "host:x", "host:99999", ".", "http://a"]
        {
            let set = [("HTTPS_PROXY", "proxy.example"), ("no_proxy", entry)];
            let (_, notes) = proxy(&set).unwrap();
            let note = format!(
                "NO_PROXY: \"{entry}\" is not a host, an address or a CIDR, and is ignored"
            );
            assert_eq!(notes, [note]);
        }
    }

    #[test]
    fn proxy_url_with_a_user_gives_an_authorization() {
        for (url, shown, https, authorization) in [
            (
                "http://user:p%40ss@proxy.example:3128",
                "proxy.example:3128",
                false,
                Some("Basic dXNlcjpwQHNz"),
            ),
            ("https://proxy.example", "proxy.example:443", true, None),
            ("proxy.example", "proxy.example:80", false, None),
            ("http://[::1]:3128/", "[::1]:3128", false, None),
        ] {
            let proxy = proxy(&[("https_proxy", url)]).unwrap().0.unwrap();
            assert_eq!(proxy.to_string(), shown);
            assert_eq!(proxy.https, https);
            assert_eq!(proxy.authorization().as_deref(), authorization);
        }
    }

    #[test]
    fn invalid_proxy_is_reported_without_its_value() {
        for url in [
            "socks5://user:hush@proxy.example",
            "http://user:hush@[",
            "ftp://hush",
            "http://user:hu/sh@proxy.example:3128",
            "http://user:hush@proxy.example:99999",
        ] {
            assert_eq!(
                proxy(&[("https_proxy", url)]).unwrap_err(),
                "https_proxy is not the URL of an HTTP proxy, as in http://proxy.example:3128"
            );
        }
        assert!(proxy(&[("HTTPS_PROXY", ""), ("NO_PROXY", "*")]).unwrap().0.is_none());
    }
}
