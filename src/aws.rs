//! The one door to AWS.
//!
//! There is one client a service, shared by every account, and none of them has
//! credentials of its own: they are given operation by operation. An operation
//! that forgets them is refused by the SDK before anything is sent, where a
//! client with a default provider would quietly answer for the wrong account.
//! Accounts that the configuration enters by a profile have clients of that
//! profile's: its region decides to which partition a request goes.
//! The SDK's own retries are off, since all its clients share one quota for
//! them and failing accounts would rob the healthy; what is tried again is
//! decided in [`call`], and every try is paid for from the account's rate.

pub mod call;
mod cognito;
mod environment;
pub mod fault;
pub mod iam;
mod operation;
pub mod organizations;
pub mod organizations_features;
pub mod reply;
pub mod session;
mod signed;
mod source;
pub mod sqs;
mod transport;
mod users;
pub mod wire;

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_config::{
    BehaviorVersion, ConfigLoader, Region, SdkConfig, imds::region::ImdsRegionProvider,
    provider_config::ProviderConfig, retry::RetryConfig, timeout::TimeoutConfig,
};

pub use call::Caller;
use environment::Environment;
pub use session::Session;
use transport::{Transport, Transports};

use crate::model::facts::Fault;

/// IAM is global, but the SDK finds the partition's endpoint by a region.
const FALLBACK_REGION: &str = "us-east-1";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// From the request sent to the first byte of the reply.
const READ_TIMEOUT: Duration = Duration::from_secs(6);
/// One try, its body included: what stops a reply that drips for ever.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);

/// The clients, without credentials.
#[derive(Clone, Debug)]
pub struct Clients {
    /// IAM, which is the same in every region of a partition.
    pub iam: aws_sdk_iam::Client,
    /// Organizations, which is the same in every region of a partition.
    pub organizations: aws_sdk_organizations::Client,
    /// STS, regional.
    pub sts: aws_sdk_sts::Client,
    /// What they were made of, for the providers of credentials.
    settings: SdkConfig,
    transport: Transport,
}

/// Clients that are made when credentials are first looked for. A setting that
/// cannot be used is then a fault of the credentials, which can be mended while
/// the exporter runs; what the clients are made of is read until they are made.
#[derive(Clone, Debug, Default)]
pub struct LazyClients {
    profile: Option<Arc<str>>,
    made: Arc<OnceLock<Clients>>,
    transports: Transports,
}

// === impl Clients ===

impl Clients {
    /// Builds the clients that `environment` asks for. Sends nothing to AWS; where no
    /// region is configured, the metadata service of the instance is asked for one.
    async fn new(environment: &Environment, transport: Transport) -> Result<Self, Fault> {
        let region = match environment.region()? {
            Some(region) => region,
            None if environment.is_chosen => Region::from_static(FALLBACK_REGION),
            None => region_of_instance(&transport).await,
        };
        let loader = aws_config::defaults(behavior())
            .http_client(transport.proxied.clone())
            .profile_files(environment.files.clone())
            .profile_name(environment.profile.clone())
            .region(region);
        Ok(Self::load(loader, transport).await)
    }

    /// Builds the clients that `loader` describes. Whatever credentials it was told of
    /// are left behind.
    pub async fn of(loader: ConfigLoader) -> Self {
        let transport = Transport::default();
        Self::load(loader.http_client(transport.proxied.clone()), transport).await
    }

    async fn load(loader: ConfigLoader, transport: Transport) -> Self {
        let settings = loader
            .no_credentials()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            // A clock that is wrong is told of, and not made up for: every time that
            // is exported would be as wrong.
            .disable_clock_skew_correction(true)
            .load()
            .await;
        Self {
            iam: aws_sdk_iam::Client::new(&settings),
            organizations: aws_sdk_organizations::Client::new(&settings),
            sts: aws_sdk_sts::Client::new(&settings),
            settings,
            transport,
        }
    }

    /// What the library's providers of credentials go by. They make clients of their
    /// own, of which each is used once, so theirs are the SDK's usual retries.
    fn provider_config(&self) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_region(self.settings.region().cloned())
            .with_behavior_version(Some(behavior()))
            .with_http_client(self.transport.proxied.clone())
            .with_timeout_config(timeouts())
            .with_use_fips(self.settings.use_fips())
            .with_use_dual_stack(self.settings.use_dual_stack())
    }
}

// === impl LazyClients ===

impl LazyClients {
    /// The clients of a profile that the configuration names, which share connections
    /// with these where they can.
    #[must_use]
    pub fn of_profile(&self, name: &str) -> Self {
        Self { profile: Some(name.into()), made: Arc::default(), transports: self.transports.clone() }
    }

    /// These clients and no others.
    #[must_use]
    pub fn made(clients: Clients) -> Self {
        Self { made: Arc::new(OnceLock::from(clients)), ..Self::default() }
    }

    /// Reads the environment and the AWS files, and makes the clients unless there
    /// are some.
    async fn prepare(&self) -> Result<(Environment, &Clients), Fault> {
        let environment = Environment::read(self.profile.as_deref()).await?;
        if let Some(clients) = self.made.get() {
            return Ok((environment, clients));
        }
        let clients = Clients::new(&environment, self.transports.of(&environment)?).await?;
        // Another session may have been quicker, with the same.
        Ok((environment, self.made.get_or_init(|| clients)))
    }
}

impl Deref for LazyClients {
    type Target = Clients;

    fn deref(&self) -> &Clients {
        self.made.get().expect("whoever calls AWS has credentials, and the clients came with them")
    }
}

/// Pinned, so that an upgrade of the SDK never changes retries, stalled-stream
/// protection or endpoint rules by itself.
pub(crate) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

async fn region_of_instance(transport: &Transport) -> Region {
    let settings = ProviderConfig::without_region().with_http_client(transport.direct.clone());
    let region = ImdsRegionProvider::builder().configure(&settings).build().region().await;
    region.unwrap_or(Region::from_static(FALLBACK_REGION))
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(ATTEMPT_TIMEOUT + Duration::from_secs(1))
        .build()
}
