//! The verdicts on IAM users: IAM.5 (who has a password) and IAM.19 (everybody).
//!
//! A user passes by a device that was *seen*, in the list of virtual devices or in
//! an answer to a question about this user; the credential report's `mfa_active`
//! proves nothing. A user is out of IAM.5's scope by the known absence of a password.
//!
//! The users of an account are read one after another, and a verdict is about all
//! of them at once. So "passed" and "not applicable" are said only of an **instant**
//! at which the whole account was so: one that lies within what is known of every
//! user ([`Lasting`]), and not before a user was seen to leave, because who has left
//! may have failed until then. That instant is the verdict's as-of time. And what
//! was learnt before the account was last seen to change, or within [`SETTLE`] after
//! it, makes nobody pass. That a user has no device is believed until it is asked
//! again: a failure of old is no false pass.
//!
//! [`Lasting`]: crate::model::facts::Lasting
//! [`SETTLE`]: crate::model::facts::changes::SETTLE

mod counts;
mod instant;
mod others;
mod state;
mod times;

use std::{sync::Arc, time::Duration};

pub use counts::{Count, UnknownUsers, UserCounts};
use instant::Interval;
pub use others::OtherDevices;
pub use state::{DeviceState, UserState};
use times::Times;

use super::{Reason, Status, Verdict, is_young};
use crate::model::{
    facts::{Changes, Known, UserFacts, UserId, UsersReading, policies::PoliciesReading, user::ReportUse},
    time::{MOST_SKEW, Moment, Uptime},
};

/// An answer about one user's devices is good for this long at most.
pub const ANSWER_MAX_AGE: Duration = Duration::from_secs(4 * 3_600);

/// What only the credential report tells is good for this long: AWS makes a new one every
/// four hours, and a run later it has been read.
pub const REPORT_MAX_AGE: Duration = Duration::from_secs(4 * 3_600 + 1_800);

/// AWS dates the credential report by the second in which it was made.
pub const REPORT_PRECISION: Duration = Duration::from_secs(1);

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
    /// When the account was last seen to have changed.
    pub changes: Changes,
    /// Whether there is a heartbeat that is fresh, which would have shown a change.
    pub is_watched: bool,
    /// What the policies of each user enforce, where that is known. No verdict rests on it.
    pub policies: Option<&'a PoliciesReading>,
}

/// What is said of the users of one account, all of it of the same evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// The verdict on IAM.5.
    pub iam5: Verdict,
    /// The verdict on IAM.19.
    pub iam19: Verdict,
    /// How many users are what; `None` while it is not known who there is.
    pub counts: Option<UserCounts>,
    times: Times,
}

/// A user whose facts do not reach the instant at which all others are covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The user's place in the reading.
    pub user: usize,
    /// What has to be asked once more.
    pub ask: Ask,
}

/// What covers a user, and has to be asked once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// For the list of virtual devices: the next run reads it.
    List,
    /// For the user's devices.
    Devices,
    /// For the user's password.
    Password,
}

// === impl Census ===

impl Census {
    /// Nothing is known.
    #[must_use]
    pub fn unread() -> Self {
        Self::unknown(Reason::NotRead, Times::default())
    }

    /// Judges both controls and counts the users.
    #[must_use]
    pub fn take(evidence: UsersEvidence<'_>, terms: &Terms, is_exempt: impl Fn(&UserId) -> bool, now: Moment) -> Self {
        let Some(known) = evidence.reading else { return Self::unread() };
        let mut times = Times::at(now);
        if !is_young(known.as_of, terms.list, now) {
            return Self::unknown(Reason::Stale, times);
        }
        times.list.add(known.as_of);
        let reading = &*known.value;
        let states: Vec<_> =
            reading.users.iter().map(|user| UserState::of(user, evidence, terms, now, &mut times)).collect();
        let reported = report_time(known, terms, now);
        reported.into_iter().for_each(|at| times.passwords.add(at));
        young_report(reading, now).into_iter().for_each(|report| times.reports.add(report.generated));
        let group = Group { evidence, known, reported, states: &states };
        let (iam5, iam19) = (group.console_users(), group.all_users());
        let counts = group.is_complete().then(|| UserCounts {
            other_devices: OtherDevices::of(reading, &evidence.changes, now),
            ..UserCounts::of(evidence, reading, &states, is_exempt)
        });
        Self { iam5, iam19, counts, times }
    }

