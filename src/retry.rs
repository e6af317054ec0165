//! Whether to retry, and after how long: the rule of AWS's SDKs ("standard mode"), for every
//! kind of request. Pure but for chance and the time left; it waits for nothing itself.
//!
//! A connection that fails, a time-out and a server's own trouble count as attempts, three in all.
//! "Come back later" (throttling, a change that is still being made) is waited out for as long as
//! the deadline allows, unless `AWS_MAX_ATTEMPTS` is set: then everything counts.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{AGE, DATE, RETRY_AFTER};

use crate::clock::read_date;
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::SetupError;

/// The attempts in all, unless `AWS_MAX_ATTEMPTS` says otherwise, as in the SDKs.
const DEFAULT_ATTEMPTS: u32 = 3;
/// The first delay is up to this long. The SDKs take 0.05 s for what is not throttling: a home line
/// needs longer to come back.
const BASE_DELAY: Duration = Duration::from_secs(1);
/// No delay of ours is longer.
const MAX_DELAY: Duration = Duration::from_secs(20);
/// By how much `x-amz-retry-after` may make a delay longer than ours, as in the SDKs.
const MAX_SUGGESTED: Duration = Duration::from_secs(5);

/// What a failure says about a retry. Of several, the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retry {
    /// It would fail alike.
    Never,
    /// Others are being served; it will be better.
    Throttled,
    /// It may be better in a moment.
    Transient,
}

impl Retry {
    /// What the HTTP status of an answer says, whoever it is from: 429 (RFC 6585) asks to come back
    /// later; 408 (the request took too long), 425 (too early) and 500 to 599 pass, whether they
    /// are registered or a CDN's own, as 522. Three of those stay: 501 and 505 are about what the
    /// server can do, and 511 wants a person to sign in.
    pub const fn of_status(status: u16) -> Self {
        match status {
            501 | 505 | 511 => Self::Never,
            429 => Self::Throttled,
            408 | 425 | 500..=599 => Self::Transient,
            _ => Self::Never,
        }
    }
}

/// What a server says about the time of the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// `Retry-After` (RFC 9110, section 10.2.3): not before.
    Required(Duration),
    /// `x-amz-retry-after`: AWS's, which its SDKs follow within bounds.
    Suggested(Duration),
}

impl RetryAfter {
    /// What the headers of an answer say, which came at `now`. A date in `Retry-After` is held
    /// against the answer's own `Date` where it has one: this machine's clock may be wrong.
    pub fn of(headers: &HeaderMap, now: SystemTime) -> Option<Self> {
        let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
        let suggested = text("x-amz-retry-after").and_then(|value| value.parse().ok());
        if let Some(milliseconds) = suggested {
            return Some(Self::Suggested(Duration::from_millis(milliseconds)));
        }
        let value = text(RETRY_AFTER.as_str())?;
        let length = match value.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            // More seconds than a number holds.
            Err(_) if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                Duration::MAX
            }
            Err(_) => {
                let date = text(DATE.as_str()).filter(|_| !headers.contains_key(AGE));
                let now = date.and_then(read_date).unwrap_or(now);
                read_date(value)?.duration_since(now).unwrap_or(Duration::ZERO)
            }
        };
        Some(Self::Required(length))
    }
}

/// How many attempts there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit(Option<u32>);

impl Limit {
    /// Reads `AWS_MAX_ATTEMPTS`, the number of attempts in all, at least 1.
    pub fn from_environment(environment: &Environment) -> Result<Self, SetupError> {
        let variable = "AWS_MAX_ATTEMPTS";
        let Some(text) = environment.get(variable) else { return Ok(Self(None)) };
        match text.trim().parse() {
            Ok(attempts) if attempts > 0 => Ok(Self(Some(attempts))),
            _ => Err(SetupError::variable(variable, "must be a whole number of at least 1")),
        }
    }

    /// The number of attempts that may fail.
    pub fn attempts(self) -> u32 {
        self.0.unwrap_or(DEFAULT_ATTEMPTS)
    }
}

