//! Collector `devices`: every page of the assigned virtual devices, between two
//! summaries that must agree.
//!
//! The summaries are what ties the list to a state of the account: a change
//! that moves a counter while pages are being read voids the run. What they
//! cannot show is one device replacing another between two pages without any
//! counter moving; with pages of a thousand devices that takes an account of
//! more than a thousand, and an accident of a second.

use std::collections::BTreeSet;

use super::{Finding, Iam};
use crate::{
    facts::{Fault, FaultClass, Summary, VirtualDevices},
    snapshot::News,
};

/// A list that is longer than any account's quota of devices is no list.
const MOST_PAGES: usize = 1_000;

/// Reads the list; once more where the account changed meanwhile.
pub async fn collect(iam: &impl Iam, root_arn: &str) -> Finding {
    let changed = match read(iam, root_arn).await {
        Err(fault) if fault.class == FaultClass::Changed => read(iam, root_arn).await,
        read => read,
    };
    match changed {
        Ok(devices) => Finding { fault: super::missing_keys(&devices.0), news: News::Devices(devices.1) },
        Err(fault) => Finding::nothing(fault),
    }
}

async fn read(iam: &impl Iam, root_arn: &str) -> Result<(Summary, VirtualDevices), Fault> {
    let before = iam.summary().await?;
    let mut devices = VirtualDevices { root_owned: 0, unowned: 0, fingerprint: before.fingerprint() };
    read_pages(iam, |owner| match owner {
        Some(owner) if owner == root_arn => devices.root_owned += 1,
        Some(_) => {}
        None => devices.unowned += 1,
    })
    .await?;
    let after = iam.summary().await?;
    if before == after {
        Ok((after, devices))
    } else {
        Err(Fault::new(FaultClass::Changed, "ListVirtualMFADevices: the account changed while its devices were listed"))
    }
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
