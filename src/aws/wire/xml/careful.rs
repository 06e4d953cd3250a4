//! The reading of any reply, by a parser of all of XML, and then held against the one
//! form that can be read in one way only.

use std::{borrow::Cow, collections::BTreeSet};

use roxmltree::{Document, Node, ParsingOptions, StringStorage};

use super::{Part, REPEATED, ReplyError, is_blank};

/// The elements of a reply that can be read in one way only.
///
/// # Errors
/// When it is not well-formed, or can be read in two ways.
pub fn elements(text: &str) -> Result<Vec<Part<'_>>, ReplyError> {
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
    if elements.all(is_plain) { Ok(parts(&document)) } else { Err(ReplyError::Ambiguous) }
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

/// The elements, one after the other.
fn parts<'a>(document: &Document<'a>) -> Vec<Part<'a>> {
    let (mut all, mut open) = (Vec::new(), Vec::new());
    for node in document.descendants().filter(Node::is_element) {
        let parent = node.parent();
        while let Some((_, at)) = open.pop_if(|(node, _)| Some(*node) != parent) {
            end(&mut all, at);
        }
        open.push((node, all.len()));
        all.push(Part { name: node.tag_name().name(), text: text(node), end: usize::MAX });
    }
    open.into_iter().for_each(|(_, at)| end(&mut all, at));
    all
}

fn end(all: &mut [Part<'_>], at: usize) {
    all[at].end = all.len();
}

fn text<'a>(node: Node<'_, 'a>) -> Cow<'a, str> {
    match node.text_storage() {
        Some(StringStorage::Borrowed(text)) => Cow::Borrowed(text),
        Some(StringStorage::Owned(text)) => Cow::Owned(text.to_string()),
        None => Cow::Borrowed(""),
    }
}
