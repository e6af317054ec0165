//! A reflector: a web server that answers with the address it was called from. Asks it over one
//! family, and believes nothing but one whole, well-formed address. Never goes through a proxy: the
//! address must be this line's.

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use http::header::{ACCEPT, AUTHORIZATION, LOCATION};
use http::{Request, Uri};
use serde_json::Value;

use crate::deadline::Deadline;
use crate::error::Cause;
use crate::retry::{Again, RetryAfter};
use crate::secrets::Secrets;
use crate::transport::{Answer, Client};
use crate::url::SecretUrl;

/// The most bytes an answer may have.
const LARGEST_ANSWER: u64 = 4096;
/// How many redirects are followed.
const MOST_REDIRECTS: usize = 2;

/// A reflector, by its URL. Neither `Display` nor `Debug` shows the URL's secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reflector(SecretUrl);

impl Reflector {
    /// The reflector of a configuration that names none.
    pub const DEFAULT: &str = "https://checkip.amazonaws.com";

    /// Reads a URL. The error is a phrase to follow the key, and does not quote the URL.
    pub fn parse(url: &str) -> Result<Self, String> {
        SecretUrl::parse(url).map(Self)
    }

    /// Its URL.
    #[must_use]
    pub const fn url(&self) -> &SecretUrl {
        &self.0
    }

    /// Whether this reflector is on the same host as `other`, so that it is no second opinion.
    #[must_use]
    pub fn has_host_of(&self, other: &Self) -> bool {
        let host = |reflector: &Self| reflector.0.uri().host().map(str::to_ascii_lowercase);
        host(self) == host(other)
    }

    /// Asks for the address that this machine has as seen over the connections of `client`.
    pub fn ask(
        &self,
        client: &Client,
        secrets: &Secrets,
        deadline: Deadline,
    ) -> Result<IpAddr, Unanswered> {
        let mut at = self.0.clone();
        let mut secrets = secrets.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut request =
                Request::builder().uri(at.uri()).header(ACCEPT, "application/json, */*;q=0.5");
            if let Some(authorization) = at.authorization() {
                request = request.header(AUTHORIZATION, authorization);
            }
            let request = request.body(Vec::new()).map_err(|error| Unanswered {
                problem: "the URL cannot be asked".into(),
                again: Again::No,
                retry_after: None,
                source: Some(error.into()),
            })?;
            let answer = client.send(request, LARGEST_ANSWER, deadline).map_err(|cause| {
                let problem = format!("{cause}; {}", cause.advice());
                let again = cause.again();
                Unanswered { problem, again, retry_after: None, source: Some(cause.into()) }
            })?;
            match redirect(&at, &answer) {
                Some(Ok(next)) => {
                    next.add_secrets(&mut secrets);
                    at = next;
                }
                Some(Err(problem)) => return Err(Unanswered::for_good(problem)),
                None => {
                    let whole = answer.says_its_length();
                    let address = read_answer(answer.status, &answer.body, whole, &secrets);
                    return address.map_err(|problem| Unanswered {
                        again: Again::of_status(answer.status),
                        retry_after: RetryAfter::of(&answer.headers, SystemTime::now()),
                        ..Unanswered::for_good(problem)
                    });
                }
            }
        }
        let problem = format!("it redirects more than {MOST_REDIRECTS} times; {CHECK_URL}");
        Err(Unanswered::for_good(problem))
    }
}

/// Where an answer sends us on to, if it does: from https only to https, and to plain http only
/// within loopback.
fn redirect(at: &SecretUrl, answer: &Answer) -> Option<Result<SecretUrl, String>> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = answer.headers.get(LOCATION).filter(|location| !location.is_empty())?;
    let location = location.to_str().ok();
    let next = location.and_then(|location| join(at.uri(), location));
    let Some(next) = next.as_deref().and_then(|url| SecretUrl::parse(url).ok()) else {
        return Some(Err(format!("it redirects to what is no https URL; {CHECK_URL}")));
    };
    if at.uri().scheme_str() == Some("https") && next.uri().scheme_str() != Some("https") {
        return Some(Err(format!("it redirects from https to plain http; {CHECK_URL}")));
    }
    Some(Ok(next))
}

/// What came from a reflector instead of an address.
#[derive(Debug)]
pub struct Unanswered {
    /// What came, and what to do: a phrase that follows who was asked.
    pub problem: String,
    /// Whether it may answer in a moment.
    pub again: Again,
    /// What it says about the time of the next request.
    pub retry_after: Option<RetryAfter>,
    /// Why, where something else failed.
    pub source: Option<Cause>,
}

impl Unanswered {
    /// It would not answer another time either.
    pub(super) const fn for_good(problem: String) -> Self {
        Self { problem, again: Again::No, retry_after: None, source: None }
    }
}

const CHECK_URL: &str = "check reflect_url";
const CHECK_REFLECTOR: &str = "check the reflector, and the key in reflect_url if it has one";

impl fmt::Display for Reflector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
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

