//! URLs that a configuration names: https, or http on loopback, with a key in them more often than
//! not. Reads a URL once, follows a redirect from it, and shows only what is not secret; asks nobody.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::LOCATION;
use http::{HeaderMap, Uri};

use crate::percent;
use crate::secrets::Secrets;

/// How many redirects are followed.
pub const MAX_REDIRECTS: usize = 2;

/// A URL: https, or http on loopback. Its query string often is a key, and so is a user name, so
/// neither `Display` nor `Debug` shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    /// The URL without a user name.
    uri: Uri,
    /// The user name and password of the URL, decoded, as `user:password`.
    user: Option<String>,
}

impl SecretUrl {
    /// Reads a URL. The error is a phrase to follow the key, and does not quote the URL.
    pub fn parse(url: &str) -> Result<Self, String> {
        let no_url = || "must be a URL, as in https://host/path".to_owned();
        let uri: Uri = url.parse().map_err(|_| no_url())?;
        if !has_possible_port(&uri) {
            return Err("must be a URL whose port is 1 to 65535".into());
        }
        match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(host)) if is_possible_host(host) => {}
            (Some("http"), Some(host)) if is_loopback(host) => {}
            (Some("http"), _) => {
                return Err(
                    "must be an https URL: over plain http anyone on the way can read it, \
                            and answer"
                        .into(),
                );
            }
            _ => return Err(no_url()),
        }
        let mut parts = uri.into_parts();
        let mut user = None;
        if let Some((name, host)) =
            parts.authority.as_ref().and_then(|authority| authority.as_str().rsplit_once('@'))
        {
            user = Some(percent::decode(name).into_owned());
            parts.authority = Some(host.parse().map_err(|_| no_url())?);
        }
        Ok(Self { uri: Uri::from_parts(parts).map_err(|_| no_url())?, user })
    }

    /// Where an answer with this status and these headers sends us on to, if it does. The error is
    /// a phrase that follows who was asked.
    pub fn redirect(&self, status: u16, headers: &HeaderMap) -> Option<Result<Self, &'static str>> {
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let location = headers.get(LOCATION).filter(|location| !location.is_empty())?;
        // What is not text is not a URL either.
        Some(self.redirected(location.to_str().unwrap_or_default()))
    }

    /// The URL that a `Location` names, seen from this one: from https only to https.
    pub fn redirected(&self, location: &str) -> Result<Self, &'static str> {
        let mut next = join(&self.uri, location)
            .and_then(|url| Self::parse(&url).ok())
            .ok_or("it redirects to what is no https URL")?;
        if self.uri.scheme_str() == Some("https") && next.uri.scheme_str() != Some("https") {
            return Err("it redirects from https to plain http");
        }
        if next.user.is_none() && is_same_server(&next.uri, &self.uri) {
            next.user.clone_from(&self.user);
        }
        Ok(next)
    }

    /// The URL without a user name, with its query string.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The value of an `Authorization` header for the URL's user name, if it has one (RFC 7617).
    #[must_use]
    pub fn authorization(&self) -> Option<String> {
        self.user.as_ref().map(|user| format!("Basic {}", STANDARD.encode(user)))
    }

    /// The same server and query, with `more` at the end of the path.
    #[must_use]
    pub fn with_path(&self, more: &str) -> Option<Self> {
        let path = self.uri.path().trim_end_matches('/');
        let query = self.uri.query().map_or(String::new(), |query| format!("?{query}"));
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(format!("{path}{more}{query}").parse().ok()?);
        Some(Self { uri: Uri::from_parts(parts).ok()?, user: self.user.clone() })
    }

    /// What must not be shown: the query string, and a user name with its password.
    pub fn add_secrets(&self, secrets: &mut Secrets) {
        if let Some(query) = self.uri.query() {
            secrets.add_query(query);
        }
        if let Some(user) = &self.user {
            secrets.add(user);
            secrets.add(&STANDARD.encode(user));
            if let Some((_, password)) = user.split_once(':') {
                secrets.add(password);
            }
        }
    }

    /// Whether it has something in it that others must not read.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        self.user.is_some() || self.uri.query().is_some_and(|query| !query.is_empty())
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let path = if self.uri.path() == "/" { "" } else { self.uri.path() };
        write!(f, "{}://{authority}{path}", self.uri.scheme_str().unwrap_or_default())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({self})")
    }
}

/// The host of a URL in one spelling: lower case, without the dot that may end a full name, an IPv6
/// address in its shortest form.
#[must_use]
pub fn host_of(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<Ipv6Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(),
    }
}

/// Whether two URLs are of one server: scheme, host and port (RFC 6454, section 4).
fn is_same_server(one: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| {
        let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        uri.port_u16().unwrap_or(usual)
    };
    one.scheme() == other.scheme() && host_of(one) == host_of(other) && port(one) == port(other)
}

