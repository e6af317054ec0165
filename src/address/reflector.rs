//! A reflector: a web server that responds with the address that the request came from. Asks it
//! over one family and accepts only one whole, well-formed address. Never uses a proxy, because the
//! address must be that of this connection.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::SystemTime;

use http::header::ACCEPT;
use http::{HeaderValue, Request};
use serde_json::Value;

use super::error::SourceError;
use crate::deadline::Deadline;
use crate::retry::{Retry, RetryAfter};
use crate::secrets::Secrets;
use crate::transport::url::SecretUrl;
use crate::transport::{Client, Via};

/// In bytes.
const MAX_RESPONSE: u64 = 4096;

const CHECK_REFLECTOR: &str = "check the reflector, and the key in reflect_url if it has one";

/// The reflectors of a configuration that names none: AWS's, and Cloudflare's to confirm it. Both
/// support IPv4 and IPv6.
pub const DEFAULTS: [&str; 2] = ["https://checkip.global.api.aws", "https://icanhazip.com"];

/// Asks `reflector` for the address from which the connections of `client` come. Also returns the
/// hosts that could have named another address: that of the reflector and those that it redirected
/// to.
pub fn ask(
    reflector: &SecretUrl,
    client: &Client,
    secrets: &Secrets,
    deadline: Deadline,
) -> Result<(IpAddr, BTreeSet<String>, Via), SourceError> {
    let mut request = Request::new(Vec::new());
    let accepted = HeaderValue::from_static("application/json, */*;q=0.5");
    request.headers_mut().insert(ACCEPT, accepted);
    let (response, urls) = client
        .follow(request, reflector, "reflect_url", MAX_RESPONSE, deadline)
        .map_err(|error| SourceError {
            retry: error.retry(),
            is_no_network: error.is_no_network(),
            is_no_route: error.is_no_route(),
            ..SourceError::never(error.to_string(), error.advice())
        })?;
    let mut secrets = secrets.clone();
    urls.iter().skip(1).for_each(|url| url.add_secrets(&mut secrets));
    let whole = response.has_length();
    match read_response(response.status, &response.body, whole, &secrets) {
        Ok(address) => {
            let hosts = urls.iter().map(SecretUrl::host).collect();
            Ok((address, hosts, response.via))
        }
        Err((cause, advice)) => Err(SourceError {
            retry: Retry::of_status(response.status),
            retry_after: RetryAfter::of(&response.headers, SystemTime::now()),
            ..SourceError::never(cause, advice)
        }),
    }
}

/// Parses the address in a response: JSON with `your_ip` (or `ip`) and no `error`, or bare text.
/// The error is a phrase that follows the name of the source, and its advice. It quotes only the
/// `error` of JSON. `whole` says whether the response had a length; without one, only JSON and text
/// with a final line break are known to be complete.
///
/// Only status 200 is accepted: 206 is partial, 203 is modified by a proxy, and the other 2xx have
/// no content.
pub fn read_response(
    status: u16,
    body: &str,
    whole: bool,
    secrets: &Secrets,
) -> Result<IpAddr, (String, &'static str)> {
    let whole = whole || body.ends_with('\n');
    let body = body.strip_prefix('\u{feff}').unwrap_or(body).trim_ascii();
    let json = body.starts_with('{').then(|| serde_json::from_str::<Value>(body));
    let error = json.as_ref().and_then(|json| reported(json.as_ref().ok()?));
    let quoted = error.and_then(Value::as_str).map(|text| format!("\"{}\"", secrets.quote(text)));
    if status != 200 {
        let why = quoted.map_or(String::new(), |quoted| format!(": {quoted}"));
        return Err((format!("it answered {status}{why}"), advice_of(status)));
    }
    let text = match &json {
        None => body,
        Some(Err(_)) => return Err(("it answered broken JSON".into(), CHECK_REFLECTOR)),
        Some(Ok(json)) => match (error, &json["your_ip"], &json["ip"]) {
            (Some(_), ..) => {
                let what = quoted.as_deref().unwrap_or("an error");
                return Err((format!("it reported {what}"), CHECK_REFLECTOR));
            }
            (None, Value::String(ip), _) | (None, Value::Null, Value::String(ip)) => ip.as_str(),
            _ => {
                let cause = "it answered JSON without an address in \"your_ip\" or \"ip\"";
                return Err((cause.into(), CHECK_REFLECTOR));
            }
        },
    };
    if text.is_empty() {
        return Err(("it answered nothing".into(), CHECK_REFLECTOR));
    }
    if json.is_none() && !whole {
        let cause = "it answered text without saying how long it is, which may be cut off";
        return Err((cause.into(), CHECK_REFLECTOR));
    }
    text.parse().map_err(|_| {
        let kind = if json.is_some() { "text in JSON" } else { kind(text) };
        let (length, s) = (text.len(), if text.len() == 1 { "" } else { "s" });
        (format!("it answered {length} byte{s} of {kind}, not an address"), CHECK_REFLECTOR)
    })
}

/// The member `error`, if it reports an error. Some reflectors always send the member, with an
/// empty value if there was no error.
fn reported(json: &Value) -> Option<&Value> {
    let error = &json["error"];
    let is_none = match error {
        Value::Null => true,
        Value::Bool(is_error) => !is_error,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
    };
    Some(error).filter(|_| !is_none)
}

