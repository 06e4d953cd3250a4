//! The loop that audits root from outside the account. It needs no credentials of the
//! account, so it goes on where the others have none.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::AccountRun;
use crate::{
    aws::Auditor,
    collect::{self, Finding},
    model::{
        account::AccountId,
        facts::{FaultClass, Known, changes::SETTLE},
        snapshot::{Collector, Event, LONGEST_RUN, News, Outcome},
        time::Moment,
    },
    schedule,
};

/// An audit that failed, and may succeed when it is tried again, is tried again after this
/// part of the interval.
const SOONER: u32 = 12;

/// How often AWS may throttle one audit before that is told.
const THROTTLES: u32 = 4;

/// What came of an audit, for the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All is known.
    Well,
    /// The account had just changed, and a replica of IAM may not have heard of it.
    Unsettled,
    /// It is not to be had before somebody changes something.
    Refused,
    /// It may be had soon.
    Failed,
}

impl AccountRun {
    /// The same, and its root is audited by `auditor`.
    #[must_use]
    pub fn audited_by(self, auditor: Option<Arc<Auditor>>) -> Self {
        Self { auditor, ..self }
    }

    /// Audits root for ever: for the first time within `spread`, unless it is known when it
    /// last was.
    pub(super) async fn audits(self: Arc<Self>, spread: Duration) {
        sleep(self.first_audit(spread)).await;
        let mut before = Ended::Well;
        loop {
            let began = Instant::now();
            // Boxed, so that between two runs an account is small.
            let ended = Box::pin(self.audit()).await;
            let interval = schedule::jittered(self.plan.interval(Collector::Rootaudit));
            let pause = match ended {
                // Once: who changes an account all the time is not audited all the time.
                Ended::Unsettled if before != Ended::Unsettled => SETTLE + Duration::from_secs(1),
                Ended::Failed => interval / SOONER,
                Ended::Well | Ended::Unsettled | Ended::Refused => interval,
            };
            before = ended;
            sleep(pause.saturating_sub(began.elapsed())).await;
        }
    }

    fn first_audit(&self, spread: Duration) -> Duration {
        let interval = self.plan.interval(Collector::Rootaudit);
        let now = self.session.caller().clock().now();
        let age = self.knowledge.audit().and_then(|known| now.age(known.as_of));
        age.and_then(|age| interval.checked_sub(age)).unwrap_or_else(|| schedule::phase(spread.min(interval)))
    }

    /// Audits root once. That AWS throttles is no fault of this account's, so it waits for
    /// another turn.
    pub(super) async fn audit(&self) -> Ended {
        let (Some(auditor), Some(account)) = (&self.auditor, self.session.wanted()) else { return Ended::Refused };
        let mut throttles = 0;
        loop {
            let (started, finding) = self.audit_in_turn(auditor, account).await;
            let class = finding.fault.as_ref().map(|fault| fault.class);
            throttles += 1;
            if class != Some(FaultClass::Throttled)
                || throttles > THROTTLES
                || self.until_the_end(LONGEST_RUN).is_zero()
            {
                return self.tell_audit(account, started, finding).await;
            }
        }
    }

    /// Waits for its turn, which is not a part of the run, and audits.
    async fn audit_in_turn(&self, auditor: &Auditor, account: AccountId) -> (Moment, Finding) {
        let clock = self.session.caller().clock();
        let asked = clock.now();
        let wait = async {
            match auditor.allowed().await {
                Ok(()) => (Finding { news: News::None, fault: None }, Some(auditor.turn().await)),
                Err(fault) => (Finding::nothing(fault), None),
            }
        };
        let (waited, turn) =
            self.watch_over(Collector::Rootaudit, self.until_the_end(Duration::MAX), Box::pin(wait)).await;
        let Some(turn) = turn else { return (asked, waited) };
        let started = clock.now();
        let max_age = self.plan.max_age_of_audit();
        let before = self.knowledge.audit().filter(|known| started.age(known.as_of).is_some_and(|age| age <= max_age));
        let run = async {
            let root = match auditor.assume(account, turn, &self.session).await {
                Ok(root) => root,
                Err(fault) => return (Finding::nothing(fault), None::<()>),
            };
            let (wanted, before) = (Auditor::wanted(account), before.map(|known| known.value));
            (collect::rootaudit::collect(&root, &wanted, before, &self.knowledge.changes).await, None)
        };
        let deadline = self.until_the_end(LONGEST_RUN);
        (started, self.watch_over(Collector::Rootaudit, deadline, Box::pin(run)).await.0)
    }

    async fn tell_audit(&self, account: AccountId, started: Moment, Finding { news, fault }: Finding) -> Ended {
        let duration = self.session.caller().clock().now().mono.since(started.mono);
        if let News::Audit(audit) = news {
            let identity = Auditor::wanted(account);
            self.knowledge.is_of(&identity);
            self.knowledge.audited(Known::new(audit, started));
            self.tell(Event::Identified { identity, at: started }).await;
        }
        let (changes, class) = (self.knowledge.changes.get(), fault.as_ref().map(|fault| fault.class));
        let ended = match class {
            None if changes.is_settled(started) => Ended::Well,
            None => Ended::Unsettled,
            Some(FaultClass::AccessDenied | FaultClass::DeniedByScp | FaultClass::WrongAccount) => Ended::Refused,
            Some(_) => Ended::Failed,
        };
        let outcome = Outcome { collector: Collector::Rootaudit, started, duration, news, fault, changes };
        self.tell(Event::Collected { account, outcome: Box::new(outcome) }).await;
        ended
    }
}
