//! Whom a run asks for devices, and what an answer changes.

use std::time::Duration;

use super::{Run, UsersIam};
use crate::{
    collect::iam::UserDevices,
    model::{
        facts::{Changes, Devices, Lasting, user::Live},
        judge::users::{ANSWER_MAX_AGE, Ask, Gap},
        time::{Moment, Timestamp},
    },
};

/// A user without a device is asked again after this.
pub(super) const FAILING_AGAIN: Duration = Duration::from_secs(3_600);

/// An answer that shows a change starts the round of questions anew, so often at most.
const ROUNDS: usize = 3;

impl<I: UsersIam> Run<'_, I> {
    /// Asks whoever has to be asked; from the beginning, where an answer has shown
    /// that the account is not what it was.
    pub(super) async fn ask_for_devices(&mut self) {
        for _ in 0..ROUNDS {
            let changes = self.order.changes.get();
            let users = 0..self.reading.users.len();
            let mut open: Vec<_> = users.filter_map(|n| Some((self.devices_wanted(n, &changes)?, n))).collect();
            if open.is_empty() || !self.may_ask() || self.is_cut_short {
                return;
            }
            open.sort_unstable();
            self.ask_all(open.into_iter().map(|(_, user)| Gap { user, ask: Ask::Devices }).collect()).await;
        }
    }

    /// How urgent it is to ask for a user's devices, the most urgent being 0; `None`
    /// where there is no need.
    fn devices_wanted(&self, n: usize, changes: &Changes) -> Option<(u8, Timestamp)> {
        let user = &self.reading.users[n];
        if user.virtual_devices.count > 0 {
            return None;
        }
        let Some(known) = user.live_devices() else { return Some((0, Timestamp::default())) };
        let age = self.age(known.as_of);
        let is_old = match known.value.is_empty() {
            true => age >= FAILING_AGAIN || self.contradicts_password(n),
            false => age + self.next_run() >= ANSWER_MAX_AGE,
        };
        let is_wanted = is_old || !changes.is_current(known.as_of) || self.needs_second_look(known.as_of, changes);
        is_wanted.then_some((1, known.as_of.wall))
    }

    /// Whether an answer came so soon after a change, or after the first look at all,
    /// that a replica may have given it which had not heard; and whether one that is
    /// asked now would not.
    fn needs_second_look(&self, at: Moment, changes: &Changes) -> bool {
        let due = changes.second_look();
        due.is_some_and(|due| at.mono < due.mono && self.began.mono >= due.mono)
    }

    /// Whether a password is known, and not that it was there when there was no device.
    fn contradicts_password(&self, n: usize) -> bool {
        let user = &self.reading.users[n];
        let (Some(devices), Some(password)) = (user.live_devices(), user.live_password()) else { return false };
        let at = devices.as_of.mono.min(password.as_of.mono);
        password.value && !(password.covers(at) && (devices.as_of.mono == at || devices.covers(at)))
    }

    /// Takes in what came at `arrived` of a question that was asked at `asked`.
    pub(super) fn take_devices(&mut self, n: usize, answer: Option<&UserDevices>, asked: Moment, arrived: Moment) {
        let changes = self.order.changes.clone();
        let live = self.live(n);
        let Some(answer) = answer else {
            // Deleted since the list was made: nothing is known of whoever has the name now.
            *live = Live::default();
            return;
        };
        let new = Lasting::new(answer.devices, asked, answer.since);
        let old = live.devices.take();
        if let Some(old) = old.as_ref().filter(|old| changes.get().is_current(old.as_of))
            && has_changed(old, &new)
        {
            // Other questions may have been answered meanwhile, of before the change.
            changes.changed(arrived);
        }
        // That there is none has no date: it was so since it was first said.
        let is_still_none = |old: &Lasting<_>| new.value.is_empty() && old.value == new.value;
        let since = old.filter(is_still_none).map_or(new.since, |old| old.since);
        live.devices = Some(Lasting { since, ..new });
        self.has_news |= self.was_nobody_failing && !self.is_only() && answer.devices.is_empty();
    }

    /// Asks those again whose facts do not reach the instant at which all the others
    /// are covered.
    pub(super) async fn close_gaps(&mut self) {
        for _ in 0..ROUNDS {
            let gaps: Vec<_> = self.gaps().into_iter().filter(|gap| gap.ask != Ask::List).collect();
            if gaps.is_empty() || !self.may_ask() {
                return;
            }
            self.ask_all(gaps).await;
        }
    }
}

/// Whether an answer shows that the user's devices are not what they were: others by
/// kind, or the oldest enabled since they were last seen.
fn has_changed(old: &Lasting<Devices>, new: &Lasting<Devices>) -> bool {
    old.value != new.value || !new.value.is_empty() && new.since > old.as_of.mono
}
