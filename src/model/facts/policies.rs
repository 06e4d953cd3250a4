//! What was learnt of the policies of an account's IAM users: whether they deny a user
//! everything without MFA.

use std::collections::BTreeMap;

use super::UserId;

/// What the policies of a user deny without MFA: to a session of the console, and to a
/// long-term access key. A denial that leaves out no more than it takes to register a
/// device is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enforcement {
    /// Everything to a session of the console, and not to an access key.
    ConsoleOnly,
    /// Everything to both.
    Full,
    /// Everything to an access key, and not to a session of the console.
    KeysOnly,
    /// Something is denied to neither.
    None,
    /// It is not known.
    Unknown,
}

/// All that was learnt of the policies of an account's users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoliciesReading {
    is_whole: bool,
    /// By id.
    users: Box<[(UserId, Enforcement)]>,
    counts: EnforcementCounts,
}

/// How many users there are of each enforcement, in the order of [`Enforcement::ALL`].
pub type EnforcementCounts = [u32; Enforcement::ALL.len()];

// === impl Enforcement ===

impl Enforcement {
    /// Every one, in the order they are exported.
    pub const ALL: [Self; 5] = [Self::ConsoleOnly, Self::Full, Self::KeysOnly, Self::None, Self::Unknown];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsoleOnly => "console_only",
            Self::Full => "full",
            Self::KeysOnly => "keys_only",
            Self::None => "none",
            Self::Unknown => "unknown",
        }
    }

    /// Whether both contexts are bound, if that is known.
    #[must_use]
    pub const fn is_full(self) -> Option<bool> {
        match self {
            Self::Full => Some(true),
            Self::ConsoleOnly | Self::KeysOnly | Self::None => Some(false),
            Self::Unknown => None,
        }
    }

    /// Whether a long-term access key is bound, if that is known.
    #[must_use]
    pub const fn binds_keys(self) -> Option<bool> {
        match self {
            Self::Full | Self::KeysOnly => Some(true),
            Self::ConsoleOnly | Self::None => Some(false),
            Self::Unknown => None,
        }
    }
}

// === impl PoliciesReading ===

impl PoliciesReading {
    /// What is known of each user; `is_whole` says whether as many were listed as the
    /// account summary counted.
    #[must_use]
    pub fn new(is_whole: bool, users: BTreeMap<UserId, Enforcement>) -> Self {
        let mut counts = EnforcementCounts::default();
        for (count, kind) in counts.iter_mut().zip(Enforcement::ALL) {
            let so_many = users.values().filter(|enforcement| **enforcement == kind).count();
            *count = u32::try_from(so_many).unwrap_or(u32::MAX);
        }
        Self { is_whole, users: users.into_iter().collect(), counts }
    }

    /// Whether as many users were listed as the account summary counted.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// How many users there are of each enforcement.
    #[must_use]
    pub const fn counts(&self) -> EnforcementCounts {
        self.counts
    }

    /// The users, by id.
    pub fn ids(&self) -> impl Iterator<Item = &UserId> {
        self.users.iter().map(|(id, _)| id)
    }

    /// What is known of a user; `None` where the answer has no such user.
    #[must_use]
    pub fn of(&self, id: &UserId) -> Option<Enforcement> {
        self.users.binary_search_by(|(known, _)| known.cmp(id)).ok().map(|place| self.users[place].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_id_and_counted_once() {
        let users = [("AIDB", Enforcement::None), ("AIDA", Enforcement::Full), ("AIDC", Enforcement::Full)];
        let reading = PoliciesReading::new(true, users.into_iter().map(|(id, of)| (id.into(), of)).collect());
        assert_eq!(reading.of(&"AIDA".into()), Some(Enforcement::Full));
        assert_eq!(reading.of(&"AIDX".into()), None);
        assert_eq!(reading.counts(), [0, 2, 0, 1, 0]);
    }
}
