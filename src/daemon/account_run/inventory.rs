//! The loop that takes inventory: it lists the virtual devices and, by what that has
//! shown, settles the users.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{AccountRun, Due};
use crate::{
    aws::iam::AccountIam,
    collect::{
        self, Finding,
        devices::{Listed, Prior},
        users::Order,
    },
    model::{
        account::Identity,
        facts::{Changes, Fault, FaultClass, Known, Summary, VirtualDevices},
        judge::users::{REPORT_PRECISION, UsersEvidence, gaps},
        snapshot::{Collector, LONGEST_RUN, News, Plan},
        time::Moment,
    },
};

/// Two takings of inventory are at least this far apart, however often the heartbeat
/// wakes them.
const INVENTORY_GAP: Duration = Duration::from_secs(4);

/// How many accounts take inventory at once; further ones wait in the order in which they
/// come. If 10,000 began in the same minute, each would ask so slowly that its time was
/// over before it had an answer to everything, and all would begin anew; and their
/// questions would be in the way of every heartbeat.
pub const INVENTORIES: usize = 256;

/// An inventory that takes longer than this gives its place up, and goes on without: a
/// thousand accounts that hang delay the others, and do not stop them.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the first one waits for the first heartbeat.
const FIRST_INVENTORY: Duration = Duration::from_secs(15);

/// One that is due waits for a heartbeat to begin with, where this is nothing beside
/// its interval.
const WORTH_WAITING: Duration = Duration::from_secs(75);

/// A summary may begin a list for this long.
const SUMMARY_LASTS: Duration = Duration::from_secs(5);

/// What one taking of inventory hands to the next.
#[derive(Debug, Default)]
struct Inventory {
    /// The list of devices of the run just before.
    list: Option<VirtualDevices>,
    /// When the users are due.
    users_due: Option<Due<Instant>>,
    /// When they were last begun with.
    users_began: Option<Moment>,
    /// How often in a row either collector was denied.
    denials: [u32; 2],
}

/// What one taking of inventory is to do.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// A summary to begin with, and when it was asked for.
    beat: Option<(Moment, Summary)>,
    /// Whether the users are settled too.
    with_users: bool,
}

impl Inventory {
    /// Whether the account was seen to change since the users were last begun with.
    fn has_changed(&self, changes: &Changes) -> bool {
        changes.last.is_some_and(|last| self.users_began.is_none_or(|began| last.mono > began.mono))
    }
}

impl AccountRun {
    /// Takes inventory of devices and users for ever: at their intervals, and when woken.
    pub(super) async fn inventory(self: Arc<Self>) {
        let mut inventory = Inventory::default();
        let mut beats = self.beats.subscribe();
        // The first heartbeat wakes it. If none succeeds, the list is asked for all
        // the same, so that what is wrong with it is not called "pending" for long.
        let mut due = Due::after(Instant::now(), FIRST_INVENTORY.min(self.plan.inventory_interval()), None);
        loop {
            let began = Instant::now();
            let is_due = self.await_due(due).await;
            if is_due && began.elapsed() > WORTH_WAITING {
                self.await_beat(&mut beats, due.may_wait()).await;
            }
            let turn = |inventory: &Inventory| {
                let users_due = inventory.users_due.is_none_or(|due| due.at(self.echo_end()) <= Instant::now());
                let is_wanted = self.wants_users.swap(false, Ordering::Relaxed);
                let with_users = is_wanted || users_due || inventory.has_changed(&self.knowledge.changes.get());
                Turn { beat: *beats.borrow_and_update(), with_users }
            };
            due = self.take_inventory_in_turn(&mut inventory, turn).await;
            due = due.no_sooner_than(Instant::now() + INVENTORY_GAP);
            sleep(INVENTORY_GAP).await;
        }
    }

    /// Waits until one is due; false where it was woken before.
    async fn await_due(&self, due: Due<Instant>) -> bool {
        let mut last_echo = self.arrivals.last_echo();
        loop {
            let at = due.at(self.echo_until(*last_echo.borrow_and_update()));
            tokio::select! {
                biased;
                () = self.wake.notified() => return false,
                () = sleep_until(at) => return true,
                _ = last_echo.changed() => {}
            }
        }
    }

