//! The loop that reads the contacts of an account.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::AccountRun;
use crate::{
    aws::iam::AccountIam,
    collect,
    model::{
        account::Identity,
        snapshot::{Collector, LONGEST_RUN},
    },
    schedule,
};

/// A run with a fault is tried again after this: a day would be long.
const AGAIN: Duration = Duration::from_secs(30 * 60);

impl AccountRun {
    /// Reads the contacts for ever.
    pub(super) async fn contacts(self: Arc<Self>) {
        let mut denials = 0;
        loop {
            let began = Instant::now();
            let interval = self.plan.interval(Collector::Contacts);
            // Boxed, so that between two runs an account is small.
            let is_well = Box::pin(self.read_contacts(&mut denials)).await;
            let pause = schedule::jittered(if is_well { interval } else { interval.min(AGAIN) });
            sleep(pause.saturating_sub(began.elapsed())).await;
        }
    }

    /// Reads the contacts once; true if all went well.
    pub(super) async fn read_contacts(&self, denials: &mut u32) -> bool {
        let collect =
            |iam: AccountIam, _: Identity| async move { (collect::contacts::collect(&iam).await, None::<()>) };
        self.run(Collector::Contacts, LONGEST_RUN, denials, None, collect).await.fault.is_none()
    }
}
