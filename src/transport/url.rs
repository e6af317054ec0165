//! The URLs in a configuration. Parses a URL, resolves a redirect from it, and hides its secrets
//! when it is shown: most of these URLs contain a key. Plain http is allowed only to this machine,
//! and for a heartbeat also to the local network. Sends no request.

use std::fmt;
use std::net::Ipv6Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, LOCATION};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Request, Uri};

use super::lookup::{address_in, canonical_name, is_private, without_brackets};
use crate::percent;
use crate::secrets::{Secrets, looks_random};

const NO_HTTPS: &str = "it redirects to a place that is not an https URL";

/// The purpose of a URL. It decides where plain http is allowed and whether the path is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Plain http is allowed only on loopback, because the response ends up in DNS.
    Reflector,
    /// Plain http is also allowed to a private address, because the response does not matter. The
    /// path is secret: most services have their key there (`https://hc-ping.com/UUID`).
    Heartbeat,
}

/// A URL that may contain a key. `Display` and `Debug` do not show its query string, its user name
/// and the secret parts of its path.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    /// Without the user name.
    uri: Uri,
    /// The user name and password, percent-decoded, as `user:password`.
    user: Option<String>,
    purpose: Purpose,
}

impl SecretUrl {
    /// Parses the URL of a reflector. The error is a phrase that follows the configuration key in a
    /// message. It does not quote the URL.
    pub fn parse(url: &str) -> Result<Self, String> {
        Self::read(url, Purpose::Reflector)
    }

    /// Parses the URL of a heartbeat. The error is as for `parse`.
    pub fn parse_heartbeat(url: &str) -> Result<Self, String> {
        Self::read(url, Purpose::Heartbeat)
    }

