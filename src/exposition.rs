//! The bytes of `/metrics`, made once and served many times.
//!
//! An exposition has two halves. The *head* holds what is known of the accounts:
//! large, and encoded again only when it has changed. The *tail* holds the
//! exporter's own few families, fresh every second. Each half is kept as plain
//! text and as a piece of a deflate stream, so that a scrape, compressed or not,
//! copies nothing: it is handed the two halves and, for gzip, ten bytes before
//! and eight after them.

#[cfg(test)]
mod duplicates;
mod gzip;
mod openmetrics;

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use prometheus::{
    TextEncoder,
    proto::{MetricFamily, MetricType},
};

use crate::model::time::Moment;
use gzip::Deflated;

/// The formats on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format, version 0.0.4.
    Text,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

/// How a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// As one gzip member.
    Gzip,
}

/// One half in both formats, plain and compressed.
#[derive(Clone, Debug)]
pub struct Half {
    names: Arc<BTreeSet<String>>,
    text: Part,
    openmetrics: Part,
}

#[derive(Clone, Debug)]
struct Part {
    plain: Bytes,
    deflated: Deflated,
}

/// What is served until the next one is published.
#[derive(Clone, Debug)]
pub struct Exposition {
    /// When the snapshot behind the head was aged.
    pub at: Moment,
    text: [Body; 2],
    openmetrics: [Body; 2],
}

/// A response body: its frames in order, and how long they are together.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The bytes, shared with the exposition.
    pub frames: [Bytes; 4],
    /// Their length.
    pub length: u64,
}

/// Encodes families one after the other, in both formats at once.
#[derive(Debug, Default)]
pub struct Encoder {
    names: BTreeSet<String>,
    text: String,
    openmetrics: String,
}

/// A family cannot be encoded. It is left out, whole, and the rest goes on.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A name of this family's was taken by an earlier one: Prometheus would
    /// reject all.
    #[error("metric family {0} is there twice, or its samples have the name of another family")]
    Twice(String),
    /// Only gauges, counters and histograms are spoken here.
    #[error("metric family {0} is a {1:?}, which cannot be encoded")]
    Kind(String, MetricType),
    /// The Prometheus library refuses the family.
    #[error("metric family {0} cannot be encoded: {1}")]
    Refused(String, prometheus::Error),
}

// === impl Encoder ===

impl Encoder {
    /// An encoder of what is to follow `head`, whose names are taken.
    #[must_use]
    pub fn after(head: &Half) -> Self {
        Self { names: BTreeSet::clone(&head.names), ..Self::default() }
    }

    /// Adds a family.
    ///
    /// # Errors
    /// When one of its names is taken, its kind is none of ours, or it is empty.
    pub fn family(&mut self, family: &MetricFamily) -> Result<(), EncodeError> {
        let name = || family.name().to_owned();
        let kind = family.get_field_type();
        if !matches!(kind, MetricType::GAUGE | MetricType::COUNTER | MetricType::HISTOGRAM) {
            return Err(EncodeError::Kind(name(), kind));
        }
        let claims = claims(family);
        if claims.iter().any(|claim| self.names.contains(claim)) {
            return Err(EncodeError::Twice(name()));
        }
        let before = self.text.len();
        let encoded = TextEncoder::new().encode_utf8(std::slice::from_ref(family), &mut self.text);
        encoded.map_err(|error| {
            self.text.truncate(before);
            EncodeError::Refused(name(), error)
        })?;
        openmetrics::write(family, &self.text[before..], &mut self.openmetrics);
        self.names.extend(claims);
        Ok(())
    }

    /// The half that more may follow.
    #[must_use]
    pub fn head(self) -> Half {
        Half { names: Arc::new(self.names), text: Part::head(self.text), openmetrics: Part::head(self.openmetrics) }
    }

    /// The half that ends the exposition.
    #[must_use]
    pub fn tail(mut self) -> Half {
        self.openmetrics.push_str("# EOF\n");
        Half { names: Arc::new(self.names), text: Part::tail(self.text), openmetrics: Part::tail(self.openmetrics) }
    }
}

/// The names that no other family may have: its own in either format, and those
/// of its samples.
fn claims(family: &MetricFamily) -> Vec<String> {
    let suffixes: &[&str] = match family.get_field_type() {
        MetricType::COUNTER => &["", "_total"],
        MetricType::HISTOGRAM => &["", "_bucket", "_count", "_sum"],
        _ => &[""],
    };
    suffixes.iter().map(|suffix| format!("{}{suffix}", openmetrics::name(family))).collect()
}

