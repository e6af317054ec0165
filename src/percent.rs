//! Percent-encoding as AWS signs it: everything but RFC 3986's unreserved set, in upper case.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const OTHERS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `text` with every byte outside `A-Za-z0-9-._~` as `%XX`.
pub fn encode(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, OTHERS).into()
}

/// `text` with each `%XX` read back; what is not UTF-8 then becomes U+FFFD.
pub fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}
