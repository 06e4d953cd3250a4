//! The one picture of all accounts, and the two ways it changes: an outcome is
//! folded in, and time passes.
//!
//! Verdicts are judged again on both occasions from the evidence kept here, so
//! a verdict can outlive neither its evidence nor its maximum age, whichever
//! tasks are still alive. What is dropped, and when, is written at each place:
//! an error in *keeping* evidence is how a wrong "passed" would come about.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::{
    account::{Account, AccountId, Identity, Standby},
    clock::{Moment, Timestamp},
    facts::{Fault, FaultClass, Known, RootReading, VirtualDevices},
    judge::{
        Cadence, Control, Reason, Status, Verdict,
        root::{self, RootEvidence},
    },
};

/// A collector, by the word that is also its flag, its file and its label value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collector {
    /// All pages of `iam:ListVirtualMFADevices`, between two summaries.
    Devices,
    /// The heartbeat: `iam:GetAccountSummary`.
    Root,
}

/// What is collected, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The intervals.
    pub cadence: Cadence,
    /// Whether collector `devices` runs. Collector `root` always does: the
    /// other's list is worth nothing without a heartbeat to hold it against.
    pub devices: bool,
}

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

/// All that is known of one account.
#[derive(Clone, Debug)]
pub struct AccountState {
    /// The account; `None` until credentials have proved whose they are.
    pub account: Option<Account>,
    /// The last heartbeat.
    pub reading: Option<Known<RootReading>>,
    /// The last list of virtual devices that no later heartbeat has contradicted.
    pub devices: Option<Known<VirtualDevices>>,
    health: BTreeMap<Collector, Health>,
    standings: [Standing; Control::ALL.len()],
}

/// Whether the accounts to watch could be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// When they last were.
    pub last_success: Option<Moment>,
    /// Why they last could not be; `None` while discovery is up.
    pub fault: Option<Fault>,
}

/// The picture of all accounts at one tick.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the picture was last aged.
    pub tick: Moment,
    /// What is collected.
    pub plan: Plan,
    /// How the accounts are found out.
    pub discovery: Discovery,
    /// Whether no list of accounts will come: the ambient account is the only one.
    is_lone: bool,
    accounts: BTreeMap<Option<AccountId>, Arc<AccountState>>,
}

/// What a run of a collector learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// A heartbeat.
    Root(RootReading),
    /// A complete list of virtual devices.
    Devices(VirtualDevices),
}

/// How a run of a collector ended. It may have learnt something *and* have a
/// fault: a summary with a key missing still tells what the others say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which collector ran.
    pub collector: Collector,
    /// When its first request was about to be sent.
    pub started: Moment,
    /// How long it took.
    pub duration: Duration,
    /// What it learnt, as of `started`.
    pub news: News,
    /// What was wrong.
    pub fault: Option<Fault>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was found out which accounts there are; others are watched no longer.
    Discovered {
        /// All of them, those that are not scanned included; the last known ones
        /// where the list could not be read.
        accounts: Vec<Account>,
        /// What was wrong with the list.
        fault: Option<Fault>,
        /// When it was asked for.
        at: Moment,
    },
    /// Credentials proved to be this account's: the one they are for, or, with
    /// no list of accounts, the one and only.
    Identified {
        /// Whose they are.
        identity: Identity,
        /// When that was asked.
        at: Moment,
    },
    /// An account's credentials could not be had, or are not its own.
    Unidentified {
        /// The account; `None` for the one and only, whichever it is.
        account: Option<AccountId>,
        /// What is wrong.
        fault: Fault,
        /// When that was tried.
        at: Moment,
    },
    /// A collector ran in an account.
    Collected {
        /// The account.
        account: AccountId,
        /// How it ended.
        outcome: Outcome,
    },
}

// === impl Collector ===

impl Collector {
    /// Every collector, in the order they are exported.
    pub const ALL: [Self; 2] = [Self::Devices, Self::Root];

    /// The collector's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Root => "root",
        }
    }
}

// === impl Plan ===

impl Plan {
    /// The collectors that run.
    pub fn collectors(&self) -> impl Iterator<Item = Collector> + use<> {
        let devices = self.devices;
        Collector::ALL.into_iter().filter(move |collector| devices || *collector != Collector::Devices)
    }

