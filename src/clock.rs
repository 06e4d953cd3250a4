//! The program's clock, which only the shell reads. What is done with the time is
//! in [`crate::model::time`].

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::time::{Moment, Timestamp, Uptime};

/// The program's two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the monotonic clock.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "starting a clock is an act, not a default")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// How long the process has been up.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    /// Reads both clocks. A wall clock set before 1970 reads as 1970.
    #[must_use]
    pub fn now(&self) -> Moment {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment {
            wall: Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)),
            mono: Uptime::after_start(self.start.elapsed()),
        }
    }
}
