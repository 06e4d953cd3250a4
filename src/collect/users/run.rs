//! One run of collector `users`: what is kept of the runs before, what has to be
//! asked, and in which order.

mod asking;
mod passwords;
mod questions;

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use asking::ASKING;

use super::{CONFIRM_ABSENCE, ListedUser, Order, UsersIam, list};
use crate::{
    collect::{
        Finding,
        report::{self, REPORT_LASTS},
    },
    model::{
        facts::{
            Fault, FaultClass, Known, Lasting, UserFacts, UserId, UsersReading,
            report::{Report, ReportRow},
            user::{Judged, Live, ReportUse, Reported},
        },
        judge::{
            Status,
            users::{self, Ask, Census, Gap, REPORT_MAX_AGE, UsersEvidence},
        },
        snapshot::{News, UsersPlan},
        time::{Moment, Uptime},
    },
};

/// A report's row is a user's if the user was there this long before it: lists
/// and reports are not made from the same replica.
const SETTLED: Duration = Duration::from_secs(15 * 60);

/// A run under way.
pub(super) struct Run<'a, I> {
    iam: &'a I,
    order: Order,
    began: Moment,
    reading: UsersReading,
    /// The users by id, as they were listed.
    people: BTreeMap<UserId, ListedUser>,
    /// Who was asked for by name in this run, and what was known of them before.
    asked: BTreeMap<UserId, Option<Box<Live>>>,
    /// Of whom the report tells something only if the row with their name is theirs.
    told_by_name: BTreeSet<UserId>,
    fault: Option<Fault>,
    strikes: u32,
    is_out_of_time: bool,
    /// What was not asked for want of time, and how often.
    left: Option<(Ask, usize)>,
    /// Whether nobody failed by what was known when the run began.
    was_nobody_failing: bool,
    /// Whether somebody was found to fail then.
    has_news: bool,
    /// Whether the run ends early, to tell of it.
    is_cut_short: bool,
    is_report_under_way: bool,
}

impl<'a, I: UsersIam> Run<'a, I> {
    /// Lists the users, and takes over what may be kept of the runs before.
    pub(super) async fn begin(iam: &'a I, order: Order) -> Result<Self, Fault> {
        let began = iam.now();
        let people = list(iam).await?;
        let summary = order.listed.summary;
        let is_whole = summary.users.is_some_and(|users| usize::try_from(users) == Ok(people.len()));
        let other_devices = summary.mfa_devices_in_use.and_then(|all| all.checked_sub(order.listed.assigned));
        let before = order.before.as_ref().map(|before| &*before.value);
        let reading = UsersReading {
            is_whole,
            devices_listed: Some(order.listed.at),
            other_devices,
            report: before.and_then(|before| before.report),
            ..UsersReading::default()
        };
        let mut run = Self {
            iam,
            order,
            began,
            reading,
            people,
            asked: BTreeMap::new(),
            told_by_name: BTreeSet::new(),
            fault: None,
            strikes: 0,
            is_out_of_time: false,
            left: None,
            was_nobody_failing: false,
            has_news: false,
            is_cut_short: false,
            is_report_under_way: false,
        };
        run.note_changes();
        run.reading.judged = run.judged();
        run.reading.users = run.people.values().map(|user| run.carry(user)).collect();
        run.was_nobody_failing = (0..run.reading.users.len()).all(|n| !run.is_without_device(n));
        if summary.users.is_some() && !is_whole {
            let detail = "ListUsers: the account changed while its users were listed";
            run.fault = Some(Fault::new(FaultClass::Changed, detail));
        }
        Ok(run)
    }

