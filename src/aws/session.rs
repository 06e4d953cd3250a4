//! Credentials, and the proof of whose they are.
//!
//! The *ambient* credentials are those that every AWS tool would find: the
//! environment, a profile, SSO, a web identity, a pod's or task's or instance's
//! role. Others are a named profile's, or those of a role that either of them
//! may assume. Before anything is asked with credentials, STS has said which
//! account and partition they belong to: an assumed role's by the answer that
//! handed them out, all others by `GetCallerIdentity`, again whenever their key
//! id changes. If that is not the account that was wanted, or not the one it
//! always was, they are refused. No account is ever read with the credentials
//! of another for want of its own.

mod asked;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use tokio::sync::Mutex;

use super::{
    Caller,
    operation::{Answer, Only, Operation},
    wire::{ReplyError, xml::Element},
};
use crate::{
    config::Role,
    model::{
        account::{AccountId, Identity},
        facts::{Fault, FaultClass},
    },
    schedule,
};
use asked::{Asked, Offered, Waited};

/// Credentials that name no expiry are looked up again after this long, so that
/// a key rotated in a file is noticed before the old one stops working.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);

/// Credentials are given up this long before they expire.
const EXPIRY_MARGIN: Duration = Duration::from_secs(5 * 60);

/// What could not be had is not asked for again for this long: the collectors
/// of one account would otherwise each be told the same.
const REFUSAL: Duration = Duration::from_secs(3);

/// Credentials that are still good are renewed this long after it has failed; and a
/// source whose credentials are over by their own word is asked again after as long.
const RENEW_AGAIN: Duration = Duration::from_secs(60);

/// How long an assumed role's session lasts, in seconds: the most that AWS lets
/// a role have that was itself assumed, and what every role allows by default.
const SESSION_SECONDS: i32 = 3_600;

/// Credentials and whose they are.
#[derive(Clone, Debug)]
pub struct Verified {
    /// For use in `config_override` only.
    pub(super) credentials: Credentials,
    /// The account and partition that STS named.
    pub identity: Identity,
}

/// Where credentials come from.
#[derive(Clone, Debug)]
enum Source {
    /// Wherever the caller's clients look for them.
    Own,
    Role(Arc<Role>, Box<Session>),
}

/// The credentials of one account, or of the exporter itself.
#[derive(Clone, Debug)]
pub struct Session {
    caller: Caller,
    source: Source,
    wanted: Option<AccountId>,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    verified: Option<Verified>,
    /// When to look for newer ones.
    until: Duration,
    /// Until when they may be used if there are none.
    expiry: Duration,
    /// Whether those that were had last are over by their own word.
    is_over: bool,
    pinned: Option<Identity>,
    refused: Option<(Fault, Duration)>,
    /// A source that has been asked and has not answered yet.
    asked: Option<Asked>,
}

impl Session {
    /// The ambient credentials, for `caller` to use. Looks nothing up yet.
    #[must_use]
    pub fn ambient(caller: Caller) -> Self {
        Self::new(caller, Source::Own)
    }

    /// The credentials of a profile of the AWS configuration files.
    #[must_use]
    pub fn profile(caller: Caller, name: &str) -> Self {
        Self::new(caller.of_profile(name), Source::Own)
    }

    /// The credentials of `role`, which `self`'s may assume. It is of the same
    /// partition, so that `self`'s clients reach its account too.
    #[must_use]
    pub fn assume(&self, caller: Caller, role: Role) -> Self {
        Self::new(caller.with_clients_of(&self.caller), Source::Role(Arc::new(role), Box::new(self.clone())))
    }

    /// The same credentials, and a refusal if they are not `account`'s.
    #[must_use]
    pub fn wanting(self, account: AccountId) -> Self {
        Self { wanted: Some(account), ..self }
    }

    fn new(caller: Caller, source: Source) -> Self {
        Self { caller, source, wanted: None, held: Arc::default() }
    }

    /// What calls AWS with these credentials.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The account that the credentials must be of, if that was said.
    #[must_use]
    pub fn wanted(&self) -> Option<AccountId> {
        self.wanted
    }