/// The address in an answer: JSON with `your_ip` (or `ip`) and an empty `error`, or bare text.
/// The error is a phrase that follows who was asked. `whole` tells whether the answer came with
/// its length; if not, JSON still shows its own end, and so does text with a line's end.
pub fn read_answer(
    status: u16,
    body: &str,
    whole: bool,
    secrets: &Secrets,
) -> Result<IpAddr, String> {
    let whole = whole || body.ends_with('\n');
    let body = body.strip_prefix('\u{feff}').unwrap_or(body).trim_ascii();
    let json = body.starts_with('{').then(|| serde_json::from_str::<Value>(body));
    if !(200..300).contains(&status) {
        return Err(match json.as_ref().and_then(|json| json.as_ref().ok()?["error"].as_str()) {
            Some(error) if !error.is_empty() => {
                format!("it answered {status}: \"{}\"; {CHECK_REFLECTOR}", secrets.quote(error))
            }
            _ => format!("it answered {status}; {CHECK_REFLECTOR}"),
        });
    }
    let text = match &json {
        Some(Ok(json)) => match (&json["error"], &json["your_ip"], &json["ip"]) {
            (Value::String(error), ..) if !error.is_empty() => {
                return Err(format!("it reported \"{}\"; {CHECK_REFLECTOR}", secrets.quote(error)));
            }
            (Value::String(_) | Value::Null, Value::String(ip), _)
            | (Value::String(_) | Value::Null, Value::Null, Value::String(ip)) => ip.as_str(),
            _ => {
                return Err(format!(
                    "it answered JSON without an address in \"your_ip\" or \"ip\"; \
                     {CHECK_REFLECTOR}"
                ));
            }
        },
        Some(Err(_)) => return Err(format!("it answered broken JSON; {CHECK_REFLECTOR}")),
        None => body,
    };
    if json.is_none() && !whole && !text.is_empty() {
        return Err(format!(
            "it answered text without saying how long it is, which may be cut off; \
             {CHECK_REFLECTOR}"
        ));
    }
    text.parse().map_err(|_| {
        let shown = secrets.quote(text);
        if text.is_empty() {
            format!("it answered nothing; {CHECK_REFLECTOR}")
        } else if text.contains(char::is_control) {
            format!("it answered \"{shown}\" with control characters in it; {CHECK_REFLECTOR}")
        } else {
            format!("it answered \"{shown}\", which is no address; {CHECK_REFLECTOR}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<String, String> {
        let mut secrets = Secrets::default();
        secrets.add_query("apikey=verysecret");
        read_answer(status, body, true, &secrets)
            .map(|address| address.to_string())
            .map_err(|problem| problem.split("; ").next().unwrap().into())
    }

    #[test]
    fn the_three_forms_are_read() {
        for (body, address) in [
            ("9.9.9.9\n", "9.9.9.9"),
            ("\u{feff} 2620:FE::9 \r\n", "2620:fe::9"),
            ("{\"ip\":\"9.9.9.9\"}", "9.9.9.9"),
            ("{\"error\":\"\",\"your_ip\":\"9.9.9.9\"}", "9.9.9.9"),
            (
                " {\"error\":\"\",\"forwarded\":0,\"forwarded_for\":\"\",\
                 \"your_ip\":\"2620:fe::9\"}",
                "2620:fe::9",
            ),
            ("{\"ip\":\"8.8.8.8\",\"your_ip\":\"9.9.9.9\"}", "9.9.9.9"),
            ("{\"error\":null,\"ip\":\"9.9.9.9\",\"x\":[{}]}", "9.9.9.9"),
        ] {
            assert_eq!(read(200, body), Ok(address.into()), "{body}");
        }
    }

    #[test]
    fn anything_else_is_a_failure_that_says_what_came() {
        for (status, body, problem) in [
            (200, "", "it answered nothing"),
            (200, "9.9.9", "it answered \"9.9.9\", which is no address"),
            (200, "9.9.9.09", "it answered \"9.9.9.09\", which is no address"),
            (200, "9.9.9.9 8.8.8.8", "it answered \"9.9.9.9 8.8.8.8\", which is no address"),
            (200, "9.9.9.9, 10.0.0.1", "it answered \"9.9.9.9, 10.0.0.1\", which is no address"),
            (200, "<b>9.9.9.9</b>", "it answered \"<b>9.9.9.9</b>\", which is no address"),
            (200, "key verysecret", "it answered \"key [hidden]\", which is no address"),
            (200, "9.9.9\0.9", "it answered \"9.9.9 .9\" with control characters in it"),
            (
                200,
                "{\"error\":\"no verysecret\",\"your_ip\":\"9.9.9.9\"}",
                "it reported \"no [hidden]\"",
            ),
            (200, "{\"your_ip\":\"\",\"ip\":\"9.9.9.9\"}", "it answered nothing"),
            (
                200,
                "{\"your_ip\":9}",
                "it answered JSON without an address in \"your_ip\" or \"ip\"",
            ),
            (
                200,
                "{\"error\":1,\"ip\":\"9.9.9.9\"}",
                "it answered JSON without an address in \"your_ip\" or \"ip\"",
            ),
            (200, "{\"ip\":\"9.9.9.9\"", "it answered broken JSON"),
            (200, "{\"ip\":\"9.9.9.9\"} x", "it answered broken JSON"),
            (403, "{\"error\":\"wrong key\"}", "it answered 403: \"wrong key\""),
            (403, "{\"error\":\"\",\"your_ip\":\"9.9.9.9\"}", "it answered 403"),
            (500, "9.9.9.9", "it answered 500"),
            (304, "", "it answered 304"),
        ] {
            assert_eq!(read(status, body), Err(problem.into()), "{body}");
        }
    }

    #[test]
    fn text_that_may_be_cut_off_is_no_answer() {
        for (body, good) in
            [("174.21.76.2", false), ("174.21.76.23\n", true), ("{\"ip\":\"174.21.76.23\"}", true)]
        {
            let read = read_answer(200, body, false, &Secrets::default());
            assert_eq!(read.is_ok(), good, "{body}");
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
}
