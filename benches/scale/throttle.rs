//! Decides which requests a service lets through, only by the time at which each arrives. Must not
//! know who sends a request or how a client reacts to a refusal.

use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A token bucket that is full at first. Each request takes a token, and is refused if there is
    /// none. Tokens are added evenly. AWS's page "Throttling for Amazon Route 53 API requests"
    /// describes this since July 2026.
    Bucket {
        /// The maximum number of tokens.
        capacity: u32,
        /// Tokens added per second.
        refill: u32,
    },
    /// A maximum number of requests in any second. Until July 2026 the documented limit was "five
    /// requests per second". AWS did not document how a second is measured or whether refused
    /// requests count.
    Second {
        /// The maximum number of requests in a second.
        most: u32,
        /// Whether refused requests count too, so that clients can block each other.
        refused_count: bool,
    },
}

impl Rule {
    /// Route 53's default for the whole account and all API actions together. Each action also has
    /// a separate bucket. For the two actions of autodns it is as large, so it never limits first.
    pub const ROUTE_53: Self = Self::Bucket { capacity: 50, refill: 10 };
    /// Route 53's limit until July 2026, in the favourable reading.
    pub const FIVE: Self = Self::Second { most: 5, refused_count: false };
    /// Route 53's limit until July 2026, in the strictest reading.
    pub const FIVE_STRICT: Self = Self::Second { most: 5, refused_count: true };
}

/// One token, in the unit of `Throttle::tokens`. The refill of a microsecond is a whole number.
const TOKEN: u128 = 1_000_000;

/// A rule, and what it has counted so far.
#[derive(Clone, Debug)]
pub struct Throttle {
    rule: Rule,
    /// The content of the bucket, in units of 1 / `TOKEN`.
    tokens: u128,
    /// When the last request arrived.
    last: Duration,
    /// The arrivals in the last second that count.
    recent: VecDeque<Duration>,
}

impl Throttle {
    pub fn new(rule: Rule) -> Self {
        let tokens = match rule {
            Rule::Bucket { capacity, .. } => u128::from(capacity) * TOKEN,
            Rule::Second { .. } => 0,
        };
        Self { rule, tokens, last: Duration::ZERO, recent: VecDeque::new() }
    }

    /// Whether a request that arrives at `now` is let through. `now` must never decrease.
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

    /// Returns which of the requests at these milliseconds are let through.
    fn good(rule: Rule, arrivals: &[u64]) -> Vec<bool> {
        let mut throttle = Throttle::new(rule);
        arrivals.iter().map(|&at| throttle.lets_through(Duration::from_millis(at))).collect()
    }

    #[test]
    fn bucket_allows_its_content_and_then_its_refill() {
        let rule = Rule::Bucket { capacity: 2, refill: 10 };
        let arrivals = [0, 0, 0, 99, 100, 150, 200, 5000, 5000, 5000];
        let expected = [true, true, false, false, true, false, true, true, true, false];
        assert_eq!(good(rule, &arrivals), expected);
    }

    #[test]
    fn second_is_a_sliding_window() {
        let rule = Rule::Second { most: 2, refused_count: false };
        assert_eq!(
            good(rule, &[0, 600, 900, 999, 1000, 1100, 1600]),
            [true, true, false, false, true, false, true]
        );
    }

    #[test]
    fn counted_refusals_block_later_requests() {
        let rule = Rule::Second { most: 2, refused_count: true };
        assert_eq!(
            good(rule, &[0, 0, 500, 1000, 1400, 1900, 3000]),
            [true, true, false, true, false, false, true]
        );
    }
}
