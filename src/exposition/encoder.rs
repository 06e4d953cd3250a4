//! Families in, halves out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use prometheus::{
    TextEncoder,
    proto::{MetricFamily, MetricType},
};

use super::{
    Half, Part,
    gzip::{Deflated, Deflater},
    openmetrics,
};
use crate::metrics::lines;

/// Lines of this size are compressed alone, in pieces that both formats share. Smaller
/// ones are compressed together with what is around them, which makes fewer bytes of them.
const SHARED: usize = 32 << 10;

/// Bytes, plain and compressed.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) plain: Bytes,
    pub(super) deflated: Deflated,
}

/// What is written in one format.
#[derive(Debug, Default)]
struct Draft {
    pieces: Vec<Piece>,
    /// What goes into the next piece.
    text: String,
}

/// Encodes families one after the other, in both formats at once.
#[derive(Debug, Default)]
pub struct Encoder {
    names: BTreeSet<String>,
    text: Draft,
    openmetrics: Draft,
    shared: BTreeMap<&'static str, Vec<Piece>>,
    /// The shared pieces of an earlier half.
    known: BTreeMap<&'static str, Vec<Piece>>,
    deflater: Deflater,
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

    /// An encoder of what is to take the place of `half`: lines that are the same are not
    /// compressed again.
    #[must_use]
    pub fn instead_of(half: Half) -> Self {
        Self { known: half.shared, ..Self::default() }
    }

    /// Adds a family of gauges whose samples are written already: its `lines`.
    ///
    /// # Errors
    /// When its name is taken.
    pub fn gauges(&mut self, name: &'static str, help: &str, lines: &[Bytes]) -> Result<(), EncodeError> {
        self.claim(name, vec![name.to_owned()])?;
        comments(name, help, &mut self.text.text);
        openmetrics::comments(name, MetricType::GAUGE, help, &mut self.openmetrics.text);
        if lines.iter().map(Bytes::len).sum::<usize>() < SHARED {
            for draft in [&mut self.text, &mut self.openmetrics] {
                draft.text.extend(lines.iter().map(|lines| String::from_utf8_lossy(lines)));
            }
            return Ok(());
        }
        let mut known = self.known.remove(name).unwrap_or_default().into_iter();
        let mut pieces = Vec::with_capacity(lines.len());
        for lines in lines {
            let known = known.next().filter(|piece| piece.is_of(lines));
            pieces.push(known.unwrap_or_else(|| Piece::new(lines.clone(), |plain| self.deflater.fast(plain))));
        }
        self.text.add(&pieces, &mut self.deflater);
        self.openmetrics.add(&pieces, &mut self.deflater);
        self.shared.insert(name, pieces);
        Ok(())
    }

    /// Adds a family.
    ///
    /// # Errors
    /// When one of its names is taken, its kind is none of ours, or it is empty.
    pub fn family(&mut self, family: &MetricFamily) -> Result<(), EncodeError> {
        let kind = family.get_field_type();
        if !matches!(kind, MetricType::GAUGE | MetricType::COUNTER | MetricType::HISTOGRAM) {
            return Err(EncodeError::Kind(family.name().to_owned(), kind));
        }
        let mut text = String::new();
        let encoded = TextEncoder::new().encode_utf8(std::slice::from_ref(family), &mut text);
        encoded.map_err(|error| EncodeError::Refused(family.name().to_owned(), error))?;
        self.claim(family.name(), claims(family))?;
        openmetrics::write(family, &text, &mut self.openmetrics.text);
        self.text.text.push_str(&text);
        Ok(())
    }

    fn claim(&mut self, family: &str, claims: Vec<String>) -> Result<(), EncodeError> {
        if claims.iter().any(|claim| self.names.contains(claim)) {
            return Err(EncodeError::Twice(family.to_owned()));
        }
        self.names.extend(claims);
        Ok(())
    }

    /// The half that more may follow.
    #[must_use]
    pub fn head(self) -> Half {
        self.end(Deflater::open)
    }

    /// The half that ends the exposition.
    #[must_use]
    pub fn tail(mut self) -> Half {
        self.openmetrics.text.push_str("# EOF\n");
        self.end(Deflater::finished)
    }

    fn end(self, deflate: fn(&mut Deflater, &[u8]) -> Deflated) -> Half {
        let Self { names, text, openmetrics, shared, mut deflater, .. } = self;
        let [text, openmetrics] = [text, openmetrics].map(|draft| draft.end(|plain| deflate(&mut deflater, plain)));
        Half { names: Arc::new(names), shared, text, openmetrics }
    }
}

// === impl Draft ===

impl Draft {
    /// Adds pieces that are compressed alone.
    fn add(&mut self, pieces: &[Piece], deflater: &mut Deflater) {
        self.pieces.push(Piece::of(std::mem::take(&mut self.text), |plain| deflater.open(plain)));
        self.pieces.extend_from_slice(pieces);
    }

    fn end(mut self, deflate: impl FnOnce(&[u8]) -> Deflated) -> Part {
        self.pieces.push(Piece::of(self.text, deflate));
        Part::of(&self.pieces)
    }
}

// === impl Piece ===

impl Piece {
    fn new(plain: Bytes, deflate: impl FnOnce(&[u8]) -> Deflated) -> Self {
        Self { deflated: deflate(&plain), plain }
    }

    fn of(text: String, deflate: impl FnOnce(&[u8]) -> Deflated) -> Self {
        // A string that has grown has room that is never used.
        Self::new(text.into_boxed_str().into_boxed_bytes().into(), deflate)
    }

    /// Whether it holds these bytes, which are mostly the same ones.
    fn is_of(&self, plain: &Bytes) -> bool {
        self.plain.as_ptr() == plain.as_ptr() && self.plain.len() == plain.len() || self.plain == plain
    }
}

/// What the text format says of a family of gauges.
fn comments(name: &str, help: &str, out: &mut String) {
    out.extend(["# HELP ", name, " "]);
    lines::escape(out, help, false);
    out.extend(["\n# TYPE ", name, " gauge\n"]);
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
