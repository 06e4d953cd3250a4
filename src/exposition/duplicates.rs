//! For tests: a series that an exposition holds twice. Neither the Prometheus library
//! nor promtool's older checks notice one, and Prometheus itself drops a sample with a
//! warning that nobody reads.

use std::collections::HashSet;

/// The first series of `text`, in either format, that it holds a second time,
/// whatever the order of the labels.
pub(super) fn find_duplicate_series(text: &str) -> Option<String> {
    let mut seen = HashSet::new();
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    samples.map(series).find(|series| !seen.insert(series.clone()))
}

/// A sample's name and labels, the labels in order.
fn series(line: &str) -> String {
    let Some((name, rest)) = line.split_once(['{', ' ']) else { return line.to_owned() };
    if !line[name.len()..].starts_with('{') {
        return name.to_owned();
    }
    let mut labels = labels(rest);
    labels.retain(|label| !label.is_empty());
    if labels.is_empty() {
        return name.to_owned();
    }
    labels.sort_unstable();
    format!("{name}{{{}}}", labels.join(","))
}

/// The labels at the beginning of `text`, up to the closing brace. A comma, a
/// brace or an escaped quote within a value is part of it.
fn labels(text: &str) -> Vec<&str> {
    let (mut labels, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            ',' | '}' if !quoted => {
                labels.push(&text[start..at]);
                start = at + 1;
                if char == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_labels_in_another_order_are_the_same_series() {
        assert_eq!(find_duplicate_series("a 1\nb 1\na{} 1\n").as_deref(), Some("a"));
        let text = "# TYPE a gauge\na 1\na{x=\"1\",y=\"2\"} 1\nb{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n";
        assert_eq!(find_duplicate_series(text).as_deref(), Some("a{x=\"1\",y=\"2\"}"));
    }

    #[test]
    fn what_looks_like_syntax_within_a_value_is_not() {
        let text = "a{x=\"}\"} 1\na{x=\"},\"} 1\na{x=\"\\\"\",y=\",\"} 1\na{x=\"\\\\\"} 1\na{x=\"\\\"\"} 1\n";
        assert_eq!(find_duplicate_series(text), None);
        assert!(find_duplicate_series(&text.repeat(2)).is_some());
    }
}
