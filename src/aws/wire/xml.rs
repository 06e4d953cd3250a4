//! Replies of AWS's query protocol, read strictly.
//!
//! Such a reply is `<XResponse><XResult>…`, and in it nothing may repeat among its
//! neighbours but a list's `member` and a map's `entry`; an element holds a text or
//! elements, never both; there are no attributes, no second namespace, no CDATA, no
//! document type. AWS sends nothing else, so whatever is otherwise is a reply that
//! somebody else has made or broken, and the whole of it is refused.
//!
//! What is written as AWS writes it, [`plain`] reads; all else [`careful`] reads or refuses.

pub mod careful;
pub mod plain;

use std::{borrow::Cow, collections::BTreeMap, fmt, iter};

use aws_smithy_types::{DateTime, date_time::Format};

use super::ReplyError;
use crate::model::time::Timestamp;

/// More elements than this are in no honest reply: a page of a thousand users has
/// some ten thousand.
const MOST_ELEMENTS: usize = 200_000;

/// The elements that repeat: a list's, and a map's.
const REPEATED: [&str; 2] = ["member", "entry"];

/// One of a reply's elements, which stand in the order in which they begin.
#[derive(Clone, PartialEq, Eq)]
pub struct Part<'a> {
    name: &'a str,
    /// The text before the first element in it.
    text: Cow<'a, str>,
    /// The place of the first element after it that is not in it.
    end: usize,
}

/// One element of a reply that can be read in one way only.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    all: &'a [Part<'a>],
    at: usize,
}

/// Whether, and from where, a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// This was the last page.
    Last,
    /// The next page begins at this marker.
    More(String),
}

/// What `read` makes of the result in the reply to `operation`.
///
/// # Errors
/// When `body` is no such reply, or `read` says so.
pub fn result<T>(
    body: &[u8],
    operation: &str,
    read: impl FnOnce(Element<'_>) -> Result<T, ReplyError>,
) -> Result<T, ReplyError> {
    let all = elements(body)?;
    let response = Element { all: &all, at: 0 };
    if response.name().strip_suffix("Response") != Some(operation) {
        return Err(ReplyError::Malformed);
    }
    // It comes first, as the SDK wants it too.
    let first = response.elements().next().filter(|first| first.name().strip_suffix("Result") == Some(operation));
    read(first.ok_or(ReplyError::Malformed)?)
}

/// The code of an error, `<ErrorResponse><Error><Code>…`, and its message.
///
/// # Errors
/// When `body` is no such reply.
pub fn error(body: &[u8]) -> Result<(String, String), ReplyError> {
    let all = elements(body)?;
    let response = Element { all: &all, at: 0 };
    if response.name() != "ErrorResponse" {
        return Err(ReplyError::Malformed);
    }
    let error = response.child("Error")?;
    let message = error.optional_text("Message")?.unwrap_or_default();
    Ok((error.text("Code")?.to_owned(), message.to_owned()))
}

/// The elements, if the reply can be read in one way only.
fn elements(body: &[u8]) -> Result<Vec<Part<'_>>, ReplyError> {
    let text = std::str::from_utf8(body).map_err(|_| ReplyError::Malformed)?;
    // The parser makes room for one node a bracket, and for one attribute an equals sign.
    let many = |byte: u8| body.iter().filter(|&&other| other == byte).count() > MOST_ELEMENTS;
    if body.len() > MOST_ELEMENTS && (many(b'<') || many(b'=')) {
        return Err(ReplyError::Malformed);
    }
    plain::elements(text).map_or_else(|| careful::elements(text), Ok)
}

fn is_blank(text: &str) -> bool {
    text.trim_ascii().is_empty()
}

// === impl Element ===

