//! The exporter's core on the model's clock: the real collectors, snapshot and
//! judgement, driven as `account_run` drives them, without a socket or a second
//! of waiting.

use std::{sync::Arc, time::Duration};

use aws_mfa_exporter::{
    collect::{self, Finding, devices::Prior, root::Doubt, users::Order},
    daemon::account_run::{Trigger, Wake},
    model::{
        account::Identity,
        facts::{Summary, UsersReading, VirtualDevices},
        judge::{Cadence, Control, Status, users::UserCounts},
        shard::Shard,
        snapshot::{Collector, Event, News, Outcome, Plan, Snapshot, UsersPlan},
        time::Moment,
    },
    state,
};

use super::model::{ACCOUNT, HOUR, MINUTE, Model, ROOT, SECOND, now};

pub const PLAN: Plan = Plan { cadence: Cadence::DEFAULT, devices: true, users: Some(UsersPlan::DEFAULT) };

/// The exporter, watching a model.
pub struct Daemon<'a> {
    pub model: &'a Model,
    pub snapshot: Snapshot,
    plan: Plan,
    trigger: Trigger,
    wake: Wake,
    reading: Option<Arc<UsersReading>>,
    list: Option<VirtualDevices>,
    next_beat: u64,
    next_stock: u64,
    /// When the last taking of inventory ended.
    pub settled: u64,
}

impl<'a> Daemon<'a> {
    pub fn new(model: &'a Model) -> Self {
        Self::with_plan(model, PLAN)
    }

    pub fn with_plan(model: &'a Model, plan: Plan) -> Self {
        let at = model.life().moment();
        let mut snapshot = Snapshot::new(plan, at);
        snapshot.fold(Event::Identified { identity: identity(), at }, at);
        let start = model.life().mono;
        Self {
            model,
            snapshot,
            plan,
            trigger: Trigger::default(),
            wake: Wake::Nothing,
            reading: None,
            list: None,
            next_beat: start,
            next_stock: start,
            settled: start,
        }
    }

    /// Ends, and begins again with the state file.
    pub fn restart(&mut self) {
        let text = state::write(&self.snapshot, Shard::WHOLE);
        let state = state::read(&text, Shard::WHOLE, true).unwrap();
        let settled = self.settled;
        let mut life = self.model.life();
        life.boot = life.mono;
        life.mono += 100;
        drop(life);
        *self = Self::with_plan(self.model, self.plan);
        let at = self.model.life().moment();
        self.snapshot.restore(state.memories, state.listed, at);
        self.reading = self.snapshot.accounts().next().and_then(|state| state.uncontradicted_users().cloned());
        self.settled = settled;
    }

    fn fold(&mut self, collector: Collector, started: Moment, finding: Finding) {
        let outcome =
            Outcome { collector, started, duration: Duration::ZERO, news: finding.news, fault: finding.fault };
        let at = self.model.life().moment();
        self.snapshot.fold(Event::Collected { account: ACCOUNT.parse().unwrap(), outcome }, at);
    }

    /// A heartbeat; hands over its summary.
    pub fn beat(&mut self) -> Option<(Moment, Summary)> {
        let started = self.model.life().moment();
        let finding = now(collect::root::collect(self.model, Doubt::Ask));
        let summary = if let News::Root(reading) = &finding.news {
            self.wake = self.wake.max(self.trigger.beat(reading.summary.fingerprint()));
            Some((started, reading.summary))
        } else {
            None
        };
        self.fold(Collector::Root, started, finding);
        summary
    }

    /// Takes inventory, beginning with the summary of a heartbeat if there is one.
    pub fn inventory(&mut self, beat: Option<(Moment, Summary)>) -> Option<Duration> {
        let is_woken = std::mem::take(&mut self.wake) == Wake::Everything;
        let at = beat.map_or_else(|| self.model.life().moment(), |(at, _)| at);
        let known = Prior { summary: beat.map(|(_, summary)| summary), list: self.list };
        let (finding, listed) = now(collect::devices::collect(self.model, ROOT, at, known));
        self.list = if let News::Devices(devices) = finding.news { Some(devices) } else { None };
        let fault = finding.fault.clone();
        self.fold(Collector::Devices, at, finding);
        let (started, before) = (self.model.life().moment(), self.reading.clone());
        let finding = match listed {
            Some(listed) => {
                let plan = self.plan.users.unwrap();
                now(collect::users::collect(self.model, Order { before, listed, is_woken, is_only: false, plan }))
            }
            None => Finding::nothing(fault.unwrap()),
        };
        let mut follow_up = None;
        if let News::Users(reading) = &finding.news {
            self.reading = Some(Arc::clone(reading));
            follow_up = reading.follow_up;
        }
        self.fold(Collector::Users, started, finding);
        self.settled = self.model.life().mono;
        follow_up
    }

    /// Lives on for a time, with a heartbeat a minute, and inventory taken every quarter
    /// of an hour and when woken; looks at each minute's end.
    pub fn live(&mut self, time: u64, mut look: impl FnMut(&mut Self)) {
        let end = self.model.life().mono + time;
        loop {
            let now = self.model.life().mono;
            if self.next_beat.min(end) > now {
                self.model.wait(self.next_beat.min(end) - now);
            }
            if self.next_beat >= end {
                return;
            }
            let began = self.model.life().mono;
            let beat = self.beat();
            self.next_beat = began + if self.model.life().world.is_rootless { 5 * MINUTE } else { MINUTE };
            // A summary that is not long off is waited for; the schedule is the program's.
            if self.wake != Wake::Nothing || began >= self.next_stock {
                let follow_up = self.inventory(beat).map(|time| u64::try_from(time.as_millis()).unwrap());
                self.next_stock = self.model.life().mono + follow_up.unwrap_or(15 * MINUTE);
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

    pub fn tally(&self) -> UserCounts {
        self.snapshot.accounts().next().unwrap().tally.expect("the users are known")
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
