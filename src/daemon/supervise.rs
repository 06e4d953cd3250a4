//! What keeps a task going that must never end.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    time::Duration,
};

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
                tracing::error!(task = name, "A task panicked; the exporter starts it again.");
                sleep(RESTART).await;
            }
            _ => return,
        }
    }
}

/// Runs a future to its end, or to its panic, which is `None`. What it has borrowed
/// must bear that.
pub async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(std::task::Poll::Ready(None), |polled| polled.map(Some))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[test]
    fn a_panic_ends_a_future_and_not_who_awaits_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let panicking = async {
            tokio::task::yield_now().await;
            panic!("after it was polled once");
        };
        assert_eq!(runtime.block_on(caught::<_>(async { 1 })), Some(1));
        assert!(runtime.block_on(caught(panicking)).is_none());
    }

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
