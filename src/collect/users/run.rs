//! One run of collector `users`: what is kept of the runs before, what has to be
//! asked, and in which order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{CONFIRM_ABSENCE, ListedUser, Order, UsersIam, list};
use crate::{
    collect::{
        Finding,
        report::{self, REPORT_LASTS},
    },
    model::{
        facts::{
            Devices, Fault, FaultClass, Known, UserFacts, UserId, UsersReading,
            report::Report,
            user::{Live, ReportUse, Reported},
        },
        judge::users::ANSWER_MAX_AGE,
        snapshot::News,
        time::{Moment, Timestamp},
    },
};

/// A user without a device is asked again after this.
const FAILING_AGAIN: Duration = Duration::from_secs(3_600);

/// A report's row is a user's if the user was there this long before it: lists
/// and reports are not made from the same replica.
const SETTLED: Duration = Duration::from_secs(15 * 60);

/// A run asks no further questions after this.
const ASKING: Duration = Duration::from_secs(60);

/// After so many faults in a row no further questions are asked in this run.
const STRIKES: u32 = 3;

/// A run under way.
pub(super) struct Run<'a, I> {
    iam: &'a I,
    order: Order,
    began: Moment,
    reading: UsersReading,
    /// The users by id, as they were listed.
    people: BTreeMap<UserId, ListedUser>,
    /// Those of whom AWS said, when asked by name, that something is not there: the
    /// user, or the password. It would say the same had the name been taken away.
    absent: BTreeSet<UserId>,
    fault: Option<Fault>,
    strikes: u32,
    is_out_of_time: bool,
    is_report_under_way: bool,
}

impl<'a, I: UsersIam> Run<'a, I> {
    /// Lists the users, and takes over what may be kept of the runs before.
    pub(super) async fn begin(iam: &'a I, order: Order) -> Result<Self, Fault> {
        let began = iam.now();
        let people = list(iam).await?;
        let counters = order.listed.counters;
        let is_whole = counters.is_some_and(|counters| usize::try_from(counters.users) == Ok(people.len()));
        let report = order.before.as_ref().and_then(|before| before.report);
        let devices_listed = Some(order.listed.at);
        let reading = UsersReading { counters, is_whole, devices_listed, report, ..UsersReading::default() };
        let absent = BTreeSet::new();
        let (is_out_of_time, is_report_under_way) = (false, false);
        let mut run = Self {
            iam,
            order,
            began,
            reading,
            people,
            absent,
            fault: None,
            strikes: 0,
            is_out_of_time,
            is_report_under_way,
        };
        run.reading.users = run.people.values().map(|user| run.carry(user)).collect();
        if counters.is_some() && !is_whole {
            let detail = "ListUsers: the account changed while its users were listed";
            run.fault = Some(Fault::new(FaultClass::Changed, detail));
        }
        Ok(run)
    }

    /// What may be kept of a user. An answer that shows a device may not where
    /// something has changed, or where what it shows is what the list would show.
    fn carry(&self, user: &ListedUser) -> UserFacts {
        let mut facts = UserFacts::new(user.id.clone(), &user.name);
        facts.virtual_devices = self.order.listed.owners.get(&user.id).copied().unwrap_or(0);
        let Some(before) = &self.order.before else { return facts };
        let Some(old) = before.user(&user.id) else { return facts };
        let is_still_so = !self.order.is_woken && before.counters.is_some() && before.counters == self.reading.counters;
        let keeps =
            |known: &Known<Devices>| known.value.is_empty() || is_still_so && known.value.has_other_than_virtual();
        let mut live = old.live.clone().unwrap_or_default();
        live.devices = live.devices.filter(keeps);
        if facts.virtual_devices > 0 {
            // Asked when there was none, perhaps; what was seen then counts no more.
            live.devices = live.devices.filter(|known| !known.value.is_empty());
        }
        let is_signed_in_since = |at: Moment| user.password_last_used.is_some_and(|used| used >= at.wall);
        live.password = live.password.filter(|known| known.value || !is_signed_in_since(known.as_of));
        facts.reported = old.reported;
        if before.report.is_some_and(|report| is_signed_in_since(report.generated)) {
            facts.reported.password = facts.reported.password.filter(|has| *has);
        }
        facts.live = (*live != Live::default()).then_some(live);
        facts
    }

    pub(super) async fn finish(mut self) -> Finding {
        self.ask_for_devices().await;
        self.get_report().await;
        self.ask_for_passwords().await;
        self.verify_absences().await;
        self.reading.follow_up = self.follow_up();
        Finding { news: News::Users(Arc::new(self.reading)), fault: self.fault }
    }

    // === devices ===

    async fn ask_for_devices(&mut self) {
        let mut open: Vec<_> =
            (0..self.reading.users.len()).filter_map(|n| Some((self.devices_wanted(n)?, n))).collect();
        open.sort_unstable();
        for (_, n) in open {
            if !self.may_ask() {
                return;
            }
            self.ask_devices_of(n).await;
        }
    }

