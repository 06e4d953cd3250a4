//! Alerts on the user pools of Amazon Cognito.

use super::{
    kit::Kit,
    rule::{ACCOUNT, Group, Rule, Severity},
};

/// An exporter that does not read user pools (any more) tells of none.
const NOT_READ: &str = "(aws_mfa_account_info unless on (account_id) aws_mfa_collector_up{collector=\"cognito\"})";

pub(super) fn group(kit: &Kit<'_>) -> Group {
    Group { name: "aws-mfa-cognito", interval: "1m", rules: vec![pool_without_mfa(kit)] }
}

fn pool_without_mfa(kit: &Kit<'_>) -> Rule {
    let exempt = kit.unless_exempt();
    Rule::alert("AwsMfaCognitoPoolWithoutMfa", Severity::Warning, ACCOUNT)
        .expr(format!(
            "max by (account_id) (\n  {}\n  {exempt}\n)\nunless on (account_id) {NOT_READ}",
            kit.is_failed("Cognito.5")
        ))
        .wait("15m")
        .says(
            "Users of an Amazon Cognito user pool can sign in with a password alone.",
            format!(
                "{}: a Cognito user pool allows no first factor but a password, and does not require MFA. The last answer is \
                 of {{{{ $value | humanizeTimestamp }}}}.",
                kit.account()
            ),
        )
}
