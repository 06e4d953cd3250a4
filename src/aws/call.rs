//! One call to AWS: paid for, counted, tried again where that can help.

use std::{
    error::Error,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{sleep, timeout},
};

use super::{
    LazyClients, fault,
    operation::{Answer, Only, Operation},
    wire::{ReplyError, ReplyTap},
};
use crate::{
    clock::Clock,
    metrics::exporter_metrics::ExporterMetrics,
    model::facts::{Fault, FaultClass},
    rate_limit::Learner,
    schedule,
};

/// How often a request is sent at most, the first time included.
const TRIES: u32 = 3;

/// How many requests of all accounts are under way at once, those aside that
/// have been waiting for a second.
pub const CONCURRENCY: usize = 64;

/// How many of them are about single users: the other places are for heartbeats and lists.
const CONCURRENCY_OF_USERS: usize = CONCURRENCY / 4 * 3;

/// A request that is not answered for this long gives its place up, and goes on
/// without. Accounts that hang would otherwise hold the places of those that
/// answer; what the places are for is to keep a burst of work small, and waiting
/// is no work.
const PATIENCE: Duration = Duration::from_secs(1);

/// Calls AWS for one account.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(super) clients: LazyClients,
    metrics: ExporterMetrics,
    rate: Arc<Mutex<Learner>>,
    places: Arc<Semaphore>,
    /// Those of them in which it may be asked about single users.
    places_of_users: Arc<Semaphore>,
    clock: Clock,
}

impl Caller {
    /// A caller of no great rate; see [`Self::with_rate`].
    #[must_use]
    pub fn new(clients: LazyClients, metrics: ExporterMetrics, clock: Clock) -> Self {
        let rate = Arc::new(Mutex::new(Learner::documented(5.0, 10.0)));
        let [places, places_of_users] =
            [CONCURRENCY, CONCURRENCY_OF_USERS].map(|places| Arc::new(Semaphore::new(places)));
        Self { clients, metrics, rate, places, places_of_users, clock }
    }

    /// A caller with a rate of its own, that shares everything else with this one.
    #[must_use]
    pub fn with_rate(&self, rate: Learner) -> Self {
        Self { rate: Arc::new(Mutex::new(rate)), ..self.clone() }
    }

    /// How many calls a second are made at most now, where that is fewer than could be
    /// because AWS has throttled some.
    #[must_use]
    pub fn reduced_rate(&self) -> Option<f64> {
        self.with(|rate| rate.is_reduced().then(|| rate.rate()))
    }

    /// A caller by the clients of a profile, that shares everything else with this one.
    #[must_use]
    pub(super) fn of_profile(self, name: &str) -> Self {
        Self { clients: self.clients.of_profile(name), ..self }
    }

    /// A caller by the clients of `other`, that shares everything else with this one.
    #[must_use]
    pub(super) fn with_clients_of(self, other: &Self) -> Self {
        Self { clients: other.clients.clone(), ..self }
    }

    /// Counts a panic of `task`, which is looking for credentials.
    pub(super) fn task_panicked(&self, task: &str) {
        self.metrics.task_panicked(task);
    }

    /// The program's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Asks AWS for one operation with these credentials and no others: the only form
    /// of a request that there is. What `request` makes is sent, again after a
    /// transient fault, until it has been answered or [`TRIES`] are used up; what the
    /// answer means, `read` says. The time allowed for all of it is the caller's to
    /// set.
    ///
    /// # Errors
    /// The fault of the last try.
    pub(super) async fn ask<T, O, E, F>(
        &self,
        credentials: &Credentials,
        operation: Operation,
        request: impl Fn(Only) -> F,
        read: impl Fn(Answer<'_>) -> Result<T, ReplyError>,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut tries = 1;
        loop {
            let tap = ReplyTap::new(operation.cap);
            let request = || request(Only { credentials: credentials.clone(), tap: tap.clone() });
            match self.try_once(&operation, &tap, request, &read).await {
                Err(fault) if fault.class.is_transient() && tries < TRIES => {
                    tracing::debug!(operation = operation.name, %fault, tries, "A request to AWS failed; the exporter tries it again.");
                    sleep(schedule::retry_delay(tries)).await;
                    tries += 1;
                }
                ended => return ended,
            }
        }
    }

    async fn try_once<T, O, E, F>(
        &self,
        operation: &Operation,
        tap: &ReplyTap,
        request: impl FnOnce() -> F,
        read: impl Fn(Answer<'_>) -> Result<T, ReplyError>,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let Operation { service, name, is_waiting, is_of_a_user, .. } = *operation;
        self.wait_for_leave().await;
        let place = self.place(is_of_a_user).await;
        self.metrics.request_sent(service, name);
        let (sent, sent_at) = (self.clock.now(), self.clock.uptime());
        // Made only now, and boxed: who waits for leave is small.
        let mut request = Box::pin(request());
        let answered = timeout(PATIENCE, request.as_mut()).await;
        drop(place);
        let result = match answered {
            Ok(result) => result,
            Err(_) => request.await,
        };
        let received = self.clock.now();
        let answer = operation.answer(tap, received, result).map_err(|error| fault::of_operation(operation, &error));
        let result = answer.and_then(|answer| read(answer).map_err(|error| fault::of_reply(name, &error)));
        let took = received.mono.since(sent.mono);
        self.learn(sent_at, result.as_ref().err().map(|fault| fault.class));
        let took = (!is_waiting).then_some(took);
        self.metrics.request_ended(service, name, took, result.as_ref().err().map(|fault| fault.class));
        result
    }

    /// Waits for a place.
    async fn place(&self, is_of_a_user: bool) -> (Option<SemaphorePermit<'_>>, SemaphorePermit<'_>) {
        const OPEN: &str = "the semaphore is never closed";
        let of_users = if is_of_a_user { Some(self.places_of_users.acquire().await.expect(OPEN)) } else { None };
        (of_users, self.places.acquire().await.expect(OPEN))
    }

    /// Waits until the account's rate allows a call. What was allowed before AWS throttled
    /// another is not any more.
    async fn wait_for_leave(&self) {
        let _waiting = self.metrics.request_waits();
        loop {
            let now = self.clock.uptime();
            let leave = self.with(|rate| rate.take(now));
            // Even a sleep of nothing is a round through the timer.
            if !leave.wait.is_zero() {
                sleep(leave.wait).await;
            }
            self.metrics.request_waited(leave.wait);
            if self.with(|rate| rate.holds(leave)) {
                return;
            }
        }
    }

    /// Tells the account's rate what came of a call. One that AWS has not answered tells
    /// nothing of its limits.
    fn learn(&self, sent: Duration, fault: Option<FaultClass>) {
        let now = self.clock.uptime();
        self.with(|rate| match fault {
            Some(FaultClass::Throttled) => rate.throttled(sent, now),
            Some(fault) if fault.is_transient() => {}
            _ => rate.answered(now),
        });
    }

    fn with<T>(&self, of: impl FnOnce(&mut Learner) -> T) -> T {
        of(&mut self.rate.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
