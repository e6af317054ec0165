//! URLs that a configuration names: https, or http where nobody is on the way, with a key in them
//! more often than not. Reads a URL once, follows a redirect from it, and shows only what is not
//! secret; asks nobody.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, LOCATION};
use http::request::Builder;
use http::{HeaderMap, Request, Uri};

use super::lookup::bare;
use crate::percent;
use crate::secrets::{Secrets, looks_random};

/// How many redirects are followed.
pub const MAX_REDIRECTS: usize = 2;

/// What a URL is for, which decides where plain http will do and whether its path is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Plain http on loopback only: its answer ends up in DNS.
    Reflector,
    /// Plain http to a private address, too: its answer does not matter. Its path is the key of
    /// most services (`https://hc-ping.com/UUID`).
    Heartbeat,
}

/// A URL. Its query string often is a key, and so is a user name or a part of its path, so neither
/// `Display` nor `Debug` shows them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    /// The URL without a user name.
    uri: Uri,
    /// The user name and password of the URL, decoded, as `user:password`.
    user: Option<String>,
    used_as: Use,
}

impl SecretUrl {
    /// Reads the URL of a reflector. The error is a phrase to follow the key, and does not quote
    /// the URL.
    pub fn parse(url: &str) -> Result<Self, String> {
        Self::read(url, Use::Reflector)
    }

    /// Reads the URL of a heartbeat. The error is a phrase to follow the key, and does not quote
    /// the URL.
    pub fn parse_heartbeat(url: &str) -> Result<Self, String> {
        Self::read(url, Use::Heartbeat)
    }

    fn read(url: &str, used_as: Use) -> Result<Self, String> {
        let no_url = || "must be a URL, as in https://host/path".to_owned();
        if has_at_behind_host(url) {
            return Err("must be a URL with no @ behind its host: in a password write / as %2F, \
                        ? as %3F and # as %23, and in a path write @ as %40"
                .into());
        }
        let uri: Uri = url.parse().map_err(|_| no_url())?;
        if !has_possible_port(&uri) {
            return Err("must be a URL whose port is 1 to 65535".into());
        }
        match (uri.scheme_str(), uri.host(), used_as) {
            (Some("https"), Some(host), _) if is_possible_host(host) => {}
            (Some("http"), Some(host), _) if is_loopback(host) => {}
            (Some("http"), Some(host), Use::Heartbeat) if is_private(host) => {}
            (Some("http"), _, Use::Heartbeat) => {
                return Err("must be an https URL, or an http one with a private address as its \
                            host, as in http://192.168.1.5:3001/path"
                    .into());
            }
            (Some("http"), _, Use::Reflector) => {
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
        Ok(Self { uri: Uri::from_parts(parts).map_err(|_| no_url())?, user, used_as })
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

    /// The URL that a `Location` names, seen from this one: from https only to https. On the same
    /// server it keeps the user name, since the server asked for it there.
    pub fn redirected(&self, location: &str) -> Result<Self, &'static str> {
        let mut next = join(&self.uri, location)
            .and_then(|url| Self::read(&url, self.used_as).ok())
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
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// A request for the URL, with an `Authorization` header for its user name, if it has one (RFC
    /// 7617).
    pub fn request(&self) -> Builder {
        let request = Request::builder().uri(&self.uri);
        match &self.user {
            Some(user) => request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(user))),
            None => request,
        }
    }

    /// The same server and query, with `more` at the end of the path.
    pub fn with_path(&self, more: &str) -> Option<Self> {
        let path = self.uri.path().trim_end_matches('/');
        let query = self.uri.query().map_or(String::new(), |query| format!("?{query}"));
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(format!("{path}{more}{query}").parse().ok()?);
        Some(Self { uri: Uri::from_parts(parts).ok()?, ..self.clone() })
    }

    /// What must not be shown: the query string, a user name with its password, and what is secret
    /// of the path.
    pub fn add_secrets(&self, secrets: &mut Secrets) {
        if let Some(query) = self.uri.query() {
            secrets.add_query(query);
        }
        if let Some(user) = &self.user {
            // As the header has it.
            secrets.add(&STANDARD.encode(user));
            match user.split_once(':') {
                Some((name, password)) if !password.is_empty() => {
                    secrets.add(password);
                    secrets.add_word(name);
                }
                Some((key, _)) => secrets.add(key),
                None => secrets.add(user),
            }
        }
        for segment in self.uri.path().split('/').filter(|segment| self.is_secret(segment)) {
            secrets.add_path_segment(segment);
        }
    }

    /// Whether it has something in it that others must not read.
    pub fn has_secret(&self) -> bool {
        self.user.is_some()
            || self.uri.query().is_some_and(|query| !query.is_empty())
            || self.uri.path().split('/').any(|segment| self.is_secret(segment))
    }

    /// Whether a part of the path is secret: any of a heartbeat's, else one that looks random.
    fn is_secret(&self, segment: &str) -> bool {
        !segment.is_empty() && (self.used_as == Use::Heartbeat || looks_random(segment))
    }
}

/// As in `https://host:8443/reflect/[hidden]`.
impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        write!(f, "{}://{authority}", self.uri.scheme_str().unwrap_or_default())?;
        match (self.uri.path(), self.used_as) {
            ("/", _) => Ok(()),
            (_, Use::Heartbeat) => f.write_str("/[hidden]"),
            (path, Use::Reflector) => path.split('/').skip(1).try_for_each(|segment| {
                write!(f, "/{}", if self.is_secret(segment) { "[hidden]" } else { segment })
            }),
        }
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({self})")
    }
}

