//! A page of `GetAccountAuthorizationDetails`, read as the API model has it. A list that AWS
//! always sends is one that must be there; a user without policies of its own has no
//! `UserPolicyList` (boto3, issue 1303).

use super::{is_user, next};
use crate::{
    aws::wire::{ReplyError, xml::Element},
    collect::iam::details::{DetailsPage, GroupDetail, ManagedPolicy, OwnPolicies, UserDetail},
    model::account::Identity,
};

/// A page of `GetAccountAuthorizationDetails` of this account.
///
/// # Errors
/// When it is not as it must be.
pub fn page(result: Element<'_>, identity: &Identity) -> Result<DetailsPage, ReplyError> {
    let users = result.members("UserDetailList")?.map(|detail| user(detail, identity));
    let groups = result.members("GroupDetailList")?.map(|detail| group(detail, identity));
    let policies = result.members("Policies")?.map(|detail| policy(detail, identity));
    Ok(DetailsPage {
        users: users.collect::<Result<_, _>>()?,
        groups: groups.collect::<Result<_, _>>()?,
        policies: policies.collect::<Result<_, _>>()?,
        next: next(result)?,
    })
}

fn user(user: Element<'_>, identity: &Identity) -> Result<UserDetail, ReplyError> {
    let id = user.text("UserId")?;
    if !is_user(user.text("Arn")?, user.text("UserName")?, identity) {
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
