//! What is known of one user at one moment.

use super::{ANSWER_MAX_AGE, Ask, Terms, Times, UsersEvidence, young_report};
use crate::model::{
    facts::{Lasting, UserFacts},
    judge::is_young,
    time::Moment,
};

/// What is known of one user at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserState {
    /// Whether there is a device.
    pub device: DeviceState,
    /// Whether there is a console password, by the newest answer.
    pub password: Option<Lasting<bool>>,
    /// Other answers by which there was no password.
    no_password: Option<Lasting<bool>>,
    /// Whether the newest answer on the password is AWS's word of this user alone.
    is_password_live: bool,
    /// Whether there is an active access key.
    pub access_key: Option<bool>,
}

/// Whether a user has a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// It is not known.
    Unknown,
    /// There was none when the user was last asked for.
    Absent(Lasting<()>),
    /// One was seen, in the list of virtual devices, or when the user was asked for.
    Present {
        /// In the list.
        listed: Option<Lasting<()>>,
        /// In an answer.
        answered: Option<Lasting<()>>,
    },
}

impl UserState {
    /// Looks at what is known of `user`, and notes the times of what is used.
    pub(super) fn of(
        user: &UserFacts,
        evidence: UsersEvidence<'_>,
        terms: &Terms,
        now: Moment,
        times: &mut Times,
    ) -> Self {
        let report = evidence.reading.and_then(|known| known.value.report);
        let young = |known: &Lasting<bool>| is_young(known.as_of, terms.password, now);
        let password = user.password(report).filter(young);
        times.passwords_of(password.as_ref());
        let live = user.live_password();
        let is_password_live = password.is_some() && password.as_ref() == live;
        let is_none = password.as_ref().is_some_and(|known| !known.value);
        let others = [live.cloned(), user.reported_password(report)].into_iter().flatten();
        let mut others = others.filter(|known| is_none && !known.value && young(known));
        let no_password = others.find(|known| Some(known) != password.as_ref());
        times.passwords_of(no_password.as_ref());
        let device = DeviceState::of(user, evidence, terms, now, times);
        let is_reported = evidence.reading.is_some_and(|known| young_report(&known.value, now).is_some());
        let access_key = user.reported.access_key.filter(|_| is_reported);
        Self { device, password, no_password, is_password_live, access_key }
    }

    /// Whether a device was seen.
    #[must_use]
    pub fn is_present(&self) -> bool {
        matches!(self.device, DeviceState::Present { .. })
    }

    /// Whether AWS was asked for this user's devices, and the answer counts.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        matches!(self.device, DeviceState::Absent(_) | DeviceState::Present { answered: Some(_), .. })
    }

    /// What covers the user, so far as it is known.
    pub(super) fn covered_by(&self) -> Ask {
        match self.device {
            DeviceState::Present { listed: Some(_), .. } => Ask::List,
            DeviceState::Present { .. } => Ask::Devices,
            DeviceState::Absent(_) | DeviceState::Unknown => Ask::Password,
        }
    }

    /// When it was so that there was no device.
    #[must_use]
    pub fn absent(&self) -> Option<&Lasting<()>> {
        if let DeviceState::Absent(since) = &self.device { Some(since) } else { None }
    }

    /// When it was so that there was a device.
    pub fn present(&self) -> impl Iterator<Item = &Lasting<()>> {
        let (listed, answered) = match &self.device {
            DeviceState::Present { listed, answered } => (listed.as_ref(), answered.as_ref()),
            _ => (None, None),
        };
        listed.into_iter().chain(answered)
    }

    /// When it was so that there was no password, where the newest answer says so.
    pub fn no_passwords(&self) -> impl Iterator<Item = &Lasting<bool>> {
        let newest = self.password.as_ref().filter(|known| !known.value);
        newest.into_iter().chain(&self.no_password)
    }

    /// Whether a console password is known.
    #[must_use]
    pub fn has_password(&self) -> Option<bool> {
        self.password.as_ref().map(|known| known.value)
    }

    /// When the user had a password and no device. The report's word is not enough
    /// for the password: it may be hours old.
    #[must_use]
    pub fn fails_console(&self) -> Option<Moment> {
        let absent = self.absent()?;
        let password = self.password.as_ref().filter(|known| known.value && self.is_password_live)?;
        let is_earlier = absent.as_of.mono <= password.as_of.mono;
        let at = if is_earlier { absent.as_of } else { password.as_of };
        // An answer alone is of its own moment: what was asked of the same user later
        // was asked after it had come.
        let is_absent = is_earlier || absent.covers(at.mono);
        (is_absent && password.covers(at.mono)).then_some(at)
    }
}

impl DeviceState {
    fn of(user: &UserFacts, evidence: UsersEvidence<'_>, terms: &Terms, now: Moment, times: &mut Times) -> Self {
        let proves = |at: Moment| evidence.is_watched && evidence.changes.is_settled(at);
        let listed = evidence.reading.and_then(|known| known.value.devices_listed);
        let listed = listed.filter(|at| user.virtual_devices.count > 0 && is_young(*at, terms.devices, now));
        let answer = user.live_devices().filter(|known| is_young(known.as_of, ANSWER_MAX_AGE, now));
        listed.into_iter().for_each(|at| times.devices.add(at));
        answer.iter().for_each(|known| times.answers.add(known.as_of));
        let listed = listed.filter(|at| proves(*at)).map(|at| Lasting::new((), at, user.virtual_devices.since));
        let answered = answer.filter(|known| !known.value.is_empty() && proves(known.as_of));
        let answered = answered.map(|known| Lasting::new((), known.as_of, known.since));
        let absent = answer.filter(|known| known.value.is_empty() && user.virtual_devices.count == 0);
        match (listed, answered, absent) {
            (None, None, Some(known)) => Self::Absent(Lasting::new((), known.as_of, known.since)),
            (None, None, None) => Self::Unknown,
            (listed, answered, _) => Self::Present { listed, answered },
        }
    }
}
