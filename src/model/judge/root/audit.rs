//! What an audit says of root, and what of it counts beside what the account's own role
//! has read.
//!
//! The heartbeat is a minute old, an audit up to two hours. So an audit speaks where the
//! role does not: where there is none, or where it may not list devices. Two rules keep
//! an old answer from saying "passed" against a newer one. Nothing passes by an audit that
//! any later summary contradicts. And a failing answer of either side counts until the
//! other says otherwise, and says so at least a minute later, because replicas lag.

use super::{RootEvidence, access_key, mfa};
use crate::model::{
    account::Account,
    facts::{Changes, Confirmation, DeviceKind, Known, RootAudit, RootReading, changes::SETTLE},
    judge::{Control, Reason, Status, Verdict},
};

/// What `own`, which is what the account's role has read, and the audit say together.
pub(super) fn weigh(
    own: Verdict,
    control: Control,
    account: &Account,
    evidence: &RootEvidence<'_>,
    is_watched: bool,
) -> Verdict {
    let Some(audit) = evidence.audit else { return own };
    let audited = judge(control, account, audit, &evidence.changes);
    match (own.status, audited.status) {
        (Status::Failed, _) => own,
        (_, Status::Failed) if !is_overtaken(&own, audit, evidence.reading) => audited,
        (Status::Unknown, Status::Passed | Status::NotApplicable | Status::Unknown)
            if is_undisputed(audit, evidence, is_watched) =>
        {
            audited
        }
        _ => own,
    }
}

/// Whether nothing that was read later says otherwise than the audit. A heartbeat that is
/// fresh must have shown the very same, whichever came first.
pub(super) fn is_undisputed(audit: &Known<RootAudit>, evidence: &RootEvidence<'_>, is_watched: bool) -> bool {
    let is_older = |reading: &Known<RootReading>| !is_watched && reading.as_of.mono < audit.as_of.mono;
    audit.value.agrees_with(&evidence.changes.shown)
        && evidence.reading.is_none_or(|reading| is_older(reading) || confirms(&reading.value, &audit.value))
}

/// Whether the other side has said otherwise, so late that no replica can have lagged.
fn is_overtaken(own: &Verdict, audit: &Known<RootAudit>, reading: Option<&Known<RootReading>>) -> bool {
    let late = audit.as_of.mono.plus(SETTLE);
    let contradicts =
        |reading: &Known<RootReading>| reading.as_of.mono >= late && !confirms(&reading.value, &audit.value);
    own.as_of.is_some_and(|at| at.mono >= late) || reading.is_some_and(contradicts)
}

/// Whether a heartbeat shows every counter and flag as the audit did.
fn confirms(reading: &RootReading, audit: &RootAudit) -> bool {
    let is_believed = matches!(reading.confirmation, Confirmation::Agreed | Confirmation::NotNeeded);
    let fingerprint = reading.summary.fingerprint();
    is_believed && fingerprint.is_some() && fingerprint == audit.reading.summary.fingerprint()
}

/// What the audit says by itself.
fn judge(control: Control, account: &Account, audit: &Known<RootAudit>, changes: &Changes) -> Verdict {
    let reading = Known::new(audit.value.reading, audit.as_of);
    let Some(partition) = &account.partition else { return Verdict::unknown(Reason::NotRead) };
    if !audit.value.is_consistent() {
        return Verdict::unknown(Reason::Unconfirmed);
    }
    let mfa = mfa(partition, account.management, &reading);
    match control {
        Control::Iam9 => mfa,
        Control::Iam6 => hardware_mfa(mfa, audit, changes),
        Control::Iam4 => access_key(&reading),
        Control::Cognito5 | Control::Iam5 | Control::Iam19 => Verdict::unknown(Reason::NotRead),
    }
}

/// IAM.6, by root's own list of devices.
fn hardware_mfa(mfa: Verdict, audit: &Known<RootAudit>, changes: &Changes) -> Verdict {
    if matches!(mfa.status, Status::Failed | Status::NotApplicable) {
        return mfa;
    }
    if audit.value.devices.count(DeviceKind::Virtual) > 0 {
        return Verdict::known(Status::Failed, Reason::RootHasVirtualDevice, audit.as_of);
    }
    match mfa.status {
        Status::Passed if audit.value.has_unknown_kind() => Verdict::unknown(Reason::DeviceOfUnknownKind),
        Status::Passed if !changes.is_settled(audit.as_of) => Verdict::unknown(Reason::Unsettled),
        Status::Passed => Verdict::known(Status::Passed, Reason::NoVirtualDevice, audit.as_of),
        _ => mfa,
    }
}
