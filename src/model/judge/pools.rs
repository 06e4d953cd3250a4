//! The verdict on the Amazon Cognito user pools of an account: Cognito.5.
//!
//! The control is about pools whose users sign in with a password alone. AWS says that
//! such a pool fails if it "does not have MFA enabled", and does not say whether MFA
//! that each user may choose is enough. It is not here: who holds a password of a user
//! without a second factor signs in. Pools in which something may take the place of
//! the password are not the control's; they are counted, and no verdict rests on them.
//! The one exception is a pool that allows a password or a passkey and demands MFA:
//! AWS allows that only where the passkey verifies its user.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Reason, Status, Verdict, is_young};
use crate::model::{
    facts::{
        Known,
        pools::{Pool, PoolId, PoolMfa, PoolsReading, Region, RegionPools, SignIn},
    },
    time::Moment,
};

/// How many pools there are of each way to sign in and each setting of MFA, in the
/// order of [`SignIn::ALL`] and [`PoolMfa::ALL`].
pub type PoolCounts = [[u32; PoolMfa::ALL.len()]; SignIn::ALL.len()];

/// What is said of an account's pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolCensus {
    /// The verdict.
    pub cognito5: Verdict,
    /// The pools of the Regions that are known, each once; `None` for one that could
    /// not be read.
    pub pools: BTreeMap<PoolId, Option<Pool>>,
    /// How many Regions were read to the end, and how many were not.
    pub regions: [u32; 2],
    /// How many Regions of the reading were young enough.
    young: usize,
}

/// What the control says of one pool. The worse of two is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    NotConcerned,
    Passed,
    Unknown,
    Optional,
    Off,
}

impl PoolCensus {
    /// Judges the pools as they stand at `now`, by answers of at most `max_age`.
    #[must_use]
    pub fn take(reading: Option<&Known<Arc<PoolsReading>>>, max_age: Duration, now: Moment) -> Self {
        let Some(reading) = reading else { return Self::unread() };
        let young: Vec<_> = young(&reading.value, max_age, now).collect();
        let is_whole = |region: &Known<Arc<RegionPools>>| region.value.values().all(Option::is_some);
        let whole = young.iter().filter(|(_, region)| is_whole(region)).count();
        let mut pools = BTreeMap::new();
        for (id, pool) in young.iter().flat_map(|(_, region)| region.value.iter()) {
            let worst: &mut Option<Pool> = pools.entry(id.clone()).or_insert(*pool);
            if standing(*pool) > standing(*worst) {
                *worst = *pool;
            }
        }
        let missing = reading.value.regions.len() - whole;
        let regions = [whole, missing].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let cognito5 = verdict(&young, &pools, missing > 0 || reading.value.regions.is_empty());
        Self { cognito5, pools, regions, young: young.len() }
    }

    /// Whether it would be the same at `now`: only the age of answers can change it.
    #[must_use]
    pub fn holds(&self, reading: Option<&Known<Arc<PoolsReading>>>, max_age: Duration, now: Moment) -> bool {
        reading.map_or(0, |reading| young(&reading.value, max_age, now).count()) == self.young
    }

    /// The counts; `None` while a pool of a Region is not known.
    #[must_use]
    pub fn counts(&self) -> Option<PoolCounts> {
        let is_known = self.regions[0] > 0 && self.regions[1] == 0;
        let mut counts = PoolCounts::default();
        for pool in self.pools.values().filter(|_| is_known) {
            let pool = (*pool)?;
            let row = SignIn::ALL.into_iter().position(|sign_in| sign_in == pool.sign_in)?;
            let column = PoolMfa::ALL.into_iter().position(|mfa| mfa == pool.mfa)?;
            counts[row][column] += 1;
        }
        is_known.then_some(counts)
    }

    /// The pools that are known, those that fail first, and then by id.
    #[must_use]
    pub fn by_urgency(&self) -> Vec<(&PoolId, Pool)> {
        let mut known: Vec<_> = self.pools.iter().filter_map(|(id, pool)| Some((id, (*pool)?))).collect();
        known.sort_by_key(|(_, pool)| std::cmp::Reverse(standing(Some(*pool))));
        known
    }

    fn unread() -> Self {
        Self { cognito5: Verdict::unknown(Reason::NotRead), pools: BTreeMap::new(), regions: [0; 2], young: 0 }
    }
}

