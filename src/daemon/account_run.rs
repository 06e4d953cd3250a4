//! One account's running collectors: when each runs next, what wakes it early,
//! and what becomes of a run that hangs or panics.
//!
//! There are two loops. The heartbeat is one; the other takes inventory: it lists the
//! virtual devices and, by what that has shown, settles the users. The heartbeat
//! wakes it when the account's fingerprint moves, and hands it the summary that
//! the list of devices would otherwise begin with, for every call costs. A run
//! never overlaps the next of its own kind, for the loop awaits it; and it always
//! ends, for a deadline is set on it.

mod trigger;

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep, timeout},
};

use crate::{
    aws::{Session, iam::AccountIam},
    collect::{
        self, Finding,
        devices::{Listed, Prior},
        root::Doubt,
        users::Order,
    },
    metrics::exporter_metrics::ExporterMetrics,
    model::{
        account::Identity,
        facts::{Confirmation, Fault, FaultClass, RootReading, Summary, UsersReading, VirtualDevices},
        judge::SLOW_HEARTBEAT,
        snapshot::{Collector, Event, LONGEST_RUN, News, Outcome, Plan, UsersPlan},
        time::Moment,
    },
    schedule,
};

pub use trigger::{Trigger, Wake};

/// Two takings of inventory are at least this far apart, however often the heartbeat
/// wakes them.
const INVENTORY_GAP: Duration = Duration::from_secs(4);

/// How long the first one waits for the first heartbeat.
const FIRST_INVENTORY: Duration = Duration::from_secs(15);

/// One that is due waits for a heartbeat to begin with, where this is nothing beside
/// its interval.
const WORTH_WAITING: Duration = Duration::from_secs(75);

/// A summary may begin a list for this long.
const SUMMARY_LASTS: Duration = Duration::from_secs(5);

/// A heartbeat that takes longer than this is cut off: confirmation, retries
/// and waiting for the account's bucket included.
const ROOT_DEADLINE: Duration = Duration::from_secs(45);

/// What makes one account's collectors run.
#[derive(Debug, Clone)]
pub struct AccountRun {
    session: Session,
    plan: Plan,
    events: mpsc::Sender<Event>,
    own: ExporterMetrics,
    wake: Arc<Notify>,
    has_changed: Arc<AtomicBool>,
    beats: watch::Sender<Option<(Moment, Summary)>>,
    /// What the users' runs have learnt so far, for the next of them.
    users: Arc<Mutex<Option<Arc<UsersReading>>>>,
}

/// What one taking of inventory hands to the next.
#[derive(Debug, Default)]
struct Inventory {
    /// The list of devices of the run just before.
    list: Option<VirtualDevices>,
    /// When the users are due.
    users_due: Option<Instant>,
    /// How often in a row either collector was denied.
    denials: [u32; 2],
}

/// What one taking of inventory is to do.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// A summary to begin with, and when it was asked for.
    beat: Option<(Moment, Summary)>,
    /// Whether something has changed, so that no answer of old is believed.
    is_woken: bool,
    /// Whether the users are settled too.
    with_users: bool,
    /// Whether there will be no other.
    is_only: bool,
}

impl AccountRun {
    /// The collectors of the account that `session`'s credentials belong to.
    #[must_use]
    pub fn new(session: Session, plan: Plan, events: mpsc::Sender<Event>, own: ExporterMetrics) -> Self {
        let (wake, beats) = (Arc::new(Notify::new()), watch::Sender::new(None));
        Self { session, plan, events, own, wake, has_changed: Arc::default(), beats, users: Arc::default() }
    }

    /// The same, and the users' runs begin with what an earlier one has learnt.
    #[must_use]
    pub fn knowing(self, users: Option<Arc<UsersReading>>) -> Self {
        Self { users: Arc::new(Mutex::new(users)), ..self }
    }

    /// Runs each collector once.
    pub async fn once(self) {
        let heartbeat =
            |iam: AccountIam, id: Identity| async move { collect::root::collect(&iam, doubt(&id, None)).await };
        let (started, news) = self.run(Collector::Root, ROOT_DEADLINE, &mut 0, heartbeat).await;
        let beat = if let News::Root(reading) = news { Some((started, reading.summary)) } else { None };
        if self.plan.takes_inventory() {
            let turn = Turn { beat, is_woken: false, with_users: true, is_only: true };
            self.take_inventory(&mut Inventory::default(), turn).await;
        }
    }

