//! The loop that reads the policies of the users.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::AccountRun;
use crate::{
    aws::iam::AccountIam,
    collect::{self, policies::Digest},
    model::{
        account::Identity,
        snapshot::{Collector, LONGEST_RUN},
        time::Moment,
    },
};

/// Two runs are at least this far apart, however often the account changes.
const GAP: Duration = Duration::from_secs(5 * 60);

/// How often it is looked whether the account has changed. That costs no call.
const LOOK: Duration = Duration::from_secs(30);

impl AccountRun {
    /// Reads the policies for ever: at their interval, and once replicas of IAM have heard of
    /// a change that was seen.
    pub(super) async fn policies(self: Arc<Self>) {
        let (mut denials, mut before) = (0, None);
        loop {
            let (began, asked) = (Instant::now(), self.session.caller().clock().now());
            // Boxed, so that between two runs an account is small.
            before = Box::pin(self.read_policies(&mut denials, before)).await;
            let due = began + self.next(self.plan.interval(Collector::Policies), denials);
            // Who is denied is asked less often, whatever happens in the account.
            let earliest = if denials > 0 { due } else { due.min(began + GAP) };
            self.await_change(asked, earliest, due).await;
        }
    }

    /// Waits until `due`, or from `earliest` on until what was asked for at `asked` is of
    /// before a change.
    async fn await_change(&self, asked: Moment, earliest: Instant, due: Instant) {
        while Instant::now() < due {
            let (now, changes) = (self.session.caller().clock().now(), self.knowledge.changes.get());
            let is_wanted = self.wants_policies.load(Ordering::Relaxed) || !changes.is_settled(asked);
            if is_wanted && changes.is_settled(now) && Instant::now() >= earliest {
                break;
            }
            sleep(LOOK.min(due.saturating_duration_since(Instant::now()))).await;
        }
        self.wants_policies.store(false, Ordering::Relaxed);
    }

    /// Reads the policies once.
    pub(super) async fn read_policies(&self, denials: &mut u32, before: Option<Digest>) -> Option<Digest> {
        let changes = self.knowledge.changes.clone();
        let collect =
            move |iam: AccountIam, _: Identity| async move { collect::policies::collect(&iam, before, &changes).await };
        self.run(Collector::Policies, LONGEST_RUN, denials, None, collect).await.found
    }
}
