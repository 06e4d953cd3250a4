//! What the exporter asks of AWS, counted.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry};

use crate::{
    metrics::{AWS_REQUEST_DURATION, AWS_REQUEST_FAILURES, AWS_REQUESTS, Metric},
    model::facts::FaultClass,
};

/// Counts requests, their failures and their durations.
#[derive(Clone, Debug)]
pub struct Meter {
    requests: IntCounterVec,
    failures: IntCounterVec,
    duration: Histogram,
}

impl Meter {
    /// The counters, known to `registry`.
    ///
    /// # Errors
    /// When the registry already has metrics of these names.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counters = |metric: &Metric| IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels);
        let buckets = vec![0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let duration = HistogramOpts::new(AWS_REQUEST_DURATION.name, AWS_REQUEST_DURATION.help).buckets(buckets);
        let meter = Self {
            requests: counters(&AWS_REQUESTS)?,
            failures: counters(&AWS_REQUEST_FAILURES)?,
            duration: Histogram::with_opts(duration)?,
        };
        registry.register(Box::new(meter.requests.clone()))?;
        registry.register(Box::new(meter.failures.clone()))?;
        registry.register(Box::new(meter.duration.clone()))?;
        Ok(meter)
    }

    /// Counts one request that is about to be sent.
    pub(super) fn sent(&self, service: &str, operation: &str) {
        self.requests.with_label_values(&[service, operation]).inc();
    }

    /// Counts how a request ended.
    pub(super) fn ended(&self, service: &str, operation: &str, took: Duration, fault: Option<FaultClass>) {
        self.duration.observe(took.as_secs_f64());
        if let Some(fault) = fault {
            self.failures.with_label_values(&[service, operation, fault.as_str()]).inc();
        }
    }
}
