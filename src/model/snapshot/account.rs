//! One account: what was read of it, how its collectors are doing, and what is
//! said of its controls.

mod judging;
mod standing;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    Collector, News, Outcome, Plan,
    root_devices::{RootDevices, RootDevicesMemory},
};
use crate::model::{
    account::{Account, AccountStatus, Identity},
    exemption::{Bindings, Exemption},
    facts::{
        Changes, Fault, FaultClass, Known, RootAudit, RootReading, Seal, UsersReading, VirtualDevices,
        contacts::{ContactsReading, RootEmail},
        policies::PoliciesReading,
        pools::PoolsReading,
    },
    judge::{Control, pools::PoolCensus},
    time::{Moment, Timestamp},
};
use judging::Taken;
pub use standing::{Health, Standing};

/// No run of a collector takes longer than this; it is cut off before.
pub const LONGEST_RUN: Duration = Duration::from_secs(120);

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
    /// The last audit of root.
    pub audit: Option<Known<RootAudit>>,
    /// When the account was last seen to have changed.
    pub changes: Changes,
    /// What was last seen of root's devices.
    pub root_devices: RootDevicesMemory,
    /// What was last seen of root's e-mail address.
    pub root_email: RootEmail,
    /// Which users the exemptions were for.
    pub bindings: Bindings,
    /// How the collectors were doing.
    pub health: BTreeMap<Collector, Health>,
    /// When the last call was made that has come back as an event.
    pub last_echo: Option<Moment>,
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
    /// The last audit of root.
    pub audit: Option<Known<RootAudit>>,
    /// What was last learnt of the user pools of Cognito.
    pools: Option<Known<Arc<PoolsReading>>>,
    /// What was last learnt of the contacts.
    contacts: Option<ContactsReading>,
    root_email: RootEmail,
    /// What was last learnt of the policies of the users.
    policies: Option<Known<Arc<PoliciesReading>>>,
    /// When the account was last seen to have changed.
    changes: Changes,
    /// When the last call was made that has come back as an event.
    pub(super) last_echo: Option<Moment>,
    root_devices: RootDevices,
    /// What is said of the pools, until something of it may be otherwise.
    pool_census: Option<PoolCensus>,
    /// What is said of the users, until something of it may be otherwise.
    census: Option<Taken>,
    bindings: Bindings,
    /// By collector. As many as run, and no map: it would have room for eleven.
    health: Vec<(Collector, Health)>,
    standings: [Standing; Control::ALL.len()],
}

// === impl AccountState ===

impl AccountState {
    pub(super) fn new(account: Option<Account>, plan: &Plan) -> Self {
        let health = collectors(account.as_ref(), plan).map(|collector| (collector, Health::pending())).collect();
        Self {
            account,
            reading: None,
            devices: None,
            users: None,
            audit: None,
            pools: None,
            contacts: None,
            root_email: RootEmail::default(),
            policies: None,
            changes: Changes::default(),
            last_echo: None,
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
            if let Some(kept) = state.health_of(collector) {
                *kept = health;
            }
        }
        (state.reading, state.devices, state.users) = (memory.reading, memory.devices, memory.users);
        (state.bindings, state.changes, state.last_echo) = (memory.bindings, memory.changes, memory.last_echo);
        state.audit = memory.audit.filter(|_| state.runs(Collector::Rootaudit));
        state.root_devices = RootDevices::remember(memory.root_devices);
        // Who does not read contacts any more keeps nothing of them.
        state.root_email = plan.contacts.map(|_| memory.root_email).unwrap_or_default();
        for (control, standing) in Control::ALL.into_iter().zip(&mut state.standings) {
            if let Some(past) = memory.past.get(&control) {
                standing.remember(*past, now);
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
            audit: self.audit.clone(),
            changes: self.changes,
            last_echo: self.last_echo,
            root_devices: self.root_devices.memory(),
            root_email: self.root_email,
            bindings: self.bindings.clone(),
            health: self.health.iter().cloned().collect(),
            past: Control::ALL.into_iter().zip(self.standings.iter().map(past)).collect(),
        })
    }

    /// The collectors and how they are doing.
    pub fn health(&self) -> impl Iterator<Item = (Collector, &Health)> {
        self.health.iter().map(|(collector, health)| (*collector, health))
    }

    fn health_of(&mut self, collector: Collector) -> Option<&mut Health> {
        self.health.iter_mut().find_map(|(known, health)| (*known == collector).then_some(health))
    }

    fn runs(&self, collector: Collector) -> bool {
        self.health.iter().any(|(known, _)| *known == collector)
    }

    /// Whether each collector has run since the program started; audits aside, which are
    /// spread over an hour.
    #[must_use]
    pub fn has_run(&self) -> bool {
        let mut own = self.health().filter(|(collector, _)| *collector != Collector::Rootaudit);
        own.all(|(_, health)| health.last_attempt.is_some_and(|at| !at.is_before_start()))
    }

