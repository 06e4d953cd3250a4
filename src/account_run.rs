//! One account's running collectors: when each runs next, what wakes it early,
//! and what becomes of a run that hangs or panics.
//!
//! The two collectors are two loops that share nothing but a [`Notify`]: the
//! heartbeat wakes the list of devices when the account's fingerprint moves. A
//! run never overlaps the next of its own kind, for the loop awaits it; and it
//! always ends, for a deadline is set on it.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep, timeout},
};

use crate::{
    account::Identity,
    aws::{Session, iam::AccountIam},
    collect::{self, Finding, root::Doubt},
    facts::{Confirmation, Fault, FaultClass, Fingerprint, RootReading},
    metrics::own::Own,
    schedule,
    snapshot::{Collector, Event, LONGEST_RUN, News, Outcome, Plan},
};

/// Two runs of `devices` are at least this far apart, however often the
/// heartbeat wakes it.
const DEVICES_GAP: Duration = Duration::from_secs(4);

/// How long the first list waits for the first heartbeat.
const FIRST_LIST: Duration = Duration::from_secs(15);

/// A heartbeat that takes longer than this is cut off: confirmation, retries
/// and waiting for the account's bucket included.
const ROOT_DEADLINE: Duration = Duration::from_secs(45);

/// What makes one account's collectors run.
#[derive(Debug, Clone)]
pub struct AccountRun {
    session: Session,
    plan: Plan,
    events: mpsc::Sender<Event>,
    own: Own,
    wake: Arc<Notify>,
}

/// When the heartbeat wakes the list of devices: when the fingerprint moves, and
/// once more at the heartbeat after, since a replica may have lagged.
#[derive(Debug, Default)]
pub struct Trigger {
    seen: Option<Fingerprint>,
    again: bool,
}

impl Trigger {
    /// Tells whether the heartbeat that read `fingerprint` wakes the others. A
    /// summary with missing keys shows no fingerprint, and wakes nothing.
    pub fn beat(&mut self, fingerprint: Option<Fingerprint>) -> bool {
        let Some(fingerprint) = fingerprint else { return false };
        let moved = self.seen.replace(fingerprint) != Some(fingerprint);
        std::mem::replace(&mut self.again, moved) || moved
    }
}

impl AccountRun {
    /// The collectors of the account that `session`'s credentials belong to.
    #[must_use]
    pub fn new(session: Session, plan: Plan, events: mpsc::Sender<Event>, own: Own) -> Self {
        Self { session, plan, events, own, wake: Arc::new(Notify::new()) }
    }

    /// Runs each collector once.
    pub async fn once(self) {
        let heartbeat =
            |iam: AccountIam, id: Identity| async move { collect::root::collect(&iam, doubt(&id, None)).await };
        self.run(Collector::Root, ROOT_DEADLINE, &mut 0, heartbeat).await;
        if self.plan.devices {
            let list = |iam: AccountIam, id: Identity| async move {
                collect::devices::collect(&iam, &id.root_arn(), None).await
            };
            self.run(Collector::Devices, LONGEST_RUN, &mut 0, list).await;
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
            let news = Box::pin(self.run(Collector::Root, ROOT_DEADLINE, &mut denials, collect)).await;
            before = None;
            if let News::Root(reading) = news {
                if trigger.beat(reading.summary.fingerprint()) {
                    self.wake.notify_one();
                }
                (last, before) = (Some(reading), Some(reading));
            }
            let interval = last.map_or(self.plan.cadence.root, |reading| self.plan.cadence.heartbeat(&reading));
            sleep(self.next(interval, denials).saturating_sub(began.elapsed())).await;
        }
    }

    /// Runs the list of devices, for ever: at its interval, and when woken.
    pub async fn devices(self) {
        let mut denials = 0;
        let mut before = None;
        // The first heartbeat wakes it. If none succeeds, the list is asked for all
        // the same, so that what is wrong with it is not called "pending" for long.
        let mut pause = FIRST_LIST.min(self.plan.cadence.devices);
        loop {
            let _ = timeout(pause, self.wake.notified()).await;
            let collect = move |iam: AccountIam, id: Identity| async move {
                collect::devices::collect(&iam, &id.root_arn(), before).await
            };
            before = match Box::pin(self.run(Collector::Devices, LONGEST_RUN, &mut denials, collect)).await {
                News::Devices(devices) => Some(devices),
                _ => None,
            };
            pause = self.next(self.plan.cadence.devices, denials);
            sleep(DEVICES_GAP).await;
        }
    }

    fn next(&self, interval: Duration, denials: u32) -> Duration {
        schedule::jittered(if denials > 0 { schedule::denial_delay(interval, denials) } else { interval })
    }

    /// One run: credentials, requests, report. Whatever goes wrong is reported.
    async fn run<C, F>(&self, collector: Collector, deadline: Duration, denials: &mut u32, collect: C) -> News
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
                return News::None;
            }
        };
        let account = verified.identity.account;
        self.tell(Event::Identified { identity: verified.identity.clone(), at: asked }).await;
        let started = clock.now();
        let iam = AccountIam::new(self.session.clone(), verified.clone());
        let finding = self.watch_over(collector, deadline, collect(iam, verified.identity)).await;
        let class = finding.fault.as_ref().map(|fault| fault.class);
        *denials = if class == Some(FaultClass::AccessDenied) { *denials + 1 } else { 0 };
        if class == Some(FaultClass::InvalidCredentials) {
            self.session.forget().await;
        }
        let duration = clock.now().mono.saturating_sub(started.mono);
        let Finding { news, fault } = finding;
        let outcome = Outcome { collector, started, duration, news: news.clone(), fault };
        self.tell(Event::Collected { account, outcome }).await;
        news
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
    use crate::facts::Summary;

    fn print(users: u32) -> Option<Fingerprint> {
        Summary {
            mfa_enabled: Some(true),
            password: Some(true),
            access_keys: Some(false),
            signing_certificates: Some(false),
            users: Some(users),
            mfa_devices: Some(0),
            mfa_devices_in_use: Some(1),
        }
        .fingerprint()
    }

    /// An account sleeps most of the time, and there may be ten thousand of them.
    #[tokio::test]
    async fn a_sleeping_account_is_small() {
        let environment = aws_config::SdkConfig::builder().behavior_version(crate::aws::behavior()).build();
        let (clock, own) = (crate::clock::Clock::new(), Own::new(true).unwrap());
        let meter = crate::aws::Meter::register(own.registry()).unwrap();
        let caller = crate::aws::Caller::new(crate::aws::Clients::new(&environment), meter, clock);
        let (events, _) = mpsc::channel(1);
        let plan = Plan { cadence: crate::judge::Cadence::DEFAULT, devices: true };
        let run = AccountRun::new(Session::ambient(caller), plan, events, own);
        let sizes = [size_of_val(&run.clone().heartbeat()), size_of_val(&run.devices())];
        assert!(sizes.iter().all(|size| *size < 2_048), "{sizes:?}");
    }

    #[test]
    fn a_moved_fingerprint_wakes_at_once_and_once_more() {
        let mut trigger = Trigger::default();
        let woken =
            [print(1), print(1), print(1), print(2), print(2), None, print(2), print(1)].map(|p| trigger.beat(p));
        assert_eq!(woken, [true, true, false, true, true, false, false, true]);
    }
}
