//! One account: what was read of it, how its collectors are doing, and what is
//! said of its controls.

mod judging;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    Collector, News, Outcome, Plan,
    root_devices::{RootDevices, RootDevicesMemory},
};
use crate::model::{
    account::{Account, AccountStatus, Identity},
    exemption::{Bindings, Exemption},
    facts::{Changes, Fault, FaultClass, Known, RootReading, UsersReading, VirtualDevices, pools::PoolsReading},
    judge::{Control, Reason, Status, Verdict, pools::PoolCensus},
    time::{Moment, Timestamp},
};
use judging::Taken;

/// No run of a collector takes longer than this; it is cut off before.
pub const LONGEST_RUN: Duration = Duration::from_secs(120);

/// How one collector of one account is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// When the last run that has reported was started.
    pub last_attempt: Option<Moment>,
    /// When the last run without a fault was started.
    pub last_success: Option<Moment>,
    /// How long the last run took.
    pub duration: Option<Duration>,
    /// What was wrong with the last run; `None` while the collector is up.
    pub fault: Option<Fault>,
}

/// What is said of one control of one account, and what was last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The verdict as of the last fold or tick.
    pub verdict: Verdict,
    /// The as-of time of the last answer judged passed or not applicable.
    pub last_protected: Option<Timestamp>,
    /// The as-of time of the last answer judged failed.
    pub last_failed: Option<Timestamp>,
    counted: Option<Moment>,
}

/// What an earlier run of the program knew of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The account.
    pub account: Account,
    /// The last heartbeat.
    pub reading: Option<Known<RootReading>>,
    /// The last list of virtual devices.
    pub devices: Option<Known<VirtualDevices>>,
    /// What was last known of the users.
    pub users: Option<Known<Arc<UsersReading>>>,
    /// When the account was last seen to have changed.
    pub changes: Changes,
    /// What was last seen of root's devices.
    pub root_devices: RootDevicesMemory,
    /// Which users the exemptions were for.
    pub bindings: Bindings,
    /// How the collectors were doing.
    pub health: BTreeMap<Collector, Health>,
    /// When the last call was made that has come back as an event.
    pub proof: Option<Moment>,
    /// When each control was last seen protected, and when failed.
    pub past: BTreeMap<Control, (Option<Timestamp>, Option<Timestamp>)>,
}

/// All that is known of one account.
#[derive(Clone, Debug)]
pub struct AccountState {
    /// The account; `None` until credentials have proved whose they are.
    pub account: Option<Account>,
    /// The last heartbeat.
    pub reading: Option<Known<RootReading>>,
    /// The last list of virtual devices that no later heartbeat has contradicted.
    pub devices: Option<Known<VirtualDevices>>,
    /// What was last learnt of the users.
    pub users: Option<Known<Arc<UsersReading>>>,
    /// What was last learnt of the user pools of Cognito.
    pools: Option<Known<Arc<PoolsReading>>>,
    /// When the account was last seen to have changed.
    changes: Changes,
    /// When the last call was made that has come back as an event.
    pub(super) proof: Option<Moment>,
    root_devices: RootDevices,
    /// What is said of the pools, until something of it may be otherwise.
    pool_census: Option<PoolCensus>,
    /// What is said of the users, until something of it may be otherwise.
    census: Option<Taken>,
    bindings: Bindings,
    health: BTreeMap<Collector, Health>,
    standings: [Standing; Control::ALL.len()],
}

// === impl Health ===

impl Health {
    fn pending() -> Self {
        let fault = Fault::new(FaultClass::Pending, "the collector has not run yet");
        Self { fault: Some(fault), ..Self::default() }
    }

    /// Whether the collector's last run is recent and without a fault.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.fault.is_none()
    }

    fn would_stall(&self, patience: Duration, now: Moment) -> bool {
        self.is_up() && self.last_attempt.is_some_and(|at| now.mono.since(at.mono) > patience)
    }

    /// A collector that does not report is down, whatever its last word was.
    fn age(&mut self, patience: Duration, now: Moment) {
        if self.would_stall(patience, now) {
            let detail = format!("no run has ended for more than {}", humantime::format_duration(patience));
            self.fault = Some(Fault::new(FaultClass::Stalled, detail));
        }
    }
}

// === impl Standing ===

impl Standing {
    const NEW: Self =
        Self { verdict: Verdict::unknown(Reason::NotRead), last_protected: None, last_failed: None, counted: None };

