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

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What a person, or Prometheus, would call the time.
    pub wall: Timestamp,
    /// Time since the process started, which no step of the wall clock moves.
    pub mono: Duration,
}

/// How far into the future evidence may claim to be before the wall clock is
/// taken to have been stepped back under it. NTP slews stay far below this.
pub const STEP_TOLERANCE: Duration = Duration::from_secs(1);

/// How far a clock may be from AWS's own: requests signed by one that is further
/// off are refused (IAM User Guide, "Elements of an AWS API request signature").
pub const MOST_SKEW: Duration = Duration::from_secs(5 * 60);

impl Moment {
    /// A moment before this process began, of which only the wall clock's reading
    /// is known.
    #[must_use]
    pub const fn before_start(wall: Timestamp) -> Self {
        Self { wall, mono: Duration::ZERO }
    }

    /// Whether this is a moment of an earlier process.
    #[must_use]
    pub const fn is_before_start(self) -> bool {
        self.mono.is_zero()
    }

    /// The moment at which AWS's clock read `wall`, for somebody who is told so
    /// now. A clock here may be [`MOST_SKEW`] behind AWS's, who would refuse
    /// requests signed by one that is further off; so what seems to lie ahead is
    /// taken to be as old as it can be.
    #[must_use]
    pub fn of_aws(self, wall: Timestamp) -> Self {
        let age = self.wall.since(wall).unwrap_or(MOST_SKEW);
        let millis = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Self { wall: Timestamp(self.wall.0.saturating_sub(millis)), mono: self.mono.saturating_sub(age) }
    }

    /// How old something observed at `then` is, by whichever clock makes it
    /// older; `None` when the wall clock now reads earlier than it did then by
    /// more than [`STEP_TOLERANCE`], because its exported time would then lie.
    #[must_use]
    pub fn age(self, then: Self) -> Option<Duration> {
        let mono = self.mono.saturating_sub(then.mono);
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

    fn at(wall: i64, mono: u64) -> Moment {
        Moment { wall: Timestamp(wall), mono: Duration::from_millis(mono) }
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
        assert_eq!(now.of_aws(Timestamp(0)), at(0, 0), "made before this process began");
        assert_eq!(now.of_aws(Timestamp(1_002_000)), at(700_000, 600_000), "this clock is behind AWS's");
    }

    #[test]
    fn a_wall_clock_stepped_back_leaves_no_age() {
        assert_eq!(at(0, 9_000).age(at(5_000, 0)), None);
        assert_eq!(at(0, 9_000).age(at(800, 0)), Some(Duration::from_secs(9)), "within the tolerance");
    }
}
