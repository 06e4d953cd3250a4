//! From evidence to verdicts: the controls, their four states, and how old the
//! evidence may be.
//!
//! A judgement is a pure function of evidence and the present moment. Nothing
//! remembers a verdict: what is published a minute later is judged again from
//! the same evidence, so it can only stay what it was or become unknown.

pub mod policies;
pub mod pools;
pub mod root;
pub mod users;

use std::{fmt, time::Duration};

use crate::model::{
    facts::{Known, RootReading, Summary, VirtualDevices},
    time::Moment,
};

/// A control of AWS Security Hub CSPM, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Control {
    /// MFA should be enabled for Amazon Cognito user pools.
    Cognito5,
    /// MFA should be enabled for all IAM users.
    Iam19,
    /// The root user should have no access key.
    Iam4,
    /// MFA should be enabled for all IAM users that have a console password.
    Iam5,
    /// Hardware MFA should be enabled for the root user.
    Iam6,
    /// MFA should be enabled for the root user.
    Iam9,
}

/// What can be said of a control. All four states are always exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The control is met.
    Passed,
    /// The control is not met.
    Failed,
    /// There is nothing that the control could apply to.
    NotApplicable,
    /// It is not known, whatever the reason.
    Unknown,
}

/// Why a verdict is what it is, in terms a person can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No complete answer has been read yet.
    NotRead,
    /// The last answer is too old, or the clock was stepped under it.
    Stale,
    /// GovCloud: a root user there has no console sign-in and no MFA.
    GovCloud,
    /// Root has a credential and no MFA device.
    RootUnprotected,
    /// A summary showed root unprotected, and nothing has confirmed it.
    Unconfirmed,
    /// Root has no password, no access key and no signing certificate.
    NoRootCredentials,
    /// A management account's root cannot be without credentials, yet the
    /// summary says so.
    ManagementWithoutCredentials,
    /// Root has an MFA device.
    RootHasMfa,
    /// The summary lacks a key that the rule needs.
    MissingKey,
    /// Root has a virtual device.
    RootHasVirtualDevice,
    /// Root has MFA, and none of its devices is virtual.
    NoVirtualDevice,
    /// The list of devices has not been read, or is too old.
    DevicesNotRead,
    /// The account has changed since the list of devices was read.
    DevicesOutdated,
    /// The list holds an assigned device without an owner.
    DeviceWithoutOwner,
    /// An audit found a device of a kind that AWS does not document.
    DeviceOfUnknownKind,
    /// Root has an access key.
    RootHasAccessKey,
    /// Root has no access key.
    NoRootAccessKey,
    /// A user has a console password and no device.
    ConsoleUserWithoutMfa,
    /// Nobody has a console password.
    NoConsoleUsers,
    /// Everybody who has a console password has a device.
    ConsoleUsersHaveMfa,
    /// A user has no device.
    UserWithoutMfa,
    /// There are no users.
    NoUsers,
    /// Every user has a device.
    UsersHaveMfa,
    /// Nobody fails, and of some user too little is known.
    UsersUnknown,
    /// The account has just changed, and a replica of IAM may not have heard of it.
    Unsettled,
    /// Everybody is covered, and it is not known that all of them were at one time.
    NotAtOnce,
    /// The list of users and the summary's count of them differ.
    UsersIncomplete,
    /// A user pool with a password alone has no MFA.
    PoolMfaOff,
    /// A user pool with a password alone leaves MFA to each user.
    PoolMfaOptional,
    /// No pool fails, and of some pool or Region too little is known.
    PoolsUnknown,
    /// No pool is one that the control is about.
    NoPasswordPools,
    /// Every pool that the control is about requires MFA.
    PoolsRequireMfa,
}

/// What is said of one control, and since when it was so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub status: Status,
    /// When the oldest fact that the verdict rests on was read; `None` exactly
    /// when the state is unknown.
    pub as_of: Option<Moment>,
    /// Why.
    pub reason: Reason,
}

/// How often things are read, from which follows how old they may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cadence {
    /// The heartbeat of collector `root`.
    pub root: Duration,
    /// The heartbeat where root has no credentials.
    pub rootless: Duration,
    /// The interval of collector `devices`.
    pub devices: Duration,
    /// The heartbeat while an echo shows that events of the account arrive; `None` where
    /// events change no interval.
    pub with_events: Option<Duration>,
}

/// A heartbeat is this much slower where root credentials are removed: such an
/// account can only regress by somebody restoring them, and most of an
/// organization's accounts are like that, so their calls are most of the bill.
pub const SLOW_HEARTBEAT: u32 = 5;

