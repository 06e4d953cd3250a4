//! What the SDK does not say of a reply.
//!
//! The generated decoders are lenient where leniency is a false pass: a list
//! that is missing becomes an empty one, a missing `IsTruncated` becomes false,
//! a key that stands twice in a map is taken once. So an interceptor caps the
//! body while it arrives and keeps the shape of the raw reply, and a caller can
//! ask the shape before it believes the decoded output.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut},
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{DateTime, body::SdkBody, config_bag::ConfigBag, date_time::Format};
use http_body_util::Limited;
use quick_xml::{Reader, escape::unescape, events::Event};
use serde::de::IgnoredAny;

use crate::model::time::{MOST_SKEW, Moment, Timestamp, Uptime};

/// No honest reply of the operations in use comes near this, a report aside.
pub const BODY_CAP: usize = 8 << 20;

/// Nor does a credential report: five thousand users make one of two megabytes.
pub const REPORT_CAP: usize = 64 << 20;

/// The shape of one successful reply: which fields its result has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    has_result: bool,
    /// How often each stands there; a text with something else in it counts twice.
    fields: BTreeMap<String, u32>,
    is_truncated: Option<String>,
    marker: Option<String>,
    map_keys: Vec<String>,
}

/// The fields that hold a text and nothing else.
const TEXTS: [&str; 2] = ["IsTruncated", "Marker"];

/// Whether, and from where, a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// This was the last page.
    Last,
    /// The next page begins at this marker.
    More(String),
}

