//! The reads about users, made of real requests.
//!
//! Some of IAM's errors are answers: that a user has no password, that a report
//! is not ready. They come out of the request itself as such, so that they are
//! neither counted as failures nor tried again; and only as IAM sends them, with
//! the code *and* the status, for some other 404 is no proof of anything.

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{
    call::iam_as,
    iam::{AccountIam, PAGE_SIZE},
    reply::{self, Serials},
    wire::{ReplyError, ReplyTap, xml::Element},
};
use crate::{
    collect::{
        iam::{Iam as _, Making, ReportReply, UserDevices, UserPage, UsersIam},
        pages::pages,
    },
    model::{
        facts::{Devices, Fault},
        time::Uptime,
    },
};

/// An error that is an answer: its status and its code.
type Refusal = (u16, &'static str);

/// There is no such user, or no such password.
const NO_SUCH_ENTITY: Refusal = (404, "NoSuchEntity");
/// Too many reports are being made.
const LIMIT_EXCEEDED: Refusal = (409, "LimitExceeded");
/// The report is being made.
const IN_PROGRESS: Refusal = (404, "ReportInProgress");
/// There is no report.
const NOT_PRESENT: Refusal = (410, "ReportNotPresent");
/// There is none that is young enough to be given.
const EXPIRED: Refusal = (410, "ReportExpired");

impl UsersIam for AccountIam {
    async fn users(&self, marker: Option<String>) -> Result<UserPage, Fault> {
        const OPERATION: &str = "ListUsers";
        let caller = self.session.caller();
        let tap = ReplyTap::default();
        let request = || {
            let request = caller.clients.iam.list_users().max_items(PAGE_SIZE).set_marker(marker.clone());
            let request = request.customize().config_override(iam_as(&self.verified.credentials));
            request.interceptor(tap.clone()).send()
        };
        let identity = &self.verified.identity;
        caller.send("iam", OPERATION, request, |_| tap.xml(OPERATION, |result| reply::users(result, identity))).await
    }

    async fn devices_of(&self, user: &str) -> Result<Option<UserDevices>, Fault> {
        let mut all = Some(Serials::new());
        let page = |marker| self.devices_page(user, marker);
        pages("ListMFADevices", page, |page| {
            let Some((more, next)) = page else {
                all = None;
                return None;
            };
            if let Some(all) = &mut all {
                all.extend(more);
            }
            next
        })
        .await?;
        let Some(all) = all else { return Ok(None) };
        let since = all.values().copied().min().unwrap_or(self.now().mono);
        Ok(Some(UserDevices { devices: Devices::of_serials(all.keys().map(String::as_str)), since }))
    }

    async fn password_of(&self, user: &str) -> Result<Option<Uptime>, Fault> {
        const OPERATION: &str = "GetLoginProfile";
        let caller = self.session.caller();
        let tap = ReplyTap::default();
        let request = || {
            let request = caller.clients.iam.get_login_profile().user_name(user);
            let request = request.customize().config_override(iam_as(&self.verified.credentials));
            let sent = request.interceptor(tap.clone()).send();
            async { or_refused(sent.await, &[NO_SUCH_ENTITY]) }
        };
        let read = |refused| {
            let dates = tap.dates(self.now());
            answer(&tap, OPERATION, refused, |result| reply::login_profile(result, user, &dates))
        };
        let profile = caller.send("iam", OPERATION, request, read).await?;
        Ok(profile.ok())
    }

    async fn generate_report(&self) -> Result<Making, Fault> {
        const OPERATION: &str = "GenerateCredentialReport";
        let caller = self.session.caller();
        let tap = ReplyTap::default();
        let request = || {
            let request = caller.clients.iam.generate_credential_report().customize();
            let request = request.config_override(iam_as(&self.verified.credentials));
            let sent = request.interceptor(tap.clone()).send();
            async { or_refused(sent.await, &[LIMIT_EXCEEDED]) }
        };
        let making =
            caller.send("iam", OPERATION, request, |refused| answer(&tap, OPERATION, refused, reply::making)).await?;
        Ok(making.unwrap_or(Making::Limited))
    }

    async fn report(&self) -> Result<ReportReply, Fault> {
        const OPERATION: &str = "GetCredentialReport";
        let caller = self.session.caller();
        let tap = ReplyTap::over_a_report();
        let request = || {
            let request = caller.clients.iam.get_credential_report().customize();
            let request = request.config_override(iam_as(&self.verified.credentials));
            let sent = request.interceptor(tap.clone()).send();
            async { or_refused(sent.await, &[IN_PROGRESS, NOT_PRESENT, EXPIRED]) }
        };
        let reply =
            caller.send("iam", OPERATION, request, |refused| answer(&tap, OPERATION, refused, reply::report)).await?;
        Ok(reply.unwrap_or_else(|refused| match refused {
            IN_PROGRESS => ReportReply::InProgress,
            _ => ReportReply::Absent,
        }))
    }
}

impl AccountIam {
    /// One page of a user's devices, by serial number, and from when on each was there; `None` where there is no such
    /// user.
    async fn devices_page(
        &self,
        user: &str,
        marker: Option<String>,
    ) -> Result<Option<(Serials, Option<String>)>, Fault> {
        const OPERATION: &str = "ListMFADevices";
        let caller = self.session.caller();
        let tap = ReplyTap::default();
        let request = || {
            let request = caller.clients.iam.list_mfa_devices().user_name(user).set_marker(marker.clone());
            let request = request.customize().config_override(iam_as(&self.verified.credentials));
            let sent = request.interceptor(tap.clone()).send();
            async { or_refused(sent.await, &[NO_SUCH_ENTITY]) }
        };
        let read = |refused| {
            let dates = tap.dates(self.now());
            answer(&tap, OPERATION, refused, |result| reply::devices(result, user, &dates))
        };
        caller.send("iam", OPERATION, request, read).await.map(Result::ok)
    }
}

/// A reply (`None`), or which of `refusals` IAM has answered with instead.
#[expect(clippy::result_large_err, reason = "it is the SDK's own error, on its way to becoming a fault")]
fn or_refused<T, E: ProvideErrorMetadata>(
    sent: Result<T, SdkError<E, HttpResponse>>,
    refusals: &'static [Refusal],
) -> Result<Option<Refusal>, SdkError<E, HttpResponse>> {
    let error = match sent {
        Ok(_) => return Ok(None),
        Err(error) => error,
    };
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(|error| error.meta().code());
    let refused = refusals.iter().find(|(wanted, word)| status == Some(*wanted) && code == Some(*word));
    refused.map(|refused| Some(*refused)).ok_or(error)
}

/// What `read` makes of the result, or the refusal, if it can be believed as one.
fn answer<T>(
    tap: &ReplyTap,
    operation: &str,
    refused: Option<Refusal>,
    read: impl FnOnce(Element<'_>) -> Result<T, ReplyError>,
) -> Result<Result<T, Refusal>, ReplyError> {
    match refused {
        None => tap.xml(operation, read).map(Ok),
        Some(refused) if tap.xml_error()? == refused.1 => Ok(Err(refused)),
        Some(_) => Err(ReplyError::Ambiguous),
    }
}
