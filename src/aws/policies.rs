//! The read about policies, made of real requests.
//!
//! The reply is the largest there is but a credential report: the SDK does not decode it,
//! and a page is reduced to what matters before the next is asked for. A list that AWS
//! always sends is one that must be there; a user without policies of its own has no
//! `UserPolicyList` (boto3, issue 1303).

use aws_sdk_iam::{
    operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput, types::EntityType,
};
use aws_smithy_runtime_api::client::interceptors::context::Output;

use super::{
    iam::AccountIam,
    operation::{Answer, Only, Operation},
    reply,
    wire::{ReplyError, xml::Element},
};
use crate::{
    collect::policies::{DetailsPage, GroupDetail, ManagedPolicy, OwnPolicies, PageSize, Policies, UserDetail},
    model::{account::Identity, facts::Fault},
};

/// What is listed. A marker is good for these alone.
const KINDS: [EntityType; 3] = [EntityType::User, EntityType::Group, EntityType::LocalManagedPolicy];

impl PageSize {
    /// How many users, groups and policies together. A page of the usual size has some
    /// two megabytes; AWS's quotas allow 25, and five where it is small.
    const fn items(self) -> i32 {
        match self {
            Self::Usual => 500,
            Self::Small => 100,
        }
    }
}

impl Policies for AccountIam {
    async fn authorization_details(&self, size: PageSize, marker: Option<String>) -> Result<DetailsPage, Fault> {
        let request = |Only { credentials, tap }: Only| {
            let only = Only { credentials, tap: tap.undecoded(empty) };
            let request = self.client().get_account_authorization_details().set_filter(Some(KINDS.to_vec()));
            request.max_items(size.items()).set_marker(marker.clone()).customize().config_override(only).send()
        };
        let read = |answer: Answer<'_>| answer.xml(|result| details(result, &self.verified.identity));
        let operation = Operation::iam("GetAccountAuthorizationDetails");
        self.session.caller().ask(&self.verified.credentials, operation, request, read).await
    }
}

/// What the SDK answers with in the place of a page.
fn empty() -> Output {
    Output::erase(GetAccountAuthorizationDetailsOutput::builder().build())
}

/// A page of `GetAccountAuthorizationDetails` of this account.
///
/// # Errors
/// When it is not as it must be.
pub fn details(result: Element<'_>, identity: &Identity) -> Result<DetailsPage, ReplyError> {
    let users = result.members("UserDetailList")?.map(|detail| user(detail, identity));
    let groups = result.members("GroupDetailList")?.map(|detail| group(detail, identity));
    let policies = result.members("Policies")?.map(|detail| policy(detail, identity));
    Ok(DetailsPage {
        users: users.collect::<Result<_, _>>()?,
        groups: groups.collect::<Result<_, _>>()?,
        policies: policies.collect::<Result<_, _>>()?,
        next: reply::next(result)?,
    })
}

fn user(user: Element<'_>, identity: &Identity) -> Result<UserDetail, ReplyError> {
    let id = user.text("UserId")?;
    if !reply::is_user(user.text("Arn")?, user.text("UserName")?, identity) {
        return Err(ReplyError::Unreadable("Arn"));
    }
    if id == identity.account.as_str() {
        return Err(ReplyError::Unreadable("UserId"));
    }
    let inline = if user.optional("UserPolicyList").is_some() { inline(user, "UserPolicyList")? } else { Vec::new() };
    let groups = user.members("GroupList")?.map(|group| group.only_text("GroupList").map(str::to_owned));
    let boundary = match user.optional("PermissionsBoundary") {
        Some(boundary) => Some(managed_arn(boundary, "PermissionsBoundaryArn", identity)?),
        None => None,
    };
    Ok(UserDetail {
        id: id.into(),
        own: OwnPolicies { inline, attached: attached(user, identity)? },
        groups: groups.collect::<Result<_, _>>()?,
        boundary,
    })
}

fn group(group: Element<'_>, identity: &Identity) -> Result<GroupDetail, ReplyError> {
    let name = group.text("GroupName")?;
    if !is_of(group.text("Arn")?, "group/", name, identity) {
        return Err(ReplyError::Unreadable("Arn"));
    }
    let own = OwnPolicies { inline: inline(group, "GroupPolicyList")?, attached: attached(group, identity)? };
    Ok(GroupDetail { name: name.to_owned(), own })
}

/// A managed policy, by its default version, of which there is one.
fn policy(policy: Element<'_>, identity: &Identity) -> Result<ManagedPolicy, ReplyError> {
    let arn = policy.text("Arn")?;
    if !is_of(arn, "policy/", policy.text("PolicyName")?, identity) {
        return Err(ReplyError::Unreadable("Arn"));
    }
    let default = policy.text("DefaultVersionId")?;
    let mut document = None;
    for version in policy.members("PolicyVersionList")? {
        let is_default = match version.text("IsDefaultVersion")? {
            "true" => true,
            "false" => false,
            _ => return Err(ReplyError::Unreadable("IsDefaultVersion")),
        };
        if is_default != (version.text("VersionId")? == default) {
            return Err(ReplyError::Unreadable("DefaultVersionId"));
        }
        if is_default && document.replace(version.text("Document")?).is_some() {
            return Err(ReplyError::Ambiguous);
        }
    }
    let document = document.ok_or(ReplyError::Missing("Document"))?;
    Ok(ManagedPolicy { arn: arn.to_owned(), document: document.to_owned() })
}

fn inline(of: Element<'_>, list: &'static str) -> Result<Vec<String>, ReplyError> {
    of.members(list)?.map(|policy| policy.text("PolicyDocument").map(str::to_owned)).collect()
}

fn attached(of: Element<'_>, identity: &Identity) -> Result<Vec<String>, ReplyError> {
    of.members("AttachedManagedPolicies")?.map(|policy| managed_arn(policy, "PolicyArn", identity)).collect()
}

/// The ARN of a managed policy of the account's, or of AWS's.
fn managed_arn(of: Element<'_>, name: &'static str, identity: &Identity) -> Result<String, ReplyError> {
    let arn = of.text(name)?;
    let owners = [identity.account.as_str(), "aws"];
    let is_policy = |owner| arn.starts_with(&format!("arn:{}:iam::{owner}:policy/", identity.partition));
    if owners.into_iter().any(is_policy) { Ok(arn.to_owned()) } else { Err(ReplyError::Unreadable(name)) }
}

/// Whether `arn` is that of something of this kind and name in this account.
fn is_of(arn: &str, kind: &str, name: &str, identity: &Identity) -> bool {
    let start = format!("arn:{}:iam::{}:{kind}", identity.partition, identity.account);
    let path = arn.strip_prefix(&start).and_then(|rest| rest.strip_suffix(name));
    path.is_some_and(|path| path.is_empty() || path.ends_with('/'))
}
