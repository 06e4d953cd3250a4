//! What keeps a task going that must never end.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use tokio::time::sleep;

use crate::metrics::exporter_metrics::ExporterMetrics;

/// What panicked is started again after this.
const RESTART: Duration = Duration::from_secs(1);

/// Keeps something going: a panic ends it, is counted, and it is made anew. All of it is
/// one task, for a task that starts another costs memory twice, and there are as many as
/// accounts.
pub async fn forever<F>(name: &'static str, metrics: ExporterMetrics, make: impl Fn() -> F)
where
    F: Future<Output = ()> + Send,
{
    while caught(Box::pin(make())).await.is_none() {
        metrics.task_panicked(name);
        tracing::error!(task = name, "A task panicked; the exporter starts it again.");
        sleep(RESTART).await;
    }
}

/// Runs a future to its end, or to its panic, which is `None`. What it has borrowed
/// must bear that. It comes in a box, so that who awaits it is small until it begins.
pub fn caught<F: Future>(mut future: Pin<Box<F>>) -> impl Future<Output = Option<F::Output>> {
    poll_fn(move |context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    })
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
        assert_eq!(runtime.block_on(caught(Box::pin(async { 1 }))), Some(1));
        assert!(runtime.block_on(caught(Box::pin(panicking))).is_none());
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
