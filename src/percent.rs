//! Percent-encoding in the form that AWS signs: everything but the unreserved characters of
//! RFC 3986, with upper-case digits.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const OTHERS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Replaces each byte outside `A-Za-z0-9-._~` by `%XX`.
pub fn encode(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, OTHERS).into()
}

/// A query string or form, as in `a=1&b=x%20y`.
pub fn query(members: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", encode(value));
    members.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Decodes each `%XX`. Bytes that are not UTF-8 become U+FFFD.
pub fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
