//! The rules of `deploy/prometheus`: that promtool accepts them and their cases
//! hold, that every alert has what an alert must have, and that each goes where
//! its severity says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use serde_json::Value;

use crate::peers::python;

#[derive(Debug, Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    name: String,
    interval: Option<String>,
    rules: Vec<Rule>,
}

/// A rule: an alert, or a series to be recorded.
#[derive(Clone, Debug, Deserialize)]
pub struct Rule {
    pub record: Option<String>,
    pub alert: Option<String>,
    pub expr: String,
    #[serde(rename = "for")]
    patience: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus")
}

fn text(path: &str) -> String {
    fs::read_to_string(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of a folder with this ending, in order; none where there is no folder.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found
}

fn groups() -> Vec<Group> {
    let read = |path: &str| serde_saphyr::from_str::<RuleFile>(&text(path)).unwrap().groups;
    ["alerts.yaml", "alerts-simple.yaml", "recording.yaml"].into_iter().flat_map(read).collect()
}

/// All rules, in order.
pub fn rules() -> Vec<Rule> {
    groups().into_iter().flat_map(|group| group.rules).collect()
}

/// The alerts of the full set, by name.
fn alerts() -> BTreeMap<String, Rule> {
    let file: RuleFile = serde_saphyr::from_str(&text("alerts.yaml")).unwrap();
    let rules = file.groups.into_iter().flat_map(|group| group.rules);
    rules.filter_map(|rule| Some((rule.alert.clone()?, rule))).collect()
}

/// What promtool tests, as YAML that is no further known.
pub fn cases() -> Vec<Value> {
    let read = |path: PathBuf| {
        let file: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        file["tests"].as_array().unwrap().clone()
    };
    files(&folder().join("tests"), ".yaml").into_iter().flat_map(read).collect()
}

/// The folders of Prometheus's programs: Debian's, and Prometheus 3 where it could be had.
pub fn installations() -> Vec<Option<PathBuf>> {
    let three = std::env::var("TEST_PROMETHEUS3_BIN").expect("tests/run sets TEST_PROMETHEUS3_BIN, or empties it");
    if three.is_empty() {
        eprintln!("NOT TESTED with Prometheus 3: tests/run could not get it");
        return vec![None];
    }
    vec![None, Some(PathBuf::from(three))]
}

/// A program of one of the [`installations`].
pub fn program(installation: Option<&Path>, name: &str) -> Command {
    Command::new(installation.map_or_else(|| PathBuf::from(name), |folder| folder.join(name)))
}

/// What a command said; it must have succeeded.
pub fn is_content(mut command: Command) -> String {
    let output = command.current_dir(folder()).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{command:?}\n{said}");
    said
}

// === promtool and amtool ===

/// promtool evaluates a group that the file does not name before or after the others by chance, and what reads the
/// records of another holds or not.
#[test]
fn the_files_of_cases_say_in_which_order_all_groups_are_evaluated() {
    let names = |file: &str| -> Vec<String> {
        let rules: RuleFile = serde_saphyr::from_str(&text(file)).unwrap();
        rules.groups.into_iter().map(|group| group.name).collect()
    };
    let mut checked = 0;
    for path in files(&folder().join("tests"), ".yaml") {
        let file: Value = serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        if file["rule_files"] == serde_json::json!(["../alerts.yaml"]) {
            assert_eq!(file["group_eval_order"], serde_json::json!(names("alerts.yaml")), "{}", path.display());
            checked += 1;
        }
    }
    assert!(checked >= 12, "{checked}");
}

#[test]
fn every_promtool_accepts_the_rules_and_the_example() {
    for installation in installations() {
        for arguments in [
            &["check", "rules", "alerts.yaml", "alerts-simple.yaml", "recording.yaml"][..],
            &["check", "config", "prometheus.example.yml"],
        ] {
            let mut promtool = program(installation.as_deref(), "promtool");
            promtool.args(arguments);
            is_content(promtool);
        }
    }
}

/// Each alert goes where its severity says, in the example for Alertmanager.
#[test]
fn alertmanager_routes_each_alert_by_its_severity() {
    let mut check = Command::new("amtool");
    check.args(["check-config", "alertmanager.example.yml", "alertmanager.teams.example.yml"]);
    is_content(check);
    for (name, rule) in alerts() {
        let severity = &rule.labels["severity"];
        let mut route = Command::new("amtool");
        route.args(["config", "routes", "test", "--config.file=alertmanager.example.yml"]);
        route.args([
            format!("alertname={name}"),
            format!("severity={severity}"),
            "account_id=1".into(),
            "job=j".into(),
        ]);
        let wanted = BTreeMap::from([("critical", "pager"), ("warning", "tickets"), ("info", "nobody")]);
        assert_eq!(is_content(route).lines().next(), Some(wanted[severity.as_str()]), "{name}");
    }
}

/// An alert that is misspelt in a route or an inhibition is not routed, not inhibited.
#[test]
fn alertmanager_names_only_alerts_that_exist() {
    let alerts = alerts();
    let mut named = BTreeSet::new();
    for (at, _) in text("alertmanager.example.yml").match_indices("AwsMfa") {
        let rest = text("alertmanager.example.yml")[at..].to_owned();
        let name: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        match rest[name.len()..].strip_prefix('(') {
            Some(list) => named.extend(list.split(')').next().unwrap().split('|').map(|end| format!("{name}{end}"))),
            None if name == "AwsMfa" => {}
            None => _ = named.insert(name),
        }
    }
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(alerts.contains_key(&name), "{name}");
    }
}

