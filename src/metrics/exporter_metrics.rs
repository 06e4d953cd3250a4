//! The exporter's own metrics: long-lived counters in a registry, rendered once
//! a second beside the snapshot, never in a scrape.
//!
//! The row of a metric stands where the metric is made, in [`ExporterMetrics::new`].

mod events;

use std::{sync::Arc, time::Duration};

use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, Result,
    core::Collector, proto::MetricFamily,
};

pub use events::EventMetrics;

use super::{Kind, Metric};
use crate::{
    build_info::BUILD,
    model::{account::AccountId, facts::FaultClass, shard::Shard, time::Timestamp},
};

/// In seconds: a reply of IAM comes after 50 ms, say, and a slow one after seconds.
const REQUEST_BUCKETS: [f64; 9] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The classes of fault that a request can have. Their counters start at 0 with the first request of an operation: one
/// that began with its first failure would not have increased, as Prometheus sees it.
const REQUEST_FAULTS: [FaultClass; 10] = [
    FaultClass::InvalidCredentials,
    FaultClass::AccessDenied,
    FaultClass::Throttled,
    FaultClass::Timeout,
    FaultClass::Connection,
    FaultClass::ServerError,
    FaultClass::Rejected,
    FaultClass::MalformedReply,
    FaultClass::IncompleteReply,
    FaultClass::OversizedReply,
];

/// What the exporter counts of itself, and of its requests to AWS. Copies are of one
/// count, and cheap: each account has some.
#[derive(Clone, Debug)]
pub struct ExporterMetrics {
    /// What is counted of events.
    pub events: Arc<EventMetrics>,
    own: Arc<Own>,
}

#[derive(Debug)]
struct Own {
    registry: Registry,
    aws_request_duration: Histogram,
    aws_request_failures: IntCounterVec,
    aws_request_rate_reduced: GaugeVec,
    aws_request_wait: Counter,
    aws_requests: IntCounterVec,
    aws_requests_waiting: Gauge,
    encode_duration: Gauge,
    http_refusals: IntCounterVec,
    http_requests: IntCounterVec,
    reload_success: Gauge,
    reload_successful: Gauge,
    shard: GaugeVec,
    state_success: GaugeVec,
    state_successful: GaugeVec,
    task_panics: IntCounterVec,
    total_shards: Gauge,
    web_certificate_expiry: GaugeVec,
    web_reload_success: GaugeVec,
    web_reload_successful: GaugeVec,
}

impl ExporterMetrics {
    /// The metrics of one process. With `quiet` the HTTP and process metrics are
    /// left out, which is what `--web.disable-exporter-metrics` asks for.
    ///
    /// # Errors
    /// When two metrics have one name.
    pub fn new(quiet: bool) -> Result<Self> {
        let metrics = Self::register(&mut Rows::default())?;
        let own = &metrics.own;
        if quiet {
            own.registry.unregister(Box::new(own.http_refusals.clone()))?;
            own.registry.unregister(Box::new(own.http_requests.clone()))?;
        } else {
            #[cfg(target_os = "linux")]
            own.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        }
        Ok(metrics)
    }

    /// Every row, in the order of exposition: by name.
    pub(super) fn metrics() -> Vec<Metric> {
        let mut rows = Rows::default();
        Self::register(&mut rows).expect("each metric has a name of its own, or the exporter would not start");
        rows.metrics.sort_unstable_by_key(|metric| metric.name);
        rows.metrics
    }