impl Half {
    /// The half in the text format.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text.plain
    }
}

impl Part {
    fn head(text: String) -> Self {
        Self { deflated: Deflated::open(text.as_bytes()), plain: text.into() }
    }

    fn tail(text: String) -> Self {
        Self { deflated: Deflated::finished(text.as_bytes()), plain: text.into() }
    }
}

// === impl Exposition ===

impl Exposition {
    /// Joins two halves of different families.
    #[must_use]
    pub fn new(head: &Half, tail: &Half, at: Moment) -> Self {
        let bodies = |head: &Part, tail: &Part| {
            [
                Body::of([head.plain.clone(), tail.plain.clone(), Bytes::new(), Bytes::new()]),
                Body::of(gzip::member(&head.deflated, &tail.deflated)),
            ]
        };
        Self { at, text: bodies(&head.text, &tail.text), openmetrics: bodies(&head.openmetrics, &tail.openmetrics) }
    }

    /// The body in one format and encoding.
    #[must_use]
    pub fn body(&self, format: Format, encoding: Encoding) -> &Body {
        let bodies = match format {
            Format::Text => &self.text,
            Format::OpenMetrics => &self.openmetrics,
        };
        match encoding {
            Encoding::Identity => &bodies[0],
            Encoding::Gzip => &bodies[1],
        }
    }
}

// === impl Body ===

impl Body {
    fn of(frames: [Bytes; 4]) -> Self {
        let length = frames.iter().map(|frame| frame.len() as u64).sum();
        Self { frames, length }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use prometheus::{
        Counter, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounterVec, Opts, Registry, core::Collector,
    };
    use proptest::prelude::*;

    use super::{duplicates::find_duplicate_series, *};
    use crate::model::time::Timestamp;

    fn exposition() -> Exposition {
        let registry = Registry::new();
        let events =
            IntCounterVec::new(Opts::new("b_events_total", "Events, \"quoted\"\nand broken."), &["why"]).unwrap();
        events.with_label_values(&["a \"b\"\\\n"]).inc_by(3);
        let seconds = Gauge::new("a_thing_timestamp_seconds", "A time.").unwrap();
        seconds.set(1_764_000_000.25);
        registry.register(Box::new(events)).unwrap();
        registry.register(Box::new(seconds)).unwrap();
        let mut head = Encoder::default();
        registry.gather().iter().for_each(|family| head.family(family).unwrap());
        let own = Registry::new();
        own.register(Box::new(Counter::new("c_total", "C.").unwrap())).unwrap();
        let mut tail = Encoder::default();
        own.gather().iter().for_each(|family| tail.family(family).unwrap());
        Exposition::new(&head.head(), &tail.tail(), at())
    }

    fn at() -> Moment {
        Moment { wall: Timestamp::default(), mono: crate::model::time::Uptime::default() }
    }

    fn text(body: &Body) -> String {
        String::from_utf8(body.frames.concat()).unwrap()
    }

    #[test]
    fn openmetrics_differs_where_the_standard_does() {
        let exposition = exposition();
        let body = exposition.body(Format::OpenMetrics, Encoding::Identity);
        assert_eq!(
            text(body),
            "# TYPE a_thing_timestamp_seconds gauge\n# UNIT a_thing_timestamp_seconds seconds\n\
             # HELP a_thing_timestamp_seconds A time.\na_thing_timestamp_seconds 1764000000.25\n\
             # TYPE b_events counter\n# HELP b_events Events, \\\"quoted\\\"\\nand broken.\n\
             b_events_total{why=\"a \\\"b\\\"\\\\\\n\"} 3\n# TYPE c counter\n# HELP c C.\nc_total 0\n# EOF\n"
        );
    }

    #[test]
    fn gzip_is_one_member_and_says_the_same() {
        for format in [Format::Text, Format::OpenMetrics] {
            let exposition = exposition();
            let body = exposition.body(format, Encoding::Gzip);
            let mut plain = String::new();
            // Reads one member only: a second one would be cut off.
            flate2::read::GzDecoder::new(&*body.frames.concat()).read_to_string(&mut plain).unwrap();
            assert_eq!(plain, text(exposition.body(format, Encoding::Identity)));
            assert_eq!(body.length, body.frames.concat().len() as u64);
        }
    }

    #[test]
    fn a_scrape_copies_nothing() {
        let exposition = exposition();
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let [first, second] =
                [(); 2].map(|()| exposition.body(Format::Text, encoding).clone().frames.map(|f| f.as_ptr()));
            assert_eq!(first[0..2], second[0..2]);
        }
    }