    /// Holds the two lists against those of the run before.
    fn note_changes(&self) {
        let Some(before) = self.order.before.as_ref().map(|before| &*before.value) else { return };
        if before.users.iter().any(|user| !self.people.contains_key(&user.id)) {
            self.order.changes.departed(self.iam.now());
        }
        let is_same_people = before.users.iter().map(|user| &user.id).eq(self.people.keys());
        // An answer to a question by name may be of before the user was called so.
        let is_renamed = |user: &UserFacts| {
            let listed = self.people.get(&user.id);
            listed.is_some_and(|listed| user.name.as_ref().is_some_and(|name| **name != *listed.name))
        };
        if !is_same_people || before.users.iter().any(is_renamed) {
            self.order.changes.changed(self.began);
        }
        let listed_before = before.devices_listed.map(|at| at.mono);
        let is_as_before = |user: &UserFacts| {
            let (old, new) =
                (user.virtual_devices, self.order.listed.owners.get(&user.id).copied().unwrap_or_default());
            let is_replaced = new.count > 0 && listed_before.is_some_and(|at| new.since > at);
            old.count == new.count && !is_replaced
        };
        if listed_before.is_some() && !before.users.iter().all(is_as_before) {
            self.order.changes.changed(self.order.listed.at);
        }
    }

    /// As of when the users were last judged, by what the run before learnt.
    fn judged(&self) -> Judged {
        let Some(before) = &self.order.before else { return Judged::default() };
        let census = Census::take(self.evidence(before), &self.order.terms, |_| false, self.began);
        let judged = before.value.judged;
        let later = |before: Option<Moment>, at: Option<Moment>| match (before, at) {
            (Some(before), Some(at)) => Some(before.latest(at)),
            (before, at) => before.or(at),
        };
        Judged { iam5: later(judged.iam5, census.iam5.as_of), iam19: later(judged.iam19, census.iam19.as_of) }
    }

    /// What may be kept of a user. A live answer that shows what the list would show
    /// is not kept; the list is newer.
    fn carry(&self, user: &ListedUser) -> UserFacts {
        let mut facts = UserFacts::new(user.id.clone(), &user.name, self.began.mono, user.created);
        facts.virtual_devices = self.order.listed.owners.get(&user.id).copied().unwrap_or_default();
        let Some(before) = self.order.before.as_ref().map(|before| &*before.value) else { return facts };
        let Some(old) = before.user(&user.id) else { return facts };
        if old.name == facts.name {
            facts.named_since = old.named_since;
        }
        let has_virtual = facts.virtual_devices.count > 0;
        let mut live = old.live.clone().unwrap_or_default();
        live.devices = live.devices.filter(|known| known.value.has_other_than_virtual() || known.value.is_empty());
        live.devices = live.devices.filter(|known| !has_virtual || !known.value.is_empty());
        live.password = live.password.filter(|known| known.value || !user.is_signed_in_since(known.as_of));
        facts.reported = old.reported;
        if before.report.is_some_and(|report| user.is_signed_in_since(report.generated)) {
            facts.reported.password = facts.reported.password.filter(|has| *has);
        }
        facts.live = (*live != Live::default()).then_some(live);
        facts
    }

    pub(super) async fn finish(mut self) -> Finding {
        self.ask_for_devices().await;
        let is_over = self.is_only() && self.is_out_of_time;
        if !self.is_cut_short && !is_over {
            self.get_report().await;
        }
        self.ask_for_passwords().await;
        // A password that was set after the question about devices asks it again.
        self.ask_for_devices().await;
        self.close_gaps().await;
        self.verify_names().await;
        self.tell_what_is_left();
        self.reading.follow_up = self.follow_up();
        Finding { news: News::Users(Arc::new(self.reading)), fault: self.fault }
    }

    // === the report ===

    async fn get_report(&mut self) {
        let is_due = self.reading.report.is_none_or(|report| self.age(report.generated) >= REPORT_LASTS);
        if !is_due || self.is_only() && self.reading.users.is_empty() {
            return;
        }
        let fetched = report::fetch(self.iam, self.order.plan.generate_report, self.order.only.as_ref()).await;
        if let Some((report, generated)) = fetched.report {
            self.take_report(&report, generated, fetched.is_new);
        }
        self.is_report_under_way = fetched.is_under_way;
        if self.fault.is_none() {
            self.fault = fetched.fault;
        }
    }

