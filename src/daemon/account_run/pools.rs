//! The loop that reads the user pools of Amazon Cognito.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::AccountRun;
use crate::{
    aws::iam::AccountIam,
    collect,
    model::{
        account::Identity,
        snapshot::{Collector, LONGEST_RUN},
    },
};

/// A run asks nothing more when so much of its time is over, so that what it has read
/// is told before it is cut off.
const ASKING: u32 = 4;

impl AccountRun {
    /// Reads the user pools for ever.
    pub(super) async fn pools(self: Arc<Self>) {
        let mut denials = 0;
        loop {
            let began = Instant::now();
            // Boxed, so that between two runs an account is small.
            Box::pin(self.read_pools(&mut denials)).await;
            let pause = self.next(self.plan.interval(Collector::Cognito), denials);
            sleep(pause.saturating_sub(began.elapsed())).await;
        }
    }

    /// Reads the user pools once.
    pub(super) async fn read_pools(&self, denials: &mut u32) {
        let regions = self.plan.cognito.as_ref().map(|plan| plan.regions.clone()).unwrap_or_default();
        let time = self.until_the_end(LONGEST_RUN) * ASKING / (ASKING + 1);
        let ends_at = self.session.caller().clock().now().mono.plus(time);
        let collect = move |iam: AccountIam, _: Identity| async move {
            (collect::cognito::collect(&iam, &regions, ends_at).await, None::<()>)
        };
        self.run(Collector::Cognito, LONGEST_RUN, denials, None, collect).await;
    }
}
