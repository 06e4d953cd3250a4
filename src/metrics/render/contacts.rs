//! The families about how AWS reaches the people of an account.

use super::{Family, of_account};

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_contact_phone_verified",
        &["account_id"],
        "Whether AWS has verified the telephone number of the account's primary contact (account:GetContactInformation, VerificationStatus). Whoever has lost root's MFA device signs in with the root user's mailbox and this telephone. Absent while that is not known, and where AWS cannot verify the number. Only with --collector.contacts.",
        |view, rows| rows.push_known(&[], view.seen.contact_phone),
    ),
    of_account(
        "aws_mfa_root_email_changed_timestamp_seconds",
        &["account_id"],
        "When the exporter first saw another e-mail address of the root user than before, in the organization's list of accounts. Whoever has that mailbox can reset root's password. The address itself is nowhere: a keyed hash is kept, and outlives a restart with --state.file. Absent if no change was seen. Only with --collector.contacts, in an organization.",
        |view, rows| {
            rows.push_known(&[], view.state.root_email().changed.map(|at| at.wall.as_seconds()));
        },
    ),
    of_account(
        "aws_mfa_security_contact_present",
        &["account_id"],
        "Whether the account has an alternate contact for security (account:GetAlternateContact), to whom AWS writes about the account's security. Absent while that is not known. Only with --collector.contacts.",
        |view, rows| rows.push_known(&[], view.seen.security_contact),
    ),
];
