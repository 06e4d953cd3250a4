//! The reads about users, made of real requests.
//!
//! Some of IAM's errors are answers: that a user has no password, that a report
//! is not ready. They come out of the request itself as such, so that they are
//! neither counted as failures nor tried again; and only as IAM sends them, with
//! the code *and* the status, for some other 404 is no proof of anything.

use aws_sdk_iam::types::ReportStateType;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};

use super::{
    call::iam_as,
    iam::{AccountIam, PAGE_SIZE, next_page, without},
    wire::ReplyTap,
};
use crate::{
    collect::iam::{Iam as _, ListedUser, Making, ReportReply, UserDevices, UserPage, UsersIam},
    model::{
        facts::{DeviceKind, Devices, Fault, FaultClass},
        time::{Timestamp, Uptime},
    },
};

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
        let reply = caller.send("iam", OPERATION, request).await?;
        let next = next_page(OPERATION, &tap, "Users")?;
        Ok(UserPage { users: reply.users().iter().map(listed).collect::<Result<_, _>>()?, next })
    }

    async fn devices_of(&self, user: &str) -> Result<Option<UserDevices>, Fault> {
        const OPERATION: &str = "ListMFADevices";
        let caller = self.session.caller();
        let (mut devices, mut since) = (Devices::default(), None::<Uptime>);
        let mut marker: Option<String> = None;
        loop {
            let tap = ReplyTap::default();
            let request = || {
                let request = caller.clients.iam.list_mfa_devices().user_name(user).set_marker(marker.clone());
                let request = request.customize().config_override(iam_as(&self.verified.credentials));
                let sent = request.interceptor(tap.clone()).send();
                async {
                    unless(
                        sent.await,
                        404,
                        aws_sdk_iam::operation::list_mfa_devices::ListMFADevicesError::is_no_such_entity_exception,
                    )
                }
            };
            let Some(reply) = caller.send("iam", OPERATION, request).await? else { return Ok(None) };
            let received = self.now();
            let next = next_page(OPERATION, &tap, "MFADevices")?;
            for device in reply.mfa_devices() {
                if device.user_name() != user {
                    let detail = format!("{OPERATION}: the reply is about another user");
                    return Err(Fault::new(FaultClass::MalformedReply, detail));
                }
                devices.add(DeviceKind::of_serial(device.serial_number()), 1);
                let enabled = tap.since(Some(device.enable_date()), received);
                since = Some(since.map_or(enabled, |since| since.min(enabled)));
            }
            match next {
                None => return Ok(Some(UserDevices { devices, since: since.unwrap_or(received.mono) })),
                // A user has eight devices at most, and a page holds a hundred.
                Some(next) if marker.as_ref() == Some(&next) => {
                    let detail = format!("{OPERATION}: the list leads back to a page already read");
                    return Err(Fault::new(FaultClass::MalformedReply, detail));
                }
                Some(next) => marker = Some(next),
            }
        }
    }

    async fn password_of(&self, user: &str) -> Result<Option<Uptime>, Fault> {
        const OPERATION: &str = "GetLoginProfile";
        let caller = self.session.caller();
        let tap = ReplyTap::default();
        let request = || {
            let request = caller.clients.iam.get_login_profile().user_name(user);
            let request = request.customize().config_override(iam_as(&self.verified.credentials));
            let sent = request.interceptor(tap.clone()).send();
            async {
                unless(
                    sent.await,
                    404,
                    aws_sdk_iam::operation::get_login_profile::GetLoginProfileError::is_no_such_entity_exception,
                )
            }
        };
        let Some(reply) = caller.send("iam", OPERATION, request).await? else { return Ok(None) };
        match reply.login_profile() {
            Some(profile) if profile.user_name() == user => {
                Ok(Some(tap.since(Some(profile.create_date()), self.now())))
            }
            _ => Err(without(OPERATION, "LoginProfile of this user")),
        }
    }

    async fn generate_report(&self) -> Result<Making, Fault> {
        const OPERATION: &str = "GenerateCredentialReport";
        let caller = self.session.caller();
        let tap = ReplyTap::default();
        let request = || {
            let request = caller.clients.iam.generate_credential_report().customize();
            let request = request.config_override(iam_as(&self.verified.credentials));
            let sent = request.interceptor(tap.clone()).send();
            async {
                unless(sent.await, 409, aws_sdk_iam::operation::generate_credential_report::GenerateCredentialReportError::is_limit_exceeded_exception)
            }
        };
        let Some(reply) = caller.send("iam", OPERATION, request).await? else { return Ok(Making::Limited) };
        match reply.state() {
            Some(ReportStateType::Complete) => Ok(Making::Complete),
            Some(ReportStateType::Started | ReportStateType::Inprogress) => Ok(Making::UnderWay),
            _ => Err(without(OPERATION, "State that is known")),
        }
    }

    async fn report(&self) -> Result<ReportReply, Fault> {
        use aws_sdk_iam::operation::get_credential_report::GetCredentialReportError as Refusal;
        const OPERATION: &str = "GetCredentialReport";
        let caller = self.session.caller();
        let tap = ReplyTap::over_a_report();
        let request = || {
            let request = caller.clients.iam.get_credential_report().customize();
            let request = request.config_override(iam_as(&self.verified.credentials));
            let sent = request.interceptor(tap.clone()).send();
            async {
                match unless(sent.await, 404, Refusal::is_credential_report_not_ready_exception) {
                    Ok(Some(reply)) => Ok(Ok(reply)),
                    Ok(None) => Ok(Err(ReportReply::InProgress)),
                    Err(error) => {
                        let is_absent = |error: &Refusal| {
                            error.is_credential_report_not_present_exception()
                                || error.is_credential_report_expired_exception()
                        };
                        unless(Err(error), 410, is_absent).map(|reply| reply.ok_or(ReportReply::Absent))
                    }
                }
            }
        };
        let reply = match caller.send("iam", OPERATION, request).await? {
            Ok(reply) => reply,
            Err(answer) => return Ok(answer),
        };
        let text = reply.content().ok_or_else(|| without(OPERATION, "Content"))?;
        let generated = reply.generated_time().ok_or_else(|| without(OPERATION, "GeneratedTime"))?;
        let text = text.as_ref().to_vec();
        Ok(ReportReply::Ready { text, generated: Timestamp::from_millis(generated.secs().saturating_mul(1_000)) })
    }
}

