//! One account's running collectors: when each runs next, what wakes it early,
//! and what becomes of a run that hangs or panics.
//!
//! There are two loops. The heartbeat is one; the other takes inventory: it lists the
//! virtual devices and, by what that has shown, settles the users. The heartbeat
//! wakes it when the account's fingerprint moves, and hands it the summary that
//! the list of devices would otherwise begin with, for every call costs. A run
//! never overlaps the next of its own kind, for the loop awaits it; and it always
//! ends, for a deadline is set on it.

mod audits;
mod contacts;
mod due;
mod inventory;
mod knowledge;
mod loops;
mod policies;
mod pools;
mod series;
mod trigger;
mod waiting;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    aws::{Auditor, Session, iam::AccountIam},
    collect::{self, Finding, progress::Only, root::Doubt},
    daemon::{
        supervise::caught,
        wakes::{Arrivals, Wakes},
    },
    metrics::exporter_metrics::ExporterMetrics,
    model::{
        account::Identity,
        facts::{Confirmation, Fault, FaultClass, Fingerprint, RootReading, Summary},
        snapshot::{Collector, Event, News, Outcome, Plan},
        time::Moment,
    },
    schedule::{self, Slot},
};

pub use due::Due;
pub use inventory::INVENTORIES;
pub use knowledge::Knowledge;
use series::Series;
pub use trigger::Trigger;

/// A heartbeat that takes longer than this is cut off: confirmation, retries
/// and waiting for the account's rate included.
const ROOT_DEADLINE: Duration = Duration::from_secs(45);

/// What makes one account's collectors run. Its loops share it: a task that had a copy
/// would be larger by all of it.
#[derive(Debug)]
pub struct AccountRun {
    session: Session,
    /// What audits its root, if that is wanted and can be.
    auditor: Option<Arc<Auditor>>,
    plan: Arc<Plan>,
    /// When its heartbeats are.
    slot: Slot,
    events: mpsc::Sender<Event>,
    own: ExporterMetrics,
    wake: Notify,
    /// Whether the next inventory settles the users too, due or not.
    wants_users: AtomicBool,
    /// Whether the policies are to be read again, due or not.
    wants_policies: AtomicBool,
    /// Where events are waited for: one wakes the heartbeat.
    arrivals: Arc<Arrivals>,
    wakes: Wakes,
    beats: watch::Sender<Option<(Moment, Summary)>>,
    knowledge: Knowledge,
    /// The places for inventories, which all accounts share.
    places: Arc<Semaphore>,
    /// Where its collectors run once.
    only: Option<Only>,
}

/// How a run ended.
struct Ran<T> {
    /// When its first request was about to be sent.
    started: Moment,
    /// What it told the snapshot.
    news: News,
    /// What was wrong.
    fault: Option<Fault>,
    /// What it found for the runs after it.
    found: Option<T>,
}

impl<T> Ran<T> {
    fn reading(&self) -> Option<RootReading> {
        if let News::Root(reading) = self.news { Some(reading) } else { None }
    }
}

impl AccountRun {
    /// The collectors of the account that `session`'s credentials belong to, which
    /// begin with what is known of it.
    #[must_use]
    pub fn new(
        session: Session,
        plan: Arc<Plan>,
        events: mpsc::Sender<Event>,
        own: ExporterMetrics,
        knowledge: Knowledge,
    ) -> Self {
        let (wakes, beats, auditor) = (Wakes::default(), watch::Sender::new(None), None);
        knowledge.changes.seal_with(schedule::key());
        let arrivals = Arc::clone(&knowledge.arrivals);
        let slot = Slot::of(0, 1, Instant::now(), plan.cadence.root);
        Self {
            session,
            auditor,
            plan,
            slot,
            events,
            own,
            wake: Notify::default(),
            wants_users: AtomicBool::default(),
            wants_policies: AtomicBool::default(),
            arrivals,
            wakes,
            beats,
            knowledge,
            places: Arc::new(Semaphore::new(INVENTORIES)),
            only: None,
        }
    }

    /// The same, and whoever wakes the account by `wakes` has it read.
    #[must_use]
    pub fn woken_by(self, wakes: Wakes) -> Self {
        self.session.wanted().into_iter().for_each(|account| wakes.enlist(account, &self.arrivals));
        Self { wakes, ..self }
    }

    /// The same, and it takes inventory in one of these places, which it shares with others.
    #[must_use]
    pub fn in_places(self, places: Arc<Semaphore>) -> Self {
        Self { places, ..self }
    }

    /// The same, and one of many, with a slot among them.
    #[must_use]
    pub fn in_slot(self, slot: Slot) -> Self {
        Self { slot, ..self }
    }

