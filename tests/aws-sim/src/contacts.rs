//! AWS Account Management: an account's contacts.

use serde_json::{Value, json};

use crate::{
    fault::Fault,
    json,
    protocol::{Protocol, Reply},
    reply::Params,
    state::Account,
};

/// The operations, each with its path.
pub(crate) const OPERATIONS: [(&str, &str); 2] =
    [("GetAlternateContact", "/getAlternateContact"), ("GetContactInformation", "/getContactInformation")];

/// Answers an operation of `account`'s.
pub(crate) fn answer(account: &Account, operation: &str, params: &Params, faults: &[Fault]) -> Reply {
    let found = match operation {
        "GetAlternateContact" => alternate(account, params.get("AlternateContactType").map_or("", String::as_str)),
        _ => Ok(primary(account)),
    };
    match found {
        Ok(result) => json::document(result, faults),
        Err((status, code, message)) => Protocol::Json.error(status, code, message),
    }
}

fn alternate(account: &Account, kind: &str) -> Result<Value, (u16, &'static str, &'static str)> {
    if !["BILLING", "OPERATIONS", "SECURITY"].contains(&kind) {
        return Err((400, "ValidationException", "The input fails to satisfy the constraints."));
    }
    if kind != "SECURITY" || !account.security_contact {
        return Err((404, "ResourceNotFoundException", "No contact of the inputted alternate contact type found."));
    }
    Ok(json!({ "AlternateContact": {
        "AlternateContactType": kind,
        "EmailAddress": "secret-security@example.org",
        "Name": "Secret Name",
        "PhoneNumber": "+1 555 0100",
        "Title": "CISO",
    } }))
}

fn primary(account: &Account) -> Value {
    let mut reply = json!({ "ContactInformation": {
        "AddressLine1": "1 Secret Street",
        "City": "Seattle",
        "CountryCode": "US",
        "FullName": "Secret Name",
        "PhoneNumber": "+1 555 0101",
        "PostalCode": "98101",
    } });
    if let Some(status) = &account.phone_verification {
        reply["VerificationStatus"] = json!(status);
    }
    reply
}
