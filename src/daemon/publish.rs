//! The snapshot's keeper and its encoder: two loops that nothing else drives.
//!
//! The keeper folds in what collectors report and, every second whatever they
//! do, lets time pass. The encoder turns the latest snapshot into bytes, again
//! on a beat of its own. If either stops, what was published last grows old and
//! the server refuses to serve it; that is the whole of the dead man's switch.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    clock::Clock,
    daemon::change_log,
    exposition::{Encoder, Exposition, Half},
    metrics::{exporter_metrics::ExporterMetrics, render::Rendering},
    model::snapshot::{Event, Snapshot},
};

/// How often time passes for the snapshot.
pub const TICK: Duration = Duration::from_secs(1);

/// So many events are folded in together at most.
const BATCH: usize = 1_024;

/// After a fold events gather for this long, because a new snapshot of many accounts
/// costs a hundred times as much as an event.
const GATHER: Duration = Duration::from_millis(50);

/// An encoding takes at most one part in so many of a core's time.
const ENCODE_SHARE: u32 = 20;

/// However long an encoding takes, the next begins this soon after.
const ENCODE_LATEST: Duration = Duration::from_secs(20);

/// Folds events in and lets time pass; publishes each new snapshot.
#[derive(Clone, Debug)]
pub struct Keeper {
    clock: Clock,
    events: Arc<tokio::sync::Mutex<mpsc::Receiver<Event>>>,
    /// What was published last, which the next one is made of.
    latest: watch::Sender<Arc<Snapshot>>,
}

impl Keeper {
    /// A keeper of the snapshot in `latest`, which nobody else replaces.
    #[must_use]
    pub fn new(clock: Clock, events: mpsc::Receiver<Event>, latest: watch::Sender<Arc<Snapshot>>) -> Self {
        Self { clock, events: Arc::new(tokio::sync::Mutex::new(events)), latest }
    }

    /// Runs for ever, or until nobody is left to send events.
    pub async fn run(self) {
        let mut events = self.events.lock().await;
        let mut batch = Vec::new();
        let mut gathered = Instant::now();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let received = async {
                sleep_until(gathered).await;
                events.recv_many(&mut batch, BATCH).await
            };
            tokio::select! {
                biased;
                _ = tick.tick() => self.update(Snapshot::age),
                received = received => {
                    if received == 0 {
                        return;
                    }
                    self.update(|snapshot, now| batch.drain(..).for_each(|event| snapshot.fold(event, now)));
                    gathered = Instant::now() + GATHER;
                }
            }
        }
    }

    /// A panic in `change` leaves the snapshot as it was, since a copy is
    /// changed; accounts are shared, so that a copy is cheap.
    fn update(&self, change: impl FnOnce(&mut Snapshot, crate::model::time::Moment)) {
        let kept = Arc::clone(&self.latest.borrow());
        let mut next = Snapshot::clone(&kept);
        change(&mut next, self.clock.now());
        change_log::log(&kept, &next);
        self.latest.send_replace(Arc::new(next));
    }
}

/// Turns the latest snapshot into bytes, once a second or as often as a
/// twentieth of one core allows.
pub async fn encode(
    snapshots: watch::Receiver<Arc<Snapshot>>,
    published: watch::Sender<Option<Arc<Exposition>>>,
    metrics: ExporterMetrics,
) {
    let mut head: Option<Head> = None;
    let mut due = Instant::now();
    loop {
        let began = Instant::now();
        let snapshot = snapshots.borrow().clone();
        let outdated = head.as_ref().is_none_or(|head| !Arc::ptr_eq(head.rendering.snapshot(), &snapshot));
        if outdated && began >= due {
            let before = head.take();
            let encoded = tokio::task::spawn_blocking(move || encode_head(snapshot, before)).await;
            // A panic in there is this task's own, to be counted and restarted.
            head = Some(encoded.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
            let took = began.elapsed();
            metrics.encoded(took);
            due = began + (took * ENCODE_SHARE).clamp(TICK, ENCODE_LATEST).saturating_sub(TICK / 4);
        }
        if let Some(Head { rendering, half }) = &head {
            let exposition = Exposition::new(half, &encode_tail(half, &metrics), rendering.snapshot().tick);
            published.send_replace(Some(Arc::new(exposition)));
        }
        sleep_until(began + TICK).await;
    }
}

/// What is known of the accounts, as it is served.
#[derive(Debug)]
pub struct Head {
    rendering: Rendering,
    /// Its bytes.
    pub half: Half,
}

/// Encodes what is known of the accounts, to take the place of `before`.
#[must_use]
pub fn encode_head(snapshot: Arc<Snapshot>, before: Option<Head>) -> Head {
    let (rendering, encoder) = match before {
        Some(Head { rendering, half }) => (rendering.next(snapshot), Encoder::instead_of(half)),
        None => (Rendering::served(snapshot), Encoder::default()),
    };
    Head { half: encode_rendering(&rendering, encoder), rendering }
}

/// Encodes what is known of the accounts, to be kept in a file.
#[must_use]
pub fn encode_at_rest(snapshot: &Snapshot) -> Half {
    encode_rendering(&Rendering::at_rest(Arc::new(snapshot.clone())), Encoder::default())
}

fn encode_rendering(rendering: &Rendering, mut encoder: Encoder) -> Half {
    for (metric, lines) in rendering.families() {
        log_refusal(encoder.gauges(metric.name, metric.help, lines));
    }
    encoder.head()
}

fn encode_tail(head: &Half, metrics: &ExporterMetrics) -> Half {
    let mut encoder = Encoder::after(head);
    metrics.gather().iter().for_each(|family| log_refusal(encoder.family(family)));
    encoder.tail()
}

fn log_refusal(encoded: Result<(), crate::exposition::EncodeError>) {
    if let Err(error) = encoded {
        tracing::error!(%error, "The exporter cannot encode a metric family and leaves it out of the exposition.");
    }
}
