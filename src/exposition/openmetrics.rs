//! The OpenMetrics 1.0 encoding of a family. The Prometheus crate speaks only
//! the older text format, yet this one is what a default Prometheus asks for.

use std::fmt::Write as _;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

/// Units that a name can end in; `UNIT` may only be said of those.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

/// Appends `family`. Writing to a string cannot fail, so results are dropped.
pub(super) fn write(family: &MetricFamily, out: &mut String) {
    let sample = family.name();
    let kind = family.get_field_type();
    // A counter's family goes by its name without the suffix; its samples keep it.
    let name = if kind == MetricType::COUNTER { sample.strip_suffix("_total").unwrap_or(sample) } else { sample };
    let _ = writeln!(out, "# TYPE {name} {}", spelling(kind));
    if let Some(unit) = UNITS.iter().find(|unit| name.strip_suffix(**unit).is_some_and(|stem| stem.ends_with('_'))) {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
    let _ = write!(out, "# HELP {name} ");
    escape(family.help(), out);
    out.push('\n');
    for metric in family.get_metric() {
        match kind {
            MetricType::COUNTER => line(out, &[name, "_total"], metric, None, metric.get_counter().get_value()),
            MetricType::HISTOGRAM => histogram(out, name, metric),
            _ => line(out, &[name], metric, None, metric.get_gauge().get_value()),
        }
    }
}

fn spelling(kind: MetricType) -> &'static str {
    match kind {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        _ => "gauge",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests stays below 2^52")]
fn histogram(out: &mut String, name: &str, metric: &Metric) {
    let histogram = metric.get_histogram();
    let buckets = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
    for bucket in buckets {
        let bound = number(bucket.upper_bound());
        line(out, &[name, "_bucket"], metric, Some(&bound), bucket.cumulative_count() as f64);
    }
    let count = histogram.get_sample_count() as f64;
    line(out, &[name, "_bucket"], metric, Some("+Inf"), count);
    line(out, &[name, "_count"], metric, None, count);
    line(out, &[name, "_sum"], metric, None, histogram.get_sample_sum());
}

fn line(out: &mut String, name: &[&str], metric: &Metric, bound: Option<&str>, value: f64) {
    name.iter().for_each(|part| out.push_str(part));
    labels(out, metric.get_label(), bound);
    let _ = if value.is_finite() { writeln!(out, " {value}") } else { writeln!(out, " {}", not_finite(value)) };
}

fn labels(out: &mut String, pairs: &[LabelPair], bound: Option<&str>) {
    let own = pairs.iter().map(|pair| (pair.name(), pair.value()));
    let mut separator = '{';
    for (name, value) in own.chain(bound.map(|bound| ("le", bound))) {
        let _ = write!(out, "{separator}{name}=\"");
        escape(value, out);
        out.push('"');
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
}

/// The canonical spelling of a bucket's bound: a float, always.
fn number(value: f64) -> String {
    let text = value.to_string();
    if text.contains(['.', 'e']) { text } else { text + ".0" }
}

fn not_finite(value: f64) -> &'static str {
    match value {
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "+Inf",
        _ => "-Inf",
    }
}

fn escape(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            _ => out.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{Histogram, HistogramOpts, core::Collector};

    use super::*;

    #[test]
    fn a_histogram_has_canonical_bounds_and_ends_in_infinity() {
        let histogram = Histogram::with_opts(HistogramOpts::new("t_seconds", "T.").buckets(vec![0.5, 1.0])).unwrap();
        histogram.observe(0.7);
        let mut out = String::new();
        write(&histogram.collect()[0], &mut out);
        assert_eq!(
            out,
            "# TYPE t_seconds histogram\n# UNIT t_seconds seconds\n# HELP t_seconds T.\n\
             t_seconds_bucket{le=\"0.5\"} 0\nt_seconds_bucket{le=\"1.0\"} 1\nt_seconds_bucket{le=\"+Inf\"} 1\n\
             t_seconds_count 1\nt_seconds_sum 0.7\n"
        );
    }
}
