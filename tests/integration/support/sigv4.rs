//! Checks an AWS signature, version 4, as AWS specifies it, and returns the error of AWS. It shares
//! no code with the program: an error in both would go unnoticed. It does not check the permissions
//! of a key.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ring::{digest, hmac};
use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::http::Request;
use super::text::{hex, pairs, percent_encode};

/// What AWS stores for an access key.
#[derive(Clone, Debug)]
pub struct Secret {
    pub secret: String,
    pub token: Option<String>,
}

/// The service, region and time that received a request.
#[derive(Clone, Copy, Debug)]
pub struct Receiver<'a> {
    pub service: &'a str,
    pub region: &'a str,
    pub now: OffsetDateTime,
}

/// A rejection with AWS's code and message. The status is always 403.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub code: &'static str,
    pub message: String,
}

fn rejection<T>(code: &'static str, message: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection { code, message: message.into() })
}

/// Checks the signature and returns the id of its key.
pub fn check(
    request: &Request,
    receiver: Receiver<'_>,
    keys: &BTreeMap<String, Secret>,
) -> Result<String, Rejection> {
    let Some(claim) = Claim::read(request.header("authorization").unwrap_or("")) else {
        return rejection("MissingAuthenticationToken", "Missing Authentication Token");
    };
    let Some(key) = keys.get(claim.key_id) else {
        return rejection(
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        );
    };
    if request.header("x-amz-security-token") != key.token.as_deref() {
        return rejection(
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        );
    }
    let stamp = request.header("x-amz-date").unwrap_or("");
    let Some(signed_at) = read_stamp(stamp) else {
        return rejection("IncompleteSignature", "Date must be in ISO-8601 'basic format'.");
    };
    if claim.region != receiver.region {
        return rejection(
            "SignatureDoesNotMatch",
            format!("Credential should be scoped to a valid region, not '{}'. ", claim.region),
        );
    }
    if claim.service != receiver.service {
        return rejection(
            "SignatureDoesNotMatch",
            format!("Credential should be scoped to correct service: '{}'. ", receiver.service),
        );
    }
    if !stamp.starts_with(claim.date) || claim.date.len() != 8 {
        return rejection(
            "SignatureDoesNotMatch",
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP",
        );
    }
    let is_signed =
        |name: &str| claim.headers.iter().any(|signed| signed.eq_ignore_ascii_case(name));
    if let Some(unsigned) = must_be_signed(request).find(|name| !is_signed(name)) {
        return rejection(
            "SignatureDoesNotMatch",
            format!("'{unsigned}' must be a signed header."),
        );
    }
    let payload = hex(digest::digest(&digest::SHA256, &request.body).as_ref());
    if request.header("x-amz-content-sha256") != Some(payload.as_str()) {
        return rejection("SignatureDoesNotMatch", "x-amz-content-sha256 is not that of the body.");
    }
    in_window(signed_at, receiver.now)?;
    let Some(canonical) = canonical(request, &claim.headers, &payload) else {
        return rejection("SignatureDoesNotMatch", "The query or a signed header cannot be read.");
    };
    let scope = format!("{}/{}/{}/aws4_request", claim.date, claim.region, claim.service);
    let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}");
    if claim.signature == signature(&key.secret, &claim, &text) {
        Ok(claim.key_id.to_owned())
    } else {
        rejection(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method. Consult the service documentation for \
             details.",
        )
    }
}

/// The parts of an Authorization header.
struct Claim<'a> {
    key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn read(header: &'a str) -> Option<Self> {
        let mut parts = header.strip_prefix("AWS4-HMAC-SHA256 ")?.split(", ");
        let scope = parts.next()?.strip_prefix("Credential=")?;
        let headers = parts.next()?.strip_prefix("SignedHeaders=")?;
        let signature = parts.next()?.strip_prefix("Signature=")?;
        let mut scope = scope.split('/');
        let claim = Self {
            key_id: scope.next()?,
            date: scope.next()?,
            region: scope.next()?,
            service: scope.next()?,
            headers: headers.split(';').collect(),
            signature,
        };
        let whole = scope.eq(["aws4_request"]) && parts.next().is_none();
        let sorted = claim.headers.is_sorted();
        (whole && sorted).then_some(claim)
    }
}

/// `host`, the headers that are always required, and every other `x-amz-` header of the request.
fn must_be_signed(request: &Request) -> impl Iterator<Item = &str> {
    let own = request
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.to_ascii_lowercase().starts_with("x-amz-"));
    ["host", "x-amz-content-sha256", "x-amz-date"].into_iter().chain(own)
}

pub fn read_stamp(stamp: &str) -> Option<OffsetDateTime> {
    let number = |from: usize, to: usize| stamp.get(from..to)?.parse::<u8>().ok();
    let year = stamp.get(..4)?.parse().ok()?;
    let month = Month::try_from(number(4, 6)?).ok()?;
    let date = Date::from_calendar_date(year, month, number(6, 8)?).ok()?;
    let time = Time::from_hms(number(9, 11)?, number(11, 13)?, number(13, 15)?).ok()?;
    let whole = stamp.get(8..9) == Some("T") && stamp.get(15..) == Some("Z");
    whole.then(|| PrimitiveDateTime::new(date, time).assume_utc())
}

pub fn stamp(time: OffsetDateTime) -> String {
    let (date, clock) = (time.date(), time.time());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

fn in_window(signed_at: OffsetDateTime, now: OffsetDateTime) -> Result<(), Rejection> {
    let window = Duration::minutes(5);
    let (signed, here) = (stamp(signed_at), stamp(now));
    if signed_at < now - window {
        let earliest = stamp(now - window);
        return rejection(
            "SignatureDoesNotMatch",
            format!("Signature expired: {signed} is now earlier than {earliest} ({here} - 5 min.)"),
        );
    }
    if signed_at > now + window {
        let latest = stamp(now + window);
        return rejection(
            "SignatureDoesNotMatch",
            format!(
                "Signature not yet current: {signed} is still later than {latest} ({here} + 5 \
                 min.)"
            ),
        );
    }
    Ok(())
}

/// The canonical request. The path is encoded twice, as for every service except S3.
fn canonical(request: &Request, headers: &[&str], payload: &str) -> Option<String> {
    let path = request
        .path()
        .split('/')
        .map(|segment| percent_encode(segment.as_bytes()))
        .collect::<Vec<_>>()
        .join("/");
    let mut query = pairs(request.query(), false)?
        .iter()
        .map(|(name, value)| {
            let encoded = |text: &str| percent_encode(text.as_bytes());
            format!("{}={}", encoded(name), encoded(value))
        })
        .collect::<Vec<_>>();
    query.sort();
    let mut lines = String::new();
    for name in headers {
        let value = request.header(name)?;
        let value = value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        writeln!(lines, "{name}:{value}").expect("a String takes everything");
    }
    Some(format!(
        "{}\n{path}\n{}\n{lines}\n{}\n{payload}",
        request.method,
        query.join("&"),
        headers.join(";"),
    ))
}

fn signature(secret: &str, claim: &Claim<'_>, text: &str) -> String {
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [claim.date, claim.region, claim.service, "aws4_request", text] {
        let signer = hmac::Key::new(hmac::HMAC_SHA256, &key);
        key = hmac::sign(&signer, part.as_bytes()).as_ref().to_vec();
    }
    hex(&key)
}
