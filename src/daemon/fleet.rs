//! Who is watched: finds out which accounts there are, starts the collectors of
//! those that are new, and ends those of accounts that are gone.
//!
//! An account's collectors are its own tasks with its own credentials, rate and
//! memory. What all accounts share is the connection pool, the rate of calls to
//! STS, and the places for requests under way and for inventories. Nothing that goes wrong in one
//! account reaches another, and a list that cannot be read ends nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    aws::{Auditor, Caller, Session, organizations::Directory},
    cli::settings::Settings,
    collect::progress::Only,
    config::{Access, Organization},
    daemon::{
        account_run::{AccountRun, INVENTORIES, Knowledge},
        root_access,
        roster::{Listing, Roster, Watched},
        supervise::{caught, forever},
        wakes::Wakes,
    },
    metrics::exporter_metrics::ExporterMetrics,
    model::{
        account::AccountId,
        facts::{Fault, FaultClass, SealKey},
        organization::{Entry, Unit},
        snapshot::{Event, Plan, Snapshot},
    },
    rate_limit::Learner,
    schedule::{self, Slot},
};

/// Calls a second to STS, whose limit all of an account's principals share: a
/// sixth of the 600 that AWS documents. And how many at once.
const STS_RATE: [f64; 2] = [100.0, 100.0];

/// Calls a second to Organizations, which allows 8 an account; and how many at once.
const ORGANIZATIONS_RATE: [f64; 2] = [4.0, 8.0];

/// However many accounts there are, all of it is listed in this time or not at all.
const DISCOVERY_DEADLINE: Duration = Duration::from_secs(10 * 60);

/// A list that failed is asked for again after this.
const DISCOVER_AGAIN: Duration = Duration::from_secs(60);

/// Where there is no organization there is nothing to ask for, and this is how long
/// nothing is asked for.
const NO_LIST: Duration = Duration::from_secs(24 * 3_600);

/// First runs are spread over this at most, and over this much an account.
const SPREAD: (Duration, Duration) = (Duration::from_secs(60), Duration::from_millis(60));

/// First audits are spread over so much an account, and over an interval at most.
const AUDIT_SPREAD: Duration = Duration::from_millis(3_600);

/// The accounts that are watched.
#[derive(Debug)]
pub struct Fleet {
    caller: Caller,
    events: mpsc::Sender<Event>,
    metrics: ExporterMetrics,
    wakes: Wakes,
    /// The exporter's own credentials, and those of the profiles that assume roles.
    bases: BTreeMap<Option<String>, Session>,
    /// What audits root users, once one of them is to be.
    auditor: Option<Arc<Auditor>>,
    roster: Roster,
    runs: BTreeMap<Option<AccountId>, Running>,
    /// With what root's e-mail addresses are hashed.
    address_key: SealKey,
    /// Who asks about centralized root access, and how often.
    root_access: Option<(Duration, JoinSet<()>)>,
    /// What is known of each account when its next run begins.
    knowledge: BTreeMap<Option<AccountId>, Knowledge>,
    /// The places for inventories.
    places: Arc<Semaphore>,
    /// When the first accounts were started, from where slots are counted.
    origin: Option<Instant>,
}

/// How an account is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Watch {
    access: Access,
    /// Whether its root can be audited from outside.
    is_member: bool,
}

/// An account's collectors; they end when this is dropped.
#[derive(Debug)]
struct Running {
    watch: Watch,
    plan: Arc<Plan>,
    max_rate: u32,
    _tasks: JoinSet<()>,
}

impl Watch {
    /// The account that is the only one.
    const ALONE: Self = Self { access: Access::Ambient, is_member: false };
}

impl Fleet {
    /// A fleet of nobody. All calls are made through `caller`'s clients.
    #[must_use]
    pub fn new(caller: Caller, events: mpsc::Sender<Event>, metrics: ExporterMetrics) -> Self {
        let (wakes, bases, roster, runs) = (Wakes::default(), BTreeMap::new(), Roster::default(), BTreeMap::new());
        let (auditor, root_access, knowledge, address_key) = (None, None, BTreeMap::new(), schedule::key());
        let (places, origin) = (Arc::new(Semaphore::new(INVENTORIES)), None);
        Self {
            caller,
            events,
            metrics,
            wakes,
            bases,
            auditor,
            roster,
            runs,
            address_key,
            root_access,
            knowledge,
            places,
            origin,
        }
    }

    /// The same, and whoever wakes an account by `wakes` has it read.
    #[must_use]
    pub fn woken_by(self, wakes: Wakes) -> Self {
        Self { wakes, ..self }
    }

    /// The same, and the first list of an organization is held against the accounts
    /// of `earlier`, which an earlier run has left; of its users nobody is asked what
    /// was answered then, as long as that is good.
    #[must_use]
    pub fn expecting(self, earlier: &Snapshot) -> Self {
        let accounts = earlier.accounts().filter_map(|state| state.account.as_ref());
        let roster = Roster::expecting(accounts);
        let is_single = earlier.is_single_account();
        let knowledge = earlier.accounts().filter_map(|state| {
            let (account, (users, changes)) = (state.account.as_ref()?, state.knowledge());
            let recalled = Knowledge::recalled(account.identity()?, users, changes)
                .with_audit(state.audit.clone())
                .echoed(state.last_echo());
            Some(((!is_single).then_some(account.id), recalled))
        });
        let kept = earlier.accounts().find_map(|state| state.root_email().seal);
        let address_key = kept.map_or(self.address_key, |seal| seal.key);
        Self { roster, knowledge: knowledge.collect(), address_key, ..self }
    }

