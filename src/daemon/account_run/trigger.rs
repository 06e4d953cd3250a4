//! When a heartbeat wakes the inventory.

use crate::model::facts::Fingerprint;

/// Wakes the inventory at the first heartbeat, and when the account's fingerprint
/// has moved.
#[derive(Debug, Default)]
pub struct Trigger {
    seen: Option<Fingerprint>,
}

impl Trigger {
    /// Tells whether the heartbeat that read `fingerprint` wakes the inventory. A
    /// summary with missing keys shows no fingerprint, and wakes nothing.
    pub fn beat(&mut self, fingerprint: Option<Fingerprint>) -> bool {
        fingerprint.is_some_and(|fingerprint| self.seen.replace(fingerprint) != Some(fingerprint))
    }

    /// The last fingerprint that a heartbeat has read.
    #[must_use]
    pub fn seen(&self) -> Option<Fingerprint> {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::Summary;

    fn print(users: u32) -> Option<Fingerprint> {
        Summary {
            mfa_enabled: Some(true),
            password: Some(true),
            access_keys: Some(false),
            signing_certificates: Some(false),
            users: Some(users),
            mfa_devices: Some(0),
            mfa_devices_in_use: Some(1),
        }
        .fingerprint()
    }

    #[test]
    fn a_moved_fingerprint_wakes_at_once() {
        let mut trigger = Trigger::default();
        let woken =
            [print(1), print(1), print(1), print(2), print(2), None, print(2), print(1)].map(|p| trigger.beat(p));
        assert_eq!(woken, [true, false, false, true, false, false, false, true]);
    }
}
