//! What AWS said, and when: evidence, before anybody judges it.
//!
//! Every number that AWS may leave out is an `Option`, and stays one until a
//! rule has said what its absence means. Nothing here has a default: a summary
//! without `AccountPasswordPresent` is not a root user without a password.

pub mod audit;
pub mod changes;
pub mod contacts;
pub mod device;
pub mod fault;
pub mod policies;
pub mod pools;
pub mod report;
pub mod seal;
pub mod user;

use serde::{Deserialize, Serialize};

use crate::model::time::{Moment, Uptime};
pub use audit::RootAudit;
pub use changes::Changes;
pub use device::{DeviceKind, Devices};
pub use fault::{Fault, FaultClass};
pub use seal::{Seal, SealKey};
pub use user::{UserFacts, UserId, UsersReading};

/// A value and the moment it was true of AWS.
///
/// The moment is when the (first) request for it was *sent*: the answer is true
/// of some instant between then and its arrival, so its age is never understated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known<T> {
    /// What was learnt.
    pub value: T,
    /// When the first request behind it was sent.
    pub as_of: Moment,
}

/// A value that was so when it was asked for, and from `since` until then without a
/// break.
///
/// AWS tells it of what has a date: a device that was enabled on Monday and is
/// there on Friday was there on Wednesday. Of what has none two answers tell it that
/// say the same; a break between them that nobody saw is not known. Of one answer
/// alone `since` is when it arrived, which is after [`Self::as_of`]: it covers nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lasting<T> {
    /// What was learnt.
    pub value: T,
    /// When the request behind it was sent.
    pub as_of: Moment,
    /// From when on it was so.
    pub since: Uptime,
}

/// The part of `iam:GetAccountSummary` that is about root and about change.
///
/// Absent keys are `None`. `AccountMFAEnabled` is read as "at least one device
/// of any kind": AWS documents 0 and 1, and every reader tests for more than 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// `AccountMFAEnabled`: root has an MFA device of some kind.
    pub mfa_enabled: Option<bool>,
    /// `AccountPasswordPresent`: root has a console password. Newer than the
    /// other keys (November 2024), so an old endpoint may lack it.
    pub password: Option<bool>,
    /// `AccountAccessKeysPresent`: root has an access key.
    pub access_keys: Option<bool>,
    /// `AccountSigningCertificatesPresent`: root has an X.509 signing certificate.
    pub signing_certificates: Option<bool>,
    /// `Users`: how many IAM users there are.
    pub users: Option<u32>,
    /// `MFADevices`: how many virtual device objects there are, assigned or not.
    pub mfa_devices: Option<u32>,
    /// `MFADevicesInUse`: how many devices are assigned, root's included.
    /// Devices, not people: never a measure of coverage.
    pub mfa_devices_in_use: Option<u32>,
}

/// All that a summary can show of a change in the account's devices and users.
/// Two equal fingerprints do not prove that nothing changed (one device may
/// have replaced another); two different ones prove that something did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    root: [bool; 4],
    counters: [u32; 3],
}

/// Whether a failing summary was believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmation {
    /// The summary showed no unprotected root, so nothing had to be confirmed.
    NotNeeded,
    /// A second call, some seconds later, said the same.
    Agreed,
    /// A second call contradicted the first.
    Disagreed,
    /// The second call failed.
    Lost,
}

/// What one heartbeat learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RootReading {
    /// The last summary read.
    pub summary: Summary,
    /// Whether it was confirmed, where that matters.
    pub confirmation: Confirmation,
}

/// All pages of `iam:ListVirtualMFADevices(AssignmentStatus=Assigned)`, reduced
/// to what the verdict on root needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualDevices {
    /// Devices whose owner is exactly the account's root ARN.
    pub root_owned: u32,
    /// Entries that came without an owner although only assigned devices were
    /// asked for; any of them could be root's.
    pub unowned: u32,
    /// How many devices are in use that are not virtual, root's and users' together, by
    /// the account summary and this list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<u32>,
    /// The virtual devices of root, as a set that can be compared; `None` where one of
    /// them came without the date that tells it from its successor of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "Seal::read")]
    pub roots: Option<Seal>,
    /// The fingerprint that the account had both before and after the list was
    /// read; `None` when the summary lacked a key of it.
    pub fingerprint: Option<Fingerprint>,
}

