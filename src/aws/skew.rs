//! Measures the error of this machine's clock from the `Date` of a response. A Pi has no clock
//! chip: after a power cut it starts with the time it last saved. Pure; does not set the clock.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::clock::{calendar, duration, read_date, unix_seconds};
use http::HeaderMap;
use http::header::{AGE, DATE};

/// In seconds. AWS accepts signatures within 5 minutes of its clock; the SDKs correct from 4 on.
const LARGE: u64 = 4 * 60;
/// In seconds. A longer exchange does not show the skew precisely enough.
const MAX_TRIP: u64 = 15 * 60;

/// By how many seconds the server's clock is ahead of this machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew(i64);

impl Skew {
    /// The `Date` of a response minus the middle of the exchange, which was `sent` by this
    /// machine's clock and `took` that long. `None` without a `Date`, for a response from a cache
    /// (`Age`), and for an exchange that took too long.
    pub fn of(headers: &HeaderMap, sent: SystemTime, took: Duration) -> Option<Self> {
        if headers.contains_key(AGE) || took.as_secs() > MAX_TRIP {
            return None;
        }
        let date = read_date(headers.get(DATE)?.to_str().ok()?)?;
        let here = sent.checked_add(took / 2)?;
        Some(Self(unix_seconds(date)?.checked_sub(unix_seconds(here)?)?))
    }

    /// Whether AWS may reject an uncorrected signature.
    pub const fn is_large(self) -> bool {
        self.is_far_from(Self(0))
    }

    /// Whether AWS may reject a signature that was corrected by another skew.
    pub const fn is_far_from(self, corrected_by: Self) -> bool {
        self.0.abs_diff(corrected_by.0) > LARGE
    }

    /// Converts this machine's `now` to the server's time. Returns `now` if the result would be
    /// beyond the calendar, because no signature can have such a time.
    pub fn applied_to(self, now: SystemTime) -> SystemTime {
        let length = Duration::from_secs(self.0.unsigned_abs());
        let moved = if self.0 < 0 { now.checked_sub(length) } else { now.checked_add(length) };
        moved.filter(|&moved| calendar(moved).is_some()).unwrap_or(now)
    }
}

/// As in "9 minutes 12 seconds slow".
impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.0 < 0 { "fast" } else { "slow" };
        write!(f, "{} {direction}", duration(Duration::from_secs(self.0.unsigned_abs())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    /// 2015-08-30T12:36:00Z.
    const DATE_THEN: &str = "Sun, 30 Aug 2015 12:36:00 GMT";
    const THEN: u64 = 1_440_938_160;
    /// 9999-12-31T23:59:59Z, the last second of the calendar.
    const LAST: u64 = 253_402_300_799;

    #[test]
    fn skew_is_the_date_minus_the_middle_of_the_exchange() {
        for (sent, took, skew, large, shown) in [
            (THEN, 0, 0, false, "0 seconds slow"),
            (THEN - 10, 20, 0, false, "0 seconds slow"),
            (THEN - 240, 0, 240, false, "4 minutes slow"),
            (THEN - 552, 0, 552, true, "9 minutes 12 seconds slow"),
            (THEN + 3601, 0, -3601, true, "1 hour fast"),
            (0, 0, 1_440_938_160, true, "16677 days 12 hours slow"),
        ] {
            let found = Skew::of(
                &headers(&[("date", DATE_THEN)]),
                at(sent),
                at(took).duration_since(SystemTime::UNIX_EPOCH).unwrap(),
            );
            assert_eq!(found, Some(Skew(skew)));
            let found = found.unwrap();
            assert_eq!((found.is_far_from(Skew(0)), found.to_string().as_str()), (large, shown));
            assert_eq!(found.applied_to(at(sent + took / 2)), at(THEN));
        }
    }

    #[test]
    fn response_that_may_be_old_shows_no_skew() {
        for (pairs, took) in [
            (&[][..], 0),
            (&[("date", DATE_THEN), ("age", "60")], 0),
            (&[("date", DATE_THEN)], 16 * 60),
            (&[("date", "yesterday")], 0),
            (&[("date", "")], 0),
        ] {
            assert_eq!(Skew::of(&headers(pairs), at(THEN), Duration::from_secs(took)), None);
        }
    }

    #[test]
    fn http_dates_are_parsed() {
        for (text, seconds) in [
            (DATE_THEN, Some(THEN)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Tue, 19 Jan 2038 03:14:08 GMT", Some(2_147_483_648)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LAST)),
            ("Fri, 31 Dec 9999 23:59:59 -2359", None),
            ("Sun, 30 Feb 2015 12:36:00 GMT", None),
            ("2015-08-30T12:36:00Z", None),
        ] {
            assert_eq!(read_date(text), seconds.map(at), "{text}");
        }
    }

    /// `aws_sigv4` panics on a time beyond the calendar.
    #[test]
    fn corrected_time_stays_within_the_calendar() {
        let skew = Skew(i64::try_from(LAST - THEN).unwrap());
        assert_eq!(skew.applied_to(at(THEN)), at(LAST));
        assert_eq!(skew.applied_to(at(THEN + 1)), at(THEN + 1));
    }

    #[test]
    fn skew_of_any_size_can_be_applied() {
        let now = at(THEN);
        for skew in [i64::MIN, i64::MAX] {
            assert_eq!(Skew(skew).applied_to(now), now);
            assert!(Skew(skew).is_far_from(Skew(-skew.signum())));
            assert!(!Skew(skew).is_far_from(Skew(skew)));
        }
    }
}
