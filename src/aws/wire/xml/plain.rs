//! A quick reading of replies in the plain form in which AWS writes them: elements of
//! letters and digits, texts of printable ASCII, and a namespace that the first element
//! alone names. There is no reference, comment, instruction or declaration in it.
//!
//! It never refuses. What is in any other form, or can be read in two ways, is left to
//! [`super::careful`], which would read whatever is read here in the same way. Tests hold
//! that of every text of a few pieces and of changed replies, fuzz targets of any bytes. So
//! there are two for the sake of time alone: the parser there needs four times as many
//! instructions for a summary.

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

#[cfg(test)]
mod tests {
    use super::{super::careful, *};

    /// What a reply can be made of, as far as either reading tells pieces apart.
    const PIECES: [&str; 17] = [
        "<a>",
        "</a>",
        "<b>",
        "</b>",
        "<a/>",
        "<member>",
        "</member>",
        "<entry/>",
        "<member/>",
        " ",
        "x",
        ">",
        "<",
        "/",
        "\n",
        "a",
        "=",
    ];

    /// What a tag can be made of.
    const BITS: [&str; 14] = ["<", ">", "/", "a", "1", " ", "\"", "xmlns=\"https://", "!", "?", "-", ":", "&", "]"];

    /// Tells whether the quick reading knows a text, which the other one then reads alike.
    fn is_plain(text: &str) -> bool {
        let Some(plain) = elements(text) else { return false };
        assert!(careful::elements(text).as_ref() == Ok(&plain), "{text:?}");
        true
    }

    /// How many texts of `most` of these pieces at most, between two others, are plain.
    fn plain_texts(pieces: &[&str], most: u32, [before, after]: [&str; 2]) -> usize {
        let of = |mut number: usize, length: u32| {
            let mut text = String::from(before);
            for _ in 0..length {
                text.push_str(pieces[number % pieces.len()]);
                number /= pieces.len();
            }
            text + after
        };
        let all = (0..=most).flat_map(|length| (0..pieces.len().pow(length)).map(move |number| (number, length)));
        all.filter(|(number, length)| is_plain(&of(*number, *length))).count()
    }

    #[test]
    fn every_text_of_a_few_pieces_is_read_as_the_other_reading_reads_it() {
        assert!(plain_texts(&PIECES, 5, ["<r>", "</r>"]) > 10_000);
        assert!(plain_texts(&PIECES, 4, ["", ""]) > 10);
        for around in [["", ""], ["<a>", "</a>"], ["<a", "></a>"], ["<a xmlns=\"https://", "></a>"]] {
            assert!(plain_texts(&BITS, 4, around) > 0, "{around:?}");
        }
    }
}
