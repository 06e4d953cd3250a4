//! Who listens at the queues: one task a queue, with one request under way that waits
//! for messages. A message wakes the account that it names, and is deleted at once: if
//! it is lost with this process, the next one reads every account anyway.
//!
//! A queue that cannot be read is a fault of that queue and of nothing else. Every
//! account is read at its interval all the while, as if there were no events.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{
    supervise::forever,
    wakes::{Heard, Wakes},
};
use crate::{
    aws::{
        Caller, Session,
        sqs::{Inbox, Message},
    },
    cli::settings::Settings,
    config::{Access, queue::EventSource},
    events::{self, Kind, Notice, Refusal},
    metrics::exporter_metrics::ExporterMetrics,
    model::{facts::Fault, snapshot::Event, time::Moment},
    rate_limit::Learner,
    schedule,
};

/// Requests a second to one queue, and how many at once. Half of them delete what the
/// others have received, ten messages each: nobody has the exporter work harder.
const QUEUE_RATE: [f64; 2] = [100.0, 100.0];

/// How often it is looked at most which accounts there are to have echoes.
const EXPECTED_EVERY: Duration = Duration::from_secs(1);

/// Listens at the queues of the settings.
#[derive(Clone, Debug)]
pub struct Listener {
    caller: Caller,
    metrics: ExporterMetrics,
    wakes: Wakes,
    /// Whom echoes are told to.
    events: mpsc::Sender<Event>,
    /// Whether what events report of root is exported.
    tells_signs: Arc<AtomicBool>,
}

/// Who listens at one queue.
#[derive(Clone, Debug)]
struct QueueReader {
    inbox: Inbox,
    name: String,
    metrics: ExporterMetrics,
    wakes: Wakes,
    events: mpsc::Sender<Event>,
    tells_signs: Arc<AtomicBool>,
}

/// What was told of a queue already.
#[derive(Debug, Default)]
struct Told {
    fault: Option<Fault>,
    /// What kept messages from being deleted the last time.
    undeleted: Option<Fault>,
    refusals: BTreeSet<Refusal>,
}

// === impl Listener ===

impl Listener {
    /// Listens for the accounts of `wakes`, and tells `events` of echoes. All calls are made
    /// through `caller`'s clients.
    #[must_use]
    pub fn new(caller: Caller, metrics: ExporterMetrics, wakes: Wakes, events: mpsc::Sender<Event>) -> Self {
        Self { caller, metrics, wakes, events, tells_signs: Arc::default() }
    }

    /// Listens at the queues that the settings name, for ever.
    pub async fn run(self, mut settings: watch::Receiver<Arc<Settings>>) {
        let mut readers: Vec<(EventSource, JoinSet<()>)> = Vec::new();
        loop {
            let (wanted, tells_signs) = {
                let settings = settings.borrow_and_update();
                (settings.config.events.clone(), settings.root_signs)
            };
            self.tells_signs.store(tells_signs, Ordering::Relaxed);
            if wanted.is_empty() || !tells_signs {
                self.metrics.events.forget_reports();
            }
            readers.retain(|(source, _)| {
                let is_kept = wanted.contains(source);
                if !is_kept {
                    self.metrics.events.end(&source.queue.arn());
                }
                is_kept
            });
            self.wakes.hear(!wanted.is_empty());
            if wanted.is_empty() {
                self.metrics.events.expect_echoes(&BTreeMap::new());
            }
            for source in wanted {
                if !readers.iter().any(|(known, _)| *known == source) {
                    let task = self.listen(&source);
                    readers.push((source, task));
                }
            }
            if settings.changed().await.is_err() {
                return;
            }
        }
    }

    fn listen(&self, source: &EventSource) -> JoinSet<()> {
        let (metrics, name) = (self.metrics.clone(), source.queue.arn());
        metrics.events.begin(&name);
        let inbox = Inbox::new(self.session(&source.access), source.queue.clone());
        let (wakes, events) = (self.wakes.clone(), self.events.clone());
        let tells_signs = Arc::clone(&self.tells_signs);
        let reader = QueueReader { inbox, name, metrics: metrics.clone(), wakes, events, tells_signs };
        let mut task = JoinSet::new();
        task.spawn(forever("events", metrics, move || reader.clone().listen()));
        task
    }

    fn session(&self, access: &Access) -> Session {
        let caller = || self.caller.with_rate(Learner::documented(QUEUE_RATE[0], QUEUE_RATE[1]));
        let own = |profile: Option<&str>| match profile {
            None => Session::ambient(caller()),
            Some(profile) => Session::profile(caller(), profile),
        };
        match access {
            Access::Ambient => own(None),
            Access::Profile(profile) => own(Some(profile)),
            Access::Role { profile, role } => own(profile.as_deref()).assume(caller(), role.clone()),
        }
    }
}

// === impl QueueReader ===

