//! The exporter's core on the model's clock: the real collectors, snapshot and
//! judgement, driven as `account_run` drives them, without a socket or a second
//! of waiting.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_mfa_exporter::{
    collect::{self, Finding, changes::SharedChanges, devices::Prior, progress::Only, root::Doubt, users::Order},
    daemon::account_run::{Due, Trigger},
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
use crate::renderings::Renderings;

pub const PLAN: Plan = Plan::DEFAULT;

/// How late each of the exporter's calls comes back, in milliseconds, by its number and when
/// it was made; as often as there are times.
pub type Path = Box<dyn Fn(usize, u64) -> Vec<u64>>;

/// The exporter, watching a model.
pub struct Daemon<'a> {
    pub model: &'a Model,
    pub snapshot: Snapshot,
    renderings: Renderings,
    plan: Plan,
    trigger: Trigger,
    is_woken: bool,
    changes: SharedChanges,
    reading: Option<Known<Arc<UsersReading>>>,
    list: Option<VirtualDevices>,
    next_beat: Due<Duration>,
    next_inventory: Due<Duration>,
    waits_for_beat: bool,
    /// Whether it is due, and waits for that.
    is_waiting: bool,
    users_due: Due<Duration>,
    /// What becomes of the exporter's own calls on their way back: how late each comes, and
    /// how often, by its number. Without this, none comes.
    pub path: Option<Path>,
    /// The calls that are on their way back, by when they come.
    on_way: BTreeMap<u64, Vec<Moment>>,
    made: usize,
    settled_users: bool,
    last_echo: Option<Moment>,
    /// Time is looked at so often at least, in milliseconds.
    pub grain: u64,
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
        let due = |at: u64| Due::after(millis(at), Duration::ZERO, None);
        model.life().watcher = Some(changes.clone());
        Self {
            model,
            snapshot,
            renderings: Renderings::default(),
            plan,
            trigger: Trigger::default(),
            is_woken: false,
            changes,
            reading: None,
            list: None,
            next_beat: due(start),
            next_inventory: due(start),
            waits_for_beat: true,
            is_waiting: false,
            users_due: due(start),
            path: None,
            on_way: BTreeMap::new(),
            made: 0,
            settled_users: false,
            last_echo: None,
            grain: u64::MAX / 2,
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
        let (path, grain) = (self.path.take(), self.grain);
        *self = Self { path, grain, ..Self::with_plan(self.model, self.plan.clone()) };
        self.snapshot.restore(state.memories, state.listed, at);
        if let Some(state) = self.snapshot.accounts().next() {
            self.last_echo = state.last_echo();
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
        self.send_back(started);
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
        self.users_due = Due::after(Duration::ZERO, Duration::ZERO, None);
        self.take_inventory(beat).0
    }

    /// Puts a call on its way back.
    fn send_back(&mut self, asked: Moment) {
        let now = self.model.life().mono;
        for late in self.path.iter().flat_map(|path| path(self.made, now)) {
            self.on_way.entry(now + late).or_default().push(asked);
        }
        self.made += 1;
    }

    /// Takes the echoes in that have come by now.
    fn hear(&mut self) {
        let later = self.on_way.split_off(&(self.model.life().mono + 1));
        for asked in std::mem::replace(&mut self.on_way, later).into_values().flatten() {
            self.last_echo = Some(self.last_echo.map_or(asked, |last_echo| last_echo.latest(asked)));
            let at = self.model.life().moment();
            self.snapshot.fold(Event::Echoed { account: ACCOUNT.parse().unwrap(), asked }, at);
        }
    }

    /// Until when it is believed that events arrive, on the model's clock.
    fn echo_end(&self) -> Option<Duration> {
        let summary = self.snapshot.accounts().next()?.reading.as_ref().map(|known| known.value.summary);
        let lasts = self.plan.echo_lasts(summary.as_ref())?;
        let at = self.model.life().moment();
        let left = self.last_echo?.mono.plus(lasts).since(at.mono);
        Some(millis(self.model.life().mono) + left)
    }

    pub fn is_stretched(&self) -> bool {
        self.echo_end().is_some_and(|end| end > millis(self.model.life().mono))
    }

    /// How long ago the last call was made that has come back.
    pub fn silent_for(&self) -> Option<Duration> {
        Some(self.model.life().moment().mono.since(self.last_echo?.mono))
    }

    /// Whatever is on its way back is lost.
    pub fn purge(&mut self) {
        self.on_way.clear();
    }

    /// An event comes: all is read, as is said of it in `account_run/series`.
    pub fn wake(&mut self) {
        let beat = self.beat();
        self.inventory(beat);
    }

    fn due(&self, from: u64, interval: impl Fn(&Plan) -> Duration, may_wait: bool) -> Due<Duration> {
        let stretched = self.plan.stretched().filter(|_| may_wait);
        Due::after(millis(from), interval(&self.plan), stretched.as_ref().map(interval))
    }

    /// How long inventory that is due waits for a heartbeat: no longer than for a usual one, if
    /// it was due at a usual interval.
    fn patience(&self) -> Duration {
        let stretched = self.plan.stretched().filter(|_| self.next_inventory.may_wait() && self.is_stretched());
        let plan = stretched.as_ref().unwrap_or(&self.plan);
        let is_rootless = self.model.life().world.is_rootless;
        let heartbeat = if is_rootless { plan.cadence.rootless } else { plan.cadence.root };
        heartbeat.mul_f64(1.1).min(plan.inventory_interval() / 2)
    }

    fn take_inventory(&mut self, beat: Option<(Moment, Summary)>) -> (Option<Duration>, bool) {
        self.is_woken = false;
        let may_wait = self.is_stretched();
        let began = self.model.life().moment();
        let changed =
            self.changes.get().last.is_some_and(|at| self.users_began.is_none_or(|began| at.mono > began.mono));
        let with_users = changed || self.users_due.at(self.echo_end()) <= millis(self.model.life().mono);
        let started = beat.map_or(began, |(at, _)| at);
        let prior = Prior { summary: beat.map(|(_, summary)| summary), list: self.list };
        let (finding, listed) = now(collect::devices::collect(self.model, ROOT, prior, &self.changes));
        self.list = if let News::Devices(devices) = finding.news { Some(devices) } else { None };
        let fault = finding.fault.clone();
        self.fold(Collector::Devices, started, finding);
        self.settled_users = with_users;
        let follow_up = if with_users {
            self.users_began = Some(began);
            self.settle_users(listed.ok_or(fault), may_wait)
        } else {
            None
        };
        self.settled = self.model.life().mono;
        let due = self.changes.get().second_look().filter(|due| due.mono > began.mono);
        let second_look = due.map(|due| due.mono.since(self.model.life().moment().mono));
        ([follow_up, second_look].into_iter().flatten().min(), may_wait)
    }

    fn settle_users(
        &mut self,
        listed: Result<collect::devices::Listed, Option<aws_mfa_exporter::model::facts::Fault>>,
        may_wait: bool,
    ) -> Option<Duration> {
        let (started, before) = (self.model.life().moment(), self.reading.clone());
        let finding = match listed {
            Ok(listed) => {
                let running = self.plan.stretched().filter(|_| may_wait).unwrap_or_else(|| self.plan.clone());
                let (plan, terms) = (running.users_order(may_wait).unwrap(), running.users_terms());
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
        let now = self.model.life().mono;
        let part = if follow_up.is_some() { 1.0 } else { 0.8 };
        let next = self.due(now, |plan| plan.interval(Collector::Users).mul_f64(part), may_wait);
        self.users_due = follow_up.map_or(next, |time| next.by(millis(now) + time));
        follow_up
    }

    /// Lives on for a time, with a heartbeat a minute, and inventory taken every quarter
    /// of an hour and when woken, or less often while an echo shows that events arrive; looks
    /// after each of them, and when an echo has come.
    pub fn live(&mut self, time: u64, mut look: impl FnMut(&mut Self)) {
        let end = self.model.life().mono + time;
        loop {
            let now = self.model.life().mono;
            let [next_beat, next_inventory] =
                [self.next_beat, self.next_inventory].map(|due| as_millis(due.at(self.echo_end())));
            let echo = self.on_way.keys().next().copied().unwrap_or(u64::MAX);
            let next = next_beat.min(next_inventory.max(now)).min(echo.max(now)).min(now + self.grain);
            if next.min(end) > now {
                self.model.wait(next.min(end) - now);
            }
            if next >= end {
                return;
            }
            let began = self.model.life().mono;
            self.hear();
            let mut beat = None;
            if began >= next_beat {
                beat = self.beat();
                let is_rootless = self.model.life().world.is_rootless;
                let interval = |plan: &Plan| if is_rootless { plan.cadence.rootless } else { plan.cadence.root };
                self.next_beat = self.due(began, interval, beat.is_some());
            }
            // One that has waited for long waits for a heartbeat to begin with, and not for ever.
            let is_over = self.is_waiting || !self.waits_for_beat;
            let is_due = (began >= next_inventory && is_over)
                || (beat.is_some() && (began >= next_inventory || self.is_waiting));
            if self.is_woken || is_due {
                self.is_waiting = false;
                let (follow_up, may_wait) = self.take_inventory(beat);
                let end = self.model.life().mono;
                let regular = self.due(began, Plan::inventory_interval, may_wait);
                let next = follow_up.map_or(regular, |time| regular.by(millis(end) + time));
                let next = if self.settled_users { next } else { next.waiting_for(Some(self.users_due)) };
                self.next_inventory = next.no_sooner_than(millis(end + 4 * SECOND));
                self.waits_for_beat = as_millis(self.next_inventory.at(self.echo_end())) - end > 75 * SECOND;
            } else if began >= next_inventory {
                self.is_waiting = true;
                self.next_inventory = Due::after(millis(began), self.patience(), None);
            }
            self.age();
            look(self);
        }
    }

    /// Lives on until inventory has just been taken.
    pub fn until_stock(&mut self) {
        let before = self.settled;
        while self.settled == before {
            let next = as_millis(self.next_beat.at(self.echo_end())) + SECOND;
            let now = self.model.life().mono;
            self.live(next.saturating_sub(now), |_| {});
        }
    }

    pub fn age(&mut self) {
        let at = self.model.life().moment();
        self.snapshot.age(at);
        self.renderings.follow(&self.snapshot);
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

fn millis(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn as_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

fn identity() -> Identity {
    Identity::parse(ROOT, ACCOUNT).unwrap()
}
