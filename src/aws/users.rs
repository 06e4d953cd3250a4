//! The reads about users, made of real requests.

use super::{
    iam::{AccountIam, PAGE_SIZE},
    operation::{Answer, Only, Operation, Refusal},
    reply::{self, Serials},
};
use crate::{
    collect::{
        iam::{Iam as _, Making, Password, ReportReply, UserDevices, UserPage, UsersIam},
        pages::pages,
    },
    model::facts::{Devices, Fault},
};

/// There is no such user, or no such password.
const NO_SUCH_ENTITY: Refusal = (404, "NoSuchEntity");
/// How AWS's text begins where it is the user that there is none of: "The user with name
/// X cannot be found." Without a password it is "Login Profile for User X cannot be found."
const NO_USER: &str = "The user with name ";
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
        let request = |only: Only| {
            let request = self.client().list_users().max_items(PAGE_SIZE).set_marker(marker.clone());
            request.customize().config_override(only).send()
        };
        let read = |answer: Answer<'_>| answer.xml(|result| reply::users(result, &self.verified.identity));
        self.session.caller().ask(&self.verified.credentials, Operation::iam("ListUsers"), request, read).await
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

    async fn password_of(&self, user: &str) -> Result<Password, Fault> {
        let operation = Operation::iam("GetLoginProfile").of_a_user().or(&[NO_SUCH_ENTITY]);
        let request =
            |only: Only| self.client().get_login_profile().user_name(user).customize().config_override(only).send();
        let read =
            |answer: Answer<'_>| answer.xml_or_refusal(|result| reply::login_profile(result, user, &answer.dates));
        let answer = self.session.caller().ask(&self.verified.credentials, operation, request, read).await?;
        Ok(match answer {
            Ok(since) => Password::Since(since),
            Err(refused) if refused.message.starts_with(NO_USER) => Password::NoUser,
            Err(_) => Password::None,
        })
    }

    async fn generate_report(&self) -> Result<Making, Fault> {
        let operation = Operation::iam("GenerateCredentialReport").or(&[LIMIT_EXCEEDED]);
        let request = |only: Only| self.client().generate_credential_report().customize().config_override(only).send();
        let read = |answer: Answer<'_>| answer.xml_or_refusal(reply::making);
        let asked = self.session.caller().ask(&self.verified.credentials, operation, request, read);
        Ok(asked.await?.unwrap_or(Making::Limited))
    }

    async fn report(&self) -> Result<ReportReply, Fault> {
        let operation = Operation::iam("GetCredentialReport").or(&[IN_PROGRESS, NOT_PRESENT, EXPIRED]).with_report();
        let request = |only: Only| self.client().get_credential_report().customize().config_override(only).send();
        let read = |answer: Answer<'_>| answer.xml_or_refusal(reply::report);
        let asked = self.session.caller().ask(&self.verified.credentials, operation, request, read);
        Ok(asked.await?.unwrap_or_else(|refused| match refused.what {
            IN_PROGRESS => ReportReply::InProgress,
            _ => ReportReply::Absent,
        }))
    }
}

impl AccountIam {
    /// One page of a user's devices, by serial number, and from when on each was there;
    /// `None` where there is no such user.
    async fn devices_page(
        &self,
        user: &str,
        marker: Option<String>,
    ) -> Result<Option<(Serials, Option<String>)>, Fault> {
        let operation = Operation::iam("ListMFADevices").of_a_user().or(&[NO_SUCH_ENTITY]);
        let request = |only: Only| {
            let request = self.client().list_mfa_devices().user_name(user).set_marker(marker.clone());
            request.customize().config_override(only).send()
        };
        let read = |answer: Answer<'_>| answer.xml_or_refusal(|result| reply::devices(result, user, &answer.dates));
        Ok(self.session.caller().ask(&self.verified.credentials, operation, request, read).await?.ok())
    }
}