/// The host of a URL in one spelling: lower case, without the dot that may end a full name, an IPv6
/// address in its shortest form.
pub fn host_of(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match bare(host).parse::<Ipv6Addr>() {
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
    let bare = bare(host);
    if bare == host { !host.is_empty() } else { bare.parse::<Ipv6Addr>().is_ok() }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether a host is an address of the network at home.
fn is_private(host: &str) -> bool {
    address(host).is_some_and(|address| match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
    })
}

fn address(host: &str) -> Option<IpAddr> {
    bare(host).parse().ok()
}

/// Whether there is an `@` behind what looks like the host: then a part of a user name or password
/// most likely stands before it, as in `https://user:8080/tail@host/`, and that host is none. In a
/// query an `@` is common, where a path stands before it.
fn has_at_behind_host(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let Some(behind) = rest.find(['/', '?', '#']).map(|end| &rest[end..]) else { return false };
    let (behind, fragment) = behind.split_once('#').unwrap_or((behind, ""));
    let path = if behind.starts_with('/') { behind.split('?').next() } else { Some(behind) };
    path.is_some_and(|path| path.contains('@')) || fragment.contains('@')
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
    fn a_heartbeat_may_be_plain_http_at_a_private_address() {
        for url in [
            "http://192.168.1.5:3001/api/push/x",
            "http://10.0.0.1/",
            "http://172.31.255.255/",
            "http://169.254.1.1/",
            "http://[fd00::1]:3001/x",
            "http://[fe80::1]/",
            "http://localhost:3001/x",
            "http://127.0.0.1/",
            "https://hc-ping.com/x",
        ] {
            assert!(SecretUrl::parse_heartbeat(url).is_ok(), "{url}");
        }
        for url in [
            "http://hc-ping.com/x",
            "http://kuma.lan/x",
            "http://172.32.0.1/",
            "http://100.64.0.1/",
            "http://192.0.2.1/",
            "http://[2001:db8::1]/",
            "http://192.168.1.5.example/",
        ] {
            let refused = SecretUrl::parse_heartbeat(url).unwrap_err();
            assert!(refused.starts_with("must be an https URL, or an http one with"), "{url}");
        }
    }

    #[test]
    fn an_at_behind_the_host_is_refused_without_a_quote() {
        for url in [
            "https://user:8080/tail@host/",
            "https://user/tail@host/",
            "https://user:80?tail@host/",
            "https://user:80#tail@host/",
            "https://host/a/@b",
            "https://host/#a@b",
        ] {
            for parsed in [SecretUrl::parse(url), SecretUrl::parse_heartbeat(url)] {
                let refused = parsed.unwrap_err();
                assert!(refused.starts_with("must be a URL with no @ behind its host"), "{url}");
            }
        }
        for url in ["https://host/?mail=a@b.example", "https://host/%40b", "https://u@host/a"] {
            assert!(SecretUrl::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_secret_of_a_path_is_not_shown() {
        let uuid = "550e8400-e29b-41d4-a716-446655440000";
        for (url, reflector, heartbeat) in [
            ("https://h.example/reflect/v1", "https://h.example/reflect/v1", "/[hidden]"),
            ("https://h.example/", "https://h.example", ""),
            (&format!("https://h.example/{uuid}/x"), "https://h.example/[hidden]/x", "/[hidden]"),
        ] {
            assert_eq!(SecretUrl::parse(url).unwrap().to_string(), reflector);
            let heartbeat_url = SecretUrl::parse_heartbeat(url).unwrap();
            assert_eq!(heartbeat_url.to_string(), format!("https://h.example{heartbeat}"));
            assert_eq!(heartbeat_url.has_secret(), !heartbeat.is_empty());
            let mut secrets = Secrets::default();
            heartbeat_url.add_secrets(&mut secrets);
            assert!(!secrets.hide(url).contains(uuid), "{url}");
        }
    }

    #[test]
    fn passwords_and_keys_before_the_host_are_secrets() {
        for (user, text, shown) in [
            ("pi:longpassword", "no longpassword", "no [hidden]"),
            ("pi:hush", "no hush", "no [hidden]"),
            ("key-of-mine", "no key-of-mine", "no [hidden]"),
            ("key-of-mine:", "no key-of-mine", "no [hidden]"),
            ("pi:longpassword", "no cGk6bG9uZ3Bhc3N3b3Jk", "no [hidden]"),
            ("somebody:longpassword", "no somebody", "no somebody"),
        ] {
            let mut secrets = Secrets::default();
            let url = format!("https://{user}@a.example/");
            SecretUrl::parse(&url).unwrap().add_secrets(&mut secrets);
            assert_eq!(secrets.hide(text), shown, "{user}");
            assert_eq!(secrets.quote(text), "no [hidden]", "{user}");
        }
    }

    #[test]
    fn a_redirect_keeps_the_user_on_the_same_server_only() {
        let base = SecretUrl::parse("https://u:p@a.example:8443/d/r?k=v").unwrap();
        for (location, joined, user) in [
            ("https://b.example/x", "https://b.example/x", None),
            ("https://a.example/x", "https://a.example/x", None),
            ("https://A.example:8443/x", "https://A.example:8443/x", Some("u:p")),
            ("https://other@a.example:8443/x", "https://a.example:8443/x", Some("other")),
            ("//b.example/x", "https://b.example/x", None),
            ("/x?y:z", "https://a.example:8443/x?y:z", Some("u:p")),
            ("x", "https://a.example:8443/d/x", Some("u:p")),
        ] {
            let next = base.redirected(location).unwrap();
            assert_eq!((next.uri.to_string(), next.user.as_deref()), (joined.into(), user));
        }
        for (location, problem) in [
            ("http://a.example/", "it redirects to what is no https URL"),
            ("https://user:8080/tail@host/", "it redirects to what is no https URL"),
            ("http://127.0.0.1/", "it redirects from https to plain http"),
        ] {
            assert_eq!(base.redirected(location), Err(problem), "{location}");
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
