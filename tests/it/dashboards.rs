//! The expressions of the dashboards: that each can be parsed, and names only
//! what there is.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{
    names::Known,
    rules::{files, installations, is_content, program},
};

/// Every expression of every dashboard, with where it stands.
fn panels() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards"), ".json") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        expressions(&dashboard, &mut |expression| found.push((name.clone(), expression)));
    }
    found
}

/// Targets have an `expr`; variables have a `query`, a text or an object with one.
fn expressions(value: &Value, found: &mut impl FnMut(String)) {
    match value {
        Value::Array(all) => all.iter().for_each(|value| expressions(value, found)),
        Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), value) {
                    ("expr", Value::String(text)) => found(text.clone()),
                    ("query" | "definition", Value::String(text)) => found_in_variable(text, found),
                    _ => expressions(value, found),
                }
            }
        }
        _ => {}
    }
}

/// What a variable asks: `label_values(series, label)`, `query_result(expression)`.
/// The type of a data source is no question.
fn found_in_variable(text: &str, found: &mut impl FnMut(String)) {
    let inside = |name: &str| text.strip_prefix(name).and_then(|rest| rest.strip_suffix(')'));
    if let Some(arguments) = inside("label_values(") {
        if let Some((series, label)) = arguments.rsplit_once(',') {
            found(format!("group by ({}) ({series})", label.trim()));
        }
    } else if let Some(expression) = inside("query_result(") {
        found(expression.to_owned());
    }
}

/// Variables of Grafana in an expression: a time where one is wanted, else a word.
fn without_variables(expression: &str) -> String {
    let mut text = expression.to_owned();
    for time in ["__rate_interval", "__interval", "__range"] {
        text = text.replace(&format!("${{{time}}}"), "5m").replace(&format!("${time}"), "5m");
    }
    text.replace("${__range_s}", "300").replace("$__range_s", "300").replace("${", "$").replace(":regex}", "")
}

#[test]
fn dashboards_name_only_what_there_is() {
    let known = Known::new();
    for (dashboard, expression) in panels() {
        let read = without_variables(&expression);
        assert_eq!(known.faults(&read), [""; 0], "{dashboard}: {expression}");
    }
}

/// promtool parses rules only, so each expression becomes one.
#[test]
fn promtool_can_parse_every_expression_of_the_dashboards() {
    let rule = |(n, (_, expression)): (usize, (String, String))| {
        let parsed = without_variables(&expression).replace('$', "");
        serde_json::json!({"record": format!("panel:{n}"), "expr": parsed})
    };
    let rules: Vec<_> = panels().into_iter().enumerate().map(rule).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    let groups = serde_json::json!({"groups": [{"name": "panels", "rules": rules}]});
    fs::write(file.path(), groups.to_string()).unwrap();
    for installation in installations() {
        let mut check = program(installation.as_deref(), "promtool");
        check.args(["check", "rules"]).arg(file.path());
        is_content(check);
    }
}

#[test]
fn the_expressions_of_a_dashboard_are_all_found() {
    let dashboard = serde_json::json!({
        "panels": [{"targets": [{"expr": "a"}]}, {"panels": [{"targets": [{"expr": "b[$__rate_interval]"}]}]}],
        "templating": {"list": [
            {"type": "query", "definition": "label_values(c{x=\"1\"}, y)", "query": {"query": "label_values(c{x=\"1\"}, y)"}},
            {"type": "query", "query": "query_result(d)"},
            {"type": "datasource", "query": "prometheus"},
        ]},
    });
    let mut found = Vec::new();
    expressions(&dashboard, &mut |expression| found.push(without_variables(&expression)));
    found.sort();
    found.dedup();
    assert_eq!(found, ["a", "b[5m]", "d", "group by (y) (c{x=\"1\"})"]);
}
