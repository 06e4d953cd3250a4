//! The collectors' reads, made of real requests.

use std::time::Duration;

use aws_sdk_iam::{operation::get_account_summary::GetAccountSummaryOutput, types::AssignmentStatusType};
use aws_smithy_runtime_api::client::interceptors::context::Output;

use super::{
    operation::{Answer, Only, Operation},
    reply,
    session::{Session, Verified},
};
use crate::{
    collect::iam::{DevicePage, Iam},
    events::asked::Asked,
    model::{
        facts::{Fault, Summary},
        time::Moment,
    },
};

/// As many as a page can have: most accounts then have one.
pub(super) const PAGE_SIZE: i32 = 1_000;

/// IAM of one account, with credentials that are proved to be its own.
#[derive(Clone, Debug)]
pub struct AccountIam {
    pub(super) session: Session,
    pub(super) verified: Verified,
    /// Where calls are noted that may come back as events.
    asked: Option<Asked>,
}

impl AccountIam {
    /// IAM as `verified` sees it.
    #[must_use]
    pub fn new(session: Session, verified: Verified) -> Self {
        Self { session, verified, asked: None }
    }

    /// The same, and calls that may come back as events are noted.
    #[must_use]
    pub fn noting(self, asked: Option<Asked>) -> Self {
        Self { asked, ..self }
    }

    pub(super) fn client(&self) -> &aws_sdk_iam::Client {
        &self.session.caller().clients.iam
    }
}

/// What the SDK answers with in the place of a summary.
fn empty_summary() -> Output {
    Output::erase(GetAccountSummaryOutput::builder().build())
}

impl Iam for AccountIam {
    fn now(&self) -> Moment {
        self.session.caller().clock().now()
    }

    async fn summary(&self) -> Result<Summary, Fault> {
        let request = |Only { credentials, tap }: Only| {
            // Most calls are this one, and the SDK's decoder would be a third of it.
            let only = Only { credentials, tap: tap.undecoded(empty_summary) };
            self.client().get_account_summary().customize().config_override(only).send()
        };
        let read = |answer: Answer<'_>| {
            let (request, answered) = (answer.request, answer.dates.received.mono);
            answer.xml(reply::summary).map(|summary| (summary, request, answered))
        };
        let (asked, operation) = (self.now(), Operation::iam("GetAccountSummary"));
        let answer = self.session.caller().ask(&self.verified.credentials, operation, request, read).await;
        let (summary, request, answered) = answer?;
        if let (Some(calls), Some(id)) = (&self.asked, request) {
            calls.note(id, asked, answered);
        }
        Ok(summary)
    }

    async fn assigned_devices(&self, marker: Option<String>) -> Result<DevicePage, Fault> {
        let request = |only: Only| {
            let request = self.client().list_virtual_mfa_devices().assignment_status(AssignmentStatusType::Assigned);
            request.max_items(PAGE_SIZE).set_marker(marker.clone()).customize().config_override(only).send()
        };
        let identity = &self.verified.identity;
        let read = |answer: Answer<'_>| answer.xml(|result| reply::virtual_devices(result, identity, &answer.dates));
        self.session
            .caller()
            .ask(&self.verified.credentials, Operation::iam("ListVirtualMFADevices"), request, read)
            .await
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
