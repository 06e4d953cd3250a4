//! The one door to AWS.
//!
//! There is one client a service, shared by every account, and none of them has
//! credentials of its own: they are given operation by operation. An operation
//! that forgets them is refused by the SDK before anything is sent, where a
//! client with a default provider would quietly answer for the wrong account.
//! The SDK's own retries are off, since all its clients share one quota for
//! them and failing accounts would rob the healthy; what is tried again is
//! decided in [`call`], and every try is paid for from the account's rate.

pub mod call;
pub mod fault;
pub mod iam;
mod operation;
pub mod organizations;
pub mod reply;
pub mod session;
mod users;
pub mod wire;

use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};

pub use call::Caller;
pub use session::Session;

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
    /// The region of the environment, for the chain of credential providers.
    pub region: Region,
}

impl Clients {
    /// Reads the environment's and the profile's region, endpoint and proxy
    /// settings, and builds the clients. Sends nothing.
    pub async fn from_environment() -> Self {
        Self::load(aws_config::defaults(behavior())).await
    }

    /// As [`Self::from_environment`], on top of what `loader` was told. Whatever
    /// credentials it was told of are left behind.
    pub async fn load(loader: ConfigLoader) -> Self {
        let environment = loader
            .no_credentials()
            .region(aws_config::meta::region::RegionProviderChain::default_provider().or_else(FALLBACK_REGION))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .load()
            .await;
        Self::new(&environment)
    }

    pub(crate) fn new(environment: &SdkConfig) -> Self {
        Self {
            iam: aws_sdk_iam::Client::new(environment),
            organizations: aws_sdk_organizations::Client::new(environment),
            sts: aws_sdk_sts::Client::new(environment),
            region: environment.region().cloned().unwrap_or(Region::from_static(FALLBACK_REGION)),
        }
    }
}

/// Pinned, so that an upgrade of the SDK never changes retries, stalled-stream
/// protection or endpoint rules by itself.
pub(crate) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(ATTEMPT_TIMEOUT + Duration::from_secs(1))
        .build()
}