    fn register(rows: &mut Rows) -> Result<Self> {
        let build_info = rows.gauges(
            "aws_mfa_exporter_build_info",
            &["version", "revision", "rustversion", "os", "arch"],
            "Version, revision, Rust version and platform of this exporter. Always 1.",
        )?;
        build_info.with_label_values(&[BUILD.version, BUILD.revision, BUILD.rustc, BUILD.os, BUILD.arch]).set(1.0);
        let events = Arc::new(EventMetrics::register(rows)?);
        let own = Own {
            registry: rows.registry.clone(),
            aws_request_duration: rows.histogram(
                "aws_mfa_exporter_aws_request_duration_seconds",
                &REQUEST_BUCKETS,
                "Duration of requests to AWS, from sending to the last byte or the failure. Without ReceiveMessage, which waits for messages.",
            )?,
            aws_request_failures: rows.counters(
                "aws_mfa_exporter_aws_request_failures_total",
                &["service", "operation", "fault"],
                "Requests to AWS without a usable answer, by class of fault.",
            )?,
            aws_request_rate_reduced: rows.gauges(
                "aws_mfa_exporter_aws_request_rate_reduced",
                &["account_id"],
                "How many requests a second the exporter sends to IAM of this account at most, because AWS has throttled it. No sample where AWS has not, or where the rate has recovered.",
            )?,
            aws_request_wait: rows.counter(
                "aws_mfa_exporter_aws_request_wait_seconds_total",
                "How long requests to AWS waited before they were sent, because of the rate of their account.",
            )?,
            aws_requests: rows.counters(
                "aws_mfa_exporter_aws_requests_total",
                &["service", "operation"],
                "Requests sent to AWS, retries included. Each is an event in CloudTrail, except those to SQS.",
            )?,
            aws_requests_waiting: rows.gauge(
                "aws_mfa_exporter_aws_requests_waiting",
                "Requests to AWS that wait to be sent, because of the rate of their account.",
            )?,
            encode_duration: rows.gauge(
                "aws_mfa_exporter_encode_duration_seconds",
                "Duration of the last encoding of all accounts, in both formats and compressed. Scrapes do not wait for it.",
            )?,
            http_refusals: rows.counters(
                "aws_mfa_exporter_http_refusals_total",
                &["reason"],
                "Connections that the exporter closed and requests that it refused, by reason: address, crowded, handshake, headers, header_size, malformed, password_queue, rate_limit, scrapes, stalled, unauthorized, unpublished. deploy/web.md explains them.",
            )?,
            http_requests: rows.counters(
                "aws_mfa_exporter_http_requests_total",
                &["code"],
                "Requests that the exporter answered over HTTP, by status code. Requests that are not valid HTTP are included.",
            )?,
            reload_success: rows.gauge(
                "aws_mfa_exporter_config_last_reload_success_timestamp_seconds",
                "When the exporter last loaded the configuration successfully.",
            )?,
            reload_successful: rows.gauge(
                "aws_mfa_exporter_config_last_reload_successful",
                "Whether the exporter could use the configuration when it last read it. If not, the exporter uses the last good one.",
            )?,
            shard: rows.gauges(
                "aws_mfa_exporter_shard_info",
                &["shard"],
                "The shard of the accounts that this exporter watches, from 0. Always 1.",
            )?,
            state_success: rows.gauges(
                "aws_mfa_exporter_state_last_write_success_timestamp_seconds",
                &[],
                "When the state file last held everything that the exporter knew; 0 before the first time. Absent without --state.file.",
            )?,
            state_successful: rows.gauges(
                "aws_mfa_exporter_state_last_write_successful",
                &[],
                "Whether the exporter could write the state file the last time. If not, a restart loses everything learnt since the last successful write. Absent without --state.file.",
            )?,
            task_panics: rows.counters(
                "aws_mfa_exporter_task_panics_total",
                &["task"],
                "Panics of the exporter's own tasks. The exporter starts the task again. Every panic is a bug.",
            )?,
            total_shards: rows.gauge(
                "aws_mfa_exporter_total_shards",
                "Number of shards that the accounts are divided among.",
            )?,
            web_certificate_expiry: rows.gauges(
                "aws_mfa_exporter_web_certificate_expiry_timestamp_seconds",
                &["certificate"],
                "When the TLS certificates of the web server expire. For server: the first expiry in its chain. For client_ca: the last expiry among the authorities. Absent if none is configured.",
            )?,
            web_reload_success: rows.gauges(
                "aws_mfa_exporter_web_config_last_reload_success_timestamp_seconds",
                &[],
                "When the exporter last loaded the web configuration and its certificates successfully. Absent without --web.config.file.",
            )?,
            web_reload_successful: rows.gauges(
                "aws_mfa_exporter_web_config_last_reload_successful",
                &[],
                "Whether the exporter could use the web configuration and its certificates when it last read them. If not, the exporter uses the last good ones. Absent without --web.config.file.",
            )?,
        };
        Ok(Self { events, own: Arc::new(own) })
    }