impl QueueReader {
    async fn listen(self) {
        let (mut told, mut failures) = (Told::default(), 0);
        let mut expected: Option<Instant> = None;
        loop {
            match self.inbox.receive().await {
                Ok(messages) => {
                    failures = 0;
                    self.metrics.events.answered(&self.name, self.inbox.now().wall);
                    // All accounts are gone through for this, and messages can come by the hundred.
                    if expected.is_none_or(|at| at.elapsed() >= EXPECTED_EVERY) {
                        self.metrics.events.expect_echoes(&self.wakes.accounts());
                        expected = Some(Instant::now());
                    }
                    self.take(&messages, &mut told).await;
                    self.tell(&mut told, None);
                }
                Err(fault) => {
                    failures += 1;
                    self.tell(&mut told, Some(fault));
                    sleep(schedule::reconnection(failures)).await;
                }
            }
        }
    }

    /// Wakes whom the messages name, and has them deleted.
    async fn take(&self, messages: &[Message], told: &mut Told) {
        for message in messages {
            if let Err(refusal) = self.heed(message).await {
                self.metrics.events.dropped(&self.name, refusal);
                self.warn(refusal, told);
            }
        }
        // What could not be deleted would have come again by now, if it were still there.
        let deleted = if messages.is_empty() { Ok(()) } else { self.inbox.delete(messages).await };
        told.undeleted = deleted.err();
    }

    async fn heed(&self, message: &Message) -> Result<(), Refusal> {
        let (notice, now) = (events::read(&message.body)?, self.inbox.now());
        if notice.kind == Kind::Echo {
            self.heed_echo(notice, now).await?;
        } else if self.wakes.wake(notice.account) {
            let delay = notice.time.map(|time| now.wall.since(time).unwrap_or_default());
            delay.into_iter().for_each(|delay| self.metrics.events.delayed(&self.name, delay));
        } else {
            return Err(Refusal::Unwatched);
        }
        if let Some(sign) = notice.sign.filter(|_| self.tells_signs.load(Ordering::Relaxed)) {
            self.metrics.events.reported(notice.account, sign, now.wall);
        }
        self.metrics.events.received(&self.name, notice.kind);
        Ok(())
    }

    /// Tells of an echo, if it is one.
    async fn heed_echo(&self, notice: Notice, now: Moment) -> Result<(), Refusal> {
        let echo = match self.wakes.echo(notice.account, notice.request, now.mono) {
            Heard::Own(echo) => echo,
            Heard::Unasked => return Err(Refusal::Unasked),
            Heard::Unwatched => return Err(Refusal::Unwatched),
        };
        self.metrics.events.echoed(notice.account, echo.asked.wall);
        self.metrics.events.delayed(&self.name, echo.delay);
        // Nobody listens only while the program is going down.
        let _ = self.events.send(Event::Echoed { account: notice.account, asked: echo.asked }).await;
        Ok(())
    }

    /// Says of each reason once that there is something to mend; how often, is counted.
    fn warn(&self, refusal: Refusal, told: &mut Told) {
        if let Some(remedy) = refusal.remedy().filter(|_| told.refusals.insert(refusal)) {
            tracing::warn!(
                queue = self.name,
                reason = refusal.as_str(),
                remedy,
                "A message of the queue is no event. The exporter deletes it, and says so once."
            );
        }
    }

    /// Says how the queue is, where that has changed.
    fn tell(&self, told: &mut Told, fault: Option<Fault>) {
        let fault = fault.or_else(|| told.undeleted.clone());
        let class = |fault: &Option<Fault>| fault.as_ref().map(|fault| fault.class);
        self.metrics.events.is_down(&self.name, class(&fault));
        match &fault {
            _ if class(&fault) == class(&told.fault) => {}
            Some(fault) => tracing::warn!(
                queue = self.name, fault = %fault.class, detail = %fault, remedy = fault.remedy(),
                "The exporter cannot read events. Without them, it reads every account at the usual intervals."
            ),
            None => tracing::info!(queue = self.name, "The exporter reads events again."),
        }
        told.fault = fault;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::FaultClass;

    #[test]
    fn a_reason_is_told_once() {
        let metrics = ExporterMetrics::new(true).unwrap();
        let caller = Caller::new(crate::aws::LazyClients::default(), metrics.clone(), crate::clock::Clock::new());
        let queue = crate::config::queue::Queue::parse("https://sqs.us-east-1.amazonaws.com/111111111111/q").unwrap();
        let inbox = Inbox::new(Session::ambient(caller), queue.clone());
        let (events, _) = mpsc::channel(1);
        let reader = QueueReader {
            inbox,
            name: queue.arn(),
            metrics,
            wakes: Wakes::default(),
            events,
            tells_signs: Arc::default(),
        };
        let mut told = Told::default();
        reader.warn(Refusal::NotJson, &mut told);
        reader.warn(Refusal::Unwatched, &mut told);
        assert_eq!(told.refusals, BTreeSet::from([Refusal::NotJson]), "what is no mistake is not told");
        reader.tell(&mut told, Some(Fault::new(FaultClass::Timeout, "late")));
        assert_eq!(told.fault.as_ref().map(|fault| fault.class), Some(FaultClass::Timeout));
        told.undeleted = Some(Fault::new(FaultClass::AccessDenied, "kept"));
        reader.tell(&mut told, None);
        assert_eq!(told.fault.map(|fault| fault.class), Some(FaultClass::AccessDenied), "a queue that fills is not up");
    }
}
