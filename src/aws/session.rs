//! Credentials, and the proof of whose they are.
//!
//! The ambient credentials are those that every AWS tool would find: the
//! environment, a profile, SSO, a web identity, a pod's or task's or instance's
//! role. Before anything is asked with them, STS says which account and
//! partition they belong to; it is asked again whenever their key id changes,
//! and an account that once was decided never changes under a label.

use std::{sync::Arc, time::Duration};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError},
};
use tokio::sync::Mutex;

use super::{Caller, call::sts_as, wire::Watch};
use crate::{
    account::Identity,
    facts::{Fault, FaultClass},
};

/// The chain of providers may ask metadata services; it may not hang on one.
const CHAIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Credentials that name no expiry are looked up again after this long, so that
/// a key rotated in a file is noticed before the old one stops working.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);

/// Credentials are given up this long before they expire.
const EXPIRY_MARGIN: Duration = Duration::from_secs(5 * 60);

/// Credentials and whose they are.
#[derive(Clone, Debug)]
pub struct Verified {
    /// For use in `config_override` only.
    pub(super) credentials: Credentials,
    /// The account and partition that STS named.
    pub identity: Identity,
}

/// The ambient credentials of the process.
#[derive(Clone, Debug)]
pub struct Session {
    caller: Caller,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    verified: Option<Verified>,
    until: Duration,
    pinned: Option<Identity>,
}

impl Session {
    /// The ambient credentials, for `caller` to use. Looks nothing up yet.
    #[must_use]
    pub fn ambient(caller: Caller) -> Self {
        Self { caller, held: Arc::default() }
    }

    /// Credentials that are good now and belong to the account they always did.
    ///
    /// # Errors
    /// When none can be had, STS does not accept them or cannot be asked, or
    /// they belong to another account than the first ones did.
    pub async fn verified(&self) -> Result<Verified, Fault> {
        let mut held = self.held.lock().await;
        let now = self.caller.clock().now().mono;
        if let Some(verified) = held.verified.as_ref().filter(|_| now < held.until) {
            return Ok(verified.clone());
        }
        let credentials = self.load().await?;
        let until = now + lifetime(&credentials);
        let verified = match held.verified.take() {
            Some(old) if old.credentials.access_key_id() == credentials.access_key_id() => {
                Verified { credentials, identity: old.identity }
            }
            _ => Verified { identity: self.identify(&credentials).await?, credentials },
        };
        let pinned = held.pinned.get_or_insert_with(|| verified.identity.clone());
        if *pinned != verified.identity {
            let detail =
                format!("the credentials are now account {}'s, not {}'s", verified.identity.account, pinned.account);
            return Err(Fault::new(FaultClass::WrongAccount, detail));
        }
        *held = Held { verified: Some(verified.clone()), until, pinned: held.pinned.take() };
        Ok(verified)
    }

    /// Gives credentials up that AWS has refused, so that the next run looks for
    /// newer ones.
    pub async fn forget(&self) {
        self.held.lock().await.verified = None;
    }

    /// What calls AWS with these credentials.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The chain is built anew each time: its provider of profiles reads the
    /// files once in its life, and would never see a rotated key.
    async fn load(&self) -> Result<Credentials, Fault> {
        let region = self.caller.clients.region.clone();
        let look =
            async { DefaultCredentialsChain::builder().region(region).build().await.provide_credentials().await };
        let loaded = tokio::time::timeout(CHAIN_TIMEOUT, look).await;
        let loaded = loaded.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(CHAIN_TIMEOUT)));
        loaded.map_err(|error| no_credentials(&error))
    }

    async fn identify(&self, credentials: &Credentials) -> Result<Identity, Fault> {
        let sts = &self.caller.clients.sts;
        let request = || {
            let request = sts.get_caller_identity().customize().config_override(sts_as(credentials));
            request.interceptor(Watch::default()).send()
        };
        let reply = self.caller.send("sts", "GetCallerIdentity", request).await?;
        let (Some(arn), Some(account)) = (reply.arn(), reply.account()) else {
            return Err(Fault::new(
                FaultClass::IncompleteReply,
                "GetCallerIdentity: the reply has no Arn or no Account",
            ));
        };
        Identity::parse(arn, account)
            .map_err(|error| Fault::new(FaultClass::MalformedReply, format!("GetCallerIdentity: {error}")))
    }
}

fn lifetime(credentials: &Credentials) -> Duration {
    let left = credentials.expiry().and_then(|at| at.duration_since(std::time::SystemTime::now()).ok());
    match (credentials.expiry(), left) {
        (None, _) => LOOK_AGAIN,
        (Some(_), left) => left.unwrap_or_default().saturating_sub(EXPIRY_MARGIN),
    }
}

/// The provider's own words may hold paths, URLs and commands; its kind of
/// failure is what can be acted on.
fn no_credentials(error: &CredentialsError) -> Fault {
    let (class, detail) = match error {
        CredentialsError::CredentialsNotLoaded(_) => (FaultClass::NoCredentials, "no AWS credentials were found"),
        CredentialsError::ProviderTimedOut(_) => {
            (FaultClass::NoCredentials, "the source of AWS credentials did not answer in time")
        }
        CredentialsError::InvalidConfiguration(_) => (
            FaultClass::NoCredentials,
            "the AWS configuration for credentials is not valid: look at the profile and the AWS_* variables",
        ),
        _ => (FaultClass::NoCredentials, "the source of AWS credentials failed"),
    };
    Fault::new(class, detail)
}