    /// How urgent it is to ask for a user's devices, the most urgent being 0; `None`
    /// where there is no need.
    fn devices_wanted(&self, n: usize) -> Option<(u8, Timestamp)> {
        let user = &self.reading.users[n];
        if user.virtual_devices > 0 {
            return None;
        }
        let Some(known) = user.live_devices() else { return Some((0, Timestamp::default())) };
        let age = self.age(known.as_of);
        let is_old = match known.value.is_empty() {
            true => age >= FAILING_AGAIN || self.counters_moved(),
            false => age + self.next_run() >= ANSWER_MAX_AGE,
        };
        (is_old || self.order.is_woken).then_some((1, known.as_of.wall))
    }

    fn counters_moved(&self) -> bool {
        self.order.before.as_ref().is_none_or(|before| before.counters != self.reading.counters)
    }

    async fn ask_devices_of(&mut self, n: usize) {
        let asked = self.iam.now();
        let answer = self.iam.devices_of(&self.name(n)).await;
        let live = self.live(n);
        match answer {
            Ok(Some(devices)) => live.devices = Some(Known::new(devices, asked)),
            // Deleted since the list was made: nothing is known of whoever has the name now.
            Ok(None) => {
                *live = Live::default();
                self.absent.insert(self.reading.users[n].id.clone());
            }
            Err(_) => {}
        }
        self.note(answer.map(|_| ()));
    }

    // === the report ===

    async fn get_report(&mut self) {
        let is_due = self.reading.report.is_none_or(|report| self.age(report.generated) >= REPORT_LASTS);
        let is_needed = !self.order.is_only || (0..self.reading.users.len()).any(|n| self.is_without_device(n));
        if !is_due || !is_needed {
            return;
        }
        let fetched = report::fetch(self.iam, self.order.plan.generate_report).await;
        if let Some((report, generated)) = fetched.report {
            self.take_report(&report, generated);
        }
        self.is_report_under_way = fetched.is_under_way;
        if self.fault.is_none() {
            self.fault = fetched.fault;
        }
    }

    fn take_report(&mut self, report: &Report, generated: Moment) {
        let root_password_last_used = report.root_password_last_used;
        self.reading.report = Some(ReportUse { generated, root_password_last_used });
        for facts in &mut self.reading.users {
            let user = &self.people[&facts.id];
            facts.reported = reported(report, generated, user);
        }
    }

    // === passwords ===

    async fn ask_for_passwords(&mut self) {
        let (mut open, mut settled) = (Vec::new(), Vec::new());
        for n in (0..self.reading.users.len()).filter(|n| self.is_without_device(*n)) {
            match self.password_of(n) {
                Some(known) if !self.is_password_wanted(n, &known) => settled.push((known.as_of.wall, n)),
                Some(known) => open.push((1, known.as_of.wall, n)),
                None => open.push((0, Timestamp::default(), n)),
            }
        }
        open.sort_unstable();
        settled.sort_unstable();
        // A password moves no counter, so the oldest answers are asked again, few a run.
        let budget = if self.order.is_only { 0 } else { usize::try_from(self.order.plan.live_budget).unwrap_or(0) };
        let again = settled.into_iter().filter(|(at, n)| self.is_worth_asking(*n, *at)).map(|(_, n)| n).take(budget);
        let again: Vec<_> = again.collect();
        for n in open.into_iter().map(|(_, _, n)| n).chain(again) {
            if !self.may_ask() {
                return;
            }
            self.ask_password_of(n).await;
        }
    }

    /// What is known of a user's password, the newest of it.
    fn password_of(&self, n: usize) -> Option<Known<bool>> {
        let user = &self.reading.users[n];
        let report = self.reading.report;
        let reported = report.and_then(|report| Some(Known::new(user.reported.password?, report.generated)));
        let known = [user.live_password(), reported].into_iter().flatten().max_by_key(|known| known.as_of.wall)?;
        (self.age(known.as_of) + self.next_run() <= self.order.plan.password_max_age).then_some(known)
    }

    /// Whether what is known has to be asked again: a failure is, every hour and when
    /// something has changed, and a report's word for one is none.
    fn is_password_wanted(&self, n: usize, known: &Known<bool>) -> bool {
        let live = self.reading.users[n].live_password();
        let is_live = live.is_some_and(|live| live.as_of == known.as_of);
        let is_doubted = self.reading.users[n].live.as_ref().is_some_and(|live| live.doubted.is_some());
        is_doubted || known.value && (!is_live || self.order.is_woken || self.age(known.as_of) >= FAILING_AGAIN)
    }

    fn is_worth_asking(&self, n: usize, at: Timestamp) -> bool {
        let is_old = self.began.wall.since(at).is_some_and(|age| age >= self.order.plan.interval / 2);
        is_old && self.password_of(n).is_some_and(|known| !known.value)
    }

