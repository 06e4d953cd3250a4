//! The grammar of a policy document, and nothing beside it.
//!
//! A member that IAM does not know, or that stands twice, makes the whole of it unreadable,
//! and so does one that is null.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Document {
    #[serde(default, deserialize_with = "present")]
    pub(super) version: Option<Version>,
    #[serde(rename = "Id")]
    _id: Option<IgnoredAny>,
    pub(super) statement: OneOrMany<Statement>,
}

#[derive(Deserialize)]
pub(super) enum Version {
    #[serde(rename = "2008-10-17")]
    First,
    #[serde(rename = "2012-10-17")]
    Second,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct Statement {
    #[serde(rename = "Sid")]
    _sid: Option<IgnoredAny>,
    pub(super) effect: Effect,
    #[serde(default, deserialize_with = "present")]
    pub(super) action: Option<OneOrMany<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) not_action: Option<OneOrMany<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) resource: Option<OneOrMany<String>>,
    #[serde(default, deserialize_with = "present")]
    pub(super) not_resource: Option<OneOrMany<String>>,
    #[serde(default)]
    pub(super) condition: Entries<Entries<OneOrMany<Value>>>,
}

#[derive(PartialEq, Eq, Deserialize)]
pub(super) enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Value {
    Truth(bool),
    Text(String),
    Number(serde_json::Number),
}

/// The members of an object, no two of one name.
pub(super) struct Entries<V>(Vec<(String, V)>);

// === impl OneOrMany ===

impl<T> OneOrMany<T> {
    pub(super) fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

// === impl Entries ===

impl<V> Default for Entries<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl Entries<Entries<OneOrMany<Value>>> {
    /// Each operator with each of its keys and the values. An operator without a key is
    /// one of which nobody knows what it asks.
    pub(super) fn flat(self) -> Vec<(String, String, Vec<String>)> {
        let mut all = Vec::new();
        for (operator, keys) in self.0 {
            if keys.0.is_empty() {
                all.push((operator.clone(), String::new(), Vec::new()));
            }
            all.extend(keys.0.into_iter().map(|(key, values)| {
                let values = values.into_vec().into_iter().map(Value::into_text).collect();
                (operator.clone(), key, values)
            }));
        }
        all
    }
}

impl Value {
    fn into_text(self) -> String {
        match self {
            Self::Truth(value) => value.to_string(),
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Members<V> {
            type Value = Entries<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<V>, A::Error> {
                let mut all: Vec<(String, V)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, V>()? {
                    if all.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                    all.push((name, value));
                }
                Ok(Entries(all))
            }
        }

        from.deserialize_map(Members(PhantomData))
    }
}

/// A member that is there is not null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// The text behind percent signs.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_are_read_as_rfc_3986_has_them() {
        assert_eq!(decoded("%7B%22a%22%3a%20%22%C3%A4+b%22%7D").as_deref(), Some("{\"a\": \"ä+b\"}"));
        assert_eq!(decoded("plain").as_deref(), Some("plain"));
        for wrong in ["%", "%7", "%zz", "%+1", "%ff", "a%2"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}
