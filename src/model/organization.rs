//! What AWS Organizations says of an account: where it is, what it is called, and
//! whether anything in it can be used.

use std::{collections::BTreeMap, fmt};

use super::account::{Account, AccountId, AccountStatus};

/// An organizational unit, or the root of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What people are shown: the names from the root down, with `/` between them;
    /// empty for the root.
    pub path: String,
    /// The way to it; `None` where only the path was kept, over a restart.
    way: Option<Way>,
}

/// The way from the root to a unit. A name may hold anything, a slash too, so it is
/// no part of a path that is a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Way {
    /// The names of all units on it.
    names: Vec<String>,
    /// The ids of the root and of all units on it.
    ids: Vec<String>,
}

/// How a configuration names a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitRef {
    /// By its id: `ou-…`, or `r-…` for the root.
    Id(String),
    /// By the names from the root down.
    Path(Vec<String>),
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

/// Which features of centralized root access an organization has on.
/// (IAM API reference, `ListOrganizationsFeatures`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootFeatures {
    /// `RootCredentialsManagement`: root's credentials in member accounts can be looked at
    /// and deleted, and a deleted password can be made anew.
    pub credentials_management: bool,
    /// `RootSessions`: some tasks can be done as root of a member account.
    pub sessions: bool,
}

// === impl RootFeatures ===

impl RootFeatures {
    /// Each feature by the word that is its label value, and whether it is on.
    #[must_use]
    pub const fn named(self) -> [(&'static str, bool); 2] {
        [("credentials_management", self.credentials_management), ("sessions", self.sessions)]
    }
}

// === impl Entry ===

impl Entry {
    /// The entry that an account was made of, as far as it shows. Whether it was
    /// excluded is decided again.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        let status = if account.status == AccountStatus::Excluded { AccountStatus::Scanned } else { account.status };
        let unit = (!account.ou.is_empty()).then(|| Unit { path: account.ou.clone(), way: None });
        Self { id: account.id, name: account.name.clone(), status, unit, tags: None }
    }
}

// === impl Unit ===

impl Unit {
    /// The root of an organization.
    #[must_use]
    pub fn root(id: String) -> Self {
        Self { path: String::new(), way: Some(Way { names: Vec::new(), ids: vec![id] }) }
    }

    /// The unit of this name right below this one.
    #[must_use]
    pub fn below(&self, id: &str, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) };
        let more = |list: &[String], item: &str| list.iter().cloned().chain([item.to_owned()]).collect();
        let way = self.way.as_ref().map(|way| Way { names: more(&way.names, name), ids: more(&way.ids, id) });
        Self { path, way }
    }

    /// Whether this is the unit `wanted`, or somewhere below it; `None` where that is
    /// not known.
    #[must_use]
    pub fn is_within(&self, wanted: &UnitRef) -> Option<bool> {
        self.way.as_ref().map(|way| match wanted {
            UnitRef::Id(id) => way.ids.contains(id),
            UnitRef::Path(names) => way.names.starts_with(names),
        })
    }
}

// === impl UnitRef ===

impl UnitRef {
    /// Reads an id, or a path with `/` between the names; `None` where a name is empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if is_id(text) {
            return Some(Self::Id(text.to_owned()));
        }
        Self::path(text.trim_matches('/').split('/').map(str::to_owned).collect())
    }

    /// The unit that these names lead to; `None` where there is none, or one is empty.
    #[must_use]
    pub fn path(names: Vec<String>) -> Option<Self> {
        let is_path = !names.is_empty() && names.iter().all(|name| !name.is_empty());
        is_path.then_some(Self::Path(names))
    }
}

/// The forms of ids (AWS Organizations API reference, `OrganizationalUnit` and `Root`).
fn is_id(text: &str) -> bool {
    let is_part = |part: &str, least: usize| {
        (least..=32).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    match text.split('-').collect::<Vec<_>>()[..] {
        ["r", root] => is_part(root, 4),
        ["ou", root, unit] => is_part(root, 4) && is_part(unit, 8),
        _ => false,
    }
}

/// As a configuration writes it.
impl fmt::Display for UnitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Path(names) if names.iter().any(|name| name.contains('/')) => write!(f, "{names:?}"),
            Self::Path(names) => f.write_str(&names.join("/")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(names: &[&str]) -> Unit {
        let root = Unit::root("r-abcd".to_owned());
        names.iter().enumerate().fold(root, |unit, (n, name)| unit.below(&format!("ou-abcd-1111111{n}"), name))
    }

    #[test]
    fn a_slash_in_a_name_is_no_path() {
        let path = UnitRef::parse("Workloads/Test").unwrap();
        assert_eq!(unit(&["Workloads", "Test"]).is_within(&path), Some(true));
        assert_eq!(unit(&["Workloads", "Test", "Sandbox"]).is_within(&path), Some(true));
        assert_eq!(unit(&["Workloads/Test"]).is_within(&path), Some(false));
        assert_eq!(unit(&["Workloads"]).is_within(&path), Some(false));
        let name = UnitRef::path(vec!["Workloads/Test".to_owned()]).unwrap();
        assert_eq!(unit(&["Workloads/Test"]).is_within(&name), Some(true));
        assert_eq!(unit(&["Workloads", "Test"]).is_within(&name), Some(false));
        assert_eq!((path.to_string(), name.to_string()), ("Workloads/Test".into(), "[\"Workloads/Test\"]".into()));
    }

    #[test]
    fn the_roots_id_is_everywhere_and_an_id_is_told_from_a_name() {
        let root = UnitRef::parse("r-abcd").unwrap();
        assert_eq!((unit(&[]).is_within(&root), unit(&["A", "B"]).is_within(&root)), (Some(true), Some(true)));
        let id = UnitRef::parse("ou-abcd-11111110").unwrap();
        assert_eq!((unit(&[]).is_within(&id), unit(&["A", "B"]).is_within(&id)), (Some(false), Some(true)));
        for name in ["r-abc", "R-abcd", "ou-abcd", "ou-abcd-1111111", "r-abcd-11111111", "ou"] {
            assert_eq!(UnitRef::parse(name), UnitRef::path(vec![name.to_owned()]), "{name}");
        }
    }

    #[test]
    fn what_a_restart_has_kept_of_a_unit_is_within_none_for_sure() {
        let mut account = Account::named("111111111111".parse().unwrap(), String::new());
        account.ou = "Workloads".into();
        let kept = Entry::of(&account).unit.unwrap();
        assert_eq!(kept.is_within(&UnitRef::parse("Workloads").unwrap()), None);
    }

    #[test]
    fn a_path_has_no_empty_name() {
        for wrong in ["", "/", "//", "A//B"] {
            assert_eq!(UnitRef::parse(wrong), None, "{wrong}");
        }
        assert_eq!(UnitRef::parse("/A/B/"), UnitRef::parse("A/B"));
        assert_eq!(UnitRef::path(Vec::new()), None);
    }
}
