//! Collector `devices`: every page of the assigned virtual devices, between two
//! summaries that must agree.
//!
//! The summaries are what ties the list to a state of the account: a change
//! that moves a counter while pages are being read voids the run. What they
//! cannot show is a change that is undone before the second of them: root's
//! virtual device, deactivated just before the list and activated just after it,
//! leaves a list without it between two summaries that say "MFA is on". So a
//! list that speaks for a pass needs another that says the same of the same
//! fingerprint: the run's just before this one, or else a second reading now.
//!
//! What stays unseen: two such dips, around two lists in a row; a hardware device
//! that was replaced by a spare virtual one between two heartbeats, followed by
//! a dip around the very next list; and, past a thousand devices, one device
//! that replaces another between two pages, twice.

use std::collections::BTreeSet;

use super::{Finding, Iam};
use crate::{
    facts::{Fault, FaultClass, Summary, VirtualDevices},
    snapshot::News,
};

/// A list that is longer than any account's quota of devices is no list.
const MOST_PAGES: usize = 1_000;

/// Reads the list: once more where the account changed meanwhile, and once more
/// where it speaks for a pass that `before`, the list of the run just before
/// this one, does not confirm.
pub async fn collect(iam: &impl Iam, root_arn: &str, before: Option<VirtualDevices>) -> Finding {
    let read = match read(iam, root_arn, before).await {
        Err(fault) if fault.class == FaultClass::Changed => read(iam, root_arn, before).await,
        read => read,
    };
    match read {
        Ok((summary, devices)) => Finding { fault: super::missing_keys(&summary), news: News::Devices(devices) },
        Err(fault) => Finding::nothing(fault),
    }
}

async fn read(
    iam: &impl Iam,
    root_arn: &str,
    before: Option<VirtualDevices>,
) -> Result<(Summary, VirtualDevices), Fault> {
    let summary = iam.summary().await?;
    let devices = between(iam, root_arn, summary).await?;
    let speaks_for_a_pass = summary.mfa_enabled == Some(true) && devices.root_owned == 0 && devices.unowned == 0;
    if speaks_for_a_pass && before != Some(devices) && between(iam, root_arn, summary).await? != devices {
        return Err(changed());
    }
    Ok((summary, devices))
}

/// Reads the pages, after `before` and before a summary that must equal it.
async fn between(iam: &impl Iam, root_arn: &str, before: Summary) -> Result<VirtualDevices, Fault> {
    let mut devices = VirtualDevices { root_owned: 0, unowned: 0, fingerprint: before.fingerprint() };
    read_pages(iam, |owner| match owner {
        Some(owner) if owner == root_arn => devices.root_owned += 1,
        Some(_) => {}
        None => devices.unowned += 1,
    })
    .await?;
    if iam.summary().await? == before { Ok(devices) } else { Err(changed()) }
}

fn changed() -> Fault {
    Fault::new(FaultClass::Changed, "ListVirtualMFADevices: the account changed while its devices were listed")
}

async fn read_pages(iam: &impl Iam, mut device: impl FnMut(Option<&str>)) -> Result<(), Fault> {
    let mut markers = BTreeSet::new();
    let mut marker = None;
    loop {
        let page = iam.assigned_devices(marker).await?;
        page.owners.iter().for_each(|owner| device(owner.as_deref()));
        let Some(next) = page.next else { return Ok(()) };
        if !markers.insert(next.clone()) || markers.len() > MOST_PAGES {
            return Err(Fault::new(
                FaultClass::MalformedReply,
                "ListVirtualMFADevices: the list leads back to a page already read",
            ));
        }
        marker = Some(next);
    }
}
