//! The organization of the accounts: what is so, before anybody asks.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::root_access::RootAccess;

/// The root of every simulated organization.
pub const ROOT: &str = "r-root";

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Organization {
    /// Its id, `o-` and more.
    pub id: String,
    /// The management account.
    pub management: String,
    /// Accounts beside it that may list.
    pub delegated: Vec<String>,
    /// The accounts, the management account among them, in the order of the list.
    pub members: Vec<Member>,
    /// The organizational units.
    pub units: Vec<Unit>,
    /// Centralized root access.
    pub root_access: RootAccess,
    /// The longest page of any list.
    pub page_size: usize,
}

/// An account as its organization knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Member {
    /// Twelve digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its address, made of its id where this is empty.
    pub email: String,
    /// `State`, if the answer has one.
    pub state: Option<String>,
    /// The retired `Status`, if the answer has one.
    pub status: Option<String>,
    /// The id of the unit that it is in.
    pub unit: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// An organizational unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Unit {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The id of the unit above it, or of the root.
    pub parent: String,
}

impl Default for Organization {
    fn default() -> Self {
        Self {
            id: "o-example".to_owned(),
            management: String::new(),
            delegated: Vec::new(),
            members: Vec::new(),
            units: Vec::new(),
            root_access: RootAccess::default(),
            page_size: 20,
        }
    }
}

impl Default for Member {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            email: String::new(),
            state: Some("ACTIVE".to_owned()),
            status: None,
            unit: ROOT.to_owned(),
            tags: BTreeMap::new(),
        }
    }
}

impl Member {
    /// An active account below the root.
    #[must_use]
    pub fn new(id: &str, name: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), ..Self::default() }
    }
}

impl Organization {
    /// Whether these credentials may read the lists.
    pub(crate) fn may_list(&self, account: &str) -> bool {
        let mut delegated = self.delegated.iter().chain(&self.root_access.delegated);
        self.management == account || delegated.any(|id| id == account)
    }

    /// Whether it has such a unit, or it is the root.
    pub(crate) fn has_parent(&self, id: &str) -> bool {
        id == ROOT || self.units.iter().any(|unit| unit.id == id)
    }

    pub(crate) fn arn(&self, kind: &str, id: &str) -> String {
        format!("arn:aws:organizations::{}:{kind}/{}/{id}", self.management, self.id)
    }

    pub(crate) fn describe(&self) -> Value {
        json!({
            "Id": self.id,
            "Arn": format!("arn:aws:organizations::{}:organization/{}", self.management, self.id),
            "MasterAccountId": self.management,
            "MasterAccountArn": self.arn("account", &self.management),
            "FeatureSet": "ALL",
        })
    }

    pub(crate) fn describe_root(&self) -> Value {
        json!({ "Id": ROOT, "Arn": self.arn("root", ROOT), "Name": "Root", "PolicyTypes": [] })
    }

    pub(crate) fn describe_unit(&self, unit: &Unit) -> Value {
        json!({ "Id": unit.id, "Arn": self.arn("ou", &unit.id), "Name": unit.name })
    }

    pub(crate) fn describe_member(&self, member: &Member) -> Value {
        let email = Some(member.email.clone()).filter(|email| !email.is_empty());
        let mut account = json!({
            "Id": member.id,
            "Arn": self.arn("account", &member.id),
            "Email": email.unwrap_or_else(|| format!("{}@example.org", member.id)),
            "Name": member.name,
            "JoinedMethod": if member.id == self.management { "INVITED" } else { "CREATED" },
            "JoinedTimestamp": 1_700_000_000.5,
        });
        for (key, value) in [("State", &member.state), ("Status", &member.status)] {
            if let Some(value) = value {
                account[key] = json!(value);
            }
        }
        account
    }
}
