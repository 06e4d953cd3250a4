//! A rate that learns how much an account can bear.
//!
//! It begins courteously, doubles every second while AWS answers and somebody waits,
//! and halves at once when AWS throttles. From there it climbs again by a cubic curve,
//! as TCP's CUBIC (RFC 9438) and the adaptive mode of AWS's SDKs do: quickly back to
//! near where it was throttled, slowly past that, and quickly again where that turns
//! out to be the limit no longer. It does not rise above where it began while nobody
//! waits for it: a quiet hour teaches nothing, except that a throttle is over.
//!
//! However fast it is, no second sees more calls than the ceiling: what may be done at
//! once shrinks as the rate grows.

use std::time::Duration;

use super::Bucket;

/// What is left of the rate when AWS has throttled a call.
const KEPT: f64 = 0.5;

/// How near it is to the rate that was too high where it hardly climbs.
const NEAR: f64 = 0.9;

/// How steep the cubic curve is, as a share of the rate a cubic second. It hardly climbs
/// six seconds after a throttle, and is throttled again after ten. The SDKs' is four
/// times as quick, at 10 calls a second, and has more than one call in twenty throttled.
const STEEPNESS: f64 = 0.002;

/// No rate is lower, in calls a second.
const LEAST: f64 = 1.0;

/// Time that passes between two answers teaches no more than this.
const LESSON: Duration = Duration::from_secs(1);

/// The rate of one account's calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learner {
    bucket: Bucket,
    rate: f64,
    /// The rate that it began with.
    first: f64,
    /// No second sees more calls.
    ceiling: f64,
    /// The highest rate.
    most: f64,
    /// The most calls at once.
    burst: f64,
    /// When AWS last throttled, and what has been learnt since.
    cut: Option<Cut>,
    /// How often the rate was cut.
    cuts: u64,
    /// When it last climbed.
    climbed: Duration,
    /// Whether the last call had to wait.
    is_pressed: bool,
}

/// Leave to make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the wait is the limit"]
pub struct Leave {
    /// How long to wait first.
    pub wait: Duration,
    cuts: u64,
}

/// The last throttle that counted.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cut {
    at: Duration,
    /// Where it hardly climbs: a little below the rate that was too high.
    peak: f64,
    /// For how many seconds AWS has answered since then.
    patience: f64,
}

impl Learner {
    /// A rate for an account whose limits nobody knows: it begins at a quarter of
    /// `ceiling` calls a second, and half of that many may come at once.
    #[must_use]
    pub fn new(ceiling: u32) -> Self {
        let ceiling = f64::from(ceiling);
        Self::beginning(ceiling / 4.0, ceiling, ceiling * 0.9, ceiling / 2.0)
    }

    /// A rate for limits that AWS documents: it begins at `rate` calls a second, and
    /// `burst` at once.
    #[must_use]
    pub fn documented(rate: f64, burst: f64) -> Self {
        Self::beginning(rate, rate + burst, rate, burst)
    }

    fn beginning(rate: f64, ceiling: f64, most: f64, burst: f64) -> Self {
        let (cut, cuts, climbed, is_pressed) = (None, 0, Duration::ZERO, false);
        let burst = burst.max(1.0);
        Self {
            bucket: Bucket::new(rate, burst),
            rate,
            first: rate,
            ceiling,
            most,
            burst,
            cut,
            cuts,
            climbed,
            is_pressed,
        }
    }

    /// Takes leave to call at monotonic time `now`.
    pub fn take(&mut self, now: Duration) -> Leave {
        let wait = self.bucket.take(now);
        if !self.is_pressed && self.cut.is_none() {
            self.climbed = now;
        }
        self.is_pressed = !wait.is_zero();
        Leave { wait, cuts: self.cuts }
    }

    /// Whether a leave still holds when its wait is over. A throttle voids all that were
    /// given before it.
    #[must_use]
    pub fn holds(&self, leave: Leave) -> bool {
        leave.cuts == self.cuts
    }