    /// Takes a verdict in. The two times of the past follow the order in which
    /// answers came, not the wall clock: were it stepped back between them, the
    /// older answer's time is moved before the newer's, so that "failed after
    /// it was protected" can always be told by comparing the two.
    fn take(&mut self, verdict: Verdict) {
        self.verdict = verdict;
        let Some(as_of) = verdict.as_of.filter(|at| self.counted.is_none_or(|seen| at.mono > seen.mono)) else {
            return;
        };
        self.counted = Some(as_of);
        let (newer, older) = match verdict.status {
            Status::Failed => (&mut self.last_failed, &mut self.last_protected),
            _ => (&mut self.last_protected, &mut self.last_failed),
        };
        *newer = Some(as_of.wall);
        let just_before = Timestamp::from_millis(as_of.wall.as_millis() - 1);
        *older = older.map(|older| older.min(just_before));
    }
}

// === impl AccountState ===

impl AccountState {
    pub(super) fn new(account: Option<Account>, plan: &Plan) -> Self {
        let is_scanned = account.as_ref().is_none_or(|account| account.status == AccountStatus::Scanned);
        let collectors = plan.collectors().filter(|_| is_scanned);
        let health = collectors.map(|collector| (collector, Health::pending())).collect();
        Self {
            account,
            reading: None,
            devices: None,
            users: None,
            pools: None,
            changes: Changes::default(),
            proof: None,
            root_devices: RootDevices::default(),
            pool_census: None,
            census: None,
            bindings: Bindings::default(),
            health,
            standings: [Standing::NEW; Control::ALL.len()],
        }
    }

    /// The account as an earlier run of the program left it, judged again.
    pub(super) fn remember(memory: Memory, plan: &Plan, exemptions: &[Exemption], now: Moment) -> Self {
        let mut state = Self::new(Some(memory.account), plan);
        for (collector, health) in memory.health {
            if let Some(kept) = state.health.get_mut(&collector) {
                *kept = health;
            }
        }
        (state.reading, state.devices, state.users) = (memory.reading, memory.devices, memory.users);
        (state.bindings, state.changes, state.proof) = (memory.bindings, memory.changes, memory.proof);
        state.root_devices = RootDevices::remember(memory.root_devices);
        for (control, standing) in Control::ALL.into_iter().zip(&mut state.standings) {
            if let Some((last_protected, last_failed)) = memory.past.get(&control) {
                (standing.last_protected, standing.last_failed) = (*last_protected, *last_failed);
                // What is remembered is counted already, and in its order.
                let latest = last_protected.max(last_failed);
                standing.counted = latest.map(|at| Moment::before_start(at, now));
            }
        }
        state.age(plan, exemptions, now);
        state
    }

