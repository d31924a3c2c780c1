//! Waiting before the next try: longer each time, and never in step with others.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often and how patiently something is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Tries in all, the first included.
    pub tries: u32,
    /// Longest pause before the second try.
    pub first: Duration,
    /// Longest pause ever.
    pub longest: Duration,
}

impl Backoff {
    /// The pause after a number of failed tries: a random part of a bound that doubles ("full jitter"). `None` when all
    /// tries are used up.
    pub fn pause(&self, failed: u32) -> Option<Duration> {
        if failed >= self.tries {
            return None;
        }
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(failed.saturating_sub(1)));
        let bound = doubled.min(self.longest);
        Some(bound.mul_f64(random_part()))
    }
}

/// The time by which work must be done: the end of a Lambda invocation, less what handing back takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(time: Duration) -> Deadline {
        let now = Instant::now();
        // Far enough to mean never, near enough for the clock.
        Deadline(now.checked_add(time).unwrap_or(now + Duration::from_secs(86_400)))
    }

    /// At a time of the wall clock, in milliseconds since the epoch, as Lambda gives it. A time in the past, such as
    /// test runtimes send, has passed.
    pub fn at_epoch_millis(millis: u64) -> Deadline {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Deadline::after(Duration::from_millis(millis).saturating_sub(now))
    }

    /// Earlier by a margin.
    pub fn less(self, margin: Duration) -> Deadline {
        Deadline(self.0.checked_sub(margin).unwrap_or(self.0))
    }

    /// Time that is left, zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        self.remaining().is_zero()
    }
}

/// Between 0 and 1. The seed of a hash map is random enough to keep callers apart.
fn random_part() -> f64 {
    let random = RandomState::new().hash_one(0_u8) >> 32;
    f64::from(u32::try_from(random).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_under_a_bound_that_doubles_up_to_the_longest() {
        let backoff = Backoff { tries: 9, first: Duration::from_millis(100), longest: Duration::from_millis(500) };
        for (failed, bound) in [(1, 100), (2, 200), (3, 400), (4, 500), (8, 500)] {
            for _ in 0..100 {
                assert!(backoff.pause(failed).unwrap() <= Duration::from_millis(bound), "{failed}");
            }
        }
    }

    #[test]
    fn after_the_last_try_there_is_no_pause() {
        let backoff = Backoff { tries: 3, first: Duration::from_millis(1), longest: Duration::from_millis(1) };
        assert!(backoff.pause(2).is_some());
        assert_eq!(backoff.pause(3), None);
    }

    #[test]
    fn pauses_differ() {
        let backoff = Backoff { tries: 2, first: Duration::from_secs(1), longest: Duration::from_secs(1) };
        let first = backoff.pause(1);
        assert!((0..100).any(|_| backoff.pause(1) != first));
    }

    #[test]
    fn a_deadline_in_1970_has_passed_and_one_in_a_million_years_has_not() {
        assert!(Deadline::at_epoch_millis(600_000).has_passed());
        assert!(!Deadline::at_epoch_millis(u64::MAX).has_passed());
        assert!(Deadline::after(Duration::ZERO).less(Duration::from_secs(1)).has_passed());
    }
}
