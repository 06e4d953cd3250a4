//! Samples of one family, on their way to the Prometheus data model.

use prometheus::proto::{Gauge, LabelPair, MetricFamily, MetricType};

use super::Metric;

/// The samples of one metric, in the order in which they are exported.
pub(super) struct Rows {
    labels: &'static [&'static str],
    rows: Vec<prometheus::proto::Metric>,
}

impl Rows {
    pub(super) fn of(metric: &Metric) -> Self {
        Self { labels: metric.labels, rows: Vec::new() }
    }

    /// Adds a sample. `values` stand in the order of the catalogue's labels.
    pub(super) fn push(&mut self, values: &[&str], value: f64) {
        debug_assert_eq!(values.len(), self.labels.len(), "a sample has a value for each label of its family");
        let label = |(name, value): (&&str, &&str)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        };
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut row = prometheus::proto::Metric::from_label(self.labels.iter().zip(values).map(label).collect());
        row.set_gauge(gauge);
        self.rows.push(row);
    }

    /// Adds a sample of 1 or 0.
    pub(super) fn push_bool(&mut self, values: &[&str], value: bool) {
        self.push(values, f64::from(u8::from(value)));
    }

    /// The family; `None` when it has no sample, for an empty family is only
    /// noise in the exposition.
    pub(super) fn into_family(self, metric: &Metric) -> Option<MetricFamily> {
        if self.rows.is_empty() {
            return None;
        }
        let mut family = MetricFamily::default();
        family.set_name(metric.name.to_owned());
        family.set_help(metric.help.to_owned());
        family.set_field_type(MetricType::GAUGE);
        family.set_metric(self.rows);
        Some(family)
    }
}
