//! Samples of one family, on their way to the Prometheus data model.

use std::iter::zip;

use prometheus::proto::{Gauge, LabelPair, MetricFamily, MetricType};

use crate::metrics::Metric;

/// The samples of one metric, in the order in which they are exported.
pub(super) struct Rows<'a> {
    labels: &'static [&'static str],
    account: Option<&'a str>,
    rows: Vec<prometheus::proto::Metric>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(metric: &Metric) -> Self {
        Self { labels: metric.labels, account: None, rows: Vec::new() }
    }

    /// What is added from now on is of this account: the value of the first label.
    pub(super) fn begin_account(&mut self, id: &'a str) {
        self.account = Some(id);
    }

    /// Adds a sample. `values` stand in the order of the metric's labels, without
    /// that of the account.
    pub(super) fn push(&mut self, values: &[&str], value: impl Into<f64>) {
        let values = self.account.iter().chain(values);
        debug_assert_eq!(values.clone().count(), self.labels.len(), "a sample has a value for each label");
        let mut row = prometheus::proto::Metric::from_label(zip(self.labels, values).map(label).collect());
        let mut gauge = Gauge::default();
        gauge.set_value(value.into());
        row.set_gauge(gauge);
        self.rows.push(row);
    }

    /// Adds a sample with labels of its own beside the account's, whose names a
    /// configuration gives.
    pub(super) fn push_labelled<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>) {
        let account = zip(self.labels, &self.account).map(label);
        let mut row = prometheus::proto::Metric::from_label(account.chain(labels.map(pair)).collect());
        let mut gauge = Gauge::default();
        gauge.set_value(1.0);
        row.set_gauge(gauge);
        self.rows.push(row);
    }

    /// Adds a sample, if there is a value.
    pub(super) fn push_known(&mut self, values: &[&str], value: Option<impl Into<f64>>) {
        if let Some(value) = value {
            self.push(values, value);
        }
    }

    /// The family; `None` when it has no sample, because an empty family is only
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

fn label((name, value): (&&str, &&str)) -> LabelPair {
    pair((name, value))
}

fn pair((name, value): (&str, &str)) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}