/// However short an interval is, evidence is good for this long: a pause of the
/// machine is no news about the account.
pub const LEAST_MAX_AGE: Duration = Duration::from_secs(30);

// === impl Control ===

impl Control {
    /// The controls judged, in the order they are exported.
    pub const ALL: [Self; 6] = [Self::Cognito5, Self::Iam19, Self::Iam4, Self::Iam5, Self::Iam6, Self::Iam9];

    /// The id, as Security Hub CSPM spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cognito5 => "Cognito.5",
            Self::Iam9 => "IAM.9",
            Self::Iam6 => "IAM.6",
            Self::Iam5 => "IAM.5",
            Self::Iam4 => "IAM.4",
            Self::Iam19 => "IAM.19",
        }
    }

    /// Whether it is about IAM users.
    #[must_use]
    pub const fn is_of_users(self) -> bool {
        matches!(self, Self::Iam5 | Self::Iam19)
    }

    /// Whether it is about the root user.
    #[must_use]
    pub const fn is_of_root(self) -> bool {
        matches!(self, Self::Iam4 | Self::Iam6 | Self::Iam9)
    }
}

// === impl Status ===

impl Status {
    /// The four states, in the order they are exported.
    pub const ALL: [Self; 4] = [Self::Failed, Self::NotApplicable, Self::Passed, Self::Unknown];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotApplicable => "not_applicable",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

// === impl Reason ===

impl Reason {
    /// What a person can do about it; `None` where nothing has to be done, or
    /// where a collector's fault says more.
    #[must_use]
    pub const fn remedy(self) -> Option<&'static str> {
        match self {
            Self::RootUnprotected => Some(
                "sign in as root and register an MFA device, or delete root's credentials by centralized root access, \
                 in the management account",
            ),
            Self::RootHasVirtualDevice => Some(
                "register a FIDO security key for root, then deactivate the virtual device: IAM.6 fails as long as \
                 root has any virtual device",
            ),
            Self::RootHasAccessKey => {
                Some("delete root's access key, and let the programs that use it assume a role instead")
            }
            Self::ManagementWithoutCredentials => {
                Some("check whether the configuration names the wrong management account")
            }
            Self::ConsoleUserWithoutMfa => Some(
                "let each of these users register an MFA device, or delete the console password; `check --names` \
                 prints their names",
            ),
            Self::UserWithoutMfa => Some(
                "give each of these users an MFA device or, better, replace the user by a role; `check --names` \
                 prints their names",
            ),
            Self::PoolMfaOff | Self::PoolMfaOptional => Some(
                "set MFA to required for the user pool: read its present settings first and pass all of them back, \
                 because SetUserPoolMfaConfig deletes what is left out (deploy/runbooks.md, AwsMfaCognitoPoolWithoutMfa)",
            ),
            Self::DeviceWithoutOwner => {
                Some("list the account's virtual devices by hand; the exporter asks again at the next run")
            }
            Self::DeviceOfUnknownKind => {
                Some("see in the console which device that is; report its kind, so that the exporter can know it")
            }
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRead => "the exporter has no complete answer of AWS yet",
            Self::Stale => "the last answer is too old",
            Self::GovCloud => "a GovCloud root user has no console sign-in and cannot have MFA",
            Self::RootUnprotected => "root has credentials and no MFA device",
            Self::Unconfirmed => {
                "one answer showed root without MFA; the exporter has not confirmed it yet by a second call"
            }
            Self::NoRootCredentials => "root has no password, no access key and no signing certificate",
            Self::ManagementWithoutCredentials => {
                "the account summary shows no root credentials, but the root user of a management account always has \
                 some"
            }
            Self::RootHasMfa => "root has an MFA device",
            Self::MissingKey => "the account summary lacks a value that the control needs",
            Self::RootHasVirtualDevice => "root has a virtual MFA device",
            Self::NoVirtualDevice => "root has MFA and no virtual device (AWS counts a synced passkey as hardware)",
            Self::DevicesNotRead => "the list of virtual devices has not been read, or is too old",
            Self::DevicesOutdated => "the account has changed since its MFA devices were listed",
            Self::DeviceWithoutOwner => "AWS listed an assigned virtual device without its owner",
            Self::DeviceOfUnknownKind => "root has an MFA device of a kind that AWS does not document",
            Self::RootHasAccessKey => "root has an access key",
            Self::NoRootAccessKey => "root has no access key",
            Self::ConsoleUserWithoutMfa => "an IAM user has a console password and no MFA device",
            Self::NoConsoleUsers => "no IAM user has a console password",
            Self::ConsoleUsersHaveMfa => "every IAM user with a console password has an MFA device",
            Self::UserWithoutMfa => "an IAM user has no MFA device",
            Self::NoUsers => "there are no IAM users",
            Self::UsersHaveMfa => "every IAM user has an MFA device",
            Self::UsersUnknown => {
                "it is not known yet for every IAM user whether there is an MFA device or a console password"
            }
            Self::Unsettled => "the account has just changed; the exporter asks AWS again within about a minute",
            Self::NotAtOnce => {
                "every IAM user was protected when asked, but not all at the same time; the exporter asks again at \
                 the next run"
            }
            Self::PoolMfaOff => "a Cognito user pool lets users sign in with a password alone, and its MFA is off",
            Self::PoolMfaOptional => {
                "a Cognito user pool lets users sign in with a password alone, because its MFA is optional"
            }
            Self::PoolsUnknown => "the exporter has not read every Cognito user pool of every Region",
            Self::NoPasswordPools => "in the Regions that are read, no Cognito user pool relies on a password alone",
            Self::PoolsRequireMfa => {
                "in the Regions that are read, every Cognito user pool that relies on a password requires MFA"
            }
            Self::UsersIncomplete => "the list of IAM users and the number of users in the account summary differ",
        })
    }
}