    /// How often `collector` runs where nothing slows it down.
    #[must_use]
    pub fn interval(&self, collector: Collector) -> Duration {
        match collector {
            Collector::Devices => self.cadence.devices,
            Collector::Root => self.cadence.root,
        }
    }
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
        self.is_up() && self.last_attempt.is_some_and(|at| now.mono.saturating_sub(at.mono) > patience)
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
    fn new(account: Option<Account>, plan: &Plan) -> Self {
        let is_scanned = account.as_ref().is_none_or(|account| account.standby == Standby::Scanned);
        let collectors = plan.collectors().filter(|_| is_scanned);
        let health = collectors.map(|collector| (collector, Health::pending())).collect();
        Self { account, reading: None, devices: None, health, standings: [Standing::NEW; Control::ALL.len()] }
    }

    /// The collectors and how they are doing.
    pub fn health(&self) -> impl Iterator<Item = (Collector, &Health)> {
        self.health.iter().map(|(collector, health)| (*collector, health))
    }

    /// The controls and what is said of them; of an account that is not scanned,
    /// nothing.
    pub fn standings(&self) -> impl Iterator<Item = (Control, &Standing)> {
        Control::ALL.into_iter().zip(&self.standings).filter(|_| self.is_scanned())
    }

    /// Whether the account's collectors run.
    #[must_use]
    pub fn is_scanned(&self) -> bool {
        self.account.as_ref().is_none_or(|account| account.standby == Standby::Scanned)
    }

    /// Takes over what a list says of the account. What was proved stays proved.
    fn rename(&mut self, account: &Account) {
        let partition = self.account.as_ref().and_then(|known| known.partition.clone());
        self.account = Some(Account { partition: partition.or_else(|| account.partition.clone()), ..account.clone() });
    }

    /// Notes which partition the credentials proved. Another one than before is
    /// another account under the same number: nothing read of the first is kept.
    fn prove(&mut self, identity: &Identity) {
        let Some(account) = &mut self.account else { return };
        if account.partition.replace(identity.partition.clone()).is_some_and(|old| old != identity.partition) {
            (self.reading, self.devices) = (None, None);
        }
    }