    /// Credentials that are good now and belong to the account they always did.
    ///
    /// # Errors
    /// When none can be had, STS does not accept them or cannot be asked, or
    /// they belong to another account than the wanted, or than the first ones did.
    pub async fn verified(&self) -> Result<Verified, Fault> {
        let mut held = self.held.lock().await;
        let now = self.caller.clock().uptime();
        if let Some(verified) = held.verified.as_ref().filter(|_| now < held.until) {
            return Ok(verified.clone());
        }
        if let Some((fault, _)) = held.refused.as_ref().filter(|(_, until)| now < *until) {
            return Err(fault.clone());
        }
        let renewed = self.renew(&mut held, now).await;
        let ended = self.caller.clock().uptime();
        let kept = held.verified.clone().filter(|_| ended < held.expiry);
        match (renewed, kept) {
            // They are good for a while yet, and STS may be back before that is over.
            (Err(fault), Some(kept)) if fault.class != FaultClass::WrongAccount => {
                tracing::debug!(%fault, "The exporter could not renew its credentials, and uses the old ones until they expire.");
                held.until = held.expiry.min(ended + RENEW_AGAIN);
                Ok(kept)
            }
            (Err(fault), _) => {
                held.verified = None;
                held.refused = Some((fault.clone(), ended + if held.is_over { RENEW_AGAIN } else { REFUSAL }));
                Err(fault)
            }
            (Ok(verified), _) => Ok(verified),
        }
    }

    /// Gives credentials up that AWS has refused, so that the next run looks for
    /// newer ones.
    pub async fn forget(&self) {
        self.held.lock().await.verified = None;
    }

    async fn renew(&self, held: &mut Held, now: Duration) -> Result<Verified, Fault> {
        let verified = match &self.source {
            Source::Role(role, base) => self.assume_role(role, &base.verified_in_turn().await?).await?,
            Source::Own => self.look_up(held).await?,
        };
        self.check(held, &verified.identity)?;
        let (renewal, expiry) = lifetimes(&verified.credentials);
        (held.until, held.expiry) = (now + renewal, now + expiry);
        held.verified = Some(verified.clone());
        Ok(verified)
    }

