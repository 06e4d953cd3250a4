//! Centralized root access: which features an organization has on, who is told, and what
//! a session of root may read. Codes and texts are those that were seen of AWS.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use crate::{
    fault::Fault,
    organization::Organization,
    protocol::{Protocol, Reply},
    reply::{self, IAM, Inquiry, Params, STS, constraint, invalid},
    roles::Caller,
    state::{Account, CREATED},
    xml::elements,
};

const CREDENTIALS: &str = "RootCredentialsManagement";
const SESSIONS: &str = "RootSessions";
const TASKS: &str = "arn:aws:iam::aws:policy/root-task/";
const AUDIT: &str = "IAMAuditRootUserCredentials";
/// The longest session of root, in seconds, and what it lasts if nobody says otherwise.
const LONGEST: u64 = 900;

/// What an organization has on of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RootAccess {
    /// Whether AWS Organizations gives IAM trusted access.
    pub is_trusted: bool,
    /// `RootCredentialsManagement`, `RootSessions`.
    pub features: Vec<String>,
    /// The delegated administrators for IAM.
    pub delegated: Vec<String>,
}

/// Off, as it is in every organization at first.
impl Default for RootAccess {
    fn default() -> Self {
        Self { is_trusted: true, features: Vec::new(), delegated: Vec::new() }
    }
}

impl RootAccess {
    /// All of it on.
    #[must_use]
    pub fn on() -> Self {
        let features = [CREDENTIALS, SESSIONS].map(str::to_owned).into();
        Self { features, ..Self::default() }
    }
}

impl Organization {
    fn administers_root(&self, account: &str) -> bool {
        self.management == account || self.root_access.delegated.iter().any(|id| id == account)
    }
}

/// `ListOrganizationsFeatures`.
pub(crate) fn features(organization: Option<&Organization>, caller: &str, faults: &[Fault]) -> Reply {
    let refuse = |code: &str, message: &str| Protocol::Query.error(400, code, message);
    let Some(organization) = organization else {
        return refuse("OrganizationNotFoundException", "The organization was not found.");
    };
    if !organization.administers_root(caller) {
        let message = "The account is not a management account or a delegated administrator.";
        return refuse("AccountNotManagementOrDelegatedAdministratorException", message);
    }
    if !organization.root_access.is_trusted {
        return refuse("ServiceAccessNotEnabledException", "Service not enabled for AWS Organizations.");
    }
    let mut result = format!("    <OrganizationId>{}</OrganizationId>\n    <EnabledFeatures>\n", organization.id);
    for feature in &organization.root_access.features {
        let _ = writeln!(result, "      <member>{feature}</member>");
    }
    result.push_str("    </EnabledFeatures>\n");
    reply::document(IAM, "ListOrganizationsFeatures", &result, faults)
}

// === sts:AssumeRoot ===

