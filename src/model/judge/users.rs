//! The verdicts on IAM users: IAM.5 (who has a password) and IAM.19 (everybody),
//! and the counts beside them.
//!
//! A user passes by a device that was seen, in the list of virtual devices or in
//! an answer to a question about this user, and that the account's counters still
//! speak for; the credential report's `mfa_active` proves nothing. A user is out
//! of IAM.5's scope by the known absence of a password, which no counter shows,
//! and which therefore is only as good as it is young. That a user has no device
//! is believed until it is asked again: a failure of old is no false pass.

use std::{sync::Arc, time::Duration};

use super::{Reason, Status, Verdict, is_young};
use crate::model::{
    facts::{DeviceKind, Devices, Known, UserFacts, UserId, UsersReading},
    time::Moment,
};

/// An answer about one user's devices is good for this long at most.
pub const ANSWER_MAX_AGE: Duration = Duration::from_secs(4 * 3_600);

/// How old what a verdict on users rests on may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The list of users.
    pub list: Duration,
    /// The list of virtual devices.
    pub devices: Duration,
    /// That a user has no password, or has one.
    pub password: Duration,
}

/// All that the verdicts on one account's users rest on.
#[derive(Clone, Copy, Debug, Default)]
pub struct UsersEvidence<'a> {
    /// What the last run learnt.
    pub reading: Option<&'a Known<Arc<UsersReading>>>,
    /// Whether the account's counters are those of the reading.
    pub is_current: bool,
}

/// What is known of one user at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserStanding {
    /// Whether the user has a device.
    pub device: Option<Known<bool>>,
    /// Whether the user has a console password.
    pub password: Option<Known<bool>>,
    /// Whether the user has an active access key.
    pub access_key: Option<bool>,
}

/// How many users are what. Each counts those *known* to be so; the number of
/// those of whom too little is known is beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserCounts {
    /// Users there are.
    pub users: u32,
    /// Users of whom a verdict is unknown.
    pub unknown: u32,
    /// Users with a console password.
    pub console: u32,
    /// Users without a device.
    pub without_mfa: Count,
    /// Users with a console password and without a device.
    pub console_without_mfa: Count,
    /// Users with an active access key and without a device.
    pub access_key_without_mfa: Count,
    /// Devices that were seen, by kind, in the order of [`DeviceKind::ALL`].
    pub devices: [u32; DeviceKind::ALL.len()],
}

/// A number of users, and how many of them are exempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them.
    pub all: u32,
    /// Those of them that an exemption is for.
    pub exempt: u32,
}

/// What is said of a group of users, and of the users one by one.
#[derive(Default)]
struct Group {
    members: usize,
    unknown: usize,
    /// When it was last seen that a member fails.
    failing: Option<Moment>,
    /// The oldest fact about anybody who does not.
    oldest: Option<Moment>,
}

/// Judges both controls: IAM.5, then IAM.19.
#[must_use]
pub fn judge(evidence: UsersEvidence<'_>, terms: &Terms, now: Moment) -> [Verdict; 2] {
    let Some(known) = evidence.reading else { return [Verdict::unknown(Reason::NotRead); 2] };
    if !is_young(known.as_of, terms.list, now) {
        return [Verdict::unknown(Reason::Stale); 2];
    }
    let (mut console, mut everybody) = (Group::default(), Group::default());
    for user in &known.value.users {
        let standing = UserStanding::of(user, evidence, terms, now);
        console.judge_console(&standing);
        everybody.judge_any(&standing);
    }
    let unsettled = if evidence.is_current { Reason::UsersUnknown } else { Reason::DevicesOutdated };
    [
        console.verdict(
            known,
            unsettled,
            [Reason::ConsoleUserWithoutMfa, Reason::NoConsoleUsers, Reason::ConsoleUsersHaveMfa],
        ),
        everybody.verdict(known, unsettled, [Reason::UserWithoutMfa, Reason::NoUsers, Reason::UsersHaveMfa]),
    ]
}

/// Counts the users; `None` while their list is too old or was never read.
#[must_use]
pub fn tally(
    evidence: UsersEvidence<'_>,
    terms: &Terms,
    is_exempt: impl Fn(&UserId) -> bool,
    now: Moment,
) -> Option<UserCounts> {
    let known = evidence.reading.filter(|known| is_young(known.as_of, terms.list, now))?;
    let mut tally = UserCounts::default();
    for user in &known.value.users {
        let standing = UserStanding::of(user, evidence, terms, now);
        tally.count(&standing, || is_exempt(&user.id));
        tally.add_devices(user, &standing);
    }
    Some(tally)
}

/// The users that are known to have no device, each with whether a password is known.
#[must_use]
pub fn failing<'a>(evidence: UsersEvidence<'a>, terms: &Terms, now: Moment) -> Vec<(&'a UserFacts, Option<bool>)> {
    let known = evidence.reading.filter(|known| is_young(known.as_of, terms.list, now));
    let users = known.into_iter().flat_map(|known| &known.value.users);
    let looked_at = users.map(|user| (user, UserStanding::of(user, evidence, terms, now)));
    let failing = looked_at.filter(|(_, standing)| standing.is_without_device());
    failing.map(|(user, standing)| (user, standing.has_password())).collect()
}

