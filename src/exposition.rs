//! The bytes of `/metrics`, made once and served many times.
//!
//! An exposition has two halves. The *head* holds what is known of the accounts:
//! large, and encoded again only when it has changed. The *tail* holds the
//! exporter's own few families, fresh every second. Each half is kept as plain
//! text and as pieces of a deflate stream, so that a scrape, compressed or not,
//! copies nothing: it is handed the pieces of both halves and, for gzip, ten bytes
//! before and eight after them. The samples of a large family are pieces of their own,
//! which both formats share, for they differ in their comments only. A piece whose lines
//! are those of the exposition before is not compressed again.

#[cfg(test)]
mod duplicates;
mod encoder;
mod gzip;
mod openmetrics;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;

use crate::model::time::Moment;
use encoder::Piece;
pub use encoder::{EncodeError, Encoder};
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
    /// The pieces that both formats share, by family.
    shared: BTreeMap<&'static str, Vec<Piece>>,
    text: Part,
    openmetrics: Part,
}

/// A half in one format: what is to be sent, in order.
#[derive(Clone, Debug)]
struct Part {
    plain: Vec<Bytes>,
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
    pub frames: Arc<[Bytes]>,
    /// Their length.
    pub length: u64,
}

impl Half {
    /// The half in the text format.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        self.text.plain.concat()
    }
}

impl Part {
    fn of(pieces: &[Piece]) -> Self {
        let plain = pieces.iter().map(|piece| piece.plain.clone()).collect();
        Self { plain, deflated: Deflated::joined(pieces.iter().map(|piece| &piece.deflated)) }
    }
}

// === impl Exposition ===

impl Exposition {
    /// Joins two halves of different families.
    #[must_use]
    pub fn new(head: &Half, tail: &Half, at: Moment) -> Self {
        let bodies = |head: &Part, tail: &Part| {
            [
                Body::of([&head.plain[..], &tail.plain].concat()),
                Body::of(gzip::member(&Deflated::joined([&head.deflated, &tail.deflated]))),
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
    fn of(mut frames: Vec<Bytes>) -> Self {
        frames.retain(|frame| !frame.is_empty());
        Self { length: frames.iter().map(|frame| frame.len() as u64).sum(), frames: frames.into() }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::of(vec![bytes])
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use prometheus::{
        Counter, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounterVec, Opts, Registry,
        core::Collector,
        proto::{MetricFamily, MetricType},
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
            let [first, second] = [(); 2].map(|()| exposition.body(Format::Text, encoding).clone().frames);
            assert!(Arc::ptr_eq(&first, &second));
        }
    }

    const LARGE: (&str, &str) = ("large_seconds", "Large, \"quoted\"\nand broken.");

    /// Enough lines to be a piece of their own, all of this value.
    fn lines(value: &str) -> String {
        (0..2_000).map(|n| format!("large_seconds{{n=\"{n}\"}} {value}\n")).collect()
    }

    fn head(mut encoder: Encoder, value: &str) -> Half {
        encoder.gauges("small", "Small.", &[Bytes::from("small{n=\"\"} 1\n")]).unwrap();
        encoder.gauges(LARGE.0, LARGE.1, &[Bytes::from(lines(value))]).unwrap();
        encoder.gauges("zero", "Small.", &[Bytes::from("zero{n=\"\"} 0\n")]).unwrap();
        encoder.head()
    }

    #[test]
    fn the_lines_of_a_large_family_are_shared_by_both_formats_and_each_says_what_it_should() {
        let exposition = Exposition::new(&head(Encoder::default(), "1"), &one("tail", "").tail(), at());
        let expected = [
            "# HELP small Small.\n# TYPE small gauge\nsmall{n=\"\"} 1\n\
             # HELP large_seconds Large, \"quoted\"\\nand broken.\n# TYPE large_seconds gauge\nLINES\
             # HELP zero Small.\n# TYPE zero gauge\nzero{n=\"\"} 0\n\
             # HELP tail Help.\n# TYPE tail gauge\ntail{label=\"\"} 1\n",
            "# TYPE small gauge\n# HELP small Small.\nsmall{n=\"\"} 1\n\
             # TYPE large_seconds gauge\n# UNIT large_seconds seconds\n\
             # HELP large_seconds Large, \\\"quoted\\\"\\nand broken.\nLINES\
             # TYPE zero gauge\n# HELP zero Small.\nzero{n=\"\"} 0\n\
             # TYPE tail gauge\n# HELP tail Help.\ntail{label=\"\"} 1\n# EOF\n",
        ];
        for (format, expected) in [Format::Text, Format::OpenMetrics].into_iter().zip(expected) {
            let [plain, packed] =
                [Encoding::Identity, Encoding::Gzip].map(|encoding| exposition.body(format, encoding).frames.concat());
            assert_eq!(String::from_utf8(plain.clone()).unwrap(), expected.replace("LINES", &lines("1")));
            let (mut unpacked, mut decoder) = (Vec::new(), flate2::bufread::GzDecoder::new(&*packed));
            decoder.read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == plain && decoder.into_inner().is_empty());
        }
        for encoding in [Encoding::Identity, Encoding::Gzip] {
            let [text, openmetrics] =
                [Format::Text, Format::OpenMetrics].map(|f| largest(exposition.body(f, encoding)));
            assert_eq!(text, openmetrics);
        }
    }

    /// Where the largest frame lies.
    fn largest(body: &Body) -> *const u8 {
        body.frames.iter().max_by_key(|frame| frame.len()).unwrap().as_ptr()
    }

    #[test]
    fn lines_that_are_as_before_are_not_compressed_again_and_others_are() {
        let first = head(Encoder::default(), "1");
        let [same, other] = ["1", "2"].map(|value| head(Encoder::instead_of(first.clone()), value));
        let body = |half: &Half| {
            let exposition = Exposition::new(half, &one("tail", "").tail(), at());
            exposition.body(Format::Text, Encoding::Identity).clone()
        };
        assert_eq!(largest(&body(&first)), largest(&body(&same)));
        assert_eq!(body(&first).frames, body(&same).frames);
        assert!(text(&body(&other)).contains("large_seconds{n=\"7\"} 2\n"));
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
        let text = String::from_utf8(encoder.head().text()).unwrap();
        assert_eq!(text.matches("c_total 0").count(), 1);
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
        assert!(matches!(tail.gauges("jobs", "Taken.", &[]), Err(EncodeError::Twice(_))));
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
