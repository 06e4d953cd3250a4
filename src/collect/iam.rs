//! The reads of IAM that collectors need, and what each answers.
//!
//! The collectors are functions over these two traits, so that the same code runs
//! against AWS and, ten thousand times a test, against a model of IAM that changes
//! its mind between two calls.

pub mod details;

use std::{future::Future, time::Duration};

use crate::model::{
    facts::{Devices, Fault, Summary, UserId},
    time::{Moment, Timestamp, Uptime},
};

/// The reads of IAM that the collectors of root's evidence need.
pub trait Iam {
    /// The time, as the shell has it: a run may take long, and each fact has its own.
    fn now(&self) -> Moment;

    /// `iam:GetAccountSummary`.
    fn summary(&self) -> impl Future<Output = Result<Summary, Fault>> + Send;

    /// One page of `iam:ListVirtualMFADevices(AssignmentStatus=Assigned)`.
    fn assigned_devices(&self, marker: Option<String>) -> impl Future<Output = Result<DevicePage, Fault>> + Send;

    /// Lets time pass before something is asked again.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// The reads of IAM that are about users.
pub trait UsersIam: Iam {
    /// One page of `iam:ListUsers`.
    fn users(&self, marker: Option<String>) -> impl Future<Output = Result<UserPage, Fault>> + Send;

    /// All of `iam:ListMFADevices(UserName)`; `None` where there is no such user.
    fn devices_of(&self, user: &str) -> impl Future<Output = Result<Option<UserDevices>, Fault>> + Send;

    /// What `iam:GetLoginProfile(UserName)` finds.
    fn password_of(&self, user: &str) -> impl Future<Output = Result<Password, Fault>> + Send;

    /// `iam:GenerateCredentialReport`.
    fn generate_report(&self) -> impl Future<Output = Result<Making, Fault>> + Send;

    /// `iam:GetCredentialReport`.
    fn report(&self) -> impl Future<Output = Result<ReportReply, Fault>> + Send;
}

/// Whether a user has a console password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Password {
    /// There is one, since then.
    Since(Uptime),
    /// There is none.
    None,
    /// Nobody has this name. AWS answers both with the same code, `NoSuchEntity`, and
    /// another text.
    NoUser,
}

/// One page of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPage {
    /// The users.
    pub users: Vec<ListedUser>,
    /// Where the list goes on; `None` when the reply said that it does not.
    pub next: Option<String>,
}

/// A user as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// The unique id.
    pub id: UserId,
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// When the user was created, in whole seconds.
    pub created: Timestamp,
    /// When a password was last used to sign in. It outlives the password.
    pub password_last_used: Option<Timestamp>,
}

impl ListedUser {
    /// Whether the password was used at this time or later, so that there was one then.
    #[must_use]
    pub fn is_signed_in_since(&self, at: Moment) -> bool {
        self.password_last_used.is_some_and(|used| used >= at.wall)
    }
}

/// The devices of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserDevices {
    /// How many of each kind.
    pub devices: Devices,
    /// From when on the one that was enabled first was there, by AWS's date of it;
    /// where there is none, or no date, when the answer came.
    pub since: Uptime,
}

/// One page of assigned virtual devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePage {
    /// Each device's owner; `None` where it cannot be told.
    pub owners: Vec<Option<Owner>>,
    /// Those of them that are root's.
    pub roots: Vec<RootDevice>,
    /// Where the list goes on; `None` when the reply said that it does not.
    pub next: Option<String>,
}

/// A virtual device of root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RootDevice {
    /// The serial number: a new device may get that of an old one.
    pub serial: String,
    /// `EnableDate`, which tells the two apart.
    pub enabled: Option<Timestamp>,
}

/// Whose a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The owner's ARN, which alone tells root from a user that is called so.
    pub arn: String,
    /// The owner's unique id; root's is the account's.
    pub id: UserId,
    /// From when on the device was there, by AWS's date of it; without a date, when
    /// the answer came.
    pub since: Uptime,
}

/// What became of the wish for a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    /// It is made, or was young enough.
    Complete,
    /// It is being made.
    UnderWay,
    /// Too many are being made.
    Limited,
}

/// What came instead of a report, or the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportReply {
    /// A report: its text, and when AWS says it was made.
    Ready {
        /// The table.
        text: Vec<u8>,
        /// `GeneratedTime`.
        generated: Timestamp,
    },
    /// It is being made.
    InProgress,
    /// There is none, or none that is young enough to be given.
    Absent,
}
