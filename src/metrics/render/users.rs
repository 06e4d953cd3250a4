//! The families about IAM users: counts of what is known, and names for those
//! who asked for them.

use std::iter::zip;

use super::{Family, count, of_account, of_snapshot};
use crate::model::facts::DeviceKind;

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_access_key_users_without_mfa",
        &["account_id"],
        "How many IAM users are known to have an active access key (credential report) and no MFA device: single-factor API access. Absent while the users are not known.",
        |view, rows| rows.push_known(&[], view.state.tally.map(|counts| counts.access_key_without_mfa.all)),
    ),
    of_account(
        "aws_mfa_access_key_users_without_mfa_exempt",
        &["account_id"],
        "How many of aws_mfa_access_key_users_without_mfa an exemption is for.",
        |view, rows| rows.push_known(&[], view.state.tally.map(|counts| counts.access_key_without_mfa.exempt)),
    ),
    of_account(
        "aws_mfa_console_users",
        &["account_id"],
        "How many IAM users are known to have a console password (credential report, or GetLoginProfile where that was asked). Absent while the users are not known.",
        |view, rows| rows.push_known(&[], view.state.tally.map(|counts| counts.console)),
    ),
    of_account(
        "aws_mfa_console_users_without_mfa",
        &["account_id"],
        "How many IAM users are known to have a console password and no MFA device: those that IAM.5 fails for. Absent while the users are not known.",
        |view, rows| rows.push_known(&[], view.state.tally.map(|counts| counts.console_without_mfa.all)),
    ),
    of_account(
        "aws_mfa_console_users_without_mfa_exempt",
        &["account_id"],
        "How many of aws_mfa_console_users_without_mfa an exemption is for.",
        |view, rows| rows.push_known(&[], view.state.tally.map(|counts| counts.console_without_mfa.exempt)),
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
        "How many MFA devices of IAM users were seen, by kind. A user with a virtual device is not asked for others; a synced passkey and a FIDO security key are one kind. Absent while the users are not known.",
        |view, rows| {
            if let Some(counts) = view.state.tally {
                zip(DeviceKind::ALL, counts.devices).for_each(|(kind, devices)| rows.push(&[kind.as_str()], devices));
            }
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
        "How many IAM users there are (ListUsers). Users of IAM Identity Center are none. Absent while unknown.",
        |view, rows| rows.push_known(&[], view.state.tally.map(|counts| counts.users)),
    ),
    of_account(
        "aws_mfa_users_omitted",
        &["account_id"],
        "How many IAM users without an MFA device are not named in aws_mfa_user_without_mfa: those over the limit, and those whose names are not known yet. Only with --collector.users.names=failing.",
        |view, rows| rows.push_known(&[], view.snapshot.failing(view.state).map(|failing| count(failing.omitted))),
    ),
    of_account(
        "aws_mfa_users_unknown",
        &["account_id"],
        "How many IAM users too little is known of to judge IAM.5 and IAM.19; the other counts are of what is known. Absent while the users are not known.",
        |view, rows| rows.push_known(&[], view.state.tally.map(|counts| counts.unknown)),
    ),
    of_account(
        "aws_mfa_users_without_mfa",
        &["account_id"],
        "How many IAM users are known to have no MFA device: those that IAM.19 fails for. Absent while the users are not known.",
        |view, rows| rows.push_known(&[], view.state.tally.map(|counts| counts.without_mfa.all)),
    ),
    of_account(
        "aws_mfa_users_without_mfa_exempt",
        &["account_id"],
        "How many of aws_mfa_users_without_mfa an exemption is for.",
        |view, rows| rows.push_known(&[], view.state.tally.map(|counts| counts.without_mfa.exempt)),
    ),
];