    /// Waits for a heartbeat that is soon to come. Where none comes, or none soon,
    /// the run has to begin with a summary of its own.
    async fn await_beat(&self, beats: &mut watch::Receiver<Option<(Moment, Summary)>>, may_wait: bool) {
        beats.mark_unchanged();
        // What was to be good for a usual interval is not good while a longer one lasts.
        let plan = if may_wait { self.running() } else { Cow::Borrowed(&*self.plan) };
        let summary = beats.borrow().map(|(_, summary)| summary);
        let heartbeat = summary.map_or(plan.cadence.root, |summary| plan.cadence.heartbeat_of(&summary));
        let patience = heartbeat.mul_f64(1.1).min(plan.inventory_interval() / 2);
        let _ = timeout(patience, beats.changed()).await;
    }

    /// Takes inventory where nobody does again. The devices are listed before the users
    /// are asked and the report is made, so it takes a second list to know that those who
    /// are covered by it, and those by an answer of later, were covered at once.
    pub(super) async fn take_inventory_once(&self, beat: Option<(Moment, Summary)>) {
        let mut inventory = Inventory::default();
        self.take_inventory_in_turn(&mut inventory, |_| Turn { beat, with_users: true }).await;
        if let Some(pause) = self.second_inventory() {
            sleep(pause).await;
            self.take_inventory_in_turn(&mut inventory, |_| Turn { beat: None, with_users: true }).await;
        }
    }

    /// After what time another inventory can show that everybody was covered at once, if
    /// that is not known and there is time: AWS dates a report to the second, so what is
    /// to reach it is of a second later.
    fn second_inventory(&self) -> Option<Duration> {
        let (known, changes) = (self.knowledge.users()?, self.knowledge.changes.get());
        let evidence = UsersEvidence { reading: Some(&known), changes, is_watched: true, policies: None };
        let now = self.session.caller().clock().now();
        let report = known.value.report.map(|report| report.generated.mono.plus(REPORT_PRECISION));
        let pause = report.filter(|end| *end > now.mono).map_or(Duration::ZERO, |end| end.since(now.mono));
        let end = self.only.as_ref().and_then(|only| only.asks_until);
        let is_in_time = end.is_none_or(|end| now.mono.plus(pause) < end);
        (is_in_time && !gaps(evidence, &self.plan.users_terms(), now).is_empty()).then_some(pause)
    }

    /// Takes inventory when there is a place; what it is to do is asked then.
    async fn take_inventory_in_turn(
        &self,
        inventory: &mut Inventory,
        turn: impl FnOnce(&Inventory) -> Turn,
    ) -> Due<Instant> {
        let take = || {
            let turn = turn(inventory);
            self.take_inventory(inventory, turn)
        };
        in_place(&self.places, PATIENCE, take).await
    }

    /// Lists the devices, and settles the users if it is their turn; tells when the next
    /// run is due.
    async fn take_inventory(&self, inventory: &mut Inventory, turn: Turn) -> Due<Instant> {
        let (began, start) = (self.session.caller().clock().now(), Instant::now());
        let plan = self.running();
        let beat = turn.beat.filter(|(at, _)| began.mono.since(at.mono) <= SUMMARY_LASTS);
        // A list is as old as the summary that it begins with. One that is due because the
        // replicas have heard of a change by now does not begin with one of before.
        let changes = self.knowledge.changes.get();
        let beat = beat.filter(|(at, _)| changes.is_settled(*at) || !changes.is_settled(began));
        let listed = self.list_devices(inventory, beat).await;
        // What was settled for the usual interval alone may not be good for a longer one.
        let may_wait = self.is_stretched() && *plan != *self.plan && listed.is_ok();
        let denials = inventory.denials[0];
        let due = self.due(start, |plan| self.next(plan.inventory_interval(), denials), may_wait && denials == 0);
        let due = self.second_look(began).map_or(due, |time| due.by(Instant::now() + time));
        if !turn.with_users || plan.users.is_none() {
            // Users that are due before do not wait for the next list, where that is late.
            return due.waiting_for(inventory.users_due);
        }
        inventory.users_began = Some(began);
        let follow_up = self.settle_users(inventory, &plan, listed).await;
        let follow_up = follow_up.map(|time| Instant::now() + time);
        let next = |part: f64| {
            let denials = inventory.denials[1];
            let next = |plan: &Plan| self.next(plan.interval(Collector::Users).mul_f64(part), denials);
            let next = self.due(start, next, may_wait && denials == 0);
            follow_up.map_or(next, |time| next.by(time))
        };
        // Users that are nearly due are settled along with the list of devices, which
        // would be read for them alone otherwise.
        inventory.users_due = Some(next(0.8));
        due.or(next(1.0))
    }