    /// AWS has answered, and did not throttle.
    pub fn answered(&mut self, now: Duration) {
        let time = now.saturating_sub(self.climbed).min(LESSON).as_secs_f64();
        self.climbed = self.climbed.max(now);
        if time > 0.0 && (self.is_pressed || self.cut.is_some()) {
            let rate = self.climb(time);
            let limit = if self.is_pressed { self.most } else { self.first.max(self.rate) };
            self.set(rate.min(limit), now);
            self.cut =
                self.cut.filter(|cut| rate < self.most.min(cut.peak / NEAR) || self.is_pressed && rate < self.most);
        }
    }

    /// AWS has throttled a call that was sent at `sent`. Those that were sent before the
    /// last one was heard of tell nothing new.
    pub fn throttled(&mut self, sent: Duration, now: Duration) {
        if self.cut.is_some_and(|cut| sent < cut.at) {
            return;
        }
        self.cut = Some(Cut { at: now, peak: self.rate * NEAR, patience: 0.0 });
        (self.cuts, self.climbed) = (self.cuts + 1, now);
        self.set(self.rate * KEPT, now);
        self.bucket.empty();
    }

    /// How many calls a second may be made now.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Whether the rate is lower than it could be because AWS has throttled.
    #[must_use]
    pub fn is_reduced(&self) -> bool {
        self.cut.is_some()
    }

    /// The rate after `time` seconds more.
    fn climb(&mut self, time: f64) -> f64 {
        let Some(cut) = &mut self.cut else { return self.rate * time.exp2() };
        cut.patience += time;
        let until_peak = ((1.0 - KEPT / NEAR) / STEEPNESS).cbrt();
        cut.peak * (1.0 + STEEPNESS * (cut.patience - until_peak).powi(3))
    }

