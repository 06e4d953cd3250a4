//! What rules and dashboards may name: the metrics of the catalogue, with their
//! labels and, where these are fixed, their values, and what the rules record. An
//! expression with a typing error is no error to Prometheus: it is silence.

use std::collections::{BTreeMap, BTreeSet};

use aws_mfa_exporter::{
    metrics::{Kind, catalogue},
    model::{
        account::AccountStatus,
        facts::{DeviceKind, FaultClass},
        judge::{Control, Status},
        snapshot::Collector,
    },
};

use crate::{
    promql::{Selector, names},
    rules::{Rule, cases, rules},
};

/// The labels that the word before the colon of a recorded series stands for, and
/// those that a few series have beside.
const LEVELS: &[(&str, &str)] = &[
    ("account", "account_id"),
    ("control", "control"),
    ("credential", "credential"),
    ("fact", "fact"),
    ("instance", "instance"),
    ("job", "job"),
    ("state", "state"),
    ("status", "status"),
];
const BESIDE: &[(&str, &[&str])] = &[("account:aws_mfa_account_info:topk", &["account_name", "ou"])];

/// What may be named: metrics with their labels.
pub struct Known {
    metrics: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    pub fn new() -> Self {
        let mut metrics = BTreeMap::new();
        let mut add = |name: &str, labels: &[&str]| {
            let all = labels.iter().chain(&["job", "instance"]).map(ToString::to_string);
            metrics.insert(name.to_owned(), all.collect::<BTreeSet<_>>());
        };
        for metric in catalogue() {
            if metric.kind == Kind::Histogram {
                add(&format!("{}_bucket", metric.name), &[metric.labels, &["le"]].concat());
                for part in ["sum", "count"] {
                    add(&format!("{}_{part}", metric.name), metric.labels);
                }
            } else {
                add(metric.name, metric.labels);
            }
        }
        for name in ["up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling"]
        {
            add(name, &[]);
        }
        for name in ["cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes", "open_fds", "max_fds"] {
            add(&format!("process_{name}"), &[]);
        }
        for name in ["process_start_time_seconds", "process_threads"] {
            add(name, &[]);
        }
        let of_alerts =
            ["alertname", "alertstate", "severity", "account_id", "collector", "control", "credential", "outage"];
        for name in ["ALERTS", "ALERTS_FOR_STATE"] {
            add(name, &of_alerts);
        }
        // Which labels these are is the site's choice; the dashboards ask for them.
        metrics.get_mut("aws_mfa_account_labels").expect("it is exported").extend(["ou", "tag_team"].map(String::from));
        let mut known = Self { metrics };
        for name in rules().into_iter().filter_map(|rule| rule.record) {
            let labels = Self::recorded(&name);
            known.metrics.insert(name, labels);
        }
        known
    }

    /// The labels of a recorded series, by its name.
    fn recorded(name: &str) -> BTreeSet<String> {
        let (level, rest) = name.split_once(':').expect("a recorded series says its level");
        assert!(rest.contains(':'), "{name} says what was done");
        let words = level.split('_').filter(|word| *word != "organization");
        let label = |word: &str| {
            let found = LEVELS.iter().find(|(level, _)| *level == word);
            found.unwrap_or_else(|| panic!("{name}: level {word}")).1.to_owned()
        };
        let beside = BESIDE.iter().filter(|(series, _)| *series == name).flat_map(|(_, labels)| *labels);
        words.map(label).chain(beside.map(ToString::to_string)).collect()
    }

    /// What is wrong with the names in an expression.
    pub fn faults(&self, expression: &str) -> Vec<String> {
        let names = names(expression);
        let mut faults = Vec::new();
        let mut labels: BTreeSet<_> = names.made.into_iter().chain(["__name__".to_owned()]).collect();
        for selector in &names.selectors {
            match self.metrics.get(&selector.metric) {
                Some(known) => {
                    let unknown = selector.matchers.iter().filter(|(label, _)| !known.contains(label));
                    faults.extend(unknown.map(|(label, _)| format!("{} has no label {label}", selector.metric)));
                    labels.extend(known.iter().cloned());
                }
                None if selector.metric.is_empty() => labels.extend(self.metrics.values().flatten().cloned()),
                None => faults.push(format!("there is no metric {}", selector.metric)),
            }
            faults.extend(wrong_values(selector));
        }
        // A label that no series of the expression has groups and joins nothing.
        let idle = names.labels.difference(&labels);
        faults.extend(idle.map(|label| format!("no series here has the label {label}")));
        faults
    }
}

