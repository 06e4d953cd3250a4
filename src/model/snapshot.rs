//! The one picture of all accounts, and the two ways it changes: an outcome is
//! folded in, and time passes.
//!
//! Verdicts are judged again on both occasions from the evidence kept here, so
//! a verdict can outlive neither its evidence nor its maximum age, whichever
//! tasks are still alive. What is dropped, and when, is written at each place:
//! an error in *keeping* evidence is how a wrong "passed" would come about.

use std::{collections::BTreeSet, sync::Arc};

mod account;
mod accounts;
mod event;
mod pace;
mod plan;
mod root_access;
mod root_devices;

pub use account::{AccountState, Health, LONGEST_RUN, Memory, Standing};
pub use event::{Event, News, Outcome};
pub use pace::LISTS_WITH_EVENTS;
pub use plan::{AUDIT_INTERVAL, CONTACTS_INTERVAL, CognitoPlan, Collector, POLICIES_INTERVAL, Plan, UsersPlan};
pub use root_access::{ROOT_ACCESS_AGAIN, ROOT_ACCESS_INTERVAL, RootAccess, RootAccessMemory, RootAccessReading};
pub use root_devices::RootDevicesMemory;

use accounts::Accounts;

use crate::model::{
    account::{Account, AccountId, Identity},
    exemption::Exemption,
    facts::{Fault, FaultClass},
    judge::users,
    time::Moment,
};

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
    /// Which users need no device.
    pub exemptions: Arc<[Exemption]>,
    /// How the accounts are found out.
    pub discovery: Discovery,
    /// Centralized root access of the organization.
    pub root_access: RootAccess,
    /// Whether no list of accounts will come: the ambient account is the only one.
    is_single_account: bool,
    accounts: Accounts,
}

/// The users of an account that have no MFA device, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing<Name> {
    /// Their names, in order, each with whether a console password is known.
    pub named: Vec<(Name, Option<bool>)>,
    /// How many there are beside those, over the limit or of no known name; `None`
    /// while it is not known of every user whether there is a device.
    pub omitted: Option<usize>,
}

// === impl Failing ===

impl Failing<&str> {
    /// The same, for longer than the snapshot is there.
    #[must_use]
    pub fn to_owned(&self) -> Failing<String> {
        let named = self.named.iter().map(|(name, password)| ((*name).to_owned(), *password)).collect();
        Failing { named, omitted: self.omitted }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The picture at start: one account, of which nothing is known but that the
    /// ambient credentials will turn out to be its own.
    #[must_use]
    pub fn new(plan: Plan, now: Moment) -> Self {
        let accounts = Accounts::from_iter([(None, Arc::new(AccountState::new(None, &plan)))]);
        let pending = Fault::new(FaultClass::Pending, "the credentials have not been looked at yet");
        let discovery = Discovery { last_success: None, fault: Some(pending) };
        let (exemptions, root_access) = (Arc::default(), RootAccess::default());
        Self { tick: now, plan, exemptions, discovery, root_access, is_single_account: true, accounts }
    }

    /// The picture at start where a list of accounts is still to come.
    #[must_use]
    pub fn awaiting_accounts(plan: Plan, now: Moment) -> Self {
        let pending = Fault::new(FaultClass::Pending, "the accounts have not been listed yet");
        let discovery = Discovery { last_success: None, fault: Some(pending) };
        let (exemptions, root_access, accounts) = (Arc::default(), RootAccess::default(), Accounts::default());
        Self { tick: now, plan, exemptions, discovery, root_access, is_single_account: false, accounts }
    }

    /// The accounts by id; the one under no id is the account whose credentials
    /// have not yet proved whose they are.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountState> {
        self.accounts.states()
    }

