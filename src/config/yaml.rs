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

/// What is said of a key without a value.
pub(super) const EMPTY: &str = "this key has no value. Give it one, or remove the key";

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
        Error::SerdeUnknownVariant { expected, .. } => format!("write one of these: {}", expected.join(", ")),
        Error::SerdeMissingField { field, .. } => format!("the key {field} is missing"),
        Error::DuplicateMappingKey { .. } => "this key is here a second time. Remove one of the two".to_owned(),
        Error::Unexpected { expected, .. } => plain(expected),
        Error::SerdeInvalidType { expected, .. } => plain(expected),
        Error::InvalidScalar { ty, .. } => plain(ty),
        Error::InvalidBooleanStrict { .. } => plain("bool"),
        Error::NullIntoString { .. } => EMPTY.to_owned(),
        Error::MultipleDocuments { .. } => "a second document begins here. Write one document only".to_owned(),
        Error::Eof { .. } => "the file ends too early".to_owned(),
        Error::Message { msg, .. } => msg.clone(),
        Error::UnknownAnchor { .. } => "in YAML a text that begins with * is an alias. Put it in quotes".to_owned(),
        other => not_yaml(&UserMessageFormatter.format_message(other), quoting),
    }
}

fn not_yaml(parser: &str, quoting: Quoting) -> String {
    const HINT: &str = "Check the indentation, and that every quote and bracket is closed";
    match quoting {
        _ if parser.starts_with("tabs ") => "YAML allows no tabs for indentation. Use spaces".to_owned(),
        Quoting::Allowed => {
            format!("this is not valid YAML ({}). {HINT}", parser.replace("scalar", "text").escape_debug())
        }
        Quoting::Forbidden => format!("this is not valid YAML. {HINT}"),
    }
}

/// What to write where the parser expects a kind of value.
fn plain(expected: &str) -> String {
    let what = match expected {
        _ if expected.contains("mapping") || expected.starts_with("struct") => {
            "KEY: VALUE here, each on a line of its own"
        }
        _ if expected.contains("sequence") => "a list here, each entry on a line of its own after a dash",
        _ if expected.contains("bool") => "true or false here",
        "u8" | "u16" | "u32" | "u64" => "a whole number here",
        _ => "a text here",
    };
    format!("write {what}")
}

/// What was probably meant by `key`.
pub(super) fn nearest<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|other| (strsim::jaro_winkler(key, other), other));
    near.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, other)| other)
}

fn unknown_key(key: &str, known: &[&str], quoting: Quoting) -> String {
    let near = nearest(key, known.iter().copied());
    let is_shown = key.len() <= 40 && (quoting == Quoting::Allowed || near.is_some());
    let key = if is_shown { format!("\"{}\"", key.escape_debug()) } else { "this".to_owned() };
    let hint = near.map_or(String::new(), |other| format!("Did you mean {other}? "));
    format!("{key} is not a key here. {hint}The keys here are: {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
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
            ("inner: {rolename: x}\n", (1, 9), "\"rolename\" is not a key here. Did you mean role_name?"),
            ("color: red\n", (1, 1), "The keys here are: name, list, inner, many, really"),
            ("name:\n", (1, 5), "this key has no value"),
            ("name: a\nlist:\n", (2, 5), "this key has no value"),
            ("inner:\n", (1, 6), "this key has no value"),
            ("inner: {}\n", (1, 8), "the key role_name is missing"),
            ("inner: x\n", (1, 8), "write KEY: VALUE"),
            ("list: x\n", (1, 7), "write a list"),
            ("name: [a]\n", (1, 7), "write a text here"),
            ("many: some\n", (1, 7), "write a whole number here"),
            ("really: perhaps\n", (1, 9), "write true or false here"),
            ("name: a\nname: b\n", (2, 1), "a second time"),
            ("name: *a\n", (1, 7), "Put it in quotes"),
            ("name: a\n---\nname: b\n", (3, 1), "a second document begins"),
            ("name:\n\t- a\n", (2, 2), "Use spaces"),
            ("name: 'a\n", (1, 7), "every quote and bracket"),
        ] {
            let (at, what) = wrong(text);
            assert_eq!((what.contains(said), at), (true, Some(place)), "{text}: {what}");
        }
    }

    #[test]
    fn no_words_of_the_parsers_own_trade_are_used() {
        for text in
            ["name: a\nname: b\n", "a: b: c\n", "[", "inner:\n\trole_name: x\n", "- a\n", "name: \"\\q\"\n", "? a\n"]
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