/// What is in it is not shown: that of an assumed role are its credentials.
impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Element").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl<'a> Element<'a> {
    fn part(self) -> &'a Part<'a> {
        &self.all[self.at]
    }

    /// The element's name.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.part().name
    }

    /// The elements in this one.
    pub fn elements(self) -> impl Iterator<Item = Self> + use<'a> {
        let (all, end, mut next) = (self.all, self.part().end, self.at + 1);
        iter::from_fn(move || {
            let element = Self { all, at: next };
            next = all.get(next).filter(|_| next < end)?.end;
            Some(element)
        })
    }

    fn holds_elements(self) -> bool {
        self.elements().next().is_some()
    }

    /// The text in this element itself; empty where there is none.
    #[must_use]
    pub fn own_text(self) -> &'a str {
        &self.part().text
    }

    fn find(self, name: &str) -> Option<Self> {
        self.elements().find(|element| element.name() == name)
    }

    /// The element of this name in this one.
    ///
    /// # Errors
    /// When there is none.
    pub fn child(self, name: &'static str) -> Result<Self, ReplyError> {
        self.find(name).ok_or(ReplyError::Missing(name))
    }

    /// The element of this name in this one, if there is one.
    #[must_use]
    pub fn optional(self, name: &'static str) -> Option<Self> {
        self.find(name)
    }

    /// The text in the element of this name, which is not empty.
    ///
    /// # Errors
    /// When there is no such element, or no such text in it.
    pub fn text(self, name: &'static str) -> Result<&'a str, ReplyError> {
        self.optional_text(name)?.ok_or(ReplyError::Missing(name))
    }

    /// As [`Self::text`], where the element, or the text in it, may be missing.
    ///
    /// # Errors
    /// When it is no text that it holds.
    pub fn optional_text(self, name: &'static str) -> Result<Option<&'a str>, ReplyError> {
        match self.find(name) {
            Some(element) if element.holds_elements() => Err(ReplyError::Unreadable(name)),
            Some(element) => Ok(Some(element.own_text()).filter(|text| !is_blank(text))),
            None => Ok(None),
        }
    }

    /// The text of this element itself, a member of `list`, which is not empty.
    ///
    /// # Errors
    /// When there is none, or something else in it.
    pub fn only_text(self, list: &'static str) -> Result<&'a str, ReplyError> {
        let text = Some(self.own_text()).filter(|text| !is_blank(text) && !self.holds_elements());
        text.ok_or(ReplyError::Unreadable(list))
    }

    /// The instant in the element of this name, to the second.
    ///
    /// # Errors
    /// When there is none that can be read.
    pub fn instant(self, name: &'static str) -> Result<Timestamp, ReplyError> {
        self.optional_instant(name)?.ok_or(ReplyError::Missing(name))
    }

    /// As [`Self::instant`], where the element may be missing.
    ///
    /// # Errors
    /// When it is there and holds none that can be read.
    pub fn optional_instant(self, name: &'static str) -> Result<Option<Timestamp>, ReplyError> {
        let Some(text) = self.optional_text(name)? else {
            return if self.find(name).is_some() { Err(ReplyError::Unreadable(name)) } else { Ok(None) };
        };
        let at = DateTime::from_str(text, Format::DateTimeWithOffset).map_err(|_| ReplyError::Unreadable(name))?;
        Ok(Some(Timestamp::from_millis(at.secs().saturating_mul(1_000))))
    }

    /// The members of a list.
    ///
    /// # Errors
    /// When there is no such list, or something else in it.
    pub fn members(self, list: &'static str) -> Result<impl Iterator<Item = Self> + use<'a>, ReplyError> {
        self.repeated(list, REPEATED[0])
    }

    /// The texts of a map, by key.
    ///
    /// # Errors
    /// When there is no such map, something else in it, or a key twice.
    pub fn map(self, map: &'static str) -> Result<BTreeMap<&'a str, &'a str>, ReplyError> {
        let texts = |entry: Self| match entry.elements().count() {
            2 => Ok((entry.text("key")?, entry.text("value")?)),
            _ => Err(ReplyError::Malformed),
        };
        let all = self.repeated(map, REPEATED[1])?.map(texts).collect::<Result<Vec<_>, _>>()?;
        let many = all.len();
        Some(BTreeMap::from_iter(all)).filter(|map| map.len() == many).ok_or(ReplyError::Ambiguous)
    }

    fn repeated(
        self,
        name: &'static str,
        each: &'static str,
    ) -> Result<impl Iterator<Item = Self> + use<'a>, ReplyError> {
        let all = self.child(name)?;
        if all.elements().all(|element| element.name() == each) && is_blank(all.own_text()) {
            Ok(all.elements())
        } else {
            Err(ReplyError::Unreadable(name))
        }
    }

    /// Whether a list goes on, as `IsTruncated` and `Marker` say; only an explicit
    /// `false` ends a list.
    ///
    /// # Errors
    /// When `IsTruncated`, or the marker of a truncated list, is missing or
    /// unreadable.
    pub fn page(self) -> Result<Page, ReplyError> {
        let marker = self.optional_text("Marker")?;
        match self.text("IsTruncated")? {
            "false" => Ok(Page::Last),
            "true" => marker.map(|marker| Page::More(marker.to_owned())).ok_or(ReplyError::Missing("Marker")),
            _ => Err(ReplyError::Unreadable("IsTruncated")),
        }
    }
}
