//! A quick reading of replies in the plain form in which AWS writes them: elements of
//! letters and digits, texts of printable ASCII, and a namespace that the first element
//! alone names. There is no reference, comment, instruction or declaration in it.
//!
//! It never refuses. What is in any other form, or can be read in two ways, is left to
//! [`super::careful`], which would read whatever is read here in the same way: fuzzing
//! holds that of any bytes. So it is a matter of time alone that there are two. The
//! parser there needs six times as many instructions for a summary.

use std::borrow::Cow;

use super::{Element, Part, REPEATED, is_blank};

/// An element with more elements of different names in it is left to the other reading,
/// since each name is compared with all before it.
const MOST_NAMES: usize = 32;

/// The elements of a reply in the plain form; `None` where it is in any other.
#[must_use]
pub fn elements(text: &str) -> Option<Vec<Part<'_>>> {
    // Without an early end, so that many bytes are compared at once.
    let is_plain = |byte| matches!(byte, b'\n' | b' '..=b'~') & (byte != b'&');
    if !text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        return None;
    }
    // A summary, which is what is asked for most, has no more elements.
    let mut reading = Reading { rest: text, all: Vec::with_capacity(128), ..Reading::default() };
    reading.gap()?;
    loop {
        match reading.rest.strip_prefix('/') {
            Some(rest) => reading.end(rest)?,
            None => reading.begin()?,
        }
        if reading.open.is_empty() {
            return is_blank(reading.rest).then_some(reading.all);
        }
    }
}

/// What has been read so far, and what has not.
#[derive(Default)]
struct Reading<'a> {
    /// From behind a `<`; once no element is open, what follows the last tag.
    rest: &'a str,
    all: Vec<Part<'a>>,
    /// Which elements have not ended yet, each within the one before it.
    open: Vec<usize>,
}

impl<'a> Reading<'a> {
    /// Reads up to the next tag, before which nothing stands.
    fn gap(&mut self) -> Option<()> {
        self.rest = self.rest.trim_ascii_start().strip_prefix('<')?;
        Some(())
    }

    /// Reads the tag that begins an element, and the text behind it.
    fn begin(&mut self) -> Option<()> {
        let length = self.rest.bytes().position(|byte| !byte.is_ascii_alphanumeric())?;
        let (name, mut rest) = self.rest.split_at(length);
        match self.open.last() {
            Some(&parent) => self.may_hold(parent, name).then_some(())?,
            None => rest = without_namespace(rest)?,
        }
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return None;
        }
        self.open.push(self.all.len());
        self.all.push(Part { name, text: Cow::Borrowed(""), end: usize::MAX });
        if let Some(rest) = rest.strip_prefix("/>") {
            return self.ended(rest);
        }
        let rest = rest.strip_prefix('>')?;
        let end = rest.bytes().position(|byte| matches!(byte, b'<' | b'>'))?;
        self.all.last_mut()?.text = Cow::Borrowed(&rest[..end]);
        self.rest = rest[end..].strip_prefix('<')?;
        Some(())
    }

    /// Reads the tag that ends the element that has begun last: `rest` is behind its `/`.
    fn end(&mut self, rest: &'a str) -> Option<()> {
        let name = self.all[*self.open.last()?].name;
        self.ended(rest.strip_prefix(name)?.strip_prefix('>')?)
    }

    /// The element that has begun last ends before `rest`.
    fn ended(&mut self, rest: &'a str) -> Option<()> {
        let end = self.all.len();
        self.all[self.open.pop()?].end = end;
        self.rest = rest;
        if self.open.is_empty() { Some(()) } else { self.gap() }
    }

    /// Whether an element may stand in `parent` beside those that it holds already: each
    /// has a name of its own, or all have the one name that repeats.
    fn may_hold(&self, parent: usize, name: &str) -> bool {
        let parent = Element { all: &self.all, at: parent };
        let mut others = parent.elements().map(Element::name);
        match others.next() {
            None => is_blank(parent.own_text()),
            Some(first) if REPEATED.contains(&first) => name == first,
            Some(first) => {
                let is_other = |other: &str| other != name;
                let are_others = is_other(first) && others.by_ref().take(MOST_NAMES).all(is_other);
                are_others && others.next().is_none() && !REPEATED.contains(&name)
            }
        }
    }
}

/// What follows the namespace in the tag of the first element, which may have one.
fn without_namespace(rest: &str) -> Option<&str> {
    match rest.strip_prefix(" xmlns=\"https://") {
        Some(namespace) => namespace.split_once('"').filter(|(uri, _)| !uri.contains('<')).map(|(_, rest)| rest),
        None => Some(rest),
    }
}