/// The Regions that were read, and not too long ago.
fn young(
    reading: &PoolsReading,
    max_age: Duration,
    now: Moment,
) -> impl Iterator<Item = (&Region, &Known<Arc<RegionPools>>)> {
    let known = reading.regions.iter().filter_map(|(region, known)| Some((region, known.as_ref()?)));
    known.filter(move |(_, known)| is_young(known.as_of, max_age, now))
}

/// The first line that matches decides, as in deploy/verdicts.md.
fn verdict(
    young: &[(&Region, &Known<Arc<RegionPools>>)],
    pools: &BTreeMap<PoolId, Option<Pool>>,
    is_missing: bool,
) -> Verdict {
    let failing = |wanted: Standing| {
        let has = |region: &Known<Arc<RegionPools>>| region.value.values().any(|pool| standing(*pool) == wanted);
        young.iter().filter(|(_, region)| has(region)).map(|(_, region)| region.as_of).max_by_key(|at| at.mono)
    };
    for (wanted, reason) in [(Standing::Off, Reason::PoolMfaOff), (Standing::Optional, Reason::PoolMfaOptional)] {
        if let Some(at) = failing(wanted) {
            return Verdict::known(Status::Failed, reason, at);
        }
    }
    let oldest = young.iter().map(|(_, region)| region.as_of).min_by_key(|at| at.mono);
    let Some(oldest) = oldest.filter(|_| !is_missing) else { return Verdict::unknown(Reason::PoolsUnknown) };
    if pools.values().any(|pool| standing(*pool) == Standing::Passed) {
        Verdict::known(Status::Passed, Reason::PoolsRequireMfa, oldest)
    } else {
        Verdict::known(Status::NotApplicable, Reason::NoPasswordPools, oldest)
    }
}