    /// Whether the same would be said at `now`, of the same evidence: no fact has
    /// become too old since, and no clock was stepped. In doubt it would not.
    #[must_use]
    pub fn holds(&self, terms: &Terms, now: Moment) -> bool {
        self.times.hold(terms, now)
    }

    fn unknown(reason: Reason, times: Times) -> Self {
        Self { iam5: Verdict::unknown(reason), iam19: Verdict::unknown(reason), counts: None, times }
    }
}

/// The users that are known to have no device, each with whether a password is known.
#[must_use]
pub fn failing<'a>(evidence: UsersEvidence<'a>, terms: &Terms, now: Moment) -> Vec<(&'a UserFacts, Option<bool>)> {
    let known = evidence.reading.filter(|known| is_young(known.as_of, terms.list, now));
    let users = known.into_iter().flat_map(|known| &known.value.users);
    let looked_at = users.map(|user| (user, UserState::of(user, evidence, terms, now, &mut Times::default())));
    let failing = looked_at.filter(|(_, state)| state.absent().is_some());
    failing.map(|(user, state)| (user, state.has_password())).collect()
}

/// Who has to be asked once more so that an instant is known at which all were
/// covered, where nobody fails and everybody is covered at some instant.
#[must_use]
pub fn gaps(evidence: UsersEvidence<'_>, terms: &Terms, now: Moment) -> Vec<Gap> {
    let Some(known) = evidence.reading else { return Vec::new() };
    let users = known.value.users.iter();
    let states: Vec<_> = users.map(|user| UserState::of(user, evidence, terms, now, &mut Times::default())).collect();
    let reported = report_time(known, terms, now);
    let group = Group { evidence, known, reported, states: &states };
    let is_open = |verdict: Verdict| verdict.reason == Reason::NotAtOnce;
    match () {
        () if is_open(group.all_users()) => group.gaps(known.value.judged.iam19, Group::device_intervals),
        () if is_open(group.console_users()) => group.gaps(known.value.judged.iam5, Group::console_intervals),
        () => Vec::new(),
    }
}

/// The credential report, while what only it tells is good.
#[must_use]
pub fn young_report(reading: &UsersReading, now: Moment) -> Option<&ReportUse> {
    reading.report.as_ref().filter(|report| is_young(report.generated, REPORT_MAX_AGE, now))
}

fn just_before(at: Moment) -> Moment {
    at.earlier_by(Duration::from_micros(1))
}

fn report_time(known: &Known<Arc<UsersReading>>, terms: &Terms, now: Moment) -> Option<Moment> {
    known.value.report.map(|report| report.generated).filter(|at| is_young(*at, terms.password, now))
}

/// The users of an account, looked at one by one.
struct Group<'a> {
    evidence: UsersEvidence<'a>,
    known: &'a Known<Arc<UsersReading>>,
    /// When the credential report was made, while what it says of passwords counts.
    reported: Option<Moment>,
    states: &'a [UserState],
}

