//! How AWS reaches the people of an account, as far as it decides who can take over a
//! root user: the security contact, the telephone of the primary contact, and the
//! e-mail address of the root user.
//!
//! Whoever has lost root's MFA signs in by that mailbox and that telephone. No name, no
//! number and no address is kept: whether there is one, whether AWS has verified it,
//! and a keyed hash by which a change can be told.

use super::{Known, Seal};
use crate::model::time::Moment;

/// What a run learnt of the contacts of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactsReading {
    /// Whether there is an alternate contact for security.
    pub security: Option<Known<bool>>,
    /// Whether AWS has verified the telephone of the primary contact; `None` inside where
    /// AWS cannot verify it, or does not say.
    pub phone: Option<Known<Option<bool>>>,
}

/// The e-mail address of a root user: a hash of it, and when it was seen to be another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootEmail {
    /// The hash.
    pub seal: Option<Seal>,
    /// When it was first seen to be another than before.
    pub changed: Option<Moment>,
}

impl ContactsReading {
    /// This, and what `before` knew where this knows nothing.
    #[must_use]
    pub fn or(self, before: Option<Self>) -> Self {
        let before = before.unwrap_or_default();
        Self { security: self.security.or(before.security), phone: self.phone.or(before.phone) }
    }
}

impl RootEmail {
    /// Takes in what a list says. A list that does not say, or was hashed with another
    /// key, shows no change.
    pub fn see(&mut self, seal: Option<Seal>, at: Moment) {
        let Some(seal) = seal else { return };
        if self.seal.is_some_and(|known| known.differs(&seal)) {
            self.changed = Some(at);
        }
        self.seal = Some(seal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        facts::SealKey,
        time::{Timestamp, Uptime},
    };
    use std::time::Duration;

    fn at(seconds: u64) -> Moment {
        let wall = Timestamp::from_millis(i64::try_from(seconds * 1_000).unwrap());
        Moment { wall, mono: Uptime::after_start(Duration::from_secs(seconds)) }
    }

    #[test]
    fn only_another_address_under_the_same_key_is_a_change() {
        let seal = |key, digest| Some(Seal { key: SealKey([key; 16]), digest: [digest; 8] });
        let mut email = RootEmail::default();
        for (seen, changed) in [
            (seal(1, 1), None),
            (None, None),
            (seal(1, 1), None),
            (seal(2, 9), None),
            (seal(2, 8), Some(at(4))),
            (seal(2, 8), Some(at(4))),
        ] {
            let time = if changed.is_some() && email.changed.is_none() { at(4) } else { at(7) };
            email.see(seen, time);
            assert_eq!(email.changed, changed, "{seen:?}");
        }
    }

    #[test]
    fn what_could_not_be_asked_this_time_is_what_it_was() {
        let known = |value| Some(Known::new(value, at(1)));
        let before = ContactsReading { security: known(true), phone: Some(Known::new(Some(false), at(1))) };
        let half = ContactsReading { security: Some(Known::new(false, at(2))), phone: None };
        assert_eq!(half.clone().or(Some(before.clone())).phone, before.phone);
        assert_eq!(half.clone().or(Some(before)).security, half.security);
        assert_eq!(half.clone().or(None), half);
    }
}
