//! What AWS Organizations says of an account: where it is, what it is called, and
//! whether anything in it can be used.

use std::collections::BTreeMap;

use super::account::{Account, AccountId, AccountStatus};

/// An organizational unit, as the path to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// The names from the root down, with `/` between them; empty for the root.
    pub path: String,
    /// The ids of all units on the way.
    pub ids: Vec<String>,
}

/// An account as AWS Organizations lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Whether it can be scanned.
    pub status: AccountStatus,
    /// Where it is; `None` while that is not known.
    pub unit: Option<Unit>,
    /// Its tags; `None` while they are not known.
    pub tags: Option<BTreeMap<String, String>>,
}

// === impl Entry ===

impl Entry {
    /// The entry that an account was made of, as far as it shows. Whether it was
    /// excluded is decided again.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        let status = if account.status == AccountStatus::Excluded { AccountStatus::Scanned } else { account.status };
        let unit = (!account.ou.is_empty()).then(|| Unit { path: account.ou.clone(), ids: Vec::new() });
        Self { id: account.id, name: account.name.clone(), status, unit, tags: None }
    }
}

// === impl Unit ===

impl Unit {
    /// The unit of this name right below this one.
    #[must_use]
    pub fn below(&self, id: &str, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) };
        Self { path, ids: self.ids.iter().cloned().chain([id.to_owned()]).collect() }
    }

    /// Whether this is the unit `wanted`, by path or id, or somewhere below it.
    #[must_use]
    pub fn is_within(&self, wanted: &str) -> bool {
        let path = wanted.trim_matches('/');
        self.ids.iter().any(|id| id == wanted)
            || path == self.path
            || self.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    }
}