    /// Counts one request to AWS that is about to be sent.
    pub fn request_sent(&self, service: &str, operation: &str) {
        let sent = self.own.aws_requests.with_label_values(&[service, operation]);
        if sent.get() == 0 {
            for fault in REQUEST_FAULTS {
                self.own.aws_request_failures.with_label_values(&[service, operation, fault.as_str()]);
            }
        }
        sent.inc();
    }

    /// Counts how a request to AWS ended; how long it took, unless it was to wait.
    pub fn request_ended(&self, service: &str, operation: &str, took: Option<Duration>, fault: Option<FaultClass>) {
        if let Some(took) = took {
            self.own.aws_request_duration.observe(took.as_secs_f64());
        }
        if let Some(fault) = fault {
            self.own.aws_request_failures.with_label_values(&[service, operation, fault.as_str()]).inc();
        }
    }

    /// Counts a request to AWS that waits for leave, until what is returned is dropped.
    #[must_use]
    pub fn request_waits(&self) -> Waiting {
        self.own.aws_requests_waiting.inc();
        Waiting(self.own.aws_requests_waiting.clone())
    }

    /// Notes how long a request to AWS has waited for leave.
    pub fn request_waited(&self, wait: Duration) {
        self.own.aws_request_wait.inc_by(wait.as_secs_f64());
    }

    /// Notes how many calls a second are made to an account at most, because AWS has
    /// throttled some; `None` where that is over.
    pub fn rate_reduced(&self, account: AccountId, rate: Option<f64>) {
        match rate {
            Some(rate) => self.own.aws_request_rate_reduced.with_label_values(&[account.as_str()]).set(rate),
            // There is none in most accounts.
            None => drop(self.own.aws_request_rate_reduced.remove_label_values(&[account.as_str()])),
        }
    }

    /// The counter of HTTP requests by status code.
    #[must_use]
    pub fn http_requests(&self) -> &IntCounterVec {
        &self.own.http_requests
    }

    /// The counter of refused connections and requests by reason.
    #[must_use]
    pub fn http_refusals(&self) -> &IntCounterVec {
        &self.own.http_refusals
    }

    /// Notes that the web configuration was read at this time, or could not be used.
    pub fn web_reloaded(&self, at: Option<Timestamp>) {
        self.own.web_reload_successful.with_label_values::<&str>(&[]).set(f64::from(u8::from(at.is_some())));
        if let Some(at) = at {
            self.own.web_reload_success.with_label_values::<&str>(&[]).set(at.as_seconds());
        }
    }

    /// Notes when the certificates in force expire: the server's own, and those that
    /// vouch for clients.
    pub fn certificates_expire(&self, server: Option<Timestamp>, client_ca: Option<Timestamp>) {
        for (certificate, expiry) in [("server", server), ("client_ca", client_ca)] {
            match expiry {
                Some(at) => self.own.web_certificate_expiry.with_label_values(&[certificate]).set(at.as_seconds()),
                None => drop(self.own.web_certificate_expiry.remove_label_values(&[certificate])),
            }
        }
    }

    /// Counts a panic of `task`.
    pub fn task_panicked(&self, task: &str) {
        self.own.task_panics.with_label_values(&[task]).inc();
    }