fn standing(pool: Option<Pool>) -> Standing {
    let Some(Pool { sign_in, mfa }) = pool else { return Standing::Unknown };
    match (sign_in, mfa) {
        (SignIn::Password, PoolMfa::Off) => Standing::Off,
        (SignIn::Password, PoolMfa::Optional) => Standing::Optional,
        (SignIn::Password | SignIn::PasswordOrPasskey, PoolMfa::On) => Standing::Passed,
        (SignIn::PasswordOrPasskey | SignIn::Mixed | SignIn::Passwordless, _) => Standing::NotConcerned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{Timestamp, Uptime};

    const MAX_AGE: Duration = Duration::from_secs(1_920);

    fn at(seconds: u64) -> Moment {
        let wall = Timestamp::from_millis(1_764_000_000_000 + i64::try_from(seconds).unwrap() * 1_000);
        Moment { wall, mono: Uptime::after_start(Duration::from_secs(seconds)) }
    }

    /// When a Region was read, and its pools by id.
    type Read<'a> = (u64, &'a [(&'a str, Option<Pool>)]);

    /// A reading of these Regions: each with when it was read, and its pools by id.
    fn reading(regions: &[(&str, Option<Read<'_>>)]) -> Known<Arc<PoolsReading>> {
        let known = |(seconds, pools): Read<'_>| {
            let pools = pools.iter().map(|(id, pool)| (PoolId::parse(id).unwrap(), *pool)).collect();
            Known::new(Arc::new(pools), at(seconds))
        };
        let regions = regions.iter().map(|(name, read)| (Region::parse(name).unwrap(), read.map(known)));
        Known::new(Arc::new(PoolsReading { regions: regions.collect(), switched_off: Some(17) }), at(0))
    }

    fn pool(sign_in: SignIn, mfa: PoolMfa) -> Option<Pool> {
        Some(Pool { sign_in, mfa })
    }

    /// The verdict on the only pool of the only Region.
    fn of_one(pool: Option<Pool>) -> (Status, Reason) {
        let reading = reading(&[("eu-west-1", Some((10, &[("eu-west-1_a", pool)])))]);
        let verdict = PoolCensus::take(Some(&reading), MAX_AGE, at(20)).cognito5;
        (verdict.status, verdict.reason)
    }

    #[test]
    fn each_line_of_the_table_is_the_verdict_on_a_pool_like_it() {
        use PoolMfa::{Off, On, Optional};
        use SignIn::{Mixed, Password, PasswordOrPasskey, Passwordless};
        let none = (Status::NotApplicable, Reason::NoPasswordPools);
        for (sign_in, mfa, wanted) in [
            (Password, Off, (Status::Failed, Reason::PoolMfaOff)),
            (Password, Optional, (Status::Failed, Reason::PoolMfaOptional)),
            (Password, On, (Status::Passed, Reason::PoolsRequireMfa)),
            (PasswordOrPasskey, On, (Status::Passed, Reason::PoolsRequireMfa)),
            (PasswordOrPasskey, Off, none),
            (PasswordOrPasskey, Optional, none),
            (Mixed, Off, none),
            (Mixed, Optional, none),
            (Mixed, On, none),
            (Passwordless, Off, none),
            (Passwordless, On, none),
        ] {
            assert_eq!(of_one(pool(sign_in, mfa)), wanted, "{sign_in:?} {mfa:?}");
        }
        assert_eq!(of_one(None), (Status::Unknown, Reason::PoolsUnknown));
    }

    #[test]
    fn a_region_that_was_not_read_leaves_the_verdict_unknown_and_hides_no_failure() {
        let good: &[_] = &[("eu-west-1_a", pool(SignIn::Password, PoolMfa::On))];
        let bad: &[_] = &[("eu-west-1_a", pool(SignIn::Password, PoolMfa::Off))];
        let status =
            |known: &Known<Arc<PoolsReading>>, now| PoolCensus::take(Some(known), MAX_AGE, at(now)).cognito5.status;
        let one = |pools| reading(&[("eu-west-1", Some((10, pools)))]);
        let half = |pools| reading(&[("eu-west-1", Some((10, pools))), ("eu-west-2", None)]);
        assert_eq!(status(&one(good), 20), Status::Passed);
        assert_eq!(status(&half(good), 20), Status::Unknown);
        assert_eq!(status(&half(bad), 20), Status::Failed);
        assert_eq!(status(&one(&[]), 20), Status::NotApplicable);
        assert_eq!(status(&half(&[]), 20), Status::Unknown);
        assert_eq!(status(&reading(&[]), 20), Status::Unknown, "no Region is no answer");
        assert_eq!(status(&one(good), 1_931), Status::Unknown, "too old");
        assert_eq!(status(&one(bad), 1_931), Status::Unknown, "too old");
        assert_eq!(PoolCensus::take(None, MAX_AGE, at(20)).cognito5.reason, Reason::NotRead);
    }

    #[test]
    fn a_replicated_pool_is_one_pool_and_the_worse_of_what_is_said_of_it() {
        let (on, off) = (pool(SignIn::Password, PoolMfa::On), pool(SignIn::Password, PoolMfa::Off));
        let here: &[_] = &[("us-east-1_a", on)];
        let there: &[_] = &[("us-east-1_a", off), ("us-east-1_b", on)];
        let twice = reading(&[("us-east-1", Some((10, here))), ("us-west-2", Some((11, here)))]);
        let census = PoolCensus::take(Some(&twice), MAX_AGE, at(20));
        assert_eq!(census.counts().unwrap().iter().flatten().sum::<u32>(), 1);
        assert_eq!(census.cognito5.as_of, Some(at(10)), "the oldest answer");
        let differing = reading(&[("us-east-1", Some((10, here))), ("us-west-2", Some((11, there)))]);
        let census = PoolCensus::take(Some(&differing), MAX_AGE, at(20));
        assert_eq!((census.cognito5.status, census.cognito5.as_of), (Status::Failed, Some(at(11))));
        let order: Vec<_> = census.by_urgency().into_iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(order, ["us-east-1_a", "us-east-1_b"]);
    }

    #[test]
    fn no_count_is_given_while_a_pool_is_not_known() {
        let on = pool(SignIn::Password, PoolMfa::On);
        let (known, partly): (&[_], &[_]) = (&[("eu-west-1_a", on)], &[("eu-west-1_a", on), ("eu-west-1_b", None)]);
        let count = |known: &Known<Arc<PoolsReading>>| PoolCensus::take(Some(known), MAX_AGE, at(20)).counts();
        assert!(count(&reading(&[("eu-west-1", Some((10, known)))])).is_some());
        assert!(count(&reading(&[("eu-west-1", Some((10, partly)))])).is_none());
        assert!(count(&reading(&[("eu-west-1", Some((10, known))), ("eu-west-2", None)])).is_none());
        assert!(PoolCensus::take(None, MAX_AGE, at(20)).counts().is_none());
    }

    #[test]
    fn a_census_holds_until_a_region_grows_too_old() {
        let reading = reading(&[("eu-west-1", Some((10, &[]))), ("eu-west-2", Some((500, &[])))]);
        let census = PoolCensus::take(Some(&reading), MAX_AGE, at(600));
        assert!(census.holds(Some(&reading), MAX_AGE, at(1_930)));
        assert!(!census.holds(Some(&reading), MAX_AGE, at(1_931)));
    }
}