    /// Runs the heartbeat for ever.
    pub async fn heartbeat(self) {
        let mut trigger = Trigger::default();
        let mut last: Option<RootReading> = None;
        // Only the run just before this one can confirm it; a gap starts anew.
        let mut before: Option<RootReading> = None;
        let mut denials = 0;
        loop {
            let began = Instant::now();
            let collect = move |iam: AccountIam, id: Identity| async move {
                collect::root::collect(&iam, doubt(&id, before)).await
            };
            // Boxed, so that between two runs an account is small.
            let (started, news) = Box::pin(self.run(Collector::Root, ROOT_DEADLINE, &mut denials, collect)).await;
            before = None;
            if let News::Root(reading) = news {
                self.beats.send_replace(Some((started, reading.summary)));
                let wake = trigger.beat(reading.summary.fingerprint());
                self.has_changed.fetch_or(wake == Wake::Everything, Ordering::SeqCst);
                if wake != Wake::Nothing {
                    self.wake.notify_one();
                }
                (last, before) = (Some(reading), Some(reading));
            }
            let interval = last.map_or(self.plan.cadence.root, |reading| self.plan.cadence.heartbeat(&reading));
            sleep(self.next(interval, denials).saturating_sub(began.elapsed())).await;
        }
    }

    /// Takes inventory of devices and users for ever: at their intervals, and when woken.
    pub async fn inventory(self) {
        let mut inventory = Inventory::default();
        let mut beats = self.beats.subscribe();
        // The first heartbeat wakes it. If none succeeds, the list is asked for all
        // the same, so that what is wrong with it is not called "pending" for long.
        let mut pause = FIRST_INVENTORY.min(self.plan.inventory_interval());
        loop {
            let is_due = timeout(pause, self.wake.notified()).await.is_err();
            if is_due && pause > WORTH_WAITING {
                self.await_beat(&mut beats).await;
            }
            let users_due = inventory.users_due.is_none_or(|due| due <= Instant::now());
            let is_woken = self.has_changed.swap(false, Ordering::SeqCst);
            let beat = *beats.borrow_and_update();
            let turn = Turn { beat, is_woken, with_users: is_woken || users_due, is_only: false };
            // Boxed, so that between two runs an account is small.
            pause = Box::pin(self.take_inventory(&mut inventory, turn)).await;
            sleep(INVENTORY_GAP).await;
        }
    }

    /// Waits for a heartbeat that is soon to come. Where none comes, or none soon,
    /// the run has to begin with a summary of its own.
    async fn await_beat(&self, beats: &mut watch::Receiver<Option<(Moment, Summary)>>) {
        beats.mark_unchanged();
        let is_slow = beats.borrow().is_some_and(|(_, summary)| summary.credentials_absent());
        let heartbeat = self.plan.cadence.root * if is_slow { SLOW_HEARTBEAT } else { 1 };
        let patience = heartbeat.mul_f64(1.1).min(self.plan.inventory_interval() / 2);
        let _ = timeout(patience, beats.changed()).await;
    }

    /// Lists the devices, and settles the users if it is their turn; tells how long
    /// the next run may wait.
    async fn take_inventory(&self, inventory: &mut Inventory, turn: Turn) -> Duration {
        let now = self.session.caller().clock().now();
        let beat = turn.beat.filter(|(at, _)| now.mono.saturating_sub(at.mono) <= SUMMARY_LASTS);
        let listed = self.list_devices(inventory, beat).await;
        let pause = self.next(self.plan.inventory_interval(), inventory.denials[0]);
        let Some(plan) = self.plan.users.filter(|_| turn.with_users) else { return pause };
        let follow_up = self.settle_users(inventory, plan, listed, turn).await;
        let next = self.next(plan.interval, inventory.denials[1]);
        // Users that are nearly due are settled along with the list of devices, which
        // would be read for them alone otherwise.
        let follow_up = follow_up.map(|time| time.min(next));
        inventory.users_due = Some(Instant::now() + follow_up.unwrap_or_else(|| next.mul_f64(0.8)));
        pause.min(follow_up.unwrap_or(next))
    }

    /// The list of devices, as a collector of its own where it is one.
    async fn list_devices(&self, inventory: &mut Inventory, beat: Option<(Moment, Summary)>) -> Result<Listed, Fault> {
        let slot = Arc::new(Mutex::new(None));
        let (known, found) =
            (Prior { summary: beat.map(|(_, summary)| summary), list: inventory.list }, Arc::clone(&slot));
        let clock = *self.session.caller().clock();
        let collect = move |iam: AccountIam, id: Identity| async move {
            let at = beat.map_or_else(|| clock.now(), |(at, _)| at);
            let (finding, listed) = collect::devices::collect(&iam, &id.root_arn(), at, known).await;
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(listed.ok_or(finding.fault.clone()));
            finding
        };
        let since = beat.map(|(at, _)| at);
        let (_, news) =
            self.run_since(Collector::Devices, LONGEST_RUN, &mut inventory.denials[0], since, collect).await;
        inventory.list = if let News::Devices(devices) = news { Some(devices) } else { None };
        let listed = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let unheard = || Fault::new(FaultClass::Pending, "ListVirtualMFADevices: the list was not read to its end");
        listed.unwrap_or(Err(None)).map_err(|fault| fault.unwrap_or_else(unheard))
    }

