//! The families about IAM users: counts of what is known, and names for those
//! who asked for them.

use super::{Rows, id};
use crate::model::{
    facts::{DeviceKind, user::ReportUse},
    judge::users::UserCounts,
    snapshot::{Failing, Snapshot},
};

fn each_tally(snapshot: &Snapshot, mut row: impl FnMut(&str, &UserCounts)) {
    for state in snapshot.accounts() {
        if let Some(tally) = &state.tally {
            row(id(state), tally);
        }
    }
}

fn count(snapshot: &Snapshot, rows: &mut Rows, of: impl Fn(&UserCounts) -> u32) {
    each_tally(snapshot, |account, tally| rows.push(&[account], f64::from(of(tally))));
}

pub(super) fn all(snapshot: &Snapshot, rows: &mut Rows) {
    count(snapshot, rows, |tally| tally.users);
}

pub(super) fn unknown(snapshot: &Snapshot, rows: &mut Rows) {
    count(snapshot, rows, |tally| tally.unknown);
}

pub(super) fn console(snapshot: &Snapshot, rows: &mut Rows) {
    count(snapshot, rows, |tally| tally.console);
}

pub(super) fn without_mfa(snapshot: &Snapshot, rows: &mut Rows) {
    count(snapshot, rows, |tally| tally.without_mfa.all);
}

pub(super) fn without_mfa_exempt(snapshot: &Snapshot, rows: &mut Rows) {
    count(snapshot, rows, |tally| tally.without_mfa.exempt);
}

pub(super) fn console_without_mfa(snapshot: &Snapshot, rows: &mut Rows) {
    count(snapshot, rows, |tally| tally.console_without_mfa.all);
}

pub(super) fn console_without_mfa_exempt(snapshot: &Snapshot, rows: &mut Rows) {
    count(snapshot, rows, |tally| tally.console_without_mfa.exempt);
}

pub(super) fn access_key_without_mfa(snapshot: &Snapshot, rows: &mut Rows) {
    count(snapshot, rows, |tally| tally.access_key_without_mfa.all);
}

pub(super) fn access_key_without_mfa_exempt(snapshot: &Snapshot, rows: &mut Rows) {
    count(snapshot, rows, |tally| tally.access_key_without_mfa.exempt);
}

pub(super) fn devices(snapshot: &Snapshot, rows: &mut Rows) {
    each_tally(snapshot, |account, tally| {
        for (kind, count) in DeviceKind::ALL.into_iter().zip(tally.devices) {
            rows.push(&[account, kind.as_str()], f64::from(count));
        }
    });
}

fn each_failing(snapshot: &Snapshot, mut row: impl FnMut(&str, &Failing<'_>)) {
    for state in snapshot.accounts() {
        if let Some(failing) = snapshot.failing(state) {
            row(id(state), &failing);
        }
    }
}

pub(super) fn names(snapshot: &Snapshot, rows: &mut Rows) {
    each_failing(snapshot, |account, failing| {
        for (user, password) in &failing.named {
            let console = match password {
                Some(true) => "true",
                Some(false) => "false",
                None => "unknown",
            };
            rows.push(&[account, user, console], 1.0);
        }
    });
}

pub(super) fn omitted(snapshot: &Snapshot, rows: &mut Rows) {
    each_failing(snapshot, |account, failing| rows.push(&[account], super::count(failing.omitted)));
}

/// The reports behind what is known of the users.
pub(super) fn each_report(snapshot: &Snapshot, mut row: impl FnMut(&str, &ReportUse)) {
    for state in snapshot.accounts().filter(|state| state.tally.is_some()) {
        if let Some(report) = state.users.as_ref().and_then(|users| users.value.report.as_ref()) {
            row(id(state), report);
        }
    }
}

pub(super) fn root_password_last_used(snapshot: &Snapshot, rows: &mut Rows) {
    each_report(snapshot, |account, report| {
        if let Some(at) = report.root_password_last_used {
            rows.push(&[account], at.as_seconds());
        }
    });
}

pub(super) fn exemption_expiry(snapshot: &Snapshot, rows: &mut Rows) {
    let mut ends: Vec<_> = snapshot.exemptions.iter().filter_map(|e| Some((e.id.as_str(), e.until?))).collect();
    ends.sort_unstable();
    ends.into_iter().for_each(|(exemption, until)| rows.push(&[exemption], until.as_seconds()));
}
