//! Time, as the rest of the program is given it.
//!
//! A wall clock can be stepped, by an operator or by NTP, in either direction;
//! a monotonic clock cannot be shown to anybody. An age that decides whether a
//! verdict may still be called "passed" must survive both, so a [`Moment`]
//! carries a reading of each clock and [`Moment::age`] believes the larger
//! difference. Only the shell reads a clock; the model is handed
//! the moment as an argument.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

/// A point on the wall clock: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Seconds since the Unix epoch, as metrics spell an instant.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "milliseconds stay exact in a double until the year 287396")]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// As RFC 3339 writes it, in UTC, to the millisecond. A time before 1970 is 1970.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        let since_epoch = Duration::from_millis(u64::try_from(self.0).unwrap_or(0));
        humantime::format_rfc3339_millis(UNIX_EPOCH + since_epoch).to_string()
    }

    /// How long after `earlier` this is, or `None` when it is before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        u64::try_from(self.0.checked_sub(earlier.0)?).ok().map(Duration::from_millis)
    }
}

/// Whole seconds since the Unix epoch.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.div_euclid(1000))
    }
}

/// A reading of the monotonic clock, which no step of the wall clock moves: time
/// since the process started, to the microsecond, and negative before that.
///
/// The order of two facts is the order of their readings. What an earlier process
/// knew is placed before the start by its age on the wall clock when it was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uptime(i64);

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What a person, or Prometheus, would call the time.
    pub wall: Timestamp,
    /// The monotonic clock.
    pub mono: Uptime,
}

/// How far into the future evidence may claim to be before the wall clock is
/// taken to have been stepped back under it. NTP slews stay far below this.
pub const STEP_TOLERANCE: Duration = Duration::from_secs(1);

/// How far a clock may be from AWS's own: requests signed by one that is further
/// off are refused (IAM User Guide, "Elements of an AWS API request signature").
pub const MOST_SKEW: Duration = Duration::from_secs(5 * 60);

impl Uptime {
    /// Before everything.
    pub const MIN: Self = Self(i64::MIN);
    /// After everything.
    pub const MAX: Self = Self(i64::MAX);

    /// The reading this long after the start of the process.
    #[must_use]
    pub fn after_start(time: Duration) -> Self {
        Self(micros(time))
    }

    /// The reading this much later.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(micros(time)))
    }

    /// The reading this much earlier.
    #[must_use]
    pub fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(micros(time)))
    }

    /// How long after `earlier` this is; nothing when it is before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl Moment {
    /// The moment of an earlier process at which the wall clock read `wall`, for
    /// somebody who loads it now.
    #[must_use]
    pub fn before_start(wall: Timestamp, now: Self) -> Self {
        let age = now.wall.since(wall).unwrap_or_default();
        Self { wall, mono: now.mono.minus(age).min(Uptime(-1)) }
    }

    /// Whether this is a moment of an earlier process.
    #[must_use]
    pub fn is_before_start(self) -> bool {
        self.mono < Uptime(0)
    }

    /// The moment this much earlier, by both clocks.
    #[must_use]
    pub fn earlier_by(self, time: Duration) -> Self {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self { wall: Timestamp(self.wall.0.saturating_sub(millis)), mono: self.mono.minus(time) }
    }

    /// The moment at which AWS's clock read `wall`, for somebody who is told so
    /// now. A clock here may be [`MOST_SKEW`] behind AWS's, who would refuse
    /// requests signed by one that is further off; so what seems to lie ahead is
    /// taken to be as old as it can be.
    #[must_use]
    pub fn of_aws(self, wall: Timestamp) -> Self {
        self.earlier_by(self.wall.since(wall).unwrap_or(MOST_SKEW))
    }

    /// What the wall clock, going as it goes now, reads at `mono`.
    #[must_use]
    pub fn wall_at(self, mono: Uptime) -> Timestamp {
        Timestamp(self.wall.0.saturating_add(mono.0.saturating_sub(self.mono.0) / 1_000))
    }

    /// The later of two moments, by the clock that is never stepped.
    #[must_use]
    pub fn latest(self, other: Self) -> Self {
        if other.mono > self.mono { other } else { self }
    }

    /// How old something observed at `then` is, by whichever clock makes it
    /// older; `None` when the wall clock now reads earlier than it did then by
    /// more than [`STEP_TOLERANCE`], because its exported time would then lie.
    #[must_use]
    pub fn age(self, then: Self) -> Option<Duration> {
        let mono = self.mono.since(then.mono);
        match self.wall.since(then.wall) {
            Some(wall) => Some(wall.max(mono)),
            None if then.wall.since(self.wall)? <= STEP_TOLERANCE => Some(mono),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall: i64, mono: i64) -> Moment {
        Moment { wall: Timestamp(wall), mono: Uptime(mono * 1_000) }
    }

    #[test]
    fn the_clock_that_says_older_wins() {
        assert_eq!(at(5_000, 1_000).age(at(0, 0)), Some(Duration::from_secs(5)), "stepped forward, or suspended");
        assert_eq!(at(1_000, 9_000).age(at(0, 0)), Some(Duration::from_secs(9)), "wall clock held back");
    }

    #[test]
    fn what_aws_dates_is_never_younger_than_it_can_be() {
        let now = at(1_000_000, 900_000);
        assert_eq!(now.of_aws(Timestamp(400_000)), at(400_000, 300_000));
        assert_eq!(now.of_aws(Timestamp(0)), at(0, -100_000), "made before this process began");
        assert_eq!(now.of_aws(Timestamp(1_002_000)), at(700_000, 600_000), "this clock is behind AWS's");
    }

    #[test]
    fn what_an_earlier_process_knew_keeps_its_order_and_is_before_the_start() {
        let now = at(100_000, 5);
        let [old, older] = [at(90_000, 0), at(80_000, 0)].map(|then| Moment::before_start(then.wall, now));
        assert!(older.mono < old.mono && old.is_before_start());
        assert_eq!(now.age(old), Some(Duration::from_secs(10)));
        let ahead = Moment::before_start(Timestamp(100_500), now);
        assert!(ahead.is_before_start() && ahead.mono > old.mono, "a clock that was set back a little");
    }

    #[test]
    fn a_wall_clock_stepped_back_leaves_no_age() {
        assert_eq!(at(0, 9_000).age(at(5_000, 0)), None);
        assert_eq!(at(0, 9_000).age(at(800, 0)), Some(Duration::from_secs(9)), "within the tolerance");
    }
}