    /// [`Self::verified`], boxed: the credentials behind a role may be a role's.
    fn verified_in_turn(&self) -> std::pin::Pin<Box<dyn Future<Output = Result<Verified, Fault>> + Send + '_>> {
        Box::pin(self.verified())
    }

    fn check(&self, held: &mut Held, identity: &Identity) -> Result<(), Fault> {
        let refuse = |wanted: &dyn std::fmt::Display| {
            let detail = format!("the credentials belong to account {}, not to {wanted}", identity.account);
            Err(Fault::new(FaultClass::WrongAccount, detail))
        };
        if let Some(wanted) = self.wanted.filter(|wanted| *wanted != identity.account) {
            return refuse(&wanted);
        }
        let pinned = held.pinned.get_or_insert_with(|| identity.clone());
        if pinned == identity { Ok(()) } else { refuse(&format_args!("{} of {}", pinned.account, pinned.partition)) }
    }

    async fn look_up(&self, held: &mut Held) -> Result<Verified, Fault> {
        let offered = self.ask(held).await?;
        held.is_over = offered.is_over();
        let credentials = offered.credentials;
        let identity = match &held.verified {
            Some(old) if old.credentials.access_key_id() == credentials.access_key_id() => old.identity.clone(),
            _ => {
                let identity = self.identify(&credentials).await;
                identity.map_err(|fault| refused(fault, &offered.source, &credentials))?
            }
        };
        Ok(Verified { credentials, identity })
    }

    /// Which source it is to be is found out anew each time: the library's provider of
    /// profiles reads the files once in its life, and would never see a rotated key.
    async fn ask(&self, held: &mut Held) -> Result<Offered, Fault> {
        let asked = held.asked.take().unwrap_or_else(|| Asked::new(self.caller.clients.clone()));
        match asked.wait().await {
            Waited::Answered(answer) => answer,
            Waited::Panicked(fault) => {
                self.caller.task_panicked("credentials");
                Err(fault)
            }
            Waited::Late(asked, fault) => {
                held.asked = Some(asked);
                Err(fault)
            }
        }
    }

    async fn identify(&self, credentials: &Credentials) -> Result<Identity, Fault> {
        let operation = Operation::sts("GetCallerIdentity");
        let sts = &self.caller.clients.sts;
        let request = |only: Only| sts.get_caller_identity().customize().config_override(only).send();
        let read = |result: Element<'_>| Ok((result.text("Arn")?.to_owned(), result.text("Account")?.to_owned()));
        let (arn, account) = self.caller.ask(credentials, operation, request, |answer| answer.xml(read)).await?;
        Identity::parse(&arn, &account).map_err(|error| malformed(operation, &error))
    }

    /// The answer names the account whose credentials it holds: the ARN of the
    /// session, not the one that was asked for, is believed.
    async fn assume_role(&self, role: &Role, base: &Verified) -> Result<Verified, Fault> {
        let operation = Operation::sts("AssumeRole");
        let caller = match &self.source {
            Source::Role(_, base) => &base.caller,
            _ => &self.caller,
        };
        let request = |only: Only| {
            let request = caller.clients.sts.assume_role().role_arn(&role.arn).role_session_name(&role.session_name);
            let request = request.set_external_id(role.external_id.clone()).duration_seconds(SESSION_SECONDS);
            request.customize().config_override(only).send()
        };
        let read = |answer: Answer<'_>| answer.xml(assumed);
        let (arn, credentials) = caller.ask(&base.credentials, operation, request, read).await?;
        let identity = Identity::of_arn(&arn).map_err(|error| malformed(operation, &error))?;
        Ok(Verified { credentials, identity })
    }
}

/// Credentials that AWS does not accept are told of with where they came from.
fn refused(fault: Fault, source: &str, credentials: &Credentials) -> Fault {
    if fault.class != FaultClass::InvalidCredentials {
        return fault;
    }
    let over = credentials.expiry().filter(|expiry| *expiry <= SystemTime::now());
    let over = over.map(|expiry| format!(" (expired at {})", humantime::format_rfc3339_seconds(expiry)));
    fault.of_source(&format_args!("credentials of {source}{}", over.unwrap_or_default()))
}

/// The ARN of a session that was granted, and its credentials.
fn assumed(result: Element<'_>) -> Result<(String, Credentials), ReplyError> {
    let arn = result.child("AssumedRoleUser")?.text("Arn")?;
    Ok((arn.to_owned(), handed_out(result, "AssumeRole")?))
}

/// The credentials of a session that was granted.
pub(super) fn handed_out(result: Element<'_>, by: &'static str) -> Result<Credentials, ReplyError> {
    let given = result.child("Credentials")?;
    let [id, secret, token] = [given.text("AccessKeyId")?, given.text("SecretAccessKey")?, given.text("SessionToken")?];
    let expiry = u64::try_from(given.instant("Expiration")?.as_millis()).ok();
    let expiry = expiry.and_then(|millis| UNIX_EPOCH.checked_add(Duration::from_millis(millis)));
    Ok(Credentials::new(id, secret, Some(token.to_owned()), expiry, by))
}

fn malformed(operation: Operation, error: &dyn std::fmt::Display) -> Fault {
    Fault::new(FaultClass::MalformedReply, format!("{}: {error}", operation.name))
}

/// How long until credentials are renewed, and for how long they may be used.
/// Sessions that began together are not all renewed together.
fn lifetimes(credentials: &Credentials) -> (Duration, Duration) {
    let Some(expiry) = credentials.expiry() else { return (LOOK_AGAIN, LOOK_AGAIN) };
    let left = expiry.duration_since(SystemTime::now()).unwrap_or_default();
    let usable = left.saturating_sub(EXPIRY_MARGIN.min(left / 4));
    (schedule::renewal(usable), usable)
}
