//! Reads YAML strictly, and says what is wrong in the words of whoever wrote it, not in
//! those of the parser.

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_saphyr::{Error, MessageFormatter as _, UserMessageFormatter};

use super::mistake::Mistake;

/// What a key says, if it stands there. A key without a value is a mistake: what it was
/// meant to say would go unheard.
#[derive(Clone, Debug)]
pub struct Given<T>(pub Option<T>);

impl<T> Default for Given<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer)?.map(|value| Self(Some(value))).ok_or_else(|| D::Error::custom(EMPTY))
    }
}

const EMPTY: &str = "a key without a value: give it one, or leave the key out";

/// Whether a mistake may quote what stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// Keys and values may be shown.
    Allowed,
    /// The file holds secrets, and a key that is not known may be one that slipped.
    Forbidden,
}

/// Reads a document. One of comments alone asks for nothing.
///
/// # Errors
/// The first mistake.
pub fn read<T: DeserializeOwned + Default>(text: &str, quoting: Quoting) -> Result<T, Mistake> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(T::default());
    }
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| mistake(error.without_snippet(), quoting))
}

fn mistake(error: &Error, quoting: Quoting) -> Mistake {
    let place = error.location().map(|at| (size(at.line()), size(at.column()))).filter(|(line, _)| *line > 0);
    Mistake { place, what: what(error, quoting) }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn what(error: &Error, quoting: Quoting) -> String {
    match error {
        Error::AliasError { error, .. } => what(error, quoting),
        Error::SerdeUnknownField { field, expected, .. } => unknown_key(field, expected, quoting),
        Error::SerdeUnknownVariant { expected, .. } => format!("one of {} is wanted here", expected.join(", ")),
        Error::SerdeMissingField { field, .. } => format!("the key {field} is missing here"),
        Error::DuplicateMappingKey { .. } => "this key stands here for the second time".to_owned(),
        Error::Unexpected { expected, .. } => format!("{} is wanted here", plain(expected)),
        Error::SerdeInvalidType { expected, .. } => format!("{} is wanted here", plain(expected)),
        Error::InvalidScalar { ty, .. } => format!("{} is wanted here", plain(ty)),
        Error::InvalidBooleanStrict { .. } => "true or false is wanted here".to_owned(),
        Error::NullIntoString { .. } => EMPTY.to_owned(),
        Error::MultipleDocuments { .. } => "one document is wanted, and here a second one begins".to_owned(),
        Error::Eof { .. } => "the file ends too early".to_owned(),
        Error::Message { msg, .. } => msg.clone(),
        Error::UnknownAnchor { .. } => "a text that begins with * is an alias in YAML: put it in quotes".to_owned(),
        Error::UnsupportedTag { .. } => "a text that begins with ! is a tag in YAML: put it in quotes".to_owned(),
        other if quoting == Quoting::Allowed => {
            let message = UserMessageFormatter.format_message(other).escape_debug().to_string();
            format!("no YAML ({message}): look at the indentation, and at quotes and brackets that are not closed")
        }
        _ => "no YAML: look at the indentation, and at quotes and brackets that are not closed".to_owned(),
    }
}

/// What the parser calls a kind of value, as people call it.
fn plain(expected: &str) -> &str {
    match expected {
        _ if expected.contains("mapping") || expected.starts_with("struct") => {
            "a mapping, KEY: VALUE below each other,"
        }
        _ if expected.contains("sequence") => "a list, each entry after a dash,",
        "bool" => "true or false",
        "u8" | "u16" | "u32" | "u64" => "a whole number",
        _ => "a text",
    }
}

fn unknown_key(key: &str, known: &[&str], quoting: Quoting) -> String {
    let near = known.iter().map(|other| (strsim::jaro_winkler(key, other), other));
    let near = near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    let is_shown = key.len() <= 40 && (quoting == Quoting::Allowed || near.is_some());
    let key = if is_shown { format!(" {:?}", key.escape_debug().to_string()) } else { String::new() };
    let hint = near.map_or(String::new(), |(_, other)| format!(", did you mean {other}?"));
    format!("there is no key{key} here{hint}; the keys here are {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct File {
        name: Given<String>,
        list: Given<Vec<String>>,
        inner: Given<Inner>,
        many: Given<u32>,
        really: Given<bool>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its reading is tested")]
    struct Inner {
        role_name: String,
    }

    fn wrong(text: &str) -> (Option<(usize, usize)>, String) {
        let Mistake { place, what } = read::<File>(text, Quoting::Allowed).unwrap_err();
        (place, what)
    }

    #[test]
    fn each_mistake_is_told_in_plain_words_with_its_place() {
        for (text, place, said) in [
            ("inner: {rolename: x}\n", (1, 9), "there is no key \"rolename\" here, did you mean role_name?"),
            ("color: red\n", (1, 1), "the keys here are name, list, inner, many, really"),
            ("name:\n", (1, 6), "a key without a value"),
            ("name: a\nlist:\n", (2, 6), "a key without a value"),
            ("inner:\n", (1, 7), "a key without a value"),
            ("inner: {}\n", (1, 8), "the key role_name is missing here"),
            ("inner: x\n", (1, 8), "a mapping"),
            ("list: x\n", (1, 7), "a list"),
            ("name: [a]\n", (1, 7), "a text is wanted here"),
            ("many: some\n", (1, 7), "a whole number is wanted here"),
            ("really: perhaps\n", (1, 9), "true or false is wanted here"),
            ("name: a\nname: b\n", (2, 1), "for the second time"),
            ("name: *a\n", (1, 7), "put it in quotes"),
            ("name: a\n---\nname: b\n", (2, 1), "a second one begins"),
            ("name: 'a\n", (2, 1), "quotes and brackets"),
        ] {
            let (at, what) = wrong(text);
            assert!(what.contains(said), "{text}: {what}");
            assert_eq!(at, Some(place), "{text}: {what}");
        }
    }

    #[test]
    fn no_words_of_the_parsers_own_trade_are_used() {
        for text in
            ["name: a\nname: b\n", "a: b: c\n", "[", "\tname: x\n", "name: !x y\n", "- a\n", "name: \"\\q\"\n", "? a\n"]
        {
            let (_, what) = wrong(text);
            for foreign in ["Options", "scalar", "u32", "<input>", "`", "sequence start", "struct"] {
                assert!(!what.contains(foreign), "{text}: {what}");
            }
        }
    }

    #[test]
    fn a_file_of_comments_asks_for_nothing() {
        assert!(read::<File>("# nothing\n\n", Quoting::Allowed).unwrap().name.0.is_none());
    }
}
