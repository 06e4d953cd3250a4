//! The exporter's own metrics: long-lived counters in a registry, rendered once
//! a second beside the snapshot, never in a scrape.

use std::time::Duration;

use prometheus::{Gauge, GaugeVec, IntCounterVec, Opts, Registry, proto::MetricFamily};

use crate::model::{shard::Shard, time::Timestamp};

use super::{
    BUILD_INFO, CONFIG_RELOAD_SUCCESS, CONFIG_RELOAD_SUCCESSFUL, ENCODE_DURATION, HTTP_REFUSALS, HTTP_REQUESTS, Metric,
    SHARD_INFO, TASK_PANICS, TOTAL_SHARDS, WEB_CERTIFICATE_EXPIRY, WEB_CONFIG_RELOAD_SUCCESS,
    WEB_CONFIG_RELOAD_SUCCESSFUL,
};

/// What the exporter counts of itself.
#[derive(Clone, Debug)]
pub struct ExporterMetrics {
    registry: Registry,
    panics: IntCounterVec,
    http_refusals: IntCounterVec,
    http_requests: IntCounterVec,
    encode_duration: Gauge,
    reload_successful: Gauge,
    reload_success: Gauge,
    shard: GaugeVec,
    total_shards: Gauge,
    web_certificate_expiry: GaugeVec,
    web_reload_successful: GaugeVec,
    web_reload_success: GaugeVec,
}

impl ExporterMetrics {
    /// The metrics of one process. With `quiet` the HTTP and process metrics are
    /// left out, which is what `--web.disable-exporter-metrics` asks for.
    ///
    /// # Errors
    /// When two metrics of the catalogue have one name.
    pub fn new(quiet: bool) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let own = Self {
            panics: counters(&TASK_PANICS)?,
            http_refusals: counters(&HTTP_REFUSALS)?,
            http_requests: counters(&HTTP_REQUESTS)?,
            encode_duration: gauge(&ENCODE_DURATION)?,
            reload_successful: gauge(&CONFIG_RELOAD_SUCCESSFUL)?,
            reload_success: gauge(&CONFIG_RELOAD_SUCCESS)?,
            shard: gauges(&SHARD_INFO)?,
            total_shards: gauge(&TOTAL_SHARDS)?,
            web_certificate_expiry: gauges(&WEB_CERTIFICATE_EXPIRY)?,
            web_reload_successful: gauges(&WEB_CONFIG_RELOAD_SUCCESSFUL)?,
            web_reload_success: gauges(&WEB_CONFIG_RELOAD_SUCCESS)?,
            registry,
        };
        own.registry.register(Box::new(own.panics.clone()))?;
        own.registry.register(Box::new(own.encode_duration.clone()))?;
        own.registry.register(Box::new(own.reload_successful.clone()))?;
        own.registry.register(Box::new(own.reload_success.clone()))?;
        own.registry.register(Box::new(own.shard.clone()))?;
        own.registry.register(Box::new(own.total_shards.clone()))?;
        own.registry.register(Box::new(own.web_certificate_expiry.clone()))?;
        own.registry.register(Box::new(own.web_reload_successful.clone()))?;
        own.registry.register(Box::new(own.web_reload_success.clone()))?;
        own.registry.register(Box::new(build_info()?))?;
        if !quiet {
            own.registry.register(Box::new(own.http_refusals.clone()))?;
            own.registry.register(Box::new(own.http_requests.clone()))?;
            #[cfg(target_os = "linux")]
            own.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        }
        Ok(own)
    }

    /// Where other rooms register what they count.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The counter of HTTP requests by status code.
    #[must_use]
    pub fn http_requests(&self) -> &IntCounterVec {
        &self.http_requests
    }

    /// The counter of refused connections and requests by reason.
    #[must_use]
    pub fn http_refusals(&self) -> &IntCounterVec {
        &self.http_refusals
    }

    /// Notes that the web configuration was read at this time, or could not be used.
    pub fn web_reloaded(&self, at: Option<Timestamp>) {
        self.web_reload_successful.with_label_values::<&str>(&[]).set(f64::from(u8::from(at.is_some())));
        if let Some(at) = at {
            self.web_reload_success.with_label_values::<&str>(&[]).set(at.as_seconds());
        }
    }

    /// Notes when the certificates in force expire: the server's own, and those that
    /// vouch for clients.
    pub fn certificates_expire(&self, server: Option<Timestamp>, client_ca: Option<Timestamp>) {
        for (certificate, expiry) in [("server", server), ("client_ca", client_ca)] {
            match expiry {
                Some(at) => self.web_certificate_expiry.with_label_values(&[certificate]).set(at.as_seconds()),
                None => drop(self.web_certificate_expiry.remove_label_values(&[certificate])),
            }
        }
    }

    /// Counts a panic of `task`.
    pub fn task_panicked(&self, task: &str) {
        self.panics.with_label_values(&[task]).inc();
    }

    /// Notes how long an encoding took.
    pub fn encoded(&self, took: Duration) {
        self.encode_duration.set(took.as_secs_f64());
    }

    /// Notes that the configuration was read at this time, or could not be used.
    pub fn reloaded(&self, at: Option<Timestamp>) {
        self.reload_successful.set(f64::from(u8::from(at.is_some())));
        if let Some(at) = at {
            self.reload_success.set(at.as_seconds());
        }
    }

    /// Says which shard this is.
    pub fn sharded(&self, shard: Shard) {
        self.shard.with_label_values(&[&shard.ordinal().to_string()]).set(1.0);
        self.total_shards.set(f64::from(shard.total()));
    }

    /// The families that have a sample, sorted by name.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

fn gauge(metric: &Metric) -> prometheus::Result<Gauge> {
    Gauge::with_opts(Opts::new(metric.name, metric.help))
}

fn gauges(metric: &Metric) -> prometheus::Result<GaugeVec> {
    GaugeVec::new(Opts::new(metric.name, metric.help), metric.labels)
}

fn counters(metric: &Metric) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels)
}

fn build_info() -> prometheus::Result<GaugeVec> {
    let info = gauges(&BUILD_INFO)?;
    let build = crate::build_info::BUILD;
    info.with_label_values(&[build.version, build.revision, build.rustc, build.os, build.arch]).set(1.0);
    Ok(info)
}