    /// Settles the users by the list of devices, if there is one.
    async fn settle_users(
        &self,
        inventory: &mut Inventory,
        plan: UsersPlan,
        listed: Result<Listed, Fault>,
        turn: Turn,
    ) -> Option<Duration> {
        let Turn { is_woken, is_only, .. } = turn;
        let before = self.users.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let collect = move |iam: AccountIam, _: Identity| async move {
            match listed {
                Ok(listed) => collect::users::collect(&iam, Order { before, listed, is_woken, is_only, plan }).await,
                Err(fault) => Finding::nothing(fault),
            }
        };
        let (_, news) = self.run(Collector::Users, LONGEST_RUN, &mut inventory.denials[1], collect).await;
        let News::Users(reading) = news else { return None };
        let follow_up = reading.follow_up;
        *self.users.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        follow_up
    }

    fn next(&self, interval: Duration, denials: u32) -> Duration {
        schedule::jittered(if denials > 0 { schedule::denial_delay(interval, denials) } else { interval })
    }

    /// One run: credentials, requests, report. Whatever goes wrong is reported. Tells
    /// when it began, and what it learnt.
    async fn run<C, F>(&self, collector: Collector, deadline: Duration, denials: &mut u32, collect: C) -> (Moment, News)
    where
        C: FnOnce(AccountIam, Identity) -> F,
        F: Future<Output = Finding> + Send + 'static,
    {
        self.run_since(collector, deadline, denials, None, collect).await
    }

    /// As [`Self::run`], of which the first request was sent at `since` already.
    async fn run_since<C, F>(
        &self,
        collector: Collector,
        deadline: Duration,
        denials: &mut u32,
        since: Option<Moment>,
        collect: C,
    ) -> (Moment, News)
    where
        C: FnOnce(AccountIam, Identity) -> F,
        F: Future<Output = Finding> + Send + 'static,
    {
        let clock = self.session.caller().clock();
        let asked = clock.now();
        let verified = match self.session.verified().await {
            Ok(verified) => verified,
            Err(fault) => {
                *denials = if fault.class == FaultClass::AccessDenied { *denials + 1 } else { 0 };
                self.tell(Event::Unidentified { account: self.session.wanted(), fault, at: asked }).await;
                return (asked, News::None);
            }
        };
        let account = verified.identity.account;
        self.tell(Event::Identified { identity: verified.identity.clone(), at: asked }).await;
        let begun = clock.now();
        let started = since.unwrap_or(begun);
        let iam = AccountIam::new(self.session.clone(), verified.clone());
        let finding = self.watch_over(collector, deadline, collect(iam, verified.identity)).await;
        let class = finding.fault.as_ref().map(|fault| fault.class);
        *denials = if class == Some(FaultClass::AccessDenied) { *denials + 1 } else { 0 };
        if class == Some(FaultClass::InvalidCredentials) {
            self.session.forget().await;
        }
        let duration = clock.now().mono.saturating_sub(begun.mono);
        let Finding { news, fault } = finding;
        let outcome = Outcome { collector, started, duration, news: news.clone(), fault };
        self.tell(Event::Collected { account, outcome }).await;
        (started, news)
    }

    /// A run has a task of its own, so that its panic ends it and nothing else.
    async fn watch_over(
        &self,
        collector: Collector,
        deadline: Duration,
        run: impl Future<Output = Finding> + Send + 'static,
    ) -> Finding {
        let mut task = tokio::spawn(run);
        match timeout(deadline, &mut task).await {
            Ok(Ok(finding)) => finding,
            Ok(Err(_)) => {
                self.own.task_panicked(collector.as_str());
                Finding::nothing(Fault::new(FaultClass::Panicked, "the collector panicked; the log says where"))
            }
            Err(_) => {
                task.abort();
                let detail = format!("the run was cut off after {}", humantime::format_duration(deadline));
                Finding::nothing(Fault::new(FaultClass::Timeout, detail))
            }
        }
    }

    /// Nobody listens only while the program is going down.
    async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }
}

/// What a failing answer needs now, given the heartbeat before it.
fn doubt(identity: &Identity, before: Option<RootReading>) -> Doubt {
    if identity.partition.is_us_gov() {
        return Doubt::Moot;
    }
    let settled =
        before.is_some_and(|reading| reading.confirmation == Confirmation::Agreed && reading.summary.is_unprotected());
    if settled { Doubt::Settled } else { Doubt::Ask }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An account sleeps most of the time, and there may be ten thousand of them.
    #[tokio::test]
    async fn a_sleeping_account_is_small() {
        let environment = aws_config::SdkConfig::builder().behavior_version(crate::aws::behavior()).build();
        let (clock, own) = (crate::clock::Clock::new(), ExporterMetrics::new(true).unwrap());
        let caller = crate::aws::Caller::new(crate::aws::Clients::new(&environment), own.clone(), clock);
        let (events, _) = mpsc::channel(1);
        let plan =
            Plan { cadence: crate::model::judge::Cadence::DEFAULT, devices: true, users: Some(UsersPlan::DEFAULT) };
        let run = AccountRun::new(Session::ambient(caller), plan, events, own);
        let sizes = [size_of_val(&run.clone().heartbeat()), size_of_val(&run.inventory())];
        assert!(sizes.iter().all(|size| *size < 2_048), "{sizes:?}");
    }
}
