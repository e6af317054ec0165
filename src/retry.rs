//! Decides whether and when to retry a request, by the rules of AWS's SDKs ("standard mode"). Does
//! not wait itself. Pure, apart from random numbers and the time left.
//!
//! Connection errors, time-outs and server errors count as attempts, three in all. Throttling and
//! an unfinished earlier change do not count: they are retried until the deadline. If
//! `AWS_MAX_ATTEMPTS` is set, every error counts.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{AGE, DATE, RETRY_AFTER};

use crate::clock::read_date;
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::SetupError;

/// All attempts, including the first. The same as in the SDKs.
const DEFAULT_ATTEMPTS: u32 = 3;
/// The maximum of the first delay. The SDKs use 0.05 s for errors other than throttling, but a home
/// connection needs longer to recover.
const BASE_DELAY: Duration = Duration::from_secs(1);
/// The maximum of a computed delay.
const MAX_DELAY: Duration = Duration::from_secs(20);
/// The time that must be left for an attempt. A shorter one ends as a time-out, whose error would
/// hide why the earlier attempts failed.
const MIN_ATTEMPT: Duration = Duration::from_millis(250);
/// How much longer `x-amz-retry-after` may make a computed delay. The same as in the SDKs.
const MAX_SUGGESTED: Duration = Duration::from_secs(5);

/// Whether an error can be retried. Of several errors, the greatest value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retry {
    /// Retrying cannot help.
    Never,
    /// The server limits the rate of requests, or is busy with an earlier change.
    Throttled,
    /// The error may pass soon.
    Transient,
}

impl Retry {
    /// The meaning of an HTTP status from any server. 429 (RFC 6585) is throttling. 408 (request
    /// timeout), 425 (too early) and 500 to 599 may pass, including unregistered codes such as 522.
    /// Three do not pass: 501 and 505 are about the abilities of the server, and 511 requires a
    /// person to sign in.
    pub const fn of_status(status: u16) -> Self {
        match status {
            501 | 505 | 511 => Self::Never,
            429 => Self::Throttled,
            408 | 425 | 500..=599 => Self::Transient,
            _ => Self::Never,
        }
    }
}

/// The time of the next request that a server asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// `Retry-After` (RFC 9110, section 10.2.3): at least this long.
    Required(Duration),
    /// `x-amz-retry-after` of AWS, which the SDKs follow within limits.
    Suggested(Duration),
}

