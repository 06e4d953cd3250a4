//! `sts:AssumeRole`: who may become whom, and for how long.

use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;

use crate::{
    fault::Fault,
    protocol::{Protocol, Reply},
    reply::{self, Params},
    state::Account,
};

/// A role of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Role {
    /// Its name, with its path.
    pub name: String,
    /// What its trust policy asks for.
    pub external_id: Option<String>,
    /// The accounts that may assume it; all of them where it is empty.
    pub trusts: Vec<String>,
}

impl Role {
    /// A role that everybody may assume.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// Whose an access key is, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) account: String,
    pub(crate) until: Option<Instant>,
}

/// The account and the name in the ARN of the role that is asked for.
pub(crate) fn asked(params: &Params) -> Option<(&str, &str)> {
    let arn = params.get("RoleArn")?;
    let mut fields = arn.splitn(6, ':').skip(4);
    Some((fields.next()?, fields.next()?.strip_prefix("role/")?))
}

/// Answers `caller`, who asks for a role of `account`; the key is `account`'s from
/// now on.
pub(crate) fn assume(
    account: Option<&Account>,
    caller: &str,
    params: &Params,
    faults: &[Fault],
    key: String,
    longest: Option<Duration>,
) -> (Reply, Option<(String, Key)>) {
    let denied =
        || (Protocol::Query.error(403, "AccessDenied", "User is not authorized to perform: sts:AssumeRole"), None);
    let (Some(account), Some((_, name))) = (account, asked(params)) else { return denied() };
    let Some(role) = account.roles.iter().find(|role| role.name == name) else { return denied() };
    let is_trusted = role.trusts.is_empty() || role.trusts.iter().any(|trusted| trusted == caller);
    if !is_trusted || role.external_id.as_ref().is_some_and(|id| params.get("ExternalId") != Some(id)) {
        return denied();
    }
    let seconds: u64 = params.get("DurationSeconds").and_then(|n| n.parse().ok()).unwrap_or(3_600);
    if !(900..=3_600).contains(&seconds) {
        return (
            Protocol::Query.error(400, "ValidationError", "The requested DurationSeconds exceeds the maximum"),
            None,
        );
    }
    let lasts = Duration::from_secs(seconds).min(longest.unwrap_or(Duration::MAX));
    let other = faults.iter().find_map(|fault| if let Fault::Identity(id) = fault { Some(*id) } else { None });
    let owner = other.unwrap_or(&account.id);
    let session = params.get("RoleSessionName").map_or("", String::as_str);
    let base = name.rsplit('/').next().unwrap_or(name);
    let result = format!(
        "    <AssumedRoleUser>\n      <AssumedRoleId>AROAEXAMPLE:{session}</AssumedRoleId>\n      \
         <Arn>arn:{}:sts::{owner}:assumed-role/{base}/{session}</Arn>\n    </AssumedRoleUser>\n    <Credentials>\n      \
         <AccessKeyId>{key}</AccessKeyId>\n      <SecretAccessKey>x</SecretAccessKey>\n      \
         <SessionToken>t</SessionToken>\n      <Expiration>{}</Expiration>\n    </Credentials>\n    \
         <PackedPolicySize>0</PackedPolicySize>\n",
        account.partition,
        humantime::format_rfc3339_seconds(SystemTime::now() + lasts),
    );
    let held = Key { account: account.id.clone(), until: Some(Instant::now() + lasts) };
    (reply::document(reply::STS, "AssumeRole", &result, faults), Some((key, held)))
}