    /// The plan that runs now.
    fn running(&self) -> Cow<'_, Plan> {
        let stretched = self.plan.stretched().filter(|_| self.is_stretched());
        stretched.map_or(Cow::Borrowed(&*self.plan), Cow::Owned)
    }

    /// After what time the list is worth a second look: a replica of IAM may not have
    /// heard of the last change, or of the first look at all. Not if `began` was late
    /// enough.
    fn second_look(&self, began: Moment) -> Option<Duration> {
        let due = self.knowledge.changes.get().second_look().filter(|due| due.mono > began.mono)?;
        Some(due.mono.since(self.session.caller().clock().now().mono))
    }

    /// The list of devices, as a collector of its own where it is one.
    async fn list_devices(&self, inventory: &mut Inventory, beat: Option<(Moment, Summary)>) -> Result<Listed, Fault> {
        let prior = Prior { summary: beat.map(|(_, summary)| summary), list: inventory.list };
        let changes = self.knowledge.changes.clone();
        let collect = move |iam: AccountIam, id: Identity| async move {
            collect::devices::collect(&iam, &id.root_arn(), prior, &changes).await
        };
        let since = beat.map(|(at, _)| at);
        let ran = self.run(Collector::Devices, LONGEST_RUN, &mut inventory.denials[0], since, collect).await;
        inventory.list = if let News::Devices(devices) = ran.news { Some(devices) } else { None };
        let unheard = || Fault::new(FaultClass::Pending, "ListVirtualMFADevices: the list was not read to its end");
        ran.found.ok_or_else(|| ran.fault.unwrap_or_else(unheard))
    }

    /// Settles the users by the list of devices, if there is one.
    async fn settle_users(
        &self,
        inventory: &mut Inventory,
        running: &Plan,
        listed: Result<Listed, Fault>,
    ) -> Option<Duration> {
        let plan = running.users_order(*running != *self.plan)?;
        let (terms, only) = (running.users_terms(), self.only.clone());
        let (before, changes) = (self.knowledge.users(), self.knowledge.changes.clone());
        // The only run ends when all questions have been asked.
        let deadline = if only.is_some() { Duration::MAX } else { LONGEST_RUN };
        let collect = move |iam: AccountIam, _: Identity| async move {
            let listed = match listed {
                Ok(listed) => listed,
                Err(fault) => return (Finding::nothing(fault), None::<()>),
            };
            let order = Order { before, listed, changes, only, plan, terms };
            (collect::users::collect(&iam, order).await, None)
        };
        let ran = self.run(Collector::Users, deadline, &mut inventory.denials[1], None, collect).await;
        let News::Users(reading) = ran.news else { return None };
        let follow_up = reading.follow_up;
        self.knowledge.learn(Known::new(reading, ran.started));
        follow_up
    }
}

/// Begins when there is a place. What takes longer than `patience` gives the place up.
async fn in_place<F: Future>(places: &Semaphore, patience: Duration, begin: impl FnOnce() -> F) -> F::Output {
    let place = places.acquire().await.expect("the semaphore is never closed");
    // Boxed, so that who waits for a place is small.
    let mut run = Box::pin(begin());
    let ended = timeout(patience, run.as_mut()).await;
    drop(place);
    match ended {
        Ok(output) => output,
        Err(_) => run.await,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::task::yield_now;

    use super::*;

    /// As it is for accounts in which AWS answers each call late.
    #[tokio::test]
    async fn who_waits_behind_accounts_that_hang_comes_to_its_turn() {
        let (places, patience) = (Semaphore::new(2), Duration::from_millis(20));
        let hang = || in_place(&places, patience, pending::<()>);
        let next = async {
            yield_now().await;
            assert_eq!(places.available_permits(), 0, "it has to wait");
            in_place(&places, patience, || ready(Instant::now())).await
        };
        let began = Instant::now();
        tokio::select! {
            biased;
            _ = async { tokio::join!(hang(), hang()) } => unreachable!("they hang"),
            at = next => assert!(at - began >= patience),
        }
        assert_eq!(places.available_permits(), 2);
    }

    #[tokio::test]
    async fn a_place_is_free_once_its_run_has_ended() {
        let places = Semaphore::new(1);
        for _ in 0..3 {
            in_place(&places, Duration::from_secs(3_600), || ready(())).await;
        }
        assert_eq!(places.available_permits(), 1);
    }
}