/// The attempts at one thing so far.
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    limit: Limit,
    /// Those that count.
    made: u32,
    /// How often was waited.
    waits: u32,
}

impl Attempts {
    /// None yet.
    pub const fn new(limit: Limit) -> Self {
        Self { limit, made: 0, waits: 0 }
    }

    /// How long to wait now, as [`Attempts::after`] has it; `None` also where the wait would not
    /// end before `deadline`.
    pub fn before(
        &mut self,
        deadline: Deadline,
        retry: Retry,
        retry_after: Option<RetryAfter>,
    ) -> Option<Duration> {
        self.after(retry, retry_after, random()).filter(|wait| *wait < deadline.left())
    }

    /// How long to wait before the next attempt, after one that failed so; `None`: there is to be
    /// none. `random` is from 0 to 1 (full jitter: many clients that fail at the same moment must
    /// not come back at the same moment).
    pub fn after(
        &mut self,
        retry: Retry,
        retry_after: Option<RetryAfter>,
        random: f64,
    ) -> Option<Duration> {
        match retry {
            Retry::Never => return None,
            Retry::Throttled if self.limit.0.is_none() => {}
            Retry::Transient | Retry::Throttled => {
                self.made += 1;
                if self.made >= self.limit.attempts() {
                    return None;
                }
            }
        }
        let max = BASE_DELAY.saturating_mul(1 << self.waits.min(10)).min(MAX_DELAY);
        self.waits += 1;
        let own = max.mul_f64(random.clamp(0.0, 1.0));
        Some(match retry_after {
            None => own,
            // Never all at the same moment: the jitter comes on top.
            Some(RetryAfter::Required(length)) => length.saturating_add(own.min(BASE_DELAY)),
            Some(RetryAfter::Suggested(length)) => length.clamp(own, own + MAX_SUGGESTED),
        })
    }
}