/// A reply, or `None` where IAM's refusal is an answer: of this status, and of the
/// code that `is_answer` looks for.
#[expect(clippy::result_large_err, reason = "it is the SDK's own error, on its way to becoming a fault")]
fn unless<T, E>(
    sent: Result<T, SdkError<E, HttpResponse>>,
    status: u16,
    is_answer: impl Fn(&E) -> bool,
) -> Result<Option<T>, SdkError<E, HttpResponse>> {
    match sent {
        Ok(reply) => Ok(Some(reply)),
        Err(SdkError::ServiceError(error)) if error.raw().status().as_u16() == status && is_answer(error.err()) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn listed(user: &aws_sdk_iam::types::User) -> Result<ListedUser, Fault> {
    const OPERATION: &str = "ListUsers";
    for (what, text) in [("UserId", user.user_id()), ("UserName", user.user_name()), ("Arn", user.arn())] {
        if text.is_empty() {
            return Err(without(OPERATION, what));
        }
    }
    let seconds = |at: &aws_smithy_types::DateTime| Timestamp::from_millis(at.secs().saturating_mul(1_000));
    Ok(ListedUser {
        id: user.user_id().into(),
        name: user.user_name().to_owned(),
        arn: user.arn().to_owned(),
        created: seconds(user.create_date()),
        password_last_used: user.password_last_used().map(seconds),
    })
}