    /// Watches what the settings say, for ever.
    pub async fn run(mut self, mut settings: watch::Receiver<Arc<Settings>>) {
        loop {
            let current = Arc::clone(&settings.borrow_and_update());
            self.announce(&current).await;
            self.follow_root_access(&current).await;
            let listed = self.discover(&current).await;
            self.adjust(&current);
            let pause = match (&current.config.organization, listed) {
                (Some(organization), true) => organization.interval,
                (Some(organization), false) => organization.interval.min(DISCOVER_AGAIN),
                (None, _) => NO_LIST,
            };
            tokio::select! {
                () = sleep(schedule::jittered(pause)) => {}
                changed = settings.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Runs every collector of every account once, the accounts side by side.
    pub async fn once(&mut self, settings: &Settings, only: Only) {
        self.announce(settings).await;
        self.discover(settings).await;
        let mut accounts: Vec<_> = self.scanned(settings).map(|(id, watch)| (Some(id), watch)).collect();
        if settings.config.is_single_account() {
            accounts.push((None, Watch::ALONE));
        }
        only.progress.expect_accounts(accounts.len());
        let mut runs = JoinSet::new();
        for (id, watch) in accounts {
            runs.spawn(self.account(id, &watch, settings).once(only.clone()));
        }
        while runs.join_next().await.is_some() {
            only.progress.account_done();
        }
    }

    /// Tells by what settings the accounts are to be judged.
    async fn announce(&self, settings: &Settings) {
        let exemptions = settings.config.exemptions.clone();
        // Nobody listens only while the program is going down.
        let _ = self.events.send(Event::Configured { plan: Plan::clone(&settings.plan), exemptions }).await;
    }

    /// Starts or ends the questions about centralized root access. Of several shards the
    /// first asks.
    async fn follow_root_access(&mut self, settings: &Settings) {
        let asking = settings.config.organization.as_ref().filter(|organization| organization.root_access);
        let wanted =
            asking.filter(|_| settings.shard.ordinal() == 0).map(|organization| organization.root_access_interval);
        if wanted == self.root_access.as_ref().map(|(interval, _)| *interval) {
            return;
        }
        // Nobody listens only while the program is going down.
        let _ = self.events.send(Event::RootAccessWanted(wanted)).await;
        self.root_access = wanted.map(|interval| {
            let (session, events) = (self.base(None), self.events.clone());
            let mut tasks = JoinSet::new();
            let run = move || root_access::follow(session.clone(), interval, events.clone());
            tasks.spawn(forever("root_access", self.metrics.clone(), run));
            (interval, tasks)
        });
    }

    /// Finds out which accounts there are, and tells; true if all went well.
    async fn discover(&mut self, settings: &Settings) -> bool {
        if settings.config.is_single_account() {
            return true;
        }
        let at = self.caller.clock().now();
        let fault = match &settings.config.organization {
            None => None,
            Some(organization) => {
                if !self.roster.is_listed() {
                    self.roster.expect_none_of(&settings.config.accounts);
                }
                let addresses = settings.plan.contacts.map(|_| self.address_key);
                let listed = caught(Box::pin(timeout(DISCOVERY_DEADLINE, self.list(organization, addresses)))).await;
                let late = |_| Err(Fault::new(FaultClass::Timeout, "ListAccounts: the list took too long"));
                let listed = match listed {
                    Some(listed) => listed.unwrap_or_else(late),
                    None => Err(self.panicked()),
                };
                // Also where there is no new list: the filters may be new.
                listed.and(self.roster.filter(organization)).err()
            }
        };
        let all_well = fault.is_none();
        let is_all = settings.config.organization.is_none() || self.roster.is_listed();
        let accounts = self.mine(settings).into_iter().map(|watched| watched.account).collect();
        // Nobody listens only while the program is going down.
        let _ = self.events.send(Event::Discovered { accounts, is_all, fault, at }).await;
        all_well
    }

    fn panicked(&self) -> Fault {
        self.metrics.task_panicked("discovery");
        Fault::new(FaultClass::Panicked, "ListAccounts: the discovery of accounts panicked; the log says where")
    }

    /// Lists the organization's accounts. Where the list is in doubt, or lacks a
    /// detail, that is a fault, and the list is taken in all the same.
    async fn list(&mut self, organization: &Organization, addresses: Option<SealKey>) -> Result<(), Fault> {
        let verified = self.base(None).verified().await?;
        let listed_by = verified.identity.clone();
        let directory = Directory::new(self.caller.with_rate(documented(ORGANIZATIONS_RATE)), verified);
        let mut entries = directory.accounts(addresses).await?;
        let management = directory.management().await;
        let (units, details) = detail(&directory, organization, &mut entries).await;
        let details = management.as_ref().map(|_| ()).map_err(Fault::clone).and(details);
        let listing = Listing { listed_by, entries, management: management.ok(), units };
        self.roster.take(listing, self.caller.clock().now().mono).and(details)
    }

    /// Starts and ends collectors, so that those that run are those that should.
    fn adjust(&mut self, settings: &Settings) {
        let mut wanted: BTreeMap<_, _> = self.scanned(settings).map(|(id, watch)| (Some(id), watch)).collect();
        if settings.config.is_single_account() {
            wanted.insert(None, Watch::ALONE);
        }
        self.runs.retain(|id, running| {
            let watch = wanted.get(id);
            if watch.is_none() {
                self.knowledge.remove(id);
                id.iter().for_each(|id| self.metrics.rate_reduced(*id, None));
            }
            watch == Some(&running.watch) && running.plan == settings.plan && running.max_rate == settings.max_rate
        });
        let missing = wanted.keys().filter(|id| !self.runs.contains_key(*id)).count();
        let count = u32::try_from(missing.saturating_sub(1)).unwrap_or(u32::MAX);
        let (accounts, round) = (wanted.len(), settings.plan.cadence.root);
        let spread = SPREAD.0.min(SPREAD.1.saturating_mul(count)).min(round);
        let origin = *self.origin.get_or_insert_with(Instant::now);
        for (rank, (id, watch)) in wanted.into_iter().enumerate() {
            if !self.runs.contains_key(&id) {
                let slot = Slot::of(rank, accounts, origin, round);
                let run = self.account(id, &watch, settings).in_slot(slot);
                let tasks = run.start(slot.first(spread), AUDIT_SPREAD.saturating_mul(count));
                let (plan, max_rate) = (Arc::clone(&settings.plan), settings.max_rate);
                self.runs.insert(id, Running { watch, plan, max_rate, _tasks: tasks });
            }
        }
    }

    fn account(&mut self, id: Option<AccountId>, watch: &Watch, settings: &Settings) -> AccountRun {
        let caller = self.caller.with_rate(Learner::new(settings.max_rate));
        let session = match &watch.access {
            Access::Ambient => Session::ambient(caller),
            Access::Profile(profile) => Session::profile(caller, profile),
            Access::Role { profile, role } => self.base(profile.as_deref()).assume(caller, role.clone()),
        };
        let session = match id {
            Some(id) => session.wanting(id),
            None => session,
        };
        let knowledge = self.knowledge.entry(id).or_default().clone();
        AccountRun::new(session, settings.plan.clone(), self.events.clone(), self.metrics.clone(), knowledge)
            .woken_by(self.wakes.clone())
            .in_places(Arc::clone(&self.places))
            .audited_by((settings.plan.rootaudit.is_some() && watch.is_member).then(|| self.auditor()))
    }

    /// What audits root users: one for all, with the exporter's own credentials.
    fn auditor(&mut self) -> Arc<Auditor> {
        let base = self.base(None);
        Arc::clone(self.auditor.get_or_insert_with(|| Arc::new(Auditor::new(base))))
    }

    /// The credentials that assume roles: one session, whoever they are for.
    fn base(&mut self, profile: Option<&str>) -> Session {
        let caller = &self.caller;
        let new = || match profile {
            None => Session::ambient(caller.with_rate(documented(STS_RATE))),
            Some(profile) => Session::profile(caller.with_rate(documented(STS_RATE)), profile),
        };
        self.bases.entry(profile.map(str::to_owned)).or_insert_with(new).clone()
    }

    /// The accounts of this shard.
    fn mine(&self, settings: &Settings) -> Vec<Watched> {
        let mut all = self.roster.watched(&settings.config);
        all.retain(|watched| settings.shard.keeps(watched.account.id));
        all
    }

    fn scanned(&self, settings: &Settings) -> impl Iterator<Item = (AccountId, Watch)> + use<> {
        self.mine(settings).into_iter().filter_map(|Watched { account, access }| {
            Some((account.id, Watch { access: access?, is_member: account.member }))
        })
    }
}

/// Adds what the configuration goes by, units and tags; and tells which units there
/// are, if that was asked and answered.
async fn detail(
    directory: &Directory,
    organization: &Organization,
    entries: &mut [Entry],
) -> (Option<Vec<Unit>>, Result<(), Fault>) {
    let (mut ended, mut units) = (Ok(()), None);
    if organization.asks_for_units() {
        match directory.tree().await {
            Ok(mut tree) => {
                entries.iter_mut().for_each(|entry| entry.unit = tree.of.remove(&entry.id));
                units = Some(tree.units);
            }
            Err(fault) => ended = Err(fault),
        }
    }
    if organization.asks_for_tags() {
        for entry in entries {
            match directory.tags(entry.id).await {
                Ok(tags) => entry.tags = Some(tags),
                Err(fault) => ended = Err(fault),
            }
        }
    }
    (units, ended)
}

fn documented([rate, burst]: [f64; 2]) -> Learner {
    Learner::documented(rate, burst)
}
