//! How many devices users have that are not virtual, so that the rest can be root's.

use super::{ANSWER_MAX_AGE, is_young};
use crate::model::{
    facts::{Changes, DeviceKind, UserFacts, UsersReading},
    time::Moment,
};

/// The devices of users that are not virtual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OtherDevices {
    /// How many were seen.
    pub seen: u32,
    /// Whether every user was asked, so that there are no more.
    pub is_all: bool,
}

impl OtherDevices {
    /// What the answers about each user show that are of after the last change. Most
    /// users with a virtual device are not asked.
    pub(super) fn of(reading: &UsersReading, changes: &Changes, now: Moment) -> Self {
        let answer = |user: &UserFacts| {
            let is_good = |at: Moment| is_young(at, ANSWER_MAX_AGE, now) && changes.is_settled(at);
            let known = user.live_devices().filter(|known| is_good(known.as_of))?;
            let kinds = DeviceKind::ALL.into_iter().filter(|kind| *kind != DeviceKind::Virtual);
            Some(kinds.map(|kind| u32::from(known.value.count(kind))).sum::<u32>())
        };
        let answers = || reading.users.iter().map(answer);
        Self { seen: answers().flatten().sum(), is_all: answers().all(|answer| answer.is_some()) }
    }
}
