//! How long the collectors of an account wait, by the clock and by what has arrived.

use std::time::Duration;

use tokio::time::Instant;

use super::{AccountRun, due::Due};
use crate::{
    model::{snapshot::Plan, time::Moment},
    schedule,
};

impl AccountRun {
    /// Until when it is believed that events of the account arrive, if a call that was made
    /// at `last_echo` has come back.
    pub(super) fn echo_until(&self, last_echo: Option<Moment>) -> Option<Instant> {
        let summary = self.beats.borrow().map(|(_, summary)| summary);
        let end = last_echo?.mono.plus(self.plan.echo_lasts(summary.as_ref())?);
        let now = self.session.caller().clock().now().mono;
        Some(Instant::now() + end.since(now))
    }

    /// The same, of the last call that has come back.
    pub(super) fn echo_end(&self) -> Option<Instant> {
        let last_echo = *self.arrivals.last_echo().borrow();
        self.echo_until(last_echo)
    }

    /// Whether it is believed now.
    pub(super) fn is_stretched(&self) -> bool {
        self.echo_end().is_some_and(|end| end > Instant::now())
    }

    /// When what began at `from` is due again: `next` says how long after, by a plan; `may_wait`,
    /// whether that may be longer while events arrive.
    pub(super) fn due(&self, from: Instant, next: impl Fn(&Plan) -> Duration, may_wait: bool) -> Due<Instant> {
        let stretched = self.plan.stretched().filter(|_| may_wait);
        Due::after(from, next(&self.plan), stretched.as_ref().map(next))
    }

    /// How long until the heartbeat after the one that began at `from`, which has a slot; longer
    /// where AWS denies.
    pub(super) fn next_heartbeat(&self, from: Instant, interval: Duration, denials: u32) -> Duration {
        if denials > 0 { self.next(interval, denials) } else { self.slot.next(from, interval) }
    }

    /// How long until the next run, a little by chance; longer where AWS denies.
    pub(super) fn next(&self, interval: Duration, denials: u32) -> Duration {
        schedule::jittered(if denials > 0 { schedule::denial_delay(interval, denials) } else { interval })
    }
}
