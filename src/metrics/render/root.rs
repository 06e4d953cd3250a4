//! The families about root users: facts, absent while they are not known.

use super::{Family, of_account};

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_root_credential_present",
        &["account_id", "credential"],
        "Whether the root user has a credential of this kind (GetAccountSummary). Absent while unknown.",
        |view, rows| {
            if let Some(reading) = view.reading() {
                let summary = &reading.value.summary;
                rows.push_known(&["access_key"], summary.access_keys);
                rows.push_known(&["password"], summary.password);
                rows.push_known(&["signing_certificate"], summary.signing_certificates);
            }
        },
    ),
    of_account(
        "aws_mfa_root_mfa_enabled",
        &["account_id"],
        "Whether the root user has an MFA device of any kind (GetAccountSummary, AccountMFAEnabled). Absent while unknown. 0 alone is no failure, because a root user without credentials has no MFA device either.",
        |view, rows| rows.push_known(&[], view.reading().and_then(|reading| reading.value.summary.mfa_enabled)),
    ),
    of_account(
        "aws_mfa_root_password_last_used_timestamp_seconds",
        &["account_id"],
        "When the root user's password was last used (credential report, which is up to four hours old). Absent while unknown, and if AWS has no record of it (see aws_mfa_root_password_used).",
        |view, rows| {
            let last_used = view.report().and_then(|report| report.root_password_last_used?.at());
            rows.push_known(&[], last_used.map(|at| at.as_seconds()));
        },
    ),
    of_account(
        "aws_mfa_root_password_used",
        &["account_id"],
        "Whether AWS has a record that the root user's password was used (credential report, which is up to four hours old). 0 means: not used since October 2014, when AWS began to keep records. Absent while unknown, and if root has no password.",
        |view, rows| {
            let last_used = view.report().and_then(|report| report.root_password_last_used);
            rows.push_known(&[], last_used.and_then(|used| used.is_recorded()));
        },
    ),
    of_account(
        "aws_mfa_root_virtual_devices",
        &["account_id"],
        "Number of virtual MFA devices that the root user owns (ListVirtualMFADevices, by owner). Absent while unknown, and if the account has changed since the exporter read the list.",
        |view, rows| {
            // With an owner missing, the count of root's own is a lower bound, not a fact.
            let complete = view.devices().filter(|list| list.value.unowned == 0);
            rows.push_known(&[], complete.map(|list| list.value.root_owned));
        },
    ),
];
