//! The form of the file: which keys there are, and what kind of value each has. What a
//! value means is the validator's business.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::super::{collectors::Section, yaml::Given};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) organization: Given<FileOrganization>,
    pub(super) accounts: Given<Vec<FileAccount>>,
    pub(super) collectors: Given<Section>,
    pub(super) aws: Given<FileAws>,
    pub(super) events: Given<Vec<FileQueue>>,
    pub(super) exemptions: Given<Vec<FileExemption>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileOrganization {
    pub(super) role_name: Text,
    #[serde(default)]
    pub(super) external_id: Given<Text>,
    #[serde(default)]
    pub(super) session_name: Given<Text>,
    #[serde(default)]
    pub(super) interval: Given<Text>,
    #[serde(default)]
    pub(super) include: Given<FileFilter>,
    #[serde(default)]
    pub(super) exclude: Given<FileFilter>,
    #[serde(default)]
    pub(super) labels: Given<FileLabels>,
    #[serde(default)]
    pub(super) root_access: bool,
    #[serde(default)]
    pub(super) root_access_interval: Given<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileLabels {
    pub(super) ou: bool,
    pub(super) tags: Given<Vec<Text>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileFilter {
    pub(super) accounts: Given<Vec<Text>>,
    pub(super) ous: Given<Vec<Spanned<FileUnit>>>,
    pub(super) tags: Given<BTreeMap<String, Vec<String>>>,
}

/// A unit's id, its path, or the names of its path one by one.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "write the path of an organizational unit, or its id, or the names of its path as a list"
)]
pub(super) enum FileUnit {
    Text(String),
    Names(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileAccount {
    pub(super) id: Text,
    #[serde(default)]
    pub(super) name: Given<String>,
    #[serde(default)]
    pub(super) profile: Given<Text>,
    #[serde(default)]
    pub(super) role_arn: Given<Text>,
    #[serde(default)]
    pub(super) external_id: Given<Text>,
    #[serde(default)]
    pub(super) session_name: Given<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileQueue {
    pub(super) queue_url: Text,
    #[serde(default)]
    pub(super) profile: Given<Text>,
    #[serde(default)]
    pub(super) role_arn: Given<Text>,
    #[serde(default)]
    pub(super) external_id: Given<Text>,
    #[serde(default)]
    pub(super) session_name: Given<Text>,
}

/// How to come by credentials, wherever that stands.
pub(super) struct FileAccess {
    pub(super) profile: Option<Text>,
    pub(super) role_arn: Option<Text>,
    pub(super) external_id: Option<Text>,
    pub(super) session_name: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileAws {
    pub(super) max_rate: Given<Text>,
    pub(super) check_max_rate: Given<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileExemption {
    pub(super) id: Text,
    #[serde(default)]
    pub(super) account: Given<Text>,
    #[serde(default)]
    pub(super) user: Given<Text>,
    #[serde(default)]
    pub(super) control: Given<Text>,
    #[serde(default)]
    pub(super) user_id: Given<Text>,
    pub(super) reason: Text,
    #[serde(default)]
    pub(super) until: Given<Text>,
}

pub(super) type Text = Spanned<String>;

impl FileAccess {
    /// Of what an account and a queue both may say: profile, role, external id, session name.
    pub(super) fn of([profile, role_arn, external_id, session_name]: [Given<Text>; 4]) -> Self {
        Self { profile: profile.0, role_arn: role_arn.0, external_id: external_id.0, session_name: session_name.0 }
    }
}
