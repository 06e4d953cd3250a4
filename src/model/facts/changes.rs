//! When an account was last seen to have changed.
//!
//! No single call reads an account whole. Users are asked one by one, and answers
//! are kept for hours. So what was learnt before a change must not be put together
//! with what was learnt after it: one user's key of yesterday and another user's
//! key of today do not make an account in which both have one. Equal counters do
//! not prove that nothing has changed, because two changes can undo each other.
//! Different ones prove that something did, and are remembered here, also when
//! the run that they woke has failed, and over a restart.

use std::time::Duration;

use super::{SealKey, Summary, VirtualDevices};
use crate::model::time::Moment;

/// How long after a change was seen an answer may still be of before it. IAM is
/// eventually consistent and AWS states no bound. Lists were seen to follow in the
/// next call, STS within 14 seconds; a minute is well above both.
pub const SETTLE: Duration = Duration::from_secs(60);

/// What is known of an account's changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The last value of each counter and flag that a summary has shown.
    pub shown: Summary,
    /// The last list of virtual devices, as far as it is about root.
    pub listed: Option<VirtualDevices>,
    /// What root's devices are hashed with.
    pub key: Option<SealKey>,
    /// When the account was first looked at.
    pub began: Option<Moment>,
    /// When it was last seen that devices or users are not what they were.
    pub last: Option<Moment>,
    /// When it was last seen that a user had left.
    pub departure: Option<Moment>,
}

impl Changes {
    /// Takes a summary in that arrived at `received`, and tells whether a counter or
    /// a flag of it has moved. A value that is missing is compared when it is back.
    pub fn summary(&mut self, summary: &Summary, received: Moment) -> bool {
        self.began.get_or_insert(received);
        let before = self.shown;
        self.shown = summary.or(&before);
        let has_moved = self.shown != before.or(summary);
        if has_moved {
            self.changed(received);
        }
        if before.users.zip(summary.users).is_some_and(|(before, users)| users < before) {
            self.departed(received);
        }
        has_moved
    }

    /// Takes a list in that was asked for at `asked`. One that differs from the last at
    /// the very counters of the last shows a change that the counters do not: a summary
    /// that lags, or two changes that undo each other.
    pub fn list(&mut self, devices: VirtualDevices, asked: Moment) {
        let before = self.listed.replace(devices);
        if before.is_some_and(|before| before.fingerprint == devices.fingerprint && before.differs(&devices)) {
            self.changed(asked);
        }
    }

    /// Notes that something was seen at `at` that is not what it was.
    pub fn changed(&mut self, at: Moment) {
        self.last = Some(self.last.map_or(at, |last| last.latest(at)));
    }

    /// Notes that at `at` a user was seen to have left.
    pub fn departed(&mut self, at: Moment) {
        self.departure = Some(self.departure.map_or(at, |last| last.latest(at)));
    }

    /// Whether what was learnt at `at` was learnt after the last change.
    #[must_use]
    pub fn is_current(&self, at: Moment) -> bool {
        self.last.is_none_or(|last| at.mono >= last.mono)
    }

    /// Whether no replica that lags could have answered at `at` of before the last
    /// change.
    #[must_use]
    pub fn is_settled(&self, at: Moment) -> bool {
        self.last.is_none_or(|last| at.mono >= last.mono.plus(SETTLE))
    }

    /// When what was learnt right after the last change, or after the first look,
    /// is due for a second one.
    #[must_use]
    pub fn second_look(&self) -> Option<Moment> {
        let since = self.last.or(self.began)?;
        Some(Moment { mono: since.mono.plus(SETTLE), ..since })
    }

    /// What both know.
    #[must_use]
    pub fn merged(&self, newer: &Self) -> Self {
        let latest = |one: Option<Moment>, other: Option<Moment>| match (one, other) {
            (Some(one), Some(other)) => Some(one.latest(other)),
            (one, other) => one.or(other),
        };
        Self {
            shown: newer.shown.or(&self.shown),
            listed: newer.listed.or(self.listed),
            key: newer.key.or(self.key),
            began: self.began.or(newer.began),
            last: latest(self.last, newer.last),
            departure: latest(self.departure, newer.departure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{Timestamp, Uptime};

    fn at(seconds: u64) -> Moment {
        let wall = Timestamp::from_millis(i64::try_from(seconds * 1_000).unwrap());
        Moment { wall, mono: Uptime::after_start(Duration::from_secs(seconds)) }
    }

    fn summary(users: u32, in_use: u32) -> Summary {
        Summary { users: Some(users), mfa_devices_in_use: Some(in_use), ..Summary::default() }
    }

    #[test]
    fn two_changes_that_undo_each_other_are_two_changes() {
        let mut changes = Changes::default();
        assert!(!changes.summary(&summary(3, 4), at(0)), "the first shows no change");
        assert!(changes.summary(&summary(3, 3), at(60)) && changes.summary(&summary(3, 4), at(120)));
        assert_eq!(changes.last, Some(at(120)));
        assert!(!changes.is_current(at(119)) && changes.is_current(at(120)));
        assert!(!changes.is_settled(at(179)) && changes.is_settled(at(180)));
        assert_eq!(changes.departure, None);
    }

    #[test]
    fn a_value_that_was_missing_is_compared_with_the_last_one_there_was() {
        let mut changes = Changes::default();
        changes.summary(&summary(3, 4), at(0));
        assert!(!changes.summary(&Summary { mfa_devices_in_use: None, ..summary(3, 4) }, at(60)));
        assert!(changes.summary(&summary(2, 5), at(120)));
        assert_eq!((changes.last, changes.departure), (Some(at(120)), Some(at(120))));
    }

    #[test]
    fn a_list_that_differs_at_the_same_counters_is_a_change() {
        let known = Summary {
            mfa_enabled: Some(true),
            password: Some(true),
            access_keys: Some(false),
            signing_certificates: Some(false),
            mfa_devices: Some(1),
            ..summary(3, 1)
        };
        let list = |root_owned, users| {
            let fingerprint = Summary { users: Some(users), ..known }.fingerprint();
            VirtualDevices { root_owned, unowned: 0, others: None, roots: None, fingerprint }
        };
        let mut changes = Changes::default();
        [(1, 3), (1, 3), (0, 4)]
            .into_iter()
            .zip(0..)
            .for_each(|((root, users), n)| changes.list(list(root, users), at(n)));
        assert_eq!(changes.last, None, "of other counters the summary has told");
        changes.list(list(1, 4), at(9));
        assert_eq!(changes.last, Some(at(9)));
    }

    #[test]
    fn the_later_of_two_memories_wins_whichever_comes_first() {
        let (mut one, mut other) = (Changes::default(), Changes::default());
        one.changed(at(5));
        other.changed(at(9));
        other.departed(at(3));
        for merged in [one.merged(&other), other.merged(&one)] {
            assert_eq!((merged.last, merged.departure), (Some(at(9)), Some(at(3))));
        }
    }
}
