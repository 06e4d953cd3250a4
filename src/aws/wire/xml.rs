//! Replies of AWS's query protocol, read strictly.
//!
//! Such a reply is `<XResponse><XResult>…`, and in it nothing may repeat among its
//! neighbours but a list's `member` and a map's `entry`; an element holds a text or
//! elements, never both; there are no attributes, no second namespace, no CDATA, no
//! document type. AWS sends nothing else, so whatever is otherwise is a reply that
//! somebody else has made or broken, and the whole of it is refused.

use std::collections::{BTreeMap, BTreeSet};

use aws_smithy_types::{DateTime, date_time::Format};
use roxmltree::{Document, Node, ParsingOptions};

use super::ReplyError;
use crate::model::time::Timestamp;

/// More elements than this are in no honest reply: a page of a thousand users has
/// some ten thousand.
const MOST_ELEMENTS: usize = 200_000;

/// The elements that repeat: a list's, and a map's.
const REPEATED: [&str; 2] = ["member", "entry"];

/// One element of a reply that can be read in one way only.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a>(Node<'a, 'a>);

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
    let document = document(body)?;
    let response = Element(document.root_element());
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
    let document = document(body)?;
    let response = Element(document.root_element());
    if response.name() != "ErrorResponse" {
        return Err(ReplyError::Malformed);
    }
    let error = response.child("Error")?;
    let message = error.optional_text("Message")?.unwrap_or_default();
    Ok((error.text("Code")?.to_owned(), message.to_owned()))
}

/// The document, if it can be read in one way only.
fn document(body: &[u8]) -> Result<Document<'_>, ReplyError> {
    let text = std::str::from_utf8(body).map_err(|_| ReplyError::Malformed)?;
    // The parser makes room for one node a bracket, and for one attribute an equals sign.
    let many = |byte: u8| body.iter().filter(|&&other| other == byte).count() > MOST_ELEMENTS;
    if body.len() > MOST_ELEMENTS && (many(b'<') || many(b'=')) {
        return Err(ReplyError::Malformed);
    }
    // It would be a text like any other to the parser, and is none to others.
    if has_cdata(text) {
        return Err(ReplyError::Ambiguous);
    }
    let document = Document::parse_with_options(text, ParsingOptions::default()).map_err(|_| ReplyError::Malformed)?;
    let namespace = document.root_element().tag_name().namespace();
    let mut elements = document.descendants().filter(Node::is_element);
    let is_plain = |node: Node<'_, '_>| {
        node.tag_name().namespace() == namespace && node.attributes().len() == 0 && has_one_reading(node)
    };
    if elements.all(is_plain) {
        drop(elements);
        Ok(document)
    } else {
        Err(ReplyError::Ambiguous)
    }
}

/// Whether there is a section of CDATA. No reply of AWS has an exclamation mark where it
/// could begin, and one byte is found ten times as fast as nine.
fn has_cdata(text: &str) -> bool {
    text.match_indices('!').any(|(at, _)| text[..at].ends_with('<') && text[at..].starts_with("![CDATA["))
}

/// Whether what stands in an element is one text, or elements of different names,
/// or elements of the one name that repeats.
fn has_one_reading(node: Node<'_, '_>) -> bool {
    let mut names = BTreeSet::new();
    let mut is_list = false;
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        is_list |= REPEATED.contains(&name);
        if !names.insert(name) && !REPEATED.contains(&name) {
            return false;
        }
    }
    let texts = || node.children().filter(Node::is_text).filter_map(|child| child.text());
    // A comment cuts a text in two, and some read but the first part.
    let is_mixed = texts().any(|text| !is_blank(text)) && node.children().count() > 1;
    // The parser puts this in the place of a reference to no character.
    let is_odd = texts().any(|text| text.contains('\u{fffd}'));
    !is_mixed && !is_odd && (!is_list || names.len() == 1)
}

fn is_blank(text: &str) -> bool {
    text.trim_ascii().is_empty()
}

// === impl Element ===

impl<'a> Element<'a> {
    /// The element's name.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.0.tag_name().name()
    }

    /// The elements in this one.
    pub fn elements(self) -> impl Iterator<Item = Self> + use<'a> {
        self.0.children().filter(Node::is_element).map(Self)
    }

    fn holds_elements(self) -> bool {
        self.elements().next().is_some()
    }

    /// The text in this element itself; empty where there is none.
    #[must_use]
    pub fn own_text(self) -> &'a str {
        self.0.text().unwrap_or_default()
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
        let mut all = BTreeMap::new();
        for entry in self.repeated(map, REPEATED[1])? {
            if entry.elements().count() != 2 {
                return Err(ReplyError::Malformed);
            }
            let (key, value) = (entry.text("key")?, entry.text("value")?);
            if all.insert(key, value).is_some() {
                return Err(ReplyError::Ambiguous);
            }
        }
        Ok(all)
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
