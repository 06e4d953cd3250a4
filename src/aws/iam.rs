//! The collectors' reads, made of real requests.

use std::time::Duration;

use aws_sdk_iam::types::AssignmentStatusType;

use super::{
    call::iam_as,
    reply,
    session::{Session, Verified},
    wire::ReplyTap,
};
use crate::{
    collect::iam::{DevicePage, Iam},
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
}

impl AccountIam {
    /// IAM as `verified` sees it.
    #[must_use]
    pub fn new(session: Session, verified: Verified) -> Self {
        Self { session, verified }
    }
}

impl Iam for AccountIam {
    fn now(&self) -> Moment {
        self.session.caller().clock().now()
    }

    async fn summary(&self) -> Result<Summary, Fault> {
        const OPERATION: &str = "GetAccountSummary";
        let caller = self.session.caller();
        let tap = ReplyTap::default();
        let request = || {
            let request = caller.clients.iam.get_account_summary().customize();
            request.config_override(iam_as(&self.verified.credentials)).interceptor(tap.clone()).send()
        };
        caller.send("iam", OPERATION, request, |_| tap.xml(OPERATION, reply::summary)).await
    }

    async fn assigned_devices(&self, marker: Option<String>) -> Result<DevicePage, Fault> {
        const OPERATION: &str = "ListVirtualMFADevices";
        let caller = self.session.caller();
        let tap = ReplyTap::default();
        let request = || {
            let request = caller.clients.iam.list_virtual_mfa_devices();
            let request = request
                .assignment_status(AssignmentStatusType::Assigned)
                .max_items(PAGE_SIZE)
                .set_marker(marker.clone());
            let request = request.customize().config_override(iam_as(&self.verified.credentials));
            request.interceptor(tap.clone()).send()
        };
        let identity = &self.verified.identity;
        let read = |_| {
            let dates = tap.dates(self.now());
            tap.xml(OPERATION, |result| reply::virtual_devices(result, identity, &dates))
        };
        caller.send("iam", OPERATION, request, read).await
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
