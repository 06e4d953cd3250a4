//! The exporter's core on the model's clock: the real collectors, snapshot and
//! judgement, driven as `account_run` drives them, without a socket or a second
//! of waiting.

use std::{sync::Arc, time::Duration};

use aws_mfa_exporter::{
    collect::{self, Finding, changes::SharedChanges, devices::Prior, progress::Only, root::Doubt, users::Order},
    daemon::account_run::Trigger,
    model::{
        account::Identity,
        facts::{Known, Summary, UserFacts, UsersReading, VirtualDevices},
        judge::{Control, Status, users::UserCounts},
        shard::Shard,
        snapshot::{Collector, Event, News, Outcome, Plan, Snapshot},
        time::Moment,
    },
    state_file,
};

use super::model::{ACCOUNT, HOUR, MINUTE, Model, ROOT, SECOND, now};

pub const PLAN: Plan = Plan::DEFAULT;

/// The exporter, watching a model.
pub struct Daemon<'a> {
    pub model: &'a Model,
    pub snapshot: Snapshot,
    plan: Plan,
    trigger: Trigger,
    is_woken: bool,
    changes: SharedChanges,
    reading: Option<Known<Arc<UsersReading>>>,
    list: Option<VirtualDevices>,
    next_beat: u64,
    next_inventory: u64,
    waits_for_beat: bool,
    users_due: u64,
    users_began: Option<Moment>,
    /// Where it reads all once.
    pub only: Option<Only>,
    /// When the last taking of inventory ended.
    pub settled: u64,
}

impl<'a> Daemon<'a> {
    pub fn new(model: &'a Model) -> Self {
        Self::with_plan(model, PLAN)
    }

    pub fn with_plan(model: &'a Model, plan: Plan) -> Self {
        let at = model.life().moment();
        let mut snapshot = Snapshot::new(plan.clone(), at);
        snapshot.fold(Event::Identified { identity: identity(), at }, at);
        let (start, changes) = (model.life().mono, SharedChanges::default());
        model.life().watcher = Some(changes.clone());
        Self {
            model,
            snapshot,
            plan,
            trigger: Trigger::default(),
            is_woken: false,
            changes,
            reading: None,
            list: None,
            next_beat: start,
            next_inventory: start,
            waits_for_beat: true,
            users_due: start,
            users_began: None,
            only: None,
            settled: start,
        }
    }

    /// Whether it knows what the users are called.
    pub fn has_names(&self) -> bool {
        let users = self.reading.iter().flat_map(|known| &known.value.users);
        self.reading.is_some() && users.into_iter().all(|user| user.name.is_some())
    }

    /// Whether it knows of every user with a password that there is one, or that AWS
    /// contradicts itself.
    pub fn knows_passwords(&self) -> bool {
        let Some(known) = &self.reading else { return false };
        let is_known = |id: &str| {
            let user = known.value.user(&id.into());
            user.is_some_and(|user| {
                user.password(known.value.report).is_some_and(|known| known.value) || user.is_password_doubted()
            })
        };
        let life = self.model.life();
        life.world.people.iter().filter(|person| person.password).all(|person| is_known(&person.id))
    }

    /// Whether AWS has contradicted itself on somebody's password.
    pub fn has_doubts(&self) -> bool {
        let users = self.reading.iter().flat_map(|known| &known.value.users);
        users.into_iter().any(UserFacts::is_password_doubted)
    }

    /// What the state file would hold.
    pub fn state(&self) -> String {
        state_file::write(&self.snapshot, Shard::WHOLE)
    }

    /// Ends, and begins again with the state file as it is now.
    pub fn restart(&mut self) {
        let text = self.state();
        self.restart_with(&text);
    }

    /// Is killed, and begins again with a state file that was written some time ago.
    pub fn restart_with(&mut self, text: &str) {
        let settled = self.settled;
        {
            let mut life = self.model.life();
            life.boot = life.mono;
            life.mono += 100;
        }
        let at = self.model.life().moment();
        let state = state_file::read(text, Shard::WHOLE, true, at).unwrap();
        *self = Self::with_plan(self.model, self.plan.clone());
        self.snapshot.restore(state.memories, state.listed, at);
        if let Some(state) = self.snapshot.accounts().next() {
            let (reading, changes) = state.knowledge();
            (self.reading, self.changes) = (reading, SharedChanges::new(changes));
            self.model.life().watcher = Some(self.changes.clone());
        }
        self.settled = settled;
    }

    fn fold(&mut self, collector: Collector, started: Moment, finding: Finding) {
        let Finding { news, fault } = finding;
        let changes = self.changes.get();
        let outcome = Outcome { collector, started, duration: Duration::ZERO, news, fault, changes };
        let at = self.model.life().moment();
        self.snapshot.fold(Event::Collected { account: ACCOUNT.parse().unwrap(), outcome: Box::new(outcome) }, at);
    }

    /// A heartbeat; hands over its summary.
    pub fn beat(&mut self) -> Option<(Moment, Summary)> {
        let started = self.model.life().moment();
        let finding = now(collect::root::collect(self.model, Doubt::Ask, &self.changes));
        let summary = if let News::Root(reading) = &finding.news {
            self.is_woken |= self.trigger.beat(reading.summary.fingerprint());
            Some((started, reading.summary))
        } else {
            None
        };
        self.fold(Collector::Root, started, finding);
        summary
    }

    /// Takes inventory of everything, beginning with the summary of a heartbeat if
    /// there is one; tells when another one is wanted.
    pub fn inventory(&mut self, beat: Option<(Moment, Summary)>) -> Option<Duration> {
        self.users_due = 0;
        self.take_inventory(beat)
    }

