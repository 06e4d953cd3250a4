//! One call to AWS: paid for, counted, tried again where that can help.

use std::{
    error::Error,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{Clients, fault, wire::ReplyError};
use crate::{clock::Clock, limit::Bucket, metrics::exporter_metrics::ExporterMetrics, model::facts::Fault, schedule};

/// How often a request is sent at most, the first time included.
const TRIES: u32 = 3;

/// How many requests of all accounts are under way at once, those aside that
/// have been waiting for a second.
pub const CONCURRENCY: usize = 64;

/// A request that is not answered for this long gives its place up, and goes on
/// without. Accounts that hang would otherwise hold the places of those that
/// answer; what the places are for is to keep a burst of work small, and waiting
/// is no work.
const PATIENCE: Duration = Duration::from_secs(1);

/// Calls AWS for one account.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(super) clients: Clients,
    metrics: Arc<ExporterMetrics>,
    bucket: Arc<Mutex<Bucket>>,
    places: Arc<Semaphore>,
    clock: Clock,
}

impl Caller {
    /// A caller of no great rate; see [`Self::with_rate`].
    #[must_use]
    pub fn new(clients: Clients, metrics: ExporterMetrics, clock: Clock) -> Self {
        let bucket = Bucket::new(5.0, 10.0);
        let places = Arc::new(Semaphore::new(CONCURRENCY));
        Self { clients, metrics: Arc::new(metrics), bucket: Arc::new(Mutex::new(bucket)), places, clock }
    }

    /// A caller with a rate of its own, that shares everything else with this one.
    #[must_use]
    pub fn with_rate(&self, bucket: Bucket) -> Self {
        Self { bucket: Arc::new(Mutex::new(bucket)), ..self.clone() }
    }

    /// The program's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sends what `request` makes, again after a transient fault, until it has
    /// been answered or [`TRIES`] are used up; what the answer means, `read` says.
    /// The time allowed for all of it is the caller's to set.
    ///
    /// # Errors
    /// The fault of the last try.
    pub(super) async fn send<T, O, E, F>(
        &self,
        service: &'static str,
        operation: &'static str,
        request: impl Fn() -> F,
        read: impl Fn(O) -> Result<T, ReplyError>,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut tries = 1;
        loop {
            match self.try_once(service, operation, request(), &read).await {
                Err(fault) if fault.class.is_transient() && tries < TRIES => {
                    tracing::debug!(operation, %fault, tries, "A request to AWS is tried again.");
                    sleep(schedule::retry_delay(tries)).await;
                    tries += 1;
                }
                ended => return ended,
            }
        }
    }

    async fn try_once<T, O, E, F>(
        &self,
        service: &'static str,
        operation: &'static str,
        request: F,
        read: impl Fn(O) -> Result<T, ReplyError>,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        sleep(self.take_token()).await;
        let place = self.places.acquire().await.expect("the semaphore is never closed");
        self.metrics.request_sent(service, operation);
        let sent = self.clock.now();
        let mut request = pin!(request);
        let answered = timeout(PATIENCE, request.as_mut()).await;
        drop(place);
        let result = match answered {
            Ok(result) => result,
            Err(_) => request.await,
        };
        let result = result.map_err(|error| fault::of(operation, &error));
        let result = result.and_then(|output| read(output).map_err(|error| fault::of_reply(operation, &error)));
        let took = self.clock.now().mono.since(sent.mono);
        self.metrics.request_ended(service, operation, took, result.as_ref().err().map(|fault| fault.class));
        result
    }

    fn take_token(&self) -> Duration {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(self.clock.uptime())
    }
}

/// The credentials of one operation, as an override of IAM's configuration.
pub(super) fn iam_as(credentials: &Credentials) -> aws_sdk_iam::config::Builder {
    aws_sdk_iam::Config::builder().credentials_provider(credentials.clone())
}

/// The credentials of one operation, as an override of STS's configuration.
pub(super) fn sts_as(credentials: &Credentials) -> aws_sdk_sts::config::Builder {
    aws_sdk_sts::Config::builder().credentials_provider(credentials.clone())
}

/// The credentials of one operation, as an override of Organizations'
/// configuration.
pub(super) fn organizations_as(credentials: &Credentials) -> aws_sdk_organizations::config::Builder {
    aws_sdk_organizations::Config::builder().credentials_provider(credentials.clone())
}
