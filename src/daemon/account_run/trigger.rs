//! What a heartbeat wakes, by what it has seen of the account's fingerprint.

use crate::model::facts::Fingerprint;

/// What a heartbeat wakes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// Nothing: all is as it was.
    #[default]
    Nothing,
    /// The list of devices: it was never read, or once.
    List,
    /// Everything: the account has changed.
    Everything,
}

/// What the heartbeat wakes: when the fingerprint moves, everything, and once more
/// at the heartbeat after, since a replica may have lagged.
#[derive(Debug, Default)]
pub struct Trigger {
    seen: Option<Fingerprint>,
    again: Wake,
}

impl Trigger {
    /// Tells what the heartbeat that read `fingerprint` wakes. A summary with missing
    /// keys shows no fingerprint, and wakes nothing.
    pub fn beat(&mut self, fingerprint: Option<Fingerprint>) -> Wake {
        let Some(fingerprint) = fingerprint else { return Wake::Nothing };
        let moved = match self.seen.replace(fingerprint) {
            None => Wake::List,
            Some(old) if old != fingerprint => Wake::Everything,
            Some(_) => Wake::Nothing,
        };
        std::mem::replace(&mut self.again, moved).max(moved)
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
    fn a_moved_fingerprint_wakes_everything_at_once_and_once_more() {
        use Wake::{Everything, List, Nothing};
        let mut trigger = Trigger::default();
        let woken =
            [print(1), print(1), print(1), print(2), print(2), None, print(2), print(1)].map(|p| trigger.beat(p));
        assert_eq!(woken, [List, List, Nothing, Everything, Everything, Nothing, Nothing, Everything]);
    }
}
