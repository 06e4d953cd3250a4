//! The OpenMetrics 1.0 encoding of a family. The Prometheus crate speaks only
//! the older text format, yet this one is what a default Prometheus asks for.

use prometheus::proto::{Metric, MetricFamily, MetricType};

use crate::metrics::lines;

/// Units that a name can end in; `UNIT` may only be said of those.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

/// What a family is called. A counter's goes by its name without the suffix; its
/// samples keep it.
pub(super) fn name(family: &MetricFamily) -> &str {
    let name = family.name();
    if family.get_field_type() == MetricType::COUNTER { name.strip_suffix("_total").unwrap_or(name) } else { name }
}

/// Appends `family`. Its `text` is the same in the text format, whose samples are
/// copied where the formats agree: in nearly every line there is.
pub(super) fn write(family: &MetricFamily, text: &str, out: &mut String) {
    comments(name(family), family.get_field_type(), family.help(), out);
    if agrees(family) {
        out.push_str(samples(text));
    } else {
        family.get_metric().iter().for_each(|metric| sample(family, metric, out));
    }
}

/// Appends what is said of a family before its samples.
pub(super) fn comments(name: &str, kind: MetricType, help: &str, out: &mut String) {
    out.extend(["# TYPE ", name, " ", spelling(kind), "\n"]);
    if let Some(unit) = UNITS.iter().find(|unit| name.strip_suffix(**unit).is_some_and(|stem| stem.ends_with('_'))) {
        out.extend(["# UNIT ", name, " ", unit, "\n"]);
    }
    out.extend(["# HELP ", name, " "]);
    lines::escape(out, help, true);
    out.push('\n');
}

/// Whether both formats write the samples alike: not a histogram's bounds, nor
/// a counter whose name lacks its suffix, infinity, or a time in milliseconds.
fn agrees(family: &MetricFamily) -> bool {
    let kind = family.get_field_type();
    let is_named_alike = kind == MetricType::GAUGE || family.name().ends_with("_total");
    let is_plain = |metric: &Metric| value(kind, metric).is_finite() && metric.timestamp_ms() == 0;
    kind != MetricType::HISTOGRAM && is_named_alike && family.get_metric().iter().all(is_plain)
}

/// What follows the comments. A line break in a help text is escaped.
fn samples(text: &str) -> &str {
    let comments = text.split_inclusive('\n').take_while(|line| line.starts_with('#'));
    &text[comments.map(str::len).sum()..]
}

fn sample(family: &MetricFamily, metric: &Metric, out: &mut String) {
    let (name, kind) = (name(family), family.get_field_type());
    match kind {
        MetricType::HISTOGRAM => histogram(out, name, metric),
        MetricType::COUNTER => line(out, &[name, "_total"], metric, None, value(kind, metric)),
        _ => line(out, &[name], metric, None, value(kind, metric)),
    }
}

fn value(kind: MetricType, metric: &Metric) -> f64 {
    match kind {
        MetricType::COUNTER => metric.get_counter().get_value(),
        _ => metric.get_gauge().get_value(),
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
    out.extend(name.iter().copied());
    let own = metric.get_label().iter().map(|pair| (pair.name(), pair.value()));
    let separator = lines::labels(out, '{', own.chain(bound.map(|bound| ("le", bound))));
    lines::end(out, separator, value);
}

/// The canonical spelling of a bucket's bound: a float, always.
fn number(value: f64) -> String {
    let text = value.to_string();
    if text.contains(['.', 'e']) { text } else { text + ".0" }
}

#[cfg(test)]
mod tests {
    use prometheus::{Counter, Gauge, GaugeVec, Histogram, HistogramOpts, Opts, TextEncoder, core::Collector};

    use super::*;

    #[test]
    fn a_histogram_has_canonical_bounds_and_ends_in_infinity() {
        let histogram = Histogram::with_opts(HistogramOpts::new("t_seconds", "T.").buckets(vec![0.5, 1.0])).unwrap();
        histogram.observe(0.7);
        let mut out = String::new();
        write(&histogram.collect()[0], "", &mut out);
        assert_eq!(
            out,
            "# TYPE t_seconds histogram\n# UNIT t_seconds seconds\n# HELP t_seconds T.\n\
             t_seconds_bucket{le=\"0.5\"} 0\nt_seconds_bucket{le=\"1.0\"} 1\nt_seconds_bucket{le=\"+Inf\"} 1\n\
             t_seconds_count 1\nt_seconds_sum 0.7\n"
        );
    }

    #[test]
    fn what_is_copied_is_what_would_have_been_written() {
        let gauge = GaugeVec::new(Opts::new("g", "G.\n# not a comment"), &["a"]).unwrap();
        for (label, value) in [("", 0.1), ("x\"\\\n# y", 1e300), ("é", -0.0), ("n", 1_764_000_000.25), ("t", 1e-7)] {
            gauge.with_label_values(&[label]).set(value);
        }
        let counter = Counter::new("c_total", "C.").unwrap();
        for family in [gauge.collect().remove(0), counter.collect().remove(0)] {
            let text = TextEncoder::new().encode_to_string(std::slice::from_ref(&family)).unwrap();
            let mut written = String::new();
            family.get_metric().iter().for_each(|metric| sample(&family, metric, &mut written));
            assert!(agrees(&family));
            assert_eq!(samples(&text), written);
        }
    }

    #[test]
    fn infinity_and_a_counter_without_its_suffix_are_written_anew() {
        let gauge = Gauge::new("g", "G.").unwrap();
        let counter = Counter::new("c", "C.").unwrap();
        for (value, spelt) in [(f64::INFINITY, "+Inf"), (f64::NEG_INFINITY, "-Inf"), (f64::NAN, "NaN")] {
            gauge.set(value);
            let mut out = String::new();
            write(&gauge.collect()[0], "# TYPE g gauge\ng inf\n", &mut out);
            assert_eq!(out, format!("# TYPE g gauge\n# HELP g G.\ng {spelt}\n"));
        }
        let mut out = String::new();
        write(&counter.collect()[0], "# TYPE c counter\nc 0\n", &mut out);
        assert_eq!(out, "# TYPE c counter\n# HELP c C.\nc_total 0\n");
    }
}