/// A number from 0 to 1 that another process at the same moment does not get.
fn random() -> f64 {
    // The standard library keys its hash maps from the system's random numbers.
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits in milliseconds after failures of that kind, until it is given up.
    fn waits(limit: Option<u32>, retry: Retry, random: f64) -> Vec<u128> {
        let mut attempts = Attempts::new(Limit(limit));
        std::iter::from_fn(|| attempts.after(retry, None, random))
            .map(|wait| wait.as_millis())
            .take(8)
            .collect()
    }

    #[test]
    fn failures_count_and_waits_double() {
        for (limit, retry, random, expected) in [
            (None, Retry::Never, 1.0, &[][..]),
            (None, Retry::Transient, 1.0, &[1000, 2000]),
            (None, Retry::Transient, 0.5, &[500, 1000]),
            (None, Retry::Transient, 0.0, &[0, 0]),
            (Some(1), Retry::Transient, 1.0, &[]),
            (Some(2), Retry::Transient, 1.0, &[1000]),
            (Some(1), Retry::Throttled, 1.0, &[]),
            (Some(4), Retry::Throttled, 1.0, &[1000, 2000, 4000]),
            (None, Retry::Throttled, 1.0, &[1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000]),
        ] {
            assert_eq!(waits(limit, retry, random), expected, "{limit:?} {retry:?} {random}");
        }
    }

    #[test]
    fn what_is_waited_out_leaves_the_attempts_to_failures() {
        let mut attempts = Attempts::new(Limit(None));
        let kinds = [
            Retry::Throttled,
            Retry::Transient,
            Retry::Throttled,
            Retry::Transient,
            Retry::Transient,
        ];
        let waits = kinds.map(|retry| attempts.after(retry, None, 1.0).map(|w| w.as_secs()));
        assert_eq!(waits, [Some(1), Some(2), Some(4), Some(8), None]);
    }

    #[test]
    fn a_server_may_ask_for_a_longer_wait_within_bounds() {
        for (wish, expected) in [(0, 500), (500, 500), (1700, 1700), (90_000, 5500)] {
            let mut attempts = Attempts::new(Limit(None));
            let suggested = RetryAfter::Suggested(Duration::from_millis(wish));
            let wait = attempts.after(Retry::Transient, Some(suggested), 0.5);
            assert_eq!(wait, Some(Duration::from_millis(expected)));
        }
        let mut attempts = Attempts::new(Limit(None));
        let required = RetryAfter::Required(Duration::from_secs(7));
        let wait = attempts.after(Retry::Transient, Some(required), 0.5);
        assert_eq!(wait, Some(Duration::from_millis(7500)));
        let deadline = Deadline::after(Duration::from_secs(6));
        assert_eq!(attempts.before(deadline, Retry::Throttled, Some(required)), None);
        let endless = Some(RetryAfter::Required(Duration::MAX));
        assert_eq!(attempts.before(deadline, Retry::Throttled, endless), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_or_awss_milliseconds() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_mins(24_015_636);
        let of = |pairs: &[(&str, &str)]| {
            let header = |(name, value): &(&str, &str)| {
                (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())
            };
            RetryAfter::of(&pairs.iter().map(header).collect(), now)
        };
        let seconds = |seconds| Some(RetryAfter::Required(Duration::from_secs(seconds)));
        let suggested = |ms| Some(RetryAfter::Suggested(Duration::from_millis(ms)));
        for (pairs, expected) in [
            (&[("retry-after", "120")][..], seconds(120)),
            (&[("retry-after", " 0 ")], seconds(0)),
            (&[("retry-after", "99999999999999999999")], Some(RetryAfter::Required(Duration::MAX))),
            (&[("retry-after", "Sun, 30 Aug 2015 12:37:00 GMT")], seconds(60)),
            (&[("retry-after", "Sun, 30 Aug 2015 12:35:00 GMT")], seconds(0)),
            (
                &[
                    ("date", "Sun, 30 Aug 2015 13:36:00 GMT"),
                    ("retry-after", "Sun, 30 Aug 2015 13:36:05 GMT"),
                ],
                seconds(5),
            ),
            (
                &[
                    ("age", "3600"),
                    ("date", "Sun, 30 Aug 2015 11:36:00 GMT"),
                    ("retry-after", "Sun, 30 Aug 2015 12:36:05 GMT"),
                ],
                seconds(5),
            ),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "1.5")], None),
            (&[("retry-after", "")], None),
            (&[("x-amz-retry-after", "1500")], suggested(1500)),
            (&[("x-amz-retry-after", " 0 "), ("retry-after", "7")], suggested(0)),
            (&[("x-amz-retry-after", "soon"), ("retry-after", "7")], seconds(7)),
            (&[("x-amz-retry-after", "1.5")], None),
            (&[], None),
        ] {
            assert_eq!(of(pairs), expected, "{pairs:?}");
        }
    }

    #[test]
    fn statuses_that_pass_are_retried_whoever_answers() {
        for status in 100..700 {
            let expected = match status {
                429 => Retry::Throttled,
                501 | 505 | 511 => Retry::Never,
                408 | 425 | 500..=599 => Retry::Transient,
                _ => Retry::Never,
            };
            assert_eq!(Retry::of_status(status), expected, "{status}");
        }
    }

    #[test]
    fn the_limit_is_a_number_of_attempts() {
        let limit = |value| Limit::from_environment(&[("AWS_MAX_ATTEMPTS", value)].into());
        assert_eq!(limit("").unwrap(), Limit(None));
        assert_eq!(limit("5").unwrap(), Limit(Some(5)));
        for value in ["0", "-1", "three", "1.5"] {
            assert_eq!(
                limit(value).unwrap_err().to_string(),
                "AWS_MAX_ATTEMPTS must be a whole number of at least 1"
            );
        }
    }

    #[test]
    fn random_numbers_differ_and_stay_in_bounds() {
        let numbers: Vec<f64> = (0..64).map(|_| random()).collect();
        assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)));
        assert!(numbers.iter().any(|number| (number - numbers[0]).abs() > 0.001));
    }
}
