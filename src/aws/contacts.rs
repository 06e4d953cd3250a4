//! The reads of AWS Account Management about the contacts of an account, made of real
//! requests, in the account's own context.
//!
//! The SDK's client of this service would be one crate more for two operations; they are
//! sent as those of Amazon Cognito are. Of the replies nothing is read but what is
//! asked: no name, address or number leaves this file.

use serde::{Deserialize, de::IgnoredAny};

use super::{
    iam::AccountIam,
    operation::{Answer, Operation, Refusal},
    signed::Json,
    wire::ReplyError,
};
use crate::{
    collect::contacts::Contacts,
    model::{facts::Fault, time::Moment},
};

/// How AWS says that there is no such contact. (AWS Account Management API reference,
/// `GetAlternateContact`.)
const NO_CONTACT: Refusal = (404, "ResourceNotFoundException");

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Alternate {
    alternate_contact: Option<AlternateContact>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AlternateContact {
    alternate_contact_type: Option<String>,
    email_address: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Primary {
    contact_information: Option<IgnoredAny>,
    verification_status: Option<String>,
}

impl Contacts for AccountIam {
    fn now(&self) -> Moment {
        self.session.caller().clock().now()
    }

    async fn security_contact(&self) -> Result<bool, Fault> {
        let json = || Json {
            path: "/getAlternateContact",
            content_type: "application/json",
            target: None,
            body: r#"{"AlternateContactType":"SECURITY"}"#.to_owned(),
        };
        let operation = Operation::account("GetAlternateContact").or(&[NO_CONTACT]);
        self.ask_account(operation, json, |answer| match answer.json_or_refusal()? {
            Some(alternate) => security(alternate),
            None => Ok(false),
        })
        .await
    }

    async fn phone_is_verified(&self) -> Result<Option<bool>, Fault> {
        let json = || Json {
            path: "/getContactInformation",
            content_type: "application/json",
            target: None,
            body: "{}".to_owned(),
        };
        let operation = Operation::account("GetContactInformation");
        self.ask_account(operation, json, |answer: Answer<'_>| phone(answer.json()?)).await
    }
}

// === replies ===

fn security(reply: Alternate) -> Result<bool, ReplyError> {
    let contact = reply.alternate_contact.ok_or(ReplyError::Missing("AlternateContact"))?;
    match contact.alternate_contact_type.as_deref() {
        Some("SECURITY") => {}
        Some(_) => return Err(ReplyError::Unreadable("AlternateContactType")),
        None => return Err(ReplyError::Missing("AlternateContactType")),
    }
    contact.email_address.map(|_| true).ok_or(ReplyError::Missing("EmailAddress"))
}

/// A number that AWS cannot verify is not one that is not verified.
fn phone(reply: Primary) -> Result<Option<bool>, ReplyError> {
    reply.contact_information.ok_or(ReplyError::Missing("ContactInformation"))?;
    match reply.verification_status.as_deref() {
        Some("VERIFIED") => Ok(Some(true)),
        Some("UNVERIFIED" | "PENDING") => Ok(Some(false)),
        Some("NOT_SUPPORTED") | None => Ok(None),
        Some(_) => Err(ReplyError::Unreadable("VerificationStatus")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_one_for_security_with_an_address_and_a_reply_without_it_says_nothing() {
        let read = |text: &str| security(serde_json::from_str(text).unwrap());
        let contact = |members: &str| read(&format!(r#"{{"AlternateContact":{{{members}}}}}"#));
        assert_eq!(contact(r#""AlternateContactType":"SECURITY","EmailAddress":"a@b.cd""#), Ok(true));
        assert_eq!(read("{}"), Err(ReplyError::Missing("AlternateContact")));
        assert_eq!(contact(r#""EmailAddress":"a@b.cd""#), Err(ReplyError::Missing("AlternateContactType")));
        assert_eq!(
            contact(r#""AlternateContactType":"BILLING","EmailAddress":"a@b.cd""#),
            Err(ReplyError::Unreadable("AlternateContactType"))
        );
        assert_eq!(contact(r#""AlternateContactType":"SECURITY""#), Err(ReplyError::Missing("EmailAddress")));
    }

    #[test]
    fn a_telephone_that_cannot_be_verified_is_neither_verified_nor_not() {
        let read = |text: &str| phone(serde_json::from_str(text).unwrap());
        let status = |word: &str| read(&format!(r#"{{"ContactInformation":{{}},"VerificationStatus":"{word}"}}"#));
        assert_eq!(
            ["VERIFIED", "UNVERIFIED", "PENDING", "NOT_SUPPORTED"].map(status),
            [Ok(Some(true)), Ok(Some(false)), Ok(Some(false)), Ok(None)]
        );
        assert_eq!(status("PERHAPS"), Err(ReplyError::Unreadable("VerificationStatus")));
        assert_eq!(read(r#"{"ContactInformation":{}}"#), Ok(None));
        assert_eq!(read(r#"{"VerificationStatus":"VERIFIED"}"#), Err(ReplyError::Missing("ContactInformation")));
    }
}