    fn take_inventory(&mut self, beat: Option<(Moment, Summary)>) -> Option<Duration> {
        self.is_woken = false;
        let began = self.model.life().moment();
        let changed =
            self.changes.get().last.is_some_and(|at| self.users_began.is_none_or(|began| at.mono > began.mono));
        let with_users = changed || self.users_due <= self.model.life().mono;
        let started = beat.map_or(began, |(at, _)| at);
        let prior = Prior { summary: beat.map(|(_, summary)| summary), list: self.list };
        let (finding, listed) = now(collect::devices::collect(self.model, ROOT, prior, &self.changes));
        self.list = if let News::Devices(devices) = finding.news { Some(devices) } else { None };
        let fault = finding.fault.clone();
        self.fold(Collector::Devices, started, finding);
        let follow_up = if with_users {
            self.users_began = Some(began);
            self.settle_users(listed.ok_or(fault))
        } else {
            None
        };
        self.settled = self.model.life().mono;
        let due = self.changes.get().second_look().filter(|due| due.mono > began.mono);
        let second_look = due.map(|due| due.mono.since(self.model.life().moment().mono));
        [follow_up, second_look].into_iter().flatten().min()
    }

    fn settle_users(
        &mut self,
        listed: Result<collect::devices::Listed, Option<aws_mfa_exporter::model::facts::Fault>>,
    ) -> Option<Duration> {
        let (started, before) = (self.model.life().moment(), self.reading.clone());
        let finding = match listed {
            Ok(listed) => {
                let (plan, terms) = (self.plan.users.unwrap(), self.plan.users_terms());
                let changes = self.changes.clone();
                let order = Order { before, listed, changes, only: self.only.clone(), plan, terms };
                now(collect::users::collect(self.model, order))
            }
            Err(fault) => Finding::nothing(fault.unwrap()),
        };
        let mut follow_up = None;
        if let News::Users(reading) = &finding.news {
            self.reading = Some(Known::new(Arc::clone(reading), started));
            follow_up = reading.follow_up;
        }
        self.fold(Collector::Users, started, finding);
        let interval = Duration::from_secs(15 * 60);
        let next = follow_up.map_or(interval.mul_f64(0.8), |time| time.min(interval));
        self.users_due = self.model.life().mono + u64::try_from(next.as_millis()).unwrap();
        follow_up
    }

    /// Lives on for a time, with a heartbeat a minute, and inventory taken every quarter
    /// of an hour and when woken; looks at each minute's end.
    pub fn live(&mut self, time: u64, mut look: impl FnMut(&mut Self)) {
        let end = self.model.life().mono + time;
        loop {
            let now = self.model.life().mono;
            let next = self.next_beat.min(self.next_inventory.max(now));
            if next.min(end) > now {
                self.model.wait(next.min(end) - now);
            }
            if next >= end {
                return;
            }
            let began = self.model.life().mono;
            let mut beat = None;
            if began >= self.next_beat {
                beat = self.beat();
                self.next_beat = began + if self.model.life().world.is_rootless { 5 * MINUTE } else { MINUTE };
            }
            // One that has waited for long waits for a heartbeat to begin with.
            let is_due = began >= self.next_inventory && (beat.is_some() || !self.waits_for_beat);
            if self.is_woken || is_due {
                let follow_up = self.take_inventory(beat).map(|time| u64::try_from(time.as_millis()).unwrap());
                let end = self.model.life().mono;
                let regular = (began + 15 * MINUTE).saturating_sub(end);
                let pause = follow_up.unwrap_or(regular).min(regular).max(4 * SECOND);
                (self.next_inventory, self.waits_for_beat) = (end + pause, pause > 75 * SECOND);
            } else if began >= self.next_inventory {
                self.next_inventory = self.next_beat;
            }
            self.age();
            look(self);
        }
    }

    /// Lives on until inventory has just been taken.
    pub fn until_stock(&mut self) {
        let before = self.settled;
        while self.settled == before {
            let next = self.next_beat + SECOND;
            let now = self.model.life().mono;
            self.live(next.saturating_sub(now), |_| {});
        }
    }

    pub fn age(&mut self) {
        let at = self.model.life().moment();
        self.snapshot.age(at);
    }

    pub fn verdict(&self, control: Control) -> (Status, Option<Moment>) {
        let verdict = self.snapshot.accounts().next().unwrap().standing(control).verdict;
        (verdict.status, verdict.as_of)
    }

    pub fn says(&self, control: Control) -> Status {
        self.verdict(control).0
    }

    pub fn counts_if_known(&self) -> Option<UserCounts> {
        self.snapshot.accounts().next().unwrap().user_counts().copied()
    }

    pub fn counts(&self) -> UserCounts {
        self.counts_if_known().expect("the users are known")
    }

    /// How long it takes from now until `control` is what it should be.
    pub fn until(&mut self, control: Control, wanted: Status) -> Duration {
        let from = self.model.life().mono;
        let mut reached = None;
        while reached.is_none() {
            self.live(MINUTE, |daemon| {
                if daemon.says(control) == wanted {
                    reached.get_or_insert(daemon.model.life().mono);
                }
            });
            assert!(self.model.life().mono - from < 6 * HOUR, "{control:?} is never {wanted}");
        }
        Duration::from_millis(reached.unwrap() - from)
    }
}

fn identity() -> Identity {
    Identity::parse(ROOT, ACCOUNT).unwrap()
}
