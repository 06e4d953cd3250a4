//! When things run. All randomness of the program is in this file.

use std::time::Duration;

use crate::model::facts::SealKey;

/// A delay between nothing and `spread`, so that what was started together does
/// not run together for ever.
#[must_use]
pub fn phase(spread: Duration) -> Duration {
    spread.mul_f64(fastrand::f64())
}

/// `interval`, give or take a twentieth.
#[must_use]
pub fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(0.95 + fastrand::f64() / 10.0)
}

/// When to renew what is good for `lifetime`: in its last third, so that what
/// was had together is not renewed together.
#[must_use]
pub fn renewal(lifetime: Duration) -> Duration {
    lifetime.mul_f64(1.0 - fastrand::f64() / 3.0)
}

/// How long to wait before the `tries`-th retry (from 1) of a request: doubled
/// each time from 200 ms up, and half of it random.
#[must_use]
pub fn retry_delay(tries: u32) -> Duration {
    let ceiling = Duration::from_millis(200) * 2u32.saturating_pow(tries.saturating_sub(1)).min(32);
    ceiling.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// How long to wait before a queue is asked again that has failed `failures` times in a
/// row: doubled each time from two seconds, up to a minute.
#[must_use]
pub fn reconnection(failures: u32) -> Duration {
    let seconds = 2_u64.saturating_pow(failures.max(1)).min(60);
    jittered(Duration::from_secs(seconds))
}

/// A key that nobody can guess, for what is hashed so as not to be read.
#[must_use]
pub fn key() -> SealKey {
    let mut key = [0; 16];
    aws_lc_rs::rand::fill(&mut key).expect("the operating system has random numbers");
    SealKey(key)
}

/// How long to leave an account alone that has denied its last `denials` runs:
/// doubled each time from the collector's own interval, up to half an hour. The
/// verdict is unknown all the while, and says so.
#[must_use]
pub fn denial_delay(interval: Duration, denials: u32) -> Duration {
    const LONGEST: Duration = Duration::from_secs(30 * 60);
    let doubled = interval.saturating_mul(2u32.saturating_pow(denials.saturating_sub(1).min(16)));
    doubled.min(LONGEST.max(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jittered_interval_stays_near_it() {
        let interval = Duration::from_secs(60);
        for _ in 0..1_000 {
            let delay = jittered(interval);
            assert!(delay >= Duration::from_secs(57) && delay <= Duration::from_secs(63), "{delay:?}");
        }
    }

    #[test]
    fn retries_wait_longer_each_time_and_never_for_ever() {
        for tries in 1..100 {
            assert!(retry_delay(tries) <= Duration::from_millis(6_400));
        }
        assert!(retry_delay(3) >= Duration::from_millis(400));
    }

    #[test]
    fn denials_back_off_to_half_an_hour() {
        let minute = Duration::from_secs(60);
        let delays: Vec<_> = (1..8).map(|n| denial_delay(minute, n).as_secs() / 60).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(denial_delay(minute * 60, 3), minute * 60, "a slow collector is not made faster");
    }
}
