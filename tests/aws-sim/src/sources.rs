//! The places where credentials can be had by whoever has none yet: the metadata
//! service of an instance, the agent beside a container, the portal of IAM Identity
//! Center, and STS for a web identity. All of them answer at the one endpoint.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use crate::{
    fault::Fault,
    protocol::{Protocol, Reply},
    record::Seen,
    reply::{self, Params},
    request,
    roles::RoleArn,
    state::Account,
};

pub(crate) const WEB_IDENTITY: &str = "AssumeRoleWithWebIdentity";

/// What they can be asked, as [`Seen::operation`] and faults have it.
pub(crate) const OPERATIONS: [&str; 8] = [
    "InstanceToken",
    "InstanceRegion",
    "InstanceRole",
    "InstanceCredentials",
    "ContainerCredentials",
    "GetRoleCredentials",
    "CreateToken",
    WEB_IDENTITY,
];

/// Who hands out credentials, and whose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The account whose role the instance has.
    pub instance: Option<String>,
    /// The account whose role the container's agent hands out, at `/credentials`.
    pub container: Option<String>,
    /// What the container's agent wants to see in `Authorization`.
    pub container_token: Option<String>,
    /// The access token of the one login that IAM Identity Center knows of.
    pub sso_token: Option<String>,
    /// The token for which that access token is given anew.
    pub sso_refresh_token: Option<String>,
    /// The token of the one web identity that roles trust.
    pub web_identity_token: Option<String>,
    /// Whether what is handed out from now on is over already.
    pub are_over: bool,
}

/// A set of credentials.
pub(crate) struct Handout {
    pub(crate) id: String,
    secret: String,
    token: String,
    until: SystemTime,
}

/// The operation that a request is of, by its first line, and its parameters.
pub(crate) fn asked(line: &str, body: &str) -> Option<(&'static str, Params)> {
    const ROLE: &str = "/latest/meta-data/iam/security-credentials/";
    let mut words = line.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let operation = match (method, path) {
        ("PUT", "/latest/api/token") => "InstanceToken",
        ("GET", "/latest/meta-data/placement/region") => "InstanceRegion",
        ("GET", ROLE) => "InstanceRole",
        ("GET", path) if path.starts_with(ROLE) => "InstanceCredentials",
        ("GET", "/credentials") => "ContainerCredentials",
        ("GET", "/federation/credentials") => "GetRoleCredentials",
        ("POST", "/token") => "CreateToken",
        _ => return None,
    };
    Some((operation, if operation == "CreateToken" { request::members(body) } else { request::form(query) }))
}

impl Handout {
    pub(crate) fn new(number: usize, is_over: bool) -> Self {
        let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800);
        Self {
            id: format!("ASIASIMULATED{number:07}"),
            secret: format!("simulated-secret-{number}"),
            token: format!("simulated-token-{number}"),
            until: if is_over { past } else { SystemTime::now() + Duration::from_secs(3_600) },
        }
    }

    fn until(&self) -> String {
        humantime::format_rfc3339_seconds(self.until).to_string()
    }

    /// As metadata services write it.
    fn document(&self) -> Value {
        json!({
            "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z", "AccessKeyId": self.id,
            "SecretAccessKey": self.secret, "Token": self.token, "Expiration": self.until(),
        })
    }
}

impl Sources {
    /// The answer to a request, and the account whose credentials it hands out.
    pub(crate) fn answer(
        &self,
        seen: &Seen,
        token: Option<&str>,
        accounts: &BTreeMap<String, Account>,
        key: &Handout,
    ) -> (Reply, Option<String>) {
        match &*seen.operation {
            "InstanceToken" => (text("simulated-metadata-token"), None),
            "InstanceRegion" => (text("us-east-1"), None),
            "InstanceRole" if self.instance.is_some() => (text("simulated-role"), None),
            "InstanceCredentials" if self.instance.is_some() => (json(&key.document()), self.instance.clone()),
            "ContainerCredentials" if self.container.is_some() => self.container(token, key),
            "GetRoleCredentials" => self.sso(seen, token, accounts, key),
            "CreateToken" => (self.create_token(&seen.params), None),
            WEB_IDENTITY => self.web_identity(seen, accounts, key),
            _ => (Protocol::Json.error(404, "NotFound", "There is no such thing."), None),
        }
    }

