//! Alerts on what policies enforce.
//!
//! A count is exported only while it is known of every user. While it is not, an alert stays
//! with what was last known, and `AwsMfaEnforcementUnknown` tells that nobody knows.

use super::{
    kit::Kit,
    rule::{ACCOUNT, Group, Rule, Severity},
};

/// The accounts whose policies somebody reads.
const READ: &str = "aws_mfa_collector_up{collector=\"policies\"}";

/// An exporter that does not read policies (any more) tells of nobody.
const NOT_READ: &str = "(aws_mfa_account_info unless on (account_id) aws_mfa_collector_up{collector=\"policies\"})";

/// For how long an alert stays with a count that is not known any more.
const STAYS: &str = "[9h]";

pub(super) fn group(kit: &Kit<'_>) -> Group {
    let rules = vec![falling(kit), users_without_mfa(kit), key_users(kit), unknown(kit)];
    Group { name: "aws-mfa-policies", interval: "1m", rules }
}

/// How many users beyond the exempt ones, as last known.
fn beyond_exempt(metric: &str) -> String {
    let [all, exempt] = ["", "_exempt"].map(|end| format!("last_over_time({metric}{end}{STAYS})"));
    format!("max by (account_id) (\n  {all} - {exempt}\n) > 0\nunless on (account_id) {NOT_READ}")
}

fn falling(kit: &Kit<'_>) -> Rule {
    let of = |kind: &str| format!("aws_mfa_users_enforced{{enforcement=\"{kind}\"}}");
    let (full, none) = (of("full"), of("none"));
    Rule::alert("AwsMfaEnforcementFalling", Severity::Warning, ACCOUNT)
        .about(
            "A user who was deleted is no loss, and neither is a new one without enforcement; fewer of the one and more of
            the other is.",
        )
        .expr(format!(
            "max by (account_id) (last_over_time({none}{STAYS}))\n> min by (account_id) (min_over_time({none}[1d]))\n\
             and on (account_id)\n  max by (account_id) (last_over_time({full}{STAYS}))\n  \
             < max by (account_id) (max_over_time({full}[1d]))\nunless on (account_id) {NOT_READ}"
        ))
        .wait("15m")
        .says(
            "Policies deny fewer IAM users of an AWS account to act without MFA than within the last day.",
            format!(
                "{}: fewer IAM users than within the last day are denied everything without MFA, and more are denied nothing: \
                 now {{{{ $value }}}}. Perhaps a policy was detached, changed or replaced.",
                kit.account()
            ),
        )
}

fn users_without_mfa(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaEnforcedUsersWithoutMfa", Severity::Info, ACCOUNT)
        .expr(beyond_exempt("aws_mfa_enforced_users_without_mfa"))
        .wait("1h")
        .says(
            "IAM users of an AWS account are made to use MFA by a policy, and have no MFA device yet.",
            format!(
                "{}: IAM users who have no MFA device although a policy denies them everything without MFA, exempt ones not \
                 counted: {{{{ $value }}}}. Whoever has the password or a key of such a user can register an own device.",
                kit.account()
            ),
        )
}

fn key_users(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaKeyUsersUnenforced", Severity::Info, ACCOUNT)
        .expr(beyond_exempt("aws_mfa_access_key_users_unenforced"))
        .wait("1h")
        .says(
            "Access keys of IAM users of an AWS account work without MFA.",
            format!(
                "{}: IAM users who have an active access key, and whose policies do not deny it everything without MFA, exempt \
                 ones not counted: {{{{ $value }}}}. Such a key alone is enough to call the API, also if the user has an MFA \
                 device.",
                kit.account()
            ),
        )
}

fn unknown(kit: &Kit<'_>) -> Rule {
    Rule::alert("AwsMfaEnforcementUnknown", Severity::Warning, ACCOUNT)
        .expr(format!(
            "group by (account_id) (\n  {READ}\n  unless on (account_id) (\n    \
             max by (account_id) (aws_mfa_users_enforced{{enforcement=\"unknown\"}}) == 0\n  )\n)"
        ))
        .wait("3h")
        .says(
            "It is not known for every IAM user of an AWS account whether policies enforce MFA.",
            format!(
                "{}: the exporter does not know of every IAM user whether policies deny everything without MFA. {}",
                kit.account(),
                kit.fault_of("\"policies\"")
            ),
        )
}
