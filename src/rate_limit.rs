//! How fast AWS may be asked: a rate an account, that learns.
//!
//! IAM's limits are per account and shared with whatever else the customer runs
//! there, and nobody publishes them; a Terraform run that is throttled because
//! of its monitoring is a bug of the monitoring. Retries pay like first tries.

mod learner;

pub use learner::{Learner, Leave};

use std::time::Duration;

/// A token bucket: `rate` calls a second on average, `burst` at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Duration,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub const fn new(rate: f64, burst: f64) -> Self {
        Self { rate, burst, tokens: burst, filled: Duration::ZERO }
    }

    /// Takes a token at monotonic time `now`, and tells how long to wait before
    /// using it. A debt is served in the order in which it was made.
    #[must_use = "the wait is the limit"]
    pub fn take(&mut self, now: Duration) -> Duration {
        self.fill(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.tokens / self.rate) }
    }

    /// How long after `now` there is a token that nobody has taken yet.
    #[must_use]
    pub fn wait(&mut self, now: Duration) -> Duration {
        self.fill(now);
        if self.tokens >= 1.0 { Duration::ZERO } else { Duration::from_secs_f64((1.0 - self.tokens) / self.rate) }
    }

    /// From `now` on fills at another rate, up to another burst. A debt lasts as long
    /// as it would have, or who comes next would overtake who waits.
    fn adjust(&mut self, rate: f64, burst: f64, now: Duration) {
        self.fill(now);
        let tokens = if self.tokens < 0.0 { self.tokens * rate / self.rate } else { self.tokens.min(burst) };
        (self.rate, self.burst, self.tokens) = (rate, burst, tokens);
    }

    /// Forgets what is left to be used at once, and all debts.
    fn empty(&mut self) {
        self.tokens = 0.0;
    }

    fn fill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + elapsed * self.rate).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_calls_are_spaced() {
        let mut bucket = Bucket::new(5.0, 2.0);
        let waits: Vec<_> = (0..4).map(|_| bucket.take(Duration::from_secs(1)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 200, 400]);
        assert_eq!(bucket.take(Duration::from_secs(60)), Duration::ZERO, "it fills up again");
    }

    #[test]
    fn it_never_holds_more_than_its_burst() {
        let mut bucket = Bucket::new(5.0, 2.0);
        let hour = Duration::from_secs(3_600);
        assert_eq!([0; 3].map(|_| bucket.take(hour).as_millis()), [0, 0, 200]);
    }
}
