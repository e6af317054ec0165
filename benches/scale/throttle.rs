//! What a service lets through, as a function of the time at which each request arrives. Knows
//! neither who asks nor what is done about a refusal.

use std::collections::VecDeque;
use std::time::Duration;

/// A rule by which requests are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A token bucket, full at first: each request takes a token, and one that finds none is
    /// refused. Tokens come evenly. So AWS's page "Throttling for Amazon Route 53 API requests"
    /// describes it since July 2026.
    Bucket {
        /// The most tokens that it holds.
        capacity: u32,
        /// The tokens that come in a second.
        refill: u32,
    },
    /// No more than so many in any second. So the limit was put before ("five requests per
    /// second"); how a second was told, and whether refused requests counted, was never said.
    Second {
        /// The most requests in a second.
        most: u32,
        /// Whether a refused request counts as well, so that clients can block one another.
        refused_count: bool,
    },
}

impl Rule {
    /// Route 53's default for the whole account, all API actions together. Each action has a bucket
    /// of its own too; those of the two that autodns calls are as large, so they never decide.
    pub const ROUTE_53: Self = Self::Bucket { capacity: 50, refill: 10 };
    /// What Route 53 let through until July 2026, read kindly.
    pub const FIVE: Self = Self::Second { most: 5, refused_count: false };
    /// The same, read at its worst.
    pub const FIVE_STRICT: Self = Self::Second { most: 5, refused_count: true };
}

/// A token, in the unit that tokens are counted in: what comes in a microsecond is whole, too.
const TOKEN: u128 = 1_000_000;

/// A rule being applied.
#[derive(Clone, Debug)]
pub struct Throttle {
    rule: Rule,
    /// What the bucket holds.
    tokens: u128,
    /// When a request came last.
    last: Duration,
    /// The requests of the last second that count.
    recent: VecDeque<Duration>,
}

impl Throttle {
    /// A throttle that nothing has come to yet.
    pub fn new(rule: Rule) -> Self {
        let tokens = match rule {
            Rule::Bucket { capacity, .. } => u128::from(capacity) * TOKEN,
            Rule::Second { .. } => 0,
        };
        Self { rule, tokens, last: Duration::ZERO, recent: VecDeque::new() }
    }

    /// Whether a request that arrives at `now` is let through. Time does not run backwards.
    pub fn lets_through(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.last).as_micros();
        self.last = now;
        match self.rule {
            Rule::Bucket { capacity, refill } => {
                let full = u128::from(capacity) * TOKEN;
                self.tokens = full.min(self.tokens + passed * u128::from(refill));
                let good = self.tokens >= TOKEN;
                if good {
                    self.tokens -= TOKEN;
                }
                good
            }
            Rule::Second { most, refused_count } => {
                let second = Duration::from_secs(1);
                while self.recent.front().is_some_and(|&then| now.saturating_sub(then) >= second) {
                    self.recent.pop_front();
                }
                let good = self.recent.len() < most as usize;
                if good || refused_count {
                    self.recent.push_back(now);
                }
                good
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of requests at these milliseconds are let through.
    fn good(rule: Rule, arrivals: &[u64]) -> Vec<bool> {
        let mut throttle = Throttle::new(rule);
        arrivals.iter().map(|&at| throttle.lets_through(Duration::from_millis(at))).collect()
    }

    #[test]
    fn a_bucket_lets_through_what_it_holds_and_then_what_comes() {
        let rule = Rule::Bucket { capacity: 2, refill: 10 };
        let arrivals = [0, 0, 0, 99, 100, 150, 200, 5000, 5000, 5000];
        let expected = [true, true, false, false, true, false, true, true, true, false];
        assert_eq!(good(rule, &arrivals), expected);
    }

    #[test]
    fn a_second_slides() {
        let rule = Rule::Second { most: 2, refused_count: false };
        assert_eq!(
            good(rule, &[0, 600, 900, 999, 1000, 1100, 1600]),
            [true, true, false, false, true, false, true]
        );
    }

    #[test]
    fn refused_requests_that_count_keep_the_door_shut() {
        let rule = Rule::Second { most: 2, refused_count: true };
        assert_eq!(
            good(rule, &[0, 0, 500, 1000, 1400, 1900, 3000]),
            [true, true, false, true, false, false, true]
        );
    }
}
