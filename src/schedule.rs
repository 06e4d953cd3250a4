//! When things run. All randomness of the program is in this file.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::facts::SealKey;

/// When one of many accounts is read, within a round in which all are: in the order in
/// which they are exported. So accounts that are read in the same second have their
/// lines beside each other, and few pieces of an exposition are made anew each second. If
/// each account was read at a time of its own choice, nearly all were: of 10,000 accounts
/// with the heartbeats of a second, an encoding takes 59 ms then.
///
/// What put an account off its slot, an event or a slow answer, has no effect for ever:
/// it comes back by a twentieth of an interval each time. An interval is never longer
/// or shorter than by that, and in the slot it is exact.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Where rounds are counted from.
    origin: Instant,
    /// How long a round takes.
    round: Duration,
    /// When in a round, from 0 to 1.
    place: f64,
    /// In which of several rounds, if the account is not read in each: from 0 to 1.
    turn: f64,
}

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

// === impl Slot ===

impl Slot {
    /// The slot of the account at `rank` of `accounts`, in rounds from `origin` on.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no account list is longer than 2^52")]
    pub fn of(rank: usize, accounts: usize, origin: Instant, round: Duration) -> Self {
        // The golden ratio: wherever a row of neighbours begins, their turns are spread evenly.
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        Self { origin, round, place: rank as f64 / accounts.max(1) as f64, turn: (rank as f64 * GOLDEN).fract() }
    }

    /// How long after `from`, when the account was read, it is read again, if it is read
    /// every `interval`.
    #[must_use]
    pub fn next(&self, from: Instant, interval: Duration) -> Duration {
        let most = interval.as_secs_f64() / 20.0;
        let late = self.since_slot(from, interval);
        let early = interval.as_secs_f64() - late;
        if late < early {
            interval - Duration::from_secs_f64(late.min(most))
        } else {
            interval + Duration::from_secs_f64(early.min(most))
        }
    }

    /// How long after the others the account is read for the first time, if all are within
    /// `spread`.
    #[must_use]
    pub fn first(&self, spread: Duration) -> Duration {
        spread.mul_f64(self.place)
    }

    /// How many seconds before `now` the last slot was, where there is one every `interval`.
    fn since_slot(&self, now: Instant, interval: Duration) -> f64 {
        let [interval, round] = [interval, self.round].map(|time| time.as_secs_f64());
        let rounds = (interval / round).floor();
        let slot =
            if rounds > 1.0 { round * (self.place + (self.turn * rounds).floor()) } else { interval * self.place };
        let since = now.saturating_duration_since(self.origin).as_secs_f64() - slot;
        since.rem_euclid(interval)
    }
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
    use proptest::prelude::*;

    use super::*;

    const ROUND: Duration = Duration::from_secs(60);

    /// Reads of an account from a time on, each when the slot says.
    fn reads(slot: Slot, from: Instant, interval: Duration) -> impl Iterator<Item = Instant> {
        std::iter::successors(Some(from), move |read| Some(*read + slot.next(*read, interval)))
    }

    proptest! {
        /// Whatever put it off, the next read is never late by more than a twentieth, and ten reads
        /// later the account is where it belongs: read exactly at its interval.
        #[test]
        fn an_account_comes_back_to_its_slot(
            rank in 0..1_000_usize, off in 0..100_000_000_u64, rounds in 1..15_u32, share in 1..20_u32
        ) {
            // A part of a round, and several.
            for interval in [ROUND * rounds, ROUND / share, ROUND * rounds + ROUND / share] {
                let origin = Instant::now();
                let slot = Slot::of(rank, 1_000, origin, ROUND);
                let reads: Vec<_> = reads(slot, origin + Duration::from_millis(off), interval).take(14).collect();
                let intervals: Vec<_> = reads.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
                let usual = interval.as_secs_f64();
                prop_assert!(intervals.iter().all(|time| (time / usual - 1.0).abs() < 0.050_01), "{intervals:?}");
                prop_assert!(intervals[10..].iter().all(|time| (time - usual).abs() < 1e-3), "{intervals:?}");
            }
        }
    }

    /// In each second those are read that stand beside each other; and if all are read in every
    /// fifth round only, each round has a fifth of them.
    #[test]
    fn neighbours_are_read_one_after_the_other_and_rounds_are_even() {
        let origin = Instant::now();
        let at = |rank: usize, interval: Duration| {
            let slot = Slot::of(rank, 1_000, origin, ROUND);
            let read = reads(slot, origin + slot.first(ROUND), interval).nth(12).expect("it goes on for ever");
            ((read - origin).as_secs_f64() - 1e-6) % interval.as_secs_f64()
        };
        let times: Vec<_> = (1..1_000).map(|rank| at(rank, ROUND)).collect();
        assert!(times.is_sorted(), "{times:?}");
        let times: Vec<_> = (1..1_000).map(|rank| at(rank, ROUND * 5)).collect();
        for begin in (0..300).step_by(10) {
            let count = times.iter().filter(|time| (f64::from(begin)..f64::from(begin + 10)).contains(*time)).count();
            assert!((28..=38).contains(&count), "{count} of 1,000 from second {begin}");
        }
        let in_a_second = (1..1_000).filter(|rank| (times[rank - 1] % 60.0) as u32 == 30);
        let in_a_second: Vec<_> = in_a_second.collect();
        assert!(in_a_second.iter().all(|rank| (490..=530).contains(rank)), "{in_a_second:?}");
    }

    #[test]
    fn first_reads_are_in_order_within_the_spread() {
        let first = |rank| Slot::of(rank, 100, Instant::now(), ROUND).first(Duration::from_secs(6));
        assert!((0..100).map(first).is_sorted());
        assert_eq!([first(0), first(50)], [Duration::ZERO, Duration::from_secs(3)]);
    }

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
