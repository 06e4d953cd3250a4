//! The verdicts on the root user: IAM.9, IAM.6 and IAM.4.
//!
//! Each rule is a list of conditions of which the first that matches decides,
//! written in the order of the table in deploy/verdicts.md. Two choices
//! differ from Security Hub on purpose. A root user without any credential is
//! `not_applicable`, as AWS Config has it, where Security Hub CSPM reports PASSED.
//! And a root user whose only credential is an access key is `failed`, although
//! Security Hub looks at the password alone: that key is single-factor access
//! to everything.
//!
//! There are two sides to the evidence: what the role in the account has read, and what
//! an audit from outside has (`audit`).

mod audit;
mod devices;

pub use devices::RootDeviceCounts;

use super::{Cadence, Control, Reason, Status, Verdict};
use crate::model::{
    account::{Account, Partition},
    facts::{Changes, Confirmation, Known, RootAudit, RootReading, Summary, VirtualDevices},
    time::Moment,
};

/// All that the verdicts on one account's root user rest on.
#[derive(Clone, Copy, Debug, Default)]
pub struct RootEvidence<'a> {
    /// The last heartbeat that was read.
    pub reading: Option<&'a Known<RootReading>>,
    /// The last complete list of virtual devices.
    pub devices: Option<&'a Known<VirtualDevices>>,
    /// The last audit of root, if it is young enough to be judged.
    pub audit: Option<&'a Known<RootAudit>>,
    /// When the account was last seen to have changed.
    pub changes: Changes,
}

impl RootEvidence<'_> {
    /// The heartbeat while it is fresh; without one, the summary of an audit that nothing
    /// contradicts.
    #[must_use]
    pub fn summary(&self, cadence: &Cadence, now: Moment) -> Option<Known<RootReading>> {
        if let Some(reading) = cadence.fresh_reading(self.reading, now) {
            return Some(reading.clone());
        }
        let audit = self.audit.filter(|audit| audit::is_undisputed(audit, self, false))?;
        Some(Known::new(audit.value.reading, audit.as_of))
    }
}

/// Judges one control on the evidence as it stands at `now`. Of a control that is
/// not about root, root's evidence says nothing.
#[must_use]
pub fn judge(
    control: Control,
    account: &Account,
    evidence: RootEvidence<'_>,
    cadence: &Cadence,
    now: Moment,
) -> Verdict {
    let own = by_role(control, account, evidence, cadence, now);
    if !control.is_of_root() {
        return own;
    }
    let is_watched = cadence.fresh_reading(evidence.reading, now).is_some();
    audit::weigh(own, control, account, &evidence, is_watched)
}

/// What the account's own role has read says.
fn by_role(control: Control, account: &Account, evidence: RootEvidence<'_>, cadence: &Cadence, now: Moment) -> Verdict {
    let Some(reading) = cadence.fresh_reading(evidence.reading, now) else {
        return Verdict::unknown(if evidence.reading.is_some() { Reason::Stale } else { Reason::NotRead });
    };
    // No reading without credentials, and none of those without their partition.
    let Some(partition) = &account.partition else { return Verdict::unknown(Reason::NotRead) };
    let mfa = || mfa(partition, account.management, reading);
    match control {
        Control::Iam9 => mfa(),
        Control::Iam6 => hardware_mfa(mfa(), reading, cadence.fresh_devices(evidence.devices, now), &evidence.changes),
        Control::Iam4 => access_key(reading),
        Control::Cognito5 | Control::Iam5 | Control::Iam19 => Verdict::unknown(Reason::NotRead),
    }
}

/// IAM.9: MFA should be enabled for the root user.
fn mfa(partition: &Partition, is_management: bool, reading: &Known<RootReading>) -> Verdict {
    let summary = &reading.value.summary;
    let known = |status, reason| Verdict::known(status, reason, reading.as_of);
    // Row 0. The partition was proved by the credentials behind this reading.
    if partition.is_us_gov() {
        return known(Status::NotApplicable, Reason::GovCloud);
    }
    // Row 1. One reading can come from a replica that lags; two that agree page.
    match reading.value.confirmation {
        Confirmation::Disagreed | Confirmation::Lost => return Verdict::unknown(Reason::Unconfirmed),
        Confirmation::NotNeeded if summary.is_unprotected() => return Verdict::unknown(Reason::Unconfirmed),
        Confirmation::Agreed if summary.is_unprotected() => return known(Status::Failed, Reason::RootUnprotected),
        Confirmation::Agreed | Confirmation::NotNeeded => {}
    }
    // Row 2. Never by default: each of the three must have been said to be 0.
    if summary.credentials_absent() {
        return if is_management {
            managed_without_credentials(summary, reading.as_of)
        } else {
            known(Status::NotApplicable, Reason::NoRootCredentials)
        };
    }
    // Row 3, then row 4.
    match summary.mfa_enabled {
        Some(true) => known(Status::Passed, Reason::RootHasMfa),
        Some(false) | None => Verdict::unknown(Reason::MissingKey),
    }
}

/// A management account's root cannot lose its credentials, so a summary that
/// shows none is not believed in that; an MFA device that it shows still counts.
fn managed_without_credentials(summary: &Summary, as_of: Moment) -> Verdict {
    match summary.mfa_enabled {
        Some(true) => Verdict::known(Status::Passed, Reason::RootHasMfa, as_of),
        Some(false) | None => Verdict::unknown(Reason::ManagementWithoutCredentials),
    }
}

/// IAM.6: hardware MFA should be enabled for the root user. Nothing readable
/// from inside the account names root's hardware devices, so this is what AWS
/// Config does: MFA is on, and none of the virtual devices is root's.
fn hardware_mfa(
    mfa: Verdict,
    reading: &Known<RootReading>,
    devices: Option<&Known<VirtualDevices>>,
    changes: &Changes,
) -> Verdict {
    if matches!(mfa.status, Status::Failed | Status::NotApplicable) {
        return mfa;
    }
    let Some(devices) = devices else { return Verdict::unknown(Reason::DevicesNotRead) };
    // An outdated list supports nothing, neither a pass nor a failure.
    if !devices.value.is_of(&reading.value.summary) {
        return Verdict::unknown(Reason::DevicesOutdated);
    }
    // The summaries around the list showed the same root as the heartbeat does,
    // so the verdict is right of the moment of the list, whichever came first.
    let as_of = devices.as_of;
    if devices.value.root_owned > 0 {
        return Verdict::known(Status::Failed, Reason::RootHasVirtualDevice, as_of);
    }
    if devices.value.unowned > 0 {
        return Verdict::unknown(Reason::DeviceWithoutOwner);
    }
    match mfa.status {
        // The replica that gave the list may not have heard of a device that the counters
        // show already.
        Status::Passed if !changes.is_settled(as_of) => Verdict::unknown(Reason::Unsettled),
        Status::Passed => Verdict::known(Status::Passed, Reason::NoVirtualDevice, as_of),
        _ => mfa,
    }
}

/// IAM.4: the root user should have no access key. A GovCloud root may have
/// one, so this control is judged in every partition.
fn access_key(reading: &Known<RootReading>) -> Verdict {
    match reading.value.summary.access_keys {
        Some(true) => Verdict::known(Status::Failed, Reason::RootHasAccessKey, reading.as_of),
        Some(false) => Verdict::known(Status::Passed, Reason::NoRootAccessKey, reading.as_of),
        None => Verdict::unknown(Reason::MissingKey),
    }
}
