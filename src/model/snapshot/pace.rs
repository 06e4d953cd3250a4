//! How often an account is read while an echo shows that its events arrive, and how old what
//! was read may then get.
//!
//! An *echo* is a call of this exporter that has come back as an event. It proves that
//! events of the account arrived when the call was made, and that is believed for two
//! heartbeats. As long as it is, the account may be read less often, because whatever
//! changes in it has it read at once. After that it is read at the usual intervals again.
//!
//! Whoever judges goes by the intervals in force. What was read under the longer ones is
//! not too old at the very moment when they end, for nobody could have read it anew by
//! then. It is good for as long as a reading at the usual interval would be that was made
//! at that moment, and for no longer than it would have been good anyway.

use std::{borrow::Cow, time::Duration};

use super::{AccountState, Plan, UsersPlan};
use crate::model::{facts::Summary, judge::Cadence, time::Moment};

/// How often devices and users are listed while an echo shows that events arrive: so that every
/// fourth time there is a new credential report, which AWS makes after four hours.
pub const LISTS_WITH_EVENTS: Duration = Duration::from_secs(62 * 60);

/// So many heartbeats after the call that has come back, an echo shows nothing any more.
const ECHO_LASTS: u32 = 2;

// === impl Cadence ===

impl Cadence {
    /// The cadence while an echo shows that events arrive. No interval is shorter by that.
    fn stretched(&self) -> Option<Self> {
        let beat = self.with_events?;
        Some(Self {
            root: self.root.max(beat),
            rootless: self.rootless.max(beat),
            devices: self.devices.max(LISTS_WITH_EVENTS),
            with_events: None,
        })
    }
}

// === impl Plan ===

impl Plan {
    /// What runs while an echo shows that events arrive; `None` where they change no interval.
    #[must_use]
    pub fn stretched(&self) -> Option<Self> {
        let mut plan = Self { cadence: self.cadence.stretched()?, ..self.clone() };
        if let Some(users) = &mut plan.users {
            users.interval = users.interval.max(LISTS_WITH_EVENTS);
        }
        Some(plan)
    }

    /// How collector `users` is to run: what it learns has to be good until its next run,
    /// which waits for a heartbeat while these are rare.
    #[must_use]
    pub fn users_order(&self, stretched: bool) -> Option<UsersPlan> {
        let users = self.users?;
        let wait = if stretched { self.cadence.root.max(self.cadence.rootless) } else { Duration::ZERO };
        Some(UsersPlan { interval: users.interval + wait, ..users })
    }

    /// How long after the call that has come back its echo is believed, in an account
    /// with this summary; `None` where events change no interval.
    #[must_use]
    pub fn echo_lasts(&self, summary: Option<&Summary>) -> Option<Duration> {
        let cadence = self.cadence.stretched()?;
        Some(summary.map_or(cadence.root, |summary| cadence.heartbeat_of(summary)) * ECHO_LASTS)
    }

    /// The plan by which an account is judged at `now`: the one that is in force, or for a
    /// while still the one that was. `last_echo` is when the last call was made that has come
    /// back.
    #[must_use]
    pub fn in_force(&self, last_echo: Option<Moment>, summary: Option<&Summary>, now: Moment) -> Cow<'_, Self> {
        let age = last_echo.and_then(|last_echo| now.age(last_echo));
        let (Some(stretched), Some(age), Some(lasts)) = (self.stretched(), age, self.echo_lasts(summary)) else {
            return Cow::Borrowed(self);
        };
        let holds = |usual_max_age: Duration| age <= lasts + usual_max_age;
        let mut plan = self.clone();
        plan.cadence.with_events = None;
        let beat = summary.map_or(self.cadence.root, |summary| self.cadence.heartbeat_of(summary));
        if holds(self.cadence.max_age_of_beat(beat)) {
            (plan.cadence.root, plan.cadence.rootless) = (stretched.cadence.root, stretched.cadence.rootless);
        }
        if holds(self.cadence.max_age_of_devices()) {
            plan.cadence.devices = stretched.cadence.devices;
        }
        if holds(self.users_terms().list) {
            plan.users = stretched.users;
        }
        Cow::Owned(plan)
    }
}

