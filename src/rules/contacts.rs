//! Alerts on how AWS reaches the people of an account. Where nobody reads contacts, they
//! are silent.

use super::{
    kit::Kit,
    memory::{ROOT_EMAIL, kept},
    rule::{ACCOUNT, Rule, Severity},
};

/// For how long an alert stays with what was last known: two runs of a day, and a day to mend the exporter.
const STAYS: &str = "[3d]";

/// In the group of root, where the record is that the first reads.
pub(super) fn alerts(kit: &Kit<'_>) -> [Rule; 3] {
    [email_changed(kit), security_missing(kit), phone_unverified(kit)]
}

/// What was recorded of the address, for the full set.
pub(super) fn record(kit: &Kit<'_>) -> Rule {
    kept(
        kit,
        ROOT_EMAIL,
        "When root's e-mail address was last seen to be another than before.",
        "account_id",
        "aws_mfa_root_email_changed_timestamp_seconds",
    )
}

fn email_changed(kit: &Kit<'_>) -> Rule {
    let changed = kit
        .either(ROOT_EMAIL, "max by (account_id) (last_over_time(aws_mfa_root_email_changed_timestamp_seconds[1h]))");
    Rule::alert("AwsMfaRootEmailChanged", Severity::Critical, ACCOUNT)
        .expr(format!("{changed} > time() - 86400\n{}", kit.unless_control_exempt("IAM.9")))
        .says(
            "The e-mail address of the root user of an AWS account has changed.",
            format!(
                "{}: the root user has another e-mail address than before. Whoever has that mailbox can reset root's password. \
                 The exporter first saw it at {{{{ $value | humanizeTimestamp }}}}. This alert ends by itself a day after that.",
                kit.account()
            ),
        )
}

/// The accounts of which this was last known to be not so, and that are still read.
fn is_not(metric: &str) -> String {
    format!(
        "max by (account_id) (last_over_time({metric}{STAYS})) == 0\n\
         and on (account_id) aws_mfa_collector_up{{collector=\"contacts\"}}"
    )
}

fn security_missing(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaSecurityContactMissing", Severity::Info, ACCOUNT)
        .expr(is_not("aws_mfa_security_contact_present"))
        .wait("1h")
        .says(
            "An AWS account has no security contact.",
            format!(
                "{}: there is no alternate contact for security, so AWS writes about the account's security to the root user's \
                 mailbox alone.",
                kit.account()
            ),
        )
}

fn phone_unverified(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaContactPhoneUnverified", Severity::Info, ACCOUNT)
        .expr(is_not("aws_mfa_contact_phone_verified"))
        .wait("1h")
        .says(
            "The contact telephone of an AWS account is not verified.",
            format!(
                "{}: AWS has not verified the telephone number of the primary contact. If root's MFA device is lost, AWS calls \
                 that number.",
                kit.account()
            ),
        )
}