// === impl UserStanding ===

impl UserStanding {
    /// Looks at what is known of `user`.
    #[must_use]
    pub fn of(user: &UserFacts, evidence: UsersEvidence<'_>, terms: &Terms, now: Moment) -> Self {
        let reading = evidence.reading.map(|known| &*known.value);
        let listed = reading.and_then(|reading| reading.devices_listed);
        let listed = listed.filter(|at| user.virtual_devices > 0 && is_young(*at, terms.devices, now));
        let listed = listed.map(|at| Known::new(true, at));
        let answered = user.live_devices().filter(|known| is_young(known.as_of, ANSWER_MAX_AGE, now));
        let answered = answered.map(|known| Known::new(!known.value.is_empty(), known.as_of));
        let device = listed.or(answered).filter(|known| !known.value || evidence.is_current);
        let report = reading.and_then(|reading| reading.report);
        let reported = report.and_then(|report| Some(Known::new(user.reported.password?, report.generated)));
        let passwords = [user.live_password(), reported].into_iter().flatten();
        let young = passwords.filter(|known| is_young(known.as_of, terms.password, now));
        let password = young.max_by_key(|known| known.as_of.wall);
        Self { device, password, access_key: user.reported.access_key }
    }

    fn is_without_device(&self) -> bool {
        self.device.as_ref().is_some_and(|device| !device.value)
    }

    fn has_password(&self) -> Option<bool> {
        self.password.as_ref().map(|password| password.value)
    }
}

// === impl Group ===

impl Group {
    /// IAM.5: a device, or no password.
    fn judge_console(&mut self, user: &UserStanding) {
        match (&user.device, &user.password) {
            (Some(device), _) if device.value => self.pass(device.as_of),
            (_, Some(password)) if !password.value => self.skip(password.as_of),
            (Some(device), Some(password)) => self.fail(device.as_of, password.as_of),
            _ => self.unknown += 1,
        }
    }

    /// IAM.19: a device.
    fn judge_any(&mut self, user: &UserStanding) {
        match &user.device {
            Some(device) if device.value => self.pass(device.as_of),
            Some(device) => self.fail(device.as_of, device.as_of),
            None => self.unknown += 1,
        }
    }

    fn pass(&mut self, at: Moment) {
        self.members += 1;
        self.skip(at);
    }

    /// Somebody the control does not apply to, by a fact of this time.
    fn skip(&mut self, at: Moment) {
        self.oldest = Some(self.oldest.map_or(at, |oldest| older(oldest, at)));
    }

    fn fail(&mut self, first: Moment, second: Moment) {
        let at = older(first, second);
        self.members += 1;
        self.failing =
            Some(self.failing.map_or(at, |failing| if older(failing, at) == failing { at } else { failing }));
    }

    /// What is to be said; `reasons` are those to fail, not to apply and to pass.
    fn verdict(&self, list: &Known<Arc<UsersReading>>, unsettled: Reason, reasons: [Reason; 3]) -> Verdict {
        let [fails, does_not_apply, passes] = reasons;
        if let Some(at) = self.failing {
            return Verdict::known(Status::Failed, fails, older(at, list.as_of));
        }
        if self.unknown > 0 {
            return Verdict::unknown(unsettled);
        }
        if !list.value.is_whole {
            return Verdict::unknown(Reason::UsersIncomplete);
        }
        let as_of = self.oldest.map_or(list.as_of, |oldest| older(oldest, list.as_of));
        let (status, reason) =
            if self.members == 0 { (Status::NotApplicable, does_not_apply) } else { (Status::Passed, passes) };
        Verdict::known(status, reason, as_of)
    }
}

/// The older of two moments, as a scrape will see it.
fn older(one: Moment, other: Moment) -> Moment {
    if one.wall <= other.wall { one } else { other }
}

// === impl UserCounts ===

impl UserCounts {
    fn count(&mut self, user: &UserStanding, is_exempt: impl FnOnce() -> bool) {
        self.users += 1;
        let has_password = user.has_password() == Some(true);
        self.console += u32::from(has_password);
        let is_open = user.device.is_none();
        self.unknown += u32::from(is_open || user.is_without_device() && user.password.is_none());
        if user.is_without_device() {
            let exempt = is_exempt();
            self.without_mfa.add(exempt);
            if has_password {
                self.console_without_mfa.add(exempt);
            }
            if user.access_key == Some(true) {
                self.access_key_without_mfa.add(exempt);
            }
        }
    }

    fn add_devices(&mut self, user: &UserFacts, standing: &UserStanding) {
        if !standing.device.as_ref().is_some_and(|device| device.value) {
            return;
        }
        let mut devices = user.live_devices().map_or(Devices::default(), |known| known.value);
        let missing = user.virtual_devices.saturating_sub(devices.count(DeviceKind::Virtual));
        devices.add(DeviceKind::Virtual, missing);
        for (sum, kind) in self.devices.iter_mut().zip(DeviceKind::ALL) {
            *sum += u32::from(devices.count(kind));
        }
    }
}

impl Count {
    fn add(&mut self, is_exempt: bool) {
        self.all += 1;
        self.exempt += u32::from(is_exempt);
    }
}
