//! Whether root's MFA devices are what they were.
//!
//! AWS makes whoever signs in as root register a device, so an intruder with root's
//! password turns "MFA off" into "MFA on". That the devices are others than before
//! matters as much as that there are none.
//!
//! No call of a role in the account lists all of root's devices, so the set is looked at
//! from three sides, each compared with its own last look: whether there is any device (the heartbeat); the
//! virtual ones, by serial number and date (the list); and how many others there are,
//! where that is known. A change that none of them shows, one hardware key for another,
//! is not seen but by an audit, which lists them all ([`RootAudit`]).
//!
//! Replicas lag. What was so just before a change was told is no change when it is seen
//! again within a minute; it is one if it is still so afterwards. So a change is told
//! only where there was one: after the look before, or at most a minute before that.

use crate::model::{
    facts::{Confirmation, Known, RootAudit, RootReading, Seal, VirtualDevices, changes::SETTLE},
    time::{Moment, Uptime},
};

/// What was last seen of root's devices, and when they were last seen to be others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootDevices {
    any: Seen<bool>,
    listed: Seen<Seal>,
    others: Seen<u32>,
    changed: Option<Moment>,
}

/// What outlives the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootDevicesMemory {
    /// Whether there was any device.
    pub any: Option<bool>,
    /// The virtual devices.
    pub listed: Option<Seal>,
    /// How many others there were.
    pub others: Option<u32>,
    /// When all of this was last seen to be otherwise than before.
    pub changed: Option<Moment>,
}

/// What was seen last, and what was seen before that was otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen<T> {
    now: Option<T>,
    before: Option<T>,
    /// Until when a replica may answer of before the change between the two.
    lagging: Option<Uptime>,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { now: None, before: None, lagging: None }
    }
}

impl<T: Copy> Seen<T> {
    /// Takes a look in, and tells whether it shows a change. Nothing that is returned to
    /// is believed while a replica may lag.
    fn look(&mut self, seen: T, differs: impl Fn(T, T) -> bool, asked: Moment, come: Uptime) -> bool {
        let may_lag = self.lagging.is_some_and(|until| asked.mono < until);
        let is_other = self.now.is_some_and(|now| differs(now, seen));
        if is_other && may_lag && self.before.is_some_and(|before| !differs(before, seen)) {
            return false;
        }
        if is_other {
            (self.before, self.lagging) = (self.now, Some(come.plus(SETTLE)));
        }
        self.now = Some(seen);
        is_other
    }
}

impl RootDevices {
    /// What an earlier process knew.
    #[must_use]
    pub fn remember(memory: RootDevicesMemory) -> Self {
        Self {
            any: Seen { now: memory.any, ..Seen::default() },
            listed: Seen { now: memory.listed, ..Seen::default() },
            others: Seen { now: memory.others, ..Seen::default() },
            changed: memory.changed,
        }
    }

    /// What the next process should know.
    #[must_use]
    pub fn memory(&self) -> RootDevicesMemory {
        RootDevicesMemory { any: self.any.now, listed: self.listed.now, others: self.others.now, changed: self.changed }
    }

    /// When the devices were last seen to be others than before.
    #[must_use]
    pub const fn changed(&self) -> Option<Moment> {
        self.changed
    }

    /// The last look at the virtual devices.
    #[must_use]
    pub const fn listed(&self) -> Option<Seal> {
        self.listed.now
    }

    /// Takes a heartbeat in that was asked for at `asked` and had come at `come`.
    pub(super) fn beat(&mut self, reading: &RootReading, asked: Moment, come: Uptime) {
        let is_believed = matches!(reading.confirmation, Confirmation::Agreed | Confirmation::NotNeeded);
        let Some(any) = reading.summary.mfa_enabled.filter(|_| is_believed) else { return };
        let is_other = self.any.look(any, |one, other| one != other, asked, come);
        self.tell(is_other, asked);
    }

