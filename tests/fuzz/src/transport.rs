//! Checks of `aws::skew` and `transport`: the time of a server and the issuer of its certificate.

use std::time::{Duration, SystemTime};

use autodns::parts::Skew;
use autodns::parts::calendar;
use autodns::parts::read_date;
use autodns::parts::shown_name;
use http::HeaderMap;
use http::header::{AGE, DATE, HeaderValue};

/// A date exists in the calendar, and is the same after it is written in the form of HTTP and read
/// again. A signature that is corrected by it has that time.
pub fn date_header(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let read = value.to_str().ok().and_then(read_date);
    assert_eq!(read, value.to_str().ok().and_then(read_date), "read twice");
    if let Some(date) = read {
        let moment = calendar(date).expect("a moment of the calendar");
        let written = format!(
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
            &moment.weekday().to_string()[..3],
            moment.day(),
            &moment.month().to_string()[..3],
            moment.year(),
            moment.hour(),
            moment.minute(),
            moment.second()
        );
        // RFC 5322 does not allow years before 1900.
        assert!(moment.year() < 1900 || read_date(&written) == Some(date), "as {written}");
    }

    // The request takes one minute, and its middle is 2026-11-24T12:00:00Z.
    let sent = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_521_570);
    let (took, middle) = (Duration::from_mins(1), sent + Duration::from_secs(30));
    let mut headers = HeaderMap::new();
    headers.insert(DATE, value);
    let skew = Skew::of(&headers, sent, took);
    assert_eq!(skew.is_some(), read.is_some());
    if let Some((skew, date)) = skew.zip(read) {
        assert_eq!(skew.applied_to(middle), date);
        let off = date.duration_since(middle).unwrap_or_else(|error| error.duration());
        assert_eq!(skew.is_large(), off > Duration::from_mins(4), "{skew} is large");
        super::assert_phrase(&skew.to_string());
    }
    headers.insert(AGE, HeaderValue::from_static("1"));
    assert_eq!(Skew::of(&headers, sent, took), None, "a response from a cache");
}

/// The issuer of a certificate is shown in a few words on one line. All words are from the
/// certificate.
pub fn issuer(data: &[u8]) {
    let Some(shown) = shown_name(data) else { return };
    assert_eq!(shown_name(data).as_ref(), Some(&shown), "read twice");
    super::assert_phrase(&shown);
    assert!(shown.chars().count() <= 64 && shown.trim() == shown);
    for word in shown.split(' ').filter(|word| !word.is_empty()) {
        let latin: Option<Vec<u8>> =
            word.chars().map(|character| u8::try_from(character).ok()).collect();
        let is_there = |word: &[u8]| data.windows(word.len()).any(|found| found == word);
        assert!(is_there(word.as_bytes()) || latin.is_some_and(|word| is_there(&word)), "{word}");
    }
}