// === what the program prints ===

/// What `generate alerts` prints.
fn printed(flags: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
    let output = command.args(["generate", "alerts"]).args(flags).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_shipped_alerts_are_what_the_program_prints() {
    for (file, flags) in [("alerts.yaml", &[][..]), ("alerts-simple.yaml", &["--set=simple"])] {
        let way = format!("aws-mfa-exporter generate alerts {} > deploy/prometheus/{file}", flags.join(" "));
        assert!(printed(flags) == text(file), "renew it: {way}");
    }
}

#[test]
fn what_a_site_decides_is_a_flag() {
    let flags = [
        "--runbooks=https://wiki.example.org/mfa/runbooks.md",
        "--grafana=https://grafana.example.org/",
        "--job=audit-.+",
        "--grace=36h",
        "--unprotected-grace=37h",
        "--new-unprotected-grace=90m",
        "--memory=30m",
    ];
    let file: RuleFile = serde_saphyr::from_str(&printed(&flags)).unwrap();
    let rules: Vec<_> = file.groups.into_iter().flat_map(|group| group.rules).collect();
    for rule in rules.iter().filter(|rule| rule.alert.is_some()) {
        let [runbook, dashboard] = ["runbook_url", "dashboard_url"].map(|name| rule.annotations[name].as_str());
        assert!(runbook.starts_with("https://wiki.example.org/mfa/runbooks.md#awsmfa"), "{runbook}");
        assert!(dashboard.starts_with("https://grafana.example.org/d/aws-mfa-"), "{dashboard}");
    }
    let has = |text: &str| rules.iter().any(|rule| rule.expr.contains(text));
    assert!(has("up{job=~\"audit-.+\"}") && has("time() - 129600") && has("[30m]") && !has("[60m]"));
    assert!(
        has("first_seen_timestamp_seconds:min <= time() - 133200")
            && has("later_timestamp_seconds:max <= time() - 5400")
    );
    let simple = printed(&["--set=simple", "--unprotected-grace=37h"]);
    assert!(simple.contains("for: 37h") && !printed(&["--set=simple", "--unprotected-grace=0s"]).contains("for: 24h"));
    for wrong in [
        "--unprotected-grace=never",
        "--new-unprotected-grace=1y",
        "--runbooks=wiki",
        "--grafana=x",
        "--job=\"",
        "--grace=24",
        "--memory=1m",
        "--set=other",
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aws-mfa-exporter"));
        let output = command.args(["generate", "alerts", wrong]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(wrong.split('=').next().unwrap()), "{wrong}: {said}");
    }
}

/// An account's unit and tags are labels of its alerts, the newest that are known, also while nobody exports them.
#[test]
fn alerts_carry_what_a_site_chose() {
    let rules = tempfile::tempdir().unwrap();
    fs::write(rules.path().join("alerts.yaml"), printed(&["--labels=ou,tag_team"])).unwrap();
    let series = |name: &str, labels: &str, values: &str| serde_json::json!({"series": format!("{name}{{job=\"j\",instance=\"a\",account_id=\"1\"{labels}}}"), "values": values});
    let info = r#",account_name="",partition="aws",ou="",state="scanned""#;
    let fired = |labels: &str| serde_json::json!([{"labels": format!("{{account_id=\"1\"{labels}}}"), "value": 1}]);
    let query = r#"sum by (account_id, ou, tag_team) (ALERTS{alertname="AwsMfaRootMfaRegressed"})"#;
    let at =
        |time: &str, labels: &str| serde_json::json!({"expr": query, "eval_time": time, "exp_samples": fired(labels)});
    let case = serde_json::json!({
        "rule_files": ["alerts.yaml"],
        "evaluation_interval": "30s",
        "tests": [{
            "interval": "30s",
            "input_series": [
                series("aws_mfa_account_info", info, "1x39 stale"),
                series("aws_mfa_control_last_protected_timestamp_seconds", r#",control="IAM.9""#, "1x39 stale"),
                series("aws_mfa_control_last_failed_timestamp_seconds", r#",control="IAM.9""#, "2x39 stale"),
                series("aws_mfa_account_labels", r#",ou="Workloads/Production",tag_team="a",tag_env="x""#, "_x4 1x15 stale"),
                series("aws_mfa_account_labels", r#",ou="Workloads/Production",tag_team="b",tag_env="x""#, "_x20 1x19 stale"),
            ],
            "promql_expr_test": [
                at("1m", r#",ou="none",tag_team="none""#),
                // While the old owner's alert is kept.
                at("30m", r#",ou="Workloads/Production",tag_team="b""#),
            ],
        }],
    });
    fs::write(rules.path().join("case.yaml"), case.to_string()).unwrap();
    for installation in installations() {
        let mut test = program(installation.as_deref(), "promtool");
        test.args(["test", "rules"]).arg(rules.path().join("case.yaml"));
        is_content(test);
    }
}

/// The example of teams: by tag to the team's own pager, and a sandbox pages nobody.
#[test]
fn alertmanager_routes_by_team_and_unit() {
    let to = |labels: &[&str]| {
        let mut route = Command::new("amtool");
        route.args(["config", "routes", "test", "--config.file=alertmanager.teams.example.yml"]).args(labels);
        is_content(route).lines().next().unwrap().to_owned()
    };
    let regressed = ["alertname=AwsMfaRootMfaRegressed", "severity=critical", "account_id=1"];
    let of = |more: &[&'static str]| to(&[&regressed, more].concat());
    assert_eq!(of(&[]), "pager");
    assert_eq!(of(&["tag_team=payments", "ou=Workloads/Production"]), "payments-pager");
    assert_eq!(of(&["tag_team=payments", "ou=Sandbox"]), "tickets");
    assert_eq!(of(&["ou=Sandbox/Experiments"]), "tickets");
    assert_eq!(of(&["ou=Sandboxes"]), "pager");
    assert_eq!(
        to(&["alertname=AwsMfaConsoleUsersWithoutMfa", "severity=warning", "tag_team=payments"]),
        "payments-tickets"
    );
    assert_eq!(to(&["alertname=AwsMfaExporterAbsent", "severity=critical"]), "pager");
}

/// For rulers that lack what the full set needs.
#[test]
fn the_simple_alerts_are_a_part_of_the_full_ones_and_stand_alone() {
    let file: RuleFile = serde_saphyr::from_str(&text("alerts-simple.yaml")).unwrap();
    let full = alerts();
    let mut left_out: BTreeSet<_> = full.keys().map(String::as_str).collect();
    for rule in file.groups.iter().flat_map(|group| &group.rules) {
        let name = rule.alert.as_deref().expect("nothing is recorded");
        left_out.remove(name);
        assert_eq!(
            rule.labels,
            BTreeMap::from([("severity".to_owned(), full[name].labels["severity"].clone())]),
            "{name}"
        );
        assert!(
            !rule.expr.contains(":aws_mfa_") && rule.annotations.values().all(|text| !text.contains("query")),
            "{name}"
        );
    }
    assert!(!text("alerts-simple.yaml").contains("keep_firing_for"));
    assert_eq!(left_out, BTreeSet::from(["AwsMfaCoverageFalling"]));
}

// === alerts, cases and runbooks ===

#[test]
fn every_alert_says_how_bad_it_is_what_it_is_and_what_to_do() {
    for (name, rule) in alerts() {
        assert!(name.starts_with("AwsMfa"), "{name}");
        assert!(["critical", "warning", "info"].contains(&rule.labels["severity"].as_str()), "{name}");
        // A label more is another alert when it changes; an outage's does not.
        let labels: Vec<_> = rule.labels.keys().map(String::as_str).filter(|label| *label != "severity").collect();
        assert!(labels.is_empty() || name == "AwsMfaRootMfaUnknown" && labels == ["outage"], "{name}: {labels:?}");
        assert!(rule.patience.is_some(), "{name}");
        let [summary, description, url, dashboard] = ["summary", "description", "runbook_url", "dashboard_url"]
            .map(|annotation| rule.annotations[annotation].as_str());
        assert!(summary.ends_with('.') && !summary.contains("{{"), "{name}");
        assert!(description.ends_with('.'), "{name}");
        assert_eq!(url, format!("deploy/runbooks.md#{}", name.to_lowercase()), "{name}");
        let board = dashboard.strip_prefix("d/").unwrap().split('?').next().unwrap();
        assert!(folder().join(format!("../../dashboards/{board}.json")).exists(), "{name}: {dashboard}");
    }
}

#[test]
fn every_alert_has_a_runbook_and_no_runbook_is_left_over() {
    let book = fs::read_to_string(folder().join("../runbooks.md")).unwrap();
    let sections: BTreeMap<_, _> = book.split("\n## ").skip(1).map(|part| part.split_once('\n').unwrap()).collect();
    let headings: BTreeSet<_> = sections.keys().map(ToString::to_string).collect();
    assert_eq!(headings, alerts().into_keys().collect());
    for (name, section) in sections {
        for part in ["**Means.**", "**Confirm.**", "**Mend.**", "**False alarm.**", "**Tell.**"] {
            assert!(section.contains(part), "{name} has no {part}");
        }
    }
}

/// There are such operations, with these options, and the role for people on call allows them.
#[test]
fn the_commands_of_the_runbooks_can_be_pasted() {
    let mut check = python("python");
    check.arg(folder().join("../../tests/runbooks.py"));
    is_content(check);
}

/// A case fires if it expects an alert, be it by name or as a sample of `ALERTS`.
#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() {
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for case in cases() {
        for test in case["alert_rule_test"].as_array().into_iter().flatten() {
            let name = test["alertname"].as_str().unwrap().to_owned();
            match test["exp_alerts"].as_array() {
                Some(alerts) if !alerts.is_empty() => firing.insert(name),
                _ => silent.insert(name),
            };
        }
    }
    let alerts: BTreeSet<_> = alerts().into_keys().collect();
    assert_eq!(firing, alerts, "each with its texts, word by word");
    assert_eq!(silent, alerts);
}

#[test]
fn every_group_says_how_often_it_is_evaluated() {
    for group in groups() {
        assert!(group.interval.is_some(), "{:?}", group.rules[0]);
    }
}
