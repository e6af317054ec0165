//! How far this machine's clock is off, by the `Date` of an answer: a Pi has no clock chip, and
//! after a power cut it starts at the time it last saved. Pure; sets no clock.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::clock::{calendar, duration, read_date, unix_seconds};
use http::HeaderMap;
use http::header::{AGE, DATE};

/// AWS takes signatures within 5 minutes of its own clock; the SDKs correct from 4 on.
const LARGE: u64 = 4 * 60;
/// An exchange that took longer than this, in seconds, says nothing about the clock.
const MAX_TRIP: u64 = 15 * 60;

/// By how many seconds the server's clock is ahead of this machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew(i64);

impl Skew {
    /// The skew that an answer shows, given when its request was sent by this machine's clock and
    /// how long the answer took: its `Date` less the middle of the two. `None` where it cannot be
    /// known: without a `Date`, out of a cache (`Age`), or after too long a time.
    pub fn of(headers: &HeaderMap, sent: SystemTime, took: Duration) -> Option<Self> {
        if headers.contains_key(AGE) || took.as_secs() > MAX_TRIP {
            return None;
        }
        let date = read_date(headers.get(DATE)?.to_str().ok()?)?;
        let here = sent.checked_add(took / 2)?;
        Some(Self(unix_seconds(date)?.checked_sub(unix_seconds(here)?)?))
    }

    /// Whether it is so large that AWS may refuse a signature for it.
    pub const fn is_large(self) -> bool {
        self.is_far_from(Self(0))
    }

    /// Whether it is so far from the one that a signature was corrected by that AWS may refuse
    /// that signature for it.
    pub const fn is_far_from(self, corrected_by: Self) -> bool {
        self.0.abs_diff(corrected_by.0) > LARGE
    }

    /// The server's time at the moment that this machine calls `now`; `now` itself where that
    /// would be beyond the calendar, since no signature can have such a time.
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
    /// 9999-12-31T23:59:59Z, the last second that has a date.
    const LAST: u64 = 253_402_300_799;

    #[test]
    fn the_skew_is_the_date_less_the_middle_of_the_exchange() {
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
    fn an_answer_that_may_be_old_shows_no_skew() {
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
    fn dates_are_read_as_http_has_them() {
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

    /// The library that signs panics at a time that has no date.
    #[test]
    fn no_skew_leads_beyond_the_calendar() {
        let skew = Skew(i64::try_from(LAST - THEN).unwrap());
        assert_eq!(skew.applied_to(at(THEN)), at(LAST));
        assert_eq!(skew.applied_to(at(THEN + 1)), at(THEN + 1));
    }

    #[test]
    fn no_skew_is_too_large_to_apply() {
        let now = at(THEN);
        for skew in [i64::MIN, i64::MAX] {
            assert_eq!(Skew(skew).applied_to(now), now);
            assert!(Skew(skew).is_far_from(Skew(-skew.signum())));
            assert!(!Skew(skew).is_far_from(Skew(skew)));
        }
    }
}