    /// Runs each collector once.
    pub async fn once(mut self, only: Only) {
        self.only = Some(only);
        let ran = self.beat(None, &mut 0).await;
        let beat = ran.reading().map(|reading| (ran.started, reading.summary));
        let inventory = async {
            if self.plan.takes_inventory() {
                tokio::select! {
                    () = self.take_inventory_once(beat) => {}
                    () = self.keep_watch(ran.reading()) => {}
                }
            }
        };
        let pools = async {
            if self.plan.cognito.is_some() {
                self.read_pools(&mut 0).await;
            }
        };
        let contacts = async {
            if self.plan.contacts.is_some() {
                self.read_contacts(&mut 0).await;
            }
        };
        let policies = async {
            if self.plan.policies.is_some() {
                self.read_policies(&mut 0, None).await;
            }
        };
        let audit = async {
            if self.auditor.is_some() {
                self.audit().await;
            }
        };
        tokio::join!(inventory, pools, contacts, policies, audit);
    }

    /// Repeats the heartbeat for as long as something else takes: what is said of users
    /// holds only while one that is fresh would have shown a change.
    async fn keep_watch(&self, mut before: Option<RootReading>) {
        loop {
            sleep(self.plan.cadence.root).await;
            before = self.beat(before, &mut 0).await.reading();
        }
    }

    /// Runs the heartbeat for ever.
    async fn heartbeat(self: Arc<Self>) {
        let mut trigger = Trigger::default();
        let mut last: Option<RootReading> = None;
        // Only the run just before this one can confirm it; a gap starts anew.
        let mut before: Option<RootReading> = None;
        let (mut denials, mut series, start) = (0, Series::default(), Instant::now());
        loop {
            let began = Instant::now();
            // Boxed, so that between two runs an account is small.
            let ran = Box::pin(self.beat(before, &mut denials)).await;
            before = ran.reading();
            if let Some(reading) = before {
                self.beats.send_replace(Some((ran.started, reading.summary)));
                if trigger.beat(reading.summary.fingerprint()) {
                    self.wake.notify_one();
                }
                last = before;
            }
            let fingerprint = before.and_then(|reading| reading.summary.fingerprint());
            if series.read(began - start, fingerprint) {
                self.wants_users.store(true, Ordering::Relaxed);
                self.wants_policies.store(true, Ordering::Relaxed);
                self.wake.notify_one();
            }
            let interval = |plan: &Plan| last.map_or(plan.cadence.root, |reading| plan.cadence.heartbeat(&reading));
            // What has failed is tried again at the usual interval: it has no echo either.
            let next = |plan: &Plan| self.next_heartbeat(began, interval(plan), denials);
            let due = self.due(began, next, ran.fault.is_none() && denials == 0);
            if denials > 0 {
                // Who is denied is asked less often, whatever happens in the account.
                sleep_until(due.at(None)).await;
            } else {
                self.wait(due, &mut series, trigger.seen(), start).await;
            }
        }
    }

    /// Waits until `due`, or until an event wants the account read before.
    async fn wait(&self, due: Due<Instant>, series: &mut Series, seen: Option<Fingerprint>, start: Instant) {
        let mut last_echo = self.arrivals.last_echo();
        loop {
            let due = due.at(self.echo_until(*last_echo.borrow_and_update()));
            let early = series.due(start.elapsed()).map(|time| start + time).filter(|early| *early < due);
            tokio::select! {
                biased;
                () = sleep_until(early.unwrap_or(due)) => {
                    if early.is_some() {
                        series.pay(start.elapsed());
                        self.own.events.read_early();
                    }
                    return;
                }
                () = self.arrivals.wake.notified() => series.event(seen, start.elapsed()),
                _ = last_echo.changed() => {}
            }
        }
    }

    /// One heartbeat, after the one that read `before`.
    async fn beat(&self, before: Option<RootReading>, denials: &mut u32) -> Ran<()> {
        let changes = self.knowledge.changes.clone();
        let collect = move |iam: AccountIam, id: Identity| async move {
            (collect::root::collect(&iam, doubt(&id, before), &changes).await, None)
        };
        self.run(Collector::Root, ROOT_DEADLINE, denials, None, collect).await
    }

