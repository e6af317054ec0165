//! Whether to try again, and after how long: the rule of AWS's SDKs ("standard mode"), for every
//! kind of request. Pure but for chance and the time left; it waits for nothing itself.
//!
//! A connection that fails, a time-out and a server's own trouble count as attempts, three in all.
//! "Come back later" (throttling, a change that is still being made) is waited out for as long as
//! the deadline allows, unless `AWS_MAX_ATTEMPTS` is set: then everything counts.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::error::Error;

/// The attempts in all, unless `AWS_MAX_ATTEMPTS` says otherwise, as in the SDKs.
const ATTEMPTS: u32 = 3;
/// The first delay is up to this long. The SDKs take 0.05 s for what is not throttling: a home line
/// needs longer to come back.
const SCALE: Duration = Duration::from_secs(1);
/// No delay of ours is longer.
const LONGEST: Duration = Duration::from_secs(20);
/// By how much a server may make a delay longer than ours.
const LONGEST_WISH: Duration = Duration::from_secs(5);

/// What a failure says about trying again. Of several, the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Again {
    /// It would fail alike.
    No,
    /// Others are being served; it will be better.
    Later,
    /// It may be better in a moment.
    Soon,
}

impl Again {
    /// What the HTTP status of an answer says, whoever it is from: 429 (RFC 6585) asks to come back
    /// later; 500, 502, 503 and 504 are a server's own trouble, which passes.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            429 => Self::Later,
            500 | 502 | 503 | 504 => Self::Soon,
            _ => Self::No,
        }
    }
}

/// How many attempts there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit(Option<u32>);

impl Limit {
    /// Reads `AWS_MAX_ATTEMPTS`, the number of attempts in all, at least 1.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let variable = "AWS_MAX_ATTEMPTS";
        let Some(text) = environment.get(variable) else { return Ok(Self(None)) };
        match text.trim().parse() {
            Ok(attempts) if attempts > 0 => Ok(Self(Some(attempts))),
            _ => Err(Error::Environment {
                variable,
                problem: "must be a whole number of at least 1".into(),
                source: None,
            }),
        }
    }

    /// The number of attempts that may fail.
    #[must_use]
    pub fn attempts(self) -> u32 {
        self.0.unwrap_or(ATTEMPTS)
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
    #[must_use]
    pub const fn new(limit: Limit) -> Self {
        Self { limit, made: 0, waits: 0 }
    }

    /// How long to wait now, as [`Attempts::after`] has it; `None` also where the wait would not end
    /// before `deadline`.
    pub fn before(
        &mut self,
        deadline: Deadline,
        again: Again,
        wish: Option<Duration>,
    ) -> Option<Duration> {
        self.after(again, wish, random()).filter(|wait| *wait < deadline.left())
    }

    /// How long to wait before the next attempt, after one that failed so; `None`: there is to be
    /// none. `wish` is the server's own (`x-amz-retry-after`), `random` is from 0 to 1 (full
    /// jitter: many clients that fail at the same moment must not come back at the same moment).
    pub fn after(&mut self, again: Again, wish: Option<Duration>, random: f64) -> Option<Duration> {
        match again {
            Again::No => return None,
            Again::Later if self.limit.0.is_none() => {}
            Again::Soon | Again::Later => {
                self.made += 1;
                if self.made >= self.limit.attempts() {
                    return None;
                }
            }
        }
        let most = SCALE.saturating_mul(1 << self.waits.min(10)).min(LONGEST);
        self.waits += 1;
        let own = most.mul_f64(random.clamp(0.0, 1.0));
        Some(wish.map_or(own, |wish| wish.clamp(own, own + LONGEST_WISH)))
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
    fn waits(limit: Option<u32>, again: Again, random: f64) -> Vec<u128> {
        let mut attempts = Attempts::new(Limit(limit));
        std::iter::from_fn(|| attempts.after(again, None, random))
            .map(|wait| wait.as_millis())
            .take(8)
            .collect()
    }

    #[test]
    fn failures_count_and_waits_double() {
        for (limit, again, random, expected) in [
            (None, Again::No, 1.0, &[][..]),
            (None, Again::Soon, 1.0, &[1000, 2000]),
            (None, Again::Soon, 0.5, &[500, 1000]),
            (None, Again::Soon, 0.0, &[0, 0]),
            (Some(1), Again::Soon, 1.0, &[]),
            (Some(2), Again::Soon, 1.0, &[1000]),
            (Some(1), Again::Later, 1.0, &[]),
            (Some(4), Again::Later, 1.0, &[1000, 2000, 4000]),
            (None, Again::Later, 1.0, &[1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000]),
        ] {
            assert_eq!(waits(limit, again, random), expected, "{limit:?} {again:?} {random}");
        }
    }

    #[test]
    fn what_is_waited_out_leaves_the_attempts_to_failures() {
        let mut attempts = Attempts::new(Limit(None));
        let kinds = [Again::Later, Again::Soon, Again::Later, Again::Soon, Again::Soon];
        let waits = kinds.map(|again| attempts.after(again, None, 1.0).map(|w| w.as_secs()));
        assert_eq!(waits, [Some(1), Some(2), Some(4), Some(8), None]);
    }

    #[test]
    fn a_server_may_ask_for_a_longer_wait_within_bounds() {
        for (wish, expected) in [(0, 500), (500, 500), (1700, 1700), (90_000, 5500)] {
            let mut attempts = Attempts::new(Limit(None));
            let wait = attempts.after(Again::Soon, Some(Duration::from_millis(wish)), 0.5);
            assert_eq!(wait, Some(Duration::from_millis(expected)));
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
