//! AWS Organizations, in the JSON 1.1 protocol: parameters and answers are JSON,
//! and the operation's name stands in the header `X-Amz-Target`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    fault::Fault,
    json,
    protocol::{Protocol, Reply},
    reply::Params,
};

/// The root of every simulated organization.
pub const ROOT: &str = "r-root";

/// An organization.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Organization {
    /// The management account.
    pub management: String,
    /// Accounts beside it that may list.
    pub delegated: Vec<String>,
    /// The accounts, the management account among them, in the order of the list.
    pub members: Vec<Member>,
    /// The organizational units.
    pub units: Vec<Unit>,
    /// The longest page of any list.
    pub page_size: usize,
}

/// An account as its organization knows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Member {
    /// Twelve digits.
    pub id: String,
    /// Its name.
    pub name: String,
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
#[derive(Clone, Debug, Default, Deserialize)]
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
        let nobody = String::new();
        Self { management: nobody, delegated: Vec::new(), members: Vec::new(), units: Vec::new(), page_size: 20 }
    }
}

impl Default for Member {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
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

    fn json(&self, management: &str) -> Value {
        let mut account = json!({
            "Id": self.id,
            "Arn": format!("arn:aws:organizations::{management}:account/o-example/{}", self.id),
            "Email": format!("{}@example.org", self.id),
            "Name": self.name,
            "JoinedMethod": "CREATED",
            "JoinedTimestamp": 1_700_000_000.5,
        });
        for (key, value) in [("State", &self.state), ("Status", &self.status)] {
            if let Some(value) = value {
                account[key] = json!(value);
            }
        }
        account
    }
}

/// Answers an operation of `caller`'s.
pub(crate) fn answer(
    organization: Option<&Organization>,
    caller: &str,
    operation: &str,
    params: &Params,
    faults: &[Fault],
) -> Reply {
    let Some(organization) = organization else { return error(400, "AWSOrganizationsNotInUseException") };
    let may_list = organization.management == caller || organization.delegated.iter().any(|id| id == caller);
    if !may_list && operation != "DescribeOrganization" {
        return error(400, "AccessDeniedException");
    }
    let of = |key: &str| params.get(key).map_or("", String::as_str);
    let accounts = |members: &mut dyn Iterator<Item = &Member>| -> Vec<Value> {
        members.map(|member| member.json(&organization.management)).collect()
    };
    let (list, items) = match operation {
        "ListAccounts" => ("Accounts", accounts(&mut organization.members.iter())),
        "ListAccountsForParent" => {
            let parent = of("ParentId");
            ("Accounts", accounts(&mut organization.members.iter().filter(|member| member.unit == parent)))
        }
        "ListRoots" => ("Roots", vec![json!({"Id": ROOT, "Name": "Root"})]),
        "ListOrganizationalUnitsForParent" => {
            let below = organization.units.iter().filter(|unit| unit.parent == of("ParentId"));
            ("OrganizationalUnits", below.map(|unit| json!({"Id": unit.id, "Name": unit.name})).collect())
        }
        "ListTagsForResource" => {
            let member = organization.members.iter().find(|member| member.id == of("ResourceId"));
            let tags = member.into_iter().flat_map(|member| &member.tags);
            ("Tags", tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect())
        }
        "DescribeOrganization" => {
            let described = json!({"Id": "o-example", "MasterAccountId": organization.management, "FeatureSet": "ALL"});
            return json::document(json!({"Organization": described}), faults);
        }
        _ => return error(400, "UnknownOperationException"),
    };
    json::document(page(list, &items, organization.page_size, params, faults), faults)
}

fn page(list: &str, items: &[Value], size: usize, params: &Params, faults: &[Fault]) -> Value {
    let token = params.get("NextToken");
    let from = token.and_then(|token| token.strip_prefix("at-")?.parse().ok()).unwrap_or(0usize).min(items.len());
    let asked = params.get("MaxResults").and_then(|n| n.parse().ok()).unwrap_or(size);
    let is_empty_first = faults.contains(&Fault::EmptyFirstPage) && token.is_none();
    let to = if is_empty_first { from } else { items.len().min(from + size.min(asked).max(1)) };
    let mut body = json!({ list: items[from..to] });
    if faults.contains(&Fault::MarkerLoop) {
        body["NextToken"] = json!("at-0");
    } else if to < items.len() || is_empty_first {
        body["NextToken"] = json!(format!("at-{to}"));
    }
    body
}

fn error(status: u16, code: &str) -> Reply {
    Protocol::Json.error(status, code, "You don't have permissions to access this resource.")
}