/// The reply cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The reply is not well-formed XML.
    #[error("the reply is not well-formed XML")]
    Malformed,
    /// An element that must be there is not.
    #[error("the reply has no {0}")]
    Missing(&'static str),
    /// An element holds what it cannot hold.
    #[error("the reply's {0} cannot be read")]
    Unreadable(&'static str),
    /// The same key stands twice in the summary.
    #[error("the reply names a summary key twice")]
    DuplicateKey,
}

/// Caps the body of one reply, and keeps it until its shape has been asked for.
#[derive(Clone, Debug)]
pub struct ReplyTap {
    seen: Arc<Mutex<Option<Vec<u8>>>>,
    date: Arc<Mutex<Option<Timestamp>>>,
    cap: usize,
}

// === impl Shape ===

impl Shape {
    /// Reads `<Action>Response><ActionResult>…`: the elements of the result, and
    /// the keys of a map in it.
    ///
    /// # Errors
    /// When the text is not well-formed, or ends early.
    pub fn read(xml: &[u8]) -> Result<Self, ShapeError> {
        let mut shape = Self::default();
        let mut path: Vec<String> = Vec::new();
        let mut text = String::new();
        let mut reader = Reader::from_reader(xml);
        reader.config_mut().expand_empty_elements = true;
        loop {
            match reader.read_event().map_err(|_| ShapeError::Malformed)? {
                Event::Start(element) => {
                    path.push(String::from_utf8_lossy(element.local_name().as_ref()).into_owned());
                    text.clear();
                    shape.open(&path);
                }
                Event::Text(part) => text.push_str(&part.decode().map_err(|_| ShapeError::Malformed)?),
                Event::GeneralRef(part) => {
                    text.push_str(&format!("&{};", part.decode().map_err(|_| ShapeError::Malformed)?));
                }
                Event::CData(_) => shape.spoil(&path),
                Event::End(_) => {
                    shape.close(&path, text.trim());
                    path.pop();
                }
                Event::Eof => break,
                _ => {}
            }
        }
        if path.is_empty() && shape.has_result { Ok(shape) } else { Err(ShapeError::Malformed) }
    }

    fn open(&mut self, path: &[String]) {
        match path {
            [_, result] if is_result(result) => self.has_result = true,
            [_, result, field] if is_result(result) => self.count(field),
            _ => self.spoil(path),
        }
    }

    /// What stands in a text and is no text makes two readings of it possible.
    fn spoil(&mut self, path: &[String]) {
        if let [_, result, field, ..] = path
            && is_result(result)
            && TEXTS.contains(&&**field)
        {
            self.count(field);
        }
    }

    fn count(&mut self, field: &str) {
        *self.fields.entry(field.to_owned()).or_default() += 1;
    }

    fn close(&mut self, path: &[String], text: &str) {
        match path {
            [_, result, field] if is_result(result) && field == "IsTruncated" => {
                self.is_truncated = Some(text.to_owned());
            }
            // It is sent back as it was meant, not as it was written.
            [_, result, field] if is_result(result) && field == "Marker" => match unescape(text) {
                Ok(marker) => self.marker = Some(marker.into_owned()),
                Err(_) => self.count(field),
            },
            [_, _, _, entry, key] if entry == "entry" && key == "key" => self.map_keys.push(text.to_owned()),
            _ => {}
        }
    }

    /// Insists on a field of the result, and on one only: of two, whichever were
    /// taken could be the wrong one.
    ///
    /// # Errors
    /// When the field is not there, or is there twice.
    pub fn require(&self, field: &'static str) -> Result<(), ShapeError> {
        match self.fields.get(field) {
            None => Err(ShapeError::Missing(field)),
            Some(1) => Ok(()),
            Some(_) => Err(ShapeError::Unreadable(field)),
        }
    }

    /// Insists that no key of the result's map stands twice: whichever of two
    /// values were taken could be the wrong one.
    ///
    /// # Errors
    /// When one does.
    pub fn require_unique_keys(&self) -> Result<(), ShapeError> {
        let unique: BTreeSet<_> = self.map_keys.iter().collect();
        if unique.len() == self.map_keys.len() { Ok(()) } else { Err(ShapeError::DuplicateKey) }
    }

    /// Whether the list `field` goes on, as `IsTruncated` and `Marker` say; only
    /// an explicit `false` ends a list.
    ///
    /// # Errors
    /// When the list, `IsTruncated`, or the marker of a truncated list is
    /// missing or unreadable.
    pub fn page(&self, field: &'static str) -> Result<Page, ShapeError> {
        self.require(field)?;
        self.require("IsTruncated")?;
        match self.is_truncated.as_deref() {
            Some("false") => Ok(Page::Last),
            Some("true") => {
                self.require("Marker")?;
                let marker = self.marker.as_deref().filter(|marker| !marker.is_empty());
                marker.map(|marker| Page::More(marker.to_owned())).ok_or(ShapeError::Missing("Marker"))
            }
            _ => Err(ShapeError::Unreadable("IsTruncated")),
        }
    }
}

/// Whether this is the element that holds the result, and not what a reply says
/// of itself.
fn is_result(element: &str) -> bool {
    element.ends_with("Result")
}

// === impl ReplyTap ===

impl Default for ReplyTap {
    fn default() -> Self {
        Self { seen: Arc::default(), date: Arc::default(), cap: BODY_CAP }
    }
}

impl ReplyTap {
    /// A watch over the reply that holds a credential report.
    #[must_use]
    pub fn over_a_report() -> Self {
        Self { cap: REPORT_CAP, ..Self::default() }
    }

    /// The shape of the XML reply that passed.
    ///
    /// # Errors
    /// When it was not well-formed, or none passed.
    pub fn shape(&self) -> Result<Shape, ShapeError> {
        Shape::read(&self.take().ok_or(ShapeError::Malformed)?)
    }

    /// Insists on a field of the JSON reply that passed.
    ///
    /// # Errors
    /// When it has none of that name, is no JSON object, or none passed.
    pub fn require_json(&self, field: &'static str) -> Result<(), ShapeError> {
        let body = self.take().ok_or(ShapeError::Malformed)?;
        let fields: BTreeMap<String, IgnoredAny> = serde_json::from_slice(&body).map_err(|_| ShapeError::Malformed)?;
        if fields.contains_key(field) { Ok(()) } else { Err(ShapeError::Missing(field)) }
    }

    /// From when on something was so that AWS dates with `date`, in a reply that has
    /// come at `received`: its age by AWS's own clock, which the reply's `Date` header
    /// shows, before that. Without the header it is as young as AWS lets a clock be off.
    /// Both are cut to the second. What has no date was so when the reply came.
    #[must_use]
    pub fn since(&self, date: Option<&DateTime>, received: Moment) -> Uptime {
        // The SDK fills a date that is missing with the epoch.
        let dated = date.filter(|date| date.secs() > 0);
        let Some(date) = dated.map(|date| Timestamp::from_millis(date.secs().saturating_mul(1_000))) else {
            return received.mono;
        };
        let shown = *self.date.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, margin) = shown.map_or((received.wall, MOST_SKEW), |now| (now, Duration::from_secs(1)));
        let age = now.since(date).unwrap_or_default();
        received.mono.minus(age).plus(margin).min(received.mono)
    }

    fn take(&self) -> Option<Vec<u8>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Intercept for ReplyTap {
    fn name(&self) -> &'static str {
        "ReplyTap"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, self.cap));
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        *self.date.lock().unwrap_or_else(PoisonError::into_inner) =
            date.map(|date| Timestamp::from_millis(date.secs().saturating_mul(1_000)));
        let body = context.response().body().bytes().map(<[u8]>::to_vec);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = body;
        Ok(())
    }
}
