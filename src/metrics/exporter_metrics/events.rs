//! What is counted of the queues that events come from. Nothing of it is exported
//! where there is no queue.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus::{GaugeVec, HistogramVec, IntCounterVec, Result};

use super::Rows;
use crate::{
    events::{Kind, Refusal, sign::Sign},
    model::{
        account::AccountId,
        facts::FaultClass,
        time::{Moment, Timestamp},
    },
};

const UNLABELLED: [&str; 0] = [];

/// In seconds: most events come within a minute, and some when AWS tries again.
const DELAYS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0];

/// What the exporter counts of events, by queue.
#[derive(Debug)]
pub struct EventMetrics {
    delay: HistogramVec,
    dropped: IntCounterVec,
    echoes: GaugeVec,
    /// The accounts that have a sample in `echoes`.
    echoing: Mutex<BTreeSet<AccountId>>,
    fault: GaugeVec,
    last_success: GaugeVec,
    reads: IntCounterVec,
    received: IntCounterVec,
    signs: GaugeVec,
    up: GaugeVec,
}

impl EventMetrics {
    pub(super) fn register(rows: &mut Rows) -> Result<Self> {
        Ok(Self {
            delay: rows.histograms(
                "aws_mfa_events_delay_seconds",
                &["queue"],
                &DELAYS,
                "How late events of watched accounts were received. Of an echo: the time since AWS had answered the call, by the clock of this host. Of another event: the time since the time in the event, which is to the second and by the clock of AWS. No verdict depends on it.",
            )?,
            echoes: rows.gauges(
                "aws_mfa_events_last_echo_timestamp_seconds",
                &["account_id"],
                "When the exporter made the last GetAccountSummary that has come back as an event, which shows that events of this account arrived then. The event must have the id of that request, and counts once. 0 before the first time; absent without a queue. Needs the rule for echoes.",
            )?,
            echoing: Mutex::default(),
            dropped: rows.counters(
                "aws_mfa_events_dropped_total",
                &["queue", "reason"],
                "Messages of the queue that start no read and prove nothing, by reason: not_an_event, not_json, sns_envelope, unasked, unwatched. unasked looks like an echo, and is of no call that this exporter has made lately, or came twice: for example of another exporter that reads by the same role. unwatched is an event of an account that this exporter does not watch, for example of another shard.",
            )?,
            fault: rows.gauges(
                "aws_mfa_events_fault",
                &["queue", "fault"],
                "Why the queue was down at the last attempt. Always 1; absent while the queue is up.",
            )?,
            last_success: rows.gauges(
                "aws_mfa_events_last_success_timestamp_seconds",
                &["queue"],
                "When SQS last answered a request for messages of the queue, also if there were none. 0 before the first time.",
            )?,
            reads: rows.counters(
                "aws_mfa_events_reads_total",
                &[],
                "Runs of the root collector that an event has started before their time, in all accounts. Absent without a queue.",
            )?,
            received: rows.counters(
                "aws_mfa_events_received_total",
                &["queue", "kind"],
                "Events of watched accounts that the exporter has received, by kind: echo, iam, sign_in, other. An event is no evidence: it starts a read, and an echo not even that.",
            )?,
            signs: rows.gauges(
                "aws_mfa_events_root_reported_timestamp_seconds",
                &["account_id", "sign"],
                "When the exporter last received an event that reports this of the account's root: central_access_disabled, email_changed, login_profile_created, password_recovery_completed, password_recovery_requested, sign_in, sign_in_without_mfa. Reported, and not verified: whoever can send to the queue can forge it, and no verdict goes by it. Absent before the first such event since the start, and without --events.root-signs.",
            )?,
            up: rows.gauges(
                "aws_mfa_events_up",
                &["queue"],
                "Whether the exporter could receive and delete messages of the queue at the last attempt. If not, changes show at the usual intervals.",
            )?,
        })
    }

