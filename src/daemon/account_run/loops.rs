//! The loops of one account: which there are, and that each goes on for ever.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use super::AccountRun;
use crate::{daemon::supervise::forever, metrics::exporter_metrics::ExporterMetrics};

/// The loops that have been started.
struct Loops {
    run: Arc<AccountRun>,
    own: ExporterMetrics,
    tasks: JoinSet<()>,
}

impl AccountRun {
    /// Starts the loops of all collectors of the plan, after `phase`; the first audit is
    /// within `audit_spread`. They end when what is returned is dropped.
    #[must_use]
    pub fn start(self, phase: Duration, audit_spread: Duration) -> JoinSet<()> {
        let run = Arc::new(self);
        let plan = Arc::clone(&run.plan);
        let mut loops = Loops { own: run.own.clone(), run, tasks: JoinSet::new() };
        loops.spawn("root", phase, Self::heartbeat);
        if plan.cognito.is_some() {
            loops.spawn("cognito", phase, Self::pools);
        }
        if plan.contacts.is_some() {
            loops.spawn("contacts", phase, Self::contacts);
        }
        if plan.policies.is_some() {
            loops.spawn("policies", phase, Self::policies);
        }
        if loops.run.auditor.is_some() {
            loops.spawn("rootaudit", Duration::ZERO, move |run| run.audits(audit_spread));
        }
        if plan.takes_inventory() {
            loops.spawn("inventory", phase, Self::inventory);
        }
        loops.tasks
    }
}

impl Loops {
    /// Starts a loop, for ever, each time after `phase`.
    fn spawn<F>(
        &mut self,
        name: &'static str,
        phase: Duration,
        run: impl Fn(Arc<AccountRun>) -> F + Copy + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let account = Arc::clone(&self.run);
        let start = move || {
            let account = Arc::clone(&account);
            // Made when it begins, so that the task has room for it once.
            async move {
                sleep(phase).await;
                run(account).await;
            }
        };
        self.tasks.spawn(forever(name, self.own.clone(), start));
    }
}
