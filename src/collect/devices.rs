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
//! Operations are answered by replicas of their own: root's last device goes, and a
//! summary that lags still says "MFA is on"; or root gets a virtual device, and a list
//! that lags is without it. So the list is held against the last one ([`Changes::list`]),
//! and after a change that was seen nobody passes by a list that was asked for less than
//! a minute later.
//!
//! [`Changes::list`]: crate::model::facts::Changes::list
//!
//! What stays unseen: two such dips, around two lists in a row; a hardware device
//! that was replaced by a spare virtual one between two heartbeats, followed by
//! a dip around the very next list; and, past a thousand devices, one device
//! that replaces another between two pages, twice.

use std::collections::BTreeMap;

use super::{
    Finding,
    changes::SharedChanges,
    iam::{DevicePage, Iam},
    pages,
    root::summary,
    seal::seal,
};
use crate::model::{
    facts::{Fault, FaultClass, Summary, UserId, VirtualDevices, user::Virtual},
    snapshot::News,
    time::Moment,
};

/// The list as far as it is about users: who has which virtual devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// When its first page was asked for.
    pub at: Moment,
    /// The account before and after it was read.
    pub summary: Summary,
    /// How many devices it holds, root's and those of nobody known included.
    pub assigned: u32,
    /// The users with a virtual device.
    pub owners: BTreeMap<UserId, Virtual>,
}

/// What is known when a run begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prior {
    /// A summary that was read just now, by the heartbeat.
    pub summary: Option<Summary>,
    /// The list of the run just before this one.
    pub list: Option<VirtualDevices>,
}

/// Reads the list: once more where the account changed meanwhile, and once more
/// where it speaks for a pass that the list of the run before does not confirm.
pub async fn collect(
    iam: &impl Iam,
    root_arn: &str,
    prior: Prior,
    changes: &SharedChanges,
) -> (Finding, Option<Listed>) {
    let read = match read(iam, root_arn, prior, changes).await {
        Err(fault) if fault.class == FaultClass::Changed => {
            read(iam, root_arn, Prior { summary: None, ..prior }, changes).await
        }
        read => read,
    };
    match read {
        Ok((devices, listed)) => {
            let fault = super::missing_keys(&listed.summary);
            (Finding { fault, news: News::Devices(devices) }, Some(listed))
        }
        Err(fault) => (Finding::nothing(fault), None),
    }
}

async fn read(
    iam: &impl Iam,
    root_arn: &str,
    prior: Prior,
    changes: &SharedChanges,
) -> Result<(VirtualDevices, Listed), Fault> {
    let before = match prior.summary {
        Some(summary) => summary,
        None => summary(iam, changes).await?,
    };
    let (devices, listed) = between(iam, root_arn, before, changes).await?;
    let speaks_for_a_pass = before.mfa_enabled == Some(true) && devices.root_owned == 0 && devices.unowned == 0;
    if speaks_for_a_pass && prior.list != Some(devices) && between(iam, root_arn, before, changes).await?.0 != devices {
        return Err(changed());
    }
    changes.list(devices, listed.at);
    Ok((devices, listed))
}

/// Reads the pages, after `before` and before a summary that must equal it.
async fn between(
    iam: &impl Iam,
    root_arn: &str,
    before: Summary,
    changes: &SharedChanges,
) -> Result<(VirtualDevices, Listed), Fault> {
    let fingerprint = before.fingerprint();
    let mut devices = VirtualDevices { root_owned: 0, unowned: 0, others: None, roots: None, fingerprint };
    let mut roots = Vec::new();
    let mut listed = Listed { at: iam.now(), summary: before, assigned: 0, owners: BTreeMap::new() };
    pages(
        "ListVirtualMFADevices",
        |marker| iam.assigned_devices(marker),
        |page: DevicePage| {
            for owner in page.owners {
                listed.assigned += 1;
                match owner {
                    Some(owner) if owner.arn == root_arn => devices.root_owned += 1,
                    Some(owner) => listed.owners.entry(owner.id).or_default().add(owner.since),
                    None => devices.unowned += 1,
                }
            }
            roots.extend(page.roots);
            page.next
        },
    )
    .await?;
    devices.others = before.mfa_devices_in_use.and_then(|all| all.checked_sub(listed.assigned));
    devices.roots = changes.get().key.and_then(|key| seal(key, roots));
    // Of the devices that exist, and of those in use, these are a part.
    let most = [before.mfa_devices, before.mfa_devices_in_use].into_iter().flatten().min();
    let is_possible = most.is_none_or(|most| listed.assigned <= most);
    if summary(iam, changes).await? == before && is_possible { Ok((devices, listed)) } else { Err(changed()) }
}

fn changed() -> Fault {
    Fault::new(FaultClass::Changed, "ListVirtualMFADevices: the account changed while its devices were listed")
}