    /// Without credentials no collector runs, so each of them reports the fault.
    fn lose(&mut self, fault: &Fault, at: Moment) {
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

    fn learn(&mut self, outcome: Outcome) {
        let health = self.health.entry(outcome.collector).or_default();
        if health.last_attempt.is_some_and(|last| last.mono > outcome.started.mono) {
            return; // A run that was overtaken by a later one has nothing to add.
        }
        health.last_attempt = Some(outcome.started);
        health.duration = Some(outcome.duration);
        if outcome.fault.is_none() {
            health.last_success = Some(outcome.started);
        }
        health.fault = outcome.fault;
        match outcome.news {
            News::None => {}
            News::Root(reading) => self.reading = Some(Known::new(reading, outcome.started)),
            News::Devices(devices) => self.devices = Some(Known::new(devices, outcome.started)),
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

    fn verdicts(&self, cadence: &Cadence, now: Moment) -> [Verdict; Control::ALL.len()] {
        let evidence = RootEvidence { reading: self.reading.as_ref(), devices: self.devices.as_ref() };
        Control::ALL.map(|control| match &self.account {
            Some(account) => root::judge(control, account, evidence, cadence, now),
            None => Verdict::unknown(Reason::NotRead),
        })
    }

    fn judge(&mut self, cadence: &Cadence, now: Moment) {
        let verdicts = self.verdicts(cadence, now);
        for (standing, verdict) in self.standings.iter_mut().zip(verdicts) {
            standing.take(verdict);
        }
    }

    /// Whether anything about this account is different at `now`. Most ticks
    /// change nothing, and an unchanged account is shared, not copied.
    fn would_age(&self, plan: &Plan, now: Moment) -> bool {
        let stalls = |(collector, health): (&Collector, &Health)| {
            health.would_stall(patience(plan, *collector, self.reading.as_ref()), now)
        };
        self.health.iter().any(stalls)
            || !self.verdicts(&plan.cadence, now).iter().eq(self.standings.iter().map(|standing| &standing.verdict))
    }

    fn age(&mut self, plan: &Plan, now: Moment) {
        for (collector, health) in &mut self.health {
            health.age(patience(plan, *collector, self.reading.as_ref()), now);
        }
        self.judge(&plan.cadence, now);
    }
}

/// How long a collector may go without reporting: three of its intervals, and
/// the longest that one run may take.
fn patience(plan: &Plan, collector: Collector, reading: Option<&Known<RootReading>>) -> Duration {
    let interval = match (collector, reading) {
        (Collector::Root, Some(reading)) => plan.cadence.heartbeat(&reading.value),
        _ => plan.interval(collector),
    };
    interval * 3 + LONGEST_RUN
}

/// No run of a collector takes longer than this; it is cut off before.
pub const LONGEST_RUN: Duration = Duration::from_secs(120);

// === impl Snapshot ===

impl Snapshot {
    /// The picture at start: one account, of which nothing is known but that the
    /// ambient credentials will turn out to be its own.
    #[must_use]
    pub fn new(plan: Plan, now: Moment) -> Self {
        let accounts = BTreeMap::from([(None, Arc::new(AccountState::new(None, &plan)))]);
        let pending = Fault::new(FaultClass::Pending, "the credentials have not been looked at yet");
        Self {
            tick: now,
            plan,
            discovery: Discovery { last_success: None, fault: Some(pending) },
            is_lone: true,
            accounts,
        }
    }

    /// The picture at start where a list of accounts is still to come.
    #[must_use]
    pub fn awaiting_accounts(plan: Plan, now: Moment) -> Self {
        let pending = Fault::new(FaultClass::Pending, "the accounts have not been listed yet");
        let discovery = Discovery { last_success: None, fault: Some(pending) };
        Self { tick: now, plan, discovery, is_lone: false, accounts: BTreeMap::new() }
    }

    /// The accounts by id; the one under no id is the account whose credentials
    /// have not yet proved whose they are.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountState> {
        self.accounts.values().map(Arc::as_ref)
    }

    /// What is known of one account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&AccountState> {
        self.accounts.get(&Some(id)).map(Arc::as_ref)
    }

    /// The accounts that are not what they were in `before`, each with what it was.
    pub fn changes<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (Option<&'a AccountState>, &'a AccountState)> {
        self.accounts.iter().filter_map(|(id, state)| {
            let old = before.accounts.get(id);
            let is_same = old.is_some_and(|old| Arc::ptr_eq(old, state));
            (!is_same).then(|| (old.map(Arc::as_ref), state.as_ref()))
        })
    }

    /// Whether the accounts are known and each of their collectors has run.
    #[must_use]
    pub fn initial_pass_complete(&self) -> bool {
        let mut health = self.accounts().flat_map(AccountState::health);
        !self.accounts.is_empty() && health.all(|(_, health)| health.last_attempt.is_some())
    }

    /// Takes in something that happened.
    pub fn fold(&mut self, event: Event, now: Moment) {
        match event {
            Event::Discovered { accounts, fault, at } => {
                let last_success = if fault.is_none() { Some(at) } else { self.discovery.last_success };
                self.discovery = Discovery { last_success, fault };
                self.list(&accounts, now);
            }
            Event::Identified { identity, at } => self.identify(identity, at, now),
            Event::Unidentified { account, fault, at } => self.lose(account, fault, at),
            Event::Collected { account, outcome } => {
                let Some(state) = self.accounts.get_mut(&Some(account)) else { return };
                let state = Arc::make_mut(state);
                state.learn(outcome);
                state.judge(&self.plan.cadence, now);
            }
        }
    }

    /// Takes a list of accounts for all there are. An account that begins or
    /// ceases to be scanned begins anew.
    fn list(&mut self, accounts: &[Account], now: Moment) {
        self.is_lone = false;
        let listed: BTreeSet<_> = accounts.iter().map(|account| Some(account.id)).collect();
        self.accounts.retain(|id, _| listed.contains(id));
        for account in accounts {
            let new = || Arc::new(AccountState::new(Some(account.clone()), &self.plan));
            let state = self.accounts.entry(Some(account.id)).or_insert_with(new);
            let known = state.account.as_ref();
            if known.is_none_or(|known| known.standby != account.standby) {
                *state = new();
            } else if known.is_some_and(|known| !known.is_described_as(account)) {
                let state = Arc::make_mut(state);
                state.rename(account);
                state.judge(&self.plan.cadence, now);
            }
        }
    }

    /// Lets time pass: judges everything again, and marks collectors that have
    /// fallen silent.
    pub fn age(&mut self, now: Moment) {
        self.tick = now;
        for state in self.accounts.values_mut().filter(|state| state.would_age(&self.plan, now)) {
            Arc::make_mut(state).age(&self.plan, now);
        }
    }

    fn identify(&mut self, identity: Identity, at: Moment, now: Moment) {
        let id = Some(identity.account);
        if self.is_lone {
            self.accounts.remove(&None);
            self.discovery = Discovery { last_success: Some(at), fault: None };
            let new = || Arc::new(AccountState::new(Some(Account::ambient(identity.clone())), &self.plan));
            self.accounts.entry(id).or_insert_with(new);
        }
        // Most runs prove what is known already, and an unchanged account is shared.
        let Some(state) = self.accounts.get_mut(&id) else { return };
        if state.account.as_ref().is_some_and(|account| account.partition.as_ref() != Some(&identity.partition)) {
            let state = Arc::make_mut(state);
            state.prove(&identity);
            state.judge(&self.plan.cadence, now);
        }
    }

    fn lose(&mut self, account: Option<AccountId>, fault: Fault, at: Moment) {
        let lost = self.accounts.iter_mut().filter(|(id, _)| account.is_none() || **id == account);
        lost.for_each(|(_, state)| Arc::make_mut(state).lose(&fault, at));
        if account.is_none() {
            self.discovery.fault = Some(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Confirmation, Summary};

    const PLAN: Plan =
        Plan { cadence: Cadence { root: Duration::from_secs(60), devices: Duration::from_secs(900) }, devices: true };

    fn at(mono: u64, step: i64) -> Moment {
        let wall = 1_764_000_000_000 + i64::try_from(mono).unwrap() * 1000 + step * 1000;
        Moment { wall: Timestamp::from_millis(wall), mono: Duration::from_secs(mono) }
    }

    fn identity() -> Identity {
        Identity::parse("arn:aws:iam::111111111111:root", "111111111111").unwrap()
    }

    fn watching() -> Snapshot {
        let mut snapshot = Snapshot::new(PLAN, at(0, 0));
        snapshot.fold(Event::Identified { identity: identity(), at: at(0, 0) }, at(0, 0));
        snapshot
    }

    fn beat(snapshot: &mut Snapshot, mfa: bool, started: Moment) {
        let summary = Summary { mfa_enabled: Some(mfa), password: Some(true), ..Summary::default() };
        let news = News::Root(RootReading { summary, confirmation: Confirmation::Agreed });
        let outcome = Outcome { collector: Collector::Root, started, duration: Duration::ZERO, news, fault: None };
        snapshot.fold(Event::Collected { account: identity().account, outcome }, started);
    }

    fn only(snapshot: &Snapshot) -> &AccountState {
        snapshot.accounts().next().unwrap()
    }

    #[test]
    fn a_regression_can_be_told_though_the_clock_was_stepped_back() {
        let mut snapshot = watching();
        beat(&mut snapshot, true, at(10, 0));
        beat(&mut snapshot, false, at(70, -86_400));
        let standing = only(&snapshot).standing(Control::Iam9);
        assert_eq!(standing.verdict.status, Status::Failed);
        assert!(standing.last_failed > standing.last_protected, "{standing:?}");
    }

    #[test]
    fn a_collector_that_does_not_report_is_down_whatever_it_said_last() {
        let mut snapshot = watching();
        beat(&mut snapshot, true, at(10, 0));
        let fault = |snapshot: &Snapshot| {
            let (_, health) = only(snapshot).health().find(|(collector, _)| *collector == Collector::Root).unwrap();
            health.fault.as_ref().map(|fault| fault.class)
        };
        snapshot.age(at(310, 0));
        assert_eq!(fault(&snapshot), None);
        snapshot.age(at(311, 0));
        assert_eq!(fault(&snapshot), Some(FaultClass::Stalled));
        assert_eq!(only(&snapshot).standing(Control::Iam9).verdict.status, Status::Unknown);
        beat(&mut snapshot, true, at(320, 0));
        assert_eq!(fault(&snapshot), None, "it recovers by reporting");
    }

    #[test]
    fn a_run_that_was_overtaken_changes_nothing() {
        let mut snapshot = watching();
        beat(&mut snapshot, false, at(70, 0));
        let before = format!("{snapshot:?}");
        beat(&mut snapshot, true, at(69, 0));
        assert_eq!(format!("{snapshot:?}"), before, "neither its verdict nor its health");
        beat(&mut snapshot, true, at(71, 0));
        assert_eq!(only(&snapshot).standing(Control::Iam9).verdict.status, Status::Passed);
    }

    #[test]
    fn a_lost_identity_is_every_collectors_fault_and_ends_no_verdict_early() {
        let mut snapshot = watching();
        beat(&mut snapshot, true, at(10, 0));
        let fault = Fault::new(FaultClass::WrongAccount, "another's");
        snapshot.fold(Event::Unidentified { account: None, fault, at: at(20, 0) }, at(20, 0));
        assert!(only(&snapshot).is_refused() && only(&snapshot).health().all(|(_, health)| !health.is_up()));
        assert_eq!(only(&snapshot).standing(Control::Iam9).verdict.status, Status::Passed);
        snapshot.age(at(191, 0));
        assert_eq!(only(&snapshot).standing(Control::Iam9).verdict.status, Status::Unknown);
    }
}