    /// Notes how long an encoding took.
    pub fn encoded(&self, took: Duration) {
        self.own.encode_duration.set(took.as_secs_f64());
    }

    /// Notes that the configuration was read at this time, or could not be used.
    pub fn reloaded(&self, at: Option<Timestamp>) {
        self.own.reload_successful.set(f64::from(at.is_some()));
        if let Some(at) = at {
            self.own.reload_success.set(at.as_seconds());
        }
    }

    /// Notes that the state file was written at this time, or could not be.
    pub fn state_written(&self, at: Option<Timestamp>) {
        const UNLABELLED: [&str; 0] = [];
        self.own.state_successful.with_label_values(&UNLABELLED).set(f64::from(at.is_some()));
        let success = self.own.state_success.with_label_values(&UNLABELLED);
        if let Some(at) = at {
            success.set(at.as_seconds());
        }
    }

    /// Says which shard this is.
    pub fn sharded(&self, shard: Shard) {
        self.own.shard.with_label_values(&[&shard.ordinal().to_string()]).set(1.0);
        self.own.total_shards.set(f64::from(shard.total()));
    }

    /// The families that have a sample, sorted by name.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.own.registry.gather()
    }
}

/// A request that waits.
#[derive(Debug)]
pub struct Waiting(Gauge);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The rows that have been written so far, and where their metrics are registered.
#[derive(Default)]
struct Rows {
    registry: Registry,
    metrics: Vec<Metric>,
}

type Text = &'static str;

impl Rows {
    fn counters(&mut self, name: Text, labels: &'static [Text], help: Text) -> Result<IntCounterVec> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.add(Metric { name, help, kind: Kind::Counter, labels }, counters)
    }

    fn counter(&mut self, name: Text, help: Text) -> Result<Counter> {
        self.add(Metric { name, help, kind: Kind::Counter, labels: &[] }, Counter::new(name, help)?)
    }

    fn gauge(&mut self, name: Text, help: Text) -> Result<Gauge> {
        self.add(Metric { name, help, kind: Kind::Gauge, labels: &[] }, Gauge::new(name, help)?)
    }

    fn gauges(&mut self, name: Text, labels: &'static [Text], help: Text) -> Result<GaugeVec> {
        self.add(Metric { name, help, kind: Kind::Gauge, labels }, GaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn histogram(&mut self, name: Text, buckets: &[f64], help: Text) -> Result<Histogram> {
        let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
        self.add(Metric { name, help, kind: Kind::Histogram, labels: &[] }, histogram)
    }

    fn histograms(&mut self, name: Text, labels: &'static [Text], buckets: &[f64], help: Text) -> Result<HistogramVec> {
        let histograms = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?;
        self.add(Metric { name, help, kind: Kind::Histogram, labels }, histograms)
    }

    fn add<C: Collector + Clone + 'static>(&mut self, metric: Metric, collector: C) -> Result<C> {
        self.metrics.push(metric);
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_from_zero_on() {
        let metrics = ExporterMetrics::new(true).unwrap();
        let failures = |metrics: &ExporterMetrics| {
            let families = metrics.gather();
            let family =
                families.into_iter().find(|family| family.name() == "aws_mfa_exporter_aws_request_failures_total");
            family.map_or_else(Vec::new, |family| {
                family.get_metric().iter().map(|metric| metric.get_counter().get_value()).collect()
            })
        };
        assert_eq!(failures(&metrics), [0.0; 0]);
        metrics.request_sent("iam", "GetAccountSummary");
        assert_eq!(failures(&metrics), [0.0; REQUEST_FAULTS.len()]);
        metrics.request_ended("iam", "GetAccountSummary", Some(Duration::ZERO), Some(FaultClass::Throttled));
        assert_eq!(failures(&metrics).iter().sum::<f64>(), 1.0);
    }
}
