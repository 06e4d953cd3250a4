//! What was learnt of a root user by acting as it, for as long as one look takes.
//!
//! `sts:AssumeRoot` with the audit task policy lets the organization's management account,
//! or its delegated administrator for IAM, read root's own list of devices: the only list
//! that has its security keys, passkeys and hardware tokens. It needs no role in the
//! account.

use serde::{Deserialize, Serialize};

use super::{Devices, RootReading, Seal, Summary, device::DeviceKind};

/// One look at a root user: the account summary, and root's own list of devices, which
/// was read between two summaries that are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RootAudit {
    /// The summary, and whether one that shows root unprotected was confirmed.
    pub reading: RootReading,
    /// How many devices of each kind root has.
    pub devices: Devices,
    /// The devices as a set that can be compared; `None` where one of them came without
    /// the date that tells it from its successor of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "Seal::read")]
    pub seal: Option<Seal>,
}

impl RootAudit {
    /// Whether the list can be that of the account that the summary shows. Root's devices
    /// are some of those in use, and all of them where there are no users.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let Summary { mfa_enabled, users, mfa_devices, mfa_devices_in_use, .. } = self.reading.summary;
        let (all, virtuals) = (self.devices.total(), u32::from(self.devices.count(DeviceKind::Virtual)));
        let shows_any = mfa_enabled.is_none_or(|any| any == (all > 0));
        let is_part =
            mfa_devices_in_use.is_none_or(|in_use| if users == Some(0) { all == in_use } else { all <= in_use });
        shows_any && is_part && mfa_devices.is_none_or(|devices| virtuals <= devices)
    }

    /// Whether root has a device of a kind that AWS does not document, or one that is no
    /// factor of root's.
    #[must_use]
    pub const fn has_unknown_kind(&self) -> bool {
        self.devices.count(DeviceKind::Other) > 0 || self.devices.count(DeviceKind::Sms) > 0
    }

    /// How many of root's devices are not virtual.
    #[must_use]
    pub fn not_virtual(&self) -> u32 {
        self.devices.total() - u32::from(self.devices.count(DeviceKind::Virtual))
    }

    /// Whether `summary` shows what this did, as far as both say it.
    #[must_use]
    pub fn agrees_with(&self, summary: &Summary) -> bool {
        let own = &self.reading.summary;
        own.or(summary) == summary.or(own)
    }

    /// Whether root's devices are certainly not those of `other`.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        let seals = self.seal.zip(other.seal).is_some_and(|(one, other)| one.differs(&other));
        seals || self.devices != other.devices
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::Confirmation;

    fn audit(serials: &[&str], users: u32, in_use: u32) -> RootAudit {
        let summary = Summary {
            mfa_enabled: Some(!serials.is_empty()),
            users: Some(users),
            mfa_devices: Some(1),
            mfa_devices_in_use: Some(in_use),
            ..Summary::default()
        };
        let reading = RootReading { summary, confirmation: Confirmation::NotNeeded };
        RootAudit { reading, devices: Devices::of_serials(serials.iter().copied()), seal: None }
    }

    #[test]
    fn a_list_that_the_counters_rule_out_is_not_that_accounts() {
        const FIDO: &str = "arn:aws:iam::111111111111:u2f/root/key-A";
        const VIRTUAL: &str = "arn:aws:iam::111111111111:mfa/phone";
        assert!(audit(&[FIDO, FIDO], 0, 2).is_consistent() && audit(&[FIDO], 3, 2).is_consistent());
        assert!(!audit(&[FIDO], 0, 2).is_consistent(), "one of root's devices is missing");
        assert!(!audit(&[FIDO, FIDO], 3, 1).is_consistent(), "more than there are");
        assert!(!audit(&[VIRTUAL, VIRTUAL], 3, 2).is_consistent(), "more virtual ones than there are");
        let mut dark = audit(&[], 0, 0);
        assert!(dark.is_consistent());
        dark.reading.summary.mfa_enabled = Some(true);
        assert!(!dark.is_consistent(), "root has MFA, and no device");
        assert_eq!(audit(&[FIDO, VIRTUAL], 3, 2).not_virtual(), 1);
    }

    #[test]
    fn a_summary_contradicts_an_audit_by_what_both_say() {
        let audit = audit(&[], 0, 0);
        assert!(audit.agrees_with(&Summary::default()));
        assert!(audit.agrees_with(&Summary { password: Some(true), ..Summary::default() }), "it does not say");
        assert!(!audit.agrees_with(&Summary { mfa_enabled: Some(true), ..Summary::default() }));
    }
}
