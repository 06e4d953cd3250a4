//! What was learnt of an account's IAM users, fact by fact, each with its time.
//!
//! A user is who has the user's id: a name can be given to somebody else, and
//! the new user has none of the old one's devices. Names are kept for those who
//! asked to see them, and are written nowhere else.

use std::{borrow::Borrow, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Known, device::Devices, report::PasswordUse};
use crate::model::time::Moment;

/// A user's unique id, `AIDA…`. AWS never gives it twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub struct UserId(Box<str>);

/// The counters of a summary that change when a user or a device comes or goes.
/// Two equal ones do not prove that nothing changed, two different ones prove
/// that something did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// `Users`.
    pub users: u32,
    /// `MFADevices`: virtual ones, assigned or not.
    pub mfa_devices: u32,
    /// `MFADevicesInUse`: assigned ones of all kinds, root's included.
    pub mfa_devices_in_use: u32,
}

/// All that was learnt of an account's users, as of the list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsersReading {
    /// The account's counters when the devices were asked for. What was learnt of
    /// a device is of the account as these show it.
    pub counters: Option<Counters>,
    /// Whether as many users were listed as the summary counts.
    pub is_whole: bool,
    /// When the virtual devices were listed; `None` while there is no list.
    pub devices_listed: Option<Moment>,
    /// The credential report behind it, if there is one.
    pub report: Option<ReportUse>,
    /// The users, by id.
    pub users: Vec<UserFacts>,
    /// After what time another run would settle what this one could not, if that
    /// is not to wait for its turn.
    pub follow_up: Option<Duration>,
}

/// A credential report as far as it is not about one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportUse {
    /// When AWS made it, by AWS's own word: `GeneratedTime`.
    pub generated: Moment,
    /// When root's password was last used, as the report has it.
    pub root_password_last_used: Option<PasswordUse>,
}

/// What was learnt of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFacts {
    /// Who it is.
    pub id: UserId,
    /// What it is called; `None` after a restart, until the users are listed.
    pub name: Option<Box<str>>,
    /// How many virtual devices the list shows.
    pub virtual_devices: u8,
    /// What the report says, where its row is this user's.
    pub reported: Reported,
    /// What AWS was asked of this user alone; most users need no question.
    pub live: Option<Box<Live>>,
}

/// What the credential report says of one user, as of its own time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// Whether there is a console password.
    pub password: Option<bool>,
    /// Whether there is an active access key.
    pub access_key: Option<bool>,
}

/// What AWS answered when asked of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// The user's devices: `iam:ListMFADevices`.
    pub devices: Option<Known<Devices>>,
    /// Whether there is a console password: `iam:GetLoginProfile`.
    pub password: Option<Known<bool>>,
    /// Since when AWS says that there is no password, against what it said
    /// before; believed when it says so again.
    pub doubted: Option<Moment>,
}

// === impl UserId ===

impl UserId {
    /// The id as AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for UserId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl UsersReading ===

impl UsersReading {
    /// What is known of a user.
    #[must_use]
    pub fn user(&self, id: &UserId) -> Option<&UserFacts> {
        self.users.binary_search_by(|user| user.id.cmp(id)).ok().map(|place| &self.users[place])
    }
}

// === impl UserFacts ===

impl UserFacts {
    /// A user of whom nothing but the name is known.
    #[must_use]
    pub fn new(id: UserId, name: &str) -> Self {
        Self { id, name: Some(name.into()), virtual_devices: 0, reported: Reported::default(), live: None }
    }

    /// The live answer on devices.
    #[must_use]
    pub fn live_devices(&self) -> Option<Known<Devices>> {
        self.live.as_ref()?.devices.clone()
    }

    /// The live answer on the password.
    #[must_use]
    pub fn live_password(&self) -> Option<Known<bool>> {
        self.live.as_ref()?.password.clone()
    }
}