    /// Takes a list of virtual devices in, unless an entry of it may be root's and is
    /// not known to be.
    pub(super) fn list(&mut self, list: &VirtualDevices, asked: Moment, come: Uptime) {
        let Some(seal) = list.roots.filter(|_| list.unowned == 0) else { return };
        let is_other = self.listed.look(seal, |one: Seal, other| one.differs(&other), asked, come);
        self.tell(is_other, asked);
    }

    /// Takes in how many devices there are that are not virtual.
    pub(super) fn count(&mut self, others: u32, asked: Moment) {
        let is_other = self.others.look(others, |one, other| one != other, asked, asked.mono);
        self.tell(is_other, asked);
    }

    /// Takes an audit in, which shows all devices, after the audit `before`. A change that
    /// was told since then is the one that it shows.
    pub(super) fn audit(&mut self, before: Option<&Known<RootAudit>>, audit: &RootAudit, asked: Moment, come: Uptime) {
        self.beat(&audit.reading, asked, come);
        let is_told = |since: Moment| self.changed.is_some_and(|changed| changed.mono >= since.mono);
        let is_other = before.is_some_and(|before| audit.differs(&before.value) && !is_told(before.as_of));
        self.tell(is_other, asked);
    }

    fn tell(&mut self, is_other: bool, asked: Moment) {
        if is_other {
            self.changed = Some(self.changed.map_or(asked, |changed| changed.latest(asked)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{
        facts::{SealKey, Summary},
        time::Timestamp,
    };

    fn at(seconds: u64) -> Moment {
        let wall = Timestamp::from_millis(i64::try_from(seconds * 1_000).unwrap());
        Moment { wall, mono: Uptime::after_start(Duration::from_secs(seconds)) }
    }

    fn beat(devices: &mut RootDevices, any: bool, seconds: u64) {
        let summary = Summary { mfa_enabled: Some(any), ..Summary::default() };
        devices.beat(&RootReading { summary, confirmation: Confirmation::Agreed }, at(seconds), at(seconds).mono);
    }

    fn list(devices: &mut RootDevices, key: u8, digest: u8, seconds: u64) {
        let seal = Seal { key: SealKey([key; 16]), digest: [digest; 8] };
        let list = VirtualDevices { root_owned: 1, unowned: 0, others: None, roots: Some(seal), fingerprint: None };
        devices.list(&list, at(seconds), at(seconds).mono);
    }

    #[test]
    fn the_first_look_is_no_change_and_another_device_is_one() {
        let mut devices = RootDevices::default();
        list(&mut devices, 1, 1, 0);
        list(&mut devices, 1, 1, 900);
        assert_eq!(devices.changed(), None);
        list(&mut devices, 1, 2, 1_800);
        assert_eq!(devices.changed(), Some(at(1_800)));
    }

    #[test]
    fn what_is_seen_again_within_a_minute_is_a_change_only_if_it_lasts() {
        let mut devices = RootDevices::default();
        beat(&mut devices, true, 0);
        beat(&mut devices, false, 60);
        beat(&mut devices, true, 80);
        assert_eq!(devices.changed(), Some(at(60)), "perhaps a replica that lags");
        beat(&mut devices, true, 120);
        assert_eq!(devices.changed(), Some(at(120)));
    }

    #[test]
    fn a_third_device_within_the_minute_is_told_at_once() {
        let mut devices = RootDevices::default();
        for (digest, seconds) in [(1, 0), (2, 60), (3, 70)] {
            list(&mut devices, 1, digest, seconds);
        }
        assert_eq!(devices.changed(), Some(at(70)));
    }

    #[test]
    fn another_key_is_a_new_beginning() {
        let mut devices = RootDevices::default();
        list(&mut devices, 1, 1, 0);
        list(&mut devices, 2, 9, 900);
        assert_eq!(devices.changed(), None);
        list(&mut devices, 2, 8, 1_800);
        assert_eq!(devices.changed(), Some(at(1_800)));
    }
}
