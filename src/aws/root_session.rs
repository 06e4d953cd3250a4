//! `sts:AssumeRoot`: the audit of root users from outside their accounts.
//!
//! The management account of an organization, or its delegated administrator for IAM, may
//! act as root of a member account for one of five tasks. The exporter asks for one alone,
//! `IAMAuditRootUserCredentials`, whose policy denies everything but reads of root's own
//! credentials. The session lasts two minutes and belongs to one audit: nothing keeps it.
//!
//! One request for a session is under way at a time, and one is sent a second: AWS does
//! not publish its limit, and was seen to throttle early. Whether the organization allows
//! audits at all is asked before, once an hour, so that what is wrong with the organization
//! is not asked of each account. (IAM User Guide, "Perform a privileged task on an AWS
//! Organizations member account"; STS API reference, `AssumeRoot`.)

use std::{sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use aws_sdk_sts::types::PolicyDescriptorType;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{Instant, sleep, sleep_until},
};

use super::{
    Caller,
    operation::{Answer, Only, Operation},
    organizations_features::organizations_features,
    reply,
    session::{Session, Verified, handed_out},
    wire::xml::Element,
};
use crate::{
    collect::{
        iam::RootDevice,
        rootaudit::{RootDevicePage, RootIam},
    },
    model::{
        account::{AccountId, Identity, Partition},
        facts::{Fault, FaultClass, Summary},
        time::Moment,
    },
    rate_limit::Learner,
};

/// The policy of the one task that is asked for. It limits the session to reads.
pub const TASK: &str = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials";

/// How long a session lasts, in seconds: as long as an audit may take.
const SESSION_SECONDS: i32 = 120;

/// Sessions a second, and at once.
const RATE: f64 = 1.0;

/// Whether the organization allows audits is asked again after this, or sooner where it
/// does not.
const ALLOWED_FOR: Duration = Duration::from_secs(3_600);
const REFUSED_FOR: Duration = Duration::from_secs(300);

/// After AWS has throttled a request for a session, nobody asks for one for so long.
const THROTTLED_FOR: Duration = Duration::from_secs(30);

/// The partition that the task's policy is written for. Whether others have it is not
/// documented.
const PARTITION: &str = "aws";

/// What audits root users: one for all accounts.
#[derive(Clone, Debug)]
pub struct Auditor {
    /// The exporter's own credentials.
    base: Session,
    /// What asks for sessions.
    caller: Caller,
    turns: Arc<Mutex<Pace>>,
    allowed: Arc<Mutex<Option<Allowed>>>,
}

/// When the next session may be asked for.
#[derive(Debug, Default)]
pub struct Pace {
    quiet_until: Option<Instant>,
}

/// The right to ask for a session; whoever holds it is the only one.
pub type Turn = OwnedMutexGuard<Pace>;

/// What the organization said last, and until when that holds.
#[derive(Clone, Debug)]
struct Allowed {
    result: Result<(), Fault>,
    until: Instant,
}

/// IAM as root of one account sees it, until this is dropped.
pub struct AccountRoot {
    caller: Caller,
    credentials: Credentials,
    identity: Identity,
}

// === impl Auditor ===

impl Auditor {
    /// Audits with the credentials of `base`. Asks nothing yet.
    #[must_use]
    pub fn new(base: Session) -> Self {
        let caller = base.caller().with_rate(Learner::documented(RATE, RATE));
        Self { base, caller, turns: Arc::default(), allowed: Arc::default() }
    }

    /// Whose root an account's is.
    #[must_use]
    pub fn wanted(account: AccountId) -> Identity {
        Identity { account, partition: Partition::parse(PARTITION).expect("it is the name of a partition") }
    }

    /// Whether the organization allows audits.
    ///
    /// # Errors
    /// What is wrong with the organization, or with the exporter's own credentials: nothing
    /// is asked of an account then.
    pub async fn allowed(&self) -> Result<(), Fault> {
        let mut allowed = self.allowed.lock().await;
        if let Some(known) = allowed.as_ref().filter(|known| Instant::now() < known.until) {
            return known.result.clone();
        }
        let result = self.ask_whether_allowed().await;
        let lasts = if result.is_ok() { ALLOWED_FOR } else { REFUSED_FOR };
        *allowed = Some(Allowed { result: result.clone(), until: Instant::now() + lasts });
        result
    }

    async fn ask_whether_allowed(&self) -> Result<(), Fault> {
        let verified = self.base.verified().await?;
        if verified.identity.partition.as_str() != PARTITION {
            let detail = format!(
                "AssumeRoot: the exporter does not audit root in the partition {}",
                verified.identity.partition
            );
            return Err(Fault::new(FaultClass::InvalidConfiguration, detail)
                .advising("disable the rootaudit collector (--no-collector.rootaudit)"));
        }
        let features = organizations_features(&self.caller, &verified).await;
        let features = self.given_up(features).await.map_err(advise)?;
        if features.credentials_management {
            return Ok(());
        }
        let detail = "ListOrganizationsFeatures: RootCredentialsManagement is not among the enabled features";
        Err(Fault::new(FaultClass::RootAccessOff, detail))
    }