// === impl AccountState ===

impl AccountState {
    /// The plan by which this account is judged at `now`.
    #[must_use]
    pub fn in_force<'p>(&self, plan: &'p Plan, now: Moment) -> Cow<'p, Plan> {
        plan.in_force(self.last_echo, self.summary(), now)
    }

    /// Whether the account is read at the longer intervals at `now`; `None` where events
    /// change no interval.
    #[must_use]
    pub fn is_stretched(&self, plan: &Plan, now: Moment) -> Option<bool> {
        let lasts = plan.echo_lasts(self.summary())?;
        Some(self.last_echo.and_then(|last_echo| now.age(last_echo)).is_some_and(|age| age <= lasts))
    }

    /// When the last call was made that has come back as an event.
    #[must_use]
    pub fn last_echo(&self) -> Option<Moment> {
        self.last_echo
    }

    /// A call that was made at `asked` has come back. Echoes come in any order.
    pub(super) fn echo(&mut self, asked: Moment) {
        self.last_echo = Some(self.last_echo.map_or(asked, |last_echo| last_echo.latest(asked)));
    }

    fn summary(&self) -> Option<&Summary> {
        self.reading.as_ref().map(|reading| &reading.value.summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{Timestamp, Uptime};

    const MINUTE: Duration = Duration::from_secs(60);

    fn plan(with_events: Option<Duration>) -> Plan {
        let cadence = Cadence { with_events, ..Cadence::DEFAULT };
        Plan { cadence, ..Plan::DEFAULT }
    }

    fn at(seconds: u64) -> Moment {
        let wall = Timestamp::from_millis(i64::try_from(seconds * 1_000).unwrap());
        Moment { wall, mono: Uptime::after_start(Duration::from_secs(seconds)) }
    }

    fn absent() -> Summary {
        let none = Some(false);
        Summary { password: none, access_keys: none, signing_certificates: none, ..Summary::default() }
    }

    #[test]
    fn without_the_option_an_echo_changes_nothing() {
        let plan = plan(None);
        assert_eq!((plan.stretched(), plan.echo_lasts(None)), (None, None));
        assert!(matches!(plan.in_force(Some(at(0)), None, at(1)), Cow::Borrowed(_)));
    }

    #[test]
    fn no_interval_is_shorter_by_an_echo() {
        let mut plan = plan(Some(MINUTE * 2));
        plan.cadence.devices = MINUTE * 90;
        let stretched = plan.stretched().unwrap();
        assert_eq!([stretched.cadence.root, stretched.cadence.rootless], [MINUTE * 2, MINUTE * 5]);
        assert_eq!(stretched.cadence.devices, MINUTE * 90);
        assert_eq!(stretched.users.unwrap().interval, MINUTE * 62);
        assert_eq!(plan.echo_lasts(Some(&absent())), Some(MINUTE * 10), "two heartbeats of such an account");
    }

    /// Two heartbeats of five minutes, and then each kind of evidence as long as it is
    /// good at the usual interval.
    #[test]
    fn what_was_read_under_longer_intervals_is_good_for_a_usual_age_after_their_end() {
        let plan = plan(Some(MINUTE * 5));
        let minutes = |minutes: u64| {
            let plan = plan.in_force(Some(at(0)), None, at(minutes * 60));
            let users = plan.users.unwrap().interval;
            [plan.cadence.root, plan.cadence.devices, users].map(|interval| interval.as_secs() / 60)
        };
        assert_eq!(minutes(0), [5, 62, 62]);
        assert_eq!([minutes(13), minutes(14)], [[5, 62, 62], [1, 62, 62]]);
        assert_eq!([minutes(40), minutes(41), minutes(42)], [[1, 62, 62], [1, 15, 62], [1, 15, 62]]);
        assert_eq!(minutes(43), [1, 15, 15]);
    }

    #[test]
    fn a_clock_that_was_stepped_back_proves_nothing() {
        let plan = plan(Some(MINUTE * 5));
        let stepped = Moment { wall: at(0).wall, ..at(700) };
        assert!(matches!(plan.in_force(Some(at(600)), None, stepped), Cow::Borrowed(_)));
    }
}