    /// What the next run of the program should know; nothing of an account that
    /// nobody has named or proved yet.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        let past = |standing: &Standing| (standing.last_protected, standing.last_failed);
        Some(Memory {
            account: self.account.clone()?,
            reading: self.reading.clone(),
            devices: self.devices.clone(),
            users: self.users.clone(),
            changes: self.changes,
            proof: self.proof,
            root_devices: self.root_devices.memory(),
            bindings: self.bindings.clone(),
            health: self.health.clone(),
            past: Control::ALL.into_iter().zip(self.standings.iter().map(past)).collect(),
        })
    }

    /// The collectors and how they are doing.
    pub fn health(&self) -> impl Iterator<Item = (Collector, &Health)> {
        self.health.iter().map(|(collector, health)| (*collector, health))
    }

    /// Whether each collector has run since the program started.
    #[must_use]
    pub fn has_run(&self) -> bool {
        self.health.values().all(|health| health.last_attempt.is_some_and(|at| !at.is_before_start()))
    }

    /// The controls and what is said of them; of an account that is not scanned,
    /// nothing, nor of users and of user pools where nobody collects them.
    pub fn standings(&self) -> impl Iterator<Item = (Control, &Standing)> {
        Control::ALL.into_iter().zip(&self.standings).filter(|(control, _)| self.is_judged(*control))
    }

    /// Whether anything is said of a control.
    #[must_use]
    pub fn is_judged(&self, control: Control) -> bool {
        let is_collected = |collector| self.health.contains_key(&collector);
        self.is_scanned()
            && match control {
                Control::Cognito5 => is_collected(Collector::Cognito),
                Control::Iam5 | Control::Iam19 => is_collected(Collector::Users),
                Control::Iam4 | Control::Iam6 | Control::Iam9 => true,
            }
    }

    /// Whether the account's collectors run.
    #[must_use]
    pub fn is_scanned(&self) -> bool {
        self.account.as_ref().is_none_or(|account| account.status == AccountStatus::Scanned)
    }

    /// Takes over what a list says of the account. What was proved stays proved.
    pub(super) fn rename(&mut self, account: &Account) {
        let partition = self.account.as_ref().and_then(|known| known.partition.clone());
        self.account = Some(Account { partition: partition.or_else(|| account.partition.clone()), ..account.clone() });
    }

    /// Notes which partition the credentials proved. Another one than before is
    /// another account under the same number: nothing read of the first is kept.
    pub(super) fn prove(&mut self, identity: &Identity) {
        let Some(account) = &mut self.account else { return };
        if account.partition.replace(identity.partition.clone()).is_some_and(|old| old != identity.partition) {
            (self.reading, self.devices, self.users, self.pools) = (None, None, None, None);
            (self.changes, self.census, self.pool_census) = (Changes::default(), None, None);
            self.proof = None;
            self.root_devices = RootDevices::default();
        }
    }

    /// Without credentials no collector runs, so each of them reports the fault.
    pub(super) fn lose(&mut self, fault: &Fault, at: Moment) {
        for health in self.health.values_mut() {
            health.last_attempt = Some(at);
            health.fault = Some(fault.clone());
        }
    }

    /// What is said of one control.
    #[must_use]
    pub fn standing(&self, control: Control) -> &Standing {
        let place = Control::ALL.iter().position(|known| *known == control);
        &self.standings[place.expect("every control is in the list of all")]
    }

    /// Whether the credentials turned out to be another account's.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.health.values().any(|health| health.fault.as_ref().is_some_and(|f| f.class == FaultClass::WrongAccount))
    }

    /// Runs other collectors from now on. What those have learnt that still run
    /// stays, and so does what is known of their health.
    pub(super) fn configure(&mut self, plan: &Plan, exemptions: &[Exemption]) {
        let mut old = std::mem::take(&mut self.health);
        let collectors = plan.collectors().filter(|_| self.is_scanned());
        self.health = collectors.map(|c| (c, old.remove(&c).unwrap_or_else(Health::pending))).collect();
        if plan.users.is_none() {
            self.users = None;
        }
        if plan.cognito.is_none() {
            self.pools = None;
        }
        (self.census, self.pool_census) = (None, None);
        self.bind(exemptions);
    }

    fn bind(&mut self, exemptions: &[Exemption]) {
        if let (Some(account), Some(users)) = (&self.account, &self.users) {
            self.bindings.bind(exemptions, account.id, &users.value.users);
        }
    }

    pub(super) fn learn(&mut self, outcome: Outcome, exemptions: &[Exemption]) {
        // Also a run that failed, or was overtaken, may have seen that something changed.
        let changes = self.changes.merged(&outcome.changes);
        if std::mem::replace(&mut self.changes, changes) != changes {
            self.census = None;
        }
        // A collector that was switched off while it ran has nothing to say.
        let Some(health) = self.health.get_mut(&outcome.collector) else { return };
        if health.last_attempt.is_some_and(|last| last.mono > outcome.started.mono) {
            return; // A run that was overtaken by a later one has nothing to add.
        }
        health.last_attempt = Some(outcome.started);
        health.duration = Some(outcome.duration);
        if outcome.fault.is_none() {
            health.last_success = Some(outcome.started);
        }
        health.fault = outcome.fault;
        let come = outcome.started.mono.plus(outcome.duration);
        match outcome.news {
            News::None => {}
            News::Root(reading) => {
                self.root_devices.beat(&reading, outcome.started, come);
                self.reading = Some(Known::new(reading, outcome.started));
            }
            News::Devices(devices) => {
                self.root_devices.list(&devices, outcome.started, come);
                self.devices = Some(Known::new(devices, outcome.started));
            }
            News::Pools(read) => {
                let before = self.pools.take();
                let known = read.after(before.as_ref().map(|known| &*known.value));
                self.pools = Some(Known::new(Arc::new(known), outcome.started));
                self.pool_census = None;
            }
            News::Users(users) => {
                self.users = Some(Known::new(users, outcome.started));
                self.census = None;
                self.bind(exemptions);
            }
        }
        self.void_outdated_devices();
    }

    /// A heartbeat that shows another fingerprint than an earlier list of devices
    /// voids the list for good. Were it only set aside, a second change that
    /// happens to restore the old counters would bring its old answer back.
    fn void_outdated_devices(&mut self) {
        let Some(reading) = &self.reading else { return };
        let is_outdated = |list: &Known<VirtualDevices>| {
            list.as_of.mono <= reading.as_of.mono && !list.value.is_of(&reading.value.summary)
        };
        self.devices = self.devices.take().filter(|list| !is_outdated(list));
    }
}
