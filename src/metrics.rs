//! Every metric that the exporter exports, a row each: in one place stand its
//! name, its help text, its labels and the function that samples it.
//!
//! Rows about accounts are below [`render`], by subject; rows about the exporter
//! itself are in [`exporter_metrics`]. A new metric is a new row and nothing else:
//! the exposition and METRICS.md are made from the rows, and tests hold the golden
//! file, the rules and the dashboards against them.

pub mod exporter_metrics;
pub mod lines;
pub mod render;

use exporter_metrics::ExporterMetrics;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that can fall.
    Gauge,
    /// A count of events since the start of the process.
    Counter,
    /// A distribution of durations.
    Histogram,
}

impl Kind {
    /// The word of both exposition formats.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric family. Name, labels and meaning stay until the next major version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name, in both formats as the samples carry it.
    pub name: &'static str,
    /// One sentence or two: what it is, where it comes from, when it is absent.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The label names, in the order in which values are given.
    pub labels: &'static [&'static str],
}

/// The label value of `account_id` while it is not known whose the credentials are.
pub const UNIDENTIFIED: &str = "unknown";

/// Every metric, in the order of exposition, but for the `process_*` family
/// that the Prometheus client library brings.
#[must_use]
pub fn catalogue() -> Vec<Metric> {
    render::metrics().chain(ExporterMetrics::metrics()).collect()
}
