//! The families about IAM users: counts of what is known, and names for those
//! who asked for them.

use std::iter::zip;

use super::{Family, Rows, View, count, of_account, of_snapshot};
use crate::model::{facts::DeviceKind, judge::users::UserCounts};

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_access_key_users_without_mfa",
        &["account_id"],
        "IAM users without an MFA device who had an active access key when AWS made the credential report. They can call the API with a single factor. Absent unless both facts are known for every user.",
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
        "IAM users with a console password (credential report, or GetLoginProfile if the exporter called it later). Absent unless it is known for every user.",
        |view, rows| push(view, rows, |counts| counts.console),
    ),
    of_account(
        "aws_mfa_console_users_without_mfa",
        &["account_id"],
        "IAM users with a console password and without an MFA device. IAM.5 fails because of them. Absent unless it is known for every user.",
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
        "When a configured exemption ends. An exemption without an end has no series.",
        |snapshot, rows| {
            let mut ends: Vec<_> = snapshot.exemptions.iter().filter_map(|e| Some((e.id.as_str(), e.until?))).collect();
            ends.sort_unstable();
            ends.into_iter().for_each(|(exemption, until)| rows.push(&[exemption], until.as_seconds()));
        },
    ),
    of_account(
        "aws_mfa_user_devices",
        &["account_id", "kind"],
        "MFA devices of IAM users, by kind. AWS does not distinguish a synced passkey from a FIDO security key. For a user with a virtual device, the exporter does not ask for further devices. A kind is absent unless all devices of that kind are known.",
        |view, rows| {
            let counts = view.state.user_counts().map(|counts| counts.devices).unwrap_or_default();
            zip(DeviceKind::ALL, counts).for_each(|(kind, devices)| rows.push_known(&[kind.as_str()], devices));
        },
    ),
    of_account(
        "aws_mfa_user_without_mfa",
        &["account_id", "user", "console_access"],
        "An IAM user without an MFA device, by name. console_access says whether the user has a console password (true, false, unknown). Only with --collector.users.names=failing. Always 1.",
        |view, rows| {
            for (user, password) in view.seen.failing.iter().flat_map(|failing| &failing.named) {
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
        "IAM users (ListUsers, if GetAccountSummary counts as many). Users of IAM Identity Center are not counted. Absent while unknown, and for about a minute after the account has changed.",
        |view, rows| push(view, rows, |counts| Some(counts.users)),
    ),
    of_account(
        "aws_mfa_users_omitted",
        &["account_id"],
        "IAM users without an MFA device who are not named in aws_mfa_user_without_mfa, because the limit is reached or the name is not known yet. Absent unless it is known for every user whether there is a device. Only with --collector.users.names=failing.",
        |view, rows| {
            rows.push_known(&[], view.seen.failing.as_ref().and_then(|failing| failing.omitted).map(count));
        },
    ),
    of_account(
        "aws_mfa_users_unknown",
        &["account_id", "fact"],
        "IAM users for whom a fact is unknown: whether they have an MFA device (fact=device), a console password (console_password), or an active access key (access_key). The last two come from the credential report. Without a report they stay unknown for users who have a device; no verdict needs them for these users. Absent while the list of users is unknown.",
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
        "IAM users without an MFA device. IAM.19 fails because of them. Absent unless it is known for every user.",
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
fn push(view: &View<'_>, rows: &mut Rows, of: impl FnOnce(&UserCounts) -> Option<u32>) {
    rows.push_known(&[], view.state.user_counts().and_then(of));
}