    fn read(url: &str, purpose: Purpose) -> Result<Self, String> {
        let no_url = || "must be a URL, as in https://host/path".to_owned();
        if has_at_after_host(url) {
            return Err("must be a URL with no @ after its host: in a password write / as %2F, \
                        ? as %3F and # as %23, and in a path write @ as %40"
                .into());
        }
        let uri: Uri = url.parse().map_err(|_| no_url())?;
        if !has_valid_port(&uri) {
            return Err("must be a URL whose port is 1 to 65535".into());
        }
        match (uri.scheme_str(), uri.host(), purpose) {
            (Some("https"), Some(host), _) if is_valid_host(host) => {}
            (Some("http"), Some(host), _) if is_loopback(host) => {}
            (Some("http"), Some(host), Purpose::Heartbeat)
                if address_in(host).is_some_and(is_private) => {}
            (Some("http"), _, Purpose::Heartbeat) => {
                return Err("must be an https URL, or an http one with a private address as its \
                            host, as in http://192.168.1.5:3001/path"
                    .into());
            }
            (Some("http"), _, Purpose::Reflector) => {
                return Err(
                    "must be an https URL: over plain http, anyone on the way can read the \
                            request and forge the response"
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
        Ok(Self { uri: Uri::from_parts(parts).map_err(|_| no_url())?, user, purpose })
    }

    /// The URL to which a response with this status and these headers redirects. `None` if the
    /// response is not a redirect or has no `Location`. The error is a phrase that follows the
    /// server in a message.
    pub(super) fn redirect(
        &self,
        status: u16,
        headers: &HeaderMap,
    ) -> Option<Result<Self, &'static str>> {
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let location = headers.get(LOCATION).filter(|location| !location.is_empty())?;
        // No URL has other characters than visible ASCII.
        Some(location.to_str().map_err(|_| NO_HTTPS).and_then(|to| self.redirected(to)))
    }

    /// Resolves the value of a `Location` header against this URL. An https URL may redirect only
    /// to https. The user name is kept only on the same server. The error is as for `redirect`.
    fn redirected(&self, location: &str) -> Result<Self, &'static str> {
        let mut next = join(&self.uri, location)
            .and_then(|url| Self::read(&url, self.purpose).ok())
            .ok_or(NO_HTTPS)?;
        if is_https(&self.uri) && !is_https(&next.uri) {
            return Err("it redirects from https to plain http");
        }
        if next.user.is_none() && is_same_server(&next.uri, &self.uri) {
            next.user.clone_from(&self.user);
        }
        Ok(next)
    }

    /// The host in canonical form: lower case, without a final dot, and IPv6 addresses in their
    /// shortest form without brackets.
    pub fn host(&self) -> String {
        host_of(&self.uri)
    }

    /// Sets the URL of `request`. A user name becomes an `Authorization` header (RFC 7617).
    pub(super) fn apply_to<T>(&self, request: &mut Request<T>) {
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().remove(AUTHORIZATION);
        let basic = self.user.as_ref().map(|user| format!("Basic {}", STANDARD.encode(user)));
        // Base64 has only characters that a header can have.
        if let Some(Ok(basic)) = basic.map(HeaderValue::try_from) {
            request.headers_mut().insert(AUTHORIZATION, basic);
        }
    }

    /// The URL with `more` added to the end of the path. `None` if the result is not a URL.
    pub fn with_path(&self, more: &str) -> Option<Self> {
        let path = self.uri.path().trim_end_matches('/');
        let query = self.uri.query().map_or(String::new(), |query| format!("?{query}"));
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(format!("{path}{more}{query}").parse().ok()?);
        Some(Self { uri: Uri::from_parts(parts).ok()?, ..self.clone() })
    }

    /// Adds the query string, the user name, the password and the secret parts of the path to
    /// `secrets`, so that messages do not show them.
    pub fn add_secrets(&self, secrets: &mut Secrets) {
        if let Some(query) = self.uri.query() {
            secrets.add_query(query);
        }
        if let Some(user) = &self.user {
            // The form in the `Authorization` header.
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

    /// Whether the URL contains something that other users must not read.
    pub fn has_secret(&self) -> bool {
        self.user.is_some()
            || self.uri.query().is_some_and(|query| !query.is_empty())
            || self.uri.path().split('/').any(|segment| self.is_secret(segment))
    }

    /// Whether a segment of the path is secret: every segment of a heartbeat, and segments of a
    /// reflector that look random.
    fn is_secret(&self, segment: &str) -> bool {
        !segment.is_empty() && (self.purpose == Purpose::Heartbeat || looks_random(segment))
    }
}

/// As in `https://host:8443/reflect/[hidden]`.
impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        write!(f, "{}://{authority}", self.uri.scheme_str().unwrap_or_default())?;
        match (self.uri.path(), self.purpose) {
            ("/", _) => Ok(()),
            (_, Purpose::Heartbeat) => f.write_str("/[hidden]"),
            (path, Purpose::Reflector) => path.split('/').skip(1).try_for_each(|segment| {
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

fn host_of(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match without_brackets(host).parse::<Ipv6Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => canonical_name(host),
    }
}

/// Whether two URLs have the same scheme, host and port (RFC 6454, section 4).
fn is_same_server(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme()
        && host_of(one) == host_of(other)
        && port_of(one) == port_of(other)
}

pub fn is_https(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS)
}

/// The port in the URL, or the default port of its scheme.
pub fn port_of(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if is_https(uri) { 443 } else { 80 })
}

/// Whether the URL has no port or a port from 1 to 65535. `http::Uri` treats 99999 as no port.
pub fn has_valid_port(uri: &Uri) -> bool {
    let after_host = uri.authority().map_or("", |authority| {
        let host_and_port = authority.as_str().rsplit('@').next().unwrap_or_default();
        host_and_port.get(authority.host().len()..).unwrap_or_default()
    });
    let Some(port) = after_host.strip_prefix(':') else { return after_host.is_empty() };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    digits && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Whether a host is not empty, and an IPv6 address if it has brackets. `http::Uri` accepts any
/// text in brackets.
fn is_valid_host(host: &str) -> bool {
    let bare = without_brackets(host);
    if bare == host { !host.is_empty() } else { bare.parse::<Ipv6Addr>().is_ok() }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || address_in(host).is_some_and(|address| address.is_loopback())
}

/// Whether an `@` follows the part that looks like the host. That part is then probably a user name
/// and the start of a password, as in `https://user:8080/tail@host/`. An `@` in a query that
/// follows a path is common and does not count.
fn has_at_after_host(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let Some(after) = rest.find(['/', '?', '#']).map(|end| &rest[end..]) else { return false };
    let (after, fragment) = after.split_once('#').unwrap_or((after, ""));
    let path = if after.starts_with('/') { after.split('?').next() } else { Some(after) };
    path.is_some_and(|path| path.contains('@')) || fragment.contains('@')
}

/// Resolves `location`, a URL or a relative reference (RFC 3986, section 4.2), against `base`.
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
    fn url_must_be_https_or_on_loopback() {
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
    fn host_is_equal_in_each_spelling() {
        for (one, other, equal) in [
            ("https://a.example", "https://A.Example./x?y", true),
            ("https://a.example:8443", "https://a.example", true),
            ("https://user@a.example", "https://a.example", true),
            ("https://[2001:DB8::1]", "https://[2001:db8:0::1]/", true),
            ("https://a.example", "https://b.example", false),
            ("https://a.example", "https://a.example.org", false),
        ] {
            let host = |url: &str| SecretUrl::parse(url).unwrap().host();
            assert_eq!(host(one) == host(other), equal, "{one} {other}");
        }
    }

    #[test]
    fn same_server_is_recognised_in_each_spelling() {
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
    fn heartbeat_may_use_plain_http_to_a_private_address() {
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
    fn at_sign_after_the_host_is_an_error() {
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
                assert!(refused.starts_with("must be a URL with no @ after its host"), "{url}");
            }
        }
        for url in ["https://host/?mail=a@b.example", "https://host/%40b", "https://u@host/a"] {
            assert!(SecretUrl::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn secret_part_of_a_path_is_not_shown() {
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
    fn password_or_key_before_the_host_is_a_secret() {
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
    fn redirect_keeps_the_user_only_on_the_same_server() {
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
            ("http://a.example/", NO_HTTPS),
            ("https://user:8080/tail@host/", NO_HTTPS),
            ("http://127.0.0.1/", "it redirects from https to plain http"),
        ] {
            assert_eq!(base.redirected(location), Err(problem), "{location}");
        }
    }

    #[test]
    fn redirect_to_other_than_ascii_is_rejected() {
        let base = SecretUrl::parse("https://a.example/d/r").unwrap();
        let to = |location: &[u8]| {
            let location = http::HeaderValue::from_bytes(location).unwrap();
            base.redirect(302, &HeaderMap::from_iter([(LOCATION, location)]))
        };
        assert_eq!(to("/ü".as_bytes()), Some(Err(NO_HTTPS)));
        assert!(to(b"/x").is_some_and(|next| next.is_ok()));
        assert_eq!(to(b""), None);
    }

    #[test]
    fn path_is_extended_before_the_query() {
        for (url, longer) in [
            ("https://a.example/ping/1", "https://a.example/ping/1/fail"),
            ("https://a.example/ping/1/?k=v", "https://a.example/ping/1/fail?k=v"),
            ("https://a.example", "https://a.example/fail"),
        ] {
            let longer_url = SecretUrl::parse(url).unwrap().with_path("/fail").unwrap();
            assert_eq!(longer_url.uri.to_string(), longer);
        }
    }

    #[test]
    fn url_with_a_query_or_user_has_a_secret() {
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
