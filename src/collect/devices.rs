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

use std::collections::BTreeMap;

use super::{
    Finding,
    iam::{DevicePage, Iam},
    pages,
};
use crate::model::{
    facts::{Counters, Fault, FaultClass, Summary, UserId, VirtualDevices},
    snapshot::News,
    time::Moment,
};

/// The list as far as it is about users: who has how many virtual devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// When the first request behind it was sent.
    pub at: Moment,
    /// The account's counters before and after it was read; `None` where the
    /// summary lacked one.
    pub counters: Option<Counters>,
    /// The users with a virtual device.
    pub owners: BTreeMap<UserId, u8>,
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
pub async fn collect(iam: &impl Iam, root_arn: &str, at: Moment, known: Prior) -> (Finding, Option<Listed>) {
    let read = match read(iam, root_arn, known).await {
        Err(fault) if fault.class == FaultClass::Changed => read(iam, root_arn, Prior { summary: None, ..known }).await,
        read => read,
    };
    match read {
        Ok((summary, (devices, owners))) => {
            let listed = Listed { at, counters: summary.counters(), owners };
            (Finding { fault: super::missing_keys(&summary), news: News::Devices(devices) }, Some(listed))
        }
        Err(fault) => (Finding::nothing(fault), None),
    }
}

type List = (VirtualDevices, BTreeMap<UserId, u8>);

async fn read(iam: &impl Iam, root_arn: &str, known: Prior) -> Result<(Summary, List), Fault> {
    let summary = match known.summary {
        Some(summary) => summary,
        None => iam.summary().await?,
    };
    let (devices, owners) = between(iam, root_arn, summary).await?;
    let speaks_for_a_pass = summary.mfa_enabled == Some(true) && devices.root_owned == 0 && devices.unowned == 0;
    if speaks_for_a_pass && known.list != Some(devices) && between(iam, root_arn, summary).await?.0 != devices {
        return Err(changed());
    }
    Ok((summary, (devices, owners)))
}

/// Reads the pages, after `before` and before a summary that must equal it.
async fn between(iam: &impl Iam, root_arn: &str, before: Summary) -> Result<List, Fault> {
    let mut devices = VirtualDevices { root_owned: 0, unowned: 0, fingerprint: before.fingerprint() };
    let mut owners = BTreeMap::new();
    pages(
        "ListVirtualMFADevices",
        |marker| iam.assigned_devices(marker),
        |page: DevicePage| {
            for owner in page.owners {
                match owner {
                    Some(owner) if owner.arn == root_arn => devices.root_owned += 1,
                    Some(owner) => {
                        let count = owners.entry(owner.id).or_insert(0u8);
                        *count = count.saturating_add(1);
                    }
                    None => devices.unowned += 1,
                }
            }
            page.next
        },
    )
    .await?;
    if iam.summary().await? == before { Ok((devices, owners)) } else { Err(changed()) }
}

fn changed() -> Fault {
    Fault::new(FaultClass::Changed, "ListVirtualMFADevices: the account changed while its devices were listed")
}
