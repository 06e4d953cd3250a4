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

/// An expression with something for each of Grafana's variables, `$name`,
/// `${name}` or `${name:format}`: a number, a time, or a word with its `$`.
fn without_variables(expression: &str) -> String {
    let mut parts = expression.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = match part.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some((inside, rest)) => (inside.split(':').next().unwrap_or_default(), rest),
            None => part.split_at(part.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(part.len())),
        };
        match name {
            "__range_s" | "__interval_ms" | "__range_ms" => text.push_str("300"),
            // The name of a label.
            "tag" => text.push_str("tag_team"),
            "__rate_interval" | "__interval" | "__range" => text.push_str("5m"),
            _ => text.extend(["$", name]),
        }
        text.push_str(rest);
    }
    text
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
        "panels": [{"targets": [{"expr": "a"}]}, {"panels": [{"targets": [{"expr": "b{z=~\"${z:regex}\"}[$__rate_interval] / $__range_s"}]}]}],
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
    assert_eq!(found, ["a", "b{z=~\"$z\"}[5m] / 300", "d", "group by (y) (c{x=\"1\"})"]);
}