/// The account that is asked for, by its id or by its root's ARN.
pub(crate) fn target(params: &Params) -> Option<&str> {
    let target = params.get("TargetPrincipal")?;
    let id = target.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root")).unwrap_or(target);
    (id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}

/// Grants `caller` a session of root of `account` for so long, or does not.
pub(crate) fn grant(
    organization: Option<&Organization>,
    account: Option<&Account>,
    caller: Caller<'_>,
    params: &Params,
) -> Result<Duration, Reply> {
    let Some(id) = target(params) else { return Err(invalid("Request must contain a valid target principal")) };
    let policy = params.get("TaskPolicyArn.arn").and_then(|arn| arn.strip_prefix(TASKS));
    let Some(task) = policy.filter(|task| is_task(task)) else {
        return Err(invalid("Request must contain valid AWS managed task policy ARN"));
    };
    let seconds = match params.get("DurationSeconds").map(|text| text.parse::<u64>()) {
        None => LONGEST,
        Some(Ok(seconds)) if seconds <= LONGEST => seconds,
        Some(_) => return Err(constraint("durationSeconds", "have value less than or equal to 900")),
    };
    let denied = |message: &str| Err(Protocol::Query.error(403, "AccessDenied", message));
    let member = organization.filter(|it| it.members.iter().any(|member| member.id == id) && it.management != id);
    let may = member.filter(|it| it.administers_root(caller.account) && !caller.is_root && account.is_some());
    let Some(organization) = may else {
        return denied(&format!(
            "User: arn:aws:sts::{}:assumed-role/secret-name/x is not authorized to perform: sts:AssumeRoot on resource: \
             arn:aws:iam::{id}:root",
            caller.account
        ));
    };
    let has = |feature: &str| organization.root_access.features.iter().any(|one| one == feature);
    if !organization.root_access.is_trusted {
        return denied("Service not enabled for AWS Organizations.");
    }
    if task.starts_with("IAM") && !has(CREDENTIALS) {
        return denied("Root credentials management feature is not enabled for your AWS Organization.");
    }
    if !task.starts_with("IAM") && !has(SESSIONS) {
        return denied("Root sessions feature is not enabled for your AWS Organization.");
    }
    // Who asks for another task than the audit would get more than the exporter may have.
    if task == AUDIT { Ok(Duration::from_secs(seconds)) } else { denied("The simulation gives no other task.") }
}

fn is_task(task: &str) -> bool {
    let iam = ["IAMCreateRootUserPassword", "IAMDeleteRootUserCredentials"];
    task == AUDIT || iam.contains(&task) || ["S3UnlockBucketPolicy", "SQSUnlockQueuePolicy"].contains(&task)
}

/// The answer that hands over the key, which is the `number`th of all. It names no account.
pub(crate) fn handed_out(key: &str, number: usize, lasts: Duration, faults: &[Fault]) -> Reply {
    let result = format!(
        "    <Credentials>\n      <AccessKeyId>{key}</AccessKeyId>\n      \
         <SecretAccessKey>simulated-secret-{number}</SecretAccessKey>\n      \
         <SessionToken>simulated-token-{number}</SessionToken>\n      <Expiration>{until}</Expiration>\n    \
         </Credentials>\n",
        until = humantime::format_rfc3339_seconds(SystemTime::now() + lasts),
    );
    reply::document(STS, "AssumeRoot", &result, faults)
}

// === as root ===

/// Answers a session of root, which the audit's policy denies all but these reads.
pub(crate) fn answer(account: &Account, params: &Params, faults: &[Fault]) -> Reply {
    let stale = faults.iter().find_map(|fault| if let Fault::Stale(old) = fault { Some(&**old) } else { None });
    let asked = Inquiry { account: stale.unwrap_or(account), params, faults };
    let action = params.get("Action").map_or("", String::as_str);
    let result = match action {
        _ if params.contains_key("UserName") => Err(denied(account, action)),
        "GetAccountSummary" => Ok(reply::summary(asked.account, faults)),
        "GetUser" => Ok(user(asked.account)),
        "ListMFADevices" => asked.devices_of_root(),
        _ => Err(denied(account, action)),
    };
    result.map_or_else(|refusal| refusal, |result| reply::document(IAM, action, &result, faults))
}

fn denied(account: &Account, action: &str) -> Reply {
    let message = format!(
        "User: {} is not authorized to perform: iam:{action} with an explicit deny in a session policy",
        account.root_arn()
    );
    Protocol::Query.error(403, "AccessDenied", &message)
}

/// Root has no name and no path.
fn user(account: &Account) -> String {
    let known = elements(&[("UserId", &account.id), ("Arn", &account.root_arn()), ("CreateDate", CREATED)]);
    format!("    <User>{known}</User>\n")
}

impl Inquiry<'_> {
    /// Root's devices of every kind. Nobody has seen what AWS says for the user's name here.
    fn devices_of_root(&self) -> Result<String, Reply> {
        let serials: Vec<_> = self.account.root.devices.iter().collect();
        self.list(
            "MFADevices",
            serials,
            |serial| (*serial).clone(),
            |serial| elements(&[("SerialNumber", serial), ("EnableDate", self.account.enable_date(serial))]),
        )
    }
}
