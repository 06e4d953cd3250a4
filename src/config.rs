//! What is to be watched: the configuration, checked.
//!
//! Everything here can change while the exporter runs; what cannot is a flag.
//! A flag that says the same thing goes before the file. Without a file and
//! without `--organization.role-name` there is one account to watch, the one
//! that the ambient credentials belong to.

pub mod collectors;
pub mod file;
pub mod mistake;
pub mod queue;
pub mod value;
pub mod yaml;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::Duration,
};

use crate::model::{
    account::{AccountId, Partition},
    exemption::Exemption,
    labels::LabelPlan,
    organization::UnitRef,
    snapshot::ROOT_ACCESS_INTERVAL,
};
use collectors::Collectors;
use queue::EventSource;

/// How often the accounts of an organization are listed where nothing else is said.
pub const DISCOVERY_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The session name where nothing else is said: what CloudTrail of each account shows.
pub const SESSION_NAME: &str = "aws-mfa-exporter";

/// The most requests a second to IAM of one account where nothing else is said. With
/// these, all users of the largest account are asked for within three minutes.
pub const MAX_RATE: u32 = 40;

/// The same of `check`, for which somebody waits.
pub const CHECK_MAX_RATE: u32 = 100;

/// What is to be watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The organization whose accounts are watched.
    pub organization: Option<Organization>,
    /// Accounts that are watched whatever an organization lists.
    pub accounts: Vec<StaticAccount>,
    /// The queues that events come from.
    pub events: Vec<EventSource>,
    /// What is collected, where no flag says otherwise.
    pub collectors: Collectors,
    /// How fast AWS may be asked, where no flag says otherwise.
    pub rates: Rates,
    /// Which users need no device.
    pub exemptions: Arc<[Exemption]>,
}

/// At most how many requests a second are sent to IAM of one account, where that is
/// said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// By the exporter that serves.
    pub serve: Option<u32>,
    /// By `check`.
    pub check: Option<u32>,
}

/// An organization, and which of its accounts are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// The role to assume in each account, with its path.
    pub role_name: String,
    /// What its trust policy may insist on.
    pub external_id: Option<String>,
    /// What CloudTrail of each account will show.
    pub session_name: String,
    /// How often the accounts are listed.
    pub interval: Duration,
    /// Only these accounts; all of them where it is empty.
    pub include: Filter,
    /// Not these accounts.
    pub exclude: Filter,
    /// What of an account becomes a label.
    pub labels: LabelPlan,
    /// Whether centralized root access is asked about.
    pub root_access: bool,
    /// How often that is asked.
    pub root_access_interval: Duration,
}

/// Some of an organization's accounts: those that any of its parts names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// By id.
    pub accounts: BTreeSet<AccountId>,
    /// By organizational unit; those below it are part of it.
    pub ous: Vec<UnitRef>,
    /// By tag: the key and the values that it may have.
    pub tags: BTreeMap<String, Vec<String>>,
}

/// An account that the file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticAccount {
    /// The account that the credentials must turn out to be of.
    pub id: AccountId,
    /// What people call it.
    pub name: Option<String>,
    /// How to come by its credentials.
    pub access: Access,
}

/// How to come by an account's credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// They are the exporter's own.
    Ambient,
    /// They are those of a profile.
    Profile(String),
    /// They are a role's.
    Role {
        /// The profile whose credentials may assume it; `None` for the ambient ones.
        profile: Option<String>,
        /// The role.
        role: Role,
    },
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// The name that CloudTrail of the account will show.
    pub session_name: String,
    /// What the role's trust policy may insist on.
    pub external_id: Option<String>,
}

/// What came of reading a file that a person writes, with an error that a person understands.
///
/// # Errors
/// When it could not be read, or is no text.
pub fn as_text(read: io::Result<String>) -> io::Result<String> {
    read.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => io::Error::new(error.kind(), "it is not a text file in UTF-8"),
        _ => error,
    })
}

// === impl Config ===

impl Config {
    /// Whether there is a list of accounts at all, or only the ambient one.
    #[must_use]
    pub fn is_single_account(&self) -> bool {
        self.organization.is_none() && self.accounts.is_empty()
    }
}

// === impl Organization ===

impl Organization {
    /// An organization with nothing said but the role's name.
    #[must_use]
    pub fn with_role(role_name: String) -> Self {
        Self {
            role_name,
            external_id: None,
            session_name: SESSION_NAME.to_owned(),
            interval: DISCOVERY_INTERVAL,
            include: Filter::default(),
            exclude: Filter::default(),
            labels: LabelPlan::default(),
            root_access: false,
            root_access_interval: ROOT_ACCESS_INTERVAL,
        }
    }

    /// The role in one of the accounts.
    #[must_use]
    pub fn role_of(&self, account: AccountId, partition: &Partition) -> Role {
        Role {
            arn: format!("arn:{partition}:iam::{account}:role/{}", self.role_name),
            session_name: self.session_name.clone(),
            external_id: self.external_id.clone(),
        }
    }

    /// Whether the units of the accounts are needed, which cost two requests each.
    #[must_use]
    pub fn asks_for_units(&self) -> bool {
        !self.include.ous.is_empty() || !self.exclude.ous.is_empty() || self.labels.ou
    }

    /// Whether the tags of the accounts are needed, which cost a request an account.
    #[must_use]
    pub fn asks_for_tags(&self) -> bool {
        !self.include.tags.is_empty() || !self.exclude.tags.is_empty() || !self.labels.tags.is_empty()
    }
}

// === impl Filter ===

impl Filter {
    /// Whether it names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.ous.is_empty() && self.tags.is_empty()
    }
}