    /// One run: credentials, requests, report. Whatever goes wrong is reported. It
    /// began at `since`, where its first request was sent before.
    async fn run<T, C, F>(
        &self,
        collector: Collector,
        deadline: Duration,
        denials: &mut u32,
        since: Option<Moment>,
        collect: C,
    ) -> Ran<T>
    where
        C: FnOnce(AccountIam, Identity) -> F,
        F: Future<Output = (Finding, Option<T>)>,
        T: Send + 'static,
    {
        let clock = self.session.caller().clock();
        let asked = clock.now();
        let verified = caught(Box::pin(self.session.verified())).await.unwrap_or_else(|| {
            self.own.task_panicked(collector.as_str());
            Err(Fault::new(
                FaultClass::Panicked,
                "GetCallerIdentity: the check of the credentials panicked; the log says where",
            ))
        });
        let verified = match verified {
            Ok(verified) => verified,
            Err(fault) => {
                *denials = if fault.class == FaultClass::AccessDenied { *denials + 1 } else { 0 };
                self.tell(Event::Unidentified { account: self.session.wanted(), fault: fault.clone(), at: asked })
                    .await;
                return Ran { started: asked, news: News::None, fault: Some(fault), found: None };
            }
        };
        let account = verified.identity.account;
        self.knowledge.is_of(&verified.identity);
        if self.session.wanted().is_none() {
            self.wakes.enlist(account, &self.arrivals);
        }
        self.tell(Event::Identified { identity: verified.identity.clone(), at: asked }).await;
        let begun = clock.now();
        let started = since.unwrap_or(begun);
        let asked = self.wakes.is_heard().then(|| self.arrivals.asked.clone());
        let iam = AccountIam::new(self.session.clone(), verified.clone()).noting(asked);
        let (finding, found) =
            self.watch_over(collector, self.until_the_end(deadline), Box::pin(collect(iam, verified.identity))).await;
        self.own.rate_reduced(account, self.session.caller().reduced_rate());
        let class = finding.fault.as_ref().map(|fault| fault.class);
        *denials = if class == Some(FaultClass::AccessDenied) { *denials + 1 } else { 0 };
        if class == Some(FaultClass::InvalidCredentials) {
            self.session.forget().await;
        }
        let duration = clock.now().mono.since(begun.mono);
        let Finding { news, fault } = finding;
        let changes = self.knowledge.changes.get();
        let outcome = Outcome { collector, started, duration, news: news.clone(), fault: fault.clone(), changes };
        self.tell(Event::Collected { account, outcome: Box::new(outcome) }).await;
        Ran { started, news, fault, found }
    }

    /// The deadline of a run that begins now, if it is not to end sooner anyway.
    fn until_the_end(&self, deadline: Duration) -> Duration {
        let ends_at = self.only.as_ref().and_then(|only| only.ends_at);
        let now = self.session.caller().clock().now().mono;
        ends_at.map_or(deadline, |at| deadline.min(at.since(now)))
    }

    /// A panic of the run ends it and nothing else.
    async fn watch_over<T>(
        &self,
        collector: Collector,
        deadline: Duration,
        run: Pin<Box<impl Future<Output = (Finding, Option<T>)>>>,
    ) -> (Finding, Option<T>) {
        let fault = match timeout(deadline, caught(run)).await {
            Ok(Some(ran)) => return ran,
            Ok(None) => {
                self.own.task_panicked(collector.as_str());
                Fault::new(FaultClass::Panicked, "the collector panicked; the log says where")
            }
            Err(_) => {
                if self.until_the_end(Duration::MAX).is_zero() {
                    Fault::new(FaultClass::OutOfTime, "the run was cut off when the time allowed was over")
                } else {
                    let detail = format!("the run was cut off after {}", humantime::format_duration(deadline));
                    Fault::new(FaultClass::Timeout, detail)
                }
            }
        };
        (Finding::nothing(fault), None)
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
    use crate::model::snapshot::{AUDIT_INTERVAL, CognitoPlan, POLICIES_INTERVAL, UsersPlan};

    /// An account sleeps most of the time, and there may be ten thousand of them.
    #[tokio::test]
    async fn an_account_that_sleeps_or_waits_is_small() {
        let (clock, own) = (crate::clock::Clock::new(), ExporterMetrics::new(true).unwrap());
        let caller = crate::aws::Caller::new(crate::aws::LazyClients::default(), own.clone(), clock);
        let (events, _) = mpsc::channel(1);
        let plan = Arc::new(Plan {
            cadence: crate::model::judge::Cadence::DEFAULT,
            devices: true,
            users: Some(UsersPlan::DEFAULT),
            cognito: Some(CognitoPlan::new()),
            contacts: Some(Duration::from_secs(1)),
            policies: Some(POLICIES_INTERVAL),
            rootaudit: Some(AUDIT_INTERVAL),
        });
        let run = Arc::new(AccountRun::new(Session::ambient(caller), plan, events, own, Knowledge::default()));
        let of = || Arc::clone(&run);
        let sizes = [
            size_of_val(&*run),
            size_of_val(&of().heartbeat()),
            size_of_val(&of().policies()),
            size_of_val(&of().pools()),
            size_of_val(&of().contacts()),
            size_of_val(&of().audits(Duration::ZERO)),
            size_of_val(&of().inventory()),
        ];
        assert!(sizes.iter().all(|size| *size < 1_024), "{sizes:?}");
        // Thousands wait for STS at the start, each in the middle of a heartbeat.
        let waiting = [size_of_val(&run.beat(None, &mut 0)), size_of_val(&run.session.verified())];
        assert!(waiting.iter().all(|size| *size < 2_048), "{waiting:?}");
    }
}