// === impl Verdict ===

impl Verdict {
    /// Nothing can be said, because of `reason`.
    #[must_use]
    pub const fn unknown(reason: Reason) -> Self {
        Self { status: Status::Unknown, as_of: None, reason }
    }

    const fn known(status: Status, reason: Reason, as_of: Moment) -> Self {
        Self { status, as_of: Some(as_of), reason }
    }
}

// === impl Cadence ===

impl Cadence {
    /// What holds where nobody says otherwise.
    pub const DEFAULT: Self = Self::new(Duration::from_secs(60), Duration::from_secs(15 * 60));

    /// A heartbeat of `root`, and a list of devices every `devices`, events or not.
    #[must_use]
    pub const fn new(root: Duration, devices: Duration) -> Self {
        Self { root, rootless: root.saturating_mul(SLOW_HEARTBEAT), devices, with_events: None }
    }

    /// How long after `reading` the next heartbeat is due.
    #[must_use]
    pub fn heartbeat(&self, reading: &RootReading) -> Duration {
        self.heartbeat_of(&reading.summary)
    }

    /// How long after `summary` the next heartbeat is due.
    #[must_use]
    pub fn heartbeat_of(&self, summary: &Summary) -> Duration {
        if summary.credentials_absent() { self.rootless } else { self.root }
    }

    /// How old a heartbeat may be: three of them.
    #[must_use]
    pub fn max_age_of_reading(&self, reading: &RootReading) -> Duration {
        self.max_age_of_beat(self.heartbeat(reading))
    }

    /// The same, of heartbeats that are this far apart.
    pub(in crate::model) fn max_age_of_beat(&self, beat: Duration) -> Duration {
        (beat * 3).max(LEAST_MAX_AGE)
    }

    /// How old a list of virtual devices may be: two intervals.
    #[must_use]
    pub fn max_age_of_devices(&self) -> Duration {
        (self.devices * 2).max(LEAST_MAX_AGE)
    }

    /// The heartbeat, if it may still be judged.
    #[must_use]
    pub fn fresh_reading<'a>(
        &self,
        reading: Option<&'a Known<RootReading>>,
        now: Moment,
    ) -> Option<&'a Known<RootReading>> {
        reading.filter(|known| is_fresh(known, self.max_age_of_reading(&known.value), now))
    }

    /// The list of virtual devices, if it may still be judged.
    #[must_use]
    pub fn fresh_devices<'a>(
        &self,
        devices: Option<&'a Known<VirtualDevices>>,
        now: Moment,
    ) -> Option<&'a Known<VirtualDevices>> {
        devices.filter(|known| is_fresh(known, self.max_age_of_devices(), now))
    }
}

fn is_fresh<T>(known: &Known<T>, max_age: Duration, now: Moment) -> bool {
    is_young(known.as_of, max_age, now)
}

pub(in crate::model) fn is_young(as_of: Moment, max_age: Duration, now: Moment) -> bool {
    now.age(as_of).is_some_and(|age| age <= max_age)
}
