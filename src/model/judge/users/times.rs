//! The times of the facts behind a census, as far as their ages matter.

use std::time::Duration;

use super::{ANSWER_MAX_AGE, REPORT_MAX_AGE, Terms};
use crate::model::{
    facts::Lasting,
    judge::is_young,
    time::{Moment, STEP_TOLERANCE, Timestamp},
};

/// The times of facts of one kind: the oldest by either clock, and the newest by the
/// one that can be set back under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range(Option<(Moment, Timestamp)>);

/// When the facts behind a census were learnt, by kind, and when it was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    taken: Option<Moment>,
    pub(super) list: Range,
    pub(super) devices: Range,
    pub(super) answers: Range,
    pub(super) passwords: Range,
    pub(super) reports: Range,
}

impl Range {
    pub(super) fn add(&mut self, at: Moment) {
        let (oldest, newest) = self.0.unwrap_or((at, at.wall));
        let oldest = Moment { wall: oldest.wall.min(at.wall), mono: oldest.mono.min(at.mono) };
        self.0 = Some((oldest, newest.max(at.wall)));
    }

    /// Whether each fact of this kind is young enough at `now`.
    fn is_young(&self, max_age: Duration, now: Moment) -> bool {
        let Some((oldest, newest)) = self.0 else { return true };
        is_young(oldest, max_age, now) && now.age(Moment { wall: newest, ..oldest }).is_some()
    }
}

impl Times {
    pub(super) fn at(now: Moment) -> Self {
        Self { taken: Some(now), ..Self::default() }
    }

    pub(super) fn passwords_of(&mut self, known: Option<&Lasting<bool>>) {
        known.into_iter().for_each(|known| self.passwords.add(known.as_of));
    }

    /// Whether every fact that was young enough when the census was taken still is
    /// at `now`, and none that was not has become so by a step of the clock.
    pub(super) fn hold(&self, terms: &Terms, now: Moment) -> bool {
        let Some(taken) = self.taken else { return true };
        has_flowed(taken, now)
            && self.list.is_young(terms.list, now)
            && self.devices.is_young(terms.devices, now)
            && self.answers.is_young(ANSWER_MAX_AGE, now)
            && self.passwords.is_young(terms.password, now)
            && self.reports.is_young(REPORT_MAX_AGE, now)
    }
}

/// Whether both clocks have gone on alike from `then` to `now`.
fn has_flowed(then: Moment, now: Moment) -> bool {
    let (mono, wall) = (now.mono.since(then.mono), now.wall.since(then.wall));
    now.mono >= then.mono && wall.is_some_and(|wall| wall.abs_diff(mono) <= STEP_TOLERANCE)
}
