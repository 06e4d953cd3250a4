//! Samples of one family, written one after the other.

use std::iter::zip;

use crate::metrics::{Metric, lines};

/// The samples of one metric, in the order in which they are exported.
pub(super) struct Rows {
    metric: Metric,
    /// What each line begins with: the name, and the account's label where there is one.
    start: String,
    /// What comes next in a line.
    separator: char,
    /// The labels that each sample gives.
    labels: &'static [&'static str],
    lines: String,
}

impl Rows {
    pub(super) fn of(metric: &Metric) -> Self {
        let (start, lines) = (metric.name.to_owned(), String::new());
        Self { metric: *metric, start, separator: '{', labels: metric.labels, lines }
    }

    /// What is added from now on is of this account: the value of the first label.
    pub(super) fn begin_account(&mut self, id: &str) {
        let (first, rest) = self.metric.labels.split_first().expect("a row of an account has its label");
        self.start.truncate(self.metric.name.len());
        self.separator = lines::labels(&mut self.start, '{', [(*first, id)]);
        self.labels = rest;
    }

    /// Adds a sample. `values` stand in the order of the metric's labels, without
    /// that of the account.
    pub(super) fn push(&mut self, values: &[&str], value: impl Into<f64>) {
        debug_assert_eq!(values.len(), self.labels.len(), "a sample has a value for each label");
        self.line(zip(self.labels, values).map(|(name, value)| (*name, *value)), value.into());
    }

    /// Adds a sample with labels of its own beside the account's, whose names a
    /// configuration gives.
    pub(super) fn push_labelled<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>) {
        self.line(labels, 1.0);
    }

    /// Adds a sample, if there is a value.
    pub(super) fn push_known(&mut self, values: &[&str], value: Option<impl Into<f64>>) {
        if let Some(value) = value {
            self.push(values, value);
        }
    }

    fn line<'l>(&mut self, labels: impl Iterator<Item = (&'l str, &'l str)>, value: f64) {
        self.lines.push_str(&self.start);
        let separator = lines::labels(&mut self.lines, self.separator, labels);
        lines::end(&mut self.lines, separator, value);
    }

    /// The lines so far.
    pub(super) fn lines(&self) -> &str {
        &self.lines
    }

    /// The lines.
    pub(super) fn into_lines(self) -> String {
        self.lines
    }
}
