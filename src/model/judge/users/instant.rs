//! The instant at which something was so of everybody.

use crate::model::{
    facts::Lasting,
    time::{Moment, Uptime},
};

/// A stretch of time in which something was so, both ends included. One that ends
/// before it begins is none: a single answer, of some instant in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) since: Uptime,
    pub(super) until: Moment,
}

impl Interval {
    pub(super) fn of<T>(lasting: &Lasting<T>) -> Self {
        Self { since: lasting.since, until: lasting.as_of }
    }

    pub(super) fn covers(&self, at: Uptime) -> bool {
        self.since <= at && at <= self.until.mono
    }
}

/// The latest instant that lies in an interval of each of `all`, and not before
/// `floor`. With nobody there is none.
pub(super) fn latest(all: impl Iterator<Item = Vec<Interval>>, floor: Option<Uptime>) -> Option<Moment> {
    let mut everybody = 0;
    let mut ends = Vec::new();
    for intervals in all {
        everybody += 1;
        for Interval { since, until } in disjoint(intervals) {
            ends.push((until.mono, 1, Some(until)));
            ends.push((since, 0, None));
        }
    }
    // From the latest end back; where one interval ends as another begins, both hold.
    ends.sort_unstable_by_key(|(at, is_until, _)| std::cmp::Reverse((*at, *is_until)));
    let mut covered = 0;
    for (_, _, until) in ends {
        covered = if until.is_some() { covered + 1 } else { covered - 1 };
        if covered == everybody {
            return until.filter(|at| floor.is_none_or(|floor| at.mono >= floor));
        }
    }
    None
}

/// The same stretches of time, none of which overlaps another.
fn disjoint(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.retain(|interval| interval.since <= interval.until.mono);
    intervals.sort_unstable_by_key(|interval| interval.since);
    let mut merged: Vec<Interval> = Vec::with_capacity(intervals.len());
    for next in intervals {
        match merged.last_mut() {
            Some(last) if next.since <= last.until.mono => last.until = last.until.latest(next.until),
            _ => merged.push(next),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::time::Timestamp;

    fn up(seconds: u64) -> Uptime {
        Uptime::after_start(Duration::from_secs(seconds))
    }

    fn span(since: u64, until: u64) -> Interval {
        let wall = Timestamp::from_millis(i64::try_from(until * 1_000).unwrap());
        Interval { since: up(since), until: Moment { wall, mono: up(until) } }
    }

    fn found(all: &[&[(u64, u64)]], floor: Option<u64>) -> Option<i64> {
        let all = all.iter().map(|of| of.iter().map(|(since, until)| span(*since, *until)).collect());
        latest(all, floor.map(up)).map(|at| at.wall.as_millis() / 1_000)
    }

    #[test]
    fn the_instant_is_the_latest_that_all_share() {
        assert_eq!(found(&[&[(0, 9)], &[(3, 7)]], None), Some(7));
        assert_eq!(found(&[&[(0, 5)], &[(5, 9)]], None), Some(5), "ends are included");
        assert_eq!(found(&[&[(0, 4)], &[(5, 9)]], None), None, "one key of then and another of now");
        assert_eq!(found(&[&[(6, 5)], &[(0, 9)]], None), None, "a single answer covers nothing");
        assert_eq!(found(&[&[(0, 2), (6, 8)], &[(1, 9)], &[(0, 7)]], None), Some(7));
        assert_eq!(found(&[&[(0, 2), (2, 8)], &[(1, 9)]], None), Some(8), "two that touch are one");
        assert_eq!(found(&[&[(0, 9)], &[(3, 7)]], Some(8)), None, "somebody left later");
        assert_eq!(found(&[&[]], None), None);
        assert_eq!(found(&[], None), None);
    }

    proptest! {
        #[test]
        fn it_is_what_looking_at_each_second_finds(
            all in prop::collection::vec(prop::collection::vec((0..12u64, 0..12u64), 0..4), 1..5),
            floor in prop::option::of(0..12u64),
        ) {
            let covers = |of: &[(u64, u64)], at: u64| of.iter().any(|(since, until)| *since <= at && at <= *until);
            let latest = (0..12).rev().find(|at| all.iter().all(|of| covers(of, *at)));
            let wanted = latest.filter(|at| floor.is_none_or(|floor| *at >= floor));
            let all: Vec<&[(u64, u64)]> = all.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(found(&all, floor), wanted.map(|at| i64::try_from(at).unwrap()));
        }
    }
}
