//! A rule, and how it is written.

use std::fmt::Write as _;

/// How soon somebody has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Now.
    Critical,
    /// In working hours.
    Warning,
    /// Now and then.
    Info,
}

/// Rules that are evaluated one after the other.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) interval: &'static str,
    pub(super) rules: Vec<Rule>,
}

/// A series to record, or an alert.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) kind: Kind,
    /// What is to be known about it, for readers of the file.
    comment: String,
    pub(super) expr: String,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Record(String),
    Alert(Box<Alert>),
}

#[derive(Clone, Debug)]
pub(super) struct Alert {
    pub(super) name: &'static str,
    severity: Severity,
    /// For how long it must hold.
    wait: String,
    /// For how long it fires on after that.
    pub(super) keep: Option<&'static str>,
    pub(super) labels: Vec<(String, String)>,
    summary: &'static str,
    description: String,
    /// The dashboard that shows more, with its variables.
    pub(super) dashboard: &'static str,
    /// Where to read on; set when all is known.
    pub(super) links: Vec<(&'static str, String)>,
}

/// Dashboards of an alert, with the variable that the alert's labels set.
pub(super) const ACCOUNT: &str = "aws-mfa-account?var-account={{ $labels.account_id }}";
pub(super) const EXPORTER: &str = "aws-mfa-exporter";
pub(super) const EXPORTER_OF_JOB: &str = "aws-mfa-exporter?var-job={{ $labels.job }}";
pub(super) const OVERVIEW: &str = "aws-mfa-overview";

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

// === impl Rule ===

impl Rule {
    /// A series to record.
    pub(super) fn record(name: impl Into<String>, comment: &str, expr: impl Into<String>) -> Self {
        Self { kind: Kind::Record(name.into()), comment: comment.to_owned(), expr: expr.into() }
    }

    /// An alert that fires at the first evaluation at which `expr` has a result.
    pub(super) fn alert(name: &'static str, severity: Severity, dashboard: &'static str) -> Self {
        let alert = Alert {
            name,
            severity,
            wait: "0s".to_owned(),
            keep: None,
            labels: Vec::new(),
            summary: "",
            description: String::new(),
            dashboard,
            links: Vec::new(),
        };
        Self { kind: Kind::Alert(Box::new(alert)), comment: String::new(), expr: String::new() }
    }

    pub(super) fn about(mut self, comment: &str) -> Self {
        comment.clone_into(&mut self.comment);
        self
    }

    pub(super) fn expr(mut self, expr: impl Into<String>) -> Self {
        self.expr = expr.into();
        self
    }

    pub(super) fn wait(self, wait: impl Into<String>) -> Self {
        self.with(|alert| alert.wait = wait.into())
    }

    pub(super) fn keep(self, keep: &'static str) -> Self {
        self.with(|alert| alert.keep = Some(keep))
    }

    pub(super) fn label(self, name: &'static str, value: impl Into<String>) -> Self {
        self.with(|alert| alert.labels.push((name.to_owned(), value.into())))
    }

    /// What it says: one sentence for all of its alerts, and one or more about each.
    pub(super) fn says(self, summary: &'static str, description: impl Into<String>) -> Self {
        self.with(|alert| {
            alert.summary = summary;
            alert.description = description.into();
        })
    }

    fn with(mut self, change: impl FnOnce(&mut Alert)) -> Self {
        if let Kind::Alert(alert) = &mut self.kind {
            change(alert);
        }
        self
    }
}

// === YAML ===

/// The widest line of a folded text.
const WIDTH: usize = 118;

impl Group {
    pub(super) fn to_yaml(&self) -> String {
        let mut text = format!("- name: {}\n  interval: {}\n  rules:\n", self.name, self.interval);
        self.rules.iter().for_each(|rule| rule.write(&mut text));
        text + "\n"
    }
}

impl Rule {
    fn write(&self, text: &mut String) {
        text.push('\n');
        self.comment.lines().for_each(|line| _ = writeln!(text, "  # {}", line.trim()));
        let (key, name) = match &self.kind {
            Kind::Record(name) => ("record", name.as_str()),
            Kind::Alert(alert) => ("alert", alert.name),
        };
        let _ = writeln!(text, "  - {key}: {name}\n    expr: |");
        outdented(&self.expr).for_each(|line| _ = writeln!(text, "      {line}"));
        if let Kind::Alert(alert) = &self.kind {
            alert.write(text);
        }
    }
}

impl Alert {
    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "    for: {}", self.wait);
        self.keep.iter().for_each(|keep| _ = writeln!(text, "    keep_firing_for: {keep}"));
        let _ = writeln!(text, "    labels:\n      severity: {}", self.severity.as_str());
        self.labels.iter().for_each(|(name, value)| _ = writeln!(text, "      {name}: '{value}'"));
        let _ = writeln!(text, "    annotations:\n      summary: {}\n      description: >-", self.summary);
        folded(&self.description, WIDTH - 8).for_each(|line| _ = writeln!(text, "        {line}"));
        self.links.iter().for_each(|(name, value)| _ = writeln!(text, "      {name}: '{value}'"));
    }
}

/// The lines of `text`, without the indentation that all but the first have: that of
/// the source which they stand in.
fn outdented(text: &str) -> impl Iterator<Item = &str> {
    let rest = || text.trim().lines().skip(1).filter(|line| !line.trim().is_empty());
    let indent = rest().map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    text.trim().lines().take(1).chain(rest().map(move |line| &line[indent..]))
}

/// The words of `text` in lines of at most so many letters, if no word is longer.
fn folded(text: &str, width: usize) -> impl Iterator<Item = String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a first line");
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_keeps_its_shape_and_a_text_is_folded_between_words() {
        assert_eq!(outdented("a\n      or\n    b\n").collect::<Vec<_>>(), ["a", "  or", "b"]);
        assert_eq!(folded("one two\n   three", 7).collect::<Vec<_>>(), ["one two", "three"]);
    }
}