    /// Takes a report in, whose rows are told apart by names. Users who were created in
    /// the same second can have exchanged theirs. Then a row is believed for what all
    /// their rows say; for more, if the user was listed under this name before the
    /// report was made, and is after it; and as a proof only if long before.
    fn take_report(&mut self, report: &Report, generated: Moment, is_new: bool) {
        let root_password_last_used = report.root_password_last_used;
        let (before, said) = (self.reading.report, report.by_creation());
        for facts in &mut self.reading.users {
            let known = facts.password(before).filter(|_| !facts.is_password_doubted());
            let user = &self.people[&facts.id];
            let row = find_row(report, generated, user);
            facts.reported = row.map(|row| reported(row, user, generated, known)).unwrap_or_default();
            let agreed = said.get(&facts.created).filter(|agreed| row.is_some_and(|row| row.said != **agreed));
            let Some(agreed) = agreed else { continue };
            let told = &mut facts.reported;
            if !is_new && facts.named_since > generated.mono {
                told.password = told.password.and(agreed.password);
                told.access_key = agreed.access_key;
                continue;
            }
            self.told_by_name.insert(facts.id.clone());
            if agreed.password.is_none() && facts.named_since.plus(SETTLED) > generated.mono {
                told.password_since = Uptime::MAX;
            }
        }
        self.reading.report = Some(ReportUse { generated, root_password_last_used });
        // Who has a row and is not listed was there when the report was made, and has
        // left since, or has another name now.
        let names: BTreeSet<_> = self.people.values().map(|user| (&user.name, &user.arn)).collect();
        if report.users.iter().any(|(name, row)| !names.contains(&(name, &row.arn))) {
            self.order.changes.departed(self.iam.now());
        }
    }

    // === names ===

    /// Lists the users again, if anybody was asked for, or told apart, by name. Who is
    /// not in the new list is forgotten. Who is there under another name was perhaps not
    /// the one who answered, and nothing that was answered counts.
    async fn verify_names(&mut self) {
        if self.asked.is_empty() && self.told_by_name.is_empty() {
            return;
        }
        let began = self.iam.now();
        let now = match list(self.iam).await {
            Ok(now) => Some(now),
            Err(fault) => {
                self.fault.get_or_insert(fault);
                None
            }
        };
        let asked = std::mem::take(&mut self.asked);
        if let Some(now) = &now {
            if !now.keys().eq(self.people.keys()) {
                self.order.changes.changed(began);
            }
            if self.people.keys().any(|id| !now.contains_key(id)) {
                self.order.changes.departed(self.iam.now());
                self.reading.users.retain(|user| now.contains_key(&user.id));
            }
        }
        let is_same = |id: &UserId| {
            now.as_ref().is_some_and(|now| now.get(id).is_some_and(|user| user.name == self.people[id].name))
        };
        for user in self.reading.users.iter_mut().filter(|user| !is_same(&user.id)) {
            if let Some(before) = asked.get(&user.id) {
                user.live.clone_from(before);
            }
            if self.told_by_name.contains(&user.id) {
                user.reported = Reported::default();
            }
        }
    }

    // === the run ===

    /// When another run is wanted. One that was to settle something and has not is
    /// followed by none but the regular one: what does not come is not run after.
    fn follow_up(&self) -> Option<Duration> {
        let is_doubted = self.reading.users.iter().any(UserFacts::is_password_doubted);
        let before = self.order.before.as_ref();
        let is_follow_up = before.is_some_and(|before| before.value.follow_up == Some(CONFIRM_ABSENCE));
        if self.is_out_of_time || self.is_cut_short {
            return Some(Duration::ZERO);
        }
        let is_open = self.is_report_under_way || is_doubted || !self.gaps().is_empty();
        let again = (is_open && !is_follow_up).then_some(CONFIRM_ABSENCE).or_else(|| self.soon());
        again.into_iter().chain(self.second_look()).chain(self.report_due()).min()
    }

