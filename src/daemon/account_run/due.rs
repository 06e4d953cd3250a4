//! When something is due that may wait longer while events of the account arrive.

use std::{ops::Add, time::Duration};

/// When something is due, by some clock: at the usual interval, and at the longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<T> {
    usual: T,
    stretched: T,
}

impl<T: Copy + Ord + Add<Duration, Output = T>> Due<T> {
    /// So long after `from`; with no `stretched`, it never waits longer.
    pub fn after(from: T, usual: Duration, stretched: Option<Duration>) -> Self {
        let usual = from + usual;
        Self { usual, stretched: stretched.map_or(usual, |time| usual.max(from + time)) }
    }

    /// Whether it may wait longer than usual.
    pub fn may_wait(self) -> bool {
        self.usual < self.stretched
    }

    /// The same, and at `time` at the latest.
    #[must_use]
    pub fn by(self, time: T) -> Self {
        self.or(Self { usual: time, stretched: time })
    }

    /// The same, and at `time` at the soonest.
    #[must_use]
    pub fn no_sooner_than(self, time: T) -> Self {
        Self { usual: self.usual.max(time), stretched: self.stretched.max(time) }
    }

    /// This or the other, whichever is sooner.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { usual: self.usual.min(other.usual), stretched: self.stretched.min(other.stretched) }
    }

    /// The same, and it waits no longer than the other, unless it would anyway.
    #[must_use]
    pub fn waiting_for(self, other: Option<Self>) -> Self {
        let longest = other.map_or(self.stretched, |other| self.usual.max(other.stretched));
        Self { stretched: self.stretched.min(longest), ..self }
    }

    /// When it is due where an echo shows until `echo_end` that events arrive: at the longer
    /// interval, or when the echo ends, but not before the usual time.
    pub fn at(self, echo_end: Option<T>) -> T {
        echo_end.map_or(self.usual, |end| self.stretched.min(self.usual.max(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn waits(due: Due<Duration>, echo_end: [Option<u64>; 5]) -> [u64; 5] {
        echo_end.map(|echo_end| (due.at(echo_end.map(seconds)) - seconds(1_000)).as_secs())
    }

    #[test]
    fn it_waits_as_long_as_events_are_proved_to_arrive() {
        let echo_end = [None, Some(900), Some(1_060), Some(1_200), Some(2_000)];
        let due = Due::after(seconds(1_000), seconds(60), Some(seconds(300)));
        assert_eq!(waits(due, echo_end), [60, 60, 60, 200, 300]);
        assert_eq!(waits(due.by(seconds(1_100)), echo_end), [60, 60, 60, 100, 100]);
        let fixed = Due::after(seconds(1_000), seconds(60), None);
        assert_eq!(waits(fixed, echo_end), [60; 5]);
        assert_eq!([due.may_wait(), fixed.may_wait()], [true, false]);
        assert_eq!(waits(due.or(fixed), echo_end), [60; 5]);
        let sooner = Due::after(seconds(1_000), seconds(50), Some(seconds(100)));
        assert_eq!(waits(due.waiting_for(Some(sooner)), echo_end), [60, 60, 60, 100, 100]);
        assert_eq!(due.waiting_for(None), due);
    }
}
