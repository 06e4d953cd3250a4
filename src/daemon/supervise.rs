//! What keeps a task going that must never end.

use std::{future::Future, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use crate::metrics::exporter_metrics::ExporterMetrics;

/// A task that panicked is started again after this.
const RESTART: Duration = Duration::from_secs(1);

/// Keeps a task going: a panic ends it, is counted, and a new one is made.
pub async fn forever<F>(name: &'static str, metrics: ExporterMetrics, make: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let mut task = JoinSet::new();
        task.spawn(make());
        match task.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                metrics.task_panicked(name);
                tracing::error!(task = name, "A task panicked and is started again.");
                sleep(RESTART).await;
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[test]
    fn a_panicking_task_is_counted_and_started_again() {
        let metrics = ExporterMetrics::new(true).unwrap();
        let starts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&starts);
        let make = move || {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            async move { assert!(start > 0, "the first start panics") }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(forever("example", metrics.clone(), make));
        assert_eq!(starts.load(Ordering::SeqCst), 2);
        let families = metrics.gather();
        let panics = families.iter().find(|family| family.name() == "aws_mfa_exporter_task_panics_total").unwrap();
        assert!((panics.get_metric()[0].get_counter().get_value() - 1.0).abs() < f64::EPSILON);
    }
}
