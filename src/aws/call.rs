//! One call to AWS: paid for, counted, tried again where that can help.

use std::{
    error::Error,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Clients, Meter, fault};
use crate::{clock::Clock, facts::Fault, limit::Bucket, schedule};

/// How often a request is sent at most, the first time included.
const TRIES: u32 = 3;

/// Calls AWS for one account.
#[derive(Clone, Debug)]
pub struct Caller {
    pub(super) clients: Clients,
    meter: Meter,
    bucket: Arc<Mutex<Bucket>>,
    clock: Clock,
}

impl Caller {
    /// A caller whose requests, all together, stay below `bucket`'s rate.
    #[must_use]
    pub fn new(clients: Clients, meter: Meter, bucket: Bucket, clock: Clock) -> Self {
        Self { clients, meter, bucket: Arc::new(Mutex::new(bucket)), clock }
    }

    /// The program's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sends what `request` makes, again after a transient fault, until it has
    /// been answered or [`TRIES`] are used up. The time allowed for all of it is
    /// the caller's to set.
    ///
    /// # Errors
    /// The fault of the last try.
    pub(super) async fn send<T, E, F>(
        &self,
        service: &'static str,
        operation: &'static str,
        request: impl Fn() -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut tries = 1;
        loop {
            match self.try_once(service, operation, request()).await {
                Err(fault) if fault.class.is_transient() && tries < TRIES => {
                    tracing::debug!(operation, %fault, tries, "A request to AWS is tried again.");
                    tokio::time::sleep(schedule::retry_delay(tries)).await;
                    tries += 1;
                }
                ended => return ended,
            }
        }
    }

    async fn try_once<T, E, F>(&self, service: &'static str, operation: &'static str, request: F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        tokio::time::sleep(self.take_token()).await;
        self.meter.sent(service, operation);
        let sent = self.clock.now();
        let result = request.await.map_err(|error| fault::of(operation, &error));
        let took = self.clock.now().mono.saturating_sub(sent.mono);
        self.meter.ended(service, operation, took, result.as_ref().err().map(|fault| fault.class));
        result
    }

    fn take_token(&self) -> std::time::Duration {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(self.clock.now().mono)
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