    #[test]
    fn a_family_given_twice_is_refused_and_does_not_spoil_the_rest() {
        let registry = Registry::new();
        registry.register(Box::new(Counter::new("c_total", "C.").unwrap())).unwrap();
        let family = &registry.gather()[0];
        let mut encoder = Encoder::default();
        encoder.family(family).unwrap();
        assert!(matches!(encoder.family(family), Err(EncodeError::Twice(name)) if name == "c_total"));
        assert!(matches!(encoder.family(&MetricFamily::default()), Err(EncodeError::Refused(..))));
        assert_eq!(encoder.text.matches("c_total 0").count(), 1);
    }

    #[test]
    fn a_name_taken_by_the_head_or_by_samples_is_refused() {
        let of = |metric: &dyn Collector| metric.collect().remove(0);
        let mut head = Encoder::default();
        head.family(&of(&Counter::new("jobs_total", "J.").unwrap())).unwrap();
        head.family(&of(&Histogram::with_opts(HistogramOpts::new("wait_seconds", "W.")).unwrap())).unwrap();
        let mut tail = Encoder::after(&head.head());
        for taken in ["jobs_total", "jobs", "wait_seconds", "wait_seconds_count"] {
            let refused = tail.family(&of(&Gauge::new(taken, "T.").unwrap()));
            assert!(matches!(refused, Err(EncodeError::Twice(name)) if name == taken), "{taken}");
        }
        tail.family(&of(&Gauge::new("wait", "W.").unwrap())).unwrap();
    }

    /// The library would end the process at the first, and we would call the
    /// second a gauge of 0.
    #[test]
    fn a_kind_that_is_not_spoken_is_refused() {
        for kind in [MetricType::UNTYPED, MetricType::SUMMARY] {
            let mut family = Gauge::new("odd", "O.").unwrap().collect().remove(0);
            family.set_field_type(kind);
            assert!(matches!(Encoder::default().family(&family), Err(EncodeError::Kind(..))));
        }
    }

    #[test]
    fn a_new_tail_leaves_the_head_where_it_is() {
        let head = one("head", "").head();
        let [old, new] = ["1", "2"].map(|value| Exposition::new(&head, &one("tail", value).tail(), at()));
        for format in [Format::Text, Format::OpenMetrics] {
            for (encoding, head) in [(Encoding::Identity, 0), (Encoding::Gzip, 1)] {
                let [old, new] = [&old, &new].map(|exposition| &exposition.body(format, encoding).frames);
                assert_eq!(old[head].as_ptr(), new[head].as_ptr());
                assert_ne!(old[head + 1], new[head + 1]);
            }
        }
    }

    /// One gauge with one label.
    fn one(name: &str, value: &str) -> Encoder {
        let gauge = GaugeVec::new(Opts::new(name, "Help."), &["label"]).unwrap();
        gauge.with_label_values(&[value]).set(1.0);
        let mut encoder = Encoder::default();
        encoder.family(&gauge.collect()[0]).unwrap();
        encoder
    }

    /// Undoes the escapes of a label value, as a scraper does.
    fn unescape(text: &str) -> String {
        let (mut out, mut chars) = (String::new(), text.chars());
        while let Some(char) = chars.next() {
            out.push(match char {
                '\\' => chars.next().map(|next| if next == 'n' { '\n' } else { next }).unwrap(),
                _ => char,
            });
        }
        out
    }

    proptest! {
        #[test]
        fn any_label_value_comes_back(value in "(?s).*") {
            let exposition = Exposition::new(&one("head", &value).head(), &one("tail", "").tail(), at());
            for format in [Format::Text, Format::OpenMetrics] {
                let text = text(exposition.body(format, Encoding::Identity));
                let line = text.lines().find(|line| line.starts_with("head{")).unwrap();
                let escaped = line.strip_prefix("head{label=\"").unwrap().strip_suffix("\"} 1").unwrap();
                prop_assert_eq!(unescape(escaped), &*value);
                prop_assert_eq!(find_duplicate_series(&text), None);
            }
        }
    }
}
