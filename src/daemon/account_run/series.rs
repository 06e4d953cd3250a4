//! What an event has read, and when.
//!
//! An event may be ahead of the replica of IAM that answers, so one answer after it
//! proves nothing: the account is read at once and some more times within a minute,
//! until its fingerprint has moved. A device that was swapped for another moves no
//! counter, so devices and users are read too: some seconds after the event, and again
//! when the series is over.
//!
//! Anybody who can send to the queue can forge events. All that they can do is to have
//! the account read, and how often is bounded here, for each account by itself. Reads
//! at the usual interval are not paid for from that, and never wait for it.

use std::time::Duration;

use crate::{model::facts::Fingerprint, rate_limit::Bucket};

/// When the account is read, after the event.
const READS: [Duration; 4] = [Duration::ZERO, Duration::from_secs(3), Duration::from_secs(10), Duration::from_secs(60)];

/// How long after an event devices and users are worth reading.
const HEARD: Duration = READS[1];

/// Two reads of which an event brought one forward are at least this far apart.
const GAP: Duration = Duration::from_secs(2);

/// How many reads may be brought forward at once, and one more after how many seconds.
pub(super) const MOST_READS: (f64, f64) = (12.0, 30.0);

/// The same of devices and users.
pub(super) const MOST_INVENTORIES: (f64, f64) = (4.0, 300.0);

/// The reads that the events of one account ask for. All times are of one monotonic
/// clock.
#[derive(Debug)]
pub(super) struct Series {
    follows: Option<Follows>,
    /// The first event after which devices and users have not been read.
    unlisted: Option<Duration>,
    /// Whether they are due once more.
    owes_list: bool,
    last_read: Option<Duration>,
    reads: Bucket,
    inventories: Bucket,
}

/// The event that is followed: always the last.
#[derive(Clone, Copy, Debug)]
struct Follows {
    since: Duration,
    /// The fingerprint before it, if that is known.
    before: Option<Fingerprint>,
    /// Which of the reads is next.
    next: usize,
}

// === impl Series ===

impl Default for Series {
    fn default() -> Self {
        let [reads, inventories] =
            [MOST_READS, MOST_INVENTORIES].map(|(burst, every)| Bucket::new(every.recip(), burst));
        Self { follows: None, unlisted: None, owes_list: false, last_read: None, reads, inventories }
    }
}

impl Series {
    /// An event came at `now`, when the account had this fingerprint.
    pub(super) fn event(&mut self, before: Option<Fingerprint>, now: Duration) {
        self.follows = Some(Follows { since: now, before, next: 0 });
        self.unlisted.get_or_insert(now);
    }

    /// When the account is to be read, if that is not left to its interval.
    pub(super) fn due(&mut self, now: Duration) -> Option<Duration> {
        let follows = self.follows?;
        let wanted = follows.since + READS[follows.next];
        let apart = self.last_read.map_or(wanted, |last| wanted.max(last + GAP));
        Some(apart.max(now + self.reads.wait(now)))
    }

    /// A read that an event has brought forward begins now.
    pub(super) fn pay(&mut self, now: Duration) {
        let _ = self.reads.take(now);
    }

