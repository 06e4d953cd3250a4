//! Whom a run asks for a password, and what an answer changes.

use super::{CONFIRM_ABSENCE, Run, SETTLED, UsersIam, questions::FAILING_AGAIN};
use crate::{
    collect::iam::Password,
    model::{
        facts::{Lasting, user::Live},
        judge::users::{Ask, Gap},
        time::{Moment, Timestamp, Uptime},
    },
};

impl<I: UsersIam> Run<'_, I> {
    pub(super) async fn ask_for_passwords(&mut self) {
        let (mut open, mut settled) = (Vec::new(), Vec::new());
        for n in (0..self.reading.users.len()).filter(|n| self.is_without_device(*n)) {
            match self.known_password(n) {
                Some(known) if !self.is_password_wanted(n, &known) => settled.push((known.as_of.wall, n)),
                Some(known) => open.push((1, known.as_of.wall, n)),
                None => open.push((0, Timestamp::default(), n)),
            }
        }
        open.sort_unstable();
        settled.sort_unstable();
        // A password moves no counter, so the oldest answers are asked again, few a run.
        let again = settled.into_iter().filter(|(at, n)| !self.is_only() && self.is_worth_asking(*n, *at));
        let budget = if self.is_only() { usize::MAX } else { self.order.plan.live_budget.try_into().unwrap_or(0) };
        let again: Vec<_> = self.left_out().chain(again.map(|(_, n)| n)).take(budget).collect();
        let all = open.into_iter().map(|(_, _, n)| n).chain(again);
        self.ask_all(all.map(|user| Gap { user, ask: Ask::Password }).collect()).await;
    }

    /// Who has a device, and of whom the report does not say whether there is a
    /// password: no verdict needs it, and the counts do.
    fn left_out(&self) -> impl Iterator<Item = usize> {
        let users = 0..self.reading.users.len();
        let users = users.filter(|_| self.reading.report.is_some()).filter(|n| !self.is_without_device(*n));
        users.filter(|n| self.known_password(*n).is_none())
    }

    pub(super) fn is_without_device(&self, n: usize) -> bool {
        let user = &self.reading.users[n];
        user.virtual_devices.count == 0 && user.live_devices().is_some_and(|known| known.value.is_empty())
    }

    /// The newest that is known of a user's password, if it will do until the next run.
    fn known_password(&self, n: usize) -> Option<Lasting<bool>> {
        let known = self.reading.users[n].password(self.reading.report)?;
        (self.age(known.as_of) + self.next_run() <= self.order.plan.password_max_age).then_some(known)
    }

    /// Whether what is known has to be asked again: a failure is, every hour and when
    /// something has changed, and a report's word for one is none.
    fn is_password_wanted(&self, n: usize, known: &Lasting<bool>) -> bool {
        let user = &self.reading.users[n];
        let is_live = user.live_password().is_some_and(|live| live.as_of == known.as_of);
        let is_outdated = !self.order.changes.get().is_current(known.as_of) || self.age(known.as_of) >= FAILING_AGAIN;
        user.is_password_doubted() || known.value && (!is_live || is_outdated)
    }

    fn is_worth_asking(&self, n: usize, at: Timestamp) -> bool {
        let is_old = self.began.wall.since(at).is_some_and(|age| age >= self.order.plan.interval / 2);
        is_old && self.known_password(n).is_some_and(|known| !known.value)
    }

    /// Takes in what came at `arrived` of a question that was asked at `asked`.
    pub(super) fn take_password(&mut self, n: usize, answer: Password, asked: Moment, arrived: Uptime) {
        match answer {
            Password::Since(since) => {
                let live = self.live(n);
                (live.password, live.doubted) = (Some(Lasting::new(true, asked, since)), None);
            }
            Password::None => self.take_no_password(n, asked, arrived),
            // Deleted or renamed since the list was made: nothing is known of whoever has
            // the name now.
            Password::NoUser => *self.live(n) = Live::default(),
        }
    }

    /// A replica may lag: that a password is gone is believed the second time.
    fn take_no_password(&mut self, n: usize, asked: Moment, arrived: Uptime) {
        let said = self.reading.users[n].password(self.reading.report);
        let created = self.people[&self.reading.users[n].id].created;
        // AWS says the same where nobody has this name: a user who was renamed. Who has
        // no device was asked for devices just now.
        let is_new = asked.wall.since(created).is_none_or(|age| age < SETTLED);
        let is_doubtful = is_new || !self.is_without_device(n);
        let was_there = said.as_ref().is_some_and(|known| known.value);
        let live = self.live(n);
        if was_there || said.is_none() && is_doubtful || live.doubted.is_some() {
            let since = *live.doubted.get_or_insert(asked);
            let is_confirmed = asked.mono.since(since.mono) >= CONFIRM_ABSENCE;
            live.password = is_confirmed.then(|| Lasting::new(false, asked, arrived));
            live.doubted = live.doubted.filter(|_| !is_confirmed);
            // Neither the one answer nor the other is good enough.
            self.reading.users[n].reported.password = None;
            return;
        }
        let none = said.filter(|known| !known.value && known.as_of.mono <= asked.mono);
        live.password = Some(Lasting::new(false, asked, none.map_or(arrived, |known| known.since.min(arrived))));
    }
}