    /// What is known of one account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&AccountState> {
        self.accounts.get(Some(id))
    }

    /// The accounts that are not what they were in `before`, each with what it was.
    pub fn changes<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (Option<&'a AccountState>, &'a AccountState)> {
        self.accounts.changes(&before.accounts)
    }

    /// For each account in order, whether it is what it was in `before`; `None` if other
    /// accounts were watched then.
    #[must_use]
    pub fn unchanged(&self, before: &Self) -> Option<Vec<bool>> {
        self.accounts.unchanged(&before.accounts)
    }

    /// The users of `state` that have no device, if they are to be named and are known.
    #[must_use]
    pub fn failing<'a>(&self, state: &'a AccountState) -> Option<Failing<&'a str>> {
        let limit = usize::try_from(self.plan.users?.names?).unwrap_or(usize::MAX);
        let plan = state.in_force(&self.plan, self.tick);
        let all = users::failing(state.users_evidence(&plan, self.tick), &plan.users_terms(), self.tick);
        let named = all.iter().filter_map(|(user, password)| Some((user.name.as_deref()?, *password)));
        let mut named: Vec<_> = named.collect();
        named.sort_unstable();
        named.truncate(limit);
        let is_whole = state.user_counts().is_some_and(|counts| counts.without_mfa.is_some());
        Some(Failing { omitted: is_whole.then(|| all.len() - named.len()), named })
    }

    /// Whether the accounts are known and each of their collectors has run since
    /// the program started.
    #[must_use]
    pub fn initial_pass_complete(&self) -> bool {
        !self.accounts.is_empty() && self.accounts().all(AccountState::has_run)
    }

    /// Whether the ambient account is the only one there can be.
    #[must_use]
    pub fn is_single_account(&self) -> bool {
        self.is_single_account
    }

    /// Takes over what an earlier run of the program knew. It is judged again, by
    /// the same ages; what the accounts are is asked again all the same.
    pub fn restore(&mut self, memories: Vec<Memory>, listed: Option<Moment>, now: Moment) {
        self.discovery.last_success = listed;
        let (plan, exemptions) = (&self.plan, &*self.exemptions);
        self.accounts.relist(|accounts| {
            for memory in memories {
                accounts.remove(&None);
                let id = Some(memory.account.id);
                accounts.insert(id, Arc::new(AccountState::remember(memory, plan, exemptions, now)));
            }
        });
    }

    /// Takes in something that happened.
    pub fn fold(&mut self, event: Event, now: Moment) {
        match event {
            Event::Configured { plan, exemptions } => self.configure(plan, exemptions, now),
            Event::Discovered { accounts, is_all, fault, at } => {
                let last_success = if fault.is_none() { Some(at) } else { self.discovery.last_success };
                self.discovery = Discovery { last_success, fault };
                self.list(&accounts, is_all, at, now);
            }
            Event::RootAccessWanted(interval) => self.root_access.want(interval),
            Event::RootAccessRead(reading) => self.root_access.learn(*reading),
            Event::Identified { identity, at } => self.identify(identity, at, now),
            Event::Unidentified { account, fault, at } => self.lose(account, fault, at),
            Event::Collected { account, outcome } => {
                let Some(state) = self.accounts.edit(Some(account)) else { return };
                state.learn(*outcome, &self.exemptions);
                state.judge(&self.plan, &self.exemptions, now);
            }
            Event::Echoed { account, asked } => self.echo(account, asked, now),
        }
    }

    /// Notes that events of an account arrive, and judges anew where ages go by that.
    fn echo(&mut self, account: AccountId, asked: Moment, now: Moment) {
        let Some(state) = self.accounts.edit(Some(account)) else { return };
        state.echo(asked);
        if self.plan.cadence.with_events.is_some() {
            state.judge(&self.plan, &self.exemptions, now);
        }
    }

    /// Judges by other settings from now on.
    fn configure(&mut self, plan: Plan, exemptions: Arc<[Exemption]>, now: Moment) {
        if self.plan == plan && self.exemptions == exemptions {
            return;
        }
        (self.plan, self.exemptions) = (plan, exemptions);
        let (plan, exemptions) = (&self.plan, &*self.exemptions);
        self.accounts.edit_each(
            |_, _| true,
            |state| {
                state.configure(plan, exemptions);
                state.judge(plan, exemptions, now);
            },
        );
    }

    /// Takes a list of accounts in. An account that begins or ceases to be scanned
    /// begins anew.
    fn list(&mut self, accounts: &[Account], is_all: bool, at: Moment, now: Moment) {
        self.is_single_account = false;
        let (plan, exemptions) = (&self.plan, &*self.exemptions);
        self.accounts.relist(|known| {
            let listed: BTreeSet<_> = accounts.iter().map(|account| Some(account.id)).collect();
            known.retain(|id, _| listed.contains(id) || !is_all && id.is_some());
            for account in accounts {
                let new = || Arc::new(AccountState::new(Some(account.clone()), plan));
                let state = known.entry(Some(account.id)).or_insert_with(new);
                let described = state.account.as_ref();
                if described.is_none_or(|described| described.status != account.status) {
                    let email = state.root_email();
                    *state = new();
                    Arc::make_mut(state).keep_root_email(email);
                } else if described.is_some_and(|described| !described.is_described_as(account)) {
                    let state = Arc::make_mut(state);
                    state.rename(account, plan);
                    state.judge(plan, exemptions, now);
                }
                if plan.contacts.is_some() && account.email.is_some() && account.email != state.root_email().seal {
                    Arc::make_mut(state).see_root_email(account.email, at);
                }
            }
        });
    }

    /// Lets time pass: judges everything again, and marks collectors that have
    /// fallen silent.
    pub fn age(&mut self, now: Moment) {
        self.tick = now;
        let (plan, exemptions) = (&self.plan, &*self.exemptions);
        self.accounts.edit_each(|_, state| state.would_age(plan, now), |state| state.age(plan, exemptions, now));
    }

    fn identify(&mut self, identity: Identity, at: Moment, now: Moment) {
        let id = Some(identity.account);
        if self.is_single_account {
            self.discovery = Discovery { last_success: Some(at), fault: None };
            let new = || Arc::new(AccountState::new(Some(Account::ambient(identity.clone())), &self.plan));
            self.accounts.relist(|accounts| {
                accounts.retain(|known, _| *known == id);
                accounts.entry(id).or_insert_with(new);
            });
        }
        // Most runs prove what is known already, and an unchanged account is shared.
        let account = self.accounts.get(id).and_then(|state| state.account.as_ref());
        let is_news = account.is_some_and(|account| account.partition.as_ref() != Some(&identity.partition));
        if is_news && let Some(state) = self.accounts.edit(id) {
            state.prove(&identity);
            state.judge(&self.plan, &self.exemptions, now);
        }
    }

    fn lose(&mut self, account: Option<AccountId>, fault: Fault, at: Moment) {
        self.accounts.edit_each(|id, _| account.is_none() || id == account, |state| state.lose(&fault, at));
        if account.is_none() {
            self.discovery.fault = Some(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{
        facts::{Changes, Confirmation, RootReading, Summary},
        judge::{Cadence, Control, Status},
        time::{Timestamp, Uptime},
    };

    const PLAN: Plan = Plan { cadence: Cadence::new(Duration::from_secs(60), Duration::from_secs(900)), ..Plan::ROOT };

    fn at(mono: u64, step: i64) -> Moment {
        let wall = 1_764_000_000_000 + i64::try_from(mono).unwrap() * 1000 + step * 1000;
        Moment { wall: Timestamp::from_millis(wall), mono: Uptime::after_start(Duration::from_secs(mono)) }
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
        let changes = Changes::default();
        let outcome =
            Outcome { collector: Collector::Root, started, duration: Duration::ZERO, news, fault: None, changes };
        snapshot.fold(Event::Collected { account: identity().account, outcome: Box::new(outcome) }, started);
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

    /// What was reloaded once changed how often an account was read, and not how old
    /// the reading might get.
    #[test]
    fn other_intervals_change_how_old_a_reading_may_get() {
        let mut snapshot = watching();
        beat(&mut snapshot, true, at(10, 0));
        let slow = Cadence::new(Duration::from_secs(600), PLAN.cadence.devices);
        let order = |cadence| Event::Configured { plan: Plan { cadence, ..PLAN }, exemptions: Arc::default() };
        snapshot.fold(order(slow), at(11, 0));
        snapshot.age(at(500, 0));
        assert_eq!(only(&snapshot).standing(Control::Iam9).verdict.status, Status::Passed);
        snapshot.fold(order(PLAN.cadence), at(501, 0));
        assert_eq!(only(&snapshot).standing(Control::Iam9).verdict.status, Status::Unknown);
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
