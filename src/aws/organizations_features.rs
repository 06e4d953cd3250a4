//! `iam:ListOrganizationsFeatures`: which features of centralized root access the
//! organization has on.
//!
//! Only the management account and the delegated administrator for IAM may ask. That a
//! feature is on says nothing of any account: root's credentials go where somebody
//! deletes them, account by account. (IAM User Guide, "Centralize root access for member
//! accounts"; IAM API reference, `ListOrganizationsFeatures`.)

use std::collections::BTreeSet;

use super::{
    Caller,
    operation::{Answer, Only, Operation},
    session::Verified,
    wire::{ReplyError, xml::Element},
};
use crate::model::{facts::Fault, organization::RootFeatures};

/// The features that are on, as `verified`'s owner is told.
///
/// # Errors
/// When AWS could not be asked, or refuses: trusted access for IAM is off
/// (`trusted_access_off`), or the credentials are neither of the management account nor
/// of the delegated administrator for IAM (`not_delegated`).
pub async fn organizations_features(caller: &Caller, verified: &Verified) -> Result<RootFeatures, Fault> {
    let operation = Operation::iam("ListOrganizationsFeatures");
    let iam = &caller.clients.iam;
    let request = |only: Only| iam.list_organizations_features().customize().config_override(only).send();
    caller.ask(&verified.credentials, operation, request, |answer: Answer<'_>| answer.xml(features)).await
}

/// A feature that nobody knows yet is none of the two.
fn features(result: Element<'_>) -> Result<RootFeatures, ReplyError> {
    let mut all = BTreeSet::new();
    for feature in result.members("EnabledFeatures")? {
        let name = feature.own_text().trim();
        if name.is_empty() || feature.elements().next().is_some() {
            return Err(ReplyError::Unreadable("EnabledFeatures"));
        }
        all.insert(name);
    }
    Ok(RootFeatures {
        credentials_management: all.contains("RootCredentialsManagement"),
        sessions: all.contains("RootSessions"),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::wire::xml, *};

    fn read(list: &str) -> Result<RootFeatures, ReplyError> {
        let body = format!(
            "<ListOrganizationsFeaturesResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
             <ListOrganizationsFeaturesResult><OrganizationId>o-example</OrganizationId>{list}\
             </ListOrganizationsFeaturesResult></ListOrganizationsFeaturesResponse>"
        );
        xml::result(body.as_bytes(), "ListOrganizationsFeatures", features)
    }

    #[test]
    fn what_is_not_in_the_list_is_off_and_a_list_that_is_missing_says_nothing() {
        let on = |credentials_management, sessions| Ok(RootFeatures { credentials_management, sessions });
        let list = |members: &str| read(&format!("<EnabledFeatures>{members}</EnabledFeatures>"));
        assert_eq!(list(""), on(false, false));
        assert_eq!(list("<member>RootCredentialsManagement</member>"), on(true, false));
        assert_eq!(list("<member>RootSessions</member><member>SomethingNew</member>"), on(false, true));
        assert_eq!(read(""), Err(ReplyError::Missing("EnabledFeatures")));
        assert_eq!(list("RootSessions"), Err(ReplyError::Unreadable("EnabledFeatures")));
        assert_eq!(list("<member></member>"), Err(ReplyError::Unreadable("EnabledFeatures")));
    }
}
