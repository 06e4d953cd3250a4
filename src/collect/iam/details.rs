//! What `iam:GetAccountAuthorizationDetails` lists, as far as it is about users.

use crate::model::facts::UserId;

/// One page of users, groups and managed policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetailsPage {
    /// Users.
    pub users: Vec<UserDetail>,
    /// Groups.
    pub groups: Vec<GroupDetail>,
    /// Managed policies of the account.
    pub policies: Vec<ManagedPolicy>,
    /// Where the list goes on; `None` when the reply said that it does not.
    pub next: Option<String>,
}

/// A user, and which policies it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDetail {
    /// Who it is.
    pub id: UserId,
    /// Its own policies.
    pub own: OwnPolicies,
    /// The names of its groups.
    pub groups: Vec<String>,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
}

/// A group, and which policies its users have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDetail {
    /// What it is called.
    pub name: String,
    /// Its policies.
    pub own: OwnPolicies,
}

/// The policies of a user or a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnPolicies {
    /// The documents that stand in it, percent-encoded.
    pub inline: Vec<String>,
    /// The ARNs of the managed policies that are attached to it.
    pub attached: Vec<String>,
}

/// A managed policy of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// Its ARN.
    pub arn: String,
    /// The document of its default version, percent-encoded.
    pub document: String,
}