    /// The controls and what is said of them; of an account that is not scanned,
    /// nothing, nor of users and of user pools where nobody collects them.
    pub fn standings(&self) -> impl Iterator<Item = (Control, &Standing)> {
        Control::ALL.into_iter().zip(&self.standings).filter(|(control, _)| self.is_judged(*control))
    }

    /// Whether anything is said of a control.
    #[must_use]
    pub fn is_judged(&self, control: Control) -> bool {
        self.is_scanned()
            && match control {
                Control::Cognito5 => self.runs(Collector::Cognito),
                Control::Iam5 | Control::Iam19 => self.runs(Collector::Users),
                Control::Iam4 | Control::Iam6 | Control::Iam9 => true,
            }
    }

    /// Whether the account's collectors run.
    #[must_use]
    pub fn is_scanned(&self) -> bool {
        self.account.as_ref().is_none_or(|account| account.status == AccountStatus::Scanned)
    }

    /// Takes over what a list says of the account. What was proved stays proved.
    pub(super) fn rename(&mut self, account: &Account, plan: &Plan) {
        let partition = self.account.as_ref().and_then(|known| known.partition.clone());
        self.account = Some(Account { partition: partition.or_else(|| account.partition.clone()), ..account.clone() });
        self.employ(plan);
    }

    /// What is known of root's e-mail address.
    #[must_use]
    pub fn root_email(&self) -> RootEmail {
        self.root_email
    }

    pub(super) fn keep_root_email(&mut self, email: RootEmail) {
        self.root_email = email;
    }

    /// Takes in what a list that was asked for at `at` says of root's e-mail address.
    pub(super) fn see_root_email(&mut self, seal: Option<Seal>, at: Moment) {
        self.root_email.see(seal, at);
    }

    /// Notes which partition the credentials proved. Another one than before is
    /// another account under the same number: nothing read of the first is kept.
    pub(super) fn prove(&mut self, identity: &Identity) {
        let Some(account) = &mut self.account else { return };
        if account.partition.replace(identity.partition.clone()).is_some_and(|old| old != identity.partition) {
            (self.reading, self.devices, self.users, self.pools) = (None, None, None, None);
            self.policies = None;
            self.audit = None;
            (self.changes, self.census, self.pool_census) = (Changes::default(), None, None);
            self.last_echo = None;
            self.root_devices = RootDevices::default();
            (self.contacts, self.root_email) = (None, RootEmail::default());
        }
    }

    /// Without credentials no collector runs, so each of them reports the fault; but for the
    /// one that needs none in the account.
    pub(super) fn lose(&mut self, fault: &Fault, at: Moment) {
        for (_, health) in self.health.iter_mut().filter(|(collector, _)| *collector != Collector::Rootaudit) {
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
        let own = self.health().filter(|(collector, _)| *collector != Collector::Rootaudit);
        own.filter_map(|(_, health)| health.fault.as_ref()).any(|fault| fault.class == FaultClass::WrongAccount)
    }

    /// Runs other collectors from now on. What those have learnt that still run
    /// stays, and so does what is known of their health.
    pub(super) fn configure(&mut self, plan: &Plan, exemptions: &[Exemption]) {
        self.employ(plan);
        if plan.users.is_none() {
            self.users = None;
        }
        if plan.cognito.is_none() {
            self.pools = None;
        }
        if plan.contacts.is_none() {
            (self.contacts, self.root_email) = (None, RootEmail::default());
        }
        if plan.policies.is_none() {
            self.policies = None;
        }
        (self.census, self.pool_census) = (None, None);
        self.bind(exemptions);
    }

    /// Keeps the health of the collectors that run, and no other.
    fn employ(&mut self, plan: &Plan) {
        let mut old: BTreeMap<_, _> = std::mem::take(&mut self.health).into_iter().collect();
        let collectors = collectors(self.account.as_ref(), plan);
        self.health = collectors.map(|c| (c, old.remove(&c).unwrap_or_else(Health::pending))).collect();
        if !self.runs(Collector::Rootaudit) {
            self.audit = None;
        }
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
        let Some(health) = self.health_of(outcome.collector) else { return };
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
            News::Audit(audit) => {
                self.root_devices.audit(self.audit.as_ref(), &audit, outcome.started, come);
                self.audit = Some(Known::new(audit, outcome.started));
            }
            News::Pools(read) => {
                let before = self.pools.take();
                let known = read.after(before.as_ref().map(|known| &*known.value));
                self.pools = Some(Known::new(Arc::new(known), outcome.started));
                self.pool_census = None;
            }
            News::Contacts(read) => self.contacts = Some(read.or(self.contacts.take())),
            News::Policies(read) => {
                self.policies = Some(Known::new(read, outcome.started));
                self.census = None;
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

/// The collectors that run in an account: none in one that is not scanned, and root is
/// audited only where it can be.
fn collectors(account: Option<&Account>, plan: &Plan) -> impl Iterator<Item = Collector> + use<> {
    let is_scanned = account.is_none_or(|account| account.status == AccountStatus::Scanned);
    let is_member = account.is_some_and(|account| account.member);
    plan.collectors().filter(move |collector| is_scanned && (is_member || *collector != Collector::Rootaudit))
}
