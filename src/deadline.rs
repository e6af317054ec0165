//! Deadlines and shares of the time until then. Uses the monotonic clock, which does not change
//! when the system's clock is set.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline `length` from now.
    pub fn after(length: Duration) -> Self {
        let now = Instant::now();
        // The sum overflows only for a length that the clock cannot represent.
        Self(now.checked_add(length).unwrap_or(now))
    }

    /// The time until the deadline; zero after it.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    pub fn earlier(self, length: Duration) -> Self {
        Self(self.0.checked_sub(length).unwrap_or(self.0))
    }

    pub fn later(self, length: Duration) -> Self {
        Self(self.0.checked_add(length).unwrap_or(self.0))
    }

    /// The moment at which 1/`parts` of the time left will have passed.
    pub fn share(self, parts: usize) -> Self {
        let parts = u32::try_from(parts.max(1)).unwrap_or(u32::MAX);
        let left = self.left();
        self.earlier(left.saturating_sub(left / parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_end_before_the_deadline() {
        let end = Deadline::after(Duration::from_mins(1));
        assert!(end.left() <= Duration::from_mins(1));
        assert_eq!(end.share(0), end);
        assert_eq!(end.share(1), end);
        assert!(end.share(2) < end);
        assert!(end.share(3).left() <= Duration::from_secs(20));
        assert!(end.earlier(Duration::from_mins(2)).left().is_zero());
        assert!(end.later(Duration::from_mins(1)).left() > Duration::from_mins(1));
        assert_eq!(end.later(Duration::MAX), end);
        assert!(Deadline::after(Duration::MAX).left().is_zero());
    }
}