impl Group<'_> {
    /// IAM.19: everybody has a device.
    fn all_users(&self) -> Verdict {
        let failing = self.states.iter().filter_map(|state| Some(state.absent()?.as_of));
        if let Some(at) = failing.max_by_key(|at| at.mono) {
            return Verdict::known(Status::Failed, Reason::UserWithoutMfa, at);
        }
        if let Some(unknown) = self.doubt(|state| state.is_present()) {
            return unknown;
        }
        if self.states.is_empty() {
            return Verdict::known(Status::NotApplicable, Reason::NoUsers, self.known.as_of);
        }
        self.at_once(Status::Passed, Reason::UsersHaveMfa, self.known.value.judged.iam19, Self::device_intervals)
    }

    /// IAM.5: everybody has a device or no password.
    fn console_users(&self) -> Verdict {
        if let Some(at) = self.states.iter().filter_map(UserState::fails_console).max_by_key(|at| at.mono) {
            return Verdict::known(Status::Failed, Reason::ConsoleUserWithoutMfa, at);
        }
        if let Some(unknown) = self.doubt(|state| state.is_present() || state.has_password() == Some(false)) {
            return unknown;
        }
        if self.states.is_empty() {
            return Verdict::known(Status::NotApplicable, Reason::NoConsoleUsers, self.known.as_of);
        }
        let judged = self.known.value.judged.iam5;
        if self.states.iter().all(|state| state.has_password() == Some(false)) {
            let none = self.at_once(Status::NotApplicable, Reason::NoConsoleUsers, judged, Self::no_password_intervals);
            if none.as_of.is_some() {
                return none;
            }
        }
        self.at_once(Status::Passed, Reason::ConsoleUsersHaveMfa, judged, Self::console_intervals)
    }

    /// Why nothing can be said that is about all users, if it cannot.
    fn doubt(&self, is_covered: impl Fn(&UserState) -> bool) -> Option<Verdict> {
        let is_settled = self.evidence.changes.is_settled(self.known.as_of);
        let reason = match () {
            () if !self.evidence.is_watched => Reason::Stale,
            () if !self.known.value.is_whole => Reason::UsersIncomplete,
            () if !is_settled => Reason::Unsettled,
            () if !self.states.iter().all(is_covered) => Reason::UsersUnknown,
            () => return None,
        };
        Some(Verdict::unknown(reason))
    }

    /// Whether it is known who there is.
    fn is_complete(&self) -> bool {
        self.evidence.is_watched && self.known.value.is_whole && self.evidence.changes.is_settled(self.known.as_of)
    }

    /// What is said where there is an instant at which all users were covered.
    fn at_once(
        &self,
        status: Status,
        reason: Reason,
        judged: Option<Moment>,
        intervals: impl Fn(&Self, usize) -> Vec<Interval>,
    ) -> Verdict {
        let all = (0..self.states.len()).map(|user| intervals(self, user));
        match instant::latest(all, self.floor(judged)) {
            Some(at) => Verdict::known(status, reason, at),
            None => Verdict::unknown(Reason::NotAtOnce),
        }
    }

    /// The instant is not before this: until then somebody who has left may have
    /// failed, or the account was judged already.
    fn floor(&self, judged: Option<Moment>) -> Option<Uptime> {
        [self.evidence.changes.departure, judged].into_iter().flatten().map(|at| at.mono).max()
    }

    fn device_intervals(&self, user: usize) -> Vec<Interval> {
        self.states[user].present().map(|known| self.beside_report(Interval::of(known))).collect()
    }

    /// AWS dates the credential report to the second. What ends within that second did
    /// perhaps end before the report was made, and is taken to have ended before it.
    fn beside_report(&self, interval: Interval) -> Interval {
        let Some(report) = self.known.value.report else { return interval };
        let Interval { since, until } = interval;
        let second = report.generated.mono..report.generated.mono.plus(REPORT_PRECISION);
        let is_within = second.contains(&until.mono) && until.mono != second.start;
        if is_within { Interval { since, until: just_before(report.generated) } } else { interval }
    }

    fn no_password_intervals(&self, user: usize) -> Vec<Interval> {
        let answers = self.states[user].no_passwords().map(|known| self.beside_report(Interval::of(known)));
        answers.chain(self.before_creation(user)).collect()
    }

    fn console_intervals(&self, user: usize) -> Vec<Interval> {
        let mut intervals = self.no_password_intervals(user);
        intervals.extend(self.device_intervals(user));
        intervals
    }

    /// Before it was created, by AWS's date, a user needed nothing: one that is newer
    /// than the credential report was covered when that was made.
    fn before_creation(&self, user: usize) -> Option<Interval> {
        let created = self.known.value.users[user].created;
        let age = self.known.as_of.wall.since(created).unwrap_or_default();
        let until = self.known.as_of.earlier_by(age + MOST_SKEW);
        let report = self.reported?;
        (report.mono <= until.mono).then_some(Interval { since: report.mono, until })
    }

    /// Who does not reach the instant that all can be made to reach: the latest from
    /// which on somebody is known to be covered.
    fn gaps(&self, judged: Option<Moment>, intervals: impl Fn(&Self, usize) -> Vec<Interval>) -> Vec<Gap> {
        let all: Vec<_> = (0..self.states.len()).map(|user| intervals(self, user)).collect();
        let newest = |of: &Vec<Interval>| {
            let covering = of.iter().filter(|interval| interval.covers(interval.until.mono));
            covering.max_by_key(|interval| interval.until.mono).map(|interval| interval.since)
        };
        let target = all.iter().filter_map(newest).chain(self.floor(judged)).max();
        let reaches =
            |of: &Vec<Interval>| of.iter().any(|interval| interval.covers(target.unwrap_or(interval.until.mono)));
        let short = all.iter().enumerate().filter(|(_, of)| !reaches(of));
        short.map(|(user, _)| Gap { user, ask: self.states[user].covered_by() }).collect()
    }
}