    async fn ask_password_of(&mut self, n: usize) {
        let asked = self.iam.now();
        let answer = self.iam.has_password(&self.name(n)).await;
        let said = self.password_of(n).map(|known| known.value);
        let created = self.people[&self.reading.users[n].id].created;
        let is_new = asked.wall.since(created).is_none_or(|age| age < SETTLED);
        let live = self.live(n);
        match answer {
            Ok(true) => (live.password, live.doubted) = (Some(Known::new(true, asked)), None),
            // A replica may lag: that a password is gone is believed the second time.
            Ok(false) if said == Some(true) || said.is_none() && is_new || live.doubted.is_some() => {
                let since = *live.doubted.get_or_insert(asked);
                if asked.mono.saturating_sub(since.mono) >= CONFIRM_ABSENCE {
                    (live.password, live.doubted) = (Some(Known::new(false, asked)), None);
                } else {
                    live.password = None;
                }
            }
            Ok(false) => (live.password, live.doubted) = (Some(Known::new(false, asked)), None),
            Err(_) => {}
        }
        let is_doubted = live.doubted.is_some();
        if answer == Ok(false) {
            self.absent.insert(self.reading.users[n].id.clone());
        }
        if is_doubted {
            // Neither the one answer nor the other is good enough.
            self.reading.users[n].reported.password = None;
        }
        self.note(answer.map(|_| ()));
    }

    // === absences ===

    /// Lists the users again, if anybody was said to lack something. Who is not in
    /// the new list either is forgotten. Who is, under the same name, was asked for
    /// by it; who has another name now was not, and nothing that was answered counts.
    /// One who is only not found stays, and is unknown: a replica that lags knows no
    /// newcomers.
    async fn verify_absences(&mut self) {
        if self.absent.is_empty() {
            return;
        }
        match list(self.iam).await {
            Ok(now) => {
                let absent = &self.absent;
                self.reading.users.retain(|user| !absent.contains(&user.id) || now.contains_key(&user.id));
                let is_renamed = |id: &UserId| now.get(id).is_some_and(|user| user.name != self.people[id].name);
                let asked_amiss = self.reading.users.iter_mut().filter(|user| is_renamed(&user.id));
                asked_amiss.for_each(|user| user.live = None);
            }
            Err(fault) => {
                let absent = &self.absent;
                let unverified = self.reading.users.iter_mut().filter(|user| absent.contains(&user.id));
                unverified.filter_map(|user| user.live.as_mut()).for_each(|live| {
                    live.password = live.password.take().filter(|known| known.value);
                });
                self.fault.get_or_insert(fault);
            }
        }
    }

    // === the run ===

    fn is_without_device(&self, n: usize) -> bool {
        let user = &self.reading.users[n];
        user.virtual_devices == 0 && user.live_devices().is_some_and(|known| known.value.is_empty())
    }

    /// Whether there is time for another question, and any sense in it.
    fn may_ask(&mut self) -> bool {
        self.is_out_of_time |= self.iam.now().mono.saturating_sub(self.began.mono) >= ASKING;
        self.strikes < STRIKES && !self.is_out_of_time
    }

    fn note(&mut self, answer: Result<(), Fault>) {
        let Err(fault) = answer else {
            self.strikes = 0;
            return;
        };
        // A rate that is exceeded is not to be exceeded further.
        self.strikes += if fault.class == FaultClass::Throttled { STRIKES } else { 1 };
        self.fault.get_or_insert(fault);
    }

    /// When another run is wanted. One that was to settle something and has not is
    /// followed by none but the regular one: what does not come is not run after.
    fn follow_up(&self) -> Option<Duration> {
        let is_doubted = |user: &UserFacts| user.live.as_ref().is_some_and(|live| live.doubted.is_some());
        let is_follow_up = self.order.before.as_ref().is_some_and(|before| before.follow_up == Some(CONFIRM_ABSENCE));
        if self.is_out_of_time {
            Some(Duration::ZERO)
        } else if !is_follow_up && (self.is_report_under_way || self.reading.users.iter().any(is_doubted)) {
            Some(CONFIRM_ABSENCE)
        } else {
            None
        }
    }

    /// How long until the next run has ended, and a little.
    fn next_run(&self) -> Duration {
        self.order.plan.interval.mul_f64(1.1) + ASKING
    }

    /// How old something is by the clock that makes it older; for ever where none does.
    fn age(&self, at: Moment) -> Duration {
        self.began.age(at).unwrap_or(Duration::MAX / 4)
    }

    fn name(&self, n: usize) -> String {
        self.people[&self.reading.users[n].id].name.clone()
    }

    fn live(&mut self, n: usize) -> &mut Live {
        self.reading.users[n].live.get_or_insert_default()
    }
}

/// What the report says of `user`, if a row of it is this user's: one with the
/// same name, ARN and time of creation, and the user no newcomer then.
fn reported(report: &Report, generated: Moment, user: &ListedUser) -> Reported {
    let row = report.users.get(&user.name).filter(|row| row.arn == user.arn && row.created == user.created);
    let is_settled = generated.wall.since(user.created).is_some_and(|age| age >= SETTLED);
    let Some(row) = row.filter(|_| is_settled) else { return Reported::default() };
    let is_signed_in_since = user.password_last_used.is_some_and(|used| used >= generated.wall);
    let password = row.password.filter(|has| *has || !is_signed_in_since);
    Reported { password, access_key: row.access_key }
}