    /// The account was read from `began` on, for whatever reason, and this was its
    /// fingerprint, if one could be read. Tells whether devices and users are to be read
    /// although it has not moved.
    pub(super) fn read(&mut self, began: Duration, fingerprint: Option<Fingerprint>) -> bool {
        self.last_read = Some(began);
        if let Some(follows) = &mut self.follows {
            if fingerprint.is_some() && fingerprint != follows.before {
                // Whoever has this fingerprint has them read at once.
                (self.follows, self.unlisted, self.owes_list) = (None, None, false);
                return false;
            }
            while READS.get(follows.next).is_some_and(|after| follows.since + *after <= began) {
                follows.next += 1;
            }
            if follows.next == READS.len() {
                (self.follows, self.owes_list) = (None, true);
            }
        }
        let is_heard = self.unlisted.is_some_and(|event| event + HEARD <= began);
        let is_due = (self.owes_list || is_heard) && self.inventories.wait(began).is_zero();
        if is_due {
            let _ = self.inventories.take(began);
            (self.unlisted, self.owes_list) = (None, false);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::facts::Summary;

    const SECOND: Duration = Duration::from_secs(1);

    fn print(users: u32) -> Option<Fingerprint> {
        let summary = Summary {
            mfa_enabled: Some(true),
            password: Some(true),
            access_keys: Some(false),
            signing_certificates: Some(false),
            users: Some(users),
            mfa_devices: Some(0),
            mfa_devices_in_use: Some(1),
        };
        summary.fingerprint()
    }

    /// Reads whenever a series wants it until `end`, events coming at these times;
    /// when it read, and when devices and users.
    fn play(events: &[Duration], moves: Option<Duration>, end: Duration) -> (Vec<Duration>, Vec<Duration>) {
        let (mut series, mut events, mut now) = (Series::default(), events.iter().peekable(), Duration::ZERO);
        let (mut reads, mut lists, mut seen) = (Vec::new(), Vec::new(), print(1));
        while now <= end {
            let due = series.due(now);
            match (events.peek(), due) {
                (Some(event), due) if due.is_none_or(|due| **event < due) => {
                    now = now.max(**event);
                    series.event(seen, now);
                    events.next();
                }
                (_, Some(due)) => {
                    now = now.max(due);
                    series.pay(now);
                    seen = print(if moves.is_some_and(|at| at <= now) { 2 } else { 1 });
                    reads.push(now);
                    if series.read(now, seen) {
                        lists.push(now);
                    }
                }
                _ => break,
            }
        }
        (reads, lists)
    }

    fn seconds(times: &[Duration]) -> Vec<u64> {
        times.iter().map(Duration::as_secs).collect()
    }

    #[test]
    fn an_event_has_the_account_read_until_the_fingerprint_moves() {
        let at = |seconds: u64| Duration::from_secs(100 + seconds);
        let (reads, lists) = play(&[at(0)], None, at(1_000));
        assert_eq!((seconds(&reads), seconds(&lists)), (vec![100, 103, 110, 160], vec![103, 160]));
        let (reads, lists) = play(&[at(0)], Some(at(5)), at(1_000));
        assert_eq!((seconds(&reads), seconds(&lists)), (vec![100, 103, 110], vec![103]));
        let (reads, lists) = play(&[at(0)], Some(at(0)), at(1_000));
        assert_eq!((seconds(&reads), seconds(&lists)), (vec![100], vec![]), "who sees it move has them read");
    }

    #[test]
    fn an_event_during_a_series_begins_another() {
        let at = |seconds: u64| Duration::from_secs(100 + seconds);
        let (reads, lists) = play(&[at(0), at(20)], None, at(1_000));
        assert_eq!(seconds(&reads), [100, 103, 110, 120, 123, 130, 180]);
        assert_eq!(seconds(&lists), [103, 123, 180]);
    }

    #[test]
    fn a_read_that_failed_is_no_sign_of_a_change() {
        let mut series = Series::default();
        series.event(print(1), SECOND);
        assert!(!series.read(SECOND, None));
        assert_eq!(series.due(SECOND), Some(SECOND * 4));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// However many events there are, the reads are as many as the bucket allows.
        #[test]
        fn forged_events_cost_what_is_documented(mut events in prop::collection::vec(0_u64..600_000, 0..400)) {
            events.sort_unstable();
            let events: Vec<_> = events.into_iter().map(Duration::from_millis).collect();
            let end = Duration::from_secs(600);
            let (reads, lists) = play(&events, None, end);
            for (n, began) in reads.iter().enumerate() {
                let within = |window: u64| reads[n..].iter().take_while(|at| **at - *began < Duration::from_secs(window)).count();
                prop_assert!(within(2) <= 1 && within(60) <= 12 + 2, "{} in a minute", within(60));
                prop_assert!(within(600) <= 12 + 20);
            }
            prop_assert!(lists.len() <= 4 + 2, "{lists:?}");
        }

        /// Every event has the account read after it, unless it is read often enough anyway.
        #[test]
        fn after_every_event_the_account_is_read(mut events in prop::collection::vec(0_u64..200_000, 1..40)) {
            events.sort_unstable();
            let events: Vec<_> = events.into_iter().map(Duration::from_millis).collect();
            let (reads, _) = play(&events, None, Duration::from_secs(2_000));
            let last = events[events.len() - 1];
            prop_assert!(reads.iter().any(|read| *read >= last), "{reads:?}");
            // With fewer events than the bucket holds, none waits.
            if events.len() <= 3 {
                for event in &events {
                    prop_assert!(reads.iter().any(|read| *read >= *event && *read <= *event + GAP), "{event:?}: {reads:?}");
                }
            }
        }
    }
}
