//! The families about IAM users: counts of what is known, and names for those
//! who asked for them.

use std::iter::zip;

use super::{Family, Rows, View, count, of_account, of_snapshot};
use crate::model::{facts::DeviceKind, judge::users::UserCounts};

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_access_key_users_without_mfa",
        &["account_id"],
        "IAM users without an MFA device who had an active access key when the credential report was made: single-factor API access. Absent unless both are known of every user.",
        |view, rows| push(view, rows, |counts| Some(counts.access_key_without_mfa?.all)),
    ),
    of_account(
        "aws_mfa_access_key_users_without_mfa_exempt",
        &["account_id"],
        "Users counted in aws_mfa_access_key_users_without_mfa that an active exemption covers.",
        |view, rows| push(view, rows, |counts| Some(counts.access_key_without_mfa?.exempt)),
    ),
    of_account(
        "aws_mfa_console_users",
        &["account_id"],
        "IAM users with a console password (credential report, or GetLoginProfile where that was asked later). Absent unless it is known of every user.",
        |view, rows| push(view, rows, |counts| counts.console),
    ),
    of_account(
        "aws_mfa_console_users_without_mfa",
        &["account_id"],
        "IAM users with a console password and without an MFA device: those that IAM.5 fails for. Absent unless it is known of every user.",
        |view, rows| push(view, rows, |counts| Some(counts.console_without_mfa?.all)),
    ),
    of_account(
        "aws_mfa_console_users_without_mfa_exempt",
        &["account_id"],
        "Users counted in aws_mfa_console_users_without_mfa that an active exemption covers.",
        |view, rows| push(view, rows, |counts| Some(counts.console_without_mfa?.exempt)),
    ),
    of_snapshot(
        "aws_mfa_exemption_expiry_timestamp_seconds",
        &["exemption"],
        "When a configured exemption ends. Exemptions without an end have none.",
        |snapshot, rows| {
            let mut ends: Vec<_> = snapshot.exemptions.iter().filter_map(|e| Some((e.id.as_str(), e.until?))).collect();
            ends.sort_unstable();
            ends.into_iter().for_each(|(exemption, until)| rows.push(&[exemption], until.as_seconds()));
        },
    ),
    of_account(
        "aws_mfa_user_devices",
        &["account_id", "kind"],
        "MFA devices of IAM users, by kind. AWS does not tell a synced passkey from a FIDO security key. Users with a virtual device are not asked for others; a kind is absent unless the devices seen are known to be all there are.",
        |view, rows| {
            let counts = view.state.user_counts().map(|counts| counts.devices).unwrap_or_default();
            zip(DeviceKind::ALL, counts).for_each(|(kind, devices)| rows.push_known(&[kind.as_str()], devices));
        },
    ),
    of_account(
        "aws_mfa_user_without_mfa",
        &["account_id", "user", "console_access"],
        "An IAM user without an MFA device, by name, and whether a console password is known (true, false, unknown). Only with --collector.users.names=failing; always 1.",
        |view, rows| {
            for (user, password) in view.snapshot.failing(view.state).map(|failing| failing.named).unwrap_or_default() {
                let console = match password {
                    Some(true) => "true",
                    Some(false) => "false",
                    None => "unknown",
                };
                rows.push(&[user, console], 1);
            }
        },
    ),
    of_account(
        "aws_mfa_users",
        &["account_id"],
        "IAM users (ListUsers, as many as GetAccountSummary counts). Users of IAM Identity Center are not among them. Absent while unknown, and for about a minute after the account has changed.",
        |view, rows| push(view, rows, |counts| Some(counts.users)),
    ),
    of_account(
        "aws_mfa_users_omitted",
        &["account_id"],
        "IAM users without an MFA device who are not named in aws_mfa_user_without_mfa: those over the limit, and those whose names are not known yet. Absent unless it is known of every user whether there is a device. Only with --collector.users.names=failing.",
        |view, rows| {
            rows.push_known(&[], view.snapshot.failing(view.state).and_then(|failing| failing.omitted).map(count))
        },
    ),
    of_account(
        "aws_mfa_users_unknown",
        &["account_id", "fact"],
        "IAM users of whom it is not known whether they have an MFA device (fact=device), a console password (console_password), or an active access key (access_key). The latter two come from the credential report: without one they stay unknown of users who have a device, which no verdict needs. Absent while it is not known which users there are.",
        |view, rows| {
            if let Some(unknown) = view.state.user_counts().map(|counts| counts.unknown) {
                rows.push(&["access_key"], unknown.access_key);
                rows.push(&["console_password"], unknown.console_password);
                rows.push(&["device"], unknown.device);
            }
        },
    ),
    of_account(
        "aws_mfa_users_without_mfa",
        &["account_id"],
        "IAM users without an MFA device: those that IAM.19 fails for. Absent unless it is known of every user.",
        |view, rows| push(view, rows, |counts| Some(counts.without_mfa?.all)),
    ),
    of_account(
        "aws_mfa_users_without_mfa_exempt",
        &["account_id"],
        "Users counted in aws_mfa_users_without_mfa that an active exemption covers.",
        |view, rows| push(view, rows, |counts| Some(counts.without_mfa?.exempt)),
    ),
];

/// A count, if it is known of every user.
fn push(view: &View<'_>, rows: &mut Rows<'_>, of: impl FnOnce(&UserCounts) -> Option<u32>) {
    rows.push_known(&[], view.state.user_counts().and_then(of));
}
