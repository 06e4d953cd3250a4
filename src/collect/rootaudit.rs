//! Collector `rootaudit`: root's own devices, read as root from outside the account.
//!
//! The answer that hands the session out names no account. So the first question is who
//! it is, and nothing else is asked, or believed, before root of the wanted account has
//! answered. Then root's devices are listed between two summaries that must be the same,
//! and must be possible together with the list. A summary that shows root unprotected is
//! asked for again five seconds later. A list that speaks for a pass is read twice, unless
//! the audit before this one says the same: between two summaries a device can be switched
//! off and on again.

use std::{future::Future, time::Duration};

use super::{
    Finding, changes::SharedChanges, iam::RootDevice, missing_keys, pages::pages, root::CONFIRM_AFTER, seal::seal,
};
use crate::model::{
    account::Identity,
    facts::{Confirmation, Devices, Fault, FaultClass, RootAudit, RootReading, Summary},
    snapshot::News,
    time::Moment,
};

/// The reads of IAM that a session of root may make, by the audit task policy.
pub trait RootIam {
    /// The time.
    fn now(&self) -> Moment;

    /// `iam:GetUser`: the ARN of whoever asks.
    fn whose(&self) -> impl Future<Output = Result<String, Fault>> + Send;

    /// `iam:GetAccountSummary`.
    fn summary(&self) -> impl Future<Output = Result<Summary, Fault>> + Send;

    /// One page of `iam:ListMFADevices` of root.
    fn devices(&self, marker: Option<String>) -> impl Future<Output = Result<RootDevicePage, Fault>> + Send;

    /// Lets time pass before something is asked again.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// One page of root's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootDevicePage {
    /// The devices.
    pub devices: Vec<RootDevice>,
    /// Where the list goes on.
    pub next: Option<String>,
}

/// Audits root of `wanted`, after the audit `before`: once more where the account changed
/// meanwhile.
pub async fn collect(
    iam: &impl RootIam,
    wanted: &Identity,
    before: Option<RootAudit>,
    changes: &SharedChanges,
) -> Finding {
    if let Err(fault) = prove(iam, wanted).await {
        return Finding::nothing(fault);
    }
    let read = match read(iam, before, changes).await {
        Err(fault) if fault.class == FaultClass::Changed => read(iam, before, changes).await,
        read => read,
    };
    match read {
        Ok(audit) => Finding { fault: missing_keys(&audit.reading.summary), news: News::Audit(audit) },
        Err(fault) => Finding::nothing(fault),
    }
}

/// Whether the session is root's of the wanted account.
async fn prove(iam: &impl RootIam, wanted: &Identity) -> Result<(), Fault> {
    if iam.whose().await? == wanted.root_arn() {
        return Ok(());
    }
    let detail = format!("GetUser: the session is not of the root user of account {}", wanted.account);
    Err(Fault::new(FaultClass::WrongAccount, detail).advising(
        "report this with the exporter's log: AWS gave a session for another principal. The exporter has read nothing \
         with it",
    ))
}

async fn read(iam: &impl RootIam, before: Option<RootAudit>, changes: &SharedChanges) -> Result<RootAudit, Fault> {
    let first = summary(iam, changes).await?;
    let confirmation = if first.is_unprotected() {
        iam.pause(CONFIRM_AFTER).await;
        Confirmation::Agreed
    } else {
        Confirmation::NotNeeded
    };
    let listed = between(iam, first, changes).await?;
    let audit = audit(RootReading { summary: first, confirmation }, &listed, changes)?;
    let speaks_for_a_pass = first.mfa_enabled == Some(true) && audit.not_virtual() == audit.devices.total();
    let is_known = audit.seal.is_some() && before == Some(audit);
    if speaks_for_a_pass && !is_known && between(iam, first, changes).await? != listed {
        return Err(changed());
    }
    Ok(audit)
}

/// Root's devices in order, read after `before` and before a summary that must equal it.
async fn between(iam: &impl RootIam, before: Summary, changes: &SharedChanges) -> Result<Vec<RootDevice>, Fault> {
    let mut all = Vec::new();
    let read = |marker| iam.devices(marker);
    pages("ListMFADevices", read, |page: RootDevicePage| {
        all.extend(page.devices);
        page.next
    })
    .await?;
    all.sort();
    let is_ambiguous = all.windows(2).any(|two| two[0].serial == two[1].serial);
    if is_ambiguous || summary(iam, changes).await? != before { Err(changed()) } else { Ok(all) }
}

async fn summary(iam: &impl RootIam, changes: &SharedChanges) -> Result<Summary, Fault> {
    let summary = iam.summary().await?;
    changes.summary(&summary, iam.now());
    Ok(summary)
}

fn audit(reading: RootReading, listed: &[RootDevice], changes: &SharedChanges) -> Result<RootAudit, Fault> {
    let devices = Devices::of_serials(listed.iter().map(|device| &*device.serial));
    let seal = changes.get().key.and_then(|key| seal(key, listed.to_vec()));
    let audit = RootAudit { reading, devices, seal };
    if audit.is_consistent() {
        return Ok(audit);
    }
    let detail = "ListMFADevices: the list of root's devices and the account summary contradict each other";
    Err(Fault::new(FaultClass::Changed, detail))
}

fn changed() -> Fault {
    Fault::new(FaultClass::Changed, "ListMFADevices: the account changed while root's devices were listed")
}