/// Whether the port of a URL, if it names one, is one: `http::Uri` takes 99999 for none at all.
#[must_use]
pub fn has_possible_port(uri: &Uri) -> bool {
    let behind_host = uri.authority().map_or("", |authority| {
        let host_and_port = authority.as_str().rsplit('@').next().unwrap_or_default();
        host_and_port.get(authority.host().len()..).unwrap_or_default()
    });
    let Some(port) = behind_host.strip_prefix(':') else { return behind_host.is_empty() };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    digits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Whether a host is a name, or in brackets an IPv6 address: `http::Uri` takes anything there.
fn is_possible_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty(),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `location` seen from `base`: a URL, or a path on the same server (RFC 3986, section 4.2).
fn join(base: &Uri, location: &str) -> Option<String> {
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    if location.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric())
    }) {
        return Some(location.into());
    }
    if location.starts_with("//") {
        return Some(format!("{scheme}:{location}"));
    }
    if location.starts_with('/') {
        return Some(format!("{scheme}://{authority}{location}"));
    }
    let directory = base.path().rsplit_once('/').map_or("", |(directory, _)| directory);
    Some(format!("{scheme}://{authority}{directory}/{location}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_https_or_on_loopback() {
        for (url, shown) in [
            ("https://a.example", "https://a.example"),
            ("https://user:hush@a.example:8443/r?k=v#f", "https://a.example:8443/r"),
            ("http://127.0.0.1:8080/?k=v", "http://127.0.0.1:8080"),
            ("http://[::1]/r", "http://[::1]/r"),
            ("http://localhost/r", "http://localhost/r"),
        ] {
            let parsed = SecretUrl::parse(url).unwrap();
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(format!("{parsed:?}"), format!("SecretUrl({shown})"));
        }
        for url in [
            "",
            "a.example",
            "/path",
            "ftp://a.example",
            "https://",
            "https:///x",
            "https://[a.example]/",
            "https://[1::2::3]/",
            "a b",
        ] {
            let problem = "must be a URL, as in https://host/path";
            assert_eq!(SecretUrl::parse(url), Err(problem.into()), "{url}");
        }
        for port in [":", ":0", ":65536", ":+80", ":https", ":80:80"] {
            for host in ["a.example", "[::1]"] {
                assert!(SecretUrl::parse(&format!("https://{host}{port}/")).is_err(), "{port}");
            }
        }
        assert!(SecretUrl::parse("https://[::1],:80/").is_err());
        assert!(SecretUrl::parse("https://[::1]:00080/").is_ok());
        for url in ["http://a.example/", "http://localhost.a.example/", "http://192.168.0.1/"] {
            assert!(SecretUrl::parse(url).is_err_and(|p| p.starts_with("must be an https URL")));
        }
    }

    #[test]
    fn one_server_is_known_in_every_spelling() {
        for (one, other, same) in [
            ("https://a.example/1", "https://a.example:443/2", true),
            ("https://a.example/1", "https://A.example./1", true),
            ("https://a.example/1", "https://a.example:8443/1", false),
            ("https://a.example/1", "http://a.example/1", false),
            ("https://a.example/1", "http://a.example:443/1", false),
            ("https://a.example/1", "https://b.example/1", false),
        ] {
            let uri = |url: &str| url.parse::<Uri>().unwrap();
            assert_eq!(is_same_server(&uri(one), &uri(other)), same, "{one} {other}");
        }
    }

    #[test]
    fn a_location_is_seen_from_where_it_was_given() {
        let base: Uri = "https://a.example:8443/d/r?k=v".parse().unwrap();
        for (location, joined) in [
            ("https://b.example/x", "https://b.example/x"),
            ("//b.example/x", "https://b.example/x"),
            ("/x?y:z", "https://a.example:8443/x?y:z"),
            ("x", "https://a.example:8443/d/x"),
        ] {
            assert_eq!(join(&base, location).as_deref(), Some(joined), "{location}");
        }
    }

    #[test]
    fn a_path_grows_before_the_query() {
        for (url, longer) in [
            ("https://a.example/ping/1", "https://a.example/ping/1/fail"),
            ("https://a.example/ping/1/?k=v", "https://a.example/ping/1/fail?k=v"),
            ("https://a.example", "https://a.example/fail"),
        ] {
            let longer_url = SecretUrl::parse(url).unwrap().with_path("/fail").unwrap();
            assert_eq!(longer_url.uri().to_string(), longer);
        }
    }

    #[test]
    fn secrets_are_known_where_there_are_some() {
        for (url, secret) in [
            ("https://a.example/r", false),
            ("https://a.example/r?", false),
            ("https://a.example/r?k=v", true),
            ("https://user@a.example/r", true),
        ] {
            assert_eq!(SecretUrl::parse(url).unwrap().has_secret(), secret, "{url}");
        }
    }
}
