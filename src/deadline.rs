//! How much time is left: a moment by which something has to be done, and parts of the time until
//! then. Reads the monotonic clock, which no setting of the system's clock moves.

use std::time::{Duration, Instant};

/// A moment by which something has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The moment that is `length` from now.
    pub fn after(length: Duration) -> Self {
        let now = Instant::now();
        // Only a length beyond what the clock can count has no such moment.
        Self(now.checked_add(length).unwrap_or(now))
    }

    /// The time until then; zero when it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The moment that is `length` before this one.
    pub fn earlier(self, length: Duration) -> Self {
        Self(self.0.checked_sub(length).unwrap_or(self.0))
    }

    /// The moment that is `length` after this one.
    pub fn later(self, length: Duration) -> Self {
        Self(self.0.checked_add(length).unwrap_or(self.0))
    }

    /// The end of one of `parts` equal parts of the time that is left, so that what comes first
    /// leaves as much to the rest.
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
    fn parts_of_the_time_come_before_its_end() {
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