    fn set(&mut self, rate: f64, now: Duration) {
        self.rate = rate.min(self.most).max(LEAST.min(self.most));
        self.bucket.adjust(self.rate, self.burst.min(self.ceiling - self.rate).max(1.0), now);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What came of calls to an AWS that allows `limit` a second, and as many at once.
    struct Ran {
        calls: usize,
        throttled: usize,
        seconds: f64,
        most_in_a_second: usize,
    }

    /// What happens next to a call.
    enum Step {
        Begin,
        Wake(Leave),
        Answer(Duration),
    }

    /// Asks `questions`, sixteen at a time, of an AWS that answers after `latency`.
    fn run(mut learner: Learner, limit: f64, latency: Duration, questions: usize) -> Ran {
        let mut aws = Bucket::new(limit, limit);
        let mut events: BTreeMap<_, _> = (0..16).map(|n| ((Duration::ZERO, n), Step::Begin)).collect();
        let (mut open, mut throttled, mut now, mut sends) = (questions, 0, Duration::ZERO, Vec::new());
        for number in 16.. {
            let Some(((at, _), step)) = events.pop_first() else { break };
            now = at;
            let is_done = match step {
                Step::Answer(sent) if aws.had_token(sent) => {
                    learner.answered(now);
                    true
                }
                Step::Answer(sent) => {
                    learner.throttled(sent, now);
                    throttled += 1;
                    false
                }
                Step::Wake(leave) if learner.holds(leave) => {
                    sends.push(now);
                    events.insert((now + latency, number), Step::Answer(now));
                    continue;
                }
                Step::Wake(_) => false,
                Step::Begin => true,
            };
            if is_done && open == 0 {
                continue;
            }
            open -= usize::from(is_done);
            let leave = learner.take(now);
            events.insert((now + leave.wait, number), Step::Wake(leave));
        }
        let in_a_second = |n: usize| sends[n..].partition_point(|at| *at < sends[n] + Duration::from_secs(1));
        let most_in_a_second = (0..sends.len()).map(in_a_second).max().unwrap();
        Ran { calls: sends.len(), throttled, seconds: now.as_secs_f64(), most_in_a_second }
    }

    const LATENCY: Duration = Duration::from_millis(50);

    #[test]
    fn a_small_account_is_asked_at_once() {
        let ran = run(Learner::new(100), 100.0, LATENCY, 40);
        assert!(ran.seconds < 0.3 && ran.throttled == 0, "{}", ran.seconds);
    }

    #[test]
    fn it_rises_to_its_ceiling_and_never_above() {
        for (ceiling, seconds) in [(100, 60.0), (40, 145.0)] {
            let ran = run(Learner::new(ceiling), 1e9, LATENCY, 5_000);
            assert!(ran.seconds < seconds, "{ceiling}: {}", ran.seconds);
            assert!(ran.most_in_a_second <= ceiling as usize, "{ceiling}: {}", ran.most_in_a_second);
        }
    }

    #[test]
    fn a_limit_is_found_without_a_storm() {
        for limit in [3.0, 5.0, 10.0, 20.0, 50.0, 100.0] {
            for millis in [5, 50, 200] {
                let ran = run(Learner::new(100), limit, Duration::from_millis(millis), 3_000);
                let (share, used) = (ran.throttled as f64 / ran.calls as f64, 3_000.0 / ran.seconds / limit);
                assert!(share <= 0.05, "{limit}, {millis} ms: {share}");
                assert!(used >= 0.6 || limit * 0.6 > 70.0, "{limit}, {millis} ms: {used}");
            }
        }
    }

    #[test]
    fn a_limit_that_is_gone_is_forgotten_within_half_a_minute() {
        let mut learner = Learner::new(40);
        let mut now = Duration::ZERO;
        let step = |learner: &mut Learner, now: &mut Duration| {
            let _ = learner.take(*now);
            *now += Duration::from_millis(10);
        };
        for _ in 0..1_000 {
            step(&mut learner, &mut now);
            learner.answered(now);
        }
        assert!((learner.rate() - 36.0).abs() < 1e-9 && !learner.is_reduced());
        for _ in 0..4 {
            learner.throttled(now, now);
            step(&mut learner, &mut now);
        }
        assert!((learner.rate() - 2.25).abs() < 1e-9 && learner.is_reduced(), "{}", learner.rate());
        for _ in 0..3_000 {
            step(&mut learner, &mut now);
            learner.answered(now);
        }
        assert!(!learner.is_reduced(), "{}", learner.rate());
    }

    #[test]
    fn throttles_of_the_same_moment_count_once_and_none_stops_all_calls() {
        let mut learner = Learner::documented(100.0, 100.0);
        let [sent, heard] = [1_000, 1_050].map(Duration::from_millis);
        (0..9).for_each(|_| learner.throttled(sent, heard));
        assert!((learner.rate() - 50.0).abs() < 1e-9);
        assert!(!learner.take(heard).wait.is_zero(), "what was left at once is gone");
        for second in 2..30 {
            learner.throttled(Duration::from_secs(second), Duration::from_secs(second));
        }
        assert!((learner.rate() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_quiet_hour_teaches_nothing() {
        let mut learner = Learner::new(40);
        for minute in 0..60 {
            let now = Duration::from_secs(60 * minute);
            assert!(learner.take(now).wait.is_zero());
            learner.answered(now + LATENCY);
        }
        assert!((learner.rate() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn heartbeats_alone_get_over_a_throttle_within_a_quarter_of_an_hour() {
        let mut learner = Learner::new(40);
        let mut minutes = 0;
        let minute = |n: u64| Duration::from_secs(60 * n);
        learner.throttled(minute(1), minute(1) + LATENCY);
        while learner.is_reduced() {
            minutes += 1;
            assert!(learner.take(minute(1 + minutes)).wait.is_zero());
            learner.answered(minute(1 + minutes) + LATENCY);
        }
        assert!((8..15).contains(&minutes), "{minutes}");
        assert!((learner.rate() - 10.0).abs() < 1e-9, "no faster than in the beginning");
    }

    impl Bucket {
        /// Takes a token if there is one.
        fn had_token(&mut self, now: Duration) -> bool {
            self.fill(now);
            let has_one = self.tokens >= 1.0;
            self.tokens -= f64::from(u8::from(has_one));
            has_one
        }
    }
}
