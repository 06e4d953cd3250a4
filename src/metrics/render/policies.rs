//! The families about what policies enforce.

use std::iter::zip;

use super::{Family, Rows, View, of_account};
use crate::model::{facts::policies::Enforcement, judge::users::UserCounts};

pub(super) const FAMILIES: &[Family] = &[
    of_account(
        "aws_mfa_access_key_users_unenforced",
        &["account_id"],
        "IAM users who had an active access key when AWS made the credential report, and whose policies do not deny the key everything without MFA (enforcement none or console_only). Their key alone is enough to call the API, also if they have an MFA device. Absent unless both facts are known for every user.",
        |view, rows| push(view, rows, |counts| Some(counts.access_key_unenforced?.all)),
    ),
    of_account(
        "aws_mfa_access_key_users_unenforced_exempt",
        &["account_id"],
        "Users counted in aws_mfa_access_key_users_unenforced that an active exemption covers.",
        |view, rows| push(view, rows, |counts| Some(counts.access_key_unenforced?.exempt)),
    ),
    of_account(
        "aws_mfa_enforced_users_without_mfa",
        &["account_id"],
        "IAM users without an MFA device whose policies deny everything without MFA (enforcement full). Whoever has the password or a key of such a user can register an own device, and is then not denied any more. Absent unless both facts are known for every user.",
        |view, rows| push(view, rows, |counts| Some(counts.enforced_without_mfa?.all)),
    ),
    of_account(
        "aws_mfa_enforced_users_without_mfa_exempt",
        &["account_id"],
        "Users counted in aws_mfa_enforced_users_without_mfa that an active exemption covers.",
        |view, rows| push(view, rows, |counts| Some(counts.enforced_without_mfa?.exempt)),
    ),
    of_account(
        "aws_mfa_users_enforced",
        &["account_id", "enforcement"],
        "IAM users by what their policies deny without MFA (GetAccountAuthorizationDetails): full (everything, to the console and to access keys, but what it takes to register a device), console_only, keys_only, none (something is open to both), unknown (not certain). Policies of the user, its groups and its permissions boundary count. Not read: AWS managed policies, service and resource control policies (SCP, RCP), policies of resources and sessions. Enforcement is no MFA device: no control passes by it. Absent unless every page was read and as many users were listed as GetAccountSummary counts, and for some minutes after the account has changed.",
        |view, rows| {
            let Some(counts) = view.seen.enforcement else { return };
            zip(Enforcement::ALL, counts).for_each(|(of, users)| rows.push(&[of.as_str()], users));
        },
    ),
];

/// A count, if it is known of every user.
fn push(view: &View<'_>, rows: &mut Rows, of: impl FnOnce(&UserCounts) -> Option<u32>) {
    rows.push_known(&[], view.state.user_counts().and_then(of));
}
