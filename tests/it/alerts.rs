//! The cases of the rules, in each promtool.
//!
//! They are minutes of processor time, at a low priority. Tests begin in the order of their
//! names, and these are among the first: so they take the time in which others wait.

use std::process::Command;

use crate::{
    peers::python,
    rules::{cases, installations, is_content},
};

#[test]
fn the_cases_of_the_rules_hold_and_every_rule_can_be_evaluated_for_their_series() {
    let mut check = check();
    check.args(["--every-rule", "promtool"]);
    hold(check);
}

/// Prometheus 3 reads ranges otherwise: they leave out their beginning. Whether a rule can be evaluated for the series of
/// every case is known of Debian's promtool, so what decides the cases is enough here: a minute of one core.
#[test]
fn the_cases_of_the_rules_hold_in_prometheus_3_too() {
    let Some(three) = installations().into_iter().flatten().next() else { return };
    let mut check = check();
    check.arg(three.join("promtool"));
    hold(check);
}

fn check() -> Command {
    let mut check = python("python");
    check.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules/check.py"));
    // A seventh of promtool's time goes into collecting garbage of which there is little.
    check.env("GOGC", "800");
    check
}

fn hold(check: Command) {
    let cases = cases().len();
    assert!(cases >= 100, "{cases}");
    assert_eq!(is_content(check).trim(), format!("{cases} cases, 0 wrong"));
}
