//! A set of MFA devices that can be compared with another, and not be read.
//!
//! Whether root's devices are what they were has to be known over a restart; which
//! they are need not be. So a keyed hash of the set is kept, with the key that it was
//! made with: two seals of different keys say nothing about each other. The key is
//! random, so that the seals of two installations, or of one that lost its state
//! file, cannot be held against each other either.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The form of what is hashed, which stands before each seal that is written. A seal
/// of another form is not read: it would differ from a set that is the same.
const FORM: &str = "1";

/// What a set of devices is hashed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealKey(pub [u8; 16]);

/// A keyed hash of a set of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The key.
    pub key: SealKey,
    /// The hash.
    pub digest: [u8; 8],
}

// === impl SealKey ===

/// A key is not shown.
impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

// === impl Seal ===

impl Seal {
    /// Whether the set is certainly another than that of `other`.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        self.key == other.key && self.digest != other.digest
    }

    /// Reads what [`Serialize`] has written; nothing where it has another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (key, digest) = text.strip_prefix(FORM)?.strip_prefix(':')?.split_once(':')?;
        Some(Self { key: SealKey(bytes(key)?), digest: bytes(digest)? })
    }

    /// For a field of the state file: a seal of another form is none.
    ///
    /// # Errors
    /// When it is neither a text nor nothing.
    pub fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Self>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.and_then(|text| Self::parse(&text)))
    }
}

impl Serialize for Seal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{FORM}:{}:{}", Hex(&self.key.0), Hex(&self.digest)))
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let is_hex = hex.len() == 2 * N && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().enumerate().filter(|_| is_hex) {
        *byte = u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).ok()?;
    }
    is_hex.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_written_and_read_and_one_of_another_form_is_none() {
        let seal = Seal { key: SealKey([0xa5; 16]), digest: [7; 8] };
        let text = serde_json::to_string(&seal).unwrap();
        let text = text.trim_matches('"');
        assert_eq!(Seal::parse(text), Some(seal));
        for wrong in [&text.replacen('1', "2", 1), &text[2..], &text[..text.len() - 1], "", "1::", "1:ä:ä"] {
            assert_eq!(Seal::parse(wrong), None, "{wrong}");
        }
        assert!(!format!("{seal:?}").contains("165"), "the key is not shown");
    }

    #[test]
    fn seals_of_two_keys_say_nothing_about_each_other() {
        let seal = |key, digest| Seal { key: SealKey([key; 16]), digest: [digest; 8] };
        assert!(seal(1, 1).differs(&seal(1, 2)));
        assert!(!seal(1, 1).differs(&seal(2, 2)) && !seal(1, 1).differs(&seal(1, 1)));
    }
}