/// The advice for a status. An error of the server is not about the key.
const fn advice_of(status: u16) -> &'static str {
    match (Retry::of_status(status), status) {
        (_, 511) => "sign in to this network with a browser",
        (Retry::Never, 500..) => "check the reflector",
        (Retry::Never, _) => CHECK_REFLECTOR,
        _ => "wait for the next run, which tries again",
    }
}

/// The kind of a text that is not an address, guessed from its beginning.
fn kind(text: &str) -> &'static str {
    let begins =
        |with: &str| text.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    if begins("<?xml") {
        "XML"
    } else if begins("<") {
        "HTML"
    } else if begins("[") || begins("\"") {
        "JSON"
    } else if text.contains(|c: char| c.is_control() && !c.is_whitespace()) {
        "text with control characters"
    } else {
        "text"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<String, String> {
        let mut secrets = Secrets::default();
        secrets.add_query("apikey=verysecret");
        read_response(status, body, true, &secrets)
            .map(|address| address.to_string())
            .map_err(|(cause, _)| cause)
    }

    #[test]
    fn address_is_parsed_from_text_and_json() {
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
            ("{\"error\":false,\"ip\":\"9.9.9.9\"}", "9.9.9.9"),
            ("{\"error\":0,\"ip\":\"9.9.9.9\"}", "9.9.9.9"),
            ("{\"error\":\" \",\"ip\":\"9.9.9.9\"}", "9.9.9.9"),
            ("{\"error\":[],\"ip\":\"9.9.9.9\"}", "9.9.9.9"),
            ("{\"error\":{},\"ip\":\"9.9.9.9\"}", "9.9.9.9"),
        ] {
            assert_eq!(read(200, body), Ok(address.into()), "{body}");
        }
    }

    #[test]
    fn other_response_is_an_error_that_describes_it() {
        for (status, body, problem) in [
            (200, "", "it answered nothing"),
            (200, "9", "it answered 1 byte of text, not an address"),
            (200, "9.9.9", "it answered 5 bytes of text, not an address"),
            (200, "9.9.9.09", "it answered 8 bytes of text, not an address"),
            (200, "9.9.9.9 8.8.8.8", "it answered 15 bytes of text, not an address"),
            (200, "9.9.9.9, 10.0.0.1", "it answered 17 bytes of text, not an address"),
            (200, "<b>9.9.9.9</b>", "it answered 14 bytes of HTML, not an address"),
            (200, "<?xml?><a/>", "it answered 11 bytes of XML, not an address"),
            (200, "[\"9.9.9.9\"]", "it answered 11 bytes of JSON, not an address"),
            (200, "\u{fc}", "it answered 2 bytes of text, not an address"),
            (200, "key verysecret", "it answered 14 bytes of text, not an address"),
            (
                200,
                "9.9.9\0.9",
                "it answered 8 bytes of text with control characters, not an address",
            ),
            (200, "{\"ip\":\"9.9.9\"}", "it answered 5 bytes of text in JSON, not an address"),
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
            (200, "{\"error\":1,\"ip\":\"9.9.9.9\"}", "it reported an error"),
            (200, "{\"error\":true,\"ip\":\"9.9.9.9\"}", "it reported an error"),
            (200, "{\"error\":[\"x\"],\"ip\":\"9.9.9.9\"}", "it reported an error"),
            (200, "{\"error\":{\"code\":7},\"ip\":\"9.9.9.9\"}", "it reported an error"),
            (403, "{\"error\":true}", "it answered 403"),
            (200, "{\"ip\":\"9.9.9.9\"", "it answered broken JSON"),
            (200, "{\"ip\":\"9.9.9.9\"} x", "it answered broken JSON"),
            (403, "{\"error\":\"wrong key\"}", "it answered 403: \"wrong key\""),
            (403, "{\"error\":\"\",\"your_ip\":\"9.9.9.9\"}", "it answered 403"),
            (500, "9.9.9.9", "it answered 500"),
            (304, "", "it answered 304"),
            (201, "9.9.9.9", "it answered 201"),
            (203, "9.9.9.9", "it answered 203"),
            (204, "", "it answered 204"),
            (206, "9.9.9.9", "it answered 206"),
        ] {
            assert_eq!(read(status, body), Err(problem.into()), "{body}");
        }
    }

    #[test]
    fn advice_names_the_key_only_if_it_can_be_the_cause() {
        for (status, advice) in [
            (401, CHECK_REFLECTOR),
            (403, CHECK_REFLECTOR),
            (404, CHECK_REFLECTOR),
            (206, CHECK_REFLECTOR),
            (429, "wait for the next run, which tries again"),
            (500, "wait for the next run, which tries again"),
            (503, "wait for the next run, which tries again"),
            (501, "check the reflector"),
            (505, "check the reflector"),
            (511, "sign in to this network with a browser"),
        ] {
            assert_eq!(advice_of(status), advice, "{status}");
        }
    }

    #[test]
    fn text_that_may_be_cut_off_is_rejected() {
        for (body, good) in
            [("174.21.76.2", false), ("174.21.76.23\n", true), ("{\"ip\":\"174.21.76.23\"}", true)]
        {
            let read = read_response(200, body, false, &Secrets::default());
            assert_eq!(read.is_ok(), good, "{body}");
        }
    }
}