    /// Where runs are rare, what is not known does not wait for the next of them.
    fn soon(&self) -> Option<Duration> {
        let usual = UsersPlan::DEFAULT.interval;
        (self.order.plan.interval > usual && self.is_unknown()).then_some(usual)
    }

    /// Whether a verdict cannot be told by what is known now.
    fn is_unknown(&self) -> bool {
        let known = self.known();
        let census = Census::take(self.evidence(&known), &self.order.terms, |_| false, self.iam.now());
        [census.iam5, census.iam19].iter().any(|verdict| verdict.status == Status::Unknown)
    }

    /// When the report has to be made anew, if what it tells would be too old by the time
    /// of the next run.
    fn report_due(&self) -> Option<Duration> {
        let age = self.age(self.reading.report?.generated);
        let is_late = age < REPORT_LASTS && age + self.next_run() > REPORT_MAX_AGE;
        is_late.then(|| REPORT_LASTS - age)
    }

    /// When a change that was seen calls for another look, if it does.
    fn second_look(&self) -> Option<Duration> {
        let changes = self.order.changes.get();
        let due = changes.last.and(changes.second_look())?;
        (due.mono > self.began.mono).then(|| due.mono.since(self.iam.now().mono))
    }

    /// Who has to be asked once more so that all are known to be covered at once.
    fn gaps(&self) -> Vec<Gap> {
        users::gaps(self.evidence(&self.known()), &self.order.terms, self.iam.now())
    }

    /// What this run knows by now.
    fn known(&self) -> Known<Arc<UsersReading>> {
        Known::new(Arc::new(self.reading.clone()), self.began)
    }

    /// What is judged by a reading of the users, while heartbeats go on.
    fn evidence<'r>(&self, reading: &'r Known<Arc<UsersReading>>) -> UsersEvidence<'r> {
        UsersEvidence { reading: Some(reading), changes: self.order.changes.get(), is_watched: true, policies: None }
    }

    /// How long until the next run has ended, and a little.
    fn next_run(&self) -> Duration {
        self.order.plan.interval.mul_f64(1.1) + ASKING
    }

    /// How old something was when the run began, by the clock that makes it older; for
    /// ever where none does.
    fn age(&self, at: Moment) -> Duration {
        let is_new = at.mono >= self.began.mono;
        if is_new { Duration::ZERO } else { self.began.age(at).unwrap_or(Duration::MAX / 4) }
    }

    fn name(&self, n: usize) -> String {
        self.people[&self.reading.users[n].id].name.clone()
    }

    /// What is known of a user, to be added to by an answer.
    fn live(&mut self, n: usize) -> &mut Live {
        let user = &mut self.reading.users[n];
        if let Entry::Vacant(entry) = self.asked.entry(user.id.clone()) {
            entry.insert(user.live.clone());
        }
        user.live.get_or_insert_default()
    }
}

/// The row that has `user`'s name, ARN and time of creation, if the user was no
/// newcomer when the report was made.
fn find_row<'a>(report: &'a Report, generated: Moment, user: &ListedUser) -> Option<&'a ReportRow> {
    let row = report.users.get(&user.name).filter(|row| row.arn == user.arn && row.created == user.created)?;
    generated.wall.since(user.created).is_some_and(|age| age >= SETTLED).then_some(row)
}

/// What a user's row says. `known` is what was known of the password before.
fn reported(row: &ReportRow, user: &ListedUser, generated: Moment, known: Option<Lasting<bool>>) -> Reported {
    let password = row.said.password.filter(|has| *has || !user.is_signed_in_since(generated));
    let known = known.filter(|known| Some(known.value) == password && known.as_of.mono <= generated.mono);
    let password_since = known.map_or(generated.mono, |known| known.since.min(generated.mono));
    Reported { password, password_since, access_key: row.said.access_key }
}