    /// Waits for the right to ask for a session. Who came first is first.
    pub async fn turn(&self) -> Turn {
        let turn = Arc::clone(&self.turns).lock_owned().await;
        if let Some(until) = turn.quiet_until {
            sleep_until(until).await;
        }
        turn
    }

    /// Asks for a session of root of `account`, whose calls `session`'s caller pays for.
    ///
    /// # Errors
    /// When AWS does not give one.
    pub async fn assume(&self, account: AccountId, mut turn: Turn, session: &Session) -> Result<AccountRoot, Fault> {
        let verified = self.base.verified().await?;
        let given = self.given_up(self.assume_root(account, &verified).await).await;
        let is_throttled = given.as_ref().is_err_and(|fault| fault.class == FaultClass::Throttled);
        turn.quiet_until = is_throttled.then(|| Instant::now() + THROTTLED_FOR);
        let caller = session.caller().clone().with_clients_of(&self.caller);
        Ok(AccountRoot { caller, credentials: given.map_err(advise)?, identity: Self::wanted(account) })
    }

    async fn assume_root(&self, account: AccountId, verified: &Verified) -> Result<Credentials, Fault> {
        let operation = Operation::sts("AssumeRoot").telling_denials();
        let task = PolicyDescriptorType::builder().arn(TASK).build();
        let request = |only: Only| {
            let request = self.caller.clients.sts.assume_root().target_principal(account.as_str());
            let request = request.task_policy_arn(task.clone()).duration_seconds(SESSION_SECONDS);
            request.customize().config_override(only).send()
        };
        let read = |answer: Answer<'_>| answer.xml(|result: Element<'_>| handed_out(result, "AssumeRoot"));
        self.caller.ask(&verified.credentials, operation, request, read).await
    }

    /// The exporter's own credentials are looked for anew where AWS does not accept them.
    async fn given_up<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        if result.as_ref().is_err_and(|fault| fault.class == FaultClass::InvalidCredentials) {
            self.base.forget().await;
        }
        result
    }
}

/// What the exporter's own credentials are refused.
fn advise(fault: Fault) -> Fault {
    match fault.class {
        FaultClass::AccessDenied => fault.advising(
            "allow the actions that `aws-mfa-exporter iam-policy --of=exporter` prints with this configuration; then look \
             for a service control policy that denies sts:AssumeRoot",
        ),
        FaultClass::Throttled => fault.advising(
            "wait: the exporter asks again by itself. If it lasts, raise collectors.rootaudit.interval, or find out which \
             other program calls AssumeRoot",
        ),
        // The global endpoint does not know the operation.
        FaultClass::Rejected if fault.detail.contains("code=InvalidAction") => fault.advising(
            "set AWS_REGION to a region, and remove an AWS_ENDPOINT_URL_STS of sts.amazonaws.com: only regional endpoints of \
             STS have AssumeRoot",
        ),
        _ => fault,
    }
}

// === impl AccountRoot ===

/// The credentials are not shown.
impl std::fmt::Debug for AccountRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountRoot").field("account", &self.identity.account).finish_non_exhaustive()
    }
}

impl AccountRoot {
    fn client(&self) -> &aws_sdk_iam::Client {
        &self.caller.clients.iam
    }

    const fn operation(name: &'static str) -> Operation {
        Operation::iam(name).telling_denials()
    }
}

impl RootIam for AccountRoot {
    fn now(&self) -> Moment {
        self.caller.clock().now()
    }

    async fn whose(&self) -> Result<String, Fault> {
        let request = |only: Only| self.client().get_user().customize().config_override(only).send();
        let read = |answer: Answer<'_>| answer.xml(|result| reply::caller(result, &self.identity));
        self.caller.ask(&self.credentials, Self::operation("GetUser"), request, read).await
    }

    async fn summary(&self) -> Result<Summary, Fault> {
        let request = |only: Only| self.client().get_account_summary().customize().config_override(only).send();
        let read = |answer: Answer<'_>| answer.xml(reply::summary);
        self.caller.ask(&self.credentials, Self::operation("GetAccountSummary"), request, read).await
    }

    async fn devices(&self, marker: Option<String>) -> Result<RootDevicePage, Fault> {
        let request = |only: Only| {
            let request = self.client().list_mfa_devices().set_marker(marker.clone());
            request.customize().config_override(only).send()
        };
        let read = |answer: Answer<'_>| answer.xml(|result| reply::root_devices(result, &self.identity));
        let asked = self.caller.ask(&self.credentials, Self::operation("ListMFADevices"), request, read);
        let (devices, next): (Vec<RootDevice>, _) = asked.await?;
        Ok(RootDevicePage { devices, next })
    }

    async fn pause(&self, time: Duration) {
        sleep(time).await;
    }
}
