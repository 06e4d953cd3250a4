//! What is counted of the queues that events come from. Nothing of it is exported
//! where there is no queue.

use prometheus::{GaugeVec, IntCounterVec, Result};

use super::Rows;
use crate::{
    events::{Kind, Refusal},
    model::{facts::FaultClass, time::Timestamp},
};

const UNLABELLED: [&str; 0] = [];

/// What the exporter counts of events, by queue.
#[derive(Clone, Debug)]
pub struct EventMetrics {
    dropped: IntCounterVec,
    fault: GaugeVec,
    last_success: GaugeVec,
    reads: IntCounterVec,
    received: IntCounterVec,
    up: GaugeVec,
}

impl EventMetrics {
    pub(super) fn register(rows: &mut Rows) -> Result<Self> {
        Ok(Self {
            dropped: rows.counters(
                "aws_mfa_events_dropped_total",
                &["queue", "reason"],
                "Messages of the queue that start no read, by reason: not_an_event, not_json, sns_envelope, unwatched. The last is an event of an account that this exporter does not watch, for example of another shard.",
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
                "Events of watched accounts that the exporter has received, by kind: iam, sign_in, other. An event is no evidence: it starts a read.",
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
        self.last_success.with_label_values(&[queue]).set(0.0);
        self.is_down(queue, Some(FaultClass::Pending));
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
