//! What is said of an account, one thing at a time: how a collector is doing, and how a
//! control stands.

use std::time::Duration;

use crate::model::{
    facts::{Fault, FaultClass},
    judge::{Reason, Status, Verdict},
    time::{Moment, Timestamp},
};

/// How one collector of one account is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// When the last run that has reported was started.
    pub last_attempt: Option<Moment>,
    /// When the last run without a fault was started.
    pub last_success: Option<Moment>,
    /// How long the last run took.
    pub duration: Option<Duration>,
    /// What was wrong with the last run; `None` while the collector is up.
    pub fault: Option<Fault>,
}

/// What is said of one control of one account, and what was last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The verdict as of the last fold or tick.
    pub verdict: Verdict,
    /// The as-of time of the last answer judged passed or not applicable.
    pub last_protected: Option<Timestamp>,
    /// The as-of time of the last answer judged failed.
    pub last_failed: Option<Timestamp>,
    counted: Option<Moment>,
}

// === impl Health ===

impl Health {
    pub(super) fn pending() -> Self {
        let fault = Fault::new(FaultClass::Pending, "the collector has not run yet");
        Self { fault: Some(fault), ..Self::default() }
    }

    /// Whether the collector's last run is recent and without a fault.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.fault.is_none()
    }

    pub(super) fn would_stall(&self, patience: Duration, now: Moment) -> bool {
        self.is_up() && self.last_attempt.is_some_and(|at| now.mono.since(at.mono) > patience)
    }

    /// A collector that does not report is down, whatever its last word was.
    pub(super) fn age(&mut self, patience: Duration, now: Moment) {
        if self.would_stall(patience, now) {
            let detail = format!("no run has ended for more than {}", humantime::format_duration(patience));
            self.fault = Some(Fault::new(FaultClass::Stalled, detail));
        }
    }
}

// === impl Standing ===

impl Standing {
    pub(super) const NEW: Self =
        Self { verdict: Verdict::unknown(Reason::NotRead), last_protected: None, last_failed: None, counted: None };

    /// What an earlier run of the program said, before `now`. It is counted already, and in
    /// its order.
    pub(super) fn remember(
        &mut self,
        (last_protected, last_failed): (Option<Timestamp>, Option<Timestamp>),
        now: Moment,
    ) {
        let counted = last_protected.max(last_failed).map(|at| Moment::before_start(at, now));
        *self = Self { last_protected, last_failed, counted, ..*self };
    }

    /// Takes a verdict in. The two times of the past follow the order in which
    /// answers came, not the wall clock: were it stepped back between them, the
    /// older answer's time is moved before the newer's, so that "failed after
    /// it was protected" can always be told by comparing the two.
    pub(super) fn take(&mut self, verdict: Verdict) {
        self.verdict = verdict;
        let Some(as_of) = verdict.as_of.filter(|at| self.counted.is_none_or(|seen| at.mono > seen.mono)) else {
            return;
        };
        self.counted = Some(as_of);
        let (newer, older) = match verdict.status {
            Status::Failed => (&mut self.last_failed, &mut self.last_protected),
            _ => (&mut self.last_protected, &mut self.last_failed),
        };
        *newer = Some(as_of.wall);
        let just_before = Timestamp::from_millis(as_of.wall.as_millis() - 1);
        *older = older.map(|older| older.min(just_before));
    }
}
