//! How many MFA devices root has, without a call of its own, or by an audit.
//!
//! The virtual ones stand in the list by their owner. Of the others no list tells; but
//! the account summary counts all devices in use, root's among them, so what neither
//! the list nor any user accounts for is root's. That root has MFA, and no virtual
//! device, makes it one at least.

use super::{RootEvidence, audit::is_undisputed};
use crate::model::{
    facts::{Confirmation, DeviceKind, Devices, Known, RootAudit, Summary, VirtualDevices},
    judge::{Cadence, users::OtherDevices},
    time::Moment,
};

/// How many devices root has, by what is known of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootDeviceCounts {
    /// Virtual devices.
    pub virtuals: u32,
    /// Security keys, passkeys and hardware TOTP tokens; `None` while users may have some
    /// of those that are in use.
    pub others: Option<u32>,
    /// All of them by kind, where root was audited.
    pub kinds: Option<Devices>,
}

impl RootDeviceCounts {
    /// The exact counts where root was audited, or else those that follow from the list
    /// and the counters.
    #[must_use]
    pub fn of(
        evidence: RootEvidence<'_>,
        users: Option<OtherDevices>,
        cadence: &Cadence,
        now: Moment,
    ) -> Option<Known<Self>> {
        Self::audited(evidence, cadence, now).or_else(|| Self::counted(evidence, users, cadence, now))
    }

    /// The counts as of the audit, where nothing says otherwise.
    fn audited(evidence: RootEvidence<'_>, cadence: &Cadence, now: Moment) -> Option<Known<Self>> {
        let audit = evidence.audit?;
        let is_watched = cadence.fresh_reading(evidence.reading, now).is_some();
        let virtuals = u32::from(audit.value.devices.count(DeviceKind::Virtual));
        let list = cadence.fresh_devices(evidence.devices, now);
        let is_as_listed = |list: &VirtualDevices| {
            !list.is_of(&audit.value.reading.summary) || list.root_owned == virtuals && list.unowned == 0
        };
        let is_usable = audit.value.is_consistent()
            && evidence.changes.is_settled(audit.as_of)
            && is_undisputed(audit, &evidence, is_watched)
            && list.is_none_or(|list| is_as_listed(&list.value));
        let RootAudit { devices, .. } = audit.value;
        let counts = Self { virtuals, others: Some(audit.value.not_virtual()), kinds: Some(devices) };
        is_usable.then(|| Known::new(counts, audit.as_of))
    }

    /// The counts as of the list, where that is of the account as the last heartbeat
    /// shows it, and no replica of before the last change can have answered.
    fn counted(
        evidence: RootEvidence<'_>,
        users: Option<OtherDevices>,
        cadence: &Cadence,
        now: Moment,
    ) -> Option<Known<Self>> {
        let reading = cadence.fresh_reading(evidence.reading, now)?;
        let list = cadence.fresh_devices(evidence.devices, now)?;
        let is_believed = matches!(reading.value.confirmation, Confirmation::Agreed | Confirmation::NotNeeded);
        let is_current = list.value.is_of(&reading.value.summary) && evidence.changes.is_settled(list.as_of);
        // With an owner missing, the count of root's own is a lower bound, not a fact.
        let is_usable = is_believed && is_current && list.value.unowned == 0;
        let others = others(&list.value, &reading.value.summary, users);
        is_usable.then(|| Known::new(Self { virtuals: list.value.root_owned, others, kinds: None }, list.as_of))
    }
}

/// How many of the devices that are not virtual are root's, if that follows.
fn others(list: &VirtualDevices, summary: &Summary, users: Option<OtherDevices>) -> Option<u32> {
    if !summary.mfa_enabled? {
        return (list.root_owned == 0).then_some(0);
    }
    let least = u32::from(list.root_owned == 0);
    let users = match summary.users? {
        0 => OtherDevices { seen: 0, is_all: true },
        _ => users.unwrap_or_default(),
    };
    let most = list.others?.checked_sub(users.seen)?;
    (users.is_all && most >= least || most == least).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(mfa: bool, users: u32, virtuals: u32, others: u32, seen: Option<(u32, bool)>) -> Option<u32> {
        let summary = Summary { mfa_enabled: Some(mfa), users: Some(users), ..Summary::default() };
        let others = Some(others);
        let list = VirtualDevices { root_owned: virtuals, unowned: 0, others, roots: None, fingerprint: None };
        super::others(&list, &summary, seen.map(|(seen, is_all)| OtherDevices { seen, is_all }))
    }

    #[test]
    fn what_no_list_and_no_user_accounts_for_is_roots() {
        assert_eq!(known(true, 0, 0, 2, None), Some(2), "nobody else is there");
        assert_eq!(known(true, 3, 0, 2, Some((1, true))), Some(1));
        assert_eq!(known(true, 3, 1, 2, Some((2, false))), Some(0), "all of them are of users");
        assert_eq!(known(true, 3, 0, 1, None), Some(1), "root has MFA, and no virtual device");
        assert_eq!(known(false, 3, 0, 1, None), Some(0));
    }

    #[test]
    fn what_may_be_a_users_is_not_counted() {
        assert_eq!(known(true, 3, 0, 2, None), None);
        assert_eq!(known(true, 3, 1, 1, Some((0, false))), None);
        assert_eq!(known(true, 3, 0, 3, Some((1, false))), None);
    }

    #[test]
    fn counters_that_contradict_each_other_tell_nothing() {
        assert_eq!(known(true, 0, 0, 0, None), None, "root has MFA, and no device is in use");
        assert_eq!(known(false, 0, 1, 0, None), None);
        assert_eq!(known(true, 3, 1, 1, Some((2, true))), None);
    }
}