// === impl Known ===

impl<T> Known<T> {
    /// A value learnt by a request sent at `as_of`.
    pub const fn new(value: T, as_of: Moment) -> Self {
        Self { value, as_of }
    }
}

// === impl Lasting ===

impl<T> Lasting<T> {
    /// A value learnt by a request sent at `as_of`, and so since `since`.
    pub const fn new(value: T, as_of: Moment, since: Uptime) -> Self {
        Self { value, as_of, since }
    }

    /// Whether it was so at `at`.
    #[must_use]
    pub fn covers(&self, at: Uptime) -> bool {
        self.since <= at && at <= self.as_of.mono
    }
}

// === impl Summary ===

impl Summary {
    /// Whether any root credential is known to be present.
    #[must_use]
    pub fn credential_present(&self) -> bool {
        self.credentials().contains(&Some(true))
    }

    /// Whether all three root credentials are known to be absent.
    #[must_use]
    pub fn credentials_absent(&self) -> bool {
        self.credentials() == [Some(false); 3]
    }

    /// Whether this reading alone shows a root user without MFA that somebody
    /// could act as.
    #[must_use]
    pub fn is_unprotected(&self) -> bool {
        self.mfa_enabled == Some(false) && self.credential_present()
    }

    /// The summary keys that were not in the answer.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let keys = [
            ("AccountMFAEnabled", self.mfa_enabled.is_none()),
            ("AccountPasswordPresent", self.password.is_none()),
            ("AccountAccessKeysPresent", self.access_keys.is_none()),
            ("AccountSigningCertificatesPresent", self.signing_certificates.is_none()),
            ("Users", self.users.is_none()),
            ("MFADevices", self.mfa_devices.is_none()),
            ("MFADevicesInUse", self.mfa_devices_in_use.is_none()),
        ];
        keys.into_iter().filter_map(|(key, missing)| missing.then_some(key)).collect()
    }

    /// The fingerprint, or `None` while a key of it is missing: a change that
    /// the missing key would have shown could then not be seen.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        Some(Fingerprint {
            root: [self.mfa_enabled?, self.password?, self.access_keys?, self.signing_certificates?],
            counters: [self.users?, self.mfa_devices?, self.mfa_devices_in_use?],
        })
    }

    /// Whether every counter is there that moves when a user or a device comes or goes.
    #[must_use]
    pub fn shows_users_and_devices(&self) -> bool {
        self.users.is_some() && self.mfa_devices.is_some() && self.mfa_devices_in_use.is_some()
    }

    /// The values of this summary, and those of `other` where this one lacks them.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            mfa_enabled: self.mfa_enabled.or(other.mfa_enabled),
            password: self.password.or(other.password),
            access_keys: self.access_keys.or(other.access_keys),
            signing_certificates: self.signing_certificates.or(other.signing_certificates),
            users: self.users.or(other.users),
            mfa_devices: self.mfa_devices.or(other.mfa_devices),
            mfa_devices_in_use: self.mfa_devices_in_use.or(other.mfa_devices_in_use),
        }
    }

    fn credentials(&self) -> [Option<bool>; 3] {
        [self.password, self.access_keys, self.signing_certificates]
    }
}

// === impl VirtualDevices ===

impl VirtualDevices {
    /// Whether the list was read of the account as `summary` shows it. A missing
    /// key on either side means that nobody can tell, which is "no".
    #[must_use]
    pub fn is_of(&self, summary: &Summary) -> bool {
        self.fingerprint.is_some() && self.fingerprint == summary.fingerprint()
    }

    /// Whether the devices of this list are certainly not those of `other`.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        let counts = |list: &Self| (list.root_owned, list.unowned);
        let others = self.others.zip(other.others).is_some_and(|(one, other)| one != other);
        let roots = self.roots.zip(other.roots).is_some_and(|(one, other)| one.differs(&other));
        counts(self) != counts(other) || others || roots
    }
}