/// The values that a label with a fixed set of them may have.
fn values(label: &str) -> Option<BTreeSet<String>> {
    let fixed: Vec<&str> = match label {
        "status" => Status::ALL.map(Status::as_str).into(),
        "control" => Control::ALL.map(Control::as_str).into(),
        "collector" => Collector::ALL.map(Collector::as_str).into(),
        "fault" => FaultClass::ALL.map(FaultClass::as_str).into(),
        "state" => AccountStatus::ALL
            .map(AccountStatus::as_str)
            .into_iter()
            .chain(["refused", "read", "not_read", "disabled"])
            .collect(),
        "feature" => vec!["credentials_management", "sessions"],
        "credential" => vec!["access_key", "password", "signing_certificate"],
        "fact" => vec!["access_key", "console_password", "device"],
        "source" => vec!["credential_report", "virtual_devices"],
        "kind" => DeviceKind::ALL.map(DeviceKind::as_str).into_iter().chain(["not_virtual"]).collect(),
        "severity" => vec!["critical", "warning", "info"],
        "alertstate" => vec!["firing", "pending"],
        _ => return None,
    };
    Some(fixed.into_iter().map(String::from).collect())
}

/// Values are compared where they are words, also several with `|` between them.
fn wrong_values(selector: &Selector) -> Vec<String> {
    let mut faults = Vec::new();
    for (label, value) in &selector.matchers {
        let Some(known) = values(label) else { continue };
        let words = value.split('|').filter(|word| !word.contains(['$', '*', '+', '(']) && !word.is_empty());
        let wrong = words.filter(|word| !known.contains(*word));
        faults.extend(wrong.map(|word| format!("{label} is never {word}")));
    }
    faults
}

/// The expressions that the annotations of a rule ask, with something for each blank.
fn asked(rule: &Rule) -> Vec<String> {
    let mut found = Vec::new();
    for annotation in rule.annotations.values() {
        for part in annotation.split("printf \"").skip(1).chain(annotation.split("query \"").skip(1)) {
            let mut asked = String::new();
            let mut rest = part.chars();
            while let Some(c) = rest.next().filter(|c| *c != '"') {
                asked.push(if c == '\\' { rest.next().unwrap() } else { c });
            }
            found.push(asked.replace("%q", "\"$\""));
        }
        assert_eq!(
            annotation.matches("query").count(),
            annotation.matches("query |").count()
                + annotation.matches("| query }}").count()
                + annotation.matches("query \"").count(),
            "a query that is not read here: {annotation}"
        );
    }
    found
}

#[test]
fn rules_name_only_what_there_is() {
    let known = Known::new();
    let mut asked_at_all = 0;
    for rule in rules() {
        let name = rule.alert.as_ref().or(rule.record.as_ref()).unwrap();
        assert_eq!(known.faults(&rule.expr), [""; 0], "{name}");
        for expression in asked(&rule) {
            asked_at_all += 1;
            assert_eq!(known.faults(&expression), [""; 0], "{name}, in a text");
        }
    }
    assert!(asked_at_all > 20, "{asked_at_all}");
}

/// A case about a series that does not exist proves nothing.
#[test]
fn cases_are_about_series_that_there_are() {
    let known = Known::new();
    for case in cases() {
        for series in case["input_series"].as_array().unwrap() {
            let series = series["series"].as_str().unwrap();
            assert_eq!(known.faults(series), [""; 0], "{}: {series}", case["name"]);
        }
    }
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    let known = Known::new();
    for (expression, fault) in [
        ("aws_mfa_control_state == 1", "there is no metric aws_mfa_control_state"),
        (r#"aws_mfa_control_status{account="1"}"#, "aws_mfa_control_status has no label account"),
        (r#"aws_mfa_control_status{control="IAM9"}"#, "control is never IAM9"),
        (r#"aws_mfa_account_info{state=~"scanned|refusd"}"#, "state is never refusd"),
        ("sum by (region) (aws_mfa_accounts)", "no series here has the label region"),
        ("account:aws_mfa_nothing:max", "there is no metric account:aws_mfa_nothing:max"),
        (
            "aws_mfa_exporter_aws_request_duration_seconds",
            "there is no metric aws_mfa_exporter_aws_request_duration_seconds",
        ),
    ] {
        assert_eq!(known.faults(expression), [fault], "{expression}");
    }
}
