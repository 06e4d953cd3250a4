//! What is known of centralized root access: which of its features the organization has
//! on, and who may manage it beside the management account.
//!
//! That a feature is on says nothing of any account, and no verdict rests on it. It is
//! told as a fact with an age, like every other: absent while nobody knows, never off
//! because nobody has asked.

use std::{collections::BTreeSet, time::Duration};

use crate::model::{
    account::AccountId,
    facts::{Fault, Known},
    organization::RootFeatures,
    time::Moment,
};

/// How often it is asked where nobody says otherwise.
pub const ROOT_ACCESS_INTERVAL: Duration = Duration::from_secs(3_600);

/// A question that failed is asked again after this.
pub const ROOT_ACCESS_AGAIN: Duration = Duration::from_secs(10 * 60);

/// What was answered, or why nothing was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootAccessReading {
    /// When the first request was about to be sent.
    pub at: Moment,
    /// Which features are on.
    pub features: Result<RootFeatures, Fault>,
    /// The delegated administrators for IAM.
    pub delegated: Result<BTreeSet<AccountId>, Fault>,
}

/// What is known of centralized root access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootAccess {
    /// How often it is asked; `None` where nobody wants to know.
    interval: Option<Duration>,
    features: Option<Known<RootFeatures>>,
    delegated: Option<Known<BTreeSet<AccountId>>>,
    last_on: [Option<Moment>; 2],
    last_success: Option<Moment>,
    fault: Option<Fault>,
}

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootAccessMemory {
    /// Which features were on.
    pub features: Option<Known<RootFeatures>>,
    /// When each was last seen on, in the order of [`RootFeatures::named`].
    pub last_on: [Option<Moment>; 2],
    /// When it was last asked without a fault.
    pub last_success: Option<Moment>,
}

impl RootAccess {
    /// What an earlier run of the program knew.
    #[must_use]
    pub fn remember(memory: RootAccessMemory) -> Self {
        let RootAccessMemory { features, last_on, last_success } = memory;
        Self { features, last_on, last_success, ..Self::default() }
    }

    /// What is to outlive a restart.
    #[must_use]
    pub fn memory(&self) -> RootAccessMemory {
        RootAccessMemory { features: self.features.clone(), last_on: self.last_on, last_success: self.last_success }
    }

    /// It is asked this often from now on, or no more.
    pub(super) fn want(&mut self, interval: Option<Duration>) {
        self.interval = interval;
    }

    /// Takes an answer in. What was answered before stays until it is too old.
    pub(super) fn learn(&mut self, reading: RootAccessReading) {
        let RootAccessReading { at, features, delegated } = reading;
        self.fault = features.as_ref().err().or(delegated.as_ref().err()).cloned();
        if self.fault.is_none() {
            self.last_success = Some(at);
        }
        if let Ok(features) = features {
            let now_on = features.named().map(|(_, is_on)| is_on.then_some(at));
            self.last_on = [now_on[0].or(self.last_on[0]), now_on[1].or(self.last_on[1])];
            self.features = Some(Known::new(features, at));
        }
        if let Ok(delegated) = delegated {
            self.delegated = Some(Known::new(delegated, at));
        }
    }

    /// Whether anybody wants to know.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.interval.is_some()
    }

    /// Which features are on, while the answer is fresh.
    #[must_use]
    pub fn features(&self, now: Moment) -> Option<RootFeatures> {
        self.features.as_ref().filter(|known| self.is_fresh(known.as_of, now)).map(|known| known.value)
    }

    /// Who may manage it beside the management account, while the answer is fresh.
    #[must_use]
    pub fn delegated(&self, now: Moment) -> Option<&BTreeSet<AccountId>> {
        self.delegated.as_ref().filter(|known| self.is_fresh(known.as_of, now)).map(|known| &known.value)
    }

    /// When each feature was last seen on, by its name; `None` if it never was.
    pub fn last_on(&self) -> impl Iterator<Item = (&'static str, Option<Moment>)> {
        let names = RootFeatures::default().named().map(|(name, _)| name);
        std::iter::zip(names, self.last_on)
    }

    /// When it was last asked without a fault.
    #[must_use]
    pub fn last_success(&self) -> Option<Moment> {
        self.last_success
    }

    /// Why it last could not be asked.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Whether it was asked not long ago, and without a fault.
    #[must_use]
    pub fn is_up(&self, now: Moment) -> bool {
        self.fault.is_none() && self.last_success.is_some_and(|at| self.is_fresh(at, now))
    }

    /// An answer is good for two intervals, and for as long as a question that failed
    /// waits to be asked again. One from the future is good for nothing.
    fn is_fresh(&self, as_of: Moment, now: Moment) -> bool {
        let longest = self.interval.map(|interval| interval * 2 + ROOT_ACCESS_AGAIN);
        longest.zip(now.age(as_of)).is_some_and(|(longest, age)| age <= longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        facts::FaultClass,
        time::{Timestamp, Uptime},
    };

    fn at(seconds: u64) -> Moment {
        let wall = Timestamp::from_millis(1_764_000_000_000 + i64::try_from(seconds * 1_000).unwrap());
        Moment { wall, mono: Uptime::after_start(Duration::from_secs(seconds)) }
    }

    fn denied() -> Fault {
        Fault::new(FaultClass::AccessDenied, "x")
    }

    fn on(credentials_management: bool, sessions: bool) -> RootFeatures {
        RootFeatures { credentials_management, sessions }
    }

    fn wanted() -> RootAccess {
        let mut known = RootAccess::default();
        known.want(Some(ROOT_ACCESS_INTERVAL));
        known
    }

    #[test]
    fn what_nobody_has_answered_is_not_known_and_an_old_answer_is_none() {
        let mut known = wanted();
        assert_eq!((known.features(at(0)), known.is_up(at(0))), (None, false));
        let reading = |time, features| RootAccessReading { at: at(time), features, delegated: Ok(BTreeSet::new()) };
        known.learn(reading(10, Ok(on(true, false))));
        assert_eq!(known.features(at(10)), Some(on(true, false)));
        assert!(known.is_up(at(10)));
        known.learn(reading(3_610, Err(denied())));
        assert_eq!(known.features(at(7_810)), Some(on(true, false)), "it was answered not long ago");
        assert!(!known.is_up(at(3_610)) && known.fault().is_some());
        assert_eq!(known.features(at(7_811)), None, "never off because nobody knows");
        assert_eq!(known.delegated(at(7_811)).map(BTreeSet::len), Some(0), "that was answered later");
        assert_eq!(known.features(at(8)), None, "an answer of the future");
    }

    #[test]
    fn when_a_feature_was_last_on_is_kept_and_outlives_a_restart() {
        let mut known = wanted();
        for (time, features) in [(10, on(true, true)), (20, on(true, false)), (30, on(false, false))] {
            known.learn(RootAccessReading { at: at(time), features: Ok(features), delegated: Err(denied()) });
        }
        let last = [("credentials_management", Some(at(20))), ("sessions", Some(at(10)))];
        assert_eq!(known.last_on().collect::<Vec<_>>(), last);
        assert_eq!(known.last_success(), None, "half of an answer is no success");
        let mut again = RootAccess::remember(known.memory());
        assert_eq!((again.last_on().collect::<Vec<_>>(), again.features(at(40))), (last.to_vec(), None), "unwanted");
        again.want(Some(ROOT_ACCESS_INTERVAL));
        assert_eq!(again.features(at(40)), Some(on(false, false)));
    }
}