impl RetryAfter {
    /// Parses the headers of a response that arrived at `now`. A date in `Retry-After` is compared
    /// with the `Date` of the response if there is one, because this machine's clock may be wrong.
    pub fn of(headers: &HeaderMap, now: SystemTime) -> Option<Self> {
        let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
        let suggested = text("x-amz-retry-after").and_then(|value| value.parse().ok());
        if let Some(milliseconds) = suggested {
            return Some(Self::Suggested(Duration::from_millis(milliseconds)));
        }
        let value = text(RETRY_AFTER.as_str())?;
        let length = match value.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            // The number of seconds does not fit into 64 bits.
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

/// The value of `AWS_MAX_ATTEMPTS`; `None` if it is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxAttempts(Option<u32>);

impl MaxAttempts {
    /// `AWS_MAX_ATTEMPTS` includes the first attempt, so it is at least 1.
    pub fn from_environment(environment: &Environment) -> Result<Self, SetupError> {
        let variable = "AWS_MAX_ATTEMPTS";
        let Some(text) = environment.get(variable) else { return Ok(Self(None)) };
        match text.trim().parse() {
            Ok(attempts) if attempts > 0 => Ok(Self(Some(attempts))),
            _ => Err(SetupError::variable(variable, "must be a whole number of at least 1")),
        }
    }

    pub fn attempts(self) -> u32 {
        self.0.unwrap_or(DEFAULT_ATTEMPTS)
    }
}

/// The attempts at one request so far.
#[derive(Clone, Copy, Debug)]
pub struct Attempts {
    limit: MaxAttempts,
    /// The failed attempts that count.
    made: u32,
    delays: u32,
}

impl Attempts {
    pub const fn new(limit: MaxAttempts) -> Self {
        Self { limit, made: 0, delays: 0 }
    }

    /// Like [`Attempts::delay_with`], with a random number. `None` also if the delay would leave
    /// too little time for an attempt before `deadline`.
    pub fn next_delay(
        &mut self,
        deadline: Deadline,
        retry: Retry,
        retry_after: Option<RetryAfter>,
    ) -> Option<Duration> {
        let left = deadline.left().saturating_sub(MIN_ATTEMPT);
        self.delay_with(retry, retry_after, random()).filter(|delay| *delay < left)
    }

    /// The delay before the next attempt after a failed one; `None` if there must not be another.
    /// `random` is from 0 to 1 and scales the delay (full jitter), so that clients that fail at the
    /// same moment do not retry at the same moment.
    pub fn delay_with(
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
        let max = BASE_DELAY.saturating_mul(1 << self.delays.min(10)).min(MAX_DELAY);
        self.delays += 1;
        let own = max.mul_f64(random.clamp(0.0, 1.0));
        Some(match retry_after {
            None => own,
            // The jitter is added, so that clients do not retry at the same moment.
            Some(RetryAfter::Required(length)) => length.saturating_add(own.min(BASE_DELAY)),
            Some(RetryAfter::Suggested(length)) => length.clamp(own, own + MAX_SUGGESTED),
        })
    }
}

/// A number from 0 to 1 that differs between processes.
fn random() -> f64 {
    // The standard library seeds its hash maps with random numbers of the system.
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The delays in milliseconds until there is no further attempt.
    fn delays(limit: Option<u32>, retry: Retry, random: f64) -> Vec<u128> {
        let mut attempts = Attempts::new(MaxAttempts(limit));
        std::iter::from_fn(|| attempts.delay_with(retry, None, random))
            .map(|delay| delay.as_millis())
            .take(8)
            .collect()
    }

    #[test]
    fn delays_double_until_the_limit_of_attempts() {
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
            assert_eq!(delays(limit, retry, random), expected, "{limit:?} {retry:?} {random}");
        }
    }

    #[test]
    fn throttling_does_not_count_as_an_attempt() {
        let mut attempts = Attempts::new(MaxAttempts(None));
        let kinds = [
            Retry::Throttled,
            Retry::Transient,
            Retry::Throttled,
            Retry::Transient,
            Retry::Transient,
        ];
        let delays = kinds.map(|retry| attempts.delay_with(retry, None, 1.0).map(|d| d.as_secs()));
        assert_eq!(delays, [Some(1), Some(2), Some(4), Some(8), None]);
    }

    #[test]
    fn retry_after_makes_the_delay_longer_within_limits() {
        for (milliseconds, expected) in [(0, 500), (500, 500), (1700, 1700), (90_000, 5500)] {
            let mut attempts = Attempts::new(MaxAttempts(None));
            let suggested = RetryAfter::Suggested(Duration::from_millis(milliseconds));
            let delay = attempts.delay_with(Retry::Transient, Some(suggested), 0.5);
            assert_eq!(delay, Some(Duration::from_millis(expected)));
        }
        let mut attempts = Attempts::new(MaxAttempts(None));
        let required = RetryAfter::Required(Duration::from_secs(7));
        let delay = attempts.delay_with(Retry::Transient, Some(required), 0.5);
        assert_eq!(delay, Some(Duration::from_millis(7500)));
        let deadline = Deadline::after(Duration::from_secs(6));
        assert_eq!(attempts.next_delay(deadline, Retry::Throttled, Some(required)), None);
        let endless = Some(RetryAfter::Required(Duration::MAX));
        assert_eq!(attempts.next_delay(deadline, Retry::Throttled, endless), None);
    }

    #[test]
    fn retry_after_is_parsed_in_its_three_forms() {
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
    fn status_decides_about_retries_for_any_server() {
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
    fn limit_must_be_a_number_of_at_least_1() {
        let limit = |value| MaxAttempts::from_environment(&[("AWS_MAX_ATTEMPTS", value)].into());
        assert_eq!(limit("").unwrap(), MaxAttempts(None));
        assert_eq!(limit("5").unwrap(), MaxAttempts(Some(5)));
        for value in ["0", "-1", "three", "1.5"] {
            assert_eq!(
                limit(value).unwrap_err().to_string(),
                "AWS_MAX_ATTEMPTS must be a whole number of at least 1"
            );
        }
    }

    #[test]
    fn random_numbers_differ_and_are_from_0_to_1() {
        let numbers: Vec<f64> = (0..64).map(|_| random()).collect();
        assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)));
        assert!(numbers.iter().any(|number| (number - numbers[0]).abs() > 0.001));
    }
}