    /// Begins with a queue: what is counted of it counts from 0, or the first of a kind
    /// would be no increase as Prometheus sees it.
    pub fn begin(&self, queue: &str) {
        for kind in Kind::ALL {
            self.received.with_label_values(&[queue, kind.as_str()]);
        }
        for reason in Refusal::ALL {
            self.dropped.with_label_values(&[queue, reason.as_str()]);
        }
        self.reads.with_label_values(&UNLABELLED);
        self.delay.with_label_values(&[queue]);
        self.last_success.with_label_values(&[queue]).set(0.0);
        self.is_down(queue, Some(FaultClass::Pending));
    }

    /// An echo of a call in this account has come, which was made at this time. Echoes come
    /// in any order.
    pub fn echoed(&self, account: AccountId, at: Timestamp) {
        self.echoing.lock().unwrap_or_else(PoisonError::into_inner).insert(account);
        let echo = self.echoes.with_label_values(&[account.as_str()]);
        echo.set(echo.get().max(at.as_seconds()));
    }

    /// Says of each of these accounts when the last call was made that has come back, and of
    /// no other. What is given is what was known when the account began to run.
    pub fn expect_echoes(&self, accounts: &BTreeMap<AccountId, Option<Moment>>) {
        let mut known = self.echoing.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in known.iter().filter(|known| !accounts.contains_key(known)) {
            let _ = self.echoes.remove_label_values(&[gone.as_str()]);
            for sign in Sign::ALL {
                let _ = self.signs.remove_label_values(&[gone.as_str(), sign.as_str()]);
            }
        }
        for (new, last_echo) in accounts.iter().filter(|(account, _)| !known.contains(account)) {
            let at = last_echo.map_or(Timestamp::default(), |last_echo| last_echo.wall);
            self.echoes.with_label_values(&[new.as_str()]).set(at.as_seconds());
        }
        *known = accounts.keys().copied().collect();
    }

    /// An event that reports this of an account's root came at this time.
    pub fn reported(&self, account: AccountId, sign: Sign, at: Timestamp) {
        self.signs.with_label_values(&[account.as_str(), sign.as_str()]).set(at.as_seconds());
    }

    /// Has nothing more to say of what was reported of root.
    pub fn forget_reports(&self) {
        self.signs.reset();
    }

    /// An event was received so long after its own time.
    pub fn delayed(&self, queue: &str, delay: Duration) {
        self.delay.with_label_values(&[queue]).observe(delay.as_secs_f64());
    }

    /// Has nothing more to say of a queue.
    pub fn end(&self, queue: &str) {
        for kind in Kind::ALL {
            let _ = self.received.remove_label_values(&[queue, kind.as_str()]);
        }
        for reason in Refusal::ALL {
            let _ = self.dropped.remove_label_values(&[queue, reason.as_str()]);
        }
        let _ = self.up.remove_label_values(&[queue]);
        let _ = self.delay.remove_label_values(&[queue]);
        let _ = self.last_success.remove_label_values(&[queue]);
        self.explain(queue, None);
    }

    /// The queue has answered at this time.
    pub fn answered(&self, queue: &str, at: Timestamp) {
        self.last_success.with_label_values(&[queue]).set(at.as_seconds());
    }

    /// Says how the queue is: up, or down for this reason.
    pub fn is_down(&self, queue: &str, fault: Option<FaultClass>) {
        self.up.with_label_values(&[queue]).set(f64::from(u8::from(fault.is_none())));
        self.explain(queue, fault);
    }

    fn explain(&self, queue: &str, fault: Option<FaultClass>) {
        for other in FaultClass::ALL.into_iter().filter(|class| Some(*class) != fault) {
            let _ = self.fault.remove_label_values(&[queue, other.as_str()]);
        }
        if let Some(fault) = fault {
            self.fault.with_label_values(&[queue, fault.as_str()]).set(1.0);
        }
    }

    /// Counts an event of an account that is watched.
    pub fn received(&self, queue: &str, kind: Kind) {
        self.received.with_label_values(&[queue, kind.as_str()]).inc();
    }

    /// Counts a message that wakes nobody.
    pub fn dropped(&self, queue: &str, reason: Refusal) {
        self.dropped.with_label_values(&[queue, reason.as_str()]).inc();
    }

    /// Counts a read that an event has brought forward.
    pub fn read_early(&self) {
        self.reads.with_label_values(&UNLABELLED).inc();
    }
}
