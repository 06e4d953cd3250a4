//! `sts:AssumeRole`: who may become whom, and for how long.

use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;

use crate::{
    fault::Fault,
    protocol::{Protocol, Reply},
    reply::{self, Params, constraint, invalid},
    state::Account,
};

/// A role of an account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Role {
    /// Its name, with its path.
    pub name: String,
    /// What its trust policy asks for.
    pub external_id: Option<String>,
    /// The longest session that it gives.
    pub max_session_seconds: u32,
    /// The accounts that may assume it; all of them where it is empty.
    pub trusts: Vec<String>,
}

impl Default for Role {
    fn default() -> Self {
        Self { name: String::new(), external_id: None, max_session_seconds: HOUR, trusts: Vec::new() }
    }
}

impl Role {
    /// A role that everybody may assume.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    fn admits(&self, caller: &str, params: &Params) -> bool {
        let is_trusted = self.trusts.is_empty() || self.trusts.iter().any(|trusted| trusted == caller);
        is_trusted && self.external_id.as_ref().is_none_or(|id| params.get("ExternalId") == Some(id))
    }
}

/// The shortest session of all, in seconds.
const SHORTEST: u32 = 900;
/// What a session lasts if nobody says otherwise, and at most when one role is
/// assumed from another.
const HOUR: u32 = 3_600;

/// Whose an access key is, and until when.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) account: String,
    pub(crate) until: Option<Instant>,
    /// Whether it is of a session of root, which may do nothing but the audit.
    pub(crate) is_root: bool,
}

impl Key {
    /// A key of an account's role or user.
    pub(crate) fn new(account: &str, until: Option<Instant>) -> Self {
        Self { account: account.to_owned(), until, is_root: false }
    }
}

/// Who asks for a role.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a> {
    pub(crate) account: &'a str,
    /// Whether it got here by a role itself.
    pub(crate) is_session: bool,
    /// Whether it is a session of root.
    pub(crate) is_root: bool,
}

/// The ARN of the role that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoleArn<'a> {
    text: &'a str,
    partition: &'a str,
    pub(crate) account: &'a str,
    name: &'a str,
}

impl<'a> RoleArn<'a> {
    /// Whether the account has the role.
    pub(crate) fn is_of(&self, account: &Account) -> bool {
        account.partition == self.partition && account.roles.iter().any(|role| role.name == self.name)
    }

    /// The ARN of a session of the role, which goes without its path.
    pub(crate) fn session_arn(&self, session: &str) -> String {
        let role = self.name.rsplit('/').next().unwrap_or(self.name);
        format!("arn:{}:sts::{}:assumed-role/{role}/{session}", self.partition, self.account)
    }

    pub(crate) fn asked(params: &'a Params) -> Option<Self> {
        let text = params.get("RoleArn")?;
        let mut fields = text.splitn(6, ':');
        let mut next = || fields.next();
        let ("arn", partition, "iam", "", account, name) = (next()?, next()?, next()?, next()?, next()?, next()?)
        else {
            return None;
        };
        Some(Self { text, partition, account, name: name.strip_prefix("role/")? })
    }
}

/// A session that was granted.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    arn: RoleArn<'a>,
    name: &'a str,
    lasts: Duration,
}

/// Grants `caller` the role of `account` that it asks for, or does not.
pub(crate) fn grant<'a>(
    account: Option<&Account>,
    caller: Caller<'_>,
    params: &'a Params,
) -> Result<Session<'a>, Reply> {
    let Some(arn) = RoleArn::asked(params) else {
        return Err(invalid(&format!("{} is invalid", params.get("RoleArn").map_or("", String::as_str))));
    };
    let Some(name) = params.get("RoleSessionName") else { return Err(constraint("roleSessionName", "not be null")) };
    let role = account
        .filter(|account| account.partition == arn.partition)
        .and_then(|account| account.roles.iter().find(|role| role.name == arn.name))
        .filter(|role| role.admits(caller.account, params));
    let role = role.ok_or_else(|| denied(caller, arn))?;
    let seconds = seconds(role, caller, params)?;
    Ok(Session { arn, name, lasts: Duration::from_secs(seconds.into()) })
}

fn seconds(role: &Role, caller: Caller<'_>, params: &Params) -> Result<u32, Reply> {
    let Some(asked) = params.get("DurationSeconds") else { return Ok(role.max_session_seconds.min(HOUR)) };
    match asked.parse::<u32>() {
        Ok(asked) if asked > role.max_session_seconds => {
            Err(invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."))
        }
        Ok(asked) if asked > HOUR && caller.is_session => Err(invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )),
        Ok(asked) if asked >= SHORTEST => Ok(asked),
        _ => Err(constraint("durationSeconds", "have value greater than or equal to 900")),
    }
}

fn denied(caller: Caller<'_>, arn: RoleArn<'_>) -> Reply {
    let message = format!(
        "User: arn:{}:sts::{}:assumed-role/audit/exporter is not authorized to perform: sts:AssumeRole on resource: {}",
        arn.partition, caller.account, arn.text
    );
    Protocol::Query.error(403, "AccessDenied", &message)
}

impl Session<'_> {
    /// Ends it after `longest`, if that is sooner.
    pub(crate) fn capped(self, longest: Option<Duration>) -> Self {
        Self { lasts: longest.map_or(self.lasts, |longest| longest.min(self.lasts)), ..self }
    }

    /// Whose the key is from now on.
    pub(crate) fn key(&self, now: Instant) -> Key {
        Key::new(self.arn.account, Some(now + self.lasts))
    }

    /// The answer that hands over the key, which is the `number`th of all.
    pub(crate) fn reply(&self, key: &str, number: usize, faults: &[Fault]) -> Reply {
        let other = faults.iter().find_map(|fault| if let Fault::Identity(id) = fault { Some(*id) } else { None });
        let RoleArn { partition, account, name, .. } = self.arn;
        // An assumed role goes without its path.
        let role = name.rsplit('/').next().unwrap_or(name);
        let result = format!(
            "    <AssumedRoleUser>\n      <AssumedRoleId>AROASIMULATED{account}:{session}</AssumedRoleId>\n      \
             <Arn>arn:{partition}:sts::{owner}:assumed-role/{role}/{session}</Arn>\n    </AssumedRoleUser>\n    \
             <Credentials>\n      <AccessKeyId>{key}</AccessKeyId>\n      \
             <SecretAccessKey>simulated-secret-{number}</SecretAccessKey>\n      \
             <SessionToken>simulated-token-{number}</SessionToken>\n      <Expiration>{until}</Expiration>\n    \
             </Credentials>\n    <PackedPolicySize>0</PackedPolicySize>\n",
            session = self.name,
            owner = other.unwrap_or(account),
            until = humantime::format_rfc3339_seconds(SystemTime::now() + self.lasts),
        );
        reply::document(reply::STS, "AssumeRole", &result, faults)
    }
}
