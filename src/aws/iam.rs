//! The collectors' reads, made of real requests.

use std::time::Duration;

use aws_sdk_iam::types::{AssignmentStatusType, SummaryKeyType};

use super::{
    call::iam_as,
    fault,
    session::{Session, Verified},
    wire::{Page, ReplyTap, ShapeError},
};
use crate::{
    collect::iam::{DevicePage, Iam, Owner},
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
        let reply = caller.send("iam", OPERATION, request).await?;
        let shape = tap.shape().map_err(|error| fault::of_shape(OPERATION, &error))?;
        shape
            .require("SummaryMap")
            .and_then(|()| shape.require_unique_keys())
            .map_err(|error| fault::of_shape(OPERATION, &error))?;
        let number = |key: &SummaryKeyType| {
            let value = reply.summary_map().and_then(|map| map.get(key)).copied();
            value.and_then(|value| u32::try_from(value).ok())
        };
        let present = |key: &SummaryKeyType| number(key).map(|value| value > 0);
        Ok(Summary {
            mfa_enabled: present(&SummaryKeyType::AccountMfaEnabled),
            password: present(&SummaryKeyType::AccountPasswordPresent),
            access_keys: present(&SummaryKeyType::AccountAccessKeysPresent),
            signing_certificates: present(&SummaryKeyType::AccountSigningCertificatesPresent),
            users: number(&SummaryKeyType::Users),
            mfa_devices: number(&SummaryKeyType::MfaDevices),
            mfa_devices_in_use: number(&SummaryKeyType::MfaDevicesInUse),
        })
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
        let reply = caller.send("iam", OPERATION, request).await?;
        let received = self.now();
        let next = next_page(OPERATION, &tap, "VirtualMFADevices")?;
        let owner = |device: &aws_sdk_iam::types::VirtualMfaDevice| {
            let user = device.user().filter(|user| !user.arn().is_empty())?;
            // Nobody has an ARN for an id, so an owner without one is nobody's device.
            let id = if user.user_id().is_empty() { user.arn() } else { user.user_id() };
            let since = tap.since(device.enable_date(), received);
            Some(Owner { arn: user.arn().to_owned(), id: id.into(), since })
        };
        Ok(DevicePage { owners: reply.virtual_mfa_devices().iter().map(owner).collect(), next })
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// Where a list goes on, as the raw reply says.
pub(super) fn next_page(operation: &'static str, tap: &ReplyTap, list: &'static str) -> Result<Option<String>, Fault> {
    let page = tap.shape().and_then(|shape| shape.page(list));
    match page.map_err(|error| fault::of_shape(operation, &error))? {
        Page::Last => Ok(None),
        Page::More(marker) => Ok(Some(marker)),
    }
}

/// The fault of a reply without something that it must have.
pub(super) fn without(operation: &'static str, what: &'static str) -> Fault {
    fault::of_shape(operation, &ShapeError::Missing(what))
}
