//! How many users are what.
//!
//! A number is given only when it is known of every user. Of one who has a device it
//! need not be known whether there is a password to know that nobody is counted as
//! "with a password and without a device"; so each number has its own condition.

use super::{OtherDevices, UserState, UsersEvidence};
use crate::model::facts::{
    DeviceKind, Devices, UserFacts, UserId, UsersReading,
    policies::{Enforcement, PoliciesReading},
};

/// How many users are what, by the newest answers on each of them. A number is
/// `None` while it is not known of every user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserCounts {
    /// Users there are.
    pub users: u32,
    /// Of how many of them something is not known.
    pub unknown: UnknownUsers,
    /// Users with a console password.
    pub console: Option<u32>,
    /// Users without a device.
    pub without_mfa: Option<Count>,
    /// Users with a console password and without a device.
    pub console_without_mfa: Option<Count>,
    /// Users without a device who had an active access key when the credential
    /// report was made.
    pub access_key_without_mfa: Option<Count>,
    /// Users who had an active access key when the credential report was made, and whose
    /// policies do not deny it everything without MFA.
    pub access_key_unenforced: Option<Count>,
    /// Users without a device, whose policies deny them everything without MFA.
    pub enforced_without_mfa: Option<Count>,
    /// Devices by kind, in the order of [`DeviceKind::ALL`].
    pub devices: [Option<u32>; DeviceKind::ALL.len()],
    /// Devices that are not virtual, as far as they were seen.
    pub other_devices: OtherDevices,
}

/// Of how many users something is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnknownUsers {
    /// Whether they have a device.
    pub device: u32,
    /// Whether they have a console password.
    pub console_password: u32,
    /// Whether they have an active access key.
    pub access_key: u32,
}

/// A number of users, and how many of them are exempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub all: u32,
    /// Those of them that an exemption covers.
    pub exempt: u32,
}

impl UserCounts {
    pub(super) fn of(
        evidence: UsersEvidence<'_>,
        reading: &UsersReading,
        states: &[UserState],
        is_exempt: impl Fn(&UserId) -> bool,
    ) -> Self {
        let users = || reading.users.iter().zip(states);
        let unknown =
            |is_unknown: fn(&UserState) -> bool| number(states.iter().filter(|state| is_unknown(state)).count());
        let counted = |is_so: fn(&UserState) -> Option<bool>| {
            users().try_fold(Count::default(), |count, (user, state)| {
                Some(count.plus(is_so(state)?, || is_exempt(&user.id)))
            })
        };
        // Of two lists of other users at least one is not of now.
        let is_of_all = |policies: &&PoliciesReading| policies.ids().eq(reading.users.iter().map(|user| &user.id));
        let policies = evidence.policies.filter(is_of_all);
        // Where policies are not known there is no number, not even of an account without users.
        let counted_with = |is_so: fn(&UserState, Enforcement) -> Option<bool>| {
            let policies = policies?;
            users().try_fold(Count::default(), |count, (user, state)| {
                let is_so = is_so(state, policies.of(&user.id)?)?;
                Some(count.plus(is_so, || is_exempt(&user.id)))
            })
        };
        let with_password = |state: &UserState| state.has_password();
        Self {
            users: number(states.len()),
            unknown: UnknownUsers {
                device: unknown(|state| state.has_device().is_none()),
                console_password: unknown(UserState::is_password_unknown),
                access_key: unknown(|state| state.access_key.is_none()),
            },
            console: counted(with_password).map(|count| count.all),
            without_mfa: counted(|state| Some(!state.has_device()?)),
            console_without_mfa: counted(UserState::is_console_without_mfa),
            access_key_without_mfa: counted(|state| both(state.has_device().map(|has| !has), state.access_key)),
            access_key_unenforced: counted_with(|state, of| {
                both(of.binds_keys().map(|binds| !binds), state.access_key)
            }),
            enforced_without_mfa: counted_with(|state, of| both(of.is_full(), state.has_device().map(|has| !has))),
            devices: devices(reading, states),
            other_devices: OtherDevices::default(),
        }
    }
}

impl UserState {
    /// Whether there is a device, if that is known.
    #[must_use]
    pub fn has_device(&self) -> Option<bool> {
        if self.is_present() { Some(true) } else { self.absent().map(|_| false) }
    }

    /// Whether there is a console password and no device. Both must have been so at one
    /// instant: a password that was set after the device came makes nobody one of these.
    fn is_console_without_mfa(&self) -> Option<bool> {
        let is_both = both(self.has_device().map(|has| !has), self.has_password())?;
        (is_both == self.fails_console().is_some()).then_some(is_both)
    }

    /// Whether it is not known if there is a password, or not of when there was no device.
    fn is_password_unknown(&self) -> bool {
        self.has_password().is_none() || self.has_device().is_some() && self.is_console_without_mfa().is_none()
    }
}

impl Count {
    fn plus(self, is_so: bool, is_exempt: impl FnOnce() -> bool) -> Self {
        if !is_so {
            return self;
        }
        Self { all: self.all + 1, exempt: self.exempt + u32::from(is_exempt()) }
    }
}

/// Whether both are so. That one is not decides it, whatever the other is.
fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// The devices of all users by kind. The list of virtual devices is whole by itself.
/// The others are known where every user was asked for them, or where those that
/// were seen are as many as the account has in use, so that nobody else has any.
fn devices(reading: &UsersReading, states: &[UserState]) -> [Option<u32>; DeviceKind::ALL.len()] {
    if states.iter().any(|state| state.has_device().is_none()) {
        return Default::default();
    }
    let mut sums = [0u32; DeviceKind::ALL.len()];
    let is_asked = |user: &UserFacts, state: &UserState| user.live_devices().is_some() && state.is_answered();
    let mut are_all_asked = true;
    for (user, state) in reading.users.iter().zip(states) {
        let asked = is_asked(user, state);
        are_all_asked &= asked;
        let answer = user.live_devices().filter(|_| asked).map_or(Devices::default(), |known| known.value);
        for (sum, kind) in sums.iter_mut().zip(DeviceKind::ALL) {
            let seen = answer.count(kind);
            *sum += u32::from(if kind == DeviceKind::Virtual { seen.max(user.virtual_devices.count) } else { seen });
        }
    }
    let others = sums.iter().zip(DeviceKind::ALL).filter(|(_, kind)| *kind != DeviceKind::Virtual).map(|(sum, _)| sum);
    let is_whole = are_all_asked || reading.other_devices == Some(others.sum());
    let mut counts = sums.map(Some);
    for (count, kind) in counts.iter_mut().zip(DeviceKind::ALL) {
        *count = count.filter(|_| is_whole || kind == DeviceKind::Virtual);
    }
    counts
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
