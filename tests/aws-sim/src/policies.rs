//! `GetAccountAuthorizationDetails`: users, groups and managed policies with their
//! documents, in one list.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::{
    list::members,
    protocol::Reply,
    reply::{Inquiry, constraint},
    state::CREATED,
    user::User,
    xml::elements,
};

/// The policies of a user or a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// The documents that stand in it.
    pub inline: Vec<String>,
    /// The ARNs of the managed policies that are attached to it.
    pub attached: Vec<String>,
}

/// A group of users.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// Its policies.
    pub policies: Policies,
}

/// A managed policy of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Managed {
    /// What it is called.
    pub name: String,
    /// Its versions, the oldest first.
    pub versions: Vec<String>,
    /// Which of them is the default.
    pub default: usize,
}

/// What the list is of.
enum Item<'a> {
    User(&'a User),
    Group(&'a Group),
    Managed(&'a Managed),
}

impl Group {
    /// A group with one document in it.
    #[must_use]
    pub fn with(name: &str, document: &str) -> Self {
        Self { name: name.to_owned(), policies: Policies { inline: vec![document.to_owned()], ..Policies::default() } }
    }
}

impl Managed {
    /// A policy of one version.
    #[must_use]
    pub fn new(name: &str, document: &str) -> Self {
        Self { name: name.to_owned(), versions: vec![document.to_owned()], default: 0 }
    }
}

impl<'a> Inquiry<'a> {
    /// One page of all that the filters ask for.
    pub(crate) fn authorization_details(&self) -> Result<String, Reply> {
        let mut items = self.items()?;
        let (place, end) = self.page(&mut items, Item::key)?;
        let page = &items[place];
        let users = page.iter().filter_map(|item| if let Item::User(user) = item { Some(*user) } else { None });
        let groups = page.iter().filter_map(|item| if let Item::Group(group) = item { Some(*group) } else { None });
        let policies =
            page.iter().filter_map(|item| if let Item::Managed(policy) = item { Some(*policy) } else { None });
        let mut out = members("UserDetailList", users.map(|user| self.user_detail(user)));
        out += &members("RoleDetailList", std::iter::empty());
        out += &members("GroupDetailList", groups.map(|group| self.group_detail(group)));
        Ok(out + &members("Policies", policies.map(|policy| self.policy_detail(policy))) + &end)
    }

    fn items(&self) -> Result<Vec<Item<'a>>, Reply> {
        let mut items = Vec::new();
        let filters: Vec<_> =
            self.params.iter().filter(|(key, _)| key.starts_with("Filter.member.")).map(|(_, kind)| &**kind).collect();
        for kind in filters {
            match kind {
                "User" => items.extend(self.account.users.iter().map(Item::User)),
                "Group" => items.extend(self.account.groups.iter().map(Item::Group)),
                "LocalManagedPolicy" => items.extend(self.account.policies.iter().map(Item::Managed)),
                "Role" | "AWSManagedPolicy" => {}
                _ => return Err(constraint("filter", "satisfy enum value set")),
            }
        }
        Ok(items)
    }

    fn user_detail(&self, user: &User) -> String {
        let groups: Vec<_> = user.groups.iter().map(|group| format!("<member>{group}</member>")).collect();
        let mut out = format!("<GroupList>{}</GroupList>{}", groups.concat(), attached(&user.policies));
        if !user.policies.inline.is_empty() {
            out += &inline("UserPolicyList", &user.policies);
        }
        if let Some(boundary) = &user.boundary {
            let elements = elements(&[("PermissionsBoundaryType", "Policy"), ("PermissionsBoundaryArn", boundary)]);
            let _ = write!(out, "<PermissionsBoundary>{elements}</PermissionsBoundary>");
        }
        out + &self.user_elements(user)
    }

    fn group_detail(&self, group: &Group) -> String {
        let arn = format!("arn:{}:iam::{}:group/{}", self.account.partition, self.account.id, group.name);
        let own = inline("GroupPolicyList", &group.policies) + &attached(&group.policies);
        own + &elements(&[
            ("Path", "/"),
            ("GroupName", &group.name),
            ("GroupId", "AGPAEXAMPLE"),
            ("Arn", &arn),
            ("CreateDate", CREATED),
        ])
    }

    fn policy_detail(&self, policy: &Managed) -> String {
        let id = |place: usize| format!("v{}", place + 1);
        let versions = policy.versions.iter().enumerate().map(|(place, document)| {
            let is_default = (place == policy.default).to_string();
            let document = encoded(document);
            let version = elements(&[
                ("Document", &document),
                ("IsDefaultVersion", &is_default),
                ("VersionId", &id(place)),
                ("CreateDate", CREATED),
            ]);
            format!("<member>{version}</member>")
        });
        let versions: String = versions.collect();
        let own = elements(&[
            ("PolicyName", &policy.name),
            ("DefaultVersionId", &id(policy.default)),
            ("PolicyId", "ANPAEXAMPLE"),
            ("Path", "/"),
            ("Arn", &self.account.policy_arn(&policy.name)),
            ("AttachmentCount", "1"),
            ("IsAttachable", "true"),
        ]);
        format!("{own}<PolicyVersionList>{versions}</PolicyVersionList>")
    }
}

impl Item<'_> {
    /// Users come first, then groups, then policies.
    fn key(&self) -> String {
        match self {
            Self::User(user) => format!("1 {}", user.sort_key()),
            Self::Group(group) => format!("2 {}", group.name),
            Self::Managed(policy) => format!("3 {}", policy.name),
        }
    }
}

fn inline(list: &str, of: &Policies) -> String {
    let all = of.inline.iter().enumerate().map(|(n, document)| {
        let policy = elements(&[("PolicyName", &format!("policy-{n}")), ("PolicyDocument", &encoded(document))]);
        format!("<member>{policy}</member>")
    });
    format!("<{list}>{}</{list}>", all.collect::<String>())
}

fn attached(of: &Policies) -> String {
    let all = of.attached.iter().map(|arn| {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        format!("<member>{}</member>", elements(&[("PolicyName", name), ("PolicyArn", arn)]))
    });
    format!("<AttachedManagedPolicies>{}</AttachedManagedPolicies>", all.collect::<String>())
}

/// A text as RFC 3986 has it in an address.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
