//! What a profile says of credentials, in so far as a fault is to name it. How it is
//! resolved is the library's business; the rules here are the library's.

use std::fmt;

use aws_config::profile::Profile;

use crate::aws::environment::Environment;

/// Where the credentials of a profile come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain<'a> {
    /// The profile that has them, or says where to get them.
    pub(super) profile: &'a str,
    /// How it gets them.
    pub(super) base: Base<'a>,
    /// The roles that are assumed with them, the last first.
    pub(super) roles: Vec<&'a str>,
    /// Whether a role is to be assumed with a code of an MFA device.
    pub(super) asks_for_code: bool,
}

/// How the profile at the end of a chain comes by credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base<'a> {
    Keys,
    Process,
    Sso {
        session: Option<&'a str>,
    },
    WebIdentity {
        token_file: &'a str,
    },
    /// The environment's keys, the container's agent or the instance.
    Named(&'a str),
    /// A profile that does not exist.
    Missing(&'a str),
    /// `aws login`, which is not supported.
    Login,
}

/// What makes a profile one that gives credentials.
const KEYS: [&str; 12] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "credential_process",
    "credential_source",
    "login_session",
    "role_arn",
    "sso_account_id",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];

/// Whether a profile says anything of credentials.
pub(super) fn gives_credentials(profile: &Profile) -> bool {
    KEYS.iter().any(|key| profile.get(key).is_some())
}

impl<'a> Chain<'a> {
    /// Follows `source_profile` from `profile` on. Where that leads nowhere, or round in
    /// a circle, the last profile is named: the library refuses it.
    pub(super) fn of(environment: &'a Environment, mut profile: &'a Profile) -> Self {
        let mut chain = Self { profile: profile.name(), base: Base::Keys, roles: Vec::new(), asks_for_code: false };
        let mut seen = Vec::new();
        while !seen.contains(&profile.name()) {
            seen.push(profile.name());
            chain.profile = profile.name();
            let is_first = seen.len() == 1;
            let (role, web) = (profile.get("role_arn"), profile.get("web_identity_token_file"));
            let Some(role) = role.filter(|_| web.is_none() && (is_first || !has_keys(profile))) else { break };
            chain.roles.push(role);
            chain.asks_for_code |= profile.get("mfa_serial").is_some();
            let Some(name) = profile.get("source_profile") else { break };
            match environment.profile(name) {
                Some(next) => profile = next,
                None => return Self { base: Base::Missing(name), ..chain },
            }
        }
        Self { base: Base::of(profile, seen.len() > 1), ..chain }
    }
}

impl<'a> Base<'a> {
    /// A source profile that has keys is asked for nothing else.
    fn of(profile: &'a Profile, is_source: bool) -> Self {
        let get = |key| profile.get(key);
        match () {
            () if is_source && has_keys(profile) => Self::Keys,
            () if get("credential_source").is_some() => Self::Named(get("credential_source").unwrap_or_default()),
            () if get("web_identity_token_file").is_some() => {
                Self::WebIdentity { token_file: get("web_identity_token_file").unwrap_or_default() }
            }
            () if ["sso_session", "sso_start_url", "sso_account_id"].iter().any(|key| get(key).is_some()) => {
                Self::Sso { session: get("sso_session") }
            }
            () if get("login_session").is_some() => Self::Login,
            () if get("credential_process").is_some() => Self::Process,
            () => Self::Keys,
        }
    }
}

fn has_keys(profile: &Profile) -> bool {
    profile.get("aws_access_key_id").is_some() && profile.get("aws_secret_access_key").is_some()
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = match &self.base {
            Base::Keys => "aws_access_key_id",
            Base::Process => "credential_process",
            Base::Sso { .. } => "SSO",
            Base::WebIdentity { .. } => "web_identity_token_file",
            Base::Named(name) => name,
            Base::Missing(name) => return write!(f, "role_arn by source_profile {name:?}"),
            Base::Login => "login_session (`aws login`)",
        };
        match self.roles.len() {
            0 => f.write_str(base),
            _ => write!(f, "role_arn by {base} of profile {:?}", self.profile),
        }
    }
}
