//! What the log says: every change of a verdict and of a collector's fault,
//! once, when it happens. A state that lasts is the metrics' business.
//!
//! That all is well from the beginning is no change: ten thousand accounts would say so
//! in 160,000 lines. One line tells it of all of them, when each has been read.

use crate::{
    metrics::UNIDENTIFIED,
    model::{
        facts::{Fault, FaultClass},
        judge::Status,
        snapshot::{AccountState, Snapshot},
    },
};

/// Logs how `after` differs from `before`.
pub fn log(before: &Snapshot, after: &Snapshot) {
    log_discovery(before.discovery.fault.as_ref(), after.discovery.fault.as_ref());
    log_root_access(before, after);
    let mut is_one_new = false;
    for (old, state) in after.changes(before).filter(|(_, state)| state.account.is_some()) {
        log_faults(old, state);
        log_verdicts(old, state);
        log_root_devices(old, state);
        is_one_new |= state.is_scanned() && state.has_run() && !old.is_some_and(AccountState::has_run);
    }
    if is_one_new && after.initial_pass_complete() {
        log_first_pass(after);
    }
}

/// Sums up what was found, good or bad.
fn log_first_pass(snapshot: &Snapshot) {
    let verdicts = || snapshot.accounts().flat_map(AccountState::standings).map(|(_, standing)| standing.verdict);
    let many = |status: Status| verdicts().filter(|verdict| verdict.status == status).count();
    let is_down = |state: &&AccountState| state.health().any(|(_, health)| health.fault.is_some());
    tracing::info!(
        accounts = snapshot.accounts().filter(|state| state.is_scanned()).count(),
        accounts_with_faults = snapshot.accounts().filter(is_down).count(),
        passed = many(Status::Passed),
        failed = many(Status::Failed),
        not_applicable = many(Status::NotApplicable),
        unknown = many(Status::Unknown),
        "Every account has been read. The numbers of passed to unknown are verdicts, one for each control of an account.",
    );
}

fn log_discovery(before: Option<&Fault>, after: Option<&Fault>) {
    if is_told(before, after) {
        return;
    }
    match after {
        Some(fault) if fault.class == FaultClass::UnmatchedFilter => tracing::error!(
            fault = %fault.class, detail = %fault, remedy = fault.remedy(),
            "A filter of the configuration matches no account. The exporter excludes no account because of it.",
        ),
        Some(fault) => tracing::error!(
            fault = %fault.class, detail = %fault, remedy = fault.remedy(),
            "Account discovery failed.",
        ),
        None => tracing::info!("Account discovery succeeded."),
    }
}

/// A feature that goes off, and why nobody can tell.
fn log_root_access(before: &Snapshot, after: &Snapshot) {
    let (was, is) = (before.root_access.features(before.tick), after.root_access.features(after.tick));
    if let (Some(was), Some(is)) = (was, is) {
        for ((feature, was_on), (_, is_on)) in
            std::iter::zip(was.named(), is.named()).filter(|((_, was), (_, is))| was != is)
        {
            match (was_on, is_on) {
                (true, false) => tracing::warn!(feature, "A feature of centralized root access was switched off."),
                _ => tracing::info!(feature, "A feature of centralized root access was switched on."),
            }
        }
    }
    let faults = [&before.root_access, &after.root_access].map(|known| known.fault());
    match faults {
        [before, after] if is_told(before, after) => {}
        [_, Some(fault)] => tracing::warn!(
            fault = %fault.class, detail = %fault, remedy = fault.remedy(),
            "The exporter cannot read the state of centralized root access.",
        ),
        [_, None] => tracing::info!("The exporter reads the state of centralized root access again."),
    }
}

fn log_faults(before: Option<&AccountState>, after: &AccountState) {
    for (collector, health) in after.health() {
        let old = before.and_then(|state| state.health().find(|(name, _)| *name == collector));
        let is_told = match old {
            Some((_, old)) => is_told(old.fault.as_ref(), health.fault.as_ref()),
            None => class(health.fault.as_ref()) == Some(FaultClass::Pending),
        };
        let account_id = id(after);
        match &health.fault {
            _ if is_told => {}
            Some(fault) if after.account.as_ref().is_some_and(|account| account.management) => tracing::error!(
                account_id, collector = collector.as_str(), fault = %fault.class, detail = %fault,
                remedy = fault.remedy(),
                "A collector is down in the organization's management account. A StackSet does not reach this \
                 account: its role needs a stack of its own.",
            ),
            Some(fault) => tracing::warn!(
                account_id, collector = collector.as_str(), fault = %fault.class, detail = %fault,
                remedy = fault.remedy(), "A collector is down.",
            ),
            // It was never down: it had not run before.
            None if old.is_none_or(|(_, old)| class(old.fault.as_ref()) == Some(FaultClass::Pending)) => {}
            None => tracing::info!(account_id, collector = collector.as_str(), "A collector is up."),
        }
    }
}

fn log_verdicts(before: Option<&AccountState>, after: &AccountState) {
    for (control, standing) in after.standings() {
        let old = before.map(|state| state.standing(control));
        let was = old.map_or(Status::Unknown, |old| old.verdict.status);
        let verdict = &standing.verdict;
        let (account_id, control) = (id(after), control.as_str());
        match verdict.status {
            status if status == was => {}
            Status::Failed => tracing::error!(account_id, control, %was, reason = %verdict.reason, "A control failed."),
            Status::Unknown => {
                tracing::warn!(account_id, control, %was, reason = %verdict.reason, "A control is unknown.")
            }
            // The first that is known of it is good.
            _ if old.is_none_or(|old| old.last_protected.is_none() && old.last_failed.is_none()) => {}
            status => tracing::info!(account_id, control, %was, reason = %verdict.reason, "A control is {status}."),
        }
    }
}

fn log_root_devices(before: Option<&AccountState>, after: &AccountState) {
    let changed = AccountState::root_devices_changed;
    if before.is_some_and(|before| changed(before) != changed(after)) && changed(after).is_some() {
        tracing::warn!(account_id = id(after), "The MFA devices of the root user have changed.");
    }
}

/// Whether there is nothing to be said that was not said already. The detail of most
/// faults changes with every request; but whoever corrects one setting or filter after
/// the other wants to hear of each.
fn is_told(before: Option<&Fault>, after: Option<&Fault>) -> bool {
    let is_settled =
        |fault: &Fault| !matches!(fault.class, FaultClass::InvalidConfiguration | FaultClass::UnmatchedFilter);
    class(before) == class(after) && (after.is_none_or(is_settled) || before == after)
}

fn class(fault: Option<&Fault>) -> Option<FaultClass> {
    fault.map(|fault| fault.class)
}

fn id(state: &AccountState) -> &str {
    state.account.as_ref().map_or(UNIDENTIFIED, |account| account.id.as_str())
}