    fn container(&self, token: Option<&str>, key: &Handout) -> (Reply, Option<String>) {
        if self.container_token.as_deref().is_some_and(|wanted| token != Some(wanted)) {
            return (Protocol::Json.error(401, "Unauthorized", "The token is not known."), None);
        }
        (json(&key.document()), self.container.clone())
    }

    fn sso(
        &self,
        seen: &Seen,
        token: Option<&str>,
        accounts: &BTreeMap<String, Account>,
        key: &Handout,
    ) -> (Reply, Option<String>) {
        if self.sso_token.as_deref() != token {
            return (Protocol::Json.error(401, "UnauthorizedException", "Session token not found or invalid"), None);
        }
        let (id, role) = (seen.params.get("account_id"), seen.params.get("role_name"));
        let account = id.and_then(|id| accounts.get(id));
        if !account.is_some_and(|account| account.roles.iter().any(|known| Some(&known.name) == role)) {
            return (Protocol::Json.error(403, "ForbiddenException", "No access"), None);
        }
        let since_epoch = key.until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        let credentials = json!({
            "accessKeyId": key.id, "secretAccessKey": key.secret, "sessionToken": key.token, "expiration": millis,
        });
        (json(&json!({ "roleCredentials": credentials })), id.cloned())
    }

    fn create_token(&self, params: &Params) -> Reply {
        match (&self.sso_token, &self.sso_refresh_token) {
            (Some(token), Some(wanted)) if params.get("refreshToken") == Some(wanted) => {
                json(&json!({ "accessToken": token, "expiresIn": 28_800, "tokenType": "Bearer" }))
            }
            _ => Protocol::Json.error(400, "InvalidGrantException", "The refresh token is not known."),
        }
    }

    fn web_identity(
        &self,
        seen: &Seen,
        accounts: &BTreeMap<String, Account>,
        key: &Handout,
    ) -> (Reply, Option<String>) {
        let refuse = |status, code, message| (Protocol::Query.error(status, code, message), None);
        if self.web_identity_token.is_none() || seen.params.get("WebIdentityToken") != self.web_identity_token.as_ref()
        {
            return refuse(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account");
        }
        let role = RoleArn::asked(&seen.params);
        let account = role.and_then(|role| accounts.get(role.account));
        let Some(role) = role.filter(|role| account.is_some_and(|account| role.is_of(account))) else {
            return refuse(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        };
        let session = seen.params.get("RoleSessionName").map_or("", String::as_str);
        let Handout { id, secret, token, .. } = key;
        let result = format!(
            "    <AssumedRoleUser>\n      <AssumedRoleId>AROAWEBIDENTITY:{session}</AssumedRoleId>\n      \
             <Arn>{}</Arn>\n    </AssumedRoleUser>\n    <Credentials>\n      <AccessKeyId>{id}</AccessKeyId>\n      \
             <SecretAccessKey>{secret}</SecretAccessKey>\n      <SessionToken>{token}</SessionToken>\n      \
             <Expiration>{}</Expiration>\n    </Credentials>\n",
            role.session_arn(session),
            key.until(),
        );
        (reply::document(reply::STS, WEB_IDENTITY, &result, &[] as &[Fault]), Some(role.account.to_owned()))
    }
}

fn text(body: &str) -> Reply {
    Reply { status: 200, content_type: "text/plain", body: body.to_owned() }
}

fn json(value: &Value) -> Reply {
    Reply { status: 200, content_type: "application/json", body: value.to_string() }
}
